// SPDX-License-Identifier: LGPL-2.1-or-later
//! Directories of drop-in files, such as `/etc/depmod.d` and `/usr/lib/depmod.d`: which files count, and in which order.

use std::cmp::Ordering;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::root::{FileType, Root};

/// The directories of one program, and its rules.
///
/// A drop-in is a file named `*.conf` that is not hidden (`.`). One in an earlier directory overrides one of the same name in
/// a later directory, even if it is a symbolic link to `/dev/null`.
///
/// # Examples
/// ```
/// use kmp_fs::conf_d::DropIns;
/// use kmp_fs::root::Root;
/// use std::path::Path;
///
/// const DROP_INS: DropIns = DropIns::of(&["/etc/example.d", "/usr/lib/example.d"]);
///
/// let tmp = tempfile::tempdir()?;
/// for file in ["etc/example.d/20-site.conf", "usr/lib/example.d/20-site.conf", "usr/lib/example.d/10-vendor.conf"] {
///     let file = tmp.path().join(file);
///     std::fs::create_dir_all(file.parent().unwrap())?;
///     std::fs::write(file, "")?;
/// }
/// let found = DROP_INS.find(&Root::open(tmp.path())?);
/// assert_eq!(found.files, ["/usr/lib/example.d/10-vendor.conf", "/etc/example.d/20-site.conf"].map(Path::new));
/// assert!(found.unread.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DropIns {
    directories: &'static [&'static str],
    order: fn(&[u8], &[u8]) -> Ordering,
    passes_over_dangling: bool,
}

/// The drop-ins that were found.
#[derive(Debug, Default)]
pub struct Found {
    /// The files to read, in this order. They need not be regular files.
    pub files: Vec<PathBuf>,
    /// Directories and files at which the system [could not look](crate::root::is_fault), and why: `files` may be incomplete.
    pub unread: Vec<(PathBuf, io::Error)>,
}

impl DropIns {
    /// Drop-ins in these directories, absolute inside the root, read in the order of their names' bytes, as depmod, modprobe
    /// and systemd read theirs.
    pub const fn of(directories: &'static [&'static str]) -> Self {
        Self { directories, order: |a, b| a.cmp(b), passes_over_dangling: false }
    }

    /// Sorts files by `order` instead; files that it calls equal count as having the same name.
    #[must_use]
    pub const fn sorted_by(mut self, order: fn(&[u8], &[u8]) -> Ordering) -> Self {
        self.order = order;
        self
    }

    /// Ignores dangling symbolic links: they do not override other files.
    #[must_use]
    pub const fn passing_over_dangling_links(mut self) -> Self {
        self.passes_over_dangling = true;
        self
    }

    /// The directories; what is in an earlier one counts.
    pub const fn directories(&self) -> &'static [&'static str] {
        self.directories
    }

    /// Looks for them below `root`.
    pub fn find(&self, root: &Root) -> Found {
        let mut found = Found::default();
        let mut files: Vec<(OsString, PathBuf)> = Vec::new();
        for directory in self.directories.iter().map(Path::new) {
            let entries = root.read_dir_if_there(directory).unwrap_or_else(|error| {
                found.unread.push((directory.into(), error));
                Vec::new()
            });
            for entry in entries {
                let name = entry.name.as_bytes();
                if entry.kind == FileType::Dir || name.starts_with(b".") || !name.ends_with(b".conf") {
                    continue;
                }
                let path = directory.join(&entry.name);
                if self.passes_over_dangling && entry.kind == FileType::Symlink {
                    match root.try_exists(&path) {
                        Ok(true) => {}
                        Ok(false) => continue,
                        Err(error) => {
                            found.unread.push((path, error));
                            continue;
                        }
                    }
                }
                files.push((entry.name, path));
            }
        }
        // Files of one name stay in the order of their directories.
        let order = |a: &OsString, b: &OsString| (self.order)(a.as_bytes(), b.as_bytes());
        files.sort_by(|(a, _), (b, _)| order(a, b));
        files.dedup_by(|(b, _), (a, _)| order(a, b).is_eq());
        found.files = files.into_iter().map(|(_, path)| path).collect();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const DIRECTORIES: &[&str] = &["/etc/x.d", "/run/x.d", "/usr/lib/x.d"];

    #[test]
    fn an_earlier_directory_hides_what_a_later_one_has() {
        let tmp = tempfile::tempdir().unwrap();
        let at = |path: &str| tmp.path().join(path);
        for directory in ["etc/x.d/dir.conf", "usr/lib/x.d"] {
            std::fs::create_dir_all(at(directory)).unwrap();
        }
        for file in ["b.conf", "a.conf", "off.conf", "gone.conf", "dir.conf", "README", ".hidden.conf"] {
            std::fs::write(at("usr/lib/x.d").join(file), "").unwrap();
        }
        std::fs::write(at("etc/x.d/b.conf"), "").unwrap();
        symlink("/dev/null", at("etc/x.d/off.conf")).unwrap();
        symlink("nowhere", at("etc/x.d/gone.conf")).unwrap();
        let root = Root::open(tmp.path()).unwrap();
        let files = |drop_ins: DropIns| {
            let found = drop_ins.find(&root);
            assert!(found.unread.is_empty());
            found.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            files(DropIns::of(DIRECTORIES)),
            [
                "/usr/lib/x.d/a.conf",
                "/etc/x.d/b.conf",
                "/usr/lib/x.d/dir.conf",
                "/etc/x.d/gone.conf",
                "/etc/x.d/off.conf"
            ]
        );
        // In this root /dev/null leads nowhere, too.
        std::fs::create_dir(at("dev")).unwrap();
        std::fs::write(at("dev/null"), "").unwrap();
        let reversed = DropIns::of(DIRECTORIES).passing_over_dangling_links().sorted_by(|a, b| b.cmp(a));
        assert_eq!(
            files(reversed),
            [
                "/etc/x.d/off.conf",
                "/usr/lib/x.d/gone.conf",
                "/usr/lib/x.d/dir.conf",
                "/etc/x.d/b.conf",
                "/usr/lib/x.d/a.conf"
            ]
        );
    }
}
