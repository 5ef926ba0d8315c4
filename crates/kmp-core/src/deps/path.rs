// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a file of a package is, by its path.

use crate::tree::{self, Anywhere};
use crate::unpack::SUFFIXES;

/// What dependencies a file may have something to do with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A module, below `lib/modules`.
    Module,
    /// A kernel's image of this release, in `/usr/lib/modules/RELEASE/` or `/boot`.
    Image(String),
    /// A kernel's list of what is built into its image.
    Builtin,
    /// What a kernel exports.
    Symvers,
    /// Names of modules to load at boot, in `modules-load.d`.
    ModulesLoad,
    /// Sets of symbols: `symsets-RELEASE.tar.gz`.
    Symsets,
}

/// What the file is; `None` for files that no dependency comes from.
pub fn kind(path: &[u8]) -> Option<Kind> {
    let (dir, name) = split(path);
    let is_of_kernel = Anywhere::all(path).next().is_some_and(|parts| !parts.below.is_empty());
    if is_of_kernel && plain(name).ends_with(b".ko") {
        return Some(Kind::Module);
    }
    let release = split(dir).1;
    if is_of_kernel {
        let name = plain(name);
        if name == b"vmlinux" && Anywhere::all(path).any(|parts| parts.in_usr) {
            return Some(image(release));
        } else if name == tree::SYMVERS.as_bytes() {
            return Some(Kind::Symvers);
        } else if name == tree::MODULES_BUILTIN.as_bytes() {
            return Some(Kind::Builtin);
        }
    }
    if release == b"boot" {
        if let Some(release) = name.strip_prefix(b"vmlinux-").filter(|_| !name.ends_with(b".debug")) {
            return Some(image(plain(release)));
        }
        if name.starts_with(b"symvers-") {
            return Some(Kind::Symvers);
        }
    }
    if name.starts_with(b"symsets-") && name.ends_with(b".tar.gz") {
        return Some(Kind::Symsets);
    }
    if dir.ends_with(b"/usr/lib/modules-load.d") && name.ends_with(b".conf") {
        return Some(Kind::ModulesLoad);
    }
    None
}

fn image(release: &[u8]) -> Kind {
    Kind::Image(String::from_utf8_lossy(release).into_owned())
}

/// A path's directory and the name in it.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}

/// A file's name without the suffix of its compression.
pub(super) fn plain(name: &[u8]) -> &[u8] {
    SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix.as_bytes())).unwrap_or(name)
}

/// Is it below `lib/modules/RELEASE/kernel/`, wherever that is?
pub(super) fn is_in_tree(path: &[u8]) -> bool {
    Anywhere::all(path).any(|parts| parts.below.starts_with(b"/kernel/"))
}
