// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which modules depmod finds in a kernel's directory.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::facts_cache::FileId;
use crate::printable;
use crate::root::{FileType, Root};

/// More files than this are no kernel.
const MAX: usize = 200_000;

/// What depmod passes over, wherever it is.
const PASSED_OVER: &[&str] = &["build", "source"];

/// What modules' names end in, by kind. Not every depmod reads each.
const ENDS: &[&str] = &[".ko", ".ko.gz", ".ko.xz", ".ko.zst"];

/// A module's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its path below the kernel's directory.
    pub path: Vec<u8>,
    /// Of a link, the file that it leads to.
    pub id: FileId,
}

/// All modules below a kernel's directory, sorted.
///
/// # Errors
/// In words: not everything could be seen, or there is something of which it is not known what depmod makes of it.
pub(super) fn modules(root: &Root, dir: &Path) -> Result<Vec<Found>, String> {
    let mut found = Vec::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(below) = pending.pop() {
        let place = dir.join(&below);
        let cannot = |name: &OsStr, why: &dyn std::fmt::Display| {
            format!("{}: {why}", printable(root.display(&place.join(name)).as_os_str()))
        };
        let here = root.open_dir(&place).map_err(|e| cannot(OsStr::new(""), &e))?;
        for entry in here.entries().map_err(|e| cannot(OsStr::new(""), &e))? {
            let name = entry.name.as_os_str();
            if PASSED_OVER.iter().any(|passed| name == *passed) {
                continue;
            }
            let odd = |why: &str| Err(cannot(name, &why));
            let is_module = kind(name.as_bytes()).is_some();
            let stat = match entry.kind {
                FileType::Dir if !name.is_ascii() => return odd("its name is not ASCII"),
                FileType::Dir => {
                    pending.push(below.join(name));
                    continue;
                }
                FileType::File if is_module => here.symlink_metadata(name).map_err(|e| cannot(name, &e))?,
                FileType::Symlink => match root.metadata(&place.join(name)) {
                    Ok(stat) if is_module && stat.kind() == FileType::File => stat,
                    Ok(stat) if stat.kind() == FileType::Dir => return odd("it leads to a directory"),
                    Ok(_) | Err(_) if !is_module => continue,
                    Ok(_) => return odd("it does not lead to a file"),
                    Err(e) => return Err(cannot(name, &e)),
                },
                FileType::Other if is_module => return odd("it is not a file"),
                FileType::File | FileType::Other => continue,
            };
            if found.len() >= MAX {
                return odd("there are too many modules");
            }
            found.push(Found { path: below.join(name).into_os_string().into_vec(), id: stat.into() });
        }
    }
    found.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// The kind of a module by its file's name, as a bit; `None` for other files.
pub(super) fn kind(name: &[u8]) -> Option<u8> {
    ENDS.iter().position(|end| name.ends_with(end.as_bytes())).map(|at| 1 << at)
}
