// SPDX-License-Identifier: LGPL-2.1-or-later
//! Puts a kernel's `weak-updates/` from one set of links to another, at once.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, RenameFlags, openat, readlinkat, renameat, renameat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, fsync, linkat, symlinkat, unlinkat};

use super::leftovers::{self, GOING};
use crate::inventory::{Item, Release};
use crate::root::Root;
use crate::tree::{self, OWN_PREFIX, WEAK_UPDATES};

/// What a kernel's `weak-updates/` should hold.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Path below `weak-updates/` and target of each link.
    pub links: BTreeMap<&'a Path, &'a Path>,
    /// What is there and not ours, and stays.
    pub foreign: Vec<&'a Item>,
    /// Our links that are there and not wanted.
    pub unwanted: Vec<&'a Item>,
    /// Where the kernel is gone, `weak-updates/` itself goes when nothing is left in it, and so does the
    /// release directory when only depmod's index is left there.
    pub kernel_is_gone: bool,
}

const DIR_FLAGS: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// Makes `weak-updates/` of `release` what is `wanted`. The new directory is prepared beside it, with hard
/// links to what is not ours, and takes its place in one step (`renameat2` with `RENAME_EXCHANGE`): whoever
/// looks, and whoever finds the disk after a crash, sees the old set or the new one.
///
/// Where the file system cannot exchange (or not these directories, as overlayfs, or `weak-updates/` is a mount point), links
/// are removed and made one by one: each step is atomic, each link there is one of the old or of the new set, and the
/// next run completes what was cut short.
///
/// # Errors
/// What could not be done. Nothing was changed then, or, one by one, all up to there.
pub fn switch(root: &Root, release: &Release, wanted: &Wanted<'_>) -> io::Result<()> {
    let dir = root.dir(&release.dir)?;
    let parent = root.dir(release.dir.parent().unwrap_or(Path::new("/")))?;
    // Beside the kernel's directory, as depmod would look into one inside it; inside where that one is a mount point.
    let same_fs = fstat(&dir)?.st_dev == fstat(&parent)?.st_dev;
    let places: &[&OwnedFd] = if same_fs { &[&parent, &dir] } else { &[&dir] };
    let stage = OsString::from(format!("{OWN_PREFIX}{}", release.release));
    for place in places {
        remove_tree(place.as_fd(), &stage)?;
    }

    let old = match fstatat(&dir, WEAK_UPDATES, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) if kind(&stat) == SFlag::S_IFDIR => {
            Some(openat(&dir, WEAK_UPDATES, DIR_FLAGS, Mode::empty())?)
        }
        Ok(_) => return Err(io::Error::other("weak-updates is not a directory; it is left alone")),
        Err(Errno::ENOENT) => None,
        Err(errno) => return Err(errno.into()),
    };
    if old.is_none() && wanted.links.is_empty() {
        return clear_up(release, wanted, &dir, &parent);
    }
    if let Some(old) = &old {
        nothing_unknown(old, wanted)?;
    }
    let mut done = Replaced::No;
    for place in places {
        let result = replace(&dir, place, &stage, old.as_ref(), wanted);
        let cleaned = remove_tree(place.as_fd(), &stage);
        done = result?;
        cleaned?;
        if done != Replaced::OtherMount {
            break;
        }
    }
    if done != Replaced::Yes {
        change_in_steps(&dir, places, &stage, wanted)?;
    }
    clear_up(release, wanted, &dir, &parent)
}

/// Removes what is left of a kernel that is gone. A directory beside the kernel's says so: should this be cut short, the
/// next run knows an empty one for ours ([`super::leftovers::clear`]).
fn clear_up(release: &Release, wanted: &Wanted<'_>, dir: &OwnedFd, parent: &OwnedFd) -> io::Result<()> {
    if wanted.kernel_is_gone && wanted.foreign.is_empty() && wanted.links.is_empty() {
        let going = OsString::from(format!("{GOING}{}", release.release));
        drop(make_dir(parent.as_fd(), &going, None)?);
        // In this order: an empty weak-updates/ shows the next run that there is work left.
        remove_index(dir)?;
        remove_dir(dir.as_fd(), OsStr::new(WEAK_UPDATES))?;
        if let Some(name) = release.dir.file_name() {
            remove_dir(parent.as_fd(), name)?;
        }
        remove_dir(parent.as_fd(), &going)?;
    }
    Ok(())
}

/// Is depmod's index all that is left of a kernel that is gone, and of its KMPs?
///
/// # Errors
/// The system's: it could not look.
pub fn is_index_only(root: &Root, release: &Release) -> io::Result<bool> {
    let has_modules = release.is_kernel
        || !release.third_party.is_empty()
        || !release.live_patches.is_empty()
        || release.weak_updates.is_some();
    if has_modules {
        return Ok(false);
    }
    let left = root.read_dir_if_there(&release.dir)?;
    Ok(!left.is_empty() && left.iter().all(|entry| is_of_index(&entry.name)))
}

/// Is it what depmod writes, or has not finished?
fn is_of_index(name: &OsStr) -> bool {
    name.to_str().is_some_and(tree::is_known_index) || leftovers::unfinished_by(name).is_some()
}

/// Did a new directory take the place of the old one?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replaced {
    Yes,
    /// Not in one step: the file system cannot, or the old one is a mount point.
    No,
    /// Not from this place: a mount is between the two, or the file system says so of what it cannot do.
    OtherMount,
}

/// Prepares the new directory and exchanges it for the old one, which is then in its place.
fn replace(
    dir: &OwnedFd,
    place: &OwnedFd,
    stage: &OsStr,
    old: Option<&OwnedFd>,
    wanted: &Wanted<'_>,
) -> io::Result<Replaced> {
    let new = make_dir(place.as_fd(), stage, old.map(fstat).transpose()?)?;
    let mut dirs = Dirs { new: &new, old, made: BTreeSet::new() };
    for (link, target) in &wanted.links {
        let (at, name) = dirs.parent_of(link)?;
        symlinkat(*target, at, name)?;
    }
    for item in &wanted.foreign {
        let (at, name) = dirs.parent_of(&item.below)?;
        let Some(old) = old else { continue };
        match linkat(old, item.below.as_path(), at, name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::EXDEV) => return Ok(Replaced::OtherMount),
            // Not to be had as a hard link: it has to stay where it is.
            Err(Errno::EPERM | Errno::EMLINK | Errno::EOPNOTSUPP) => return Ok(Replaced::No),
            Err(errno) => return Err(errno.into()),
        }
    }
    for made in &dirs.made {
        fsync(open_below(&new, made)?)?;
    }
    fsync(&new)?;
    if let Some(old) = old {
        nothing_unknown(old, wanted)?;
    }
    let moved = match old {
        None => renameat(place, stage, dir, WEAK_UPDATES),
        Some(_) => renameat2(place, stage, dir, WEAK_UPDATES, RenameFlags::RENAME_EXCHANGE),
    };
    match moved {
        Ok(()) => {}
        Err(Errno::EXDEV) => return Ok(Replaced::OtherMount),
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP | Errno::EPERM | Errno::EBUSY)
            if old.is_some() =>
        {
            return Ok(Replaced::No);
        }
        Err(errno) => return Err(errno.into()),
    }
    fsync(place)?;
    fsync(dir)?;
    Ok(Replaced::Yes)
}

/// The old directory will be removed with all that is in it: what came there since stock was taken, or could
/// not be seen then, must not go with it.
fn nothing_unknown(old: &OwnedFd, wanted: &Wanted<'_>) -> io::Result<()> {
    let items = wanted.foreign.iter().chain(&wanted.unwanted).map(|i| i.below.as_path());
    let known: BTreeSet<&Path> = items.chain(wanted.links.keys().copied()).collect();
    let mut pending = vec![PathBuf::new()];
    while let Some(below) = pending.pop() {
        let dir = open_below(old, &below)?;
        for name in entries(&dir)? {
            let path = below.join(&name);
            let is_dir =
                kind(&fstatat(&dir, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW)?) == SFlag::S_IFDIR;
            if is_dir {
                pending.push(path);
            } else if !known.contains(path.as_path()) {
                let path = crate::printable(path.as_os_str());
                return Err(io::Error::other(format!(
                    "{path} in weak-updates was not there or not readable when stock was taken; all is left as it is"
                )));
            }
        }
    }
    Ok(())
}

/// Unwanted links go, then new ones come. One that takes another's place is made beside and renamed.
fn change_in_steps(dir: &OwnedFd, places: &[&OwnedFd], stage: &OsStr, wanted: &Wanted<'_>) -> io::Result<()> {
    let top = make_dir(dir.as_fd(), OsStr::new(WEAK_UPDATES), None)?;
    let mut dirs = Dirs { new: &top, old: None, made: BTreeSet::new() };
    // What another link takes the place of is there until that one comes.
    for item in wanted.unwanted.iter().filter(|i| !wanted.links.contains_key(i.below.as_path())) {
        let (at, name) = dirs.parent_of(&item.below)?;
        remove_file(at.as_fd(), name)?;
    }
    // Inside only where it is a mount point, across which nothing can be renamed.
    let places: Vec<&OwnedFd> = places.iter().copied().chain([&top]).collect();
    for (link, target) in &wanted.links {
        let (at, name) = dirs.parent_of(link)?;
        if readlinkat(&at, name).is_ok_and(|there| there == target.as_os_str()) {
            continue;
        }
        match symlinkat(*target, &at, name) {
            Ok(()) => {}
            Err(Errno::EEXIST) => put_over(&places, stage, target, at.as_fd(), name)?,
            Err(errno) => return Err(errno.into()),
        }
    }
    let mut emptied: BTreeSet<PathBuf> = BTreeSet::new();
    for item in &wanted.unwanted {
        emptied
            .extend(item.below.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()).map(PathBuf::from));
    }
    for below in emptied.iter().rev() {
        remove_dir(top.as_fd(), below.as_os_str())?;
    }
    for made in &dirs.made {
        match open_below(&top, made) {
            Ok(made) => fsync(made)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    fsync(&top)?;
    Ok(())
}

/// Puts a link in the place of what is there, from the first of `places` that it can be renamed from.
fn put_over(
    places: &[&OwnedFd],
    stage: &OsStr,
    target: &Path,
    at: BorrowedFd<'_>,
    name: &OsStr,
) -> io::Result<()> {
    let mut done = Err(Errno::EXDEV);
    for place in places {
        remove_file(place.as_fd(), stage)?;
        symlinkat(target, place, stage)?;
        done = renameat(place, stage, at, name);
        if done.is_ok() {
            break;
        }
        remove_file(place.as_fd(), stage)?;
        if done != Err(Errno::EXDEV) {
            break;
        }
    }
    Ok(done?)
}

/// Directories below a new top, made as they are needed, with the modes and owners of the old ones.
struct Dirs<'a> {
    new: &'a OwnedFd,
    old: Option<&'a OwnedFd>,
    made: BTreeSet<PathBuf>,
}

impl Dirs<'_> {
    /// The directory that `below` is in, opened, and its last component.
    fn parent_of<'p>(&mut self, below: &'p Path) -> io::Result<(OwnedFd, &'p OsStr)> {
        let name = below.file_name().ok_or_else(|| io::Error::other("a link without a name"))?;
        let mut at = self.new.try_clone()?;
        let mut path = PathBuf::new();
        for component in below.parent().unwrap_or(Path::new("")) {
            path.push(component);
            let like = match (self.old, self.made.contains(&path)) {
                (Some(old), false) => fstatat(old, path.as_path(), AtFlags::AT_SYMLINK_NOFOLLOW).ok(),
                _ => None,
            };
            at = make_dir(at.as_fd(), component, like)?;
            self.made.insert(path.clone());
        }
        Ok((at, name))
    }
}

/// Makes and opens a directory; one that is there is only opened.
fn make_dir(at: BorrowedFd<'_>, name: &OsStr, like: Option<FileStat>) -> io::Result<OwnedFd> {
    let made = match mkdirat(at, name, Mode::from_bits_truncate(0o700)) {
        Ok(()) => true,
        Err(Errno::EEXIST) => false,
        Err(errno) => return Err(errno.into()),
    };
    let dir = openat(at, name, DIR_FLAGS, Mode::empty())?;
    if made {
        // Independent of the umask.
        let mut mode = Mode::from_bits_truncate(0o755);
        if let Some(like) = like.filter(|s| kind(s) == SFlag::S_IFDIR) {
            mode = Mode::from_bits_truncate(like.st_mode & 0o7777);
            let own = fstat(&dir)?;
            if (own.st_uid, own.st_gid) != (like.st_uid, like.st_gid) {
                fchown(&dir, Some(Uid::from_raw(like.st_uid)), Some(Gid::from_raw(like.st_gid)))?;
            }
        }
        fchmod(&dir, mode)?;
    }
    Ok(dir)
}

fn open_below(top: &OwnedFd, below: &Path) -> io::Result<OwnedFd> {
    let mut at = top.try_clone()?;
    for component in below {
        at = openat(&at, component, DIR_FLAGS, Mode::empty())?;
    }
    Ok(at)
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

/// Removes a directory with all that is in it, following no link. One that is not there is fine.
pub(super) fn remove_tree(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    let dir = match openat(at, name, DIR_FLAGS, Mode::empty()) {
        Ok(dir) => dir,
        Err(Errno::ENOENT) => return Ok(()),
        Err(Errno::ENOTDIR | Errno::ELOOP) => {
            return Ok(unlinkat(at, name, UnlinkatFlags::NoRemoveDir)?);
        }
        Err(errno) => return Err(errno.into()),
    };
    for entry in entries(&dir)? {
        match unlinkat(&dir, entry.as_os_str(), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            // unlink of a directory is EISDIR on Linux, EPERM by POSIX.
            Err(Errno::EISDIR | Errno::EPERM) => remove_tree(dir.as_fd(), &entry)?,
            Err(errno) => return Err(errno.into()),
        }
    }
    drop(dir);
    match unlinkat(at, name, UnlinkatFlags::RemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Removes what is no directory; that it is not there is as good.
pub(super) fn remove_file(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    match unlinkat(at, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Removes a directory if it is empty, and no mount point.
pub(super) fn remove_dir(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    match unlinkat(at, name, UnlinkatFlags::RemoveDir) {
        Ok(()) | Err(Errno::ENOENT | Errno::ENOTEMPTY | Errno::EEXIST | Errno::EBUSY) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Removes depmod's index where nothing else is left.
fn remove_index(dir: &OwnedFd) -> io::Result<()> {
    let left = entries(dir)?;
    if left.iter().all(|name| name == WEAK_UPDATES || is_of_index(name)) {
        for name in left.into_iter().filter(|name| name != WEAK_UPDATES) {
            unlinkat(dir, name.as_os_str(), UnlinkatFlags::NoRemoveDir)?;
        }
    }
    Ok(())
}

pub(super) fn entries(dir: impl AsFd) -> io::Result<Vec<OsString>> {
    let again = openat(dir, ".", DIR_FLAGS, Mode::empty())?;
    let mut names = Vec::new();
    for entry in Dir::from_fd(again)?.iter() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_os_string());
        }
    }
    Ok(names)
}
