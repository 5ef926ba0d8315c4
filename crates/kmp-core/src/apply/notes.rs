//! Notes below `/run`: empty files, each in a directory that tells what it means.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::root::{FileType, Root};

/// Makes the empty file `name` in `directory`, which is made, too.
pub(super) fn note(root: &Root, directory: &Path, name: &str) -> io::Result<()> {
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
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let fd = openat(root.dir(directory)?, name, flags, Mode::from_bits_truncate(0o644))?;
    drop(File::from(fd));
    Ok(())
}

pub(super) fn forget(root: &Root, directory: &Path, name: &str) {
    if let Ok(directory) = root.dir(directory) {
        let _ = unlinkat(directory, name, UnlinkatFlags::NoRemoveDir);
    }
}

pub(super) fn noted(root: &Root, directory: &Path) -> Vec<String> {
    let entries = root.read_dir(directory).unwrap_or_default().into_iter();
    let files = entries.filter(|e| e.kind == FileType::File).filter_map(|e| e.name.into_string().ok());
    files.filter(|name| !name.starts_with('.')).collect()
}
