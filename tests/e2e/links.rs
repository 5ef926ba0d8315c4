// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which links there are after which operations.

use testkit::{KernelBuilder, ModuleBuilder, PackageBuilder, TestRoot};

use crate::support::*;

#[test]
fn a_fitting_kmp_is_linked_and_another_is_not() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1.0", &old, 7)]);
    good(&root, &["sync"]);
    assert_eq!(
        links(&root, SAME),
        ["weak-updates/updates/foo.ko -> /usr/lib/modules/6.4.0-1-default/updates/foo.ko"]
    );
    assert!(links(&root, OLD).is_empty());
    assert!(links(&root, OTHER).is_empty());
    assert!(!root.exists(format!("usr/lib/modules/{OTHER}/weak-updates")));
}

#[test]
fn two_versions_side_by_side_the_newest_that_fits_is_linked() {
    let root = TestRoot::new();
    let [old, same, other] = three_kernels(&root);
    let last = kernel("6.4.0-4-default", 8);
    write(&last, &root);
    // 1.10 is newer than 1.9 for rpm, and older as text.
    let (nine, ten) = (one_module("foo", "1.9", &same, 7), one_module("foo", "1.10", &other, 8));
    root.install(&[&nine, &ten]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, OLD), linked(&[("foo", SAME)]));
    assert_eq!(links(&root, "6.4.0-4-default"), linked(&[("foo", OTHER)]));
    assert!(links(&root, SAME).is_empty() && links(&root, OTHER).is_empty());

    // Both fit: the newest.
    let eleven = one_module("foo", "1.11", &old, 7);
    root.install(&[&eleven]);
    good(&root, &["add-kmp", eleven.nvr()]);
    root.erase(&[eleven.nvr()]);
    good(&root, &["remove-kmp", eleven.nvr()]);
    assert_eq!(links(&root, OLD), linked(&[("foo", SAME)]));
}

#[test]
fn an_update_replaces_the_links() {
    let root = TestRoot::new();
    let [old, same, _] = three_kernels(&root);
    let last = kernel("6.4.0-4-default", 7);
    write(&last, &root);
    let (first, second) = (one_module("foo", "1", &old, 7), one_module("foo", "2", &same, 7));
    root.install(&[&first]);
    good(&root, &["add-kmp", first.nvr()]);
    assert_eq!(links(&root, "6.4.0-4-default"), linked(&[("foo", OLD)]));
    root.update(&[&second]);
    let said = good(&root, &["add-kmp", second.nvr()]).stdout;
    assert_eq!(links(&root, "6.4.0-4-default"), linked(&[("foo", SAME)]));
    assert_eq!(links(&root, OLD), linked(&[("foo", SAME)]));
    assert!(links(&root, SAME).is_empty());
    assert!(said.contains(&format!("{OLD}: {} added\n", second.nvr())), "{said}");
}

#[test]
fn an_older_version_comes_back_when_the_newest_goes() {
    let root = TestRoot::new();
    let [old, same, _] = three_kernels(&root);
    write(&kernel("6.4.0-4-default", 7), &root);
    let (first, second) = (one_module("foo", "1", &old, 7), one_module("foo", "2", &same, 7));
    root.install(&[&first, &second]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, "6.4.0-4-default"), linked(&[("foo", SAME)]));
    root.erase(&[second.nvr()]);
    let said = good(&root, &["remove-kmp", second.nvr()]).stdout;
    assert_eq!(links(&root, "6.4.0-4-default"), linked(&[("foo", OLD)]));
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    assert!(said.contains(&format!("{SAME}: {} added\n", first.nvr())), "{said}");
}

#[test]
fn a_reinstall_keeps_the_links() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let foo = one_module("foo", "1", &old, 7);
    root.install(&[&foo]);
    good(&root, &["sync"]);
    let file = foo.path().to_str().unwrap();
    root.rpm(["-U", "--reinstall", "--noscripts", "--nodeps", file]).expect_success();
    good(&root, &["add-kmp", foo.nvr()]);
    good(&root, &["remove-kmp", foo.nvr()]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    assert_eq!(indexed(&root, SAME), ["weak-updates/updates/foo.ko"]);
}

#[test]
fn removal_of_a_kernel_leaves_nothing() {
    let root = TestRoot::new();
    let (old, same) = (kernel(OLD, 7), kernel(SAME, 7));
    let packages = PackageBuilder::build_all(&[PackageBuilder::kernel(&old), PackageBuilder::kernel(&same)]);
    root.install(&[&packages[0], &one_module("foo", "1", &old, 7)]);
    good(&root, &["sync"]);
    let before = tree(&root);
    for from_postun in [true, false] {
        root.install(&[&packages[1]]);
        good(&root, &["add-kernel", SAME]);
        assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
        if !from_postun {
            good(&root, &["remove-kernel", SAME]);
            assert!(links(&root, SAME).is_empty());
        }
        erase_kernel(&root, SAME, &packages[1]);
        good(&root, &["remove-kernel", SAME]);
        same_tree(&tree(&root), &before, if from_postun { "%postun" } else { "%preun and %postun" });
    }
}

#[test]
fn removal_of_a_kernel_without_links_leaves_nothing() {
    let root = TestRoot::new();
    let (old, other) = (kernel(OLD, 7), kernel(OTHER, 8));
    let packages = PackageBuilder::build_all(&[PackageBuilder::kernel(&old), PackageBuilder::kernel(&other)]);
    root.install(&[&packages[0], &one_module("foo", "1", &old, 7)]);
    good(&root, &["sync"]);
    let before = tree(&root);
    // In-tree modules make depmod write an index even without links.
    root.install(&[&packages[1]]);
    root.depmod::<&str>(OTHER, &[]).expect_success();
    good(&root, &["add-kernel", OTHER]);
    erase_kernel(&root, OTHER, &packages[1]);
    good(&root, &["remove-kernel", OTHER]);
    same_tree(&tree(&root), &before, "an index is left");
}

#[test]
fn removal_of_the_kernel_that_a_kmp_was_built_for_keeps_it_working() {
    let root = TestRoot::new();
    let (old, same) = (kernel(OLD, 7), kernel(SAME, 7));
    let packages = PackageBuilder::build_all(&[PackageBuilder::kernel(&old), PackageBuilder::kernel(&same)]);
    root.install(&[&packages[0], &packages[1], &one_module("foo", "1", &old, 7)]);
    good(&root, &["sync"]);
    root.erase(&[packages[0].nvr()]);
    good(&root, &["remove-kernel", OLD]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    assert!(root.exists(format!("usr/lib/modules/{OLD}/updates/foo.ko")));
    good(&root, &["sync", "--dry-run"]);
}

#[test]
fn a_module_goes_with_the_module_that_it_needs() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let [acme, acme_net] = pair("1", &old, 7, 0xacce);
    // The user before the provider.
    root.install(&[&acme_net]);
    good(&root, &["add-kmp", acme_net.nvr()]);
    assert!(links(&root, SAME).is_empty());
    root.install(&[&acme]);
    good(&root, &["add-kmp", acme.nvr()]);
    assert_eq!(links(&root, SAME), linked(&[("acme", OLD), ("acme_net", OLD)]));
    let dep = root.read(format!("usr/lib/modules/{SAME}/modules.dep"));
    assert!(dep.contains("weak-updates/updates/acme_net.ko: weak-updates/updates/acme.ko\n"), "{dep}");
    // The provider goes: so does the user's link.
    root.erase(&[acme.name()]);
    let said = good(&root, &["remove-kmp", acme.nvr()]).stdout;
    assert!(links(&root, SAME).is_empty(), "{said}");
    assert!(said.contains(&format!("{SAME}: {} removed\n", acme_net.nvr())), "{said}");
}

#[test]
fn pairs_in_two_builds_go_to_the_right_kernels() {
    let root = TestRoot::new();
    let [old, _, other] = three_kernels(&root);
    write(&kernel("6.4.0-4-default", 8), &root);
    let [acme1, net1] = pair("1", &old, 7, 0x11);
    let [acme2, net2] = pair("2", &other, 8, 0x22);
    root.install(&[&acme1, &net1, &acme2, &net2]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("acme", OLD), ("acme_net", OLD)]));
    assert_eq!(links(&root, "6.4.0-4-default"), linked(&[("acme", OTHER), ("acme_net", OTHER)]));
    // Half of the newer pair goes: neither half is mixed with the older one.
    root.erase(&[acme2.nvr()]);
    good(&root, &["remove-kmp", acme2.nvr()]);
    assert!(links(&root, "6.4.0-4-default").is_empty());
    assert_eq!(links(&root, SAME), linked(&[("acme", OLD), ("acme_net", OLD)]));
}

#[test]
fn a_kmp_is_linked_whole_or_not_at_all() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let modules =
        [("half_a", old.driver("half_a").need("printk", 0x1000_0001)), ("half_b", driver("half_b", &old, 7))];
    root.install(&[&package("half", "1", &old, &modules)]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("half_a", OLD), ("half_b", OLD)]));
    assert!(links(&root, OTHER).is_empty());
}

#[test]
fn one_package_with_builds_for_two_kernels() {
    let root = TestRoot::new();
    let [old, _, other] = three_kernels(&root);
    write(&kernel("6.4.0-4-default", 8), &root);
    let mut both = PackageBuilder::new("foo-kmp-default", "1", "1");
    for (kernel, crc) in [(&old, 7), (&other, 8)] {
        let path = format!("/usr/lib/modules/{}/updates/foo.ko", kernel.krel());
        both = both.file(path, driver("foo", kernel, crc).build());
    }
    let both = both.build();
    root.install(&[&both]);
    good(&root, &["add-kmp", both.nvr()]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    assert_eq!(links(&root, "6.4.0-4-default"), linked(&[("foo", OTHER)]));
    assert!(links(&root, OLD).is_empty() && links(&root, OTHER).is_empty());
    good(&root, &["sync", "--dry-run"]);
    good(&root, &["status"]);
}

#[test]
fn an_updates_directory_of_the_kernels_own_keeps_a_link_out() {
    let root = TestRoot::new();
    let [old, same, _] = three_kernels(&root);
    let foo = one_module("foo", "1", &old, 7);
    root.install(&[&foo]);
    for place in ["updates", "extra", "updates/dkms"] {
        let native = format!("usr/lib/modules/{SAME}/{place}/foo.ko");
        root.write(&native, driver("foo", &same, 7).build());
        good(&root, &["sync"]);
        assert!(links(&root, SAME).is_empty(), "{place}");
        assert_eq!(indexed(&root, SAME), [format!("{place}/foo.ko")]);
        std::fs::remove_file(root.join(native)).unwrap();
        good(&root, &["sync"]);
        assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]), "{place}");
    }
}

#[test]
fn other_flavours_are_not_served() {
    let root = TestRoot::new();
    let old = kernel(OLD, 7);
    write(&old, &root);
    for krel in ["6.4.0-2-rt", "6.4.0-2-nondefault", SAME] {
        write(&kernel(krel, 7), &root);
    }
    root.install(&[&one_module("foo", "1", &old, 7)]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    assert!(links(&root, "6.4.0-2-rt").is_empty());
    assert!(links(&root, "6.4.0-2-nondefault").is_empty());
}

#[test]
fn a_package_of_the_kernel_itself_is_not_linked() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let files = [("foo.ko", driver("foo", &old, 7).build())];
    let foo = PackageBuilder::kmp("foo", "default", "1", OLD, files).provides("kmp_in_kernel").build();
    root.install(&[&foo]);
    good(&root, &["sync"]);
    assert!(links(&root, SAME).is_empty());
}

#[test]
fn the_users_of_a_replaced_in_tree_module_are_judged_too() {
    let root = TestRoot::new();
    // mii is in-tree, and r8169 uses it; the KMP brings a mii of its own.
    let with_mii = |krel: &str, crc: u32| {
        kernel(krel, 7)
            .module("drivers/net", ModuleBuilder::new("mii").export("mii_link_ok", crc))
            .module("drivers/net", ModuleBuilder::new("r8169").need("mii_link_ok", crc).depends("mii"))
    };
    let (old, same, changed) = (with_mii(OLD, 5), with_mii(SAME, 5), with_mii(OTHER, 6));
    for kernel in [&old, &same, &changed] {
        write(kernel, &root);
        root.depmod::<&str>(kernel.krel(), &[]).expect_success();
    }
    root.write("etc/depmod.d/00-system.conf", "search updates extra weak-updates kgraft built-in\n");
    root.install(&[&package("mii", "1", &old, &[("mii", driver("mii", &old, 7).export("mii_link_ok", 5))])]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("mii", OLD)]));
    let dep = root.read(format!("usr/lib/modules/{SAME}/modules.dep"));
    assert!(dep.contains("kernel/drivers/net/r8169.ko: weak-updates/updates/mii.ko\n"), "{dep}");
    assert!(links(&root, OTHER).is_empty());
    let why = ends(&root, &["check", "--kernel", OTHER], 1).stdout;
    assert!(why.contains("r8169"), "{why}");
}

#[test]
fn what_is_broken_does_not_stop_the_rest() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let good_kmp = one_module("good", "1", &old, 7);
    let bytes = [("bad.ko", b"no module at all".to_vec())];
    let bad_module = PackageBuilder::kmp("bad", "default", "1", OLD, bytes).build();
    let lost = one_module("lost", "1", &old, 7);
    root.install(&[&good_kmp, &bad_module, &lost]);
    std::fs::remove_file(root.join(format!("usr/lib/modules/{OLD}/updates/lost.ko"))).unwrap();
    root.write("usr/lib/modules/6.4.0-9-default/symvers.gz", b"\x1f\x8bnot gzip");
    let said = good(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("good", OLD)]));
    assert!(said.stdout.contains(&format!("{SAME}: {} not linked: bad: ", bad_module.nvr())), "{said}");
    assert!(said.stderr.contains("6.4.0-9-default/symvers.gz"), "{said}");
    assert!(links(&root, "6.4.0-9-default").is_empty());
}

#[test]
fn a_kmp_with_a_module_missing_is_broken_and_named() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let modules = [("a", driver("a", &old, 7)), ("b", driver("b", &old, 7))];
    let two = package("two", "1", &old, &modules);
    root.install(&[&two, &one_module("good", "1", &old, 7)]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("a", OLD), ("b", OLD), ("good", OLD)]));
    std::fs::remove_file(root.join(format!("usr/lib/modules/{OLD}/updates/b.ko"))).unwrap();
    let said = good(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("good", OLD)]));
    assert!(said.stderr.contains("updates/b.ko is not on disk"), "{said}");
}

#[test]
fn things_of_others_stay_as_they_are() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let weak = format!("usr/lib/modules/{SAME}/weak-updates");
    root.write(format!("{weak}/updates/theirs.ko"), driver("theirs", &old, 7).build());
    root.write(format!("{weak}/README"), "notes");
    root.write("opt/drivers/outside.ko", driver("outside", &old, 7).build());
    root.symlink(format!("{weak}/outside.ko"), "/opt/drivers/outside.ko");
    root.write(format!("usr/lib/modules/{OLD}/extra/loose.ko"), driver("loose", &old, 7).build());
    root.symlink(format!("{weak}/extra/loose.ko"), format!("/usr/lib/modules/{OLD}/extra/loose.ko"));
    root.symlink(format!("{weak}/no-module"), "/nowhere");
    let theirs = ["updates/theirs.ko", "README", "outside.ko", "extra/loose.ko", "no-module"];
    let state = || {
        let one = |name: &&str| {
            use std::os::unix::fs::MetadataExt;
            let path = root.join(&weak).join(name);
            let inode = path.symlink_metadata().unwrap().ino();
            (name.to_string(), inode, std::fs::read_link(&path).ok(), std::fs::read(&path).ok())
        };
        theirs.iter().map(one).collect::<Vec<_>>()
    };
    let before = state();
    let foo = one_module("foo", "1", &old, 7);
    // A KMP whose module somebody else has put there gives way.
    let clash = one_module("theirs", "1", &old, 7);
    root.install(&[&foo, &clash]);
    good(&root, &["sync"]);
    assert!(links(&root, SAME).contains(&linked(&[("foo", OLD)])[0]));
    assert_eq!(state(), before);
    root.erase(&[foo.name()]);
    good(&root, &["remove-kmp", foo.nvr()]);
    assert!(!root.exists(format!("{weak}/updates/foo.ko")));
    assert_eq!(state(), before);
    // The kernel goes, too: its directory stays with what is not ours.
    good(&root, &["remove-kernel", SAME]);
    assert_eq!(state(), before);
}

#[test]
fn unpackaged_modules_are_judged_and_never_linked() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.write(format!("usr/lib/modules/{OLD}/extra/loose.ko"), driver("loose", &old, 7).build());
    root.write(format!("usr/lib/modules/{OTHER}/extra/wrong.ko"), driver("wrong", &old, 7).build());
    root.install(&[&one_module("foo", "1", &old, 7)]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    let shown = kmp(&root, &["status", "--all"]).stdout;
    assert!(shown.contains("modules that no package owns\n"), "{shown}");
    assert!(shown.contains(&format!("/usr/lib/modules/{OLD}/extra/loose.ko  compatible\n")), "{shown}");
    assert!(shown.contains("extra/wrong.ko  refused: "), "{shown}");
}

#[test]
fn a_kernel_that_depends_on_nothing_known_gets_no_link() {
    // No symvers and no in-tree module that tells of a symbol: a reason, not a pass.
    let root = TestRoot::new();
    let old = kernel(OLD, 7);
    write(&old, &root);
    write(&KernelBuilder::new(SAME).symvers_place(testkit::SymversPlace::Nowhere), &root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    good(&root, &["sync"]);
    assert!(links(&root, SAME).is_empty());
    let found = json(&root, &["check", "--kernel", SAME]);
    let rules: Vec<_> =
        found["kernels"][0]["modules"][0]["reasons"].as_array().unwrap().iter().map(|r| &r["rule"]).collect();
    assert!(rules.iter().all(|r| **r == "unknown-crc"), "{found}");
}

/// What depmod wrote there is no package's where depmod is newer than the package.
#[test]
fn where_a_kmp_goes_after_its_kernel_no_index_stays() {
    for (file, stays) in [("modules.weakdep", false), ("modules.mine", true)] {
        let root = TestRoot::new();
        let old = kernel(OLD, 7);
        let of_kernel = PackageBuilder::kernel(&old).build();
        let foo = one_module("foo", "1", &old, 7);
        root.install(&[&of_kernel, &foo]);
        good(&root, &["sync"]);
        let dir = format!("usr/lib/modules/{OLD}");
        root.write(format!("{dir}/{file}"), "");
        root.erase(&[of_kernel.name()]);
        good(&root, &["remove-kernel", OLD]);
        assert!(root.exists(format!("{dir}/updates/foo.ko")) && root.exists(format!("{dir}/{file}")));
        root.erase(&[foo.name()]);
        good(&root, &["remove-kmp", foo.nvr()]);
        assert_eq!(root.exists(&dir), stays, "{file}: {:?}", root.tree());
    }
}

/// modprobe loads nothing of a name that the kernel has built in.
#[test]
fn a_module_that_a_kernel_has_built_in_is_not_linked_there() {
    let root = TestRoot::new();
    let (old, same) = (kernel(OLD, 7), kernel(SAME, 7).builtin("kernel/drivers/misc/foo.ko"));
    write_all(&root, &[&old, &same]);
    root.install(&[&one_module("foo", "1", &old, 7), &one_module("bar", "1", &old, 7)]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("bar", OLD)]));
}

/// depmod writes no index at all where modules need each other, so one such pair would cost a kernel every driver.
#[test]
fn modules_that_need_each_other_are_not_linked_and_cost_nobody_the_index() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let half = |name: &str, other: &str| {
        let module = old.driver(name).need(format!("of_{other}"), 1).export(format!("of_{name}"), 1);
        package(name, "1", &old, &[(name, module)])
    };
    root.install(&[&half("a", "b"), &half("b", "a"), &one_module("foo", "1", &old, 7)]);
    kmp(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    assert_eq!(indexed(&root, SAME), ["weak-updates/updates/foo.ko"]);
}
