// SPDX-License-Identifier: LGPL-2.1-or-later
//! Faults of ours are a warning each, and rpm goes on.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use nix::fcntl::{Flock, FlockArg};
use testkit::{Package, PackageBuilder, TestRoot, run};

use crate::support::{NEW, OLD, kernel, kmp, link, plugin, rpm_env, site, telling};

#[test]
fn a_panic_in_any_hook_does_not_stop_rpm() {
    let new = kernel(NEW, 8);
    let packages = [
        telling(&new).scriptlet("post", "exit 0").scriptlet("posttrans", "exit 0").build(),
        kmp("foo", "2.0", &new, 8).build(),
    ];
    for hook in ["init", "tsm_pre", "psm_post", "scriptlet_pre", "scriptlet_fork_post", "tsm_post", "cleanup"]
    {
        let root = site();
        let environment = [("KMP_TEST_PANIC", hook)];
        let output = rpm_env(&root, &environment, &["-i"], &[&packages[0], &packages[1]]).expect_success();
        // Each forked child tells of its own.
        let times = if hook == "scriptlet_fork_post" { 2 } else { 1 };
        assert_eq!(output.stderr.matches("warning: kmp: ").count(), times, "{hook}: {output}");
        assert_eq!(
            output.stderr.matches(&format!("warning: kmp: {hook}: an internal fault of libkmp")).count(),
            times
        );
        assert!(root.exists(link(NEW, "bar")), "{hook}");
        let gone = crate::support::rpm_with(&root, &environment, ["-e", "bar-kmp-default"]);
        gone.expect_success();
        assert!(!root.exists(link(NEW, "bar")), "{hook}");
    }
}

#[test]
fn a_panic_does_not_lift_the_veto() {
    let root = site();
    let environment = [("KMP_TEST_PANIC", "tsm_pre")];
    assert!(!rpm_env(&root, &environment, &["-i"], &[&telling(&kernel(NEW, 8)).build()]).success());
}

#[test]
fn an_rpm_that_lacks_a_function_goes_on_without_us() {
    let root = site();
    let environment = [("KMP_TEST_SYMBOL", "rpmNoSuchFunction")];
    let output = rpm_env(&root, &environment, &["-i"], &[&telling(&kernel(NEW, 8)).build()]).expect_success();
    assert_eq!(
        output.stderr.matches("warning: kmp: this rpm lacks rpmNoSuchFunction").count(),
        1,
        "{output}"
    );
}

#[test]
fn a_configuration_that_is_not_understood_is_told_once() {
    let root = site();
    root.write("etc/kmp.conf", "on-lost-driver = perhaps\n");
    let new = kernel(NEW, 8);
    let packages = [telling(&new).build(), kmp("foo", "2.0", &new, 8).build()];
    let output = rpm_env(&root, &[], &["-i"], &[&packages[0], &packages[1]]).expect_success();
    assert_eq!(output.stderr.matches("warning: kmp: ").count(), 1, "{output}");
    assert!(output.stderr.contains("kmp.conf"), "{output}");
}

/// rpm cannot read what is installed either, and says so; its result is what it is without us.
#[test]
fn a_damaged_database_is_one_warning_and_rpms_own_result() {
    let package = telling(&kernel(NEW, 8)).build();
    let damaged = |environment: &[(&str, &str)], options: &[&str]| {
        let root = site();
        // The header of an installed driver: rpm meets it only if it looks for it.
        let sql = "UPDATE Packages SET blob = substr(blob, 1, 100) WHERE hnum = \
                   (SELECT hnum FROM Name WHERE key = 'foo-kmp-default')";
        run(Command::new("sqlite3").arg(root.join("var/lib/rpm/rpmdb.sqlite")).arg(sql)).expect_success();
        let output = rpm_env(&root, environment, options, &[&package]);
        let kernels = root.rpm(["-q", "kernel-default"]).stdout;
        (output, kernels)
    };
    let (with, installed) = damaged(&[], &["-i"]);
    let (without, expected) = damaged(&[], &["-i", "--noplugins"]);
    assert_eq!((with.status, &installed), (without.status, &expected), "{with}\n{without}");
    assert!(installed.contains("kernel-default-6.4.0-3"), "{installed}");
    assert_eq!(with.stderr.matches("warning: kmp: ").count(), 1, "{with}");
    assert!(!without.stderr.contains("kmp"), "{without}");
}

/// What is broken on the disk is not taken into account, with one warning in each transaction that concerns drivers.
#[test]
fn a_module_that_cannot_be_read_is_one_warning() {
    let root = site();
    for name in ["foo", "bar"] {
        root.write(format!("usr/lib/modules/{OLD}/updates/{name}.ko"), "no module");
    }
    let output = rpm_env(&root, &[], &["-i"], &[&telling(&kernel(NEW, 8)).build()]).expect_success();
    assert_eq!(output.stderr.matches("warning: kmp: ").count(), 1, "{output}");
    assert!(output.stderr.contains("updates/"), "{output}");
    let plain = PackageBuilder::new("plain", "1", "1").build();
    assert_eq!(rpm_env(&root, &[], &["-i"], &[&plain]).expect_success().stderr, "");
}

/// Another run of kmp has the lock.
fn busy(root: &TestRoot) -> Flock<File> {
    root.write("run/kmp/lock", "");
    let file = File::open(root.join("run/kmp/lock")).unwrap();
    Flock::lock(file, FlockArg::LockExclusive).unwrap()
}

#[test]
fn another_run_is_waited_for_and_that_is_said() {
    let root = site();
    let new = kernel(NEW, 8);
    let packages = [telling(&new).build(), kmp("foo", "2.0", &new, 8).build()];
    let lock = busy(&root);
    let mut command = root.command("rpm");
    command
        .arg("--root")
        .arg(root.path())
        .args(["-i", "--nodeps"])
        .args(packages.each_ref().map(Package::path));
    let mut rpm = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(rpm.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = said.find(|l| l.contains("kmp: ")).unwrap();
    assert_eq!(line, "warning: kmp: another run of kmp is in progress; waiting for it, at most 60 seconds");
    drop(lock);
    assert_eq!(said.find(|l| l.contains("kmp: ")), None);
    assert!(rpm.wait().unwrap().success());
    assert!(root.exists(link(NEW, "bar")));
}

#[test]
fn another_run_that_does_not_end_is_not_waited_for_for_ever() {
    let root = site();
    let new = kernel(NEW, 8);
    let package = telling(&new).scriptlet("posttrans", "exit 0").build();
    let lock = busy(&root);
    let environment = [("KMP_TEST_PATIENCE", "12")];
    let output = rpm_env(&root, &environment, &["-i"], &[&package, &kmp("foo", "2.0", &new, 8).build()]);
    assert!(output.success(), "{output}");
    let said: Vec<&str> = output.stderr.lines().filter(|l| l.starts_with("warning: kmp: ")).collect();
    assert_eq!(said.len(), 2, "{output}");
    assert!(
        said[0].contains("waiting for it, at most 1 seconds") && said[1].contains("until `kmp sync` does so"),
        "{output}"
    );
    assert!(!root.exists(link(NEW, "bar")));
    drop(lock);
    let mut sync = root.command(env!("CARGO_BIN_EXE_kmp"));
    run(sync.arg("--root").arg(root.path()).arg("sync")).expect_success();
    assert!(root.exists(link(NEW, "bar")));
}

#[test]
fn it_exports_its_hooks_and_needs_no_librpm() {
    let symbols = run(Command::new("nm").args(["-D", "--defined-only"]).arg(plugin())).expect_success();
    let names: Vec<&str> = symbols.lines().into_iter().filter_map(|l| l.split_whitespace().nth(2)).collect();
    assert_eq!(names, ["kmp_hooks"]);
    let undefined = run(Command::new("nm").args(["-D", "--undefined-only"]).arg(plugin())).expect_success();
    assert!(!undefined.stdout.contains(" U rpm") && !undefined.stdout.contains(" U Fileno"), "{undefined}");
    let dynamic = run(Command::new("readelf").args(["-dW"]).arg(plugin())).expect_success().stdout;
    for line in dynamic.lines().filter(|l| l.contains("NEEDED")) {
        assert!(["libc.so", "ld-linux", "libm.so"].iter().any(|l| line.contains(l)), "{line}");
    }
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
}
