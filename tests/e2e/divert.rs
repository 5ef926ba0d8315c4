// SPDX-License-Identifier: LGPL-2.1-or-later
//! kmp in the place of the distribution's commands: killed, or refused by the system, at one call after the other.

use std::fs;
use std::os::unix::fs::MetadataExt;

use testkit::{Output, PackageBuilder, TestRoot, run};

use crate::support::*;

const NAME: &str = "usr/lib/module-init-tools/weak-modules2";
const ASIDE: &str = "usr/lib/module-init-tools/weak-modules2.distrib";
const CALLS: [&str; 6] = ["linkat", "symlinkat", "renameat", "unlinkat", "fsync", "flock"];

/// The peer's file there; and, if it came again while an older one was beside it, that.
fn site(has_older: bool) -> TestRoot {
    let root = TestRoot::new();
    root.mkdir("usr/bin");
    root.write("usr/bin/kmp", "kmp's\n");
    root.write(NAME, "original\n");
    if has_older {
        root.write(ASIDE, "older\n");
    }
    root
}

/// Under strace, with this done to the N-th call of this name.
fn disturbed(root: &TestRoot, args: &[&str], call: &str, what: &str, nth: usize) -> Output {
    let inject = format!("inject={call}:{what}:when={nth}");
    let mut command = root.command("strace");
    command.args(["-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject, "--"]);
    run(command.arg(KMP).arg("--root").arg(root.path()).args(args))
}

fn inode(root: &TestRoot, path: &str) -> u64 {
    fs::symlink_metadata(root.join(path)).unwrap().ino()
}

/// Each call of both directions. `what` makes a run fail: `hit` says whether it did.
fn each_call(what: &str, hit: impl Fn(&Output) -> bool) {
    let mut disturbed_runs = 0;
    for (has_older, restores) in [(false, false), (true, false), (false, true), (true, true)] {
        for call in CALLS {
            for nth in 1.. {
                let root = site(has_older);
                let original = inode(&root, NAME);
                let args: &[&str] = match restores {
                    false => &["divert", "weak-modules2"],
                    true => {
                        good(&root, &["divert", "weak-modules2"]);
                        &["divert", "--restore"]
                    }
                };
                let output = disturbed(&root, args, call, what, nth);
                if !hit(&output) {
                    assert!(output.success(), "{output}");
                    break;
                }
                disturbed_runs += 1;
                let there = root.read(NAME);
                assert!(there == "original\n" || there == "kmp's\n", "{call} {nth}: {there}");
                // The original is under one of its names at any time.
                let has_it = |path| root.join(path).symlink_metadata().is_ok_and(|m| m.ino() == original);
                assert!(has_it(NAME) || has_it(ASIDE), "{call} {nth}: the original is lost");
                good(&root, &["divert", "weak-modules2"]);
                assert_eq!((root.read(NAME), inode(&root, ASIDE)), ("kmp's\n".into(), original));
                good(&root, &["divert", "--restore"]);
                assert_eq!(inode(&root, NAME), original);
                let names = fs::read_dir(root.join(NAME).parent().unwrap()).unwrap().count();
                assert_eq!(names, 1, "{call} {nth}: something is left");
            }
        }
    }
    assert!(disturbed_runs > 20, "{disturbed_runs}");
}

#[test]
fn killed_at_any_call_it_leaves_a_command_and_the_original() {
    each_call("signal=KILL", |output| output.status != Some(0));
}

#[test]
fn a_call_that_fails_leaves_a_command_and_the_original_and_is_reported() {
    each_call("error=EIO", |output| {
        let failed = output.status == Some(2);
        assert_eq!(failed, output.stderr.contains("it leads where it led before"), "{output}");
        failed
    });
}

/// Where nothing is merged, the peer's name may be another than the one that kmp's package owns; rpm removes it with the peer.
#[test]
fn in_a_directory_of_its_own_nothing_is_left_of_a_package_that_went() {
    let root = TestRoot::new();
    fs::remove_file(root.join("sbin")).unwrap();
    root.write("usr/bin/kmp", "kmp's\n");
    root.mkdir("usr/sbin");
    let peer =
        PackageBuilder::new("module-init-tools", "1", "1").program("sbin/weak-modules", "original\n").build();
    root.install(&[&peer]);
    good(&root, &["divert", "weak-modules"]);
    for name in ["sbin/weak-modules", "usr/sbin/weak-modules"] {
        assert_eq!(root.read(name), "kmp's\n", "{name}");
    }
    // It is there still: so is what was put aside.
    good(&root, &["divert", "weak-modules"]);
    assert_eq!(root.read("sbin/weak-modules.distrib"), "original\n");
    root.rpm(["-e", "module-init-tools"]).expect_success();
    good(&root, &["divert", "weak-modules"]);
    assert!(!root.exists("sbin/weak-modules.distrib") && !root.exists("sbin/weak-modules"));
    assert_eq!(root.read("usr/sbin/weak-modules"), "kmp's\n");
}
