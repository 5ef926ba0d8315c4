// SPDX-License-Identifier: LGPL-2.1-or-later
//! Where a kernel and its initrd are.

use std::path::Path;

use super::boot::{Boots, Entries};
use crate::problem::Problem;
use crate::root::Root;
use crate::tree::{self, IMAGES};

/// Is there an image of this kernel, in its directory `dir` or in `/boot`?
///
/// # Errors
/// The system could not look.
pub fn has_image(root: &Root, release: &str, dir: &Path) -> Result<bool, Problem> {
    for path in IMAGES.iter().flat_map(|name| tree::places(dir, release, name)) {
        match root.try_exists(&path) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(e) => return Err(Problem::unreadable(root.display(&path), &e)),
        }
    }
    Ok(false)
}

/// Is it `vmlinuz-` or the like: what stands before the release in an image's name?
pub fn is_image_prefix(prefix: &str) -> bool {
    prefix.strip_suffix('-').is_some_and(|image| IMAGES.contains(&image))
}

/// What a kernel is booted with, by the entries that are on disk.
///
/// # Errors
/// The system could not look.
pub fn find(root: &Root, release: &str, dir: &Path) -> Result<Boots, Problem> {
    Entries::read(root)?.find(root, release, dir)
}
