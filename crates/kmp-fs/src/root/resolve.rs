// SPDX-License-Identifier: LGPL-2.1-or-later
//! How a path is resolved beneath a root: by the kernel, or where that cannot be, by a walk of our own.

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{Mode, fstat};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::entry::{FileType, Stat};
use super::fault::RETRIES;
use super::read::read_link;

/// Links followed in one path before it counts as a loop: the kernel's MAXSYMLINKS.
const MAX_LINKS: usize = 40;
/// The longest path the kernel takes, with its NUL: PATH_MAX.
const MAX_PATH: usize = 4096;

/// Who walks the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolver {
    /// The kernel, from the process's own root.
    System,
    /// The kernel, kept beneath the root by openat2.
    InRoot,
    /// [`Beneath::walk`].
    Walk,
}

/// Where a walk ended: `last` in the directory `dir` is not a symbolic link, or one that was not to be followed.
pub(super) struct Walked {
    /// The directories gone through from the root, each with its name; the last is where `last` is.
    pub(super) dirs: Vec<(OwnedFd, OsString)>,
    /// A name, or `.` for the directory itself.
    pub(super) last: OsString,
}

/// A root's handle, and who resolves paths beneath it.
#[derive(Debug)]
pub(super) struct Beneath {
    /// The root directory, opened with O_PATH.
    pub(super) fd: OwnedFd,
    pub(super) by: Resolver,
}

impl Beneath {
    /// Opens the root directory at `path`, as the calling process sees it.
    pub(super) fn open_root(path: &Path, by: Resolver) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self { fd: openat(AT_FDCWD, path, flags, Mode::empty())?, by })
    }

    /// Has paths resolved by our walk, where the kernel cannot do it.
    pub(super) fn walk_if_needed(&mut self) {
        // ENOSYS before Linux 5.6; EPERM from sandboxes that do not know the call.
        if let Err(Errno::ENOSYS | Errno::EPERM) = self.in_root(Path::new("."), OFlag::O_PATH) {
            self.by = Resolver::Walk;
        }
    }

    /// Opens `path` without creating anything. `follow`: whether a symbolic link at the end is followed.
    pub(super) fn open(&self, path: &Path, flags: OFlag, follow: bool) -> nix::Result<OwnedFd> {
        if path.as_os_str().is_empty() {
            return Err(Errno::ENOENT);
        }
        let flags = flags | OFlag::O_CLOEXEC | if follow { OFlag::empty() } else { OFlag::O_NOFOLLOW };
        match self.by {
            Resolver::System => openat(AT_FDCWD, &Path::new("/").join(path), flags, Mode::empty()),
            Resolver::InRoot => match self.in_root(path, flags) {
                // Too many races, or a filter that came after the root was opened: our walk minds neither.
                Err(Errno::EAGAIN | Errno::ENOSYS | Errno::EPERM) => self.walk_open(path, flags, follow),
                done => done,
            },
            Resolver::Walk => self.walk_open(path, flags, follow),
        }
    }

    fn in_root(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        for _ in 0..RETRIES {
            match openat2(&self.fd, path, how) {
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                done => return done,
            }
        }
        Err(Errno::EAGAIN)
    }

    fn walk_open(&self, path: &Path, flags: OFlag, follow: bool) -> nix::Result<OwnedFd> {
        let walked = self.walk(path, follow)?;
        let dir = walked.dirs.last().map_or(self.fd.as_fd(), |(fd, _)| fd.as_fd());
        // A link put there since the walk is not followed: the call fails.
        openat(dir, walked.last.as_os_str(), flags | OFlag::O_NOFOLLOW, Mode::empty())
    }

    /// Goes through `path` as the kernel does (path_resolution(7)), with the root as the place where `..` and absolute links stop.
    /// Each step opens one name without following it, and `..` goes back to a directory that is already open, so nothing that moves
    /// meanwhile leads out.
    pub(super) fn walk(&self, path: &Path, follow: bool) -> nix::Result<Walked> {
        let mut dirs: Vec<(OwnedFd, OsString)> = Vec::new();
        // What is left of the path, last component first.
        let mut left = Vec::new();
        push_components(path, &mut left)?;
        let mut links = 0;
        while let Some(name) = left.pop() {
            let is_last = left.is_empty();
            if name == "." {
                continue;
            }
            if name == ".." {
                dirs.pop();
                continue;
            }
            let dir = dirs.last().map_or(self.fd.as_fd(), |(fd, _)| fd.as_fd());
            let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let fd = openat(dir, name.as_os_str(), flags, Mode::empty())?;
            match Stat::from(fstat(&fd)?).kind() {
                FileType::Symlink if follow || !is_last => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::ELOOP);
                    }
                    let target = read_link(fd.as_fd())?;
                    if target.is_absolute() {
                        dirs.clear();
                    }
                    push_components(&target, &mut left)?;
                }
                _ if is_last => return Ok(Walked { dirs, last: name }),
                FileType::Dir => dirs.push((fd, name)),
                _ => return Err(Errno::ENOTDIR),
            }
        }
        Ok(Walked { dirs, last: ".".into() })
    }
}

/// Puts the components of `path` on the stack `left`, so that its first one is popped first. A slash at the end asks for a directory, which
/// a `.` after it does as well. An empty path is ENOENT.
fn push_components(path: &Path, left: &mut Vec<OsString>) -> nix::Result<()> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() {
        return Err(Errno::ENOENT);
    }
    if bytes.len() >= MAX_PATH {
        return Err(Errno::ENAMETOOLONG);
    }
    if bytes.ends_with(b"/") {
        left.push(".".into());
    }
    let names = bytes.split(|&b| b == b'/').filter(|name| !name.is_empty());
    left.extend(names.rev().map(|name| OsStr::from_bytes(name).to_owned()));
    Ok(())
}
