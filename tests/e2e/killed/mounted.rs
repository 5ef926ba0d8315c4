// SPDX-License-Identifier: LGPL-2.1-or-later
//! A kernel's directory, or its `weak-updates`, is a mount point: of the same file system, or of another.

use std::path::Path;
use std::process::Command;

use testkit::run;

use super::machines::*;
use crate::support::{KMP, good};

/// Set inside the namespace.
const INSIDE: &str = "KMP_TEST_NAMESPACE";

/// Runs this test again in a mount namespace of its own, in which it may mount what it likes. True: this is it.
fn in_namespace(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]).arg(std::env::current_exe().unwrap());
    let name = format!("killed::mounted::{test}");
    let output = run(command.args(["--exact", &name, "--nocapture"]).env(INSIDE, "1"));
    assert!(output.stdout.contains("1 passed"), "{output}");
    output.stdout.lines().filter(|line| line.starts_with("campaign: ")).for_each(|line| println!("\n{line}"));
    false
}

/// Mounts `dir` on itself, or a file system of its own with the same in it.
fn mount(dir: &Path, other: bool) {
    let script = match other {
        false => "mount --bind \"$1\" \"$1\"",
        true => {
            "kept=$(mktemp -d) && cp -a \"$1/.\" \"$kept\" && mount -t tmpfs -o mode=755 kmp \"$1\" && \
             cp -a \"$kept/.\" \"$1\" && rm -r \"$kept\""
        }
    };
    run(Command::new("sh").args(["-ec", script, "sh"]).arg(dir)).expect_success();
}

fn disturb(name: &'static str, below: &str, other: bool, whole: bool) {
    let root = replacing();
    let plain = {
        let root = replacing();
        good(&root, &["sync"]);
        root.weak_updates(B)
    };
    mount(&root.join("usr/lib/modules").join(B).join(below), other);
    let mut scenario = synchronised(name, root);
    scenario.whole = whole;
    scenario.restore();
    scenario.second().expect_success();
    assert_eq!(scenario.root.weak_updates(B), plain);
    let done = scenario.disturb();
    assert!(done >= 12, "{done}");
}

#[test]
fn the_kernels_directory_of_the_same_file_system() {
    if in_namespace("the_kernels_directory_of_the_same_file_system") {
        disturb("mounted kernel", "", false, true);
    }
}

#[test]
fn the_kernels_directory_of_another_file_system() {
    if in_namespace("the_kernels_directory_of_another_file_system") {
        disturb("mounted kernel, other file system", "", true, true);
    }
}

#[test]
fn weak_updates_of_the_same_file_system() {
    if in_namespace("weak_updates_of_the_same_file_system") {
        disturb("mounted weak-updates", "weak-updates", false, false);
    }
}

#[test]
fn weak_updates_of_another_file_system() {
    if in_namespace("weak_updates_of_another_file_system") {
        disturb("mounted weak-updates, other file system", "weak-updates", true, false);
    }
}

/// The first links, where there was no `weak-updates` to be exchanged; and a kernel that goes from below its mount point.
#[test]
fn links_come_and_kernels_go() {
    if !in_namespace("links_come_and_kernels_go") {
        return;
    }
    for other in [false, true] {
        let root = first_links();
        mount(&root.join("usr/lib/modules").join(B), other);
        good(&root, &["sync"]);
        assert_eq!(root.weak_updates(B).len(), 3);
        assert!(!good(&root, &["sync", "-v"]).stderr.contains("depmod ran"));
        let root = without_kernel();
        let dir = root.join("usr/lib/modules").join(B);
        mount(&dir, other);
        let mut remove = root.command(KMP);
        run(remove.arg("--root").arg(root.path()).args(["remove-kernel", B])).expect_success();
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
        let root = without_kernel();
        let links = root.join("usr/lib/modules").join(B).join("weak-updates");
        mount(&links, other);
        good(&root, &["remove-kernel", B]);
        assert_eq!(std::fs::read_dir(&links).unwrap().count(), 0);
        good(&root, &["sync"]);
    }
}
