// SPDX-License-Identifier: LGPL-2.1-or-later
//! Puts an index into a kernel's directory.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;

use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, fchmod, fstat, mkdirat};
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};
use sha2::{Digest, Sha256};

use super::facts_cache::IndexFile;
use crate::apply::switch::remove_tree;
use crate::index::Index;
use crate::root::{Root, Stat};
use crate::tree::{MODULES_DEP, OWN_PREFIX};

/// Writes all files beside the index, to the disk, and then renames one after the other over the old ones. A reader finds
/// for each file the old one or the new one, and what these name are modules that are there: what leads to a module by its
/// name comes after `modules.dep.bin`, which has its path. `modules.dep` comes last: as long as it is old, the index counts
/// as old, and the next run makes it anew.
///
/// # Errors
/// The system's. As long as nothing was renamed the old index is there.
pub(super) fn put(root: &Root, dir: &Path, index: &Index) -> io::Result<Vec<IndexFile>> {
    let dir = root.dir(dir)?;
    let stage = OsString::from(format!("{OWN_PREFIX}index"));
    remove_tree(dir.as_fd(), &stage)?;
    mkdirat(&dir, stage.as_os_str(), Mode::S_IRWXU)?;
    let done = || -> io::Result<Vec<IndexFile>> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let beside = openat(&dir, stage.as_os_str(), flags, Mode::empty())?;
        let mut written = Vec::with_capacity(index.files.len());
        for (name, bytes) in &index.files {
            let flags =
                OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let mut file = File::from(openat(&beside, *name, flags, Mode::from_bits_truncate(0o644))?);
            file.write_all(bytes)?;
            // Independent of the umask.
            fchmod(&file, Mode::from_bits_truncate(0o644))?;
            written.push((*name, file, Sha256::digest(bytes).into()));
        }
        // Together, as the first one has most of the work.
        written.iter().try_for_each(|(_, file, _)| fsync(file))?;
        written.sort_by_key(|(name, ..)| (*name == MODULES_DEP, *name != "modules.dep.bin"));
        for (name, ..) in &written {
            renameat(&beside, *name, &dir, *name)?;
        }
        fsync(&dir)?;
        let file = |(name, file, sha256): (&str, File, _)| {
            Ok(IndexFile { name: name.into(), id: Stat::from(fstat(&file)?).into(), sha256 })
        };
        written.into_iter().map(file).collect()
    }();
    match done {
        Ok(written) => {
            unlinkat(&dir, stage.as_os_str(), UnlinkatFlags::RemoveDir)?;
            Ok(written)
        }
        Err(e) => {
            remove_tree(dir.as_fd(), &stage)?;
            Err(e)
        }
    }
}
