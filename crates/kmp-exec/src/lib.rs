// SPDX-License-Identifier: LGPL-2.1-or-later
//! Runs a program until it ends or a time limit is reached, from any process: a command, or a plugin inside rpm.
//!
//! The caller's process is not changed: no signal is handled, blocked or reset in it, and it may ignore SIGCHLD. Between the
//! caller and the program is a supervisor, a fork of the caller that executes no other program:
//!
//! ```text
//! caller --fork--> supervisor --fork--> the program, in a session of its own
//!    \____ socket ____/
//! ```
//!
//! The supervisor waits for the program and reports through a socket how it ended. So the result does not get lost if the
//! caller ignores SIGCHLD (the kernel then reaps its children), or has a handler that waits for every child. When the time is
//! up, the supervisor kills the process group of the program's session: SIGTERM, then SIGKILL. If the caller dies, the
//! socket closes, and the supervisor does the same.
//!
//! Open files can be passed to the program (see [`Program::files`]): they have the descriptors from [`FIRST_FILE`] on, and can be
//! opened as `/proc/self/fd/N`. They are sent through the socket in small batches, and the program's limit of open files is
//! raised, so that there may be thousands of them while the caller has only a few open at a time.
//!
//! ```
//! use std::path::Path;
//! use std::time::Duration;
//!
//! use kmp_exec::{End, Program, run};
//!
//! let output = run(Program {
//!     path: Path::new("/bin/sh"),
//!     arguments: &["-c".into(), "echo no such kernel >&2; exit 3".into()],
//!     environment: None,
//!     root: None,
//!     files: None,
//!     limit: Duration::from_secs(60),
//! })?;
//! assert_eq!(output.end, End::Exited(3));
//! assert_eq!(output.stderr, b"no such kernel\n");
//! # Ok::<(), std::io::Error>(())
//! ```
#![allow(
    unsafe_code,
    reason = "the one place that forks: between fork and exec only plain system calls are allowed"
)]
#![deny(missing_docs)]

mod caller;
mod supervisor;

use std::ffi::OsString;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

pub use caller::run;

/// The file descriptor that the first of [`Program::files`] has in the program.
pub const FIRST_FILE: usize = 5;

/// How much of a program's output is kept, in bytes: half of it from the beginning, half from the end.
pub const KEPT: usize = 64 << 10;

/// How long a program may take to end after SIGTERM, and then after SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// Returns the next file to pass to a program; `None` if there are no more.
pub type Files<'f> = &'f mut dyn FnMut() -> Option<io::Result<OwnedFd>>;

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
    /// What it wrote to stderr: at most [`KEPT`] bytes, and a line in the middle that says if some were left out. Its stdout
    /// is discarded.
    pub stderr: Vec<u8>,
}

/// How many files can be passed to a program: the hard limit of open files, minus some for the program's own use.
pub fn max_files() -> usize {
    use nix::sys::resource::{Resource, getrlimit};
    let hard = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(_, hard)| hard);
    usize::try_from(hard).unwrap_or(usize::MAX).saturating_sub(FIRST_FILE + OWN_FILES)
}

/// Open files that are left for the program itself.
const OWN_FILES: usize = 64;

/// Whether this process has more privileges than the one that started it (set-user-ID, set-group-ID, file capabilities), so
/// that its environment must not be trusted.
pub fn is_privileged_by_file() -> bool {
    // SAFETY: reads a value that the kernel has left for the process.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    secure
        || nix::unistd::getuid() != nix::unistd::geteuid()
        || nix::unistd::getgid() != nix::unistd::getegid()
}
