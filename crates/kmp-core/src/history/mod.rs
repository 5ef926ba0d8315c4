// SPDX-License-Identifier: LGPL-2.1-or-later
//! What each run has changed, for people: an entry a run, in a log of kmp's own ([`append`], [`read()`]), and the messages to the
//! system's log that are made of it ([`Entry::messages`]).
//!
//! Nothing that kmp decides depends on the log: it may be lost at any time. A run that changes nothing leaves no entry, nor does
//! one that only looks. A run that is killed leaves none; what it has not done the next one does, and that leaves one.

use std::io;

use crate::clock;
use crate::root::Root;

mod caller;
mod entry;
mod file;
mod line;
mod messages;
mod of_sync;

pub use caller::{Call, Caller};
pub use entry::{Change, Entry, Held, Index, Initrd, InitrdDone, KernelEntry, NotLinked, Outcome};
pub use file::{DIRECTORY, FILE, History, append, last, read};
pub use of_sync::{About, of_failure, of_held, of_initrd, of_request, of_sync};

/// Adds what a run of this process has done, which is over now; nothing of one that has done nothing.
///
/// # Errors
/// As [`append`]. That is no failure of the run.
pub fn write(root: &Root, mut entry: Entry, call: Call<'_>) -> io::Result<()> {
    if entry.is_empty() {
        return Ok(());
    }
    entry.caller = Caller::find(call);
    entry.time = clock::now();
    append(root, &mut entry).map(drop)
}

/// Can no history be written where this is the error, by the nature of the place: an image that is read-only, a root of another
/// user's?
pub fn is_expected(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem)
        || error.raw_os_error() == Some(nix::libc::EACCES)
}
