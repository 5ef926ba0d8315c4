// SPDX-License-Identifier: LGPL-2.1-or-later
//! Where kernels, their files and their modules may be.

use testkit::{Compression, KernelBuilder, ModulesDir, PackageBuilder, SymversPlace, TestRoot};

use crate::support::*;

/// The kernels of [`three_kernels`], each as `change` makes it.
fn kernels(root: &TestRoot, change: impl Fn(KernelBuilder) -> KernelBuilder) -> KernelBuilder {
    let [old, same, other] = [(OLD, 7), (SAME, 7), (OTHER, 8)].map(|(krel, crc)| change(kernel(krel, crc)));
    write_all(root, &[&old, &same, &other]);
    old
}

/// A package with `foo.ko` at this path.
fn foo_at(path: &str, kernel: &KernelBuilder) -> testkit::Package {
    PackageBuilder::new("foo-kmp-default", "1", "1").file(path, driver("foo", kernel, 7).build()).build()
}

#[test]
fn symvers_of_any_compression_beside_the_modules_or_in_boot() {
    for place in [SymversPlace::Modules, SymversPlace::Boot] {
        for compression in [Compression::Plain, Compression::Gz, Compression::Xz, Compression::Zst] {
            let root = TestRoot::new();
            let old = kernels(&root, |k| k.symvers_place(place).symvers_compression(compression));
            root.install(&[&one_module("foo", "1", &old, 7)]);
            good(&root, &["sync"]);
            assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]), "{place:?} {compression:?}");
            assert!(links(&root, OTHER).is_empty(), "{place:?} {compression:?}");
        }
    }
}

#[test]
fn modules_of_any_compression_keep_their_names() {
    for compression in [Compression::Gz, Compression::Xz, Compression::Zst] {
        let root = TestRoot::new();
        let old = kernels(&root, |k| k);
        let file = format!("foo.ko{}", compression.suffix());
        let bytes = driver("foo", &old, 7).build_compressed(compression);
        root.install(&[&PackageBuilder::kmp("foo", "default", "1", OLD, [(file.as_str(), bytes)]).build()]);
        good(&root, &["sync"]);
        assert_eq!(
            links(&root, SAME),
            [format!("weak-updates/updates/{file} -> /usr/lib/modules/{OLD}/updates/{file}")]
        );
    }
}

#[test]
fn a_kernel_without_symvers_is_known_by_its_modules() {
    let root = TestRoot::new();
    let with_user = |krel: &str, crc: u32| {
        let user = testkit::ModuleBuilder::new("user").need("printk", 0x1000_0001).need("changing", crc);
        kernel(krel, crc).module("drivers", user).symvers_place(SymversPlace::Nowhere)
    };
    let old = with_user(OLD, 7);
    [old.clone(), with_user(SAME, 7), with_user(OTHER, 8)].iter().for_each(|k| write(k, &root));
    root.install(&[&one_module("foo", "1", &old, 7)]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    assert!(links(&root, OTHER).is_empty());
    let found = json(&root, &["check", "--kernel", OTHER]);
    assert_eq!(found["kernels"][0]["modules"][0]["reasons"][0]["rule"], "crc", "{found}");
}

#[test]
fn modules_packaged_below_lib_modules_are_seen_in_a_merged_root() {
    let root = TestRoot::new();
    let old = kernels(&root, |k| k);
    // rpm follows the link from /lib, its database says /lib.
    root.install(&[&foo_at(&format!("/lib/modules/{OLD}/updates/foo.ko"), &old)]);
    assert_eq!(root.rpm(["-ql", "foo-kmp-default"]).lines(), [format!("/lib/modules/{OLD}/updates/foo.ko")]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    assert_eq!(indexed(&root, SAME), ["weak-updates/updates/foo.ko"]);
    root.erase(&["foo-kmp-default"]);
    good(&root, &["remove-kmp", "foo-kmp-default-1-1"]);
    assert!(links(&root, SAME).is_empty());
}

#[test]
fn an_unmerged_root_has_everything_below_lib_modules() {
    let root = TestRoot::unmerged();
    let old = kernels(&root, |k| k.modules_dir(ModulesDir::Lib));
    root.install(&[&foo_at(&format!("/lib/modules/{OLD}/updates/foo.ko"), &old)]);
    good(&root, &["sync"]);
    assert_eq!(
        links(&root, SAME),
        [format!("weak-updates/updates/foo.ko -> /lib/modules/{OLD}/updates/foo.ko")]
    );
    let dep = root.read(format!("lib/modules/{SAME}/modules.dep"));
    assert_eq!(dep, "weak-updates/updates/foo.ko:\n");
    assert!(!root.exists("usr/lib/modules"));
    good(&root, &["sync", "--dry-run"]);
    root.erase(&["foo-kmp-default"]);
    good(&root, &["remove-kmp", "foo-kmp-default-1-1"]);
    assert!(links(&root, SAME).is_empty());
}

#[test]
fn a_root_without_a_lib_link_works() {
    let root = TestRoot::without_lib_link();
    let old = kernels(&root, |k| k);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    assert_eq!(indexed(&root, SAME), ["weak-updates/updates/foo.ko"]);
    assert!(!root.exists("lib"));
}

#[test]
fn modules_below_extra_and_deeper_keep_their_paths() {
    let root = TestRoot::new();
    let old = kernels(&root, |k| k);
    root.install(&[&foo_at(&format!("/usr/lib/modules/{OLD}/extra/vendor/drivers/foo.ko"), &old)]);
    good(&root, &["sync"]);
    let path = "extra/vendor/drivers/foo.ko";
    assert_eq!(links(&root, SAME), [format!("weak-updates/{path} -> /usr/lib/modules/{OLD}/{path}")]);
    root.erase(&["foo-kmp-default"]);
    good(&root, &["sync"]);
    assert!(!root.exists(format!("usr/lib/modules/{SAME}/weak-updates/extra")));
}

#[test]
fn an_empty_root_is_in_order() {
    let root = TestRoot::new();
    writes_nothing(&root, || {
        for args in [&["sync"][..], &["status"], &["sync", "--dry-run"], &["remove-kernel", OLD]] {
            good(&root, args);
        }
        ends(&root, &["check"], 2);
        ends(&root, &["add-kernel", OLD], 2);
    });
}
