// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a module outside `kernel/` is: a driver, shipped or made here, a live patch, or the kernel's own.

use testkit::{PackageBuilder, TestRoot};

use crate::support::*;

/// A package with one module below the kernel's own directory.
fn own(package: &str, krel: &str, below: &str, module: &testkit::ModuleBuilder) -> PackageBuilder {
    PackageBuilder::new(package, "1", "1").file(format!("usr/lib/modules/{krel}/{below}"), module.build())
}

fn kinds(root: &TestRoot, krel: &str) -> Vec<String> {
    let found = json(root, &["status"]);
    let kernel = found["kernels"].as_array().unwrap().iter().find(|k| k["release"] == krel).unwrap();
    let apart = kernel["apart"].as_array().unwrap().iter();
    let text = |v: &serde_json::Value| v.as_str().unwrap_or("-").to_string();
    apart.map(|m| format!("{} {} {}", text(&m["kind"]), text(&m["name"]), text(&m["package"]))).collect()
}

#[test]
fn live_patches_are_for_their_kernel_and_never_linked() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let patch = |name: &str| driver(name, &old, 7);
    let packages = [
        own("kernel-livepatch-6_4_0-1-default", OLD, "livepatch/a.ko", &patch("a")),
        own("kernel-kgraft-6_4_0-1-default", OLD, "kgraft/b.ko", &patch("b")),
        own("hotfix", OLD, "updates/c.ko", &patch("c").add_info("livepatch", "Y")),
    ];
    let packages: Vec<_> = packages.iter().map(PackageBuilder::build).collect();
    root.install(&packages.iter().collect::<Vec<_>>());
    root.write(format!("usr/lib/modules/{OLD}/livepatch/d.ko"), patch("d").build());
    install(&root, &[&one_module("foo", "1", &old, 7)]);
    // One that an older kmp has made.
    root.symlink(
        format!("usr/lib/modules/{SAME}/weak-updates/livepatch/a.ko"),
        format!("/usr/lib/modules/{OLD}/livepatch/a.ko"),
    );
    good(&root, &["sync", "--no-initrd"]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    assert_eq!(
        kinds(&root, OLD),
        [
            "live-patch a kernel-livepatch-6_4_0-1-default-1-1",
            "live-patch b kernel-kgraft-6_4_0-1-default-1-1",
            "live-patch c hotfix-1-1",
            "live-patch d -"
        ]
    );
    assert!(kinds(&root, SAME).is_empty());
    let page = kmp(&root, &["status", "--all"]).stdout;
    assert!(page.contains("live patches") && page.contains("livepatch/a.ko"), "{page}");
    assert!(!page.contains("kernel-livepatch") && !page.contains("hotfix"), "{page}");
    let checked = json(&root, &["check"]);
    assert_eq!(checked["kernels"][0]["apart"][0]["kind"], "live-patch", "{checked}");
    assert_eq!(checked["kernels"][0]["modules"].as_array().unwrap().len(), 1, "{checked}");
    let said = ends(&root, &["check", "hotfix"], 2).stderr;
    assert!(
        said.contains("hotfix-1-1 is not a KMP: its module c is a live patch for kernel 6.4.0-1-default"),
        "{said}"
    );
}

#[test]
fn the_kernels_own_modules_elsewhere_are_in_tree() {
    let root = TestRoot::new();
    let kernels = [OLD, SAME].map(|krel| {
        let table = kernel(krel, 7).full_symvers().module("drivers/c", "of_c", 5);
        let kernel = kernel(krel, 7).symvers(table);
        let in_tree = kernel.driver("in_tree");
        kernel.module("drivers", in_tree)
    });
    let old = &kernels[0];
    let of_kernel: Vec<_> =
        kernels.iter().map(|k| PackageBuilder::kernel(k).source("kernel").build()).collect();
    root.install(&of_kernel.iter().collect::<Vec<_>>());
    let module = |name: &str| driver(name, old, 7);
    let packages = [
        own("kernel-default-extra", OLD, "extra/a.ko", &module("a")),
        own("modules-more", OLD, "extra/b.ko", &module("b"))
            .provides(&format!("kernel-modules-more-uname-r = {OLD}")),
        own("subpackage", OLD, "extra/c.ko", &module("c").export("of_c", 5)).source("kernel"),
        own("built-with-it", OLD, "updates/d.ko", &module("d").add_info("intree", "Y")),
        own("says-so", OLD, "updates/e.ko", &module("e")).provides("kmp_in_kernel"),
    ];
    let packages: Vec<_> = packages.iter().map(PackageBuilder::build).collect();
    root.install(&packages.iter().collect::<Vec<_>>());
    let user = package("user", "1", old, &[("user", module("user").need("of_c", 5))]);
    // Whoever builds drivers from a whole kernel's source still builds drivers.
    let rebuilt = package("rebuilt", "1", old, &[("rebuilt", module("rebuilt").add_info("intree", "Y"))]);
    // A name that is taken by the kernel's own.
    let same_name = package("other", "1", &kernels[1], &[("b", driver("b", &kernels[1], 7))]);
    root.install(&[&user, &rebuilt, &same_name]);
    good(&root, &["sync", "--no-initrd"]);
    assert_eq!(links(&root, SAME), linked(&[("rebuilt", OLD)]));
    assert!(links(&root, OLD).is_empty());
    let expected =
        ["a kernel-default-extra", "b modules-more", "c subpackage", "d built-with-it", "e says-so"];
    assert_eq!(kinds(&root, OLD), expected.map(|line| format!("in-tree {line}-1-1")));
    // What they export counts: user works in its own kernel, and only there.
    let states = json(&root, &["status"]);
    let state = |kernel: usize| {
        let kmps = states["kernels"][kernel]["kmps"].as_array().unwrap().clone();
        kmps.into_iter().find(|k| k["package"] == user.nvr()).unwrap()["state"].clone()
    };
    assert_eq!([state(0), state(1)], ["native", "refused"]);
}

#[test]
fn a_ghost_that_was_never_made_does_not_keep_the_rest_out() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let with = |module: &str| {
        own("gpu-kmp-default", OLD, "updates/gpu.ko", &driver("gpu", &old, 7))
            .ghost(format!("usr/lib/modules/{OLD}/updates/{module}.ko"))
            .build()
    };
    root.install(&[&with("gpu_peermem")]);
    good(&root, &["sync", "--no-initrd"]);
    assert_eq!(links(&root, SAME), linked(&[("gpu", OLD)]));
}

#[test]
fn status_says_who_makes_a_driver_on_this_machine() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let below = format!("usr/lib/modules/{OLD}/updates/gpu.ko");
    let gpu = PackageBuilder::new("gpu-kmp-default", "580", "1").ghost(&below);
    let gpu = gpu.trigger("triggerin", "kernel-default-devel", "make").build();
    // As akmods builds it, and the package that it builds from.
    let akmod =
        PackageBuilder::new("akmod-net", "1", "1").file("usr/src/akmods/net-kmod-2-1.src.rpm", "x").build();
    let net = own("kmod-net", OLD, "updates/net.ko", &driver("net", &old, 7)).source("net-kmod").build();
    root.install(&[&gpu, &akmod, &net, &one_module("foo", "1", &old, 7)]);
    root.write(&below, driver("gpu", &old, 7).build());
    good(&root, &["sync", "--no-initrd"]);
    let found = json(&root, &["status", "--kernel", SAME]);
    let kmps = found["kernels"][0]["kmps"].as_array().unwrap().iter();
    let made: Vec<_> = kmps.map(|k| format!("{} {} {}", k["kind"], k["made_by"], k["state"])).collect();
    let linked = "\"linked\"";
    let expected = [
        format!("\"shipped\" null {linked}"),
        format!("\"made-here\" \"trigger\" {linked}"),
        format!("\"made-here\" \"akmods\" {linked}"),
    ];
    assert_eq!(made, expected, "{found}");
    let page = kmp(&root, &["status", "--all"]).stdout;
    assert!(page.contains("gpu-kmp-default-580-1  by a trigger of its package\n"), "{page}");
    assert!(page.contains("kmod-net-1-1  by akmods\n"), "{page}");
}
