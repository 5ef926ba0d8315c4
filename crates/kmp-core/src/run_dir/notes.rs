// SPDX-License-Identifier: LGPL-2.1-or-later
//! Notes below `/run`: small files, mostly empty, each in a directory that says what it means.
//!
//! Somebody else may leave a note again while one is being served. So only the note that was seen is taken away: leaving
//! one that is there already changes its times, and [`take_back`] compares them.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{fstat, fstatat, futimens};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::{RunDir, is_refusal};
use crate::problem::Problem;
use crate::root::{Dir, FileType, Root, Stat, is_fault};

/// A note as it was when it was seen, or left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The file's name.
    pub name: String,
    seen: Stat,
}

impl Note {
    /// Was a file changed after the note was left? Not if both times are the same.
    pub fn is_older_than(&self, file: &Stat) -> bool {
        self.seen.ctime_ns < file.ctime_ns
    }
}

/// Leaves the note `name` in the directory `path`, which is made, too, and adds `text` to it.
pub(crate) fn note(root: &Root, path: &Path, name: &str, text: &str) -> io::Result<Note> {
    if name.is_empty() || name.starts_with('.') || name.contains('/') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let Some(directory) = RunDir::at(root, path, true)? else { return Err(io::ErrorKind::NotFound.into()) };
    let mut file = directory.file(name, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND)?.file;
    if !text.is_empty() {
        file.write_all(text.as_bytes())?;
    }
    // Whoever serves an older note of that name now sees that it was left again. Where that fails the note is there.
    let _ = futimens(file.as_fd(), &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW);
    Ok(Note { name: name.into(), seen: Stat::from(fstat(&file)?) })
}

/// Takes a note away, unless it was left again since it was seen.
pub(crate) fn take_back(root: &Root, directory: &Path, note: &Note) {
    let Some(directory) = ours(root, directory) else { return };
    let there = fstatat(&directory, note.name.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW);
    if there.is_ok_and(|stat| Stat::from(stat) == note.seen) {
        let _ = unlinkat(directory, note.name.as_str(), UnlinkatFlags::NoRemoveDir);
    }
}

/// Takes a note away, whoever left it and when.
pub(super) fn forget(root: &Root, directory: &Path, name: &str) {
    if let Some(directory) = ours(root, directory) {
        let _ = unlinkat(&directory, name, UnlinkatFlags::NoRemoveDir);
    }
}

/// All notes in a directory, sorted by name.
///
/// # Errors
/// They cannot be listed.
pub(crate) fn noted(root: &Root, path: &Path) -> Result<Vec<Note>, Problem> {
    let unreadable = |path: &Path, e: io::Error| Problem::unreadable(root.display(path), &e);
    let directory = match RunDir::at(root, path, false) {
        Ok(Some(directory)) => Dir::from(OwnedFd::from(directory)),
        Ok(None) => return Ok(Vec::new()),
        // What another user, or a link, has put in its place is not believed.
        Err(e) if is_refusal(&e) => {
            log::warn!("{e}");
            return Ok(Vec::new());
        }
        Err(e) => return Err(unreadable(path, e)),
    };
    let entries = directory.entries().map_err(|e| unreadable(path, e))?.into_iter();
    let files = entries.filter(|e| e.kind == FileType::File).filter_map(|e| e.name.into_string().ok());
    let mut notes = Vec::new();
    for name in files.filter(|name| !name.starts_with('.')) {
        match directory.symlink_metadata(name.as_ref()) {
            Ok(seen) => notes.push(Note { name, seen }),
            Err(e) if is_fault(&e) => return Err(unreadable(&path.join(&name), e)),
            Err(_) => {}
        }
    }
    Ok(notes)
}

/// What another user, or a link, has put in its place is not believed.
fn ours(root: &Root, directory: &Path) -> Option<RunDir> {
    RunDir::at(root, directory, false).unwrap_or_else(|e| {
        log::warn!("{e}");
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_to_a_file_with_another_name() {
        let tmp = tempfile::tempdir().unwrap();
        let (image, outside) = (tmp.path().join("image"), tmp.path().join("outside"));
        let directory = image.join("run/kmp/example");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(&outside, "outside").unwrap();
        let root = Root::open(&image).unwrap();
        std::fs::hard_link(&outside, directory.join("hard")).unwrap();
        std::os::unix::fs::symlink(&outside, directory.join("soft")).unwrap();
        nix::unistd::mkfifo(&directory.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let before = std::fs::metadata(&outside).unwrap().modified().unwrap();
        for name in ["hard", "soft", "fifo"] {
            note(&root, Path::new("/run/kmp/example"), name, "text").unwrap();
            assert_eq!(std::fs::read_to_string(directory.join(name)).unwrap(), "text");
        }
        assert_eq!(std::fs::read_to_string(&outside).unwrap(), "outside");
        assert_eq!(std::fs::metadata(&outside).unwrap().modified().unwrap(), before);
    }

    #[test]
    fn only_the_note_that_was_seen_is_taken_back() {
        let tmp = tempfile::tempdir().unwrap();
        let root = Root::open(tmp.path()).unwrap();
        let directory = Path::new("/run/kmp/example");
        let first = note(&root, directory, "one", "").unwrap();
        assert_eq!(noted(&root, directory).unwrap(), std::slice::from_ref(&first));
        // Times are as coarse as the kernel's clock ticks.
        std::thread::sleep(std::time::Duration::from_millis(20));
        let again = note(&root, directory, "one", "").unwrap();
        take_back(&root, directory, &first);
        assert_eq!(noted(&root, directory).unwrap(), std::slice::from_ref(&again));
        take_back(&root, directory, &again);
        assert!(noted(&root, directory).unwrap().is_empty());
        // Another file by that name is another note, whenever it was made.
        let first = note(&root, directory, "one", "text").unwrap();
        std::fs::rename(tmp.path().join("run/kmp/example/one"), tmp.path().join("kept")).unwrap();
        note(&root, directory, "one", "text").unwrap();
        take_back(&root, directory, &first);
        assert_eq!(noted(&root, directory).unwrap().len(), 1);
        for wrong in ["", ".hidden", "a/b", ".."] {
            assert!(note(&root, directory, wrong, "").is_err(), "{wrong}");
        }
    }
}
