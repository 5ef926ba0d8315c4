// SPDX-License-Identifier: LGPL-2.1-or-later
//! `check-initrd/KREL`, `needs-initrd/KREL` and `needs-initrd/NAME-VERSION-RELEASE`: which kernels' initrds
//! have to be looked at, or made anew, before the work is done.

use std::io;
use std::path::Path;

use super::notes::{Note, note, noted, take_back};
use crate::problem::Problem;
use crate::root::Root;

const CHECKS: &str = "/run/kmp/check-initrd";
const WISHES: &str = "/run/kmp/needs-initrd";

/// The lines of a check: depmod's index was to change; links, or third-party modules of the kernel's own,
/// were to come or go.
const INDEX: &str = "index";
const LINKS: &str = "links";

/// A line for each run that was cut short.
const LIMIT: u64 = 1 << 20;

/// What has to be compared with a kernel's initrd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name is the kernel's release.
    pub note: Note,
    /// Did links, or third-party modules of the kernel's own, change?
    pub links_changed: bool,
}

/// Notes that a kernel's initrd has to be compared with what there is. Returns that together with what was
/// noted of it before.
///
/// # Errors
/// The system's; `InvalidInput` for what is no release.
pub fn check(root: &Root, release: &str, links_changed: bool) -> io::Result<Check> {
    let text = format!("{}\n", if links_changed { LINKS } else { INDEX });
    let note = note(root, Path::new(CHECKS), release, &text)?;
    read(root, note)
}

/// What earlier runs have noted, and have not come to.
///
/// # Errors
/// It cannot be read.
pub fn checks(root: &Root) -> Result<Vec<Check>, Problem> {
    let read = |note: Note| {
        let path = Path::new(CHECKS).join(&note.name);
        read(root, note).map_err(|e| Problem::unreadable(root.display(&path), &e))
    };
    noted(root, Path::new(CHECKS))?.into_iter().map(read).collect()
}

fn read(root: &Root, note: Note) -> io::Result<Check> {
    let text = root.read_if_there(&Path::new(CHECKS).join(&note.name), LIMIT)?;
    // In doubt more is looked at: a note without a line was cut short.
    let text = text.and_then(|text| String::from_utf8(text).ok()).unwrap_or_default();
    let links_changed = text.is_empty() || text.lines().any(|line| line == LINKS);
    Ok(Check { note, links_changed })
}

/// The initrd needs nothing, or a marker asks for it.
pub fn settle_check(root: &Root, check: &Check) {
    take_back(root, Path::new(CHECKS), &check.note);
}

/// Notes that a KMP (NAME-VERSION-RELEASE) asks for the initrds of all kernels that have it, or a kernel for
/// its own.
///
/// # Errors
/// The system's; `InvalidInput` for what is no package's name.
pub fn wish(root: &Root, name: &str) -> io::Result<Note> {
    note(root, Path::new(WISHES), name, "")
}

/// The KMPs and kernels that asked.
///
/// # Errors
/// They cannot be listed.
pub fn wishes(root: &Root) -> Result<Vec<Note>, Problem> {
    noted(root, Path::new(WISHES))
}

/// Markers ask for all that was wished.
pub fn settle_wish(root: &Root, wish: &Note) {
    take_back(root, Path::new(WISHES), wish);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_runs_have_noted_adds_up() {
        let tmp = tempfile::tempdir().unwrap();
        let root = Root::open(tmp.path()).unwrap();
        let noted = || {
            let checks = checks(&root).unwrap();
            checks.into_iter().map(|c| (c.note.name, c.links_changed)).collect::<Vec<_>>()
        };
        assert!(noted().is_empty());
        check(&root, "6.4-default", false).unwrap();
        assert_eq!(noted(), [("6.4-default".into(), false)]);
        check(&root, "6.4-default", true).unwrap();
        assert_eq!(noted(), [("6.4-default".into(), true)]);
        checks(&root).unwrap().iter().for_each(|c| settle_check(&root, c));
        assert!(noted().is_empty());
        // Killed between the file and its first line.
        std::fs::write(tmp.path().join("run/kmp/check-initrd/6.5-default"), "").unwrap();
        assert_eq!(noted(), [("6.5-default".into(), true)]);
    }
}
