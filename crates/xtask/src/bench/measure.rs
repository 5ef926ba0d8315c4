// SPDX-License-Identifier: LGPL-2.1-or-later
//! What runs as a process of its own: the thing that measures, the baseline, and depmod with a clock.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use kmp_core::unpack::{Inflater, MODULE_LIMIT};
use nix::sys::resource::{UsageWho, getrusage};

/// The variables through which [`depmod`] is told what to run, and where to note what it took.
pub const REAL_DEPMOD: &str = "KMP_BENCH_DEPMOD";
pub const DEPMOD_LOG: &str = "KMP_BENCH_LOG";

/// What one run of a program took.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub wall: f64,
    /// User and system time, its children's included.
    pub cpu: f64,
    /// Peak memory in KiB: the largest of it and its children.
    pub peak: u64,
    pub status: i32,
}

/// Runs a command below [`run`], so that the peak memory is its own. `command` has program, arguments and
/// environment.
pub fn measured(command: &Command) -> Result<Run, String> {
    let this = crate::run::this_program()?;
    let mut outer = Command::new(this);
    outer.arg("_measure").arg(command.get_program()).args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            outer.env(name, value);
        }
    }
    if let Some(dir) = command.get_current_dir() {
        outer.current_dir(dir);
    }
    let output = outer.stdin(Stdio::null()).output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let fields: Vec<f64> = text.split_whitespace().filter_map(|f| f.parse().ok()).collect();
    match fields[..] {
        [wall, cpu, peak, status] => Ok(Run { wall, cpu, peak: peak as u64, status: status as i32 }),
        _ => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// `_measure PROGRAM ARGUMENT...`: runs it with its output thrown away, and prints what it took.
pub fn run(arguments: &[OsString]) -> Result<(), String> {
    let (program, rest) = arguments.split_first().ok_or("no program")?;
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status().map_err(|e| format!("{}: {e}", program.display()))?;
    let wall = start.elapsed().as_secs_f64();
    let (cpu, peak) = of_children()?;
    println!("{wall} {cpu} {peak} {}", status.code().unwrap_or(-1));
    Ok(())
}

/// `_inflate LIST`: reads and inflates each file of a list once, on one thread. The baseline.
pub fn inflate(list: &Path) -> Result<(), String> {
    let mut inflater = Inflater::new();
    let mut total = 0;
    for path in fs::read_to_string(list).map_err(|e| format!("{}: {e}", list.display()))?.lines() {
        let bytes = fs::read(path).map_err(|e| format!("{path}: {e}"))?;
        let inflated = inflater.inflate(bytes, MODULE_LIMIT).map_err(|e| format!("{path}: {e}"))?;
        total += inflated.len();
    }
    println!("{total}");
    Ok(())
}

/// A link to this program that, as `DEPMOD`, runs the real one and notes its time.
pub fn depmod_link(dir: &Path) -> Result<PathBuf, String> {
    let link = dir.join("depmod");
    let _ = fs::remove_file(&link);
    let this = crate::run::this_program()?;
    std::os::unix::fs::symlink(this, &link).map_err(|e| format!("{}: {e}", link.display()))?;
    Ok(link)
}

/// As `depmod ARGUMENT...`: notes the time that the real depmod took of the processors, and the caller's peak memory so far.
pub fn depmod(arguments: &[OsString]) -> Result<(), String> {
    let variable = |name: &str| std::env::var(name).map_err(|e| format!("{name}: {e}"));
    let status = Command::new(variable(REAL_DEPMOD)?).args(arguments).status().map_err(|e| e.to_string())?;
    let mut log = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(variable(DEPMOD_LOG)?)
        .map_err(|e| e.to_string())?;
    writeln!(log, "{} {}", of_children()?.0, peak_of(parent_id())).map_err(|e| e.to_string())?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}

/// Seconds of the processors that the programs took which this one has run, and the peak memory of the largest in KiB.
fn of_children() -> Result<(f64, i64), String> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|e| e.to_string())?;
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    Ok((seconds(usage.user_time()) + seconds(usage.system_time()), usage.max_rss()))
}

fn peak_of(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// What [`depmod`] noted: each run's time in seconds of the processors, and the caller's peak memory in KiB.
pub fn depmod_log(file: &Path) -> Vec<(f64, u64)> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = |line: &str| {
        let (seconds, peak) = line.split_once(' ')?;
        Some((seconds.parse().ok()?, peak.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}
