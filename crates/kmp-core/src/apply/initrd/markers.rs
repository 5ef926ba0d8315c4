// SPDX-License-Identifier: LGPL-2.1-or-later
//! Markers, which ask for initrds.

use std::io;
use std::path::Path;

use crate::problem::Problem;
use crate::root::Root;
use crate::run_dir::notes::{Note, note, noted, take_back};

/// Where markers are: empty files, named for the kernel's release.
pub const MARKERS: &str = "/run/regenerate-initrd";

/// The marker for all kernels.
pub const ALL: &str = "all";

/// Leaves the marker for a kernel. Who serves an older one sees that it was left again.
///
/// # Errors
/// The system's.
pub fn mark(root: &Root, release: &str) -> io::Result<Note> {
    note(root, Path::new(MARKERS), release, "")
}

/// Takes away a marker that is served, unless it was left again since it was seen: what it asks for then is newer.
pub fn unmark(root: &Root, marker: &Note) {
    take_back(root, Path::new(MARKERS), marker);
}

/// The markers.
///
/// # Errors
/// They cannot be listed.
pub fn markers(root: &Root) -> Result<Vec<Note>, Problem> {
    noted(root, Path::new(MARKERS))
}
