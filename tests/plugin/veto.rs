// SPDX-License-Identifier: LGPL-2.1-or-later
//! A transaction that would lose a driver is stopped before anything happens.

use testkit::{Package, PackageBuilder, TestRoot};

use crate::support::{
    NEW, OLD, kernel, kmp, link, rpm, rpm_env, rpm_with, site, state, telling, turn_off, turn_on,
};

fn breaking() -> Package {
    telling(&kernel(NEW, 8)).build()
}

#[track_caller]
fn is_stopped(root: &TestRoot, options: &[&str], packages: &[&Package]) -> String {
    let before = state(root);
    let output = rpm(root, options, packages);
    assert!(!output.success(), "{options:?}: {output}");
    assert!(output.stderr.contains("kmp: foo-kmp-default-"), "{output}");
    assert!(output.stderr.contains("hook tsm_pre failed"), "{output}");
    assert_eq!(state(root), before, "{options:?}");
    output.stderr
}

#[test]
fn a_kernel_without_the_driver_is_stopped_and_nothing_has_changed() {
    let root = site();
    for package in [breaking(), PackageBuilder::kernel(&kernel(NEW, 8)).release("4").build()] {
        let message = is_stopped(&root, &["-i"], &[&package]);
        for part in ["error: kmp: ", "(foo)", NEW, "changing", "0x00000007", "0x00000008", "KMP_POLICY=warn"]
        {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert!(!message.contains("bar"), "{message}");
    }
}

/// First how many are lost, then which driver, which kernel, the first symbols and how many more, and what to do.
#[test]
fn the_message_is_short_however_much_has_changed() {
    let root = site();
    let symbols: Vec<String> = (0..5).map(|n| format!("changing_{n}")).collect();
    let kernel_with = |krel, crc| symbols.iter().fold(kernel(krel, 7), |k, s| k.export(s, crc));
    let (old, new) = (kernel_with("6.4.0-2-default", 7), kernel_with(NEW, 8));
    let module = |n| symbols.iter().fold(old.driver(&format!("m{n}")), |m, s| m.need(s.as_str(), 7)).build();
    let modules = (0..5).map(|n| (format!("m{n}.ko"), module(n)));
    let big = PackageBuilder::kmp("big", "default", "1.0", old.krel(), modules).build();
    rpm(&root, &["-i"], &[&telling(&old).build(), &big]).expect_success();
    let before = state(&root);
    let output = rpm(&root, &["-U", "--oldpackage"], &[&telling(&new).build()]);
    assert!(!output.success(), "{output}");
    assert_eq!(state(&root), before);
    let lines: Vec<&str> = output.stderr.lines().filter(|l| l.starts_with("error: kmp: ")).collect();
    assert_eq!(lines[0], format!("error: kmp: kernel {NEW}: 2 of 3 drivers stay, 1 lost: big-kmp-default"));
    let lines = &lines[1..];
    assert!(
        lines[0].starts_with("error: kmp: big-kmp-default-1.0_k6.4.0_2-1 (m0, m1, m2 and 2 more)"),
        "{output}"
    );
    assert!(lines[0].contains(&format!("the new kernel {NEW}")), "{output}");
    // How many there is room for depends on the path of the package, which a line to type has whole.
    let shown = lines[0].matches("0x00000007").count();
    assert!((1..=3).contains(&shown), "{output}");
    assert_eq!(lines[0].matches("0x00000008").count(), shown, "{output}");
    assert!(lines[0].ends_with(&format!("; and {} more", 25 - shown)), "{output}");
    let ways_out = [
        "if there is a big-kmp-default for it, install it in the same transaction: zypper install kernel-default big-kmp-default",
        "or keep the old kernel: zypper addlock kernel-default",
        // This command line is too long.
        "nothing has changed for the next boot; to go on without it, do the same after: export KMP_POLICY=warn",
    ];
    for (line, way_out) in lines[1..].iter().zip(ways_out) {
        assert_eq!(*line, format!("error: kmp: {way_out}"), "{output}");
    }
    let more = format!("error: kmp: all reasons: kmp plan --all {}", telling(&new).build().path().display());
    assert_eq!(lines[4..], [more], "{output}");
}

#[test]
fn it_is_stopped_in_whatever_way_rpm_is_called() {
    let root = site();
    for options in [
        &["-i"][..],
        &["-U"],
        &["-F"],
        &["-i", "--test"],
        &["-i", "--noscripts"],
        &["-i", "--replacepkgs", "--force"],
        &["-Uvh"],
    ] {
        is_stopped(&root, options, &[&breaking()]);
    }
}

#[test]
fn what_does_not_change_the_disk_goes_on() {
    for options in [&["-i", "--justdb"][..], &["-i", "--noplugins"], &["-i", "--nodb"]] {
        let root = site();
        let output = rpm(&root, options, &[&breaking()]);
        assert!(output.success() && !output.stderr.contains("kmp"), "{options:?}: {output}");
        assert!(!root.exists(link(NEW, "bar")), "{options:?}");
        assert!(!root.exists("run/kmp"), "{options:?}");
    }
}

#[test]
fn a_rebuilt_kernel_under_the_same_name_is_stopped() {
    let root = site();
    let rebuilt = telling(&kernel(OLD, 9)).build();
    is_stopped(&root, &["--reinstall"], &[&rebuilt]);
}

/// Each version works with one of the kernels.
#[test]
fn erasing_a_version_is_warned_of_where_another_kernel_has_the_driver() {
    let root = site();
    let new = kernel(NEW, 8);
    rpm(&root, &["-i"], &[&telling(&new).build(), &kmp("foo", "2.0", &new, 8).build()]).expect_success();
    let version = |number: &str| {
        root.installed().into_iter().find(|n| n.starts_with(&format!("foo-kmp-default-{number}"))).unwrap()
    };
    // The newest kernel is the one that is booted.
    let before = state(&root);
    let output = rpm_with(&root, &[], ["-e", &version("2.0")]);
    assert!(!output.success() && output.stderr.contains(NEW), "{output}");
    assert_eq!(state(&root), before);
    let output = rpm_with(&root, &[], ["-e", &version("1.0")]).expect_success();
    assert!(output.stderr.contains(&format!("kernel {OLD}")), "{output}");
    assert!(output.stderr.contains(&format!("kernel {NEW} has the driver")), "{output}");
    rpm_with(&root, &[], ["-e", "--allmatches", "foo-kmp-default"]).expect_success();
}

#[test]
fn an_older_driver_in_place_of_the_one_that_works_is_stopped() {
    let root = site();
    is_stopped(&root, &["-U"], &[&kmp("foo", "2.0", &kernel("6.4.0-9-default", 9), 9).build()]);
}

#[test]
fn a_driver_that_something_obsoletes_is_missed() {
    let root = site();
    let other = PackageBuilder::new("other", "1", "1").tag("Obsoletes", "foo-kmp-default").build();
    is_stopped(&root, &["-U"], &[&other]);
    let kernel = kernel(OLD, 7);
    let module = kernel.driver("foo").need("changing", 7);
    let successor = PackageBuilder::kmp("foo-ng", "default", "1", OLD, [("foo.ko", module.build())]);
    rpm(&root, &["-U"], &[&successor.tag("Obsoletes", "foo-kmp-default").build()]).expect_success();
}

#[test]
fn with_the_matching_driver_it_goes_on_in_either_order() {
    let new = kernel(NEW, 8);
    for package in [telling(&new).build(), PackageBuilder::kernel(&new).build()] {
        let driver = kmp("foo", "2.0", &new, 8).build();
        for packages in [[&package, &driver], [&driver, &package]] {
            let root = site();
            let output = rpm(&root, &["-i"], &packages).expect_success();
            assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""), "{output}");
            assert!(root.exists(link(NEW, "bar")));
        }
    }
}

#[test]
fn a_transaction_without_modules_leaves_no_trace() {
    let root = site();
    let package = PackageBuilder::new("plain", "1", "1").file("usr/lib/modules-load.d/x.conf", "x\n");
    let output =
        rpm(&root, &["-i"], &[&package.lua_scriptlet("post", "print('post')").build()]).expect_success();
    assert_eq!(output.stderr, "");
    assert!(!root.exists("run/kmp"));
}

#[test]
fn a_single_call_of_libzypp_among_many_is_warned_of_only() {
    let package = breaking();
    let classic = [("ZYPP_IS_RUNNING", "1"), ("ZYPP_CLASSIC_RPMTRANS", "1")];
    // Not every user of libzypp follows this wish, and who does calls another program.
    let single = [("ZYPP_IS_RUNNING", "1"), ("ZYPP_SINGLE_RPMTRANS", "1")];
    for environment in [&classic[..], &classic[1..], &classic[..1], &single] {
        let root = site();
        let output = rpm_env(&root, environment, &["-i"], &[&package]).expect_success();
        assert!(output.stderr.contains("warning: kmp: foo-kmp-default-1.0"), "{output}");
    }
}

#[test]
fn live_patches_stop_no_kernel() {
    let root = site();
    let patch = kernel(OLD, 7).driver("patch").need("changing", 7).add_info("livepatch", "Y").build();
    let patch = PackageBuilder::new("kernel-livepatch-6_4_0-1-default", "1", "1")
        .file(format!("usr/lib/modules/{OLD}/livepatch/patch.ko"), patch)
        .build();
    rpm(&root, &["-i"], &[&patch]).expect_success();
    turn_off(&root);
    root.erase(&["foo-kmp-default"]);
    turn_on(&root);
    rpm(&root, &["-i"], &[&breaking()]).expect_success();
}
