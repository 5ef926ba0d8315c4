// SPDX-License-Identifier: LGPL-2.1-or-later
//! From a handle to bytes and names.

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, readlinkat};
use nix::sys::stat::{fstat, fstatat};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::entry::{DirEntry, FileType, Stat};

/// How a file is opened for reading before it is known to be one: a FIFO must not block, a terminal not become ours.
pub(super) const READ: OFlag = OFlag::O_RDONLY.union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY);

/// The target of the link that an O_PATH handle is open on.
pub(super) fn read_link(fd: BorrowedFd<'_>) -> nix::Result<PathBuf> {
    match readlinkat(fd, "") {
        // The kernel's word for "not a link" when asked by handle.
        Err(Errno::ENOENT) => Err(Errno::EINVAL),
        target => target.map(PathBuf::from),
    }
}

/// The handle as a file, if it is a regular one.
pub(super) fn regular(fd: OwnedFd) -> io::Result<(File, Stat)> {
    let stat = Stat::from(fstat(&fd)?);
    match stat.kind() {
        FileType::File => Ok((File::from(fd), stat)),
        FileType::Dir => Err(Errno::EISDIR.into()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
    }
}

/// The contents, at most `limit` bytes; `stat` is what the file is.
pub(super) fn read_up_to(file: File, stat: Stat, limit: u64) -> io::Result<Vec<u8>> {
    let too_large =
        || io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than the limit of {limit} bytes"));
    if stat.size > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // The size is a hint: the file may grow, and those in /proc have none.
    bytes.try_reserve_exact(usize::try_from(stat.size).unwrap_or(usize::MAX))?;
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
}

/// The names in a directory without `.` and `..`, sorted by bytes.
pub(super) fn list(fd: OwnedFd) -> io::Result<Vec<DirEntry>> {
    use nix::dir::Type;
    let mut dir = nix::dir::Dir::from_fd(fd)?;
    let mut entries = Vec::new();
    // Most file systems give the type here. The others are asked below.
    let mut unknown = Vec::new();
    for entry in dir.iter() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let name = OsString::from_vec(name.to_vec());
        let kind = match entry.file_type() {
            Some(Type::File) => FileType::File,
            Some(Type::Directory) => FileType::Dir,
            Some(Type::Symlink) => FileType::Symlink,
            Some(_) => FileType::Other,
            None => {
                unknown.push(name);
                continue;
            }
        };
        entries.push(DirEntry { name, kind });
    }
    for name in unknown {
        match fstatat(&dir, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => entries.push(DirEntry { kind: Stat::from(stat).kind(), name }),
            // Gone since.
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    entries.sort_unstable();
    Ok(entries)
}
