// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp plan`: what would be changed, asked without rpm.

use serde_json::Value;
use testkit::{Package, PackageBuilder, TestRoot};

use crate::support::*;

/// A root with the kernel [`OLD`] and the KMPs foo, which needs what [`OTHER`] changes, and bar, which does not.
fn site() -> TestRoot {
    let root = TestRoot::new();
    let old = kernel(OLD, 7);
    root.install(&[&PackageBuilder::kernel(&old).build(), &one_module("foo", "1", &old, 7), &bar()]);
    root
}

fn bar() -> Package {
    let old = kernel(OLD, 7);
    package("bar", "1", &old, &[("bar", old.driver("bar").need("printk", 0x1000_0001))])
}

fn file(package: &Package) -> &str {
    package.path().to_str().unwrap()
}

/// The states of a kernel's drivers, by their names.
fn states(document: &Value, krel: &str) -> Vec<String> {
    let kernels = document["kernels"].as_array().unwrap();
    let kernel =
        kernels.iter().find(|k| k["release"] == krel).unwrap_or_else(|| panic!("{krel}: {document}"));
    let word = |value: &Value| value.as_str().unwrap().to_string();
    let drivers = kernel["drivers"].as_array().unwrap().iter();
    drivers.map(|d| format!("{} {}", word(&d["name"]), word(&d["state"]))).collect()
}

#[test]
fn a_kernel_that_costs_a_driver_is_known_before_it_is_installed() {
    let root = site();
    let new = PackageBuilder::kernel(&kernel(OTHER, 8)).build();
    let output = writes_nothing(&root, || ends(&root, &["plan", file(&new)], 1));
    let summary = format!("kernel {OTHER}: 1 of 2 drivers stay, 1 lost: foo-kmp-default\n");
    assert!(output.stdout.starts_with(&summary), "{output}");
    assert!(output.stdout.contains("changing was 0x00000007"), "{output}");
    let document = json(&root, &["plan", file(&new)]);
    assert_eq!(states(&document, OTHER), ["bar-kmp-default stays", "foo-kmp-default lost"]);
    assert_eq!((&document["stops"], &document["lost"]), (&true.into(), &1.into()), "{document}");
    assert_eq!(document["kernels"].as_array().unwrap().len(), 1, "{document}");

    // Together with its driver nothing is lost, in either order.
    let driver = one_module("foo", "2", &kernel(OTHER, 8), 8);
    for files in [[&new, &driver], [&driver, &new]] {
        let args = ["plan", file(files[0]), file(files[1])];
        let document = json(&root, &args);
        assert_eq!(states(&document, OTHER), ["bar-kmp-default stays", "foo-kmp-default comes"]);
    }
}

#[test]
fn a_driver_takes_the_place_of_its_older_version_unless_both_may_be_there() {
    let root = site();
    let new = kernel(OTHER, 8);
    let module = || driver("foo", &new, 8).build();
    let in_place = PackageBuilder::new("foo-kmp-default", "2", "1")
        .file(format!("usr/lib/modules/{OTHER}/updates/foo.ko"), module())
        .build();
    ends(&root, &["plan", file(&in_place)], 1);
    let document = json(&root, &["plan", file(&in_place)]);
    assert_eq!(states(&document, OLD), ["bar-kmp-default stays", "foo-kmp-default lost"]);
    // testkit's KMPs say that they are multiversion. This one comes for a kernel that is not there.
    let beside = one_module("foo", "2", &new, 8);
    let document = json(&root, &["plan", file(&beside)]);
    assert_eq!(document["lost"], 0, "{document}");
    assert_eq!(
        states(&document, OLD),
        ["bar-kmp-default stays", "foo-kmp-default stays", "foo-kmp-default refused"]
    );
    // With its kernel it is no news that it does not work with the old one.
    let its = PackageBuilder::kernel(&new).build();
    let document = json(&root, &["plan", file(&beside), file(&its)]);
    assert_eq!(document["kernels"].as_array().unwrap().len(), 1, "{document}");
    // Obsoleted it is gone as well.
    let other = PackageBuilder::new("other", "1", "1")
        .file(format!("usr/lib/modules/{OLD}/updates/other.ko"), kernel(OLD, 7).driver("other").build())
        .tag("Obsoletes", "foo-kmp-default")
        .build();
    let document = json(&root, &["plan", file(&other)]);
    assert!(states(&document, OLD).contains(&"foo-kmp-default lost".into()), "{document}");
}

#[test]
fn an_installed_kernel_can_be_asked_about() {
    let root = site();
    // What boots is what counts: foo works with the old kernel only.
    root.install(&[&PackageBuilder::kernel(&kernel(OTHER, 8)).build()]);
    for args in [&["plan"][..], &["plan", OTHER]] {
        let output = ends(&root, args, 1);
        assert!(
            output
                .stdout
                .starts_with(&format!("kernel {OTHER}: 1 of 2 drivers stay, 1 lost: foo-kmp-default\n"))
        );
    }
    let output = good(&root, &["plan", OLD]);
    assert!(output.stdout.starts_with(&format!("kernel {OLD}: 2 of 2 drivers stay\n")), "{output}");
    let output = ends(&root, &["plan", "6.4.0-77-default"], 2);
    assert!(output.stderr.contains("there is no kernel 6.4.0-77-default"), "{output}");
}

#[test]
fn what_is_erased_by_its_name_is_no_loss_but_what_needs_it_is() {
    let root = TestRoot::new();
    let old = kernel(OLD, 7);
    let [acme, user] = pair("1", &old, 7, 5);
    root.install(&[&PackageBuilder::kernel(&old).build(), &acme, &user]);
    good(&root, &["plan", "@acme_net-kmp-default"]);
    let document = json(&root, &["plan", "@acme-kmp-default"]);
    assert_eq!(states(&document, OLD), ["acme-kmp-default goes", "acme_net-kmp-default lost"]);
    let both = ["plan", "@acme-kmp-default", "@acme_net-kmp-default"];
    good(&root, &both);
    let output = ends(&root, &["plan", "@nothing"], 2);
    assert!(output.stderr.contains("no package nothing"), "{output}");
}

#[test]
fn a_driver_that_works_with_no_kernel_is_found() {
    let root = site();
    let strange = one_module("strange", "1", &kernel(OTHER, 8), 8);
    let output = ends(&root, &["plan", file(&strange)], 1);
    assert!(output.stdout.contains("1 that comes is refused: strange-kmp-default"), "{output}");
    let plain = PackageBuilder::new("plain", "1", "1").file("usr/bin/x", "x").build();
    let output = ends(&root, &["plan", file(&plain)], 2);
    assert!(output.stderr.contains("no kernel and no third-party module is in it"), "{output}");
    ends(&root, &["plan", "/nowhere/x.rpm"], 2);
}

/// What is no kernel and no package file is named with the lines to type.
#[test]
fn a_driver_that_is_named_is_asked_about_otherwise() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    for (name, why) in [
        ("foo-kmp-default", "kmp plan @foo-kmp-default; which kernels load it: kmp check foo-kmp-default\n"),
        ("foo", "kmp plan @foo; which kernels load it: kmp check foo\n"),
        ("./foo.ko", "whether it would load says: kmp check ./foo.ko\n"),
        ("@fooo", "; did you mean foo?\n"),
        ("6.4.0-2", "; did you mean 6.4.0-2-default?\n"),
    ] {
        let output = ends(&root, &["plan", name], 2);
        assert!(output.stderr.ends_with(why), "{output}");
    }
    // By its module as by its name.
    let by = |name: &str| kmp(&root, &["plan", name]).stdout;
    assert_eq!(by("@foo"), by("@foo-kmp-default"));
}
