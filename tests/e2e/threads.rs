// SPDX-License-Identifier: LGPL-2.1-or-later
//! How many threads there are, and that one is enough.

use testkit::{Output, TestRoot, run};

use crate::support::{KMP, kernel, kmp, links, one_module, three_kernels};

const THREADS: &str = "clone,clone3,?fork,?vfork";

fn with_drivers() -> TestRoot {
    let root = TestRoot::new();
    three_kernels(&root);
    let old = kernel("6.4.0-1-default", 7);
    root.install(&[&one_module("foo", "1.0", &old, 7), &one_module("bar", "1.0", &old, 7)]);
    root
}

/// A run under strace, and the calls that made a thread or a process.
fn traced(root: &TestRoot, strace: &[&str], before: &[&str], args: &[&str]) -> (Output, Vec<String>) {
    let log = root.home().join("trace");
    let mut command = root.command("strace");
    command.args(["-f", "-qq", "-o"]).arg(&log).args(["-e", &format!("trace={THREADS}")]).args(strace);
    command.arg("--").args(before).arg(KMP).arg("--root").arg(root.path()).args(args);
    command.env("RAYON_NUM_THREADS", "64").env("RAYON_RS_NUM_CPUS", "64");
    let output = run(&mut command);
    let trace = std::fs::read_to_string(&log).unwrap();
    (output, trace.lines().filter(|line| line.contains("CLONE_THREAD")).map(str::to_string).collect())
}

#[test]
fn without_a_second_thread_the_one_there_is_does_all() {
    let root = with_drivers();
    let all = format!("inject={THREADS}:error=EAGAIN");
    for args in [&["status"][..], &["check"], &["sync", "--dry-run"]] {
        let (said, _) = traced(&root, &["-e", &all], &[], args);
        let expected = kmp(&root, args);
        assert_eq!(
            (said.status, &said.stdout, &said.stderr),
            (expected.status, &expected.stdout, &expected.stderr)
        );
    }
    // The program that makes the index gets its process: fork() is clone, a thread is clone3.
    traced(&root, &["-e", "inject=clone3:error=EAGAIN"], &[], &["sync"]).0.expect_success();
    assert_eq!(links(&root, "6.4.0-2-default").len(), 2);
}

#[test]
fn the_cores_give_the_number_of_threads() {
    let root = with_drivers();
    let cores = std::thread::available_parallelism().unwrap().get();
    let (_, threads) = traced(&root, &[], &[], &["status"]);
    assert!(threads.len() <= cores, "{threads:?}");
    let one = traced(&root, &[], &["taskset", "-c", &first_cpu()], &["status"]).1;
    assert!(one.is_empty(), "{one:?}");
}

/// A processor that we may run on.
fn first_cpu() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    list.trim().split([',', '-']).next().unwrap().to_string()
}
