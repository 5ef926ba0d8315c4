// SPDX-License-Identifier: LGPL-2.1-or-later
//! Runs targets, several at once, and reads what libFuzzer says of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::Fuzzer;

/// An input that takes longer is a failure, in seconds. Most take less than a millisecond; this is for busy machines.
const TIMEOUT: u64 = 20;

/// A target that takes more memory is a failure, in MiB, the program itself included. Libraries in C may take 128 MiB for a
/// window each.
const MEMORY: u64 = 1024;

/// The longest input, in bytes.
const LONGEST: u64 = 64 << 10;

/// How a target fared.
pub struct Outcome {
    name: String,
    executions: u64,
    /// Inputs that reach something new, all together.
    corpus: usize,
    took: Duration,
    fault: Option<Fault>,
}

struct Fault {
    /// libFuzzer's or the panic's word on it.
    what: String,
    input: Option<PathBuf>,
    again: String,
}

/// How many targets run at once where nothing is said.
pub fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |n| n.get() as u64)
}

impl Fuzzer {
    /// Runs targets for so long each.
    pub fn run(
        &self,
        targets: &[String],
        each: Duration,
        jobs: Option<u64>,
        seed: Option<u64>,
    ) -> Result<Vec<Outcome>, String> {
        let next = AtomicUsize::new(0);
        let outcomes = Mutex::new(Vec::new());
        let jobs = usize::try_from(jobs.unwrap_or_else(cores)).unwrap_or(1).clamp(1, targets.len().max(1));
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    while let Some(name) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let outcome = self.run_one(name, each, seed);
                        if let Ok(mut outcomes) = outcomes.lock() {
                            outcomes.push(outcome);
                        }
                    }
                });
            }
        });
        let outcomes = outcomes.into_inner().map_err(|e| e.to_string())?;
        let mut outcomes: Vec<Outcome> = outcomes.into_iter().collect::<Result<_, _>>()?;
        outcomes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(outcomes)
    }

    fn run_one(&self, name: &str, each: Duration, seed: Option<u64>) -> Result<Outcome, String> {
        let of = |kind: &str| -> Result<PathBuf, String> {
            let dir = self.home.join(kind).join(name);
            fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
            Ok(dir)
        };
        let (corpus, crashes, log) = (of("corpus")?, of("crashes")?, of("log")?.join("log"));
        let mut command = Command::new(&self.program);
        command.env("KMP_FUZZ_TARGET", name).current_dir(&self.home);
        command.arg(format!("-max_total_time={}", each.as_secs().max(1)));
        command.arg(format!("-timeout={TIMEOUT}")).arg(format!("-rss_limit_mb={MEMORY}"));
        command.arg(format!("-max_len={LONGEST}")).arg("-print_final_stats=1");
        command.arg(format!("-artifact_prefix={}/", crashes.display()));
        command.args(seed.map(|seed| format!("-seed={seed}")));
        // What is new goes to the first.
        command.arg(&corpus).arg(self.home.join("seeds").join(name));
        command.args(Some(self.regressions.join(name)).filter(|dir| dir.is_dir()));
        let file = |e| format!("{}: {e}", log.display());
        let output = fs::File::create(&log).map_err(file)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
        let start = Instant::now();
        let status = command.status().map_err(|e| format!("{}: {e}", self.program.display()))?;
        let said = String::from_utf8_lossy(&fs::read(&log).map_err(file)?).into_owned();
        let fault = (!status.success()).then(|| {
            let input =
                said.lines().find_map(|l| l.split_once("Test unit written to ")).map(|(_, path)| path.into());
            Fault { what: what_failed(&said, &log), again: self.again(name, input.as_deref()), input }
        });
        let outcome = Outcome {
            name: name.into(),
            executions: executions(&said),
            corpus: fs::read_dir(&corpus).map_or(0, Iterator::count),
            took: start.elapsed(),
            fault,
        };
        println!("{}", outcome.line());
        Ok(outcome)
    }

    fn again(&self, name: &str, input: Option<&Path>) -> String {
        let input = input.map(|path| format!(" {}", path.display())).unwrap_or_default();
        format!("KMP_FUZZ_TARGET={name} {}{input}", self.program.display())
    }
}

impl Outcome {
    fn line(&self) -> String {
        let end =
            self.fault.as_ref().map_or_else(|| "ok".to_string(), |fault| format!("FAILED: {}", fault.what));
        let Self { name, executions, corpus, took, .. } = self;
        format!(
            "{name:14} {executions:>10} executions {corpus:>6} inputs {:>7.1} s  {end}",
            took.as_secs_f64()
        )
    }
}

/// libFuzzer's final count; where it did not come to that, the last of those that it says meanwhile (`#1234\tNEW ...`).
fn executions(said: &str) -> u64 {
    let last = said.lines().rev().find_map(|line| {
        let final_count = line.strip_prefix("stat::number_of_executed_units:").map(str::trim);
        final_count.or_else(|| line.strip_prefix('#')?.split_once('\t').map(|(count, _)| count))?.parse().ok()
    });
    last.unwrap_or(0)
}

/// The panic, with its place, or libFuzzer's own word.
fn what_failed(said: &str, log: &Path) -> String {
    let lines: Vec<&str> = said.lines().collect();
    let panic =
        lines.iter().position(|line| line.contains("' panicked at ") || line.contains(") panicked at "));
    let own = || lines.iter().find_map(|line| line.split_once("ERROR: ").map(|(_, what)| what.to_string()));
    let what = match panic {
        Some(at) => Some(lines[at..].iter().take(2).copied().collect::<Vec<_>>().join(" ")),
        None => own(),
    };
    what.unwrap_or_else(|| format!("it did not run to its end, see {}", log.display()))
}

/// Prints all, and is an error where a target failed.
pub fn report(outcomes: &[Outcome]) -> Result<(), String> {
    let executions: u64 = outcomes.iter().map(|o| o.executions).sum();
    let failed: Vec<&Outcome> = outcomes.iter().filter(|o| o.fault.is_some()).collect();
    println!("\n=== {} fuzz targets, {executions} executions, {} failed", outcomes.len(), failed.len());
    for outcome in &failed {
        let Some(fault) = &outcome.fault else { continue };
        println!("{}: {}", outcome.name, fault.what);
        if let Some(input) = &fault.input {
            println!("  input: {}", input.display());
        }
        println!("  again: {}", fault.again);
    }
    if let Some(idle) = outcomes.iter().find(|o| o.fault.is_none() && o.executions == 0) {
        return Err(format!("the target {} ran nothing", idle.name));
    }
    match failed.is_empty() {
        true => Ok(()),
        false => {
            Err(format!("{} failed", failed.iter().map(|o| o.name.as_str()).collect::<Vec<_>>().join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_says() {
        let done = "#8\tpulse  cov: 1\n#256\tDONE   cov: 5\nstat::number_of_executed_units: 300\nstat::peak_rss_mb: 40\n";
        assert_eq!(executions(done), 300);
        let cut = "INFO: x\n#8\tpulse\n#4096\tNEW    cov: 5\nthread '<unnamed>' (7) panicked at src/a.rs:1:2:\nno\n==1== ERROR: libFuzzer: deadly signal\n";
        assert_eq!(executions(cut), 4096);
        assert_eq!(what_failed(cut, Path::new("l")), "thread '<unnamed>' (7) panicked at src/a.rs:1:2: no");
        let timeout = "==1== ERROR: libFuzzer: timeout after 20 seconds\n";
        assert_eq!(what_failed(timeout, Path::new("l")), "libFuzzer: timeout after 20 seconds");
        assert_eq!((executions(""), what_failed("", Path::new("l")).contains("see l")), (0, true));
    }
}
