// SPDX-License-Identifier: LGPL-2.1-or-later
//! Kernels whose directories cannot be written now.

use std::path::Path;

use nix::sys::statvfs::{FsFlags, fstatvfs};

use super::notes::{forget, note};
use crate::root::Root;

/// A file here, named for a kernel's release, tells that its links wait for a file system that can be written. It is taken
/// away by the run that makes up for it.
pub const PENDING: &str = "/run/kmp/pending";

/// Is `dir` on a file system that is mounted read-only?
pub fn is_read_only(root: &Root, dir: &Path) -> bool {
    root.dir(dir)
        .ok()
        .and_then(|dir| fstatvfs(dir).ok())
        .is_some_and(|s| s.flags().contains(FsFlags::ST_RDONLY))
}

/// Notes that the links of a kernel could not be changed.
pub fn keep_pending(root: &Root, release: &str) {
    if let Err(e) = note(root, Path::new(PENDING), release, "") {
        log::debug!("no note in {}: {e}", root.display(Path::new(PENDING)).display());
    }
}

/// The links of a kernel are changed, or are as they should be.
pub fn settle_pending(root: &Root, release: &str) {
    forget(root, Path::new(PENDING), release);
}
