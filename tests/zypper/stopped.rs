// SPDX-License-Identifier: LGPL-2.1-or-later
//! An update that would lose a driver is stopped before anything was changed.

use testkit::{Output, PackageBuilder};

use crate::packages::{NEW, OLD, kernel, kmp, link, telling};
use crate::support::{Mode, Site, goes_through};

in_both_modes! {
    an_update_without_the_driver,
    a_new_kernel_among_other_packages,
    a_driver_that_an_update_leaves_without_its_kernel,
    a_driver_that_something_else_obsoletes,
    a_package_file,
    with_a_policy_to_warn_it_goes_on,
}

#[track_caller]
fn is_stopped(site: &Site, arguments: &[&str]) -> Output {
    // zypper itself opens the database, which sqlite notes in it.
    site.sh("zypper --quiet search --installed-only").expect_success();
    let before = site.state();
    let output = site.zypper(arguments);
    assert!(!output.success(), "{output}");
    assert_eq!(site.state().0, before.0, "{output}");
    assert!(site.state().1 == before.1, "something has changed in the database: {output}");
    assert!(!site.root().exists("run/kmp/commit") && !site.root().exists("run/kmp/commit-judged"));
    assert!(!site.root().exists("depmod.log"), "{output}");
    output
}

fn said(output: &Output) -> String {
    format!("{}{}", output.stdout, output.stderr)
}

fn breaking() -> PackageBuilder {
    telling(&kernel(NEW, 8))
}

fn an_update_without_the_driver(mode: Mode) {
    let site = Site::new(mode);
    site.offer(&[breaking()]);
    for arguments in [&["install", "kernel-default"][..], &["install", "kernel-default"]] {
        let said = said(&is_stopped(&site, arguments));
        for part in ["error: kmp: foo-kmp-default-1.0", NEW, "changing was 0x00000007", "KMP_POLICY=warn"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains("bar-kmp"), "{said}");
    }
}

fn a_new_kernel_among_other_packages(mode: Mode) {
    let site = Site::new(mode);
    site.install(&[
        &PackageBuilder::new("goes", "1", "1").build(),
        &PackageBuilder::new("old", "1", "1").build(),
    ]);
    // Some are carried out before the kernel, and some after it.
    site.offer(&[
        PackageBuilder::new("a", "1", "1").provides("x"),
        breaking().requires("x"),
        PackageBuilder::new("old", "2", "1").requires("kernel-default = 6.4.0-3"),
    ]);
    let output = is_stopped(&site, &["install", "old", "-goes"]);
    assert!(said(&output).contains("error: kmp: foo-kmp-default-1.0"), "{output}");
}

/// The old kernel stays, and the only version of `foo` that it can use would be replaced. The update comes after another
/// package, and is no part of what rpm is called for first.
fn a_driver_that_an_update_leaves_without_its_kernel(mode: Mode) {
    let site = Site::new(mode);
    let mut update = kmp("foo", "2.0", &kernel(NEW, 8), 8).requires("x");
    // Versions do not stay beside each other.
    update = update.epoch(1);
    site.root().write("etc/zypp/zypp.conf", "[main]\n");
    site.offer(&[PackageBuilder::new("a", "1", "1").provides("x"), update]);
    let output = is_stopped(&site, &["install", "foo-kmp-default"]);
    let said = said(&output);
    // The version that does not fit is named with its own reasons, and the one that does.
    for part in
        ["error: kmp: foo-kmp-default-2.0", OLD, "foo-kmp-default-1.0_k6.4.0_1-1, which does, would go"]
    {
        assert!(said.contains(part), "{part}: {output}");
    }
}

fn a_driver_that_something_else_obsoletes(mode: Mode) {
    let site = Site::new(mode);
    site.offer(&[
        PackageBuilder::new("a", "1", "1").provides("x"),
        PackageBuilder::new("b", "1", "1").requires("x").tag("Obsoletes", "foo-kmp-default"),
    ]);
    let output = is_stopped(&site, &["install", "b"]);
    assert!(said(&output).contains("error: kmp: foo-kmp-default-1.0"), "{output}");
    // One that has the driver may.
    let successor = kmp("foo", "2.0", &kernel(OLD, 7), 7).provides("foo-kmp-default");
    let successor = successor.tag("Obsoletes", "foo-kmp-default < 2").provides("x");
    site.offer(&[successor.renamed("foonew-kmp-default")]);
    goes_through(site.zypper(&["install", "foonew-kmp-default"]));
    assert!(!site.has("foo-kmp-default") && site.has("foonew-kmp-default"));
}

/// Given by its path, it is not downloaded.
fn a_package_file(mode: Mode) {
    let site = Site::new(mode);
    site.offer(&[PackageBuilder::new("unused", "1", "1")]);
    site.copy(&breaking().build(), "root");
    site.copy(&PackageBuilder::new("a", "1", "1").build(), "root");
    let files = ["/root/a-1-1.x86_64.rpm", "/root/kernel-default-6.4.0-3.x86_64.rpm"];
    let output = is_stopped(&site, &["install", "--allow-unsigned-rpm", files[0], files[1]]);
    assert!(said(&output).contains("error: kmp: foo-kmp-default-1.0"), "{output}");
}

fn with_a_policy_to_warn_it_goes_on(mode: Mode) {
    let site = Site::new(mode);
    site.offer(&[breaking()]);
    let output = goes_through(site.zypper_with(&[("KMP_POLICY", "warn")], &["install", "kernel-default"]));
    assert!(said(&output).contains("warning: kmp: foo-kmp-default-1.0"), "{output}");
    assert!(site.has("kernel-default-6.4.0-3") && site.root().exists(link(NEW, "bar")));
    assert!(!site.root().exists(link(NEW, "foo")));
}
