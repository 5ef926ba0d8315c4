// SPDX-License-Identifier: LGPL-2.1-or-later
//! depmod runs once for each kernel whose modules changed, and for no other.

use testkit::{PackageBuilder, TestRoot, run};

use crate::support::*;

#[test]
fn once_for_each_changed_kernel() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let depmod = DepmodLog::new(&root);
    let foo = one_module("foo", "1", &old, 7);
    root.install(&[&foo]);
    depmod.kmp(&root, &["sync"]).expect_success();
    // The old one has got a module of its own; the third is not touched.
    assert_eq!(depmod.runs(), [OLD, SAME]);
    assert_eq!(indexed(&root, OLD), ["updates/foo.ko"]);
    assert_eq!(indexed(&root, SAME), ["weak-updates/updates/foo.ko"]);

    for verb in [&["sync"][..], &["add-kmp", foo.nvr()], &["add-kernel", SAME], &["status"], &["check"]] {
        writes_nothing(&root, || depmod.kmp(&root, verb));
        assert!(depmod.runs().is_empty(), "{verb:?}");
    }
    root.erase(&[foo.name()]);
    depmod.kmp(&root, &["remove-kmp", foo.nvr()]).expect_success();
    assert_eq!(depmod.runs(), [OLD, SAME]);
    assert!(indexed(&root, SAME).is_empty());
}

#[test]
fn never_for_a_kernel_that_goes() {
    let root = TestRoot::new();
    let (old, same) = (kernel(OLD, 7), kernel(SAME, 7));
    let kernels = PackageBuilder::build_all(&[PackageBuilder::kernel(&old), PackageBuilder::kernel(&same)]);
    root.install(&[&kernels[0], &kernels[1], &one_module("foo", "1", &old, 7)]);
    let depmod = DepmodLog::new(&root);
    depmod.kmp(&root, &["sync"]).expect_success();
    depmod.runs();
    depmod.kmp(&root, &["remove-kernel", SAME]).expect_success();
    root.erase(&[kernels[1].nvr()]);
    depmod.kmp(&root, &["remove-kernel", SAME]).expect_success();
    assert!(depmod.runs().is_empty());
}

#[test]
fn a_failure_names_the_kernel_and_the_next_run_tries_again() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    write(&kernel("6.4.0-4-default", 7), &root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    let depmod = DepmodLog::failing_for(&root, SAME);
    let output = depmod.kmp(&root, &["sync"]);
    assert_eq!(output.status, Some(2), "{output}");
    assert!(output.stderr.contains(&format!("error: depmod for kernel {SAME} failed: ")), "{output}");
    assert!(output.stderr.contains("broken"), "{output}");
    // The others are served all the same.
    assert_eq!(indexed(&root, "6.4.0-4-default"), ["weak-updates/updates/foo.ko"]);
    assert_eq!(depmod.runs(), [OLD, SAME, "6.4.0-4-default"]);

    let said = ends(&root, &["sync", "--dry-run"], 1).stdout;
    assert!(
        said.starts_with(&format!(
            "{SAME}: depmod would run
"
        )),
        "{said}"
    );
    let works = DepmodLog::new(&root);
    works.kmp(&root, &["sync"]).expect_success();
    assert_eq!(works.runs(), [SAME]);
    assert_eq!(indexed(&root, SAME), ["weak-updates/updates/foo.ko"]);
    works.kmp(&root, &["sync"]).expect_success();
    assert!(works.runs().is_empty());
}

#[test]
fn a_depmod_that_is_not_there_is_an_error_with_a_next_step() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    let output = run(command(&root, &["sync"]).env("DEPMOD", "/nowhere/depmod"));
    assert_eq!(output.status, Some(2), "{output}");
    assert!(output.stderr.contains("/nowhere/depmod cannot be run"), "{output}");
    assert!(output.stderr.contains("Install kmod"), "{output}");
}

#[test]
fn without_depmod_links_change_and_the_index_is_made_later() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    let depmod = DepmodLog::new(&root);
    depmod.kmp(&root, &["sync", "--no-depmod"]).expect_success();
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    assert!(depmod.runs().is_empty());
    depmod.kmp(&root, &["sync"]).expect_success();
    assert_eq!(depmod.runs(), [OLD, SAME]);
    assert_eq!(indexed(&root, SAME), ["weak-updates/updates/foo.ko"]);
}

#[test]
fn an_index_that_was_deleted_is_made_anew() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    let depmod = DepmodLog::new(&root);
    depmod.kmp(&root, &["sync"]).expect_success();
    depmod.runs();
    std::fs::remove_file(root.join(format!("usr/lib/modules/{SAME}/modules.dep"))).unwrap();
    ends(&root, &["sync", "--dry-run"], 1);
    depmod.kmp(&root, &["sync"]).expect_success();
    assert_eq!(depmod.runs(), [SAME]);
}

/// The clock was wrong, or somebody has set the times: no change would ever be newer.
#[test]
fn an_index_from_the_future_is_made_anew_once() {
    for file in ["modules.dep", "modules.alias.bin"] {
        let root = TestRoot::new();
        let [old, ..] = three_kernels(&root);
        root.install(&[&one_module("foo", "1", &old, 7)]);
        let depmod = DepmodLog::new(&root);
        depmod.kmp(&root, &["sync"]).expect_success();
        depmod.runs();
        let index =
            std::fs::File::options().append(true).open(root.join("usr/lib/modules").join(SAME).join(file));
        let tomorrow = std::time::SystemTime::now() + std::time::Duration::from_secs(86_400);
        index.unwrap().set_modified(tomorrow).unwrap();
        let said = ends(&root, &["sync", "--dry-run"], 1).stdout;
        assert!(said.contains(&format!("{SAME}: depmod would run")), "{said}");
        depmod.kmp(&root, &["sync"]).expect_success();
        assert_eq!(depmod.runs(), [SAME], "{file}");
        depmod.kmp(&root, &["sync"]).expect_success();
        assert!(depmod.runs().is_empty());
    }
}

/// A copy that somebody keeps beside the kernels gets no links and no index, whatever is in it.
#[test]
fn a_directory_whose_name_is_no_release_is_no_kernel() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    let modules = root.join("usr/lib/modules");
    for name in ["old", "backup-of-6.4.0-2-default", "6"] {
        run(std::process::Command::new("cp").arg("-a").arg(modules.join(SAME)).arg(modules.join(name)))
            .expect_success();
    }
    let depmod = DepmodLog::new(&root);
    depmod.kmp(&root, &["sync"]).expect_success();
    assert_eq!(depmod.runs(), [OLD, SAME]);
    assert_eq!(links(&root, "old"), [""; 0]);
    let status = kmp(&root, &["status"]);
    assert!(!status.stdout.contains("old ") && !status.stdout.contains("backup"), "{status}");
}
