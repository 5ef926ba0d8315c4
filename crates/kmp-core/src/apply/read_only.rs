// SPDX-License-Identifier: LGPL-2.1-or-later
//! Kernels whose directories cannot be written now.

use std::path::Path;

use nix::sys::statvfs::{FsFlags, fstatvfs};

use crate::root::Root;

/// Is `dir` on a file system that is mounted read-only?
pub fn is_read_only(root: &Root, dir: &Path) -> bool {
    root.dir(dir)
        .ok()
        .and_then(|dir| fstatvfs(dir).ok())
        .is_some_and(|s| s.flags().contains(FsFlags::ST_RDONLY))
}
