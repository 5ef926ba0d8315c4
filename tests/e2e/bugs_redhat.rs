// SPDX-License-Identifier: LGPL-2.1-or-later
//! What users of Red Hat's weak-modules, and of drivers that rely on it, met; named after the reports.

use std::process::Command;

use testkit::{PackageBuilder, TestRoot, run};

use crate::support::*;

/// Only the newest candidate was tried: no link at all, though an older one fits.
#[test]
fn rhbz_1643299_an_older_version_that_fits_is_linked() {
    let root = TestRoot::new();
    let [old, _, other] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7), &one_module("foo", "2", &other, 8)]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
}

/// Modules that depend on each other must be judged together.
#[test]
fn rhbz_1649211_rhbz_1778889_dependent_modules_are_judged_together() {
    let root = TestRoot::new();
    let [old, same, _] = three_kernels(&root);
    write(&kernel("6.4.0-4-default", 7), &root);
    // The user's newest version needs the provider's newest, which is incompatible: both give way.
    let broken = driver("acme", &same, 9).export("acme_open", 0x22);
    let user = driver("acme_net", &same, 7).need("acme_open", 0x22);
    let [acme, net] = pair("1", &old, 7, 0x11);
    let newer = [
        package("acme", "2", &same, &[("acme", broken)]),
        package("acme_net", "2", &same, &[("acme_net", user)]),
    ];
    root.install(&[&acme, &net, &newer[0], &newer[1]]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, "6.4.0-4-default"), linked(&[("acme", OLD), ("acme_net", OLD)]));
}

/// A dry run had side effects.
#[test]
fn rhbz_1477073_rhbz_1510058_a_dry_run_writes_nothing() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let foo = one_module("foo", "1", &old, 7);
    root.install(&[&foo]);
    let depmod = DepmodLog::new(&root);
    let modes: [&[&str]; 4] = [
        &["--add-kmp", foo.nvr()],
        &["--add-kernel", SAME],
        &["--remove-kernel", OTHER],
        &["--remove-kmp", foo.nvr()],
    ];
    let all_dry = || {
        for mode in modes {
            depmod.wm2(&root, &[mode, &["--dry-run", "-v"]].concat()).expect_success();
        }
        assert!(depmod.kmp(&root, &["sync", "--dry-run"]).status < Some(2));
    };
    writes_nothing(&root, all_dry);
    good(&root, &["sync"]);
    writes_nothing(&root, all_dry);
    assert!(depmod.runs().is_empty());
}

/// `+` in a release was taken as part of a regular expression.
#[test]
fn rhbz_1609372_a_plus_in_a_release_is_a_plus() {
    let root = TestRoot::new();
    let odd = "6.4.0-1+deb12.x-default";
    let (odd_kernel, near) = (kernel(odd, 7), kernel("6.4.0-11deb12yx-default", 7));
    write_all(&root, &[&odd_kernel, &near, &kernel(SAME, 7)]);
    let files = [("foo.ko", driver("foo", &odd_kernel, 7).build())];
    root.install(&[&PackageBuilder::kmp("foo", "default", "1", odd, files).build()]);
    good(&root, &["add-kernel", odd]);
    assert_eq!(links(&root, SAME), linked(&[("foo", odd)]));
    good(&root, &["remove-kernel", odd]);
    assert_eq!(links(&root, SAME), linked(&[("foo", odd)]));
    assert_eq!(links(&root, "6.4.0-11deb12yx-default"), linked(&[("foo", odd)]));
}

/// depmod was run for a kernel that is not there.
#[test]
fn rhbz_1448349_no_depmod_for_an_absent_kernel() {
    let root = TestRoot::new();
    let same = kernel(SAME, 7);
    write(&same, &root);
    root.install(&[&one_module("foo", "1", &kernel(OLD, 7), 7)]);
    let depmod = DepmodLog::new(&root);
    assert_eq!(depmod.kmp(&root, &["add-kernel", "5.0.0-1-default"]).status, Some(2));
    depmod.wm2(&root, &["--add-kernel", "5.0.0-1-default"]);
    depmod.kmp(&root, &["remove-kernel", "5.0.0-1-default"]).expect_success();
    assert_eq!(depmod.runs(), [SAME]);
    assert!(!root.exists("usr/lib/modules/5.0.0-1-default"));
}

/// Links dangled after a kernel and its KMP were purged, and dracut failed.
#[test]
fn rhbz_1448961_no_dangling_link_after_a_purge() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    good(&root, &["sync"]);
    // By the database nobody owns it any more; and one whose package never was in it.
    root.rpm(["-e", "--justdb", "--nodeps", "--noscripts", "foo-kmp-default"]).expect_success();
    std::fs::remove_dir_all(root.join(format!("usr/lib/modules/{OLD}"))).unwrap();
    root.symlink(
        format!("usr/lib/modules/{SAME}/weak-updates/extra/x.ko"),
        "/usr/lib/modules/5.0.0/extra/x.ko",
    );
    let said = good(&root, &["sync"]).stdout;
    assert!(links(&root, SAME).is_empty());
    assert!(said.contains("dangling link extra/x.ko removed"), "{said}");
    assert!(indexed(&root, SAME).is_empty());
}

/// The directory was gone already.
#[test]
fn rhbz_1124352_a_kernel_whose_directory_is_gone() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    good(&root, &["sync"]);
    std::fs::remove_dir_all(root.join(format!("usr/lib/modules/{SAME}"))).unwrap();
    good(&root, &["remove-kernel", SAME]);
    wm2(&root, &["--remove-kernel", SAME]);
    assert!(!root.exists(format!("usr/lib/modules/{SAME}")));
}

/// Links for a kernel pointed to an older build though the kernel had a newer native one.
#[test]
fn dkms_140_a_native_build_wins() {
    let root = TestRoot::new();
    let [old, same, _] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    // dkms builds one, which no package owns; then the same as a package.
    root.write(format!("usr/lib/modules/{SAME}/updates/dkms/foo.ko"), driver("foo", &same, 7).build());
    good(&root, &["sync"]);
    assert!(links(&root, SAME).is_empty());
    std::fs::remove_dir_all(root.join(format!("usr/lib/modules/{SAME}/updates"))).unwrap();
    install(&root, &[&one_module("foo", "0.5", &same, 7)]);
    good(&root, &["sync"]);
    assert!(links(&root, SAME).is_empty());
}

/// Linked, and then refused by the kernel: another size of struct module.
#[test]
fn openzfs_17165_another_struct_module_size_is_not_linked() {
    let root = TestRoot::new();
    let sized = |krel: &str, size: usize| {
        let native = testkit::ModuleBuilder::new("loop").need("printk", 0x1000_0001);
        kernel(krel, 7).struct_module_size(size).module("drivers/block", native)
    };
    let old = sized(OLD, 1280);
    write_all(&root, &[&old, &sized(SAME, 1280), &sized(OTHER, 1344)]);
    root.install(&[&one_module("zfs", "1", &old, 7)]);
    good(&root, &["sync"]);
    assert_eq!(links(&root, SAME), linked(&[("zfs", OLD)]));
    assert!(links(&root, OTHER).is_empty());
    let found = json(&root, &["check", "--kernel", OTHER]);
    assert_eq!(found["kernels"][0]["modules"][0]["reasons"][0]["rule"], "struct-size", "{found}");
}

/// A module that was built for a kernel that was never installed here must be linked, too.
#[test]
fn nv_peer_memory_109_built_for_a_kernel_that_never_was_here() {
    let root = TestRoot::new();
    write_all(&root, &[&kernel(SAME, 7), &kernel(OTHER, 8)]);
    let foo = one_module("foo", "1", &kernel(OLD, 7), 7);
    root.install(&[&foo]);
    good(&root, &["add-kmp", foo.nvr()]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    assert!(links(&root, OTHER).is_empty());
    root.erase(&[foo.name()]);
    good(&root, &["remove-kmp", foo.nvr()]);
    assert!(links(&root, SAME).is_empty());
    assert!(!root.exists(format!("usr/lib/modules/{OLD}")));
}

/// depmod was run again and again.
#[test]
fn kmod_266_twenty_kmps_need_one_depmod_a_kernel() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let kmps: Vec<PackageBuilder> = (0..20)
        .map(|i| {
            // Every fourth does not fit anywhere.
            let base = format!("kmp{i}");
            let crc = if i % 4 == 0 { 9 } else { 7 };
            let files = [(format!("{base}.ko"), driver(&base, &old, crc).build())];
            PackageBuilder::kmp(&base, "default", "1", OLD, files)
        })
        .collect();
    let packages = PackageBuilder::build_all(&kmps);
    root.install(&packages.iter().collect::<Vec<_>>());
    let depmod = DepmodLog::new(&root);
    depmod.kmp(&root, &["add-kernel", SAME]).expect_success();
    assert_eq!(depmod.runs(), [OLD, SAME]);
    assert_eq!(links(&root, SAME).len(), 15);
}

/// A root that is read-only: what changes nothing works, the rest fails with a reason.
#[test]
fn rpm_ostree_1091_1322_a_read_only_root() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    good(&root, &["sync"]);
    let on_read_only = |args: &str| {
        let script = format!(
            "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" && exec \"$0\" --root \"$1\" {args}"
        );
        run(Command::new("unshare")
            .args(["-m", "sh", "-c", &script, KMP])
            .arg(root.path())
            .env("HOME", root.home()))
    };
    for args in
        ["sync", "status --kernel 6.4.0-2-default", "check --kernel 6.4.0-2-default", "sync --dry-run"]
    {
        on_read_only(args).expect_success();
    }
    root.rpm(["-e", "--noscripts", "foo-kmp-default"]).expect_success();
    let output = on_read_only("sync");
    assert_eq!(output.status, Some(2), "{output}");
    assert!(output.stderr.to_lowercase().contains("read-only"), "{output}");
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    // An offline root is any other root: nothing of it has to run.
    good(&root, &["sync"]);
    assert!(links(&root, SAME).is_empty());
}
