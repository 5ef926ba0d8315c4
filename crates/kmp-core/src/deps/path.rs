// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a file of a package is, by its path.

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

const MODULES: &[u8] = b"/lib/modules/";

/// What the file is; `None` for files that no dependency comes from.
pub fn kind(path: &[u8]) -> Option<Kind> {
    let (dir, name) = split(path);
    let below_modules = find(path, MODULES).map(|at| &path[at + MODULES.len()..]);
    if below_modules.is_some_and(|below| below != name && plain(name).ends_with(b".ko")) {
        return Some(Kind::Module);
    }
    let release = split(dir).1;
    if below_modules.is_some_and(|below| below != name) {
        match plain(name) {
            b"vmlinux" if find(path, b"/usr/lib/modules/").is_some() => return Some(image(release)),
            b"symvers" => return Some(Kind::Symvers),
            b"modules.builtin" => return Some(Kind::Builtin),
            _ => {}
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

/// Where `part` is first found in `path`.
pub(super) fn find(path: &[u8], part: &[u8]) -> Option<usize> {
    memchr::memmem::find(path, part)
}

/// Is it below `lib/modules/RELEASE/kernel/`, wherever that is?
pub(super) fn is_in_tree(path: &[u8]) -> bool {
    memchr::memmem::find_iter(path, MODULES).any(|at| {
        let below = &path[at + MODULES.len()..];
        let end = below.iter().position(|b| *b == b'/').unwrap_or(below.len());
        below[end..].starts_with(b"/kernel/")
    })
}
