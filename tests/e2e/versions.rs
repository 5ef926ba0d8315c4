// SPDX-License-Identifier: LGPL-2.1-or-later
//! Releases and versions in the order of versions, and packages that are versions of one driver.

use testkit::{Package, PackageBuilder, TestRoot};

use crate::support::*;

const RELEASES: [&str; 3] =
    ["6.4.0-150600.23.7-default", "6.4.0-150600.23.14-default", "6.4.0-150600.23.100-default"];

#[test]
fn kernels_are_listed_in_the_order_of_their_versions() {
    let root = TestRoot::new();
    let kernels = RELEASES.map(|krel| kernel(krel, 7));
    kernels.iter().for_each(|k| write(k, &root));
    root.install(&[&one_module("foo", "1", &kernels[0], 7)]);
    let releases = |args: &[&str]| -> Vec<String> {
        let found = json(&root, args);
        found["kernels"].as_array().unwrap().iter().map(|k| k["release"].as_str().unwrap().into()).collect()
    };
    for args in [["status"], ["check"], ["sync"]] {
        assert_eq!(releases(&args), RELEASES, "{args:?}");
    }
    let page = kmp(&root, &["status"]).stdout;
    let columns: Vec<&str> =
        page.lines().filter_map(|l| l.split_once("  ")?.1.split(' ').next()).take(3).collect();
    assert_eq!(columns, RELEASES);
    let said = ends(&root, &["sync", "--kernel", "6.4.0-1-none"], 2).stderr;
    assert!(said.contains(&RELEASES.join(", ")), "{said}");
}

/// A kmod named for the kernel that it was built for.
fn for_kernel(base: &str, krel: &str, version: &str, module: &str) -> Package {
    let kernel = kernel(krel, 7);
    let release = krel.split(".el9").next().unwrap();
    let module = (format!("{module}.ko"), driver(module, &kernel, 7).build());
    PackageBuilder::kmod("x", version, krel, [module]).renamed(&format!("kmod-{base}-{release}")).build()
}

#[test]
fn of_packages_named_for_their_kernels_the_build_for_the_newest_that_fits_is_linked() {
    let root = red_hat();
    let releases = ["503.8.1", "503.9.1", "503.11.1", "503.40.1"].map(|r| format!("5.14.0-{r}.el9_5.x86_64"));
    // The last one has changed.
    releases.iter().zip([7, 7, 7, 8]).for_each(|(krel, crc)| write(&kernel(krel, crc), &root));
    let [first, second, third, changed] = &releases;
    // Neither the names' order nor that of their versions counts.
    let packages = [
        for_kernel("nvidia-580", first, "580", "nvidia"),
        for_kernel("nvidia-550", second, "550", "nvidia"),
        for_kernel("other", first, "1", "other"),
    ];
    root.install(&packages.iter().collect::<Vec<_>>());
    good(&root, &["sync", "--no-initrd"]);
    let target = |krel: &str, module: &str| {
        let linked =
            links(&root, krel).into_iter().find(|l| l.contains(&format!("{module}.ko"))).unwrap_or_default();
        linked.split("/lib/modules/").nth(1).and_then(|t| t.split('/').next()).unwrap_or("").to_string()
    };
    assert_eq!(target(third, "nvidia"), *second);
    assert_eq!(target(third, "other"), *first);
    assert!(links(&root, changed).is_empty());
    // They are versions of one driver: one that is superseded is no clash.
    let found = json(&root, &["status", "--kernel", third]);
    let states: Vec<_> =
        found["kernels"][0]["kmps"].as_array().unwrap().iter().map(|k| k["state"].clone()).collect();
    assert_eq!(states, ["linked", "unused", "linked"], "{found}");
    // The newest goes, and the other takes its place.
    root.erase(&[packages[1].nvr()]);
    let said = good(&root, &["sync", "--no-initrd"]).stdout;
    assert_eq!(target(third, "nvidia"), *first, "{said}");
}
