//! The only place that runs other programs.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::report::printable;
use crate::root::Root;

/// Where programs are, in case PATH does not tell: cron and su leave the sbin directories out.
const DIRECTORIES: &[&str] = &["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// How a program failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It could not be run at all.
    NotRun(io::Error),
    /// It ended with an error: its exit status as a number, that in words, and what it said.
    Ended(Option<i32>, String, String),
}

impl Failure {
    /// In words, with the lines of `choose`, of what it said.
    pub(crate) fn told(&self, program: &OsStr, choose: fn(&str) -> String) -> String {
        match self {
            Self::NotRun(e) => format!("{} cannot be run: {e}", printable(program)),
            Self::Ended(_, status, said) => format!("{status}: {}", choose(said)),
        }
    }
}

/// Runs a program to its end, with nothing on its stdin, and returns what it said on stderr. A plain name is looked for in
/// PATH, then where programs of the system are.
pub(crate) fn run<A: AsRef<OsStr>>(program: &OsStr, arguments: &[A]) -> Result<String, Failure> {
    let named = Path::new(program);
    let is_plain = named.components().count() == 1;
    let more = DIRECTORIES.iter().filter(|_| is_plain).map(|d| Path::new(d).join(named));
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for candidate in std::iter::once(named.to_path_buf()).chain(more) {
        // Not Stdio::null(): the chroot of a scriptlet may have no /dev/null.
        let piped = || Stdio::piped();
        let started =
            Command::new(&candidate).args(arguments).stdin(piped()).stdout(piped()).stderr(piped()).spawn();
        match started.and_then(|child| child.wait_with_output()) {
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                // Names of files are in it.
                let lines: Vec<String> = said.trim().lines().map(|l| printable(l.as_ref())).collect();
                let said = lines.join("\n");
                return match output.status.success() {
                    true => Ok(said),
                    false => Err(Failure::Ended(output.status.code(), output.status.to_string(), said)),
                };
            }
            Err(e) => last = e,
        }
        if last.kind() != io::ErrorKind::NotFound {
            break;
        }
    }
    Err(Failure::NotRun(last))
}

/// Runs a program of `root`, in `root`: with chroot(8) where it is not the system's own.
pub(crate) fn run_in<A: AsRef<OsStr>>(
    root: &Root,
    program: &Path,
    arguments: &[A],
) -> Result<String, Failure> {
    if root.is_system() {
        return run(program.as_os_str(), arguments);
    }
    let mut all: Vec<OsString> = vec![root.path().into(), program.into()];
    all.extend(arguments.iter().map(OsString::from));
    run(OsStr::new("chroot"), &all)
}

/// Where `named` is in `root`: as it is, if it is a path, else in the directories of programs. It can be run.
pub(crate) fn find_in(root: &Root, named: &OsStr) -> Option<PathBuf> {
    let named = Path::new(named);
    let directories = DIRECTORIES.iter().filter(|_| named.components().count() == 1);
    let candidates = directories.map(|d| Path::new(d).join(named));
    let own = named.is_absolute().then(|| named.to_path_buf());
    own.into_iter().chain(candidates).find(|path| root.metadata(path).is_ok_and(|s| s.mode & 0o111 != 0))
}

/// The first lines, where a program tells its reason first.
pub(crate) fn first_lines(text: &str) -> String {
    let mut lines = text.lines();
    let first: Vec<&str> = lines.by_ref().take(3).collect();
    match lines.count() {
        0 => first.join("; "),
        more => format!("{}; and {more} lines more", first.join("; ")),
    }
}

/// The last lines, where a program tells what it does all the time.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(3)..].join("; ")
}
