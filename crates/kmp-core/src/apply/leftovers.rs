//! What a run that was killed has left behind.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::switch;
use crate::inventory::{ModulesDirs, Release};
use crate::root::Root;

/// Names that only this project makes, beside a release directory or in it, begin so.
pub const PREFIX: &str = ".kmp-";

/// What an earlier run was killed over: prepared sets of links, half-copied indexes, depmod's picture. Only
/// for the holder of the lock are they surely nobody's any more.
pub fn leftovers(root: &Root, dirs: &ModulesDirs, releases: &[Release]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let all = dirs.all().map(Path::to_path_buf).chain(releases.iter().map(|r| r.dir.clone()));
    for dir in all {
        let entries = root.read_dir(&dir).unwrap_or_default();
        let ours = entries.into_iter().filter(|e| e.name.as_bytes().starts_with(PREFIX.as_bytes()));
        found.extend(ours.map(|e| dir.join(e.name)));
    }
    found
}

/// Removes one of [`leftovers`].
///
/// # Errors
/// What could not be removed.
pub fn clear(root: &Root, leftover: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (leftover.parent(), leftover.file_name()) else { return Ok(()) };
    switch::remove_tree(root.dir(parent)?.as_fd(), name)
}
