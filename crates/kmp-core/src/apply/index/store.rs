// SPDX-License-Identifier: LGPL-2.1-or-later
//! The cache's directory. What is in it is believed if it is ours, and nobody misses it.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::facts_cache::{Cache, Header, Record, bytes};
use crate::apply::switch::entries;
use crate::pack;
use crate::root::Root;
use crate::run_dir::RunDir;

/// Where it is: a file for each kernel, named for its release.
const DIRECTORY: &str = "/var/cache/kmp/depmod";

/// What is being written.
const BESIDE: &str = ".new";

/// What was different from depmod's last.
const REPORT: &str = ".difference";

/// A kernel's file has about a megabyte.
const LIMIT: u64 = 64 << 20;

/// How long a doubt holds: what was the reason may be gone.
const DOUBT: Duration = Duration::from_secs(24 * 60 * 60);

/// What is kept for a kernel; `None` if there is nothing that can be used.
pub(super) fn load(root: &Root, release: &str) -> Option<Cache> {
    let dir = RunDir::at(root, Path::new(DIRECTORY), false).inspect_err(|e| log::debug!("{e}")).ok()??;
    read(&dir, release)
}

fn read(dir: &RunDir, release: &str) -> Option<Cache> {
    let opened = dir.file(release, OFlag::O_RDONLY).inspect_err(|e| log::debug!("{release}: {e}")).ok()?;
    let written = opened.file.metadata().and_then(|stat| stat.modified()).ok()?;
    let mut packed = Vec::new();
    opened.file.take(LIMIT).read_to_end(&mut packed).ok()?;
    let cache = Cache::read(&packed)?;
    let is_young = || SystemTime::now().duration_since(written).is_ok_and(|age| age < DOUBT);
    (cache.header.doubt.is_none() || is_young()).then_some(cache)
}

/// What is kept for the kernels that there are.
pub(super) fn all(root: &Root) -> Vec<Header> {
    let Ok(Some(dir)) = RunDir::at(root, Path::new(DIRECTORY), false) else { return Vec::new() };
    let names = entries(&dir).unwrap_or_default();
    let names = names.iter().filter_map(|name| name.to_str()).filter(|name| !name.starts_with('.'));
    names.filter_map(|name| read(&dir, name)).map(|cache| cache.header).collect()
}

/// Keeps it for a kernel, and takes away what was kept for kernels that are gone from beside its directory.
///
/// # Errors
/// The system's; nothing is kept then.
pub(super) fn save(root: &Root, kernel: &Path, header: &Header, records: &[&Record<'_>]) -> io::Result<()> {
    let (Some(kernels), Some(release)) = (kernel.parent(), kernel.file_name()) else { return Ok(()) };
    let packed = pack::zstd(&bytes(header, records.iter().copied()))?;
    let dir = open(root)?;
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC;
    let mut file = dir.file(BESIDE, flags)?.file;
    file.write_all(&packed)?;
    renameat(&dir, BESIDE, &dir, release)?;
    for name in entries(&dir)? {
        if name != REPORT && !root.try_exists(&kernels.join(&name))? {
            unlinkat(&dir, name.as_os_str(), UnlinkatFlags::NoRemoveDir)?;
        }
    }
    Ok(())
}

/// Takes away what is kept for a kernel that is gone.
pub(super) fn forget(root: &Root, release: &str) {
    if let Ok(Some(dir)) = RunDir::at(root, Path::new(DIRECTORY), false) {
        let _ = dir.remove(release);
    }
}

/// Leaves a text for people. Returns where.
///
/// # Errors
/// The system's.
pub(super) fn report(root: &Root, text: &str) -> io::Result<String> {
    let dir = open(root)?;
    let mut file = dir.file(REPORT, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC)?.file;
    file.write_all(text.as_bytes())?;
    Ok(dir.display(REPORT).display().to_string())
}

/// Opens the directory, which is made where it is not there.
fn open(root: &Root) -> io::Result<RunDir> {
    let directory = Path::new(DIRECTORY);
    if let Some(dir) = RunDir::at(root, directory, false)? {
        return Ok(dir);
    }
    let mut at: OwnedFd = root.dir(Path::new("/"))?;
    for name in directory.iter().skip(1) {
        match mkdirat(&at, name, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        at = openat(&at, name, flags, Mode::empty())?;
    }
    RunDir::at(root, directory, false)?.ok_or_else(|| io::ErrorKind::NotFound.into())
}
