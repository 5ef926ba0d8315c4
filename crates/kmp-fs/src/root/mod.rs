// SPDX-License-Identifier: LGPL-2.1-or-later
//! A file-system root, and reading below it.
//!
//! Every path is absolute inside the root: `/usr/lib/modules/K`. Neither `..` nor a symbolic link leads out of the root: an
//! absolute link starts again at the root, as after chroot(2). For the system's own root the kernel resolves paths as usual.
//! For another root openat2(2) with RESOLVE_IN_ROOT does, and if the kernel or a sandbox lacks it, a walk in this crate,
//! one component at a time.
//!
//! This module only reads. To write, take the handle of a directory from [`Root::dir`] and use the `*at` system calls on it.

mod dir;
mod entry;
mod fault;
mod read;
mod resolve;
#[cfg(test)]
mod tests;

use nix::fcntl::OFlag;
use nix::sys::stat::fstat;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use read::{READ, list, read_up_to, regular};
use resolve::{Beneath, Resolver};

pub use dir::Dir;
pub use entry::{DirEntry, FileType, Stat};
pub use fault::{again, is_fault};

/// The root could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {}: {source}; give an existing directory as the root", path.display())]
pub struct RootError {
    /// What was being done when it failed.
    pub doing: &'static str,
    /// The path to the root, as it was given.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

/// A file-system root below which every path is resolved. See the [module](self) for the rules.
///
/// # Examples
/// ```
/// use kmp_fs::root::Root;
/// use std::path::Path;
///
/// let tmp = tempfile::tempdir()?;
/// std::fs::create_dir_all(tmp.path().join("usr/lib/modules/6.4.0-1-default"))?;
/// std::fs::write(tmp.path().join("hostname"), "inside")?;
/// // As chroot(2) would see it, this link leads to the root's own file.
/// std::os::unix::fs::symlink("/../../hostname", tmp.path().join("usr/name"))?;
///
/// let root = Root::open(tmp.path())?;
/// assert_eq!(root.read(Path::new("/usr/name"), 100)?, b"inside");
/// assert_eq!(root.read_dir(Path::new("/usr/lib/modules"))?[0].name, "6.4.0-1-default");
/// assert_eq!(root.read_if_there(Path::new("/etc/kmp.conf"), 100)?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Root {
    beneath: Beneath,
    path: PathBuf,
}

impl Root {
    /// Opens the root at `path`, a directory as the calling process sees it; `/` is the running system. A relative path starts
    /// at the current working directory.
    ///
    /// # Errors
    /// `path` is not a directory, or cannot be opened.
    pub fn open(path: &Path) -> Result<Root, RootError> {
        let fail = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| RootError { doing, path, source }
        };
        let (finding, opening) = ("cannot find the root directory", "cannot open the root directory");
        let path = std::path::absolute(path).map_err(fail(finding, path))?;
        let real = std::fs::canonicalize(&path).map_err(fail(finding, &path))?;
        if real == Path::new("/") {
            return Root::open_with(&real, Resolver::System).map_err(fail(opening, &path));
        }
        let mut root = Root::open_with(&path, Resolver::InRoot).map_err(fail(opening, &path))?;
        root.beneath.walk_if_needed();
        Ok(root)
    }

    fn open_with(path: &Path, resolver: Resolver) -> io::Result<Root> {
        // Without doubled and trailing slashes.
        Ok(Root { beneath: Beneath::open_root(path, resolver)?, path: path.components().collect() })
    }

    /// The absolute path of the root, as the calling process sees it: for messages and for other programs.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this is the running system's root, `/`.
    pub fn is_system(&self) -> bool {
        self.beneath.by == Resolver::System
    }

    /// A path inside the root, as seen from outside. For messages only: opening it could lead out of the root.
    pub fn display(&self, path: &Path) -> PathBuf {
        self.path.join(relative(path))
    }

    /// Reads a regular file, at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Root::open_file`]; `FileTooLarge` if the file has more than `limit` bytes.
    pub fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        again(|| {
            let (file, stat) = regular(self.beneath.open(path, READ, true)?)?;
            read_up_to(file, stat, limit)
        })
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// The system's error; `IsADirectory` or `InvalidInput` if it is not a regular file. A FIFO or device never blocks.
    pub fn open_file(&self, path: &Path) -> io::Result<File> {
        again(|| Ok(regular(self.beneath.open(path, READ, true)?)?.0))
    }

    /// The entries of a directory without `.` and `..`, sorted by bytes. Links on the way to it are followed.
    ///
    /// # Errors
    /// The system's error; `NotADirectory` if it is not a directory.
    pub fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        again(|| list(self.dir(path)?))
    }

    /// Like [`Root::read_dir`], with the status of the directory itself.
    ///
    /// # Errors
    /// As [`Root::read_dir`].
    pub fn read_dir_stat(&self, path: &Path) -> io::Result<(Vec<DirEntry>, Stat)> {
        again(|| {
            let dir = self.dir(path)?;
            let stat = fstat(&dir)?.into();
            Ok((list(dir)?, stat))
        })
    }

    /// Opens a directory for reading (O_RDONLY), for `*at` system calls.
    ///
    /// # Errors
    /// The system's error; `NotADirectory` if it is not a directory.
    pub fn dir(&self, path: &Path) -> io::Result<OwnedFd> {
        again(|| Ok(self.beneath.open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY, true)?))
    }

    /// Opens a directory to read many of its files: its path is resolved only once.
    ///
    /// # Errors
    /// As [`Root::dir`].
    pub fn open_dir(&self, path: &Path) -> io::Result<Dir> {
        self.dir(path).map(Dir::from)
    }

    /// The status of `path`; a symbolic link at its end is followed.
    ///
    /// # Errors
    /// The system's error; `NotFound` for a dangling link.
    pub fn metadata(&self, path: &Path) -> io::Result<Stat> {
        again(|| Ok(fstat(self.beneath.open(path, OFlag::O_PATH, true)?)?.into()))
    }

    /// The status of `path`; a symbolic link at its end is not followed.
    ///
    /// # Errors
    /// The system's error.
    pub fn symlink_metadata(&self, path: &Path) -> io::Result<Stat> {
        again(|| Ok(fstat(self.beneath.open(path, OFlag::O_PATH, false)?)?.into()))
    }

    /// The target of a symbolic link, as it is stored.
    ///
    /// # Errors
    /// The system's error; `InvalidInput` if it is not a link.
    pub fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        again(|| Ok(read::read_link(self.beneath.open(path, OFlag::O_PATH, false)?.as_fd())?))
    }

    /// Whether `path` exists. A dangling link does not.
    ///
    /// # Errors
    /// The system's error, if it [could not look](is_fault).
    pub fn try_exists(&self, path: &Path) -> io::Result<bool> {
        match self.metadata(path) {
            Ok(_) => Ok(true),
            Err(e) if is_fault(&e) => Err(e),
            Err(_) => Ok(false),
        }
    }

    /// Like [`Root::read`], but `None` if there is not a regular file, or one that is too large.
    ///
    /// # Errors
    /// The system's error, if it [could not look](is_fault).
    pub fn read_if_there(&self, path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        match self.read(path, limit) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if is_fault(&e) => Err(e),
            Err(_) => Ok(None),
        }
    }

    /// Like [`Root::read_dir`], but empty if there is no directory.
    ///
    /// # Errors
    /// The system's error, if it [could not look](is_fault).
    pub fn read_dir_if_there(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        match self.read_dir(path) {
            Err(e) if !is_fault(&e) => Ok(Vec::new()),
            done => done,
        }
    }

    /// The path without symbolic links, `.` and `..`, absolute inside the root: `/lib/modules` may be `/usr/lib/modules`.
    ///
    /// # Errors
    /// The system's error; `NotFound` if the file does not exist.
    pub fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        // The walk knows the names it went through. /proc/self/fd would also say, but not in every chroot, and wrongly after a rename.
        let walked = again(|| Ok(self.beneath.walk(path, true)?))?;
        let mut real = PathBuf::from("/");
        real.extend(walked.dirs.iter().map(|(_, name)| name));
        if walked.last != "." {
            real.push(walked.last);
        }
        Ok(real)
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.beneath.fd.as_fd()
    }
}

/// The path without its leading slashes.
fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}
