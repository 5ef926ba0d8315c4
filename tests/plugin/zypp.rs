// SPDX-License-Identifier: LGPL-2.1-or-later
//! libzypp's classic mode: a commit is many calls of rpm. The commit plugin is driven as libzypp does.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use nix::fcntl::{Flock, FlockArg};
use testkit::{Output, Package, TestRoot, run_rpm};

use crate::support::{NEW, OLD, depmods, kernel, kmp, link, rpm_env, site, telling};

pub struct Commit(Child);

impl Commit {
    pub fn begin(root: &TestRoot, steps: &[(&str, &Package)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kmp"));
        command.arg("--root").arg(root.path()).arg("zypp-commit-plugin");
        let mut commit = Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
        commit.say("PLUGINBEGIN\nuserdata:x\n\n");
        let step = |(kind, package): &(&str, &Package)| {
            let (nvr, arch) = package.nevra().rsplit_once('.').unwrap();
            let [release, version, name] = *nvr.rsplitn(3, '-').collect::<Vec<_>>() else { panic!("{nvr}") };
            format!(
                r#"{{"type":"{kind}","stage":"","solvable":{{"n":"{name}","v":"{version}","r":"{release}","a":"{arch}"}}}}"#
            )
        };
        let steps: Vec<String> = steps.iter().map(step).collect();
        commit.say(&format!("COMMITBEGIN\n\n{{\"TransactionStepList\":[{}]}}", steps.join(",")));
        commit
    }

    fn say(&mut self, frame: &str) {
        let stdin = self.0.stdin.as_mut().unwrap();
        stdin.write_all(frame.as_bytes()).unwrap();
        stdin.write_all(b"\0").unwrap();
        let mut answer = [0; 6];
        self.0.stdout.as_mut().unwrap().read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"ACK\n\n\0");
    }

    pub fn end(mut self) {
        self.say("COMMITEND\n\n{}");
        self.say("PLUGINEND\n\n");
        assert!(self.0.wait().unwrap().success());
    }
}

pub fn download(root: &TestRoot, packages: &[&Package]) {
    for package in packages {
        let name = package.path().file_name().unwrap().to_str().unwrap();
        root.write(
            format!("var/cache/zypp/packages/repo/x86_64/{name}"),
            std::fs::read(package.path()).unwrap(),
        );
    }
}

pub fn call(root: &TestRoot, options: &[&str], packages: &[&Package]) -> Output {
    rpm_env(root, &[("ZYPP_IS_RUNNING", "1")], options, packages)
}

#[test]
fn the_first_call_is_stopped_for_what_comes_later() {
    let root = site();
    let plain = testkit::PackageBuilder::new("plain", "1", "1").build();
    let new = telling(&kernel(NEW, 8)).build();
    download(&root, &[&plain, &new]);
    let commit = Commit::begin(&root, &[("M", &plain), ("M", &new)]);
    // As long as nothing was done, it is stopped as often as somebody tries again, or leaves a package out.
    for package in [&plain, &plain, &new] {
        let output = call(&root, &["-i"], &[package]);
        assert!(!output.success() && output.stderr.contains("foo-kmp-default-1.0"), "{output}");
    }
    commit.end();
    assert!(!root.exists("run/kmp/commit") && !root.exists("run/kmp/commit-judged"));
    assert!(!root.exists(format!("usr/lib/modules/{NEW}")) && depmods(&root).is_empty());
}

#[test]
fn a_driver_that_comes_later_counts() {
    let new = kernel(NEW, 8);
    let packages = [telling(&new).build(), kmp("foo", "2.0", &new, 8).build()];
    let root = site();
    download(&root, &[&packages[0], &packages[1]]);
    let commit = Commit::begin(&root, &[("M", &packages[0]), ("M", &packages[1])]);
    for package in &packages {
        assert_eq!(call(&root, &["-i"], &[package]).expect_success().stderr, "");
    }
    assert!(root.exists(link(NEW, "bar")));
    commit.end();
}

/// libzypp erases what depends on something that goes, too; what somebody wants is on its program's command line.
#[test]
fn a_driver_that_is_to_go_with_a_kernel_is_missed_unless_somebody_named_it() {
    let root = site();
    let new = telling(&kernel(NEW, 8)).build();
    let foo = kmp("foo", "1.0", &kernel(OLD, 7), 7).build();
    download(&root, &[&new]);
    let words = [["dup", "--details"], ["remove", "bar-kmp-default"], ["remove", "foo-kmp-*"]];
    for (number, words) in words.iter().enumerate() {
        let mut zypper = Command::new("/bin/sh");
        zypper.args(["-c", "read line", "zypper"]).args(words).stdin(Stdio::piped());
        let mut zypper = zypper.spawn().unwrap();
        let commit = Commit::begin(&root, &[("-", &foo), ("M", &new)]);
        let running = zypper.id().to_string();
        let output = rpm_env(&root, &[("ZYPP_IS_RUNNING", &running)], &["-i"], &[&new]);
        assert_eq!(output.success(), number == 2, "{words:?}: {output}");
        assert_eq!(output.stderr.contains("is lost: it would be erased"), number != 2, "{words:?}: {output}");
        commit.end();
        drop(zypper.stdin.take());
        zypper.wait().unwrap();
    }
}

#[test]
fn a_list_that_a_dead_plugin_left_is_not_believed() {
    let root = site();
    root.write("run/kmp/commit", "");
    let new = telling(&kernel(NEW, 8)).build();
    let output = call(&root, &["-i"], &[&new]).expect_success();
    assert!(output.stderr.contains("warning: kmp: foo-kmp-default-1.0"), "{output}");
}

/// Holds a list as the commit plugin does.
fn list(root: &TestRoot, text: &[u8]) -> Flock<File> {
    root.write("run/kmp/commit", text);
    let file = File::open(root.join("run/kmp/commit")).unwrap();
    Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap()
}

#[test]
fn a_list_that_is_none_is_not_believed() {
    let root = site();
    let new = telling(&kernel(NEW, 8)).build();
    let good = format!("M {}\n", new.nevra());
    let after_it =
        [&b"\0\n"[..], b"\0M x-1-1.noarch\n", b"\n", b"M\n", b"M \n", b"? x-1-1.noarch\n", b"M x-1"];
    for more in after_it {
        let held = list(&root, &[good.as_bytes(), more].concat());
        let output = call(&root, &["-i", "--test"], &[&new]).expect_success();
        assert!(output.stderr.contains("warning: kmp: foo-kmp-default-1.0"), "{more:?}: {output}");
        drop(held);
    }
    // The list itself is a good one.
    let _held = list(&root, good.as_bytes());
    let output = call(&root, &["-i", "--test"], &[&new]);
    assert!(!output.success() && output.stderr.contains("foo-kmp-default-1.0"), "{output}");
}

#[test]
fn no_list_makes_the_plugin_read_beyond_a_line() {
    let root = site();
    let new = telling(&kernel(NEW, 8)).build();
    for text in [&b"\0\n"[..], b"\0M x-1-1.noarch\n-\n", b"M x-1-1.noarch\n\0", b"M x\0y\n\n", b"- \n"] {
        let _held = list(&root, text);
        let mut command = root.command("valgrind");
        command.args(["--quiet", "--trace-children=no", "--undef-value-errors=no", "rpm", "--root"]);
        command.arg(root.path()).env("ZYPP_IS_RUNNING", "1");
        let output = run_rpm(command.args(["-i", "--test", "--nodeps"]).arg(new.path()));
        assert!(output.stderr.contains("foo-kmp-default-1.0"), "{text:?}: {output}");
        let at: Vec<_> = output.stderr.lines().filter(|line| line.contains("kmp.so")).collect();
        assert!(at.is_empty(), "{text:?}: {output}");
    }
}
