// SPDX-License-Identifier: LGPL-2.1-or-later
//! Runs a program to its end or to a limit of time, from any process: a command, or rpm with a plugin in it.
//!
//! The caller's process stays as it is: no signal is handled, blocked or reset in it, and it need not get SIGCHLD. Between it and
//! the program stands a supervisor, a fork of the caller that executes nothing:
//!
//! ```text
//! caller --fork--> supervisor --fork--> the program, in a session of its own
//!    \____ socket ____/
//! ```
//!
//! The supervisor waits for the program and writes how it ended to a socket. So a caller that ignores SIGCHLD, whose children the
//! kernel clears away without a word, learns of it all the same, and so does one with a handler that waits for every child. When the
//! time is up the supervisor ends the program with all of its session's process group: SIGTERM, then SIGKILL. When the caller
//! dies, the socket closes, and the supervisor does the same: no program goes on for nobody.
//!
//! Open files can be given along (see [`Program::files`]): they have the numbers from [`FIRST_FILE`] on in the program, which finds
//! them as `/proc/self/fd/N`. They go through the socket in small batches, and the program's own limit of open files is raised, so
//! that there may be thousands of them while the caller has only a few open at any time.
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

/// The number that the first of [`Program::files`] has in the program.
pub const FIRST_FILE: usize = 5;

/// How much is kept of what a program says, in bytes: the first half of it from the beginning, the other from the end.
pub const KEPT: usize = 64 << 10;

/// How long a program may take to end itself after SIGTERM, and then to be gone after SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// Gives the next file; none when there are no more.
pub type Files<'f> = &'f mut dyn FnMut() -> Option<io::Result<OwnedFd>>;

/// A program to be run.
pub struct Program<'a, 'f> {
    /// Its path, absolute; inside of `root` where that is given.
    pub path: &'a Path,
    /// What it is called with, without its name.
    pub arguments: &'a [OsString],
    /// Its environment. None: the caller's.
    pub environment: Option<Vec<(OsString, OsString)>>,
    /// A directory that is to be its root directory.
    pub root: Option<BorrowedFd<'a>>,
    /// Files that it is to have open; asked for one after the other until there is none.
    pub files: Option<Files<'f>>,
    /// How long it may take.
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
    /// By itself, with this exit status.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// It was ended when its time was up.
    TimedOut,
    /// Its time was up, and even SIGKILL did not end it: it hangs in the kernel.
    Stuck,
}

/// What became of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub end: End,
    /// What it wrote to stderr, at most [`KEPT`] bytes and a line in the middle where some were left out.
    pub stderr: Vec<u8>,
}

/// How many files a program can be given, by the hard limit of open files; some are left for itself.
pub fn max_files() -> usize {
    use nix::sys::resource::{Resource, getrlimit};
    let hard = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(_, hard)| hard);
    usize::try_from(hard).unwrap_or(usize::MAX).saturating_sub(FIRST_FILE + OWN_FILES)
}

/// Open files that are left for the program itself.
const OWN_FILES: usize = 64;

/// Does the process have rights that the one who started it has not: set-user-ID, set-group-ID, or file capabilities? Then its
/// environment is somebody else's word.
pub fn is_privileged_by_file() -> bool {
    // SAFETY: reads a value that the kernel has left for the process.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    secure
        || nix::unistd::getuid() != nix::unistd::geteuid()
        || nix::unistd::getgid() != nix::unistd::getegid()
}
