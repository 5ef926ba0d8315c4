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
//!     meanwhile: None,
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
mod program;
mod supervisor;

pub use caller::run;
pub use program::{End, FIRST_FILE, Files, KEPT, Meanwhile, Output, Program, max_files};

/// Whether this process has more privileges than the one that started it (set-user-ID, set-group-ID, file capabilities), so
/// that its environment must not be trusted.
pub fn is_privileged_by_file() -> bool {
    // SAFETY: reads a value that the kernel has left for the process.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    secure
        || nix::unistd::getuid() != nix::unistd::geteuid()
        || nix::unistd::getgid() != nix::unistd::getegid()
}
