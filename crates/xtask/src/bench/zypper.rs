// SPDX-License-Identifier: LGPL-2.1-or-later
//! What rules about kernels that are held cost zypper: an update with the rules that kmp writes for many drivers in many kernels, and
//! without any.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use kmp_core::config::Config;
use kmp_repo::update::{
    self, DriverFate, DriverVerdict, Installed, KernelFate, KernelVerdict, Line, Named, Update,
};
use rpm_meta::Evr;

use super::measure::{Run, measured};
use super::repository::{self, DRIVERS, KERNELS};
use super::roots::BenchRoot;
use super::{Row, Spread, expect};
use crate::run::{finish, this_program};
use crate::{install, releases};

/// zypper's CPU time with rules, divided by that without.
const BOUND: f64 = 1.05;

/// How many drivers there are of which each is missing in each kernel: so many times [`KERNELS`] verdicts.
const SIZES: [usize; 2] = [DRIVERS / 10, DRIVERS];

pub(super) fn rows(base: &Path, rounds: usize, rows: &mut Vec<Row>) -> Result<(), String> {
    let (_, repository) = repository::make(base);
    let root = repository::with_drivers(base);
    if !knows_rules() {
        return in_newer_release(base, rounds);
    }
    let zypper = zypper(&root)?;
    if !root.path().join("etc/zypp/repos.d/base.repo").exists() {
        let url = format!("dir:{}", repository.display());
        testkit::run(&mut zypper(&["addrepo", &url, "base"])).expect_success();
    }
    testkit::run(&mut zypper(&["refresh"])).expect_success();
    let mut update = zypper(&["--no-refresh", "update", "--dry-run"]);
    let file = root.path().join("etc/zypp/systemCheck.d/kmp.check");
    fs::create_dir_all(file.parent().unwrap_or(Path::new("/"))).map_err(|e| e.to_string())?;
    let mut files = vec![String::new()];
    for drivers in SIZES {
        files.push(rules(drivers).ok_or("no rules were written")?);
    }
    let set = |rules: &str| fs::write(&file, rules).map_err(|e| e.to_string());
    for rules in &files {
        set(rules)?;
        let said = testkit::run(&mut update).expect_success().stdout;
        if said.contains("NOT be installed") == rules.is_empty() {
            return Err(format!("with {} rules zypper says: {said}", rules.lines().count()));
        }
    }
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); files.len()];
    for round in 0..=rounds {
        // Each is the first as often as the others.
        for turn in 0..files.len() {
            let which = (round + turn) % files.len();
            set(&files[which])?;
            let run = measured(&update)?;
            expect(&run, &[0], "zypper update")?;
            if round > 0 {
                runs[which].push(run);
            }
        }
    }
    let version = testkit::run(Command::new("zypper").arg("--version")).stdout;
    for (which, drivers) in (1..).zip(SIZES) {
        let ratio =
            Spread::of(runs[which].iter().zip(&runs[0]).map(|(with, without)| with.cpu / without.cpu));
        let [with, without] = [which, 0].map(|which| Spread::of(runs[which].iter().map(|run| run.cpu)));
        rows.push(Row {
            what: format!(
                "`zypper update --dry-run` ({}), {drivers} drivers that are missing in {KERNELS} kernels, which makes {} rules: \
                 CPU time / without rules",
                version.trim(),
                files[which].lines().filter(|line| line.starts_with("requires:")).count(),
            ),
            bound: format!("{BOUND}"),
            measured: format!("{}: {} s / {} s", ratio.show(3), with.show(3), without.show(3)),
            good: ratio.median <= BOUND,
        });
    }
    Ok(())
}

/// Does libzypp know conditions in rules? As zypper 1.14.60 came with libzypp 17.31.9.
fn knows_rules() -> bool {
    let version = testkit::run(Command::new("zypper").arg("--version")).stdout;
    let last = version.trim().rsplit('.').next().and_then(|n| n.parse::<u32>().ok());
    last.is_some_and(|last| last >= 60)
}

/// The same on a newer release, whose root `cargo xtask releases` has made. It prints its own table.
fn in_newer_release(base: &Path, rounds: usize) -> Result<(), String> {
    let this = this_program()?;
    let Some(mut command) =
        releases::enter(vec![("rw", base.to_owned()), ("ro", this.parent().unwrap_or(base).to_owned())])
    else {
        println!(
            "zypper update with rules: not measured: this libzypp knows no conditions in rules, and there is no root of a newer \
             release (cargo xtask releases makes it)"
        );
        return Ok(());
    };
    command.arg(&this).args(["bench", "zypper", "--rounds", &rounds.to_string(), "--built"]);
    finish("zypper update in a newer release", command.arg(install::target()))
}

/// What runs zypper on a root.
fn zypper(root: &BenchRoot) -> Result<impl Fn(&[&str]) -> Command + '_, String> {
    // libzypp lists the machine's directory, and reads each file of it below the root.
    let listed = root.path().join("listed");
    fs::create_dir_all(&listed).map_err(|e| e.to_string())?;
    fs::write(listed.join("kmp.check"), "").map_err(|e| e.to_string())?;
    fs::create_dir_all("/etc/zypp/systemCheck.d").map_err(|e| format!("/etc/zypp/systemCheck.d: {e}"))?;
    Ok(move |words: &[&str]| {
        let in_namespace = "mount --bind \"$0\" /etc/zypp/systemCheck.d && exec \"$@\"";
        let mut command = root.command("unshare");
        command.args(["--mount", "sh", "-c", in_namespace]).arg(&listed).args(["zypper", "--root"]);
        command.arg(root.path()).args(["--non-interactive", "--no-gpg-checks"]).args(words);
        command
    })
}

/// What kmp writes where each of so many drivers is missing in each kernel that the repository has.
fn rules(drivers: usize) -> Option<String> {
    let line = "kernel-default".to_owned();
    let kernels = (1..=KERNELS).map(|number| {
        let evr = format!("6.4.0-{}", 1 + number);
        let missing = |driver| DriverFate {
            driver: repository::driver(driver),
            verdict: DriverVerdict::Missing,
            build: None,
            why: String::new(),
            stops: true,
            needs_source: false,
            is_update: false,
        };
        KernelFate {
            package: Named {
                nevra: format!("{line}-{evr}.x86_64"),
                name: line.clone(),
                evr,
                repository: "base".into(),
                vendor: None,
                packager: None,
                signing: None,
            },
            line: line.clone(),
            krel: None,
            release: String::new(),
            verdict: KernelVerdict::Held,
            held_since: None,
            is_let: false,
            reason: String::new(),
            packages: Vec::new(),
            drivers: (0..drivers).map(missing).collect(),
            advisories: Vec::new(),
        }
    });
    let update = Update { kernels: kernels.collect(), problems: Vec::new() };
    let installed = Line {
        name: line,
        newest: Evr::parse("6.4.0-1"),
        arch: "x86_64".into(),
        release: String::new(),
        releases: Vec::new(),
    };
    let none = (HashSet::new(), HashMap::new(), HashMap::new());
    let installed = Installed::known(vec![installed], none.0, none.1, none.2, true);
    update::rules(&update, &installed, &Config::default())
}
