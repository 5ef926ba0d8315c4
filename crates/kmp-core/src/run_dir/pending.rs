// SPDX-License-Identifier: LGPL-2.1-or-later
//! `pending/KREL`: the links of a kernel wait for a file system that can be written. Left by the run that
//! could not change them, and taken away by the one that makes up for it. It is for people; the next run
//! finds out for itself.

use std::path::Path;

use super::notes::{forget, note};
use crate::root::Root;

const PENDING: &str = "/run/kmp/pending";

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
