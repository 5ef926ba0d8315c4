// SPDX-License-Identifier: LGPL-2.1-or-later
//! A file-system root, and reading beneath it.
//!
//! Every path is absolute as seen inside the root: `/usr/lib/modules/K`. Neither `..` nor a symbolic link, absolute or not, leads
//! out: an absolute link starts again at the root, as it would after chroot(2). For the system's own root the kernel's plain path
//! walk is all that is needed. For another one openat2(2) with RESOLVE_IN_ROOT is used, and where the kernel or a sandbox lacks it
//! a walk of our own, one component at a time.
//!
//! This is for reading. A writer takes a directory's handle from [`Root::dir`] and works with the `*at` calls on it.

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Links followed in one path before it counts as a loop: the kernel's MAXSYMLINKS.
const MAX_LINKS: usize = 40;
/// The longest path the kernel takes, with its NUL: PATH_MAX.
const MAX_PATH: usize = 4096;
/// How often a call is made again that was interrupted, or is to be tried again: openat2 fails with EAGAIN where a rename anywhere
/// raced with a `..` in the path, open(2) where a lease is being broken.
const RETRIES: usize = 32;

/// The root could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {}: {source}; give an existing directory as the root", path.display())]
pub struct RootError {
    /// What was being done.
    pub doing: &'static str,
    /// The path to the root, as it was given.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

/// What sort of file it is, as far as this project cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileType {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link itself.
    Symlink,
    /// A device, FIFO or socket.
    Other,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The name: one component, never `.` or `..`. It is data, not always UTF-8.
    pub name: OsString,
    /// What it is; symbolic links are not followed.
    pub kind: FileType,
}

/// What stat(2) tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The file system's device number.
    pub dev: u64,
    /// The inode number.
    pub ino: u64,
    /// Type and permission bits, as in `st_mode`.
    pub mode: u32,
    /// The size in bytes.
    pub size: u64,
    /// When the contents changed, in nanoseconds since 1970.
    pub mtime_ns: i128,
    /// When contents or attributes changed, in nanoseconds since 1970.
    pub ctime_ns: i128,
}

impl Stat {
    /// What sort of file it is.
    pub fn kind(&self) -> FileType {
        match SFlag::from_bits_truncate(self.mode) & SFlag::S_IFMT {
            SFlag::S_IFREG => FileType::File,
            SFlag::S_IFDIR => FileType::Dir,
            SFlag::S_IFLNK => FileType::Symlink,
            _ => FileType::Other,
        }
    }
}

impl From<FileStat> for Stat {
    fn from(stat: FileStat) -> Stat {
        let ns = |s, ns| i128::from(s) * 1_000_000_000 + i128::from(ns);
        Stat {
            dev: stat.st_dev,
            ino: stat.st_ino,
            mode: stat.st_mode,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime_ns: ns(stat.st_mtime, stat.st_mtime_nsec),
            ctime_ns: ns(stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

/// Who walks the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolver {
    /// The kernel, from the process's own root.
    System,
    /// The kernel, kept beneath the root by openat2.
    InRoot,
    /// [`Root::walk`].
    Walk,
}

/// Did the system fail to look (EIO, EACCES, ENOMEM, EMFILE and the like)? Then what is there is unknown. Otherwise the error tells
/// what is there: nothing, or something of another kind.
pub fn is_fault(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    match error.raw_os_error().map(Errno::from_raw) {
        // The last two: a socket, or a device without a driver, in a file's place.
        Some(
            Errno::ENOENT
            | Errno::ENOTDIR
            | Errno::EISDIR
            | Errno::ELOOP
            | Errno::ENAMETOOLONG
            | Errno::EINVAL
            | Errno::ENXIO
            | Errno::ENODEV,
        ) => false,
        Some(_) => true,
        None => !matches!(
            error.kind(),
            Kind::NotFound | Kind::InvalidInput | Kind::InvalidData | Kind::FileTooLarge
        ),
    }
}

/// Makes a call again where it was interrupted (EINTR) or is to be tried again (EAGAIN), a bounded number of times.
///
/// # Errors
/// Those of the call.
pub fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..RETRIES {
        match call() {
            Err(e) if matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            done => return done,
        }
    }
    call()
}

/// A file-system root beneath which every path is resolved. See the [module](self) for the rules.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
    path: PathBuf,
    resolver: Resolver,
}

/// Where a walk ended: `last` in the directory `dir` is not a symbolic link, or one that was not to be followed.
struct Walked {
    /// The directories gone through from the root, each with its name; the last is where `last` is.
    dirs: Vec<(OwnedFd, OsString)>,
    /// A name, or `.` for the directory itself.
    last: OsString,
}

impl Root {
    /// Opens the root at `path`: a directory as the calling process sees it, `/` for the running system. A relative path is taken
    /// from the working directory of this moment.
    ///
    /// # Errors
    /// `path` is no directory or may not be opened.
    pub fn open(path: &Path) -> Result<Root, RootError> {
        let fail = |doing| move |source| RootError { doing, path: path.to_owned(), source };
        let real = std::fs::canonicalize(path).map_err(fail("cannot find the root directory"))?;
        if real == Path::new("/") {
            return Root::open_with(&real, Resolver::System).map_err(fail("cannot open the root directory"));
        }
        let path = std::path::absolute(path).map_err(fail("cannot find the root directory"))?;
        let mut root =
            Root::open_with(&path, Resolver::InRoot).map_err(fail("cannot open the root directory"))?;
        // ENOSYS before Linux 5.6; EPERM from sandboxes that do not know the call.
        if let Err(Errno::ENOSYS | Errno::EPERM) = root.in_root(Path::new("."), OFlag::O_PATH) {
            root.resolver = Resolver::Walk;
        }
        Ok(root)
    }

    fn open_with(path: &Path, resolver: Resolver) -> io::Result<Root> {
        let fd =
            openat(AT_FDCWD, path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        // Without doubled and trailing slashes.
        Ok(Root { fd, path: path.components().collect(), resolver })
    }

    /// The root's own absolute path, as the calling process sees it: for messages and for other programs.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this is the running system's root, `/`.
    pub fn is_system(&self) -> bool {
        self.resolver == Resolver::System
    }

    /// A path inside the root as a person outside would write it. For messages only: opened, it could lead out of the root.
    pub fn display(&self, path: &Path) -> PathBuf {
        self.path.join(relative(path))
    }

    /// Reads a regular file, at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Root::open_file`]; `FileTooLarge` where the file has more than `limit` bytes.
    pub fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        again(|| {
            let (file, stat) = regular(self.open_at(path, READ, true)?)?;
            read_up_to(file, stat, limit)
        })
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// The system's; `IsADirectory` or `InvalidInput` where it is no regular file. A FIFO or device never blocks.
    pub fn open_file(&self, path: &Path) -> io::Result<File> {
        again(|| Ok(regular(self.open_at(path, READ, true)?)?.0))
    }

    /// The names in a directory without `.` and `..`, sorted by bytes. Links to directories are followed to get there.
    ///
    /// # Errors
    /// The system's; `NotADirectory` where it is none.
    pub fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        again(|| list(self.dir(path)?))
    }

    /// As [`Root::read_dir`], with what the directory itself is.
    ///
    /// # Errors
    /// As [`Root::read_dir`].
    pub fn read_dir_stat(&self, path: &Path) -> io::Result<(Vec<DirEntry>, Stat)> {
        again(|| {
            let dir = self.dir(path)?;
            let stat = fstat(&dir)?.into();
            Ok((list(dir)?, stat))
        })
    }

    /// A directory's handle, opened for reading (O_RDONLY), for `*at` calls.
    ///
    /// # Errors
    /// The system's; `NotADirectory` where it is none.
    pub fn dir(&self, path: &Path) -> io::Result<OwnedFd> {
        again(|| Ok(self.open_at(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY, true)?))
    }

    /// A directory to read many files from: one path walk for all of them.
    ///
    /// # Errors
    /// As [`Root::dir`].
    pub fn open_dir(&self, path: &Path) -> io::Result<Dir> {
        self.dir(path).map(Dir)
    }

    /// What `path` is; a symbolic link at its end is followed.
    ///
    /// # Errors
    /// The system's; `NotFound` for a dangling link.
    pub fn metadata(&self, path: &Path) -> io::Result<Stat> {
        again(|| Ok(fstat(self.open_at(path, OFlag::O_PATH, true)?)?.into()))
    }

    /// What `path` is; a symbolic link at its end is told itself.
    ///
    /// # Errors
    /// The system's.
    pub fn symlink_metadata(&self, path: &Path) -> io::Result<Stat> {
        again(|| Ok(fstat(self.open_at(path, OFlag::O_PATH, false)?)?.into()))
    }

    /// A symbolic link's target, as it is written.
    ///
    /// # Errors
    /// The system's; `InvalidInput` where it is no link.
    pub fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        again(|| Ok(read_link_fd(self.open_at(path, OFlag::O_PATH, false)?.as_fd())?))
    }

    /// Whether there is something at `path`. A dangling link is nothing.
    ///
    /// # Errors
    /// The system's, where it [could not look](is_fault).
    pub fn try_exists(&self, path: &Path) -> io::Result<bool> {
        match self.metadata(path) {
            Ok(_) => Ok(true),
            Err(e) if is_fault(&e) => Err(e),
            Err(_) => Ok(false),
        }
    }

    /// As [`Root::read`]; `None` where there is no regular file, or one that is too large.
    ///
    /// # Errors
    /// The system's, where it [could not look](is_fault).
    pub fn read_if_there(&self, path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        match self.read(path, limit) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if is_fault(&e) => Err(e),
            Err(_) => Ok(None),
        }
    }

    /// As [`Root::read_dir`]; nothing where there is no directory.
    ///
    /// # Errors
    /// The system's, where it [could not look](is_fault).
    pub fn read_dir_if_there(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        match self.read_dir(path) {
            Err(e) if !is_fault(&e) => Ok(Vec::new()),
            done => done,
        }
    }

    /// The path without symbolic links, `.` and `..`, absolute inside the root: `/lib/modules` may be `/usr/lib/modules`.
    ///
    /// # Errors
    /// The system's; `NotFound` where the file does not exist.
    pub fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        // The walk knows the names it went through. /proc/self/fd would also tell, but not in every chroot, and wrongly after a rename.
        let walked = again(|| Ok(self.walk(path, true)?))?;
        let mut real = PathBuf::from("/");
        real.extend(walked.dirs.iter().map(|(_, name)| name));
        if walked.last != "." {
            real.push(walked.last);
        }
        Ok(real)
    }

    /// Opens `path` without creating anything. `follow`: whether a symbolic link at the end is followed.
    fn open_at(&self, path: &Path, flags: OFlag, follow: bool) -> nix::Result<OwnedFd> {
        if path.as_os_str().is_empty() {
            return Err(Errno::ENOENT);
        }
        let flags = flags | OFlag::O_CLOEXEC | if follow { OFlag::empty() } else { OFlag::O_NOFOLLOW };
        match self.resolver {
            Resolver::System => openat(AT_FDCWD, &Path::new("/").join(path), flags, Mode::empty()),
            Resolver::InRoot => match self.in_root(path, flags) {
                // Too many races, or a filter that came after the root was opened: our walk minds neither.
                Err(Errno::EAGAIN | Errno::ENOSYS | Errno::EPERM) => self.walk_open(path, flags, follow),
                done => done,
            },
            Resolver::Walk => self.walk_open(path, flags, follow),
        }
    }

    fn in_root(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(flags | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        for _ in 0..RETRIES {
            match openat2(&self.fd, path, how) {
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                done => return done,
            }
        }
        Err(Errno::EAGAIN)
    }

    fn walk_open(&self, path: &Path, flags: OFlag, follow: bool) -> nix::Result<OwnedFd> {
        let walked = self.walk(path, follow)?;
        let dir = walked.dirs.last().map_or(self.fd.as_fd(), |(fd, _)| fd.as_fd());
        // A link put there since the walk is not followed: the call fails.
        openat(dir, walked.last.as_os_str(), flags | OFlag::O_NOFOLLOW, Mode::empty())
    }

    /// Goes through `path` as the kernel does (path_resolution(7)), with the root as the place where `..` and absolute links stop.
    /// Each step opens one name without following it, and `..` goes back to a directory that is already open, so nothing that moves
    /// meanwhile leads out.
    fn walk(&self, path: &Path, follow: bool) -> nix::Result<Walked> {
        let mut dirs: Vec<(OwnedFd, OsString)> = Vec::new();
        // What is left of the path, last component first.
        let mut left = Vec::new();
        push_components(path, &mut left)?;
        let mut links = 0;
        while let Some(name) = left.pop() {
            let is_last = left.is_empty();
            if name == "." {
                continue;
            }
            if name == ".." {
                dirs.pop();
                continue;
            }
            let dir = dirs.last().map_or(self.fd.as_fd(), |(fd, _)| fd.as_fd());
            let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let fd = openat(dir, name.as_os_str(), flags, Mode::empty())?;
            match Stat::from(fstat(&fd)?).kind() {
                FileType::Symlink if follow || !is_last => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::ELOOP);
                    }
                    let target = read_link_fd(fd.as_fd())?;
                    if target.is_absolute() {
                        dirs.clear();
                    }
                    push_components(&target, &mut left)?;
                }
                _ if is_last => return Ok(Walked { dirs, last: name }),
                FileType::Dir => dirs.push((fd, name)),
                _ => return Err(Errno::ENOTDIR),
            }
        }
        Ok(Walked { dirs, last: ".".into() })
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A directory beneath a [`Root`], for reading many of its files. Names are single components and symbolic links are never followed,
/// so that nothing here can leave the directory; for a link go back to the root with the whole path.
#[derive(Debug)]
pub struct Dir(OwnedFd);

impl Dir {
    /// The names in it without `.` and `..`, sorted by bytes.
    ///
    /// # Errors
    /// The system's.
    pub fn entries(&self) -> io::Result<Vec<DirEntry>> {
        // A handle of its own: the position in the directory belongs to it.
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        list(openat(&self.0, ".", flags, Mode::empty())?)
    }

    /// A directory in it.
    ///
    /// # Errors
    /// The system's; `NotADirectory` also for a link; `InvalidInput` where `name` is not one component.
    pub fn dir(&self, name: &OsStr) -> io::Result<Dir> {
        self.open_at(name, OFlag::O_RDONLY | OFlag::O_DIRECTORY).map(Dir)
    }

    /// Opens a regular file in it for reading.
    ///
    /// # Errors
    /// As [`Root::open_file`]; `FilesystemLoop` (ELOOP) for a link; `InvalidInput` where `name` is not one component.
    pub fn open_file(&self, name: &OsStr) -> io::Result<File> {
        Ok(regular(self.open_at(name, READ)?)?.0)
    }

    /// Reads a regular file in it, at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Dir::open_file`]; `FileTooLarge` where the file has more than `limit` bytes.
    pub fn read(&self, name: &OsStr, limit: u64) -> io::Result<Vec<u8>> {
        let (file, stat) = regular(self.open_at(name, READ)?)?;
        read_up_to(file, stat, limit)
    }

    /// What `name` in it is; a link is told itself.
    ///
    /// # Errors
    /// The system's; `InvalidInput` where `name` is not one component.
    pub fn symlink_metadata(&self, name: &OsStr) -> io::Result<Stat> {
        Ok(fstatat(&self.0, one_component(name)?, AtFlags::AT_SYMLINK_NOFOLLOW)?.into())
    }

    /// A symbolic link's target, as it is written.
    ///
    /// # Errors
    /// The system's; `InvalidInput` where it is no link or `name` is not one component.
    pub fn read_link(&self, name: &OsStr) -> io::Result<PathBuf> {
        Ok(readlinkat(&self.0, one_component(name)?)?.into())
    }

    fn open_at(&self, name: &OsStr, flags: OFlag) -> io::Result<OwnedFd> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.0, one_component(name)?, flags, Mode::empty())?)
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for Dir {
    /// Of a directory that was opened for reading.
    fn from(fd: OwnedFd) -> Dir {
        Dir(fd)
    }
}

impl From<Dir> for OwnedFd {
    fn from(dir: Dir) -> OwnedFd {
        dir.0
    }
}

/// How a file is opened for reading before it is known to be one: a FIFO must not block, a terminal not become ours.
const READ: OFlag = OFlag::O_RDONLY.union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY);

/// The path without its leading slashes.
fn relative(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

/// Puts the components of `path` on the stack `left`, so that its first one is popped first. A slash at the end asks for a directory, which
/// a `.` after it does as well. An empty path is ENOENT.
fn push_components(path: &Path, left: &mut Vec<OsString>) -> nix::Result<()> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() {
        return Err(Errno::ENOENT);
    }
    if bytes.len() >= MAX_PATH {
        return Err(Errno::ENAMETOOLONG);
    }
    if bytes.ends_with(b"/") {
        left.push(".".into());
    }
    let names = bytes.split(|&b| b == b'/').filter(|name| !name.is_empty());
    left.extend(names.rev().map(|name| OsStr::from_bytes(name).to_owned()));
    Ok(())
}

fn one_component(name: &OsStr) -> io::Result<&OsStr> {
    match name.as_bytes() {
        b"" | b"." | b".." => Err(Errno::EINVAL.into()),
        bytes if bytes.contains(&b'/') => Err(Errno::EINVAL.into()),
        _ => Ok(name),
    }
}

/// The target of the link that an O_PATH handle is open on.
fn read_link_fd(fd: BorrowedFd<'_>) -> nix::Result<PathBuf> {
    match readlinkat(fd, "") {
        // The kernel's word for "not a link" when asked by handle.
        Err(Errno::ENOENT) => Err(Errno::EINVAL),
        target => target.map(PathBuf::from),
    }
}

/// The handle as a file, if it is a regular one.
fn regular(fd: OwnedFd) -> io::Result<(File, Stat)> {
    let stat = Stat::from(fstat(&fd)?);
    match stat.kind() {
        FileType::File => Ok((File::from(fd), stat)),
        FileType::Dir => Err(Errno::EISDIR.into()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
    }
}

fn read_up_to(file: File, stat: Stat, limit: u64) -> io::Result<Vec<u8>> {
    let too_large =
        || io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than the limit of {limit} bytes"));
    if stat.size > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // The size is a hint: the file may grow, and those in /proc have none.
    bytes.try_reserve_exact(usize::try_from(stat.size).unwrap_or(usize::MAX))?;
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
}

fn list(fd: OwnedFd) -> io::Result<Vec<DirEntry>> {
    use nix::dir::Type;
    let mut dir = nix::dir::Dir::from_fd(fd)?;
    let mut entries = Vec::new();
    // Most file systems tell the type here. The others are asked below.
    let mut unknown = Vec::new();
    for entry in dir.iter() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let name = OsString::from_vec(name.to_vec());
        let kind = match entry.file_type() {
            Some(Type::File) => FileType::File,
            Some(Type::Directory) => FileType::Dir,
            Some(Type::Symlink) => FileType::Symlink,
            Some(_) => FileType::Other,
            None => {
                unknown.push(name);
                continue;
            }
        };
        entries.push(DirEntry { name, kind });
    }
    for name in unknown {
        match fstatat(&dir, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => entries.push(DirEntry { kind: Stat::from(stat).kind(), name }),
            // Gone since.
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    entries.sort_unstable();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use tempfile::TempDir;

    /// A root at `root` in a directory that also has `secret`, which nothing may reach.
    fn tree() -> TempDir {
        let tmp = TempDir::new().unwrap();
        let at = |path: &str| tmp.path().join("root").join(path);
        fs::create_dir_all(at("usr/lib/modules/6.1/updates")).unwrap();
        fs::create_dir_all(at("etc")).unwrap();
        fs::write(tmp.path().join("secret"), "outside").unwrap();
        fs::write(at("etc/name"), "inside").unwrap();
        fs::write(at("usr/lib/modules/6.1/updates/a.ko"), "module").unwrap();
        symlink("usr/lib", at("lib")).unwrap();
        symlink("/etc/name", at("usr/absolute")).unwrap();
        symlink("../../../../../../etc/name", at("usr/up")).unwrap();
        symlink(tmp.path().join("secret"), at("usr/out")).unwrap();
        symlink("../secret", at("outrel")).unwrap();
        symlink("/", at("usr/slash")).unwrap();
        symlink("/usr/lib/", at("etc/libdir")).unwrap();
        symlink("loop2", at("loop1")).unwrap();
        symlink("loop1", at("loop2")).unwrap();
        symlink("nothing", at("dangling")).unwrap();
        symlink("etc/name", at("chain0")).unwrap();
        for i in 1..=41 {
            symlink(format!("chain{}", i - 1), at(&format!("chain{i}"))).unwrap();
        }
        nix::unistd::mkfifo(&at("fifo"), Mode::from_bits_truncate(0o600)).unwrap();
        UnixListener::bind(at("socket")).unwrap();
        tmp
    }

    /// The same root read by openat2 and by our walk.
    fn both(tmp: &TempDir) -> [Root; 2] {
        [Resolver::InRoot, Resolver::Walk]
            .map(|resolver| Root::open_with(&tmp.path().join("root"), resolver).unwrap())
    }

    fn p(path: &str) -> &Path {
        Path::new(path)
    }

    fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> Errno {
        Errno::from_raw(result.unwrap_err().raw_os_error().unwrap())
    }

    #[test]
    fn nothing_leads_out() {
        let tmp = tree();
        for root in both(&tmp) {
            for path in [
                "/etc/name",
                "etc/name",
                "//etc///name",
                "/../../etc/name",
                "/usr/absolute",
                "/usr/up",
                "/usr/slash/../../etc/./name",
                "/lib/../../etc/name",
                "/etc/libdir/../../etc/name",
                "/chain39",
            ] {
                assert_eq!(root.read(p(path), 100).unwrap(), b"inside", "{path} {root:?}");
            }
            for path in ["/usr/out", "/outrel", "/../secret", "/nothing", "/dangling", "/nothing/..", ""] {
                assert_eq!(errno(root.read(p(path), 100)), Errno::ENOENT, "{path} {root:?}");
                assert!(!root.try_exists(p(path)).unwrap());
            }
            for path in ["/etc/name/", "/etc/name/.", "/etc/name/..", "/etc/name/x", "/usr/absolute/"] {
                assert_eq!(errno(root.read(p(path), 100)), Errno::ENOTDIR, "{path} {root:?}");
            }
            for path in ["/loop1", "/loop1/x", "/chain40", "/chain41"] {
                assert_eq!(errno(root.read(p(path), 100)), Errno::ELOOP, "{path} {root:?}");
            }
            let long = "x/".repeat(2048);
            assert_eq!(errno(root.metadata(p(&long))), Errno::ENAMETOOLONG);
            assert_eq!(errno(root.metadata(p("/a\0b"))), Errno::EINVAL);
        }
    }

    #[test]
    fn only_regular_files_are_read() {
        let tmp = tree();
        for root in both(&tmp) {
            assert_eq!(root.read(p("/fifo"), 10).unwrap_err().kind(), io::ErrorKind::InvalidInput);
            assert_eq!(errno(root.read(p("/socket"), 10)), Errno::ENXIO);
            assert_eq!(root.read(p("/etc"), 10).unwrap_err().kind(), io::ErrorKind::IsADirectory);
            assert_eq!(root.read(p("/etc/name"), 6).unwrap(), b"inside");
            assert_eq!(root.read(p("/etc/name"), 5).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
            let mut text = String::new();
            root.open_file(p("/usr/up")).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "inside");
        }
    }

    #[test]
    fn directories() {
        let tmp = tree();
        for root in both(&tmp) {
            let names = |entries: Vec<DirEntry>| -> Vec<(String, FileType)> {
                entries.into_iter().map(|e| (e.name.into_string().unwrap(), e.kind)).collect()
            };
            assert_eq!(
                names(root.read_dir(p("/usr")).unwrap()),
                [
                    ("absolute".into(), FileType::Symlink),
                    ("lib".into(), FileType::Dir),
                    ("out".into(), FileType::Symlink),
                    ("slash".into(), FileType::Symlink),
                    ("up".into(), FileType::Symlink),
                ]
            );
            let top = root.read_dir(p("/")).unwrap();
            assert!(top.contains(&DirEntry { name: "fifo".into(), kind: FileType::Other }));
            assert_eq!(root.read_dir(p("/usr/slash")).unwrap(), top);
            assert_eq!(errno(root.read_dir(p("/etc/name"))), Errno::ENOTDIR);

            let modules = root.open_dir(p("/lib/modules/6.1")).unwrap();
            let updates = modules.dir(OsStr::new("updates")).unwrap();
            assert_eq!(names(updates.entries().unwrap()), [("a.ko".into(), FileType::File)]);
            assert_eq!(updates.entries().unwrap().len(), 1, "a second time");
            assert_eq!(updates.read(OsStr::new("a.ko"), 6).unwrap(), b"module");
            assert_eq!(updates.symlink_metadata(OsStr::new("a.ko")).unwrap().size, 6);
            for name in ["", ".", "..", "../a", "a/b", "/"] {
                assert_eq!(errno(updates.open_file(OsStr::new(name))), Errno::EINVAL, "{name}");
                assert_eq!(errno(updates.symlink_metadata(OsStr::new(name))), Errno::EINVAL, "{name}");
            }
            let usr = root.open_dir(p("/usr")).unwrap();
            assert_eq!(errno(usr.open_file(OsStr::new("up"))), Errno::ELOOP);
            assert_eq!(errno(usr.dir(OsStr::new("slash"))), Errno::ENOTDIR);
            assert_eq!(usr.read_link(OsStr::new("slash")).unwrap(), p("/"));
        }
    }

    #[test]
    fn links_and_their_targets() {
        let tmp = tree();
        for root in both(&tmp) {
            assert_eq!(root.symlink_metadata(p("/lib")).unwrap().kind(), FileType::Symlink);
            assert_eq!(root.symlink_metadata(p("/lib/")).unwrap().kind(), FileType::Dir);
            let stat = root.metadata(p("/lib")).unwrap();
            assert_eq!(stat, root.symlink_metadata(p("/usr/lib")).unwrap());
            assert_eq!(root.symlink_metadata(p("/dangling")).unwrap().kind(), FileType::Symlink);
            assert_eq!(errno(root.metadata(p("/dangling"))), Errno::ENOENT);
            assert!(stat.mtime_ns > 0 && stat.ctime_ns > 0);
            assert_eq!(root.read_link(p("/usr/slash/lib")).unwrap(), p("usr/lib"));
            assert_eq!(errno(root.read_link(p("/etc"))), Errno::EINVAL);
            for (path, real) in [
                ("/lib/modules", "/usr/lib/modules"),
                ("/usr/up", "/etc/name"),
                ("/", "/"),
                ("/usr/slash", "/"),
                ("/etc/libdir/modules/..", "/usr/lib"),
                ("/../..", "/"),
            ] {
                assert_eq!(root.canonicalize(p(path)).unwrap(), p(real), "{path}");
            }
            assert_eq!(errno(root.canonicalize(p("/lib/none"))), Errno::ENOENT);
        }
    }

    #[test]
    fn the_system_itself() {
        for path in ["/", "/.", "//", "/proc/.."] {
            let root = Root::open(p(path)).unwrap();
            assert!(root.is_system());
            assert_eq!(root.path(), p("/"));
        }
        let root = Root::open(p("/")).unwrap();
        let tmp = tree();
        let name = tmp.path().join("root/etc/name");
        assert_eq!(root.read(&name, 10).unwrap(), b"inside");
        assert_eq!(root.display(&name), name);
        assert_eq!(root.read(&tmp.path().join("root/usr/out"), 10).unwrap(), b"outside");
        assert_eq!(root.canonicalize(&name).unwrap(), fs::canonicalize(&name).unwrap());
        assert!(!root.read(p("/proc/self/stat"), 10_000).unwrap().is_empty(), "a file of no size");
        assert_eq!(root.read(p("/dev/zero"), 10).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn opening() {
        let tmp = tree();
        let at = tmp.path().join("root//./");
        let root = Root::open(&at).unwrap();
        assert!(!root.is_system());
        assert_eq!(root.display(p("/lib/x")), tmp.path().join("root/lib/x"));
        assert_eq!(root.read(p("/usr/up"), 10).unwrap(), b"inside");
        let error = Root::open(&tmp.path().join("secret")).unwrap_err();
        assert!(error.to_string().contains("secret: Not a directory"), "{error}");
        assert!(Root::open(&tmp.path().join("none")).is_err());
    }

    /// Random links and random paths: our walk says what the kernel says, to the inode or the errno.
    #[test]
    fn the_walk_agrees_with_the_kernel() {
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = move |n: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed >> 33).unwrap() % n
        };
        let mut path = move || {
            let mut path = String::new();
            for i in 0..1 + random(6) {
                if i > 0 || random(3) == 0 {
                    path.push('/');
                }
                path.push_str(["a", "b", "c", "d", "e", "..", ".", "a", "b", "c"][random(10)]);
            }
            if random(8) == 0 {
                path.push('/');
            }
            path
        };
        let (mut good, mut bad) = (0, 0);
        for _ in 0..12 {
            let tmp = TempDir::new().unwrap();
            fs::create_dir_all(tmp.path().join("root/a/b/c")).unwrap();
            let [kernel, walk] = both(&tmp);
            for _ in 0..40 {
                let at = path();
                let Ok(real) = walk.canonicalize(at.rsplit_once('/').map_or(p("/"), |(d, _)| Path::new(d)))
                else {
                    continue;
                };
                let name = at.rsplit('/').next().unwrap_or("");
                if matches!(name, "" | "." | "..") {
                    continue;
                }
                let file = tmp.path().join("root").join(relative(&real)).join(name);
                let _ = match name {
                    "b" => fs::create_dir(file),
                    "e" => fs::write(file, "x"),
                    _ => symlink(path(), file),
                };
            }
            for _ in 0..1500 {
                let path = path();
                for follow in [true, false] {
                    let look = |root: &Root| {
                        root.open_at(p(&path), OFlag::O_PATH, follow)
                            .and_then(fstat)
                            .map(|s| (s.st_dev, s.st_ino))
                    };
                    let (theirs, ours) = (look(&kernel), look(&walk));
                    assert_eq!(theirs, ours, "{path} follow={follow} {tmp:?}");
                    if theirs.is_ok() {
                        good += 1
                    } else {
                        bad += 1
                    }
                    if let (true, Ok(id)) = (follow, theirs) {
                        let real = walk.canonicalize(p(&path)).unwrap();
                        let stat =
                            fs::symlink_metadata(tmp.path().join("root").join(relative(&real))).unwrap();
                        use std::os::unix::fs::MetadataExt;
                        assert_eq!((stat.dev(), stat.ino()), id, "{path} {real:?}");
                    }
                }
            }
        }
        assert!(good > 2000 && bad > 2000, "{good} {bad}");
    }
}
