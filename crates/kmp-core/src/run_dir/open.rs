// SPDX-License-Identifier: LGPL-2.1-or-later
//! The one way to open what is below `/run`: it has to be ours.
//!
//! Whoever can open a file can lock it, and whoever can write in a directory can put a file there. So files can be opened
//! by their owner alone, and neither they nor their directories are believed where another user owns them.

mod file;

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, fchmod, fstat, mkdirat};
use nix::unistd::{Gid, Uid, fchown, getegid, geteuid};

use super::DIRECTORY;
use crate::root::Root;

pub use file::Opened;

/// A directory below `/run` that is ours.
#[derive(Debug)]
pub struct RunDir {
    fd: OwnedFd,
    /// For messages.
    path: PathBuf,
    /// What was not ours and is now, in words.
    remark: Option<String>,
    /// Of files in it.
    mode: u32,
}

/// A lock on a whole file (flock(2)), held until dropped, and gone with the process.
#[derive(Debug)]
pub struct Held(ManuallyDrop<Flock<File>>);

impl Held {
    /// Locks a file for itself alone, or gives it back. Waits only where `wait` is set.
    ///
    /// # Errors
    /// The system's; EWOULDBLOCK where somebody else has locked it.
    pub fn new(file: File, wait: bool) -> Result<Self, (File, Errno)> {
        let how = if wait { FlockArg::LockExclusive } else { FlockArg::LockExclusiveNonblock };
        Self::with(file, how)
    }

    fn with(file: File, how: FlockArg) -> Result<Self, (File, Errno)> {
        Flock::lock(file, how).map(|flock| Self(ManuallyDrop::new(flock)))
    }

    /// The locked file.
    pub fn file(&self) -> &File {
        &self.0
    }
}

/// Hears what was there and is not ours, in words: it was replaced, or is refused.
pub type Remark<'a> = &'a dyn Fn(&str);

/// Gives a file back if somebody has locked it for themselves; `None` if nobody has.
pub(super) fn if_locked(file: File) -> io::Result<Option<File>> {
    match Held::with(file, FlockArg::LockSharedNonblock) {
        Ok(_) => Ok(None),
        Err((file, Errno::EWOULDBLOCK)) => Ok(Some(file)),
        Err((_, errno)) => Err(errno.into()),
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing is enough. To drop the Flock is to unlock it first, and it panics where that fails.
        let _ = nix::unistd::close(self.0.as_raw_fd());
    }
}

impl RunDir {
    /// Opens `/run/kmp`; `None` where it is not there.
    ///
    /// # Errors
    /// As [`RunDir::at`].
    pub fn open(root: &Root) -> io::Result<Option<Self>> {
        Self::at(root, Path::new(DIRECTORY), false)
    }

    /// Opens `/run/kmp`, which is made where it is not there.
    ///
    /// # Errors
    /// As [`RunDir::at`].
    pub fn create(root: &Root) -> io::Result<Self> {
        Self::at(root, Path::new(DIRECTORY), true)?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Opens a directory below `/run`. With `create` it is made where it is not there, and another user's becomes ours;
    /// `None` where it is not there otherwise. No symbolic link is followed.
    ///
    /// # Errors
    /// The system's; `PermissionDenied` where the directory, or one on the way, is not ours.
    pub fn at(root: &Root, path: &Path, create: bool) -> io::Result<Option<Self>> {
        // Others leave markers for initrds, too, and read them.
        let mode = if path.starts_with(DIRECTORY) { 0o600 } else { 0o644 };
        let (fd, shown) = (root.dir(Path::new("/"))?, root.display(Path::new("/")));
        let mut dir = Self { fd, path: shown, remark: None, mode };
        for (depth, name) in path.iter().skip(1).enumerate() {
            // Who may write in /run is not for us to say.
            if !dir.enter(Path::new(name), create, depth > 0)? {
                return Ok(None);
            }
        }
        Ok(Some(dir))
    }

    /// Opens the directory `name` in `parent`, which is anywhere below the root, and whose owner may be anybody. Else as
    /// [`RunDir::at`], but for files that others may read.
    ///
    /// # Errors
    /// As [`RunDir::at`].
    pub fn beside(root: &Root, parent: &Path, name: &str, create: bool) -> io::Result<Option<Self>> {
        let (fd, path) = (root.dir(parent)?, root.display(parent));
        let mut dir = Self { fd, path, remark: None, mode: 0o644 };
        Ok(dir.enter(Path::new(name), create, true)?.then_some(dir))
    }

    /// Goes on to a directory in this one. False where it is not there.
    fn enter(&mut self, name: &Path, create: bool, has_to_be_ours: bool) -> io::Result<bool> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let open = || openat(&self.fd, name, flags, Mode::empty());
        let fd = match open() {
            Err(Errno::ENOENT) if create => match mkdirat(&self.fd, name, Mode::from_bits_truncate(0o755)) {
                Ok(()) | Err(Errno::EEXIST) => open(),
                Err(errno) => Err(errno),
            },
            Err(Errno::ENOENT) => return Ok(false),
            opened => opened,
        };
        self.path.push(name);
        self.fd = fd.map_err(|errno| match errno {
            Errno::ENOTDIR | Errno::ELOOP => refused(&self.path, "is a link, or no directory"),
            errno => errno.into(),
        })?;
        if has_to_be_ours {
            self.check(create)?;
        }
        Ok(true)
    }

    /// As [`RunDir::open`], or with `create` as [`RunDir::create`]; what was not ours is remarked.
    ///
    /// # Errors
    /// As [`RunDir::at`].
    pub fn heard(root: &Root, create: bool, remark: Remark<'_>) -> io::Result<Option<Self>> {
        let directory = Self::at(root, Path::new(DIRECTORY), create);
        if let Ok(Some(text)) = directory.as_ref().map(|found| found.as_ref().and_then(Self::remark)) {
            remark(text);
        }
        directory.inspect_err(|e| hear_refusal(e, remark))
    }

    fn check(&mut self, take_over: bool) -> io::Result<()> {
        let stat = fstat(&self.fd)?;
        let group = Gid::from_raw(stat.st_gid);
        let others = if group == getegid() || group.as_raw() == 0 { 0o002 } else { 0o022 };
        let why = match stat.st_mode & others {
            _ if !is_ours(&stat) => format!("belongs to user {}", stat.st_uid),
            0 => return Ok(()),
            _ => format!("can be written by others (mode {:o})", stat.st_mode & 0o7777),
        };
        if !take_over {
            return Err(refused(&self.path, &why));
        }
        // Closed first, so that nobody changes it in between.
        fchmod(&self.fd, Mode::from_bits_truncate(0o755))
            .and_then(|()| own(&self.fd))
            .map_err(|errno| refused(&self.path, &format!("{why}, and that cannot be changed: {errno}")))?;
        fchmod(&self.fd, Mode::from_bits_truncate(0o755))?;
        self.remark = Some(format!(
            "{}: it {why}; its mode was corrected, and files in it that are not kmp's are ignored",
            self.path.display()
        ));
        Ok(())
    }

    /// What was not ours and is now, in words.
    pub fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    /// A file's path, for messages.
    pub fn display(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl AsFd for RunDir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<RunDir> for OwnedFd {
    fn from(dir: RunDir) -> OwnedFd {
        dir.fd
    }
}

fn is_ours(stat: &FileStat) -> bool {
    let owner = Uid::from_raw(stat.st_uid);
    owner == geteuid() || owner.is_root()
}

fn own(fd: &OwnedFd) -> nix::Result<()> {
    let (user, group): (Uid, Gid) = (geteuid(), getegid());
    fchown(fd, Some(user), Some(group))
}

/// Is it because a file or directory is not ours?
pub fn is_refusal(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}

fn hear_refusal(error: &io::Error, remark: Remark<'_>) {
    if is_refusal(error) {
        remark(&error.to_string());
    }
}

fn refused(path: &Path, why: &str) -> io::Error {
    let text = format!("{} {why}: it is not trusted; remove it", path.display());
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    pub(super) const NAME: &str = "file";

    pub(super) fn place() -> (tempfile::TempDir, Root, PathBuf) {
        let tmp = tempfile::tempdir().unwrap();
        let root = Root::open(tmp.path()).unwrap();
        let path = tmp.path().join("run/kmp");
        (tmp, root, path)
    }

    #[test]
    fn nothing_is_made_by_looking() {
        let (tmp, root, _) = place();
        assert!(RunDir::open(&root).unwrap().is_none());
        assert_eq!(fs::read_dir(tmp.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_of_others_is_refused_or_becomes_ours() {
        let (_tmp, root, path) = place();
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        if testkit::has_other_users() {
            std::os::unix::fs::chown(&path, Some(65534), Some(65534)).unwrap();
        }
        assert_eq!(RunDir::open(&root).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        let dir = RunDir::create(&root).unwrap();
        assert!(dir.remark().is_some());
        let stat = fs::metadata(&path).unwrap();
        assert_eq!((stat.uid(), stat.mode() & 0o7777), (geteuid().as_raw(), 0o755));
        assert!(RunDir::create(&root).unwrap().remark().is_none());
    }

    #[test]
    fn no_link_leads_to_another_place() {
        for link in ["run", "run/kmp"] {
            let (tmp, root, _) = place();
            fs::create_dir_all(tmp.path().join("elsewhere")).unwrap();
            fs::create_dir_all(tmp.path().join(link).parent().unwrap()).unwrap();
            symlink("/elsewhere", tmp.path().join(link)).unwrap();
            let error = RunDir::create(&root).unwrap_err();
            assert!(error.to_string().contains("a link"), "{error}");
            assert_eq!(fs::read_dir(tmp.path().join("elsewhere")).unwrap().count(), 0);
        }
    }
}
