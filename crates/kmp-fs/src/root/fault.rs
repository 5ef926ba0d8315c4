// SPDX-License-Identifier: LGPL-2.1-or-later
//! What an error of the system means.

use nix::errno::Errno;
use std::io;

/// How often a call is made again that was interrupted, or is to be tried again: openat2 fails with EAGAIN where a rename anywhere
/// raced with a `..` in the path, open(2) where a lease is being broken.
pub(super) const RETRIES: usize = 32;

/// Whether the system failed to look (EIO, EACCES, ENOMEM, EMFILE and the like), so that what is there is unknown. Any other
/// error is an answer: there is nothing, or something of another type.
pub fn is_fault(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    match error.raw_os_error().map(Errno::from_raw) {
        // The last two: a socket, or a device without a driver, in a file's place.
        Some(
            Errno::ENOENT
            | Errno::ENOTDIR
            | Errno::EISDIR
            | Errno::ELOOP
            | Errno::ENAMETOOLONG
            | Errno::EINVAL
            | Errno::ENXIO
            | Errno::ENODEV,
        ) => false,
        Some(_) => true,
        None => !matches!(
            error.kind(),
            Kind::NotFound | Kind::InvalidInput | Kind::InvalidData | Kind::FileTooLarge
        ),
    }
}

/// Repeats a call that was interrupted (EINTR) or has to be tried again (EAGAIN), a bounded number of times.
///
/// # Errors
/// Those of the call.
pub fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..RETRIES {
        match call() {
            Err(e) if matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            done => return done,
        }
    }
    call()
}
