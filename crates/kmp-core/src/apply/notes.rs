//! Notes below `/run`: small files, mostly empty, each in a directory that says what it means.
//!
//! Somebody else may leave a note again while one is being served. So only the note that was seen is taken away: leaving
//! one that is there already changes its times, and [`take_back`] compares them.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fstat, fstatat, futimens, mkdirat};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::root::{FileType, Root, Stat};

/// A note as it was when it was seen, or left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The file's name.
    pub name: String,
    seen: Stat,
}

/// Leaves the note `name` in `directory`, which is made, too, and adds `text` to it.
pub(crate) fn note(root: &Root, directory: &Path, name: &str, text: &str) -> io::Result<Note> {
    if name.is_empty() || name.starts_with('.') || name.contains('/') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut path = PathBuf::from("/");
    for component in directory.iter().skip(1) {
        match mkdirat(root.dir(&path)?, component, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => path.push(component),
            // A read-only file system says so even of what is there.
            Err(Errno::EROFS) if root.exists(&path.join(component)) => path.push(component),
            Err(errno) => return Err(errno.into()),
        }
    }
    let mut file = open(root.dir(directory)?.as_fd(), name)?;
    if !text.is_empty() {
        file.write_all(text.as_bytes())?;
    }
    // Whoever serves an older note of that name now sees that it was left again. Where that fails the note is there.
    let _ = futimens(file.as_fd(), &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW);
    Ok(Note { name: name.into(), seen: Stat::from(fstat(&file)?) })
}

/// Opens a note to add to it, or makes it. What is there and is no file of ours gives way: a link, or a file that has another name,
/// which may be outside of the root.
fn open(directory: BorrowedFd<'_>, name: &str) -> io::Result<File> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND;
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let mode = Mode::from_bits_truncate(0o644);
    match openat(directory, name, flags, mode) {
        Ok(fd) => {
            let stat = fstat(&fd)?;
            if Stat::from(stat).kind() == FileType::File && stat.st_nlink <= 1 {
                return Ok(File::from(fd));
            }
        }
        // A link; a FIFO; a directory is left alone.
        Err(Errno::ELOOP | Errno::ENXIO) => {}
        Err(errno) => return Err(errno.into()),
    }
    match unlinkat(directory, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno.into()),
    }
    Ok(File::from(openat(directory, name, flags | OFlag::O_EXCL, mode)?))
}

/// Takes a note away, unless it was left again since it was seen.
pub(crate) fn take_back(root: &Root, directory: &Path, note: &Note) {
    let Ok(directory) = root.dir(directory) else { return };
    let there = fstatat(&directory, note.name.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW);
    if there.is_ok_and(|stat| Stat::from(stat) == note.seen) {
        let _ = unlinkat(directory, note.name.as_str(), UnlinkatFlags::NoRemoveDir);
    }
}

/// Takes a note away, whoever left it and when.
pub(super) fn forget(root: &Root, directory: &Path, name: &str) {
    if let Ok(directory) = root.dir(directory) {
        let _ = unlinkat(directory, name, UnlinkatFlags::NoRemoveDir);
    }
}

/// All notes in a directory, sorted by name.
pub(crate) fn noted(root: &Root, directory: &Path) -> Vec<Note> {
    let entries = root.read_dir(directory).unwrap_or_default().into_iter();
    let files = entries.filter(|e| e.kind == FileType::File).filter_map(|e| e.name.into_string().ok());
    let names = files.filter(|name| !name.starts_with('.'));
    names
        .filter_map(|name| Some(Note { seen: root.symlink_metadata(&directory.join(&name)).ok()?, name }))
        .collect()
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
        nix::unistd::mkfifo(&directory.join("fifo"), Mode::S_IRWXU).unwrap();
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
        assert_eq!(noted(&root, directory), std::slice::from_ref(&first));
        // Times are as coarse as the kernel's clock ticks.
        std::thread::sleep(std::time::Duration::from_millis(20));
        let again = note(&root, directory, "one", "").unwrap();
        take_back(&root, directory, &first);
        assert_eq!(noted(&root, directory), std::slice::from_ref(&again));
        take_back(&root, directory, &again);
        assert!(noted(&root, directory).is_empty());
        // Another file by that name is another note, whenever it was made.
        let first = note(&root, directory, "one", "text").unwrap();
        std::fs::rename(tmp.path().join("run/kmp/example/one"), tmp.path().join("kept")).unwrap();
        note(&root, directory, "one", "text").unwrap();
        take_back(&root, directory, &first);
        assert_eq!(noted(&root, directory).len(), 1);
        for wrong in ["", ".hidden", "a/b", ".."] {
            assert!(note(&root, directory, wrong, "").is_err(), "{wrong}");
        }
    }
}
