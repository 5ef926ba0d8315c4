// SPDX-License-Identifier: LGPL-2.1-or-later
//! Boots a kernel in qemu and hears what it says to every module.

mod script;
mod words;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::fetch::{Fetched, Places};
use super::run::{self, Result};
pub use script::{Deps, Job, read_deps};
pub use words::{Word, Words};

/// A kernel as it is booted.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What the table calls it.
    pub label: String,
    /// The kernel.
    pub kernel: Fetched,
    /// The root that `kmp` is asked about.
    pub root: PathBuf,
    /// More for the kernel's command line.
    pub arguments: String,
    /// How often it may be booted: a module can bring it down.
    pub most_boots: usize,
}

/// Builds the program that each machine runs.
///
/// # Errors
/// There is no C compiler.
pub fn build_init(places: &Places) -> Result<()> {
    let mut compiler = Command::new("gcc");
    compiler.args(["-static", "-O2", "-o"]).arg(places.work().join("init"));
    run::output(compiler.arg(places.sources.join("init.c"))).map(drop)
}

/// Boots `machine` as often as it takes to hear what it says to every set.
///
/// # Errors
/// It does not boot.
pub fn hear(places: &Places, machine: &Machine, jobs: &[Job<'_>]) -> Result<(Words, usize)> {
    let plain = machine.kernel.plain.join("lib/modules").join(&machine.kernel.release);
    let own = read_deps(&plain)?;
    let mut words = Words::new();
    let mut open: Vec<&Job<'_>> = jobs.iter().collect();
    let mut boots = 0;
    while !open.is_empty() {
        boots += 1;
        if boots > machine.most_boots {
            return Err(format!(
                "{}: booted {} times, and {} sets are still not heard",
                machine.label,
                machine.most_boots,
                open.len()
            )
            .into());
        }
        let heard = boot(places, machine, &open, &own, boots)?;
        let before = open.len();
        words.extend(heard.words);
        open.retain(|job| !words.contains_key(&job.id()));
        if open.len() == before {
            return Err(format!(
                "{}: the machine said nothing of any set; see {}",
                machine.label,
                heard.console.display()
            )
            .into());
        }
    }
    Ok((words, boots))
}

/// How often a machine is started that goes down by itself before it loads anything, or does not come up: kernel and emulator
/// fail so now and then, which says nothing of any module.
const STARTS: usize = 3;

/// How long a machine may run.
const LIMIT: Duration = Duration::from_secs(420);

struct Heard {
    words: Words,
    console: PathBuf,
}

fn boot(places: &Places, machine: &Machine, jobs: &[&Job<'_>], own: &Deps, number: usize) -> Result<Heard> {
    let dir = places.work().join("boot").join(format!("{}-{number}", machine.label.replace(' ', "-")));
    run::fresh(&dir)?;
    let initrd = dir.join("initrd");
    fs::write(&initrd, script::initrd(&places.work().join("init"), machine, jobs, own)?)?;
    let alone = jobs.iter().any(|job| job.only.is_some());
    let run = until_up(&machine.label, &dir, |run| run.start(machine, &initrd))?;
    Ok(Heard {
        words: words::parse(&run.read(RESULTS), &run.read(CONSOLE), alone),
        console: run.file(CONSOLE),
    })
}

/// Starts the machine until it comes up. What each start wrote is kept; that of a start which failed is printed. `start`: `false`
/// where the machine had to be ended.
fn until_up(label: &str, dir: &Path, mut start: impl FnMut(&Run) -> Result<bool>) -> Result<Run> {
    for number in 1..=STARTS {
        let run = Run { dir: dir.to_path_buf(), number };
        let in_time = start(&run)?;
        if words::came_up(&run.read(RESULTS)) {
            return Ok(run);
        }
        let how = if in_time { "did not come up" } else { "did not boot in time" };
        let console = run.file(CONSOLE);
        eprintln!("judge: {label} {how}, start {number} of {STARTS}; {}:", console.display());
        eprintln!("{}\n{}", run.read(CONSOLE), run.read(EMULATOR));
    }
    let console = dir.join(format!("{CONSOLE}-{STARTS}"));
    Err(format!("{label} did not come up in {STARTS} starts; see {}", console.display()).into())
}

/// One start of a machine, and the files that it writes.
struct Run {
    dir: PathBuf,
    number: usize,
}

/// What the kernel says.
const CONSOLE: &str = "console";

/// What our program in it says.
const RESULTS: &str = "results";

/// What the emulator says.
const EMULATOR: &str = "qemu";

impl Run {
    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}-{}", self.number))
    }

    fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.file(name)).unwrap_or_default()).into_owned()
    }

    /// Starts it and waits for its end; `false`: it had to be ended.
    fn start(&self, machine: &Machine, initrd: &Path) -> Result<bool> {
        let append = format!(
            "console=ttyS0 panic=-1 oops=panic loglevel=5 printk.devkmsg=on trace_event=module:module_load tp_printk {}",
            machine.arguments
        );
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-accel", "tcg", "-smp", "2", "-m", "2G", "-cpu", "max", "-nographic", "-no-reboot"]);
        qemu.args(["-nic", "none", "-monitor", "none"]).arg("-kernel").arg(&machine.kernel.image);
        qemu.arg("-initrd").arg(initrd).args(["-append", &append]);
        qemu.arg("-serial").arg(format!("file:{}", self.file(CONSOLE).display()));
        qemu.arg("-serial").arg(format!("file:{}", self.file(RESULTS).display()));
        Ok(run::within(LIMIT, &mut qemu, &self.file(EMULATOR))?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine of which the starts write these results.
    fn starts(results: &[&str]) -> (tempfile::TempDir, usize, std::result::Result<Run, String>) {
        let dir = tempfile::tempdir().unwrap();
        let mut started = 0;
        let run = until_up("a kernel", dir.path(), |run| {
            fs::write(run.file(CONSOLE), format!("console {}\n", run.number))?;
            fs::write(run.file(RESULTS), results[started])?;
            started += 1;
            Ok(true)
        });
        (dir, started, run.map_err(|e| e.to_string()))
    }

    #[test]
    fn a_kernel_that_goes_down_by_itself_is_started_again() {
        let (dir, started, run) = starts(&["", "", "READY\nDONE\n", "READY\n"]);
        let run = run.unwrap();
        assert_eq!((started, run.number), (3, 3));
        assert_eq!(run.read(CONSOLE), "console 3\n");
        assert_eq!(fs::read_to_string(dir.path().join("console-1")).unwrap(), "console 1\n");
    }

    #[test]
    fn one_that_comes_up_is_started_once() {
        // What a module does to it is no reason.
        let (_dir, started, run) = starts(&["READY\nB a@b\nL M kj_a\n", ""]);
        assert_eq!((started, run.unwrap().number), (1, 1));
    }

    #[test]
    fn one_that_never_comes_up_is_an_error() {
        let (dir, started, run) = starts(&["", "FAILED: no /cases or no /dev/kmsg\n", "", "READY\n"]);
        assert_eq!(started, STARTS);
        let error = run.err().unwrap();
        assert!(error.contains("a kernel did not come up in 3 starts"), "{error}");
        assert!(error.contains(&dir.path().join("console-3").display().to_string()), "{error}");
    }
}
