// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is to be run, and how it ended.

use std::ffi::OsString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

/// The file descriptor that the first of [`Program::files`] has in the program.
pub const FIRST_FILE: usize = 5;

/// How much of a program's output is kept, in bytes: half of it from the beginning, half from the end.
pub const KEPT: usize = 64 << 10;

/// How long a program may take to end after SIGTERM, and then after SIGKILL.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// Returns the next file to pass to a program; `None` if there are no more.
pub type Files<'f> = &'f mut dyn FnMut() -> Option<io::Result<OwnedFd>>;

/// What the caller does while the program runs.
pub type Meanwhile<'f> = &'f mut dyn FnMut();

/// A program to run.
pub struct Program<'a, 'f> {
    /// Its absolute path; inside `root`, if that is given.
    pub path: &'a Path,
    /// Its arguments, without the name of the program.
    pub arguments: &'a [OsString],
    /// Its environment; `None`: the caller's.
    pub environment: Option<Vec<(OsString, OsString)>>,
    /// Its root directory (chroot); `None`: the caller's.
    pub root: Option<BorrowedFd<'a>>,
    /// Files that it gets open, in this order from descriptor [`FIRST_FILE`] on. Called until it returns `None`.
    pub files: Option<Files<'f>>,
    /// Called once on the caller's thread, while the program runs. What the program says waits for it to return.
    pub meanwhile: Option<Meanwhile<'f>>,
    /// How long it may run.
    pub limit: Duration,
}

impl std::fmt::Debug for Program<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").field("path", &self.path).field("arguments", &self.arguments).finish()
    }
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It exited with this status.
    Exited(i32),
    /// It was killed by this signal.
    Killed(i32),
    /// Its time was up, and it was killed.
    TimedOut,
    /// Its time was up, and even SIGKILL did not end it, as it hangs in the kernel.
    Stuck,
}

/// The result of running a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub end: End,
    /// What it wrote to stderr: at most [`KEPT`] bytes, and a line in the middle that says if some were left out.
    pub stderr: Vec<u8>,
    /// What it wrote to stdout, likewise.
    pub stdout: Vec<u8>,
}

/// How many files can be passed to a program: the hard limit of open files, minus some for the program's own use.
pub fn max_files() -> usize {
    use nix::sys::resource::{Resource, getrlimit};
    let hard = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(_, hard)| hard);
    usize::try_from(hard).unwrap_or(usize::MAX).saturating_sub(FIRST_FILE + OWN_FILES)
}

/// Open files that are left for the program itself.
const OWN_FILES: usize = 64;
