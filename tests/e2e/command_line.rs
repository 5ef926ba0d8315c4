// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is common to all verbs of `kmp`.

use std::process::Stdio;
use std::time::{Duration, Instant};

use testkit::{TestRoot, run};

use crate::support::*;

#[test]
fn usage_errors_end_with_2_and_help_with_0() {
    let root = TestRoot::new();
    for args in
        [&[][..], &["no-such-verb"], &["sync", "--no-such-option"], &["status", "extra"], &["explain"]]
    {
        let output = ends(&root, args, 2);
        assert_eq!(output.stdout, "", "{output}");
        assert!(!output.stderr.is_empty());
    }
    for args in [&["--help"][..], &["sync", "--help"], &["--version"], &["help", "check"]] {
        let output = good(&root, args);
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{output}");
    }
    let output = run(root.command(KMP).args(["--root", "/nowhere/at/all", "status"]));
    assert_eq!(output.status, Some(2), "{output}");
    assert!(output.stderr.contains("/nowhere/at/all"), "{output}");
}

#[test]
fn quiet_is_quiet_and_verbose_says_more() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let foo = one_module("foo", "1", &old, 7);
    root.install(&[&foo]);
    for (args, status) in [
        (&["-q", "sync", "--dry-run"][..], 1),
        (&["sync", "-q"], 0),
        (&["-q", "status"], 1),
        (&["-q", "check"], 1),
        (&["-q", "explain", "foo", "--kernel", OTHER], 1),
        (&["-q", "add-kernel", SAME], 0),
        (&["-q", "add-kmp", foo.nvr()], 0),
    ] {
        let output = ends(&root, args, status);
        assert_eq!((&*output.stdout, &*output.stderr), ("", ""), "{output}");
    }
    // Errors are said.
    assert_ne!(ends(&root, &["-q", "status", "--kernel", "none"], 2).stderr, "");
    // What was asked for as data is given.
    assert_ne!(kmp(&root, &["-q", "status", "--json"]).stdout, "");
    root.erase(&[foo.name()]);
    let output = good(&root, &["-v", "sync"]);
    assert!(output.stderr.contains(&format!("depmod ran for kernel {SAME}")), "{output}");
    assert_eq!(good(&root, &["sync"]).stderr, "");
}

#[test]
fn data_on_stdout_and_diagnostics_on_stderr() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    root.write(format!("usr/lib/modules/{OLD}/updates/junk.ko"), "junk");
    for verb in ["status", "check", "sync"] {
        let output = kmp(&root, &[verb, "--json"]);
        assert!(serde_json::from_str::<serde_json::Value>(&output.stdout).is_ok(), "{output}");
        assert!(
            output.stderr.starts_with("kmp: warning: ") && output.stderr.contains("updates/junk.ko"),
            "{output}"
        );
    }
}

/// Takes the lock as another run would.
fn hold(root: &TestRoot) -> std::process::Child {
    root.write("run/kmp/lock", "");
    let lock = root.join("run/kmp/lock");
    let child = std::process::Command::new("flock")
        .args(["--no-fork", "-x"])
        .arg(&lock)
        .args(["sh", "-c", "echo held; exec sleep 60"])
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.expect("util-linux has flock");
    let mut said = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut said)
        .unwrap();
    assert_eq!(said, "held\n");
    child
}

#[test]
fn two_runs_wait_for_each_other() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    let mut other = hold(&root);
    let before = Instant::now();
    let mut waits = command(&root, &["sync"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stderr = waits.stderr.take().unwrap();
    let mut said = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stderr), &mut said).unwrap();
    assert_eq!(said, "kmp: warning: another run of kmp is in progress; waiting for it\n");
    assert!(before.elapsed() >= Duration::from_secs(1));
    assert!(links(&root, SAME).is_empty());
    assert!(waits.try_wait().unwrap().is_none());
    // Those that only look do not wait, nor does a dry run.
    kmp(&root, &["status"]);
    ends(&root, &["sync", "--dry-run"], 1);
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(waits.wait().unwrap().success());
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
}

#[test]
fn a_run_that_waits_shortly_says_nothing_and_many_at_once_do_well() {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    let foo = one_module("foo", "1", &old, 7);
    root.install(&[&foo]);
    let runs: Vec<_> = (0..6)
        .map(|i| {
            let args: &[&str] = if i % 2 == 0 { &["sync"] } else { &["add-kernel", SAME] };
            command(&root, args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for run in runs {
        let output = run.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // Of the initrd, too: this root is not complete.
        let known =
            |line: &&str| line.contains("another run of kmp is in progress") || line.contains("/etc/fstab");
        assert!(output.status.success() && said.lines().all(|line| known(&line)), "{said}");
    }
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    good(&root, &["sync", "--dry-run"]);
}
