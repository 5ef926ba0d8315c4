// SPDX-License-Identifier: LGPL-2.1-or-later
//! Small files of kmp's own outside of kernels' directories: whoever reads one has the old one or the new one, whole.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, renameat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::root::Root;
use crate::run_dir::RunDir;

/// What is being written; nobody who goes by the ends of names takes it for a file of theirs.
const BESIDE: &str = ".kmp-new";

/// The largest file that is compared with what it is to be, in bytes.
const LIMIT: u64 = 16 << 20;

/// Puts `text` in the place of the file at `path`, whose directory is made where it is not there; without a text, takes the file away.
/// Where nothing changes, nothing is written. Returns whether something did.
///
/// # Errors
/// The system's; `PermissionDenied` where the directory is not the system's own.
pub fn replace(root: &Root, path: &Path, text: Option<&[u8]>) -> io::Result<bool> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(OsStr::to_str)) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let Some(text) = text else {
        let Some(dir) = RunDir::at(root, parent, false)? else { return Ok(false) };
        return match unlinkat(&dir, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        };
    };
    if root.read_if_there(path, LIMIT)?.is_some_and(|old| old == text) {
        return Ok(false);
    }
    let dir = match RunDir::at(root, parent, false)? {
        Some(dir) => dir,
        None => RunDir::at(root, parent, true)?.ok_or(io::ErrorKind::NotFound)?,
    };
    let beside = format!(".{name}{BESIDE}");
    let mut file = dir.file(&beside, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC)?.file;
    file.write_all(text)?;
    drop(file);
    renameat(&dir, beside.as_str(), &dir, name)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_only_where_it_changes() {
        let made = tempfile::tempdir().unwrap();
        let root = Root::open(made.path()).unwrap();
        let path = Path::new("/etc/some/file.check");
        assert!(!replace(&root, path, None).unwrap());
        assert!(replace(&root, path, Some(b"one\n")).unwrap());
        assert!(!replace(&root, path, Some(b"one\n")).unwrap());
        assert!(replace(&root, path, Some(b"two\n")).unwrap());
        assert_eq!(root.read(path, 9).unwrap(), b"two\n");
        assert_eq!(root.read_dir(Path::new("/etc/some")).unwrap().len(), 1);
        assert!(replace(&root, path, None).unwrap() && !root.try_exists(path).unwrap());
    }
}
