// SPDX-License-Identifier: LGPL-2.1-or-later
//! Room on the disk: a suite that runs out of it fails in places that say nothing of disks.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::install;

const GB: u64 = 1_000_000_000;

/// What all steps write on a clean clone, at most at one time: below `target/` and `downloads/`, and the packages that they
/// install. Measured on Debian 12.
const WHOLE: u64 = 15 * GB;

/// With less than this much left, a step has failed for want of room.
const FULL: u64 = GB / 2;

/// Before all steps: a line where there may be too little.
pub fn before() {
    say_below(WHOLE, &format!("the first run of all steps takes {}", gb(WHOLE)));
}

/// After a failure: a line where that is why.
pub fn after_failure() {
    say_below(FULL, "steps may have failed for want of room");
}

/// Says what is free below `target/`, and what follows, where it is less than that.
fn say_below(least: u64, what: &str) {
    let target = install::target();
    if let Some(free) = free(&target).filter(|free| *free < least) {
        println!("ROOM: {} are free in {}: {what}", gb(free), target.display());
    }
}

/// What one who is not root can still write there, in bytes.
fn free(place: &Path) -> Option<u64> {
    let found = statvfs(place).ok()?;
    Some(found.blocks_available().saturating_mul(found.fragment_size()))
}

fn gb(bytes: u64) -> String {
    format!("{}.{} GB", bytes / GB, bytes % GB / (GB / 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_measured_and_said() {
        assert_eq!(gb(12_340_000_000), "12.3 GB");
        assert!(free(Path::new("/")).is_some());
        // A file system that nobody can write to has no room.
        assert_eq!(free(Path::new("/proc")), Some(0));
    }
}
