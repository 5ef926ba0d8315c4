// SPDX-License-Identifier: LGPL-2.1-or-later
//! Runs steps side by side, each as a process whose output goes to a file, and says how each ended.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::steps::Step;
use crate::install;

/// How a step ended.
pub struct Outcome {
    pub name: &'static str,
    pub took: Duration,
    /// User and system time, of all its processes.
    pub cpu: Duration,
    pub end: Result<Option<String>, String>,
}

struct Running<'s> {
    step: &'s Step,
    child: Child,
    start: Instant,
}

/// Where the steps' output is.
pub fn logs() -> PathBuf {
    install::target().join("suite")
}

/// A file of a step: its `log`, or its `end`, which says why it failed or was not run.
fn file_of(step: &str, what: &str) -> PathBuf {
    logs().join(format!("{}.{what}", step.replace(' ', "-")))
}

/// Runs steps; a step waits for those that it [waits for](Step::waits_for). As many busy ones run at once as there are
/// processors, but two at least.
///
/// # Errors
/// A step's process cannot be started, or its output not be kept.
pub fn run(steps: &[&'static Step], options: &[&str]) -> Result<Vec<Outcome>, String> {
    fs::create_dir_all(logs()).map_err(|e| format!("{}: {e}", logs().display()))?;
    let at_once = std::thread::available_parallelism().map_or(2, |n| n.get().max(2));
    let mut waiting: Vec<&'static Step> = steps.to_vec();
    let mut running: Vec<Running> = Vec::new();
    let mut ended: Vec<Outcome> = Vec::new();
    while !waiting.is_empty() || !running.is_empty() {
        let ready = waiting.iter().position(|step| {
            let others = waiting.iter().copied().chain(running.iter().map(|r| r.step));
            let free = !step.busy || running.iter().filter(|r| r.step.busy).count() < at_once;
            free && others.into_iter().all(|other| !step.waits_for(other))
        });
        if let Some(at) = ready {
            let step = waiting.remove(at);
            println!("{:12} begins", step.name);
            running.push(Running { step, child: start(step, options)?, start: Instant::now() });
            continue;
        }
        let at = wait_for_one(&running)?;
        let outcome = running.remove(at).end()?;
        outcome.print();
        ended.push(outcome);
    }
    Ok(ended)
}

fn start(step: &Step, options: &[&str]) -> Result<Child, String> {
    let file = |name: &str| {
        let path = file_of(step.name, name);
        File::create(&path).map_err(|e| format!("{}: {e}", path.display()))
    };
    file("end")?;
    let log = file("log")?;
    // This very program, even where a step builds it anew.
    let mut command = Command::new("/proc/self/exe");
    command.args(["test", "--alone", step.name]).args(options).stdin(Stdio::null());
    command.stdout(log.try_clone().map_err(|e| e.to_string())?).stderr(log);
    command.spawn().map_err(|e| format!("{}: {e}", step.name))
}

/// Waits until one of them has ended, and leaves it to be waited for.
fn wait_for_one(running: &[Running<'_>]) -> Result<usize, String> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    let status = waitid(Id::All, flags).map_err(|e| format!("waiting for the steps: {e}"))?;
    let (WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..)) = status else {
        return Err(format!("waiting for the steps: {status:?}"));
    };
    let is_it = |r: &Running| i32::try_from(r.child.id()).is_ok_and(|id| Pid::from_raw(id) == pid);
    running.iter().position(is_it).ok_or_else(|| format!("process {pid} is none of the steps"))
}

impl Running<'_> {
    /// Of one that has ended.
    fn end(mut self) -> Result<Outcome, String> {
        let (name, took, cpu) = (self.step.name, self.start.elapsed(), cpu(self.child.id()));
        let status = self.child.wait().map_err(|e| format!("{name}: {e}"))?;
        let said = fs::read_to_string(file_of(name, "end")).unwrap_or_default();
        let end = match status.code() {
            Some(0) if said.is_empty() => Ok(None),
            Some(0) => Ok(Some(said)),
            _ if said.is_empty() => Err(format!("it did not run to its end ({status})")),
            _ => Err(said),
        };
        Ok(Outcome { name, took, cpu, end })
    }
}

/// The processor time of a process that has ended and is not waited for yet, and of all that it has waited for.
fn cpu(process: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name, in parentheses, may have blanks.
    let fields = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = fields.split(' ').skip(11).take(4).filter_map(|field| field.parse::<u64>().ok());
    // USER_HZ is 100 on every architecture that Linux has rpm on.
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

/// As a step's own process: notes for [`run`] what came of it.
pub fn note(name: &str, end: &Result<Option<String>, String>) -> Result<(), String> {
    let words = match end {
        Ok(None) => return Ok(()),
        Ok(Some(why)) | Err(why) => why,
    };
    let path = file_of(name, "end");
    fs::write(&path, words).map_err(|e| format!("{}: {e}", path.display()))
}

impl Outcome {
    /// That it ended; all that it said, where it failed.
    fn print(&self) {
        let (name, seconds) = (self.name, self.took.as_secs_f64());
        match &self.end {
            Ok(None) => println!("{name:12} ok after {seconds:.0} s"),
            Ok(Some(why)) => println!("{name:12} NOT RUN: {why}"),
            Err(why) => {
                let path = file_of(name, "log");
                let log = fs::read(&path).unwrap_or_default();
                println!("\n=== {name}: {}\n", path.display());
                println!("{}", String::from_utf8_lossy(&log).trim_end());
                println!("\n=== {name} FAILED after {seconds:.0} s: {why}\n");
            }
        }
    }
}

/// One line each.
pub fn summary(outcomes: &[Outcome]) {
    println!("\n{:12} {:>7} {:>7}", "step", "time", "CPU");
    for Outcome { name, took, cpu, end } in outcomes {
        let result = match end {
            Ok(None) => "ok".into(),
            Ok(Some(why)) => format!("not run: {why}"),
            Err(why) => format!("FAILED: {}", why.lines().next().unwrap_or_default()),
        };
        println!("{name:12} {:>5.0} s {:>5.0} s  {result}", took.as_secs_f64(), cpu.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_time_of_what_has_ended_is_known() {
        let mut sh = Command::new("sh");
        let mut child = sh.args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]).spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
        assert!(cpu(child.id()) >= Duration::from_millis(10));
        child.wait().unwrap();
    }
}
