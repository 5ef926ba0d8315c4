// SPDX-License-Identifier: LGPL-2.1-or-later
//! One call that reads fails: what is unknown is not absent. No link, marker or verdict is lost for it, the message names what
//! could not be read, the exit status says so, and the next run is right.
//!
//! `strace` makes the call fail. The quick form takes some calls of each scenario, a campaign others in each run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testkit::{Output, TestRoot, campaign, run};

use crate::support::{
    EL_OLD, EL_OTHER, EL_SAME, KMP, OLD, OTHER, SAME, driver, el_kernels, good, kernel, kmod, kmod_one,
    one_module, package, pair, red_hat, three_kernels, write,
};

/// Every call by which a program looks at something.
const READING: &str = "open,openat,openat2,read,pread64,readv,preadv,getdents64,readlink,readlinkat,stat,lstat,fstat,\
    newfstatat,statx,access,faccessat,faccessat2,mmap,statfs,fstatfs";

/// What such a call may fail with, the last two where it can be made again.
const ERRORS: &[&str] = &["EIO", "EACCES", "ENOMEM", "EMFILE", "EINTR", "EAGAIN"];

/// How many calls of each scenario fail in the quick form, and in one run of a campaign.
const QUICK: usize = 18;
const LONG: usize = 60;

/// Links of each kernel, and markers and notes that ask for initrds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    links: BTreeMap<(String, PathBuf), PathBuf>,
    markers: BTreeSet<String>,
    notes: BTreeSet<String>,
}

/// What is asked of a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    /// It changes links and asks for initrds; how a failure ends.
    Writes { failure: i32 },
    /// It tells, in JSON.
    Tells,
}

struct Scenario {
    root: TestRoot,
    /// All that a run changes, to start from again.
    before: tempfile::TempDir,
    verb: Verb,
    name: &'static str,
    args: Vec<String>,
    stdin: String,
    kernels: [&'static str; 3],
    core: usize,
}

const KEPT: [&str; 3] = ["usr/lib/modules", "run", "boot"];

fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-a").arg(from).arg(to)).expect_success();
}

impl Scenario {
    fn new(
        root: TestRoot,
        kernels: [&'static str; 3],
        verb: Verb,
        name: &'static str,
        args: &[&str],
    ) -> Self {
        let before = tempfile::tempdir().unwrap();
        for dir in KEPT {
            copy(&root.join(dir), &before.path().join(dir.replace('/', "-")));
        }
        let args = args.iter().map(ToString::to_string).collect();
        let core = usize::from(name.len() % 2 == 1);
        Self { root, before, verb, name, args, stdin: String::new(), kernels, core }
    }

    fn restore(&self) {
        for dir in KEPT {
            fs::remove_dir_all(self.root.join(dir)).unwrap();
            copy(&self.before.path().join(dir.replace('/', "-")), &self.root.join(dir));
        }
    }

    /// The command under strace with `options`, or plain without any; on one core, so that the order of calls is the same.
    fn run(&self, options: &[String]) -> Output {
        let mut command = self.root.command("taskset");
        command.args(["-c", &self.core.to_string()]);
        if !options.is_empty() {
            command.args(["strace", "-f", "-qq", "-y"]).args(options).arg("--");
        }
        // By the name that it is called by, it is another command.
        let program = self.root.home().join(self.name);
        if program.symlink_metadata().is_err() {
            symlink(KMP, &program).unwrap();
        }
        let root = if self.name == "weak-modules" { "--basedir" } else { "--root" };
        command.arg(program).arg(root).arg(self.root.path()).args(&self.args);
        command.env("INITRD_IN_POSTTRANS", "1").env("DEPMOD", "true");
        command.stdin(crate::support::piped(&self.stdin));
        run(&mut command)
    }

    fn state(&self) -> State {
        let names = |dir: &str| {
            let entries = fs::read_dir(self.root.join(dir)).into_iter().flatten();
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect::<BTreeSet<_>>()
        };
        let links = self.kernels.iter().flat_map(|krel| {
            let links = self.root.weak_updates(krel).into_iter();
            links.map(move |(link, target)| ((krel.to_string(), link), target))
        });
        State {
            links: links.collect(),
            markers: names("run/regenerate-initrd"),
            notes: names("run/kmp/check-initrd").into_iter().chain(names("run/kmp/needs-initrd")).collect(),
        }
    }

    /// The calls of an undisturbed run from where it first looks at the root: name, and which of its kind.
    fn calls(&self) -> Vec<(String, usize, String)> {
        let log = self.root.home().join("trace");
        let output = self
            .run(&["-o", log.to_str().unwrap(), "-e", &format!("trace={READING},execve")].map(String::from));
        assert!(matches!(output.status, Some(0 | 1)), "{output}");
        let text = String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned();
        let own = self.root.path().display().to_string();
        let first = text.split_whitespace().next().unwrap_or_default().to_string();
        let executes = |line: &&str| line.contains("execve(") && !line.starts_with(&first);
        let children: BTreeSet<&str> =
            text.lines().filter(executes).filter_map(|l| l.split_whitespace().next()).collect();
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut has_begun = false;
        let mut calls = BTreeMap::new();
        for line in text.lines() {
            let Some((pid, rest)) = line.trim_start().split_once(' ') else { continue };
            let Some((name, arguments)) = rest.trim_start().split_once('(') else { continue };
            if children.contains(pid) || name.contains(' ') {
                continue;
            }
            let count = counts.entry((pid, name)).or_default();
            *count += 1;
            has_begun |= arguments.contains(&own) && name != "execve";
            let fails_already = arguments.contains("= -1 ");
            // What goes between a program and its child is no file.
            let is_pipe = arguments.contains("<pipe:");
            if has_begun && name != "execve" && !fails_already && !is_pipe {
                calls.entry((name.to_string(), *count)).or_insert_with(|| arguments.to_string());
            }
        }
        calls.into_iter().map(|((name, nth), arguments)| (name, nth, arguments)).collect()
    }

    /// Lets calls fail, and looks what comes of it. Returns what is wrong, in words.
    fn disturb(&self) -> Vec<String> {
        self.restore();
        let old = self.state();
        let right = self.run(&[]);
        assert!(matches!(right.status, Some(0 | 1)), "{right}");
        let new = self.state();
        self.restore();
        let calls = self.calls();
        assert!(calls.len() > 50, "{} calls", calls.len());
        let (seed, number) = match campaign::seed() {
            Some(seed) => (usize::try_from(seed).unwrap(), LONG),
            None => (0, QUICK),
        };
        let (mut wrong, mut done) = (Vec::new(), 0);
        for at in 0..number {
            // Spread over the run, and each time others; in the end every call with every error.
            let place = seed * number + at;
            let (name, nth, arguments) = &calls[(place * 7919) % calls.len()];
            let error = ERRORS[(place + place / calls.len()) % ERRORS.len()];
            let may_be_again = ["open", "openat", "openat2", "read", "pread64", "readv", "getdents64"];
            let error = match error {
                "EINTR" | "EAGAIN" if !may_be_again.contains(&name.as_str()) => "EIO",
                error => error,
            };
            self.restore();
            let inject = format!("inject={name}:error={error}:when={nth}");
            let log = self.root.home().join("log");
            let output = self.run(&["-o", log.to_str().unwrap(), "-e", &inject].map(String::from));
            let shown = format!("{} {inject} {}", self.name, arguments.chars().take(160).collect::<String>());
            for what in self.faults(&output, &right, &old, &new) {
                wrong.push(format!("{shown}\n  {what}\n  {output}"));
            }
            let after = self.state();
            if (&after.links, &after.markers) != (&new.links, &new.markers) && self.verb != Verb::Tells {
                let again = self.run(&[]);
                let healed = self.state();
                let asked =
                    |state: &State| state.markers.union(&state.notes).cloned().collect::<BTreeSet<_>>();
                if again.status != Some(0)
                    || healed.links != new.links
                    || !asked(&healed).is_superset(&new.markers)
                {
                    wrong.push(format!(
                        "{shown}\n  the next run does not mend it: {healed:?}\n  {again}\n  first {output}"
                    ));
                }
            }
            done += 1;
        }
        let dialect = if self.kernels == RED_HAT { "Red Hat's" } else { "SUSE's" };
        let verb = [self.name, self.args.first().filter(|_| self.name == "kmp").map_or("", |arg| arg)];
        let name = format!("{}, {dialect} dialect", verb.join(" ").trim());
        campaign::figure("reads failed", done);
        campaign::figure(&format!("reads failed: {name}"), done);
        campaign::figure(&format!("violations: {name}"), wrong.len() as u64);
        wrong
    }

    fn faults(&self, output: &Output, right: &Output, old: &State, new: &State) -> Vec<String> {
        let mut wrong = Vec::new();
        let is = self.state();
        if output.stderr.contains("panicked") {
            wrong.push("it panics".to_string());
        }
        for key in old.links.keys().chain(new.links.keys()).chain(is.links.keys()).collect::<BTreeSet<_>>() {
            let link = is.links.get(key);
            if link != old.links.get(key) && link != new.links.get(key) {
                wrong.push(format!("{key:?} is {link:?}, neither the old nor the right one"));
            }
        }
        for marker in &old.markers {
            if new.markers.contains(marker) && !is.markers.contains(marker) {
                wrong.push(format!("the marker {marker} is lost"));
            }
        }
        let of = |state: &State, krel: &str| -> Vec<_> {
            state.links.iter().filter(|((k, _), _)| k == krel).map(|(a, b)| (a.clone(), b.clone())).collect()
        };
        for marker in new.markers.difference(&old.markers) {
            let is_asked = is.markers.contains(marker) || is.notes.contains(marker);
            let is_changed = of(&is, marker) != of(old, marker);
            if !is_asked && (is_changed || output.status == Some(0)) {
                wrong.push(format!("nobody asks for the initrd of {marker}"));
            }
        }
        let is_right = is.links == new.links && is.markers.is_superset(&new.markers);
        match self.verb {
            Verb::Writes { failure } => {
                if output.status == Some(0) && !is_right {
                    wrong.push(format!("exit 0, though not all is done: {is:?}"));
                }
                if !is_right && !matches!(output.status, Some(status) if status == failure || status == 127) {
                    wrong.push(format!("the exit status is not {failure}"));
                }
            }
            Verb::Tells => {
                if output.status == right.status && output.stdout != right.stdout {
                    wrong.push(format!(
                        "told with the status of a right answer: {}\nright {}",
                        output.stdout, right.stdout
                    ));
                }
                if output.status != right.status && !matches!(output.status, Some(2 | 127)) {
                    wrong.push("the exit status is not 2".into());
                }
                wrong.extend(other_verdicts(&output.stdout, &right.stdout));
            }
        }
        let mut words = self.kernels.iter().chain(&["/", "librpm"]);
        let names = words.any(|word| output.stderr.contains(word));
        if matches!(output.status, Some(1 | 2)) && output.status != right.status && !names {
            wrong.push("the message names nothing".into());
        }
        wrong
    }
}

/// Verdicts that are neither those of an undisturbed run nor unread.
fn other_verdicts(told: &str, right: &str) -> Vec<String> {
    fn verdicts(text: &str) -> BTreeMap<String, Value> {
        let document: Value = serde_json::from_str(text).unwrap_or_default();
        let mut found = BTreeMap::new();
        for kernel in document["kernels"].as_array().into_iter().flatten() {
            let lists = ["modules", "kmps", "unpackaged"].map(|key| kernel[key].as_array());
            for one in lists.into_iter().flatten().flatten() {
                let what = if one["path"].is_string() { &one["path"] } else { &one["package"] };
                let verdict = if one["state"].is_string() { &one["state"] } else { &one["fits"] };
                found.insert(format!("{} {what}", kernel["release"]), verdict.clone());
            }
        }
        found
    }
    let right = verdicts(right);
    let told = verdicts(told);
    let is_unknown = |verdict: &Value| verdict.is_null() || *verdict == "unread";
    let differs = told.iter().filter(|(what, verdict)| {
        !is_unknown(verdict) && right.get(*what).is_some_and(|right| right != *verdict)
    });
    differs.map(|(what, verdict)| format!("{what} is said to be {verdict}, not {:?}", right[what])).collect()
}

/// Kernels that can be booted, in a complete system.
fn complete(root: &TestRoot, kernels: &[&str]) {
    root.write("etc/fstab", "");
    root.write("etc/dracut.conf.d/own.conf", "add_drivers+=\" foo \"\n");
    root.write("usr/bin/dracut", "#!/bin/sh\n");
    run(Command::new("chmod").arg("755").arg(root.join("usr/bin/dracut"))).expect_success();
    for krel in kernels {
        root.write(format!("boot/vmlinuz-{krel}"), "image");
    }
}

/// Three kernels; links are there, and change: one package is new, one has a newer version, one stays.
fn suse() -> TestRoot {
    let root = TestRoot::new();
    root.write("etc/os-release", "ID=\"sles\"\nID_LIKE=\"suse\"\n");
    let [old, same, _] = three_kernels(&root);
    for krel in [OLD, SAME, OTHER] {
        let kernel = kernel(krel, if krel == OTHER { 8 } else { 7 });
        let in_tree = kernel.driver("in_tree").need("printk", 0x1000_0001);
        write(&kernel.module("drivers/net", in_tree), &root);
    }
    complete(&root, &[OLD, SAME, OTHER]);
    let [acme, user] = pair("1.0", &old, 7, 5);
    root.install(&[&acme, &user, &one_module("foo", "1.0", &old, 7), &one_module("gone", "1.0", &old, 7)]);
    for krel in [OLD, SAME, OTHER] {
        root.depmod(krel, &[] as &[&str]).expect_success();
    }
    good(&root, &["sync", "--no-initrd"]);
    root.erase(&["gone-kmp-default"]);
    let two = [("bar", driver("bar", &same, 7)), ("bar_more", driver("bar_more", &same, 7))];
    root.install(&[&one_module("foo", "2.0", &kernel(OTHER, 8), 7), &package("bar", "1.0", &same, &two)]);
    root
}

/// The same in Red Hat's dialect, with a module of no package, and one of depmod.d's overrides.
fn redhat() -> TestRoot {
    let root = red_hat();
    let [old, same, _] = el_kernels(&root);
    complete(&root, &[]);
    root.write("etc/depmod.d/foo.conf", "override foo * weak-updates/foo\n");
    root.install(&[&kmod_one("foo", "1.0", &old, 7), &kmod_one("gone", "1.0", &old, 7)]);
    let dkms = format!("usr/lib/modules/{EL_OLD}/extra");
    root.write(format!("{dkms}/one.ko"), driver("one", &old, 7).export("one_open", 3).build());
    root.write(format!("{dkms}/two.ko"), driver("two", &old, 7).need("one_open", 3).build());
    for krel in [EL_OLD, EL_SAME, EL_OTHER] {
        root.depmod(krel, &[] as &[&str]).expect_success();
    }
    good(&root, &["sync"]);
    root.erase(&["kmod-gone"]);
    let two = [("bar", driver("bar", &same, 7)), ("bar_more", driver("bar_more", &same, 7))];
    root.install(&[&kmod("bar", "1.0", &same, &two)]);
    root
}

const SUSE: [&str; 3] = [OLD, SAME, OTHER];
const RED_HAT: [&str; 3] = [EL_OLD, EL_SAME, EL_OTHER];
const KMP_WRITES: Verb = Verb::Writes { failure: 2 };
const DROP_IN: Verb = Verb::Writes { failure: 1 };

#[track_caller]
fn nothing_is_lost(scenario: &Scenario) {
    let wrong = scenario.disturb();
    assert!(wrong.is_empty(), "{} violations\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn of_sync() {
    nothing_is_lost(&Scenario::new(suse(), SUSE, KMP_WRITES, "kmp", &["sync"]));
}

#[test]
fn of_sync_in_red_hats_dialect() {
    nothing_is_lost(&Scenario::new(redhat(), RED_HAT, KMP_WRITES, "kmp", &["sync"]));
}

#[test]
fn of_check() {
    nothing_is_lost(&Scenario::new(suse(), SUSE, Verb::Tells, "kmp", &["check", "--json"]));
}

#[test]
fn of_check_in_red_hats_dialect() {
    nothing_is_lost(&Scenario::new(redhat(), RED_HAT, Verb::Tells, "kmp", &["check", "--json"]));
}

#[test]
fn of_status() {
    nothing_is_lost(&Scenario::new(suse(), SUSE, Verb::Tells, "kmp", &["status", "--json"]));
}

#[test]
fn of_status_in_red_hats_dialect() {
    nothing_is_lost(&Scenario::new(redhat(), RED_HAT, Verb::Tells, "kmp", &["status", "--json"]));
}

#[test]
fn of_initrd() {
    let root = suse();
    good(&root, &["sync", "--no-initrd"]);
    root.write("run/regenerate-initrd/all", "");
    nothing_is_lost(&Scenario::new(root, SUSE, KMP_WRITES, "kmp", &["initrd"]));
}

#[test]
fn of_weak_modules2() {
    let args = ["--add-kernel", SAME];
    nothing_is_lost(&Scenario::new(suse(), SUSE, DROP_IN, "weak-modules2", &args));
}

#[test]
fn of_weak_modules() {
    let args = ["--add-modules", "--no-initramfs"];
    let mut scenario = Scenario::new(redhat(), RED_HAT, DROP_IN, "weak-modules", &args);
    scenario.stdin = format!("/lib/modules/{EL_SAME}/extra/bar/bar.ko\n");
    nothing_is_lost(&scenario);
}
