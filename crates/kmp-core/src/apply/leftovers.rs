// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a run that was killed has left behind.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::switch;
use crate::inventory::{ModulesDirs, Release};
use crate::problem::Problem;
use crate::root::{FileType, Root};
use crate::tree::{OWN_PREFIX, WEAK_UPDATES};

/// Beside the directory of a kernel that is gone, and that is being removed.
pub(super) const GOING: &str = ".kmp-going-";

/// What an earlier run was killed over: prepared sets of links, half-copied indexes, depmod's picture; and what
/// depmod itself was killed over. Only for the holder of the lock are they surely nobody's any more.
pub fn leftovers(
    root: &Root,
    dirs: &ModulesDirs,
    releases: &[Release],
    problems: &mut Vec<Problem>,
) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let links = releases.iter().filter(|r| r.weak_updates.is_some()).map(|r| r.dir.join(WEAK_UPDATES));
    let all = dirs.all().map(Path::to_path_buf).chain(releases.iter().map(|r| r.dir.clone())).chain(links);
    for dir in all {
        let entries = root.read_dir_if_there(&dir).unwrap_or_else(|e| {
            problems.push(Problem::unreadable(root.display(&dir), &e));
            Vec::new()
        });
        let ours = entries.into_iter().filter(|e| {
            let is_unfinished = || e.kind == FileType::File && unfinished_by(&e.name).is_some_and(is_dead);
            e.name.as_bytes().starts_with(OWN_PREFIX.as_bytes()) || is_unfinished()
        });
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
    let parent = root.dir(parent)?;
    if let Some(release) = name.as_bytes().strip_prefix(GOING.as_bytes()).filter(|r| !r.is_empty()) {
        // It goes if it is empty.
        switch::remove_dir(parent.as_fd(), OsStr::from_bytes(release))?;
    }
    switch::remove_tree(parent.as_fd(), name)
}

/// The process whose depmod writes, or wrote, this file: depmod names it `modules.dep.bin.PID.MICROSECONDS.SECONDS` and
/// renames it when it is complete.
pub(super) fn unfinished_by(name: &OsStr) -> Option<i32> {
    let mut parts = name.to_str()?.strip_prefix("modules.")?.rsplitn(4, '.');
    let number = |part: Option<&str>| part?.parse::<u64>().ok();
    let (_seconds, _microseconds) = (number(parts.next())?, number(parts.next())?);
    let pid = i32::try_from(number(parts.next())?).ok()?;
    parts.next().filter(|index| !index.is_empty()).map(|_| pid)
}

fn is_dead(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_depmod_has_not_finished() {
        let of = |name: &str| unfinished_by(OsStr::new(name));
        assert_eq!(of("modules.dep.1234.567.1700000000"), Some(1234));
        assert_eq!(of("modules.builtin.alias.bin.7.8.9"), Some(7));
        for other in [
            "modules.dep",
            "modules.1.2.3",
            "modules.dep.1.2",
            "modules.dep.x.2.3",
            "foo.1.2.3",
            "modules.dep.-1.2.3",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
        let me = i32::try_from(std::process::id()).unwrap();
        assert!(!is_dead(me) && is_dead(i32::MAX));
    }
}
