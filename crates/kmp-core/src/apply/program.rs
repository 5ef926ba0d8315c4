// SPDX-License-Identifier: LGPL-2.1-or-later
//! The only place that runs other programs.
//!
//! Which one: a plain name is looked for where the system's programs are, never in `PATH` or the working directory; a path is
//! absolute. How: see `kmp-exec`; with a limit of time, whatever the caller's process does with SIGCHLD, and in a session of its own.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use kmp_exec::{End, Program};
pub use kmp_exec::{FIRST_FILE, Files, Meanwhile};
use nix::unistd::{AccessFlags, access};

use crate::environment::variable;
use crate::printable;
use crate::root::{FileType, Root, is_fault};

/// Where programs are.
const DIRECTORIES: &[&str] = &["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// The variable that says how long a program may take, in seconds.
const TIMEOUT_VARIABLE: &str = "KMP_PROGRAM_TIMEOUT";

/// Hears that a program begins, by its path, and that it has ended.
type Watch = fn(Option<&Path>);

static WATCH: OnceLock<Watch> = OnceLock::new();

/// From now on somebody hears of programs that are run by this process, to show it. The first one stays; inside rpm there is none.
pub fn watch_programs(watch: Watch) {
    let _ = WATCH.set(watch);
}

/// How a program failed.
#[derive(Debug)]
pub enum Failure {
    /// It could not be run at all.
    NotRun(String),
    /// It ended with an error: its exit status as a number, that in words, and what it said.
    Ended(Option<i32>, String, String),
}

impl Failure {
    /// In words, with the lines of `choose`, of what it said.
    pub fn message(&self, program: &OsStr, choose: fn(&str) -> String) -> String {
        match self {
            Self::NotRun(why) => format!("{} cannot be run: {why}", printable(program)),
            Self::Ended(_, status, said) if said.is_empty() => status.clone(),
            Self::Ended(_, status, said) => format!("{status}: {}", choose(said)),
        }
    }
}

/// What a run of a program needs beside its name.
#[derive(Default)]
pub struct With<'a, 'f> {
    /// The root in which it is found and run; none: the caller's.
    pub root: Option<&'a Root>,
    /// Files for it: see [`kmp_exec::Program::files`].
    pub files: Option<Files<'f>>,
    /// What is done while it runs.
    pub meanwhile: Option<Meanwhile<'f>>,
    /// The longest time, where `KMP_PROGRAM_TIMEOUT` does not say otherwise.
    pub limit: Duration,
}

impl std::fmt::Debug for With<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("With").field("root", &self.root).field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// What a program said.
#[derive(Debug)]
pub struct Output {
    /// On stderr, for people: without what a terminal would obey.
    pub said: String,
    /// On stdout, as it is.
    pub printed: Vec<u8>,
}

/// Runs a program to its end, with nothing on its stdin, and returns what it said on stderr.
pub fn run(named: &OsStr, arguments: &[OsString], with: With<'_, '_>) -> Result<String, Failure> {
    output(named, arguments, with).map(|output| output.said)
}

/// Runs a program to its end, with nothing on its stdin.
pub fn output(named: &OsStr, arguments: &[OsString], with: With<'_, '_>) -> Result<Output, Failure> {
    let path = find(with.root, named).map_err(Failure::NotRun)?;
    let limit = variable(TIMEOUT_VARIABLE).and_then(|v| v.to_str()?.parse().ok()).filter(|s| *s > 0);
    let limit = limit.map_or(with.limit, Duration::from_secs);
    let root = with.root.filter(|root| !root.is_system());
    let place = root.map(|root| format!(" in {}", root.path().display())).unwrap_or_default();
    log::info!("running {}{place}", printable(path.as_os_str()));
    log::debug!("its arguments: {arguments:?}");
    let watch = WATCH.get().copied().unwrap_or(|_| ());
    watch(Some(&path));
    let done = kmp_exec::run(Program {
        path: &path,
        arguments,
        environment: kmp_exec::is_privileged_by_file().then(plain_environment),
        root: root.map(AsFd::as_fd),
        files: with.files,
        meanwhile: with.meanwhile,
        limit,
    });
    watch(None);
    let output = done.map_err(|e| Failure::NotRun(e.to_string()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    // Names of files are in it.
    let lines: Vec<String> = said.trim().lines().map(|l| printable(l.as_ref())).collect();
    let said = lines.join("\n");
    let program = printable(path.as_os_str());
    match output.end {
        End::Exited(0) => Ok(Output { said, printed: output.stdout }),
        End::Exited(status) => Err(Failure::Ended(Some(status), format!("exit status: {status}"), said)),
        End::Killed(signal) => {
            Err(Failure::Ended(None, format!("{program} was killed by signal {signal}"), said))
        }
        End::TimedOut | End::Stuck => {
            let gone = if output.end == End::Stuck {
                "cannot be killed: it hangs in the kernel"
            } else {
                "was ended"
            };
            let why = format!(
                "{program} was not done after {} seconds and {gone}. Does it wait for something, such as a FIFO where it \
                 reads its configuration? {TIMEOUT_VARIABLE} gives it more time",
                limit.as_secs()
            );
            Err(Failure::Ended(None, why, said))
        }
    }
}

fn plain_environment() -> Vec<(OsString, OsString)> {
    vec![("PATH".into(), DIRECTORIES.join(":").into())]
}

/// Where a program is: a plain name in the directories of the system's programs, an absolute path as it is. Below `root`, where one
/// is given.
///
/// # Errors
/// In words: it is not there, or `named` is a relative path.
pub(crate) fn find(root: Option<&Root>, named: &OsStr) -> Result<PathBuf, String> {
    let path = Path::new(named);
    if path.is_absolute() {
        // Why it cannot be run is what execve says.
        return Ok(path.to_path_buf());
    }
    if is_relative(named) {
        return Err(RELATIVE.into());
    }
    for path in DIRECTORIES.iter().map(|directory| Path::new(directory).join(path)) {
        let is_there = match root {
            Some(root) => can_run(root, &path).map_err(|e| format!("{}: {e}", path.display()))?,
            None => path.is_file() && access(&path, AccessFlags::X_OK).is_ok(),
        };
        if is_there {
            return Ok(path);
        }
    }
    Err(format!("it is in none of {}", DIRECTORIES.join(", ")))
}

/// As [`find`]; a file that can be run, if it is there.
///
/// # Errors
/// `InvalidInput`: `named` is a relative path. The system's, where it could not look.
pub(crate) fn find_in(root: &Root, named: &OsStr) -> io::Result<Option<PathBuf>> {
    if is_relative(named) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, RELATIVE));
    }
    let path = Path::new(named);
    let own = path.is_absolute().then(|| path.to_path_buf());
    let others = DIRECTORIES.iter().filter(|_| own.is_none()).map(|d| Path::new(d).join(path));
    for path in own.iter().cloned().chain(others) {
        if can_run(root, &path)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

const RELATIVE: &str = "a program is named by a plain name or by an absolute path";

fn is_relative(named: &OsStr) -> bool {
    named.is_empty() || !Path::new(named).is_absolute() && named.as_bytes().contains(&b'/')
}

fn can_run(root: &Root, path: &Path) -> io::Result<bool> {
    match root.metadata(path) {
        Ok(stat) => Ok(stat.kind() == FileType::File && stat.mode & 0o111 != 0),
        Err(e) if is_fault(&e) => Err(e),
        Err(_) => Ok(false),
    }
}

/// The first lines, where a program prints its reason first.
pub fn first_lines(text: &str) -> String {
    let mut lines = text.lines();
    let first: Vec<&str> = lines.by_ref().take(3).collect();
    match lines.count() {
        0 => first.join("; "),
        more => format!("{}; and {more} more lines", first.join("; ")),
    }
}

/// The last lines, where a program prints all the time what it does.
pub fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(3)..].join("; ")
}
