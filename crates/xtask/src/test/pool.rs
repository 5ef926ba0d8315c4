// SPDX-License-Identifier: LGPL-2.1-or-later
//! Runs tests, as many programs at once as there are processors, and takes each test's time.
//!
//! libtest tells no times on the stable toolchain. With one thread it prints each test's name before it runs it: so
//! the tests of a program are run in groups, one after the other in each, several groups at once, and the time at which
//! each name appears is taken. The groups that took long the last time come first. A test that does not end is ended.

use std::collections::{HashMap, VecDeque};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::binaries::{self, Binary};
use super::seen::Seen;
use super::steps::{self, End};
use super::{skipped, times};
use crate::run::{end_group, this_program};
use crate::{install, privilege};

/// The most tests in a group.
const MOST: usize = 8;

/// A test that takes longer hangs. The longest takes two minutes on two processors.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// Programs whose tests share what the first of them makes: one group each.
const WHOLE: &[&str] = &["capi", "differential", "librpm", "packages", "zypper"];

/// Tests of one program that run one after the other.
struct Group<'b> {
    binary: &'b Binary,
    tests: Vec<String>,
}

/// What came of a group.
struct Report {
    times: Vec<(String, Duration)>,
    /// The tests that showed nothing on this machine, and why: `testkit::skip`.
    skipped: Vec<(String, String)>,
    /// What the program printed, where it failed.
    failed: Option<String>,
}

/// Builds what [`tests`] and [`packages`] run.
pub fn build() -> Result<(), String> {
    binaries::build().map(drop)
}

/// All tests but those of kmp's packages.
pub fn tests() -> End {
    let mut binaries = binaries::build()?;
    binaries.retain(|binary| binary.name != "packages");
    run_all(&binaries, "tests").map(|()| None)
}

/// Those of kmp's packages, which are built.
pub fn packages() -> End {
    let mut binaries = binaries::build()?;
    binaries.retain(|binary| binary.name == "packages");
    run_all(&binaries, "packages").map(|()| None)
}

fn run_all(binaries: &[Binary], step: &str) -> Result<(), String> {
    run_some(binaries, step, |_, _| true)
}

/// Those tests of some programs that are wanted, by the names of both; what they took is kept by the step's name.
pub fn run_some(
    binaries: &[Binary],
    step: &str,
    is_wanted: impl Fn(&str, &str) -> bool,
) -> Result<(), String> {
    let mut groups = Vec::new();
    for binary in binaries {
        let mut tests = binary.tests()?;
        tests.retain(|test| is_wanted(&binary.name, test));
        groups.extend(grouped(binary, tests));
    }
    run(groups, step, &built())
}

/// Runs the tests whose names have one of `parts` in them, and shows what they print.
///
/// # Errors
/// One fails, or there is none for a part.
pub fn named(parts: &[String]) -> Result<(), String> {
    let mut groups = Vec::new();
    let mut missing: Vec<&String> = parts.iter().collect();
    let binaries = binaries::build()?;
    for binary in &binaries {
        let mut tests = binary.tests()?;
        missing.retain(|part| !tests.iter().any(|test| test.contains(*part)));
        tests.retain(|test| parts.iter().any(|part| test.contains(part)));
        if !tests.is_empty() {
            println!("{} ({}): {}", binary.name, binary.place(), tests.join(", "));
            groups.extend(grouped(binary, tests));
        }
    }
    if let Some(part) = missing.first() {
        return Err(format!(
            "no step is called {part}, and no test has that in its name (cargo xtask test --list)"
        ));
    }
    run(groups, "named", &[])
}

/// Every test, by program.
pub fn list() -> Result<(), String> {
    for binary in &binaries::build()? {
        println!("\n{} ({})", binary.name, binary.place());
        for test in binary.tests()? {
            println!("  {test}");
        }
    }
    Ok(())
}

/// Groups by module, for tests of one are alike and use the same.
fn grouped(binary: &Binary, tests: Vec<String>) -> Vec<Group<'_>> {
    let module = |test: &str| test.rsplit_once("::").map_or(String::new(), |(module, _)| module.to_string());
    let whole = WHOLE.contains(&binary.name.as_str());
    let mut groups: Vec<Group<'_>> = Vec::new();
    for test in tests {
        match groups.last_mut() {
            Some(group)
                if whole || (module(&group.tests[0]) == module(&test) && group.tests.len() < MOST) =>
            {
                group.tests.push(test);
            }
            _ => groups.push(Group { binary, tests: vec![test] }),
        }
    }
    groups
}

fn run(mut groups: Vec<Group<'_>>, step: &str, variables: &[(&str, PathBuf)]) -> Result<(), String> {
    let count: usize = groups.iter().map(|group| group.tests.len()).sum();
    if count == 0 {
        return Err("there are no tests: they are not found".into());
    }
    let before = times::read(step);
    let expected = |group: &Group<'_>| -> Duration {
        let of = |test: &String| before.get(&times::key(&group.binary.name, test)).copied();
        group.tests.iter().filter_map(of).sum()
    };
    groups.sort_by_key(|group| std::cmp::Reverse(expected(group)));
    let namespace = privilege::namespace()?;
    let queue = Mutex::new(VecDeque::from(groups));
    let reports = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(group) = next else { break };
                    let report = group.run(&namespace, variables, PATIENCE);
                    match &report.failed {
                        Some(said) => println!("{said}"),
                        None => println!("{}", report.line(&group)),
                    }
                    reports.lock().unwrap_or_else(PoisonError::into_inner).push((group, report));
                }
            });
        }
    });
    let reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    let measured: HashMap<String, Duration> = reports
        .iter()
        .flat_map(|(group, report)| {
            report.times.iter().map(|(test, took)| (times::key(&group.binary.name, test), *took))
        })
        .collect();
    let skipped: Vec<(String, String)> = reports
        .iter()
        .flat_map(|(group, report)| {
            let of = |(test, why): &(String, String)| (times::key(&group.binary.name, test), why.clone());
            report.skipped.iter().map(of)
        })
        .collect();
    println!("{} of {count} tests run, {} of them skipped", measured.len(), skipped.len());
    times::write(step, &measured)?;
    skipped::write(step, &skipped)?;
    let failed: Vec<&str> =
        reports.iter().filter(|(_, r)| r.failed.is_some()).map(|(g, _)| g.binary.name.as_str()).collect();
    match failed.is_empty() {
        true if measured.len() == count => Ok(()),
        true => Err(format!("of {count} tests only {} were seen to run", measured.len())),
        false => Err(format!("tests of {} failed", failed.join(", "))),
    }
}

/// What other steps have built, for tests that would build it otherwise.
fn built() -> Vec<(&'static str, PathBuf)> {
    let plugin = install::target().join("debug/rpm-plugin-faults/kmp.so");
    let own = steps::own_packages("redhat");
    let of_red_hat = if own.exists() { own } else { steps::packages("redhat") };
    let all = [
        ("KMP_PLUGIN", plugin),
        ("KMP_PACKAGES", steps::packages("1")),
        ("KMP_PACKAGES_2", steps::packages("2")),
        ("KMP_PACKAGES_REDHAT", of_red_hat),
    ];
    all.into_iter().filter(|(name, path)| std::env::var_os(name).is_none() && path.exists()).collect()
}

impl Report {
    /// That all is well, in one line.
    fn line(&self, group: &Group<'_>) -> String {
        let took: Duration = self.times.iter().map(|(_, took)| *took).sum();
        let (first, count) = (group.tests.first().map_or("", String::as_str), group.tests.len());
        format!("{:>6.1} s  {} {first} ({count} tests)", took.as_secs_f64(), group.binary.name)
    }
}

impl Group<'_> {
    fn run(&self, namespace: &[&str], variables: &[(&str, PathBuf)], patience: Duration) -> Report {
        let mut command = self.binary.command(namespace);
        command.args(["--exact", "--test-threads=1"]).args(&self.tests);
        command.envs(variables.iter().map(|(name, path)| (name, path)));
        command.envs(this_program().map(|program| ("KMP_TEST_XTASK", program)));
        // So that it can be ended with the programs that it waits for.
        command.process_group(0);
        let failed = |why: String| Report { times: Vec::new(), skipped: Vec::new(), failed: Some(why) };
        // One pipe for both, so that all stays in order.
        let (output, end) = match std::io::pipe() {
            Ok(pipe) => pipe,
            Err(e) => return failed(format!("a pipe: {e}")),
        };
        let child = end.try_clone().and_then(|same| command.stdout(end).stderr(same).spawn());
        // Its ends of the pipe are closed with it.
        drop(command);
        let mut child = match child {
            Ok(child) => child,
            Err(e) => return failed(format!("{}: {e}", self.binary.program.display())),
        };
        let mut seen = Seen::default();
        let heard = seen.listen(output, patience);
        if heard.is_err() {
            end_group(&child);
        }
        let status = child.wait();
        let times = seen.times(Instant::now());
        let said = || String::from_utf8_lossy(&seen.text).into_owned();
        let failed = match (heard, status) {
            (Err(why), _) => Some(format!("{}\n{}: {why}", said(), self.binary.name)),
            (_, Ok(status)) if status.success() => None,
            (_, Ok(status)) => Some(format!("{}{}: {status}", said(), self.binary.name)),
            (_, Err(e)) => Some(format!("{}{}: {e}", said(), self.binary.name)),
        };
        Report { times, skipped: seen.skipped, failed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_hangs_is_ended_with_what_it_waits_for() {
        let dir = tempfile::tempdir().unwrap();
        let (program, note) = (dir.path().join("hangs"), dir.path().join("pid"));
        let script = format!(
            "#!/bin/sh\nprintf 'test a ... ok\\ntest b ... '\nsleep 1000 &\necho $! >'{}'\nwait\n",
            note.display()
        );
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let binary = Binary { name: "hangs".into(), program, package: dir.path().into() };
        let group = Group { binary: &binary, tests: vec!["a".into(), "b".into()] };
        // A busy machine may take a while to start a shell.
        let report = group.run(&[], &[], Duration::from_secs(10));
        let said = report.failed.unwrap();
        assert!(said.contains("hangs: b has not ended within 10 s, and was killed"), "{said}");
        let pid = std::fs::read_to_string(note).unwrap();
        let stat = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        // Until a busy machine gets round to ending it.
        while stat().is_ok_and(|stat| !stat.contains(") Z ")) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
