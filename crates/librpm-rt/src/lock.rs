// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whether another process keeps readers out of the database, found out before librpm would wait for it.
//!
//! librpm waits for a lock without end: sqlite's in a loop of its own, ndb's in `flock`. So the lock is looked at
//! first, for a bounded time. A lock taken in the instant after the look is not seen; rpm itself holds such locks
//! for moments only (its sqlite databases use a write-ahead log, where a writer does not keep readers out).

use std::ffi::c_int;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Error;
use crate::locate::Format;

/// How long a locked database is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// sqlite's file format: bytes that stand for locks.
const SQLITE_PENDING: i64 = 0x4000_0000;
const SQLITE_SHARED: (i64, i64) = (SQLITE_PENDING + 2, 510);

/// A file, whatever its name.
pub(crate) type Identity = (u64, u64);

/// The identity of the file at `path`.
pub(crate) fn identity(path: &Path) -> io::Result<Identity> {
    let data = std::fs::metadata(path)?;
    Ok((data.dev(), data.ino()))
}

/// Returns when the database can be read, or fails after [`PATIENCE`].
///
/// Opens and closes the file, which drops every POSIX lock that this process has on it: not to be called while
/// this process has the same database open.
pub(crate) fn wait_until_readable(path: &Path, format: Format) -> Result<(), Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let start = Instant::now();
    loop {
        let held = match format {
            Format::Sqlite => sqlite_is_held(&file),
            Format::Ndb => ndb_is_held(&file),
            Format::Bdb => Ok(None),
        };
        let Some(holder) = held.map_err(unreadable)? else { return Ok(()) };
        if start.elapsed() >= PATIENCE {
            let holder = (holder > 0).then_some(holder);
            return Err(Error::Locked { path: path.to_owned(), holder, waited: start.elapsed() });
        }
        std::thread::sleep(PAUSE);
    }
}

/// The process (0: unknown) whose lock keeps sqlite's readers out.
fn sqlite_is_held(file: &File) -> io::Result<Option<c_int>> {
    for (start, length) in [(SQLITE_PENDING, 1), SQLITE_SHARED] {
        let mut lock = libc::flock {
            l_type: libc::F_RDLCK as _,
            l_whence: libc::SEEK_SET as _,
            l_start: start,
            l_len: length,
            l_pid: 0,
        };
        // SAFETY: the descriptor is open; F_GETLK reads and writes the struct, which outlives the call.
        let code = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLK, &raw mut lock) };
        if code != 0 {
            return Err(io::Error::last_os_error());
        }
        if c_int::from(lock.l_type) != libc::F_UNLCK {
            return Ok(Some(lock.l_pid));
        }
    }
    Ok(None)
}

/// 0 if some process keeps ndb's readers out.
fn ndb_is_held(file: &File) -> io::Result<Option<c_int>> {
    // SAFETY: the descriptor is open. What is locked here is let go when `file` is closed.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_SH | libc::LOCK_NB) } == 0 {
        return Ok(None);
    }
    match io::Error::last_os_error() {
        error if error.kind() == io::ErrorKind::WouldBlock => Ok(Some(0)),
        error => Err(error),
    }
}
