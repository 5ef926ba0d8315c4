// SPDX-License-Identifier: LGPL-2.1-or-later
//! Paths of modules, taken apart: which part is the kernel's release, and which the rest.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The two spellings of the directory that has a directory for each kernel. With a merged `/usr` they are one.
pub const DIRECTORIES: [&str; 2] = ["/usr/lib/modules", "/lib/modules"];

/// An absolute path below one of [`DIRECTORIES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts<'p> {
    /// Which of them it is.
    pub dir: &'static str,
    /// The kernel's release. It is data, and need not be one.
    pub release: &'p OsStr,
    /// The path below the kernel's directory; empty for the directory itself.
    pub below: &'p Path,
}

/// Takes an absolute path apart; `None` where it is not below a kernel's directory. `..` in it is not looked at.
pub fn parts(path: &Path) -> Option<Parts<'_>> {
    let (dir, rest) =
        DIRECTORIES.iter().find_map(|dir| path.strip_prefix(dir).ok().map(|rest| (*dir, rest)))?;
    let mut components = rest.components();
    Some(Parts { dir, release: components.next()?.as_os_str(), below: components.as_path() })
}

/// The same of a path as initrds have it, without the slash at its beginning: the path from the release on.
pub fn parts_in_initrd(path: &Path) -> Option<&Path> {
    DIRECTORIES.iter().find_map(|dir| path.strip_prefix(dir.trim_start_matches('/')).ok())
}

/// Both spellings of an absolute path below one of [`DIRECTORIES`]: in `/usr/lib/modules` and in `/lib/modules`.
pub fn spellings(path: &Path) -> Option<[PathBuf; 2]> {
    let rest = DIRECTORIES.iter().find_map(|dir| path.strip_prefix(dir).ok())?;
    Some(DIRECTORIES.map(|dir| Path::new(dir).join(rest)))
}

/// A path in a build root, whose own path may be anything: `.../lib/modules/RELEASE/BELOW`. Bytes, as the generators of
/// dependencies take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Anywhere<'p> {
    /// The release, or the file's name where there is nothing below it.
    pub release: &'p [u8],
    /// What follows the release, with its slash; empty where nothing does.
    pub below: &'p [u8],
    /// Is it `/usr/lib/modules`?
    pub in_usr: bool,
}

impl<'p> Anywhere<'p> {
    /// Each way to read the path so, the first first.
    pub(crate) fn all(path: &'p [u8]) -> impl Iterator<Item = Self> {
        const MARK: &[u8] = b"/lib/modules/";
        memchr::memmem::find_iter(path, MARK)
            .map(move |at| Self::of(&path[at + MARK.len()..], path[..at].ends_with(b"/usr")))
    }

    /// The path that follows `lib/modules/`.
    pub(crate) fn of(rest: &'p [u8], in_usr: bool) -> Self {
        let end = rest.iter().position(|b| *b == b'/').unwrap_or(rest.len());
        Self { release: &rest[..end], below: &rest[end..], in_usr }
    }
}
