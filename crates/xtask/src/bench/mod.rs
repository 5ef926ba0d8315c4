// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask bench`: speed and memory against their bounds. Times that are compared are taken in one run,
//! in turns, and judged by the median. What is judged is the time of the processors, which hardly depends on what else the
//! machine does: `kmp` uses two of them where they are free, so that on such a machine people wait less than that.

mod deps;
mod fleet;
mod index;
mod kabi;
pub mod measure;
mod plugin;
mod repository;
mod roots;
mod trace;
pub mod update;
mod zypper;

use std::path::{Path, PathBuf};

use measure::{DEPMOD_LOG, REAL_DEPMOD, Run, measured};
use roots::{BenchRoot, KERNELS};

use crate::{install, privilege, run};
use testkit::packages::Use;

const ROUNDS: usize = 15;
const CHECK_BOUND: f64 = 2.0;
const DEPMOD_BOUND: f64 = 0.35;
const IDLE_BOUND: f64 = 0.15;
const MEMORY_BOUND: f64 = 64.0;

const PARTS: [&str; 10] =
    ["check", "sync", "index", "idle", "fleet", "plugin", "kabi", "update", "zypper", "deps"];

/// A row of the table.
struct Row {
    what: String,
    bound: String,
    measured: String,
    good: bool,
}

/// Measure speed and memory against their bounds.
#[derive(clap::Args)]
pub struct Arguments {
    /// What is measured, all where nothing is named.
    #[arg(value_name = "PART", value_parser = clap::builder::PossibleValuesParser::new(PARTS))]
    parts: Vec<String>,
    /// How often each measurement is repeated.
    #[arg(long, value_name = "N", default_value_t = ROUNDS)]
    rounds: usize,
    /// All is built, the plugin is this: how the chore calls its optimised self.
    #[arg(long, hide = true)]
    built: Option<PathBuf>,
}

impl Default for Arguments {
    fn default() -> Self {
        Self { parts: Vec::new(), rounds: ROUNDS, built: None }
    }
}

pub fn run(arguments: &Arguments) -> Result<(), String> {
    let rounds = arguments.rounds;
    let Some(plugin) = &arguments.built else {
        install::ensure(&[Use::Demo, Use::Test])?;
        run::cargo(&[], &["build", "--release", "--locked", "-p", "kmp-cli", "-p", "xtask"], &[])?;
        let plugin = crate::plugin::build(crate::plugin::Kind::Plain, "release")?;
        let program = install::target().join("release/xtask");
        let mut words = privilege::namespace()?;
        let program = program.to_string_lossy();
        words.push(&program);
        let mut command = std::process::Command::new(words[0]);
        command.args(&words[1..]).arg("bench").args(&arguments.parts);
        command.args(["--rounds", &rounds.to_string(), "--built"]).arg(plugin);
        let status = command.status().map_err(|e| format!("{program}: {e}"))?;
        return if status.success() { Ok(()) } else { Err("not within the bounds".into()) };
    };

    let base = install::target().join("bench");
    std::fs::create_dir_all(&base).map_err(|e| format!("{}: {e}", base.display()))?;
    let kmp = install::target().join("release/kmp");
    let parts = &arguments.parts;
    // What makes roots of its own.
    let own = ["fleet", "plugin", "kabi", "update", "zypper"];
    let needs_roots = parts.is_empty() || parts.iter().any(|part| !own.contains(&part.as_str()));
    // Each is made once, which takes minutes.
    let made = if needs_roots { Some(roots::make(&base)) } else { None };
    let mut rows = Vec::new();
    let all = |rows: &mut Vec<Row>| {
        for part in PARTS.into_iter().filter(|part| parts.is_empty() || parts.iter().any(|p| p == part)) {
            match (part, &made) {
                ("fleet", _) => fleet::rows(&base, &kmp, rounds.div_ceil(3).max(3), rows)?,
                ("kabi", _) => kabi::rows(&kmp, rounds.div_ceil(3).max(3), rows)?,
                ("plugin", _) => plugin::rows(rounds.max(3), plugin, rows)?,
                ("update", _) => update::rows(&base, &kmp, rounds.max(3), rows)?,
                ("zypper", _) => zypper::rows(&base, rounds.max(3), rows)?,
                ("check", Some((root, _))) => check(&base, &kmp, root, rounds.max(3), rows)?,
                ("sync", Some((_, root))) => changing(&base, &kmp, root, rounds.div_ceil(2).max(3), rows)?,
                ("index", Some((_, root))) => index::rows(&kmp, root, rounds.div_ceil(2).max(3), rows)?,
                ("idle", Some((_, root))) => idle(&base, &kmp, root, rounds.max(3), rows)?,
                // Minutes in shell: a few rounds say enough.
                (_, Some((root, _))) => deps::run(&base, &kmp, root, rounds.div_ceil(5).max(3), rows)?,
                (_, None) => {}
            }
        }
        Ok(())
    };
    // What was measured until something failed is shown, too.
    let end: Result<(), String> = all(&mut rows);
    println!("\n| what | bound | measured: median (min–max) | |\n| --- | --- | --- | --- |");
    for Row { what, bound, measured, good } in &rows {
        println!("| {what} | {bound} | {measured} | {} |", if *good { "ok" } else { "**missed**" });
    }
    end?;
    match rows.iter().filter(|r| !r.good).count() {
        0 => Ok(()),
        missed => Err(format!("{missed} bounds missed")),
    }
}

/// `kmp --root ROOT ARGUMENTS`.
fn command(root: &BenchRoot, kmp: &Path, arguments: &[&str]) -> std::process::Command {
    let mut command = root.command(kmp);
    command.arg("--root").arg(root.path()).args(arguments);
    command
}

fn check(
    base: &Path,
    kmp: &Path,
    root: &BenchRoot,
    rounds: usize,
    rows: &mut Vec<Row>,
) -> Result<(), String> {
    // Links and indexes as on a machine in use.
    expect(&measured(&command(root, kmp, &["sync"]))?, &[0], "kmp sync")?;
    let files = root.files();
    let list = base.join("files");
    let lines: String = files.iter().map(|f| format!("{}\n", f.display())).collect();
    std::fs::write(&list, lines).map_err(|e| e.to_string())?;
    let this = run::this_program()?;
    let mut inflate = root.command(this);
    inflate.arg("_inflate").arg(&list);
    let check = command(root, kmp, &["check"]);

    let mut pairs: Vec<(Run, Run)> = Vec::new();
    // The first round warms the caches.
    for round in 0..=rounds {
        let pair = (measured(&inflate)?, measured(&check)?);
        expect(&pair.0, &[0], "the baseline")?;
        expect(&pair.1, &[0, 1], "kmp check")?;
        if round > 0 {
            pairs.push(pair);
        }
    }
    let ratio = Spread::of(pairs.iter().map(|(i, c)| c.cpu / i.cpu));
    let cpu = Spread::of(pairs.iter().map(|(_, c)| c.cpu));
    let wall = Spread::of(pairs.iter().map(|(_, c)| c.wall));
    let inflating = Spread::of(pairs.iter().map(|(i, _)| i.cpu));
    rows.push(Row {
        what: format!("`kmp check`, {} modules and symvers: CPU time / inflating them once", files.len()),
        bound: format!("{CHECK_BOUND}"),
        measured: format!("{}: {} s / {} s", ratio.show(2), cpu.show(3), inflating.show(3)),
        good: ratio.median <= CHECK_BOUND,
    });
    println!("kmp check: people wait {} s", wall.show(3));
    rows.push(memory("`kmp check`", pairs.iter().map(|(_, c)| c.peak)));

    let trace = trace::trace(&check, &base.join("check.strace"))?;
    let is_input = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        name.contains(".ko") || name.contains("symvers")
    };
    let twice: Vec<_> = trace.opened.iter().filter(|(p, n)| is_input(p) && **n > 1).collect();
    for (path, count) in twice.iter().take(5) {
        println!("opened {count} times: {path}");
    }
    let once = files.iter().filter(|f| trace.opened.get(&*f.to_string_lossy()) == Some(&1)).count();
    rows.push(Row {
        what: "`kmp check`: modules and symvers opened twice (strace)".into(),
        bound: "0".into(),
        measured: format!("{}; opened once: {once} of {}", twice.len(), files.len()),
        good: twice.is_empty() && once == files.len(),
    });
    Ok(())
}

/// `kmp sync` that changes one kernel.
fn changing(
    base: &Path,
    kmp: &Path,
    root: &BenchRoot,
    rounds: usize,
    rows: &mut Vec<Row>,
) -> Result<(), String> {
    let log = base.join("depmod.log");
    let depmod = install::find("depmod").ok_or("depmod not found")?;
    let mut sync = command(root, kmp, &["sync"]);
    sync.env("KMP_INDEX", "depmod")
        .env("DEPMOD", measure::depmod_link(base)?)
        .env(DEPMOD_LOG, &log)
        .env(REAL_DEPMOD, depmod);
    expect(&measured(&sync)?, &[0], "kmp sync")?;
    let (mut over, mut whole, mut depmods, mut peaks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let links = root.path().join("usr/lib/modules").join(KERNELS[1 + round % 2].0).join("weak-updates");
        std::fs::remove_dir_all(&links).map_err(|e| format!("{}: {e}", links.display()))?;
        let _ = std::fs::remove_file(&log);
        let run = measured(&sync)?;
        expect(&run, &[0], "kmp sync")?;
        let ran = measure::depmod_log(&log);
        let [(depmod, peak)] = ran[..] else { return Err(format!("depmod ran {} times", ran.len())) };
        if !links.is_dir() {
            return Err(format!("kmp sync did not make {}", links.display()));
        }
        if round > 0 {
            over.push(run.cpu - depmod);
            whole.push(run.cpu);
            depmods.push(depmod);
            peaks.push(peak);
        }
    }
    let over = Spread::of(over.into_iter());
    let (whole, depmods) = (Spread::of(whole.into_iter()), Spread::of(depmods.into_iter()));
    rows.push(Row {
        what: "`kmp sync` that changes one kernel: CPU time beyond depmod's own".into(),
        bound: format!("{DEPMOD_BOUND} s"),
        measured: format!("{} s: {} s - {} s", over.show(3), whole.show(2), depmods.show(2)),
        good: over.median <= DEPMOD_BOUND,
    });
    rows.push(memory("`kmp sync` that changes one kernel (without depmod)", peaks.into_iter()));
    Ok(())
}

/// `kmp sync` that changes nothing.
fn idle(base: &Path, kmp: &Path, root: &BenchRoot, rounds: usize, rows: &mut Vec<Row>) -> Result<(), String> {
    let sync = command(root, kmp, &["sync"]);
    let mut runs = Vec::new();
    for round in 0..=rounds {
        let run = measured(&sync)?;
        expect(&run, &[0], "kmp sync")?;
        if round > 0 {
            runs.push(run);
        }
    }
    let wall = Spread::of(runs.iter().map(|r| r.wall));
    let cpu = Spread::of(runs.iter().map(|r| r.cpu));
    rows.push(Row {
        what: "`kmp sync` that changes nothing, 20 KMPs, 6 kernels: CPU time".into(),
        bound: format!("{IDLE_BOUND} s"),
        measured: format!("{} s; people wait {} s", cpu.show(3), wall.show(3)),
        good: cpu.median <= IDLE_BOUND,
    });
    rows.push(memory("`kmp sync` that changes nothing", runs.iter().map(|r| r.peak)));
    let trace = trace::trace(&sync, &base.join("sync.strace"))?;
    for call in trace.writes.iter().take(5) {
        println!("writes: {call}");
    }
    for program in trace.programs.iter().skip(1) {
        println!("starts: {program}");
    }
    rows.push(Row {
        what: "`kmp sync` that changes nothing: calls that write; programs started (strace)".into(),
        bound: "0; 0".into(),
        measured: format!(
            "{}; {} (apart: {} of librpm's on rpmdb.sqlite-shm and -wal, as in `rpm -q`)",
            trace.writes.len(),
            trace.programs.len() - 1,
            trace.librpm.len()
        ),
        good: trace.writes.is_empty() && trace.programs.len() == 1,
    });
    Ok(())
}

fn expect(run: &Run, statuses: &[i32], what: &str) -> Result<(), String> {
    match statuses.contains(&run.status) {
        true => Ok(()),
        false => Err(format!("{what}: exit status {}", run.status)),
    }
}

fn memory(what: &str, peaks: impl Iterator<Item = u64>) -> Row {
    let peak = Spread::of(peaks.map(|kib| kib as f64 / 1024.0));
    Row {
        what: format!("{what}: peak memory"),
        bound: format!("{MEMORY_BOUND} MiB"),
        measured: format!("{} MiB", peak.show(1)),
        good: peak.max < MEMORY_BOUND,
    }
}

/// Median and range.
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => values[middle],
            _ => f64::midpoint(values[middle - 1], values[middle]),
        };
        let end = |v: Option<&f64>| v.copied().unwrap_or(f64::NAN);
        Self { median, min: end(values.first()), max: end(values.last()) }
    }

    fn show(&self, digits: usize) -> String {
        format!("{:.digits$} ({:.digits$}–{:.digits$})", self.median, self.min, self.max)
    }
}

/// The program's own path, when it runs as depmod.
pub fn is_depmod() -> bool {
    std::env::args_os()
        .next()
        .is_some_and(|name| PathBuf::from(name).file_name().is_some_and(|n| n == "depmod"))
}
