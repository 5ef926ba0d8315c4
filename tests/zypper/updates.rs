// SPDX-License-Identifier: LGPL-2.1-or-later
//! Updates that go through: links are there when they are needed, and depmod runs once.

use std::collections::BTreeMap;

use testkit::PackageBuilder;

use crate::packages::{NEW, OLD, depmods, kernel, kmp, link, plain_kmp, telling};
use crate::support::{Mode, Site, goes_through};

in_both_modes! {
    a_kernel_before_its_driver,
    a_driver_before_its_kernel,
    twenty_drivers_with_scriptlets,
    removals,
    a_driver_of_another_name,
}

/// Says in `/log` what is done, whether `bar` is linked then, and who does it.
fn log(what: &str) -> String {
    let link = link(NEW, "bar");
    format!(
        "if [ -f {link} ]; then is=linked; else is=not; fi; echo {what} $is >>/log; readlink /proc/$PPID/exe >>/by"
    )
}

fn once(releases: &[&str]) -> BTreeMap<String, usize> {
    releases.iter().map(|release| (release.to_string(), 1)).collect()
}

fn a_kernel_before_its_driver(mode: Mode) {
    let new = kernel(NEW, 8);
    update(
        mode,
        telling(&new),
        kmp("foo", "2.0", &new, 8).requires(&format!("kernel-uname-r = {NEW}")),
        ["kernel", "foo"],
    );
}

fn a_driver_before_its_kernel(mode: Mode) {
    let new = kernel(NEW, 8);
    let package = telling(&new).requires("foo-kmp = 2.0");
    update(mode, package, kmp("foo", "2.0", &new, 8), ["foo", "kernel"]);
}

fn update(mode: Mode, kernel: PackageBuilder, driver: PackageBuilder, order: [&str; 2]) {
    let site = Site::new(mode);
    let logged = |package: PackageBuilder, name: &str| {
        package.scriptlet("post", &log(&format!("post {name}"))).scriptlet("posttrans", &log("posttrans"))
    };
    // The last one to come does not concern us.
    let last =
        PackageBuilder::new("z", "1", "1").requires("kernel-default = 6.4.0-3").requires("foo-kmp = 2.0");
    site.offer(&[logged(kernel, "kernel"), logged(driver, "foo"), logged(last, "z")]);
    let output = goes_through(site.zypper(&["install", "kernel-default", "foo-kmp-default", "z"]));
    assert!(!output.stderr.contains("kmp") && !output.stdout.contains("warning"), "{output}");
    let [first, second] = order;
    let posts = format!("post {first} not\npost {second} not\npost z not\n");
    assert_eq!(site.root().read("log"), format!("{posts}{}", "posttrans linked\n".repeat(3)), "{output}");
    let program = site.root().read("by").lines().next().unwrap_or_default().to_string();
    assert!(program.ends_with(if mode == Mode::Single { "/zypp-rpm" } else { "/rpm" }), "{program}");
    // The old kernel had no index yet.
    assert_eq!(depmods(site.root()), once(&[NEW, OLD]), "{output}");
    assert!(!site.root().exists(link(NEW, "foo")), "it is there by itself");
    assert!(!site.root().exists("run/kmp/commit") && !site.root().exists("run/kmp/requests"));
}

/// Their scriptlets ask for links themselves, as those of today's packages do.
fn twenty_drivers_with_scriptlets(mode: Mode) {
    let site = Site::new(mode);
    site.sh("kmp sync").expect_success();
    depmods(site.root());
    let old = kernel(OLD, 7);
    let mut packages: Vec<PackageBuilder> = (0..20)
        .map(|n| {
            let package = plain_kmp(&format!("drv{n}"), "1.0", &old);
            let nvr = package.nevra().replace(".x86_64", "");
            package
                .scriptlet("post", &format!("weak-modules2 --add-kmp {nvr}"))
                .scriptlet("preun", &format!("echo x | weak-modules2 --remove-kmp {nvr}"))
                .scriptlet("posttrans", &log("posttrans"))
        })
        .collect();
    packages.push(telling(&kernel(NEW, 7)).scriptlet("post", &format!("kmp add-kernel {NEW}")));
    site.offer(&packages);
    let names: Vec<String> = (0..20).map(|n| format!("drv{n}-kmp-default")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let output = goes_through(site.zypper(&[&["install", "kernel-default"], &names[..]].concat()));
    assert_eq!(site.root().read("log"), "posttrans linked\n".repeat(20), "{output}");
    assert_eq!(site.root().weak_updates(NEW).len(), 22);
    assert_eq!(depmods(site.root()), once(&[NEW, OLD]), "{output}");

    let output = goes_through(site.zypper(&[&["remove"], &names[..]].concat()));
    assert_eq!(site.root().weak_updates(NEW).len(), 2, "{output}");
    assert_eq!(depmods(site.root()), once(&[NEW, OLD]), "{output}");
}

fn removals(mode: Mode) {
    let site = Site::new(mode);
    site.offer(&[telling(&kernel(NEW, 7))]);
    goes_through(site.zypper(&["dup"]));
    assert!(site.has("kernel-default-6.4.0-3") && site.root().exists(link(NEW, "foo")));
    depmods(site.root());
    goes_through(site.zypper(&["remove", "bar-kmp-default"]));
    let links: Vec<_> = site.root().weak_updates(NEW).into_keys().collect();
    assert_eq!(links, [std::path::Path::new("weak-updates/updates/foo.ko")]);
    assert_eq!(depmods(site.root()), once(&[NEW, OLD]));
    goes_through(site.zypper(&["remove", "kernel-default-6.4.0-3"]));
    assert!(!site.root().exists(format!("usr/lib/modules/{NEW}")), "{:?}", site.state().0);
    assert!(site.root().exists(format!("usr/lib/modules/{OLD}/updates/foo.ko")));
}

/// A new package takes the place of an old one; libzypp erases that one by itself.
fn a_driver_of_another_name(mode: Mode) {
    let site = Site::new(mode);
    let successor = plain_kmp("bar", "2.0", &kernel(OLD, 7)).renamed("baz-kmp-default");
    site.offer(&[successor.tag("Obsoletes", "bar-kmp-default"), telling(&kernel(NEW, 7))]);
    let output = goes_through(site.zypper(&["dup"]));
    assert!(!site.has("bar-kmp-default") && site.has("baz-kmp-default"), "{output}");
    assert!(site.root().exists(link(NEW, "bar")), "{output}");
    assert_eq!(depmods(site.root()), once(&[NEW, OLD]), "{output}");
}
