// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the tests of bad input share: a KMP that fits and must be linked whatever else is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{KernelBuilder, Output, TestRoot, run};

use crate::support::{KMP, kernel, links, one_module, write};

pub const A: &str = "6.4.0-1-default";
pub const B: &str = "6.4.0-2-default";
pub const GOOD: &str = "weak-updates/updates/good.ko -> /usr/lib/modules/6.4.0-1-default/updates/good.ko";

/// Two kernels and a KMP that fits both.
pub fn with_good() -> (TestRoot, KernelBuilder) {
    let root = TestRoot::new();
    for krel in [A, B] {
        let kernel = kernel(krel, 7);
        let in_tree = kernel.driver("in_tree").need("printk", 0x1000_0001);
        write(&kernel.module("drivers/net", in_tree), &root);
    }
    let a = kernel(A, 7);
    root.install(&[&one_module("good", "1.0", &a, 7)]);
    (root, a)
}

pub fn modules(krel: &str) -> PathBuf {
    Path::new("usr/lib/modules").join(krel)
}

/// `kmp --root ROOT ARGS`, which must end in good time, without a panic, and without steering a terminal.
#[track_caller]
pub fn sane(root: &TestRoot, args: &[&str]) -> Output {
    let mut command = root.command("timeout");
    command.args(["60", KMP, "--root"]).arg(root.path()).args(args);
    checked(&mut command)
}

#[track_caller]
pub fn checked(command: &mut Command) -> Output {
    let output = run(command);
    assert!(matches!(output.status, Some(0..=2)), "{output}");
    assert!(!output.stderr.contains("panicked"), "{output}");
    for text in [&output.stdout, &output.stderr] {
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "raw control characters: {text:?}");
    }
    output
}

/// Runs `sync`, and sees the good KMP linked, and that the next run has nothing to do.
#[track_caller]
pub fn good_is_linked(root: &TestRoot) -> Output {
    let output = sane(root, &["sync"]);
    assert_eq!(output.status, Some(0), "{output}");
    assert!(links(root, B).iter().any(|l| l == GOOD), "{:?}\n{output}", links(root, B));
    let before = root.tree_with_times();
    let again = sane(root, &["-vv", "sync"]);
    assert_eq!(again.status, Some(0), "{again}");
    let after = root.tree_with_times();
    let written: Vec<_> = after.iter().filter(|(path, state)| before.get(*path) != Some(state)).collect();
    assert!(
        before == after,
        "the second run writes {written:?}: {again}\n{}",
        root.read(modules(A).join("modules.dep"))
    );
    output
}

/// `script` by sh in a mount namespace of its own, `$1` the root's path, `$2` the command.
#[track_caller]
pub fn in_namespace(root: &TestRoot, script: &str) -> Output {
    let mut command = root.command("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-c", script, "sh"]).arg(root.path()).arg(KMP);
    run(&mut command)
}

pub fn symvers_file(root: &TestRoot, krel: &str) -> PathBuf {
    let dir = root.join(modules(krel));
    let mut files = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    files.find(|p| p.file_name().unwrap().to_string_lossy().starts_with("symvers")).unwrap()
}
