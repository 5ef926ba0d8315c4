// SPDX-License-Identifier: LGPL-2.1-or-later
//! `commit` and `commit-judged`: a commit of libzypp in its classic mode, which is many calls of rpm.
//!
//! `commit` is made by libzypp's commit plugin (`kmp zypp-commit-plugin`) and says what is coming: a line a
//! step, in the order in which they will be carried out. It is locked as long as the commit goes on, so that
//! the list of a plugin that was killed is not believed, and the commit plugin removes it.
//!
//! `commit-judged` is made by rpm's plugin when it has let the first call go on. What is in it is added to:
//! `?` where not all that comes was known, `+` where a call has left the links to the last one. The commit
//! plugin removes it, too.

use std::fs::File;
use std::io::{self, Read, Write};

use nix::fcntl::OFlag;

use super::open::{Remark, if_locked};
use super::{Held, RunDir};
use crate::root::Root;

const LIST: &str = "commit";
const JUDGED: &str = "commit-judged";

/// A commit has some thousands of steps of less than a hundred bytes.
const LIMIT: u64 = 64 << 20;

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// `+`: a package comes in the place of what is installed by its name.
    Update,
    /// `M`: a package comes beside other versions of it.
    Beside,
    /// `-`: a package goes.
    Erase,
}

/// A step of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub kind: StepKind,
    /// `NAME-VERSION-RELEASE.ARCH`.
    pub nevra: String,
}

/// Reads a list. `None` for what is not exactly one: one that somebody else has written, or half of one,
/// would be judged wrongly.
pub fn parse(text: &str) -> Option<Vec<Step>> {
    let step = |line: &str| {
        let (kind, nevra) = line.split_once(' ')?;
        let kind = match kind {
            "+" => StepKind::Update,
            "M" => StepKind::Beside,
            "-" => StepKind::Erase,
            _ => return None,
        };
        (!nevra.is_empty() && !nevra.contains('\0')).then(|| Step { kind, nevra: nevra.into() })
    };
    // Not `lines()`, which takes the last one without its newline, and more for a newline.
    text.split_inclusive('\n').map(|line| step(line.strip_suffix('\n')?)).collect()
}

/// The list of a commit that goes on, locked. It is for the commit plugin.
#[derive(Debug)]
pub struct List(#[allow(dead_code, reason = "held")] Held);

/// Notes what is coming, for the commit plugin. What an earlier commit has left goes. `list` is what
/// [`parse`] reads.
///
/// # Errors
/// The system's.
pub fn begin(root: &Root, list: &str, remark: Remark<'_>) -> io::Result<List> {
    let directory = RunDir::heard(root, true, remark)?.ok_or(io::ErrorKind::NotFound)?;
    for old in [JUDGED, LIST] {
        let _ = directory.remove(old);
    }
    let file = directory.file(LIST, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL)?.file;
    let held = Held::new(file, false).map_err(|(_, errno)| errno)?;
    held.file().write_all(list.as_bytes())?;
    Ok(List(held))
}

/// Takes away the list of a commit that is over. True if the commit was let go on.
pub fn end(root: &Root, list: List) -> bool {
    let Ok(Some(directory)) = RunDir::open(root) else { return false };
    let _ = directory.remove(LIST);
    let judged = directory.remove(JUDGED).is_ok();
    drop(list);
    judged
}

/// What is coming, for rpm's plugin. `None` where there is no list, where it is none, or where who wrote it
/// is dead.
pub fn steps(root: &Root, remark: Remark<'_>) -> Option<Vec<Step>> {
    let file = open(root, LIST, OFlag::O_RDONLY, remark).ok()?;
    let file = if_locked(file).ok()??;
    let mut text = String::new();
    let length = file.take(LIMIT + 1).read_to_string(&mut text).ok()?;
    if length as u64 > LIMIT { None } else { parse(&text) }
}

/// What rpm's plugin has noted of a commit that it has let go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Not all that comes was known, or what was noted cannot be read.
    pub unknown: bool,
    /// Links are left to the last call.
    pub links_left: bool,
}

/// What was noted; `None` where the commit was not judged.
pub fn judged(root: &Root, remark: Remark<'_>) -> Option<Judged> {
    let unknown = Judged { unknown: true, links_left: false };
    let file = match open(root, JUDGED, OFlag::O_RDONLY, remark) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
        Err(_) => return Some(unknown),
    };
    let mut marks = Vec::new();
    let read = file.take(LIMIT).read_to_end(&mut marks);
    Some(Judged {
        unknown: read.is_err() || marks.iter().any(|mark| *mark != b'+'),
        links_left: marks.contains(&b'+'),
    })
}

/// Notes that a commit may go on. `known`: all that it brings could be looked at. Where that cannot be noted
/// each call is judged as the first.
pub fn let_go_on(root: &Root, known: bool, remark: Remark<'_>) {
    let Ok(mut file) = open(root, JUDGED, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL, remark) else {
        return;
    };
    if !known {
        let _ = file.write_all(b"?");
    }
}

/// Leaves the links to the last call. False if that cannot be noted.
pub fn leave_links(root: &Root, remark: Remark<'_>) -> bool {
    let file = open(root, JUDGED, OFlag::O_WRONLY | OFlag::O_APPEND, remark);
    file.and_then(|mut file| file.write_all(b"+")).is_ok()
}

/// Were they left to us? They are not any more, then.
pub fn take_left_links(root: &Root, remark: Remark<'_>) -> bool {
    let Some(Judged { unknown, links_left: true }) = judged(root, remark) else { return false };
    let emptied = open(root, JUDGED, OFlag::O_WRONLY | OFlag::O_TRUNC, remark);
    if let (Ok(mut file), true) = (emptied, unknown) {
        let _ = file.write_all(b"?");
    }
    true
}

fn open(root: &Root, name: &str, flags: OFlag, remark: Remark<'_>) -> io::Result<File> {
    let directory = RunDir::heard(root, flags.contains(OFlag::O_CREAT), remark)?;
    directory.ok_or(io::ErrorKind::NotFound)?.file_heard(name, flags, remark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_if_it_is_exactly_one() {
        let step = |kind, nevra: &str| Step { kind, nevra: nevra.into() };
        let good = "M kernel-default-6.4.0-3.x86_64\n- foo-1-1.noarch\n+ a b\n";
        let kernel = step(StepKind::Beside, "kernel-default-6.4.0-3.x86_64");
        let steps = [kernel, step(StepKind::Erase, "foo-1-1.noarch"), step(StepKind::Update, "a b")];
        assert_eq!(parse(good).unwrap(), steps);
        assert_eq!(parse(""), Some(vec![]));
        for bad in [
            "\0\n",
            "\0M x-1-1.noarch\n",
            "\n",
            "M\n",
            "M \n",
            "? x-1-1.noarch\n",
            "M x-1",
            "M x\0y\n",
            "\n\n",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
            assert_eq!(parse(&format!("{good}{bad}")), None, "{bad:?}");
        }
    }

    #[test]
    fn a_commit_from_its_list_to_its_end() {
        let tmp = tempfile::tempdir().unwrap();
        let root = Root::open(tmp.path()).unwrap();
        let quiet: Remark<'_> = &|remark| panic!("{remark}");
        assert_eq!((steps(&root, quiet), judged(&root, quiet)), (None, None));
        assert!(!leave_links(&root, quiet) && !take_left_links(&root, quiet));

        let list = begin(&root, "M x-1-1.noarch\n", quiet).unwrap();
        assert_eq!(steps(&root, quiet).unwrap().len(), 1);
        assert_eq!(judged(&root, quiet), None);
        let_go_on(&root, true, quiet);
        assert_eq!(judged(&root, quiet), Some(Judged::default()));
        assert!(leave_links(&root, quiet) && leave_links(&root, quiet));
        assert_eq!(judged(&root, quiet), Some(Judged { unknown: false, links_left: true }));
        assert!(take_left_links(&root, quiet) && !take_left_links(&root, quiet));
        assert!(end(&root, list));
        assert_eq!((steps(&root, quiet), judged(&root, quiet)), (None, None));

        // Not all was known; and that is kept.
        let list = begin(&root, "", quiet).unwrap();
        let_go_on(&root, false, quiet);
        assert!(leave_links(&root, quiet) && take_left_links(&root, quiet));
        assert_eq!(judged(&root, quiet), Some(Judged { unknown: true, links_left: false }));
        // Its plugin was killed: the list stays, and nobody holds it.
        drop(list);
        assert_eq!(steps(&root, quiet), None);
        // The next one begins anew, and is not let go on.
        let list = begin(&root, "", quiet).unwrap();
        assert_eq!((steps(&root, quiet), judged(&root, quiet)), (Some(vec![]), None));
        assert!(!end(&root, list));
    }
}
