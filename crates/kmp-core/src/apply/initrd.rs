// SPDX-License-Identifier: LGPL-2.1-or-later
//! Markers that ask for initrds, and the programs that make them.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::program::{self, Failure, With, find_in, last_lines};
use crate::initrd::{Assignments, Settings};
use crate::printable;
use crate::problem::Problem;
use crate::root::{Root, is_fault};
use crate::run_dir::notes::{Note, note, noted, take_back};

/// Where markers are: empty files, named for the kernel's release.
pub const MARKERS: &str = "/run/regenerate-initrd";

/// The marker for all kernels.
pub const ALL: &str = "all";

/// Where SUSE's boot loader tools are configured.
const SYSCONFIG: &str = "/etc/sysconfig/bootloader";

/// The longest time for a generator.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// A generator failed.
#[derive(Debug, thiserror::Error)]
#[error("{program} could not make {what}: {why}")]
pub struct GeneratorError {
    program: String,
    what: String,
    why: String,
    /// Its exit status.
    pub status: Option<i32>,
}

/// There is no generator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoGenerator {
    /// The one that is configured is not known.
    #[error("INITRD_GENERATOR is \"{0}\", and neither dracut nor mkosi-initrd")]
    Unknown(String),
    /// The one that is wanted is not there.
    #[error("{0} is not installed")]
    NotInstalled(String),
    /// What tells which one it is could not be read.
    #[error("which generator makes initrds is not known: {0}")]
    Unread(String),
    /// The one that is wanted is not run, and why not.
    #[error("{0} is not run: {1}")]
    Refused(String, String),
    /// It is a program of another root, and it was not said that such may be run.
    #[error(
        "initrds are made by programs of the system below {0}, and those are run with --run-in-root only"
    )]
    OfOtherRoot(PathBuf),
}

impl NoGenerator {
    /// Is it what was asked for that is wrong, rather than the system?
    pub fn is_configuration(&self) -> bool {
        matches!(self, Self::Unknown(_) | Self::Refused(..) | Self::OfOtherRoot(_))
    }

    /// Is it not known whether there is one?
    pub fn is_unread(&self) -> bool {
        matches!(self, Self::Unread(_))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Dracut,
    MkosiInitrd,
    Sdbootutil,
}

/// The program that makes initrds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generator {
    tool: Tool,
    program: PathBuf,
}

impl Generator {
    /// Looks which it is: sdbootutil where it is in use, else the one that is configured, else dracut. Only sdbootutil itself can
    /// say whether it is in use; `dry_run`: it is not asked, and counts where there is no other.
    ///
    /// # Errors
    /// [`NoGenerator`].
    pub fn find(root: &Root, settings: &Settings, dry_run: bool) -> Result<Self, NoGenerator> {
        if !settings.may_run_in(root) {
            return Err(NoGenerator::OfOtherRoot(root.path().into()));
        }
        let sdbootutil = settings.sdbootutil.clone().unwrap_or_else(|| "sdbootutil".into());
        let find = |named: &OsStr| {
            find_in(root, named).map_err(|e| match is_fault(&e) {
                true => NoGenerator::Unread(format!("{}: {e}", printable(named))),
                false => NoGenerator::Refused(printable(named), e.to_string()),
            })
        };
        let sdbootutil = find(&sdbootutil)?.map(|program| Self { tool: Tool::Sdbootutil, program });
        if let Some(sdbootutil) = sdbootutil.as_ref().filter(|_| !dry_run)
            && run(root, &sdbootutil.program, &["is-installed"]).is_ok()
        {
            return Ok(sdbootutil.clone());
        }
        let configured = match &settings.generator {
            Some(named) => Some(named.clone()),
            None => configured(root)?,
        };
        let (tool, named) = match configured.as_deref() {
            None | Some("dracut") => {
                (Tool::Dracut, settings.dracut.clone().unwrap_or_else(|| "dracut".into()))
            }
            Some("mkosi" | "mkosi-initrd") => {
                (Tool::MkosiInitrd, settings.mkosi_initrd.clone().unwrap_or_else(|| "mkosi-initrd".into()))
            }
            Some(other) => {
                return Err(NoGenerator::Unknown(printable(other.as_ref())));
            }
        };
        match find(&named)? {
            Some(program) => Ok(Self { tool, program }),
            None => {
                sdbootutil.filter(|_| dry_run).ok_or_else(|| NoGenerator::NotInstalled(printable(&named)))
            }
        }
    }

    /// Does it make boot entries, too?
    pub fn is_sdbootutil(&self) -> bool {
        self.tool == Tool::Sdbootutil
    }

    /// Makes the initrd of one kernel, anew at `path` if there is one. Returns what it said.
    ///
    /// # Errors
    /// [`GeneratorError`].
    pub fn build(&self, root: &Root, release: &str, path: Option<&Path>) -> Result<String, GeneratorError> {
        let name = format!("initrd-{release}");
        let path = path.map_or_else(|| Path::new("/boot").join(&name), Path::to_path_buf);
        let path = path.to_string_lossy();
        let arguments: &[&str] = match self.tool {
            Tool::Dracut => &["-f", &path, release],
            Tool::MkosiInitrd => &["--kernel-version", release, "-O", "/boot", "-o", &name],
            Tool::Sdbootutil => &["--no-reuse-initrd", "add-kernel", release],
        };
        self.run(root, arguments, format!("the initrd of kernel {release}"))
    }

    /// Makes the initrds of all kernels, if it can do so by itself: `None` otherwise, then each has to be asked for.
    pub fn build_all(&self, root: &Root) -> Option<Result<String, GeneratorError>> {
        let arguments: &[&str] = match self.tool {
            Tool::Dracut => &["-f", "--regenerate-all"],
            Tool::MkosiInitrd => return None,
            Tool::Sdbootutil => &["--no-reuse-initrd", "add-all-kernels"],
        };
        Some(self.run(root, arguments, "the initrds of all kernels".into()))
    }

    fn run(&self, root: &Root, arguments: &[&str], what: String) -> Result<String, GeneratorError> {
        run(root, &self.program, arguments).map_err(|failure| GeneratorError {
            program: self.program.display().to_string(),
            what,
            why: failure.told(self.program.as_os_str(), last_lines),
            status: match failure {
                Failure::Ended(status, ..) => status,
                Failure::NotRun(_) => None,
            },
        })
    }
}

/// Runs a program of `root`, in `root`.
fn run(root: &Root, program: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    program::run(program.as_os_str(), &arguments, With { root: Some(root), files: None, limit: LIMIT })
}

/// `INITRD_GENERATOR` of `/etc/sysconfig/bootloader`.
fn configured(root: &Root) -> Result<Option<String>, NoGenerator> {
    let text = root.read_if_there(Path::new(SYSCONFIG), 1 << 20);
    let unread =
        |e| NoGenerator::Unread(Problem::unreadable(root.display(Path::new(SYSCONFIG)), &e).to_string());
    let Some(text) = text.map_err(unread)? else { return Ok(None) };
    let mut read = Assignments::default();
    read.read(&String::from_utf8_lossy(&text));
    Ok(Some(read.get("INITRD_GENERATOR").trim().to_string()).filter(|name| !name.is_empty()))
}

/// Runs a program of the caller's that looks after the initrd of `release` in place of ours. Returns what it said.
///
/// # Errors
/// In words: it cannot be run, or failed.
pub fn check_with(program: &Path, release: &str) -> Result<String, String> {
    // Who names it on a command line means a path there as it is there.
    let named = match program.components().count() {
        1 => Ok(program.to_path_buf()),
        _ => std::path::absolute(program),
    };
    let named = named.map_err(|e| e.to_string())?;
    program::run(named.as_os_str(), &[release.into()], With { limit: LIMIT, ..With::default() })
        .map_err(|failure| failure.told(program.as_os_str(), last_lines))
}

/// Leaves the marker for a kernel. Who serves an older one sees that it was left again.
///
/// # Errors
/// The system's.
pub fn mark(root: &Root, release: &str) -> io::Result<Note> {
    note(root, Path::new(MARKERS), release, "")
}

/// Takes away a marker that is served, unless it was left again since it was seen: what it asks for then is newer.
pub fn unmark(root: &Root, marker: &Note) {
    take_back(root, Path::new(MARKERS), marker);
}

/// The markers.
///
/// # Errors
/// They cannot be listed.
pub fn markers(root: &Root) -> Result<Vec<Note>, Problem> {
    noted(root, Path::new(MARKERS))
}
