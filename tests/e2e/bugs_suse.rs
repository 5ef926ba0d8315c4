// SPDX-License-Identifier: LGPL-2.1-or-later
//! What users of weak-modules2 met, each as a test named after its reference. Those about initrds are not
//! here; those that need real scriptlets are in `scriptlets.rs`.

use testkit::{ModuleBuilder, ModulesDir, PackageBuilder, SymversPlace, TestRoot, Versions};

use crate::support::*;

/// A livepatch module without CRCs blocked every KMP.
#[test]
fn bsc_1250655_a_livepatch_without_crcs_blocks_nobody() {
    let root = TestRoot::new();
    let [old, same, _] = three_kernels(&root);
    for kernel in [&old, &same] {
        let patch =
            kernel.driver("livepatch_1").versions(Versions::None).need_without_crc("klp_enable_patch");
        let path = format!("/usr/lib/modules/{}/livepatch/livepatch-1.ko", kernel.krel());
        let name = format!("kernel-livepatch-{}", kernel.krel().replace('-', "_"));
        root.install(&[&PackageBuilder::new(&name, "1", "1").file(path, patch.build()).build()]);
    }
    root.install(&[&one_module("foo", "1", &old, 7)]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
}

/// symvers and System.map were not found after the usr-merge.
#[test]
fn boo_1214428_bsc_1199873_usr_merge_finds_symvers_and_system_map() {
    for (root, dir, origin) in [
        (TestRoot::new(), ModulesDir::UsrLib, "/usr/lib/modules"),
        (TestRoot::without_lib_link(), ModulesDir::UsrLib, "/usr/lib/modules"),
        (TestRoot::unmerged(), ModulesDir::Lib, "/lib/modules"),
    ] {
        for place in [SymversPlace::Modules, SymversPlace::Boot] {
            for (krel, crc) in [(OLD, 7), (SAME, 7)] {
                let _ = std::fs::remove_dir_all(root.join(dir.path()).join(krel));
                write(&kernel(krel, crc).modules_dir(dir).symvers_place(place), &root);
            }
            let module = driver("foo", &kernel(OLD, 7), 7).build();
            let path = format!("{origin}/{OLD}/updates/foo.ko");
            let foo = PackageBuilder::new("foo-kmp-default", "1", "1").file(path, module).build();
            root.install(&[&foo]);
            good(&root, &["sync"]);
            let link = format!("weak-updates/updates/foo.ko -> {origin}/{OLD}/updates/foo.ko");
            assert_eq!(links(&root, SAME), [link], "{dir:?} {place:?}");
            root.erase(&[foo.name()]);
        }
    }
}

/// Modules that another version still has were reported as removed.
#[test]
fn boo_1191200_what_still_exists_is_not_removed() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let (first, second) = (one_module("foo", "1", &old, 7), one_module("foo", "2", &old, 7));
    root.install(&[&first]);
    wm2(&root, &["--add-kmp", first.nvr()]);
    root.update(&[&second]);
    wm2(&root, &["--add-kmp", second.nvr()]);
    let list = format!("/usr/lib/modules/{OLD}/updates/foo.ko\n");
    let mut remove = wm2_command(&root, &["-v", "--remove-kmp", first.nvr()]);
    let output = testkit::run(remove.stdin(piped(&list))).expect_success();
    assert!(!output.stdout.contains("removed"), "{output}");
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
}

/// The exit status was lost.
#[test]
fn bsc_1234308_a_failing_depmod_is_seen_in_the_exit_status() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let foo = one_module("foo", "1", &old, 7);
    root.install(&[&foo]);
    let depmod = DepmodLog::failing_for(&root, SAME);
    assert_eq!(depmod.wm2(&root, &["--add-kmp", foo.nvr()]).status, Some(1));
    assert_eq!(depmod.wm2(&root, &["--add-kernel", SAME]).status, Some(1));
    assert_eq!(depmod.kmp(&root, &["add-kernel", SAME]).status, Some(2));
}

/// A directory that holds only updates/ is no kernel.
#[test]
fn d8fab38_a_directory_with_only_updates_is_no_kernel() {
    let root = TestRoot::new();
    let (absent, same) = (kernel(OLD, 7), kernel(SAME, 7));
    write(&same, &root);
    let native = one_module("bar", "1", &same, 7);
    root.install(&[&one_module("foo", "1", &absent, 7), &native]);
    let depmod = DepmodLog::new(&root);
    depmod.kmp(&root, &["sync"]).expect_success();
    assert_eq!(depmod.runs(), [SAME]);
    assert!(links(&root, OLD).is_empty());
    assert!(!root.exists(format!("usr/lib/modules/{OLD}/modules.dep")));
    let found = json(&root, &["status"]);
    assert_eq!(found["kernels"].as_array().unwrap().len(), 1, "{found}");
    // Nor is one that also holds links and an index from when it was one.
    root.symlink(
        format!("usr/lib/modules/{OLD}/weak-updates/updates/bar.ko"),
        format!("/usr/lib/modules/{SAME}/updates/bar.ko"),
    );
    root.write(format!("usr/lib/modules/{OLD}/modules.dep"), "");
    good(&root, &["sync"]);
    assert!(links(&root, OLD).is_empty());
    assert!(root.exists(format!("usr/lib/modules/{OLD}/updates/foo.ko")));
}

/// A KMP whose package says another compression than the kernel's modules is the same KMP.
#[test]
fn bsc_1135854_compression_does_not_matter() {
    use testkit::Compression::{Xz, Zst};
    let root = TestRoot::new();
    let with_mii = |krel: &str| {
        let mii = ModuleBuilder::new("mii").export("mii_link_ok", 5);
        kernel(krel, 7).module("drivers/net", mii).module_compression(Zst)
    };
    let old = with_mii(OLD);
    write_all(&root, &[&old, &with_mii(SAME)]);
    let user = driver("foo", &old, 7).need("mii_link_ok", 5).build_compressed(Xz);
    let mii = driver("mii", &old, 7).export("mii_link_ok", 5).build_compressed(Xz);
    let files = [("foo.ko.xz", user), ("mii.ko.xz", mii)];
    root.install(&[&PackageBuilder::kmp("foo", "default", "1", OLD, files).build()]);
    good(&root, &["sync"]);
    let link = |file: &str| format!("weak-updates/updates/{file} -> /usr/lib/modules/{OLD}/updates/{file}");
    assert_eq!(links(&root, SAME), [link("foo.ko.xz"), link("mii.ko.xz")]);
}
