// SPDX-License-Identifier: LGPL-2.1-or-later
//! One directory, from which many files are read.

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{Mode, fstatat};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::entry::{DirEntry, Stat};
use super::read::{READ, list, read_up_to, regular};

/// A directory below a [`Root`](super::Root), for reading many of its files. Names are single components and symbolic links
/// are not followed, so nothing leads out of the directory; to follow a link, resolve its whole path by the root.
#[derive(Debug)]
pub struct Dir(OwnedFd);

impl Dir {
    /// The entries of the directory without `.` and `..`, sorted by bytes.
    ///
    /// # Errors
    /// The system's error.
    pub fn entries(&self) -> io::Result<Vec<DirEntry>> {
        // A handle of its own: the position in the directory belongs to it.
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        list(openat(&self.0, ".", flags, Mode::empty())?)
    }

    /// Opens a directory in it.
    ///
    /// # Errors
    /// The system's error; `NotADirectory` also for a link; `InvalidInput` if `name` is not one component.
    pub fn dir(&self, name: &OsStr) -> io::Result<Dir> {
        self.open_at(name, OFlag::O_RDONLY | OFlag::O_DIRECTORY).map(Dir)
    }

    /// Opens a regular file in it for reading.
    ///
    /// # Errors
    /// As [`Root::open_file`](super::Root::open_file); `FilesystemLoop` (ELOOP) for a link; `InvalidInput` if `name` is not one component.
    pub fn open_file(&self, name: &OsStr) -> io::Result<File> {
        Ok(regular(self.open_at(name, READ)?)?.0)
    }

    /// Reads a regular file in it, at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Dir::open_file`]; `FileTooLarge` if the file has more than `limit` bytes.
    pub fn read(&self, name: &OsStr, limit: u64) -> io::Result<Vec<u8>> {
        let (file, stat) = regular(self.open_at(name, READ)?)?;
        read_up_to(file, stat, limit)
    }

    /// The status of `name` in it; a link is not followed.
    ///
    /// # Errors
    /// The system's error; `InvalidInput` if `name` is not one component.
    pub fn symlink_metadata(&self, name: &OsStr) -> io::Result<Stat> {
        Ok(fstatat(&self.0, one_component(name)?, AtFlags::AT_SYMLINK_NOFOLLOW)?.into())
    }

    /// The target of a symbolic link, as it is stored.
    ///
    /// # Errors
    /// The system's error; `InvalidInput` if it is not a link or `name` is not one component.
    pub fn read_link(&self, name: &OsStr) -> io::Result<PathBuf> {
        Ok(readlinkat(&self.0, one_component(name)?)?.into())
    }

    fn open_at(&self, name: &OsStr, flags: OFlag) -> io::Result<OwnedFd> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.0, one_component(name)?, flags, Mode::empty())?)
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Dir {
    /// Of a directory that was opened for reading.
    fn from(fd: OwnedFd) -> Dir {
        Dir(fd)
    }
}

impl From<Dir> for OwnedFd {
    fn from(dir: Dir) -> OwnedFd {
        dir.0
    }
}

fn one_component(name: &OsStr) -> io::Result<&OsStr> {
    match name.as_bytes() {
        b"" | b"." | b".." => Err(Errno::EINVAL.into()),
        bytes if bytes.contains(&b'/') => Err(Errno::EINVAL.into()),
        _ => Ok(name),
    }
}
