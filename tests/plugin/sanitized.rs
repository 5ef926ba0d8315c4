// SPDX-License-Identifier: LGPL-2.1-or-later
//! The plugin in the sight of tools that look for faults of memory. `cargo xtask test` runs these: the plugin has to be built
//! with sanitizers for the first two.

use testkit::run_rpm;

use crate::support::{NEW, PRELOAD, kernel, kmp, link, rpm_env, rpm_with, site, telling};

/// Sanitizers that are not at work find nothing, either.
#[test]
#[ignore = "the plugin has to be built with sanitizers"]
fn what_reads_too_far_is_seen() {
    assert!(std::env::var_os(PRELOAD).is_some(), "{PRELOAD} is not set");
    let root = site();
    let new = telling(&kernel(NEW, 7)).build();
    let output = rpm_env(&root, &[("KMP_TEST_OVERREAD", "tsm_pre")], &["-i"], &[&new]);
    assert_eq!(output.status, Some(99), "{output}");
    for part in ["AddressSanitizer: heap-buffer-overflow", "in read_too_far"] {
        assert!(output.stderr.contains(part), "{part}: {output}");
    }
}

#[test]
#[ignore = "the plugin has to be built with sanitizers"]
fn nothing_is_seen_in_transactions_of_every_kind() {
    assert!(std::env::var_os(PRELOAD).is_some(), "{PRELOAD} is not set");
    let root = site();
    let old_foo = rpm_env(&root, &[], &["-i"], &[&telling(&kernel(NEW, 8)).build()]);
    assert!(!old_foo.success() && old_foo.stderr.contains("kmp: foo-kmp-default-1.0"), "{old_foo}");
    assert!(!old_foo.stderr.contains("Sanitizer"), "{old_foo}");
    let new = kernel(NEW, 8);
    let packages = [
        telling(&new).scriptlet("post", "exit 0").scriptlet("posttrans", "exit 0").build(),
        kmp("foo", "2.0", &new, 8).scriptlet("posttrans", "exit 0").build(),
    ];
    for (hook, options) in [("", &["-i", "--test"][..]), ("", &["-i"]), ("tsm_pre", &["-U", "--replacepkgs"])]
    {
        let output = rpm_env(&root, &[("KMP_TEST_PANIC", hook)], options, &[&packages[0], &packages[1]]);
        assert!(output.success() && !output.stderr.contains("runtime error"), "{options:?}: {output}");
    }
    assert!(root.exists(link(NEW, "bar")));
    rpm_with(&root, &[], ["-e", "bar-kmp-default", "kernel-default"]).expect_success();
}

/// Faults and leaks with the plugin on the way to them; what rpm does by itself is not ours.
#[test]
#[ignore = "it takes long"]
fn valgrind_finds_no_fault_and_no_leak_of_ours() {
    let root = site();
    let new = kernel(NEW, 8);
    let packages = [telling(&new).build(), kmp("foo", "2.0", &new, 8).build()];
    let found = |options: &[&str], variable: (&str, &str)| {
        let mut command = root.command("valgrind");
        command.args(["--quiet", "--trace-children=no", "--child-silent-after-fork=yes", "--num-callers=40"]);
        command.args(["--leak-check=full", "--show-leak-kinds=definite", "rpm", "--root"]).arg(root.path());
        command.args(["-i", "--nodeps", "--noscripts", "--ignorearch"]).args(options);
        command.args(packages.iter().map(|p| p.path())).env(variable.0, variable.1);
        let output = run_rpm(&mut command).expect_success();
        // A block of lines for each, with `==PID== ` alone between them.
        let blocks = output.stderr.split("== \n").map(String::from);
        blocks.filter(|block| block.contains("kmp.so") || block.contains("plugin.c")).collect::<Vec<_>>()
    };
    let seen = found(&["--test"], ("KMP_TEST_OVERREAD", "tsm_pre"));
    assert!(seen.iter().any(|block| block.contains("read_too_far")), "{seen:?}");
    let ours = found(&[], ("KMP_TEST_OVERREAD", ""));
    assert!(ours.is_empty(), "{}", ours.join("\n"));
    assert!(root.exists(link(NEW, "bar")));
}
