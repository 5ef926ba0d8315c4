// SPDX-License-Identifier: LGPL-2.1-or-later
//! The entries of a directory, and what stat(2) says about them.

use nix::sys::stat::{FileStat, SFlag};
use std::ffi::OsString;

/// The type of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileType {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A device, FIFO or socket.
    Other,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The name: one component, never `.` or `..`, not necessarily UTF-8.
    pub name: OsString,
    /// Its type; symbolic links are not followed.
    pub kind: FileType,
}

/// The result of stat(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The file system's device number.
    pub dev: u64,
    /// The inode number.
    pub ino: u64,
    /// Type and permission bits, as in `st_mode`.
    pub mode: u32,
    /// The size in bytes.
    pub size: u64,
    /// When the contents changed, in nanoseconds since 1970.
    pub mtime_ns: i128,
    /// When contents or attributes changed, in nanoseconds since 1970.
    pub ctime_ns: i128,
}

impl Stat {
    /// The type of the file.
    pub fn kind(&self) -> FileType {
        match SFlag::from_bits_truncate(self.mode) & SFlag::S_IFMT {
            SFlag::S_IFREG => FileType::File,
            SFlag::S_IFDIR => FileType::Dir,
            SFlag::S_IFLNK => FileType::Symlink,
            _ => FileType::Other,
        }
    }
}

impl From<FileStat> for Stat {
    fn from(stat: FileStat) -> Stat {
        let ns = |s, ns| i128::from(s) * 1_000_000_000 + i128::from(ns);
        Stat {
            dev: stat.st_dev,
            ino: stat.st_ino,
            mode: stat.st_mode,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime_ns: ns(stat.st_mtime, stat.st_mtime_nsec),
            ctime_ns: ns(stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}
