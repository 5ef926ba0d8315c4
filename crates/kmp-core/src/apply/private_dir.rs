// SPDX-License-Identifier: LGPL-2.1-or-later
//! A temporary directory that nobody else can get at.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, fstat, mkdirat};
use nix::unistd::geteuid;

use crate::environment::variable;
use crate::root::Root;
use crate::run_dir::Held;

use super::switch::{entries, remove_tree};

/// Where it may be, after `TMPDIR`: in memory first, as thousands of links take a disk their time.
const PLACES: &[&str] = &["/dev/shm", "/run", "/tmp", "/var/tmp"];

/// These and what is above them. Only who owns "/" makes them, and by custom gives them to nobody else; and whose "/" it is has
/// our programs and libraries in hand anyway.
const OF_THE_SYSTEM: &[&str] = &["/", "/dev", "/dev/shm", "/run", "/tmp", "/var", "/var/tmp"];

/// What its name begins with.
const PREFIX: &str = "kmp-depmod-";

/// A directory of mode 0700, which goes when it is dropped. What a killed process has left is removed by the next one.
#[derive(Debug)]
pub(super) struct PrivateDir {
    place: OwnedFd,
    name: OsString,
    path: PathBuf,
    /// Locked as long as it is in use.
    _lock: Held,
}

impl PrivateDir {
    /// Makes one outside of `root`, where no other user can take it away or swap it.
    pub(super) fn new(root: &Root) -> io::Result<Self> {
        let named = variable("TMPDIR").map(PathBuf::from);
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for place in named.iter().map(PathBuf::as_path).chain(PLACES.iter().map(Path::new)) {
            match Self::in_place(root, place) {
                Ok(made) => return Ok(made),
                Err(e) => {
                    log::debug!("no temporary directory in {}: {e}", place.display());
                    last = io::Error::new(e.kind(), format!("{}: {e}", place.display()));
                }
            }
        }
        Err(last)
    }

    /// Its path, for other programs.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn in_place(root: &Root, place: &Path) -> io::Result<Self> {
        let place = std::fs::canonicalize(place)?;
        is_safe(root, &place)?;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = open(&place, flags, Mode::empty())?;
        remove_leftovers(&fd)?;
        for _ in 0..100 {
            let random = RandomState::new().hash_one(std::process::id());
            let name = OsString::from(format!("{PREFIX}{random:016x}"));
            match mkdirat(&fd, name.as_os_str(), Mode::S_IRWXU) {
                Ok(()) => {
                    let dir = openat(&fd, name.as_os_str(), flags, Mode::empty())?;
                    let lock = Held::new(File::from(dir), false).map_err(|(_, errno)| errno)?;
                    let path = place.join(&name);
                    return Ok(Self { place: fd, name, path, _lock: lock });
                }
                Err(Errno::EEXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(Errno::EEXIST.into())
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        if let Err(e) = remove_tree(self.place.as_fd(), &self.name) {
            log::warn!("{} cannot be removed: {e}", self.path.display());
        }
    }
}

/// Is a directory, and each above it, such that nobody but root and this user can rename what we make in it? And is none of them
/// the root's, whose users may be root in it?
///
/// In a user namespace that does not have all users of the machine, directories of root's and of any other user outside look
/// alike: of these only those of the system are safe, by their names.
fn is_safe(root: &Root, place: &Path) -> io::Result<()> {
    let refused = |why: &str| io::Error::new(io::ErrorKind::PermissionDenied, why);
    let roots = fstat(root)?;
    let unknown = unknown_owner();
    for directory in place.ancestors() {
        let stat = std::fs::symlink_metadata(directory)?;
        if !stat.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        if (stat.dev(), stat.ino()) == (roots.st_dev, roots.st_ino) {
            return Err(refused("it is below the root"));
        }
        let is_of_the_system = || OF_THE_SYSTEM.iter().any(|path| Path::new(path) == directory);
        let is_known = stat.uid() == 0 || stat.uid() == geteuid().as_raw();
        let is_trusted = is_known || (unknown == Some(stat.uid()) && is_of_the_system());
        if !is_trusted {
            return Err(refused("it belongs to another user"));
        }
        let (writable, sticky) = (stat.mode() & 0o022 != 0, stat.mode() & 0o1000 != 0);
        if writable && !sticky {
            return Err(refused("others can write in it, and it is not sticky"));
        }
    }
    Ok(())
}

/// As whose the kernel shows files of users that this process's user namespace does not have; `None` if it has all, as that of
/// the machine does, or if nobody knows. See user_namespaces(7).
fn unknown_owner() -> Option<u32> {
    let map = std::fs::read_to_string("/proc/self/uid_map").ok()?;
    let shown = std::fs::read_to_string("/proc/sys/kernel/overflowuid").ok()?;
    if has_all_users(&map) { None } else { shown.trim().parse().ok() }
}

/// Does a namespace with this `uid_map` have all users? Each line is the first inside, the first outside, and how many; the
/// last number of 32 bits is no user.
fn has_all_users(map: &str) -> bool {
    let counts = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
    counts.sum::<u64>() >= u64::from(u32::MAX)
}

/// Removes what killed processes have left, wherever it may be.
pub fn clear_temporary(root: &Root) {
    let named = variable("TMPDIR").map(PathBuf::from);
    for place in named.iter().map(PathBuf::as_path).chain(PLACES.iter().map(Path::new)) {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        if std::fs::canonicalize(place).and_then(|place| is_safe(root, &place)).is_ok()
            && let Ok(place) = open(place, flags, Mode::empty())
            && let Err(e) = remove_leftovers(&place)
        {
            log::debug!("what killed runs have left is not looked for: {e}");
        }
    }
}

fn remove_leftovers(place: &OwnedFd) -> io::Result<()> {
    let all = entries(place)?;
    let ours = all.iter().filter(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
    ours.for_each(|name| remove_leftover(place, name));
    Ok(())
}

/// Removes a directory of ours that no process has locked.
fn remove_leftover(place: &OwnedFd, name: &OsStr) {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let Ok(dir) = openat(place, name, flags, Mode::empty()) else { return };
    let is_ours = fstat(&dir).is_ok_and(|s| s.st_uid == geteuid().as_raw() && s.st_mode & 0o077 == 0);
    if is_ours && let Ok(_lock) = Held::new(File::from(dir), false) {
        let _ = remove_tree(place.as_fd(), name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_machine_has_all_users_and_a_namespace_may_lack_some() {
        assert!(has_all_users("         0          0 4294967295\n"));
        assert!(!has_all_users("         0       1000          1\n"));
        assert!(!has_all_users("0 1000 1\n1 100000 65536\n"));
        // Each user once, in another order, as a manager of containers may map them.
        assert!(has_all_users("0 100000 65536\n65536 0 100000\n165536 165536 4294801759\n"));
        assert!(!has_all_users(""));
    }

    #[test]
    fn a_place_of_ours_is_safe_and_one_of_another_user_is_not() {
        let tmp = tempfile::tempdir().unwrap();
        let root = Root::open(tmp.path()).unwrap();
        let place = tempfile::tempdir().unwrap();
        is_safe(&root, place.path()).unwrap();
        // Only root gives a file to another user, and only to one that the namespace has.
        if nix::unistd::chown(place.path(), Some(65534.into()), None).is_ok() {
            assert!(is_safe(&root, place.path()).is_err());
        }
    }

    #[test]
    fn it_is_ours_alone_and_leftovers_go() {
        let tmp = tempfile::tempdir().unwrap();
        let image = tmp.path().join("image");
        std::fs::create_dir_all(image.join("tmp")).unwrap();
        let root = Root::open(&image).unwrap();
        let place = tmp.path().join("place");
        let make = |mode| {
            let _ = std::fs::create_dir(&place);
            std::fs::set_permissions(&place, PermissionsExt::from_mode(mode)).unwrap();
            PrivateDir::in_place(&root, &place)
        };
        assert!(make(0o777).is_err() && make(0o770).is_err());
        let made = make(0o1777).unwrap();
        let stat = std::fs::symlink_metadata(made.path()).unwrap();
        assert_eq!(stat.mode() & 0o7777, 0o700);
        assert!(PrivateDir::in_place(&root, &image.join("tmp")).is_err(), "below the root");
        // One that a killed process left, and one that is in use.
        let left = place.join(format!("{PREFIX}left"));
        std::fs::create_dir(&left).unwrap();
        std::fs::set_permissions(&left, PermissionsExt::from_mode(0o700)).unwrap();
        std::fs::write(left.join("file"), "").unwrap();
        let another = make(0o755).unwrap();
        assert!(!left.exists() && made.path().exists() && another.path() != made.path());
        drop((made, another));
        assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0);
    }
}
