// SPDX-License-Identifier: LGPL-2.1-or-later
//! `lock`: one for the machine (for each root), so that two runs do not meet in one kernel's directory.
//! Whoever changes something holds it as long as that takes; the file stays.

use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::{DIRECTORY, Held, Opened, RunDir, is_refusal};
use crate::root::Root;

const FILE: &str = "lock";

/// The lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// And it was not to be waited for.
    #[error("another run of kmp is in progress (it holds {0})")]
    Busy(PathBuf),
    /// There is no place for it.
    #[error("cannot lock {path}: {source}. Is /run writable?")]
    Failed {
        /// The lock's file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Held until dropped, and gone with the process.
#[derive(Debug)]
pub struct Lock {
    _held: Held,
    /// What was there and not ours, in words: it is replaced.
    pub remark: Option<String>,
}

impl Lock {
    /// Takes `/run/kmp/lock` below `root`; `None` where there is no such file yet, or another user's, and
    /// `create` is not set. Waits as long as another run holds it, and calls `waiting` once after a second;
    /// without it, waits not at all.
    ///
    /// # Errors
    /// [`LockError`], when the file cannot be made, opened or locked.
    pub fn take(root: &Root, create: bool, waiting: Option<&dyn Fn()>) -> Result<Option<Self>, LockError> {
        let path = root.display(&Path::new(DIRECTORY).join(FILE));
        let error = |source: io::Error| LockError::Failed { path: path.clone(), source };
        let start = Instant::now();
        let mut has_called = false;
        let mut remark = None;
        loop {
            let Some((dir, opened)) = open(root, create).map_err(error)? else {
                return Ok(None);
            };
            remark = remark.or(opened.remark).or_else(|| dir.remark().map(str::to_string));
            match Held::new(opened.file, false) {
                Ok(held) if dir.is_current(FILE, held.file()) => {
                    return Ok(Some(Self { _held: held, remark }));
                }
                // Another run has replaced it.
                Ok(_) => continue,
                Err((_, Errno::EWOULDBLOCK | Errno::EINTR)) => {}
                Err((_, errno)) => return Err(error(errno.into())),
            }
            let Some(waiting) = waiting else { return Err(LockError::Busy(path)) };
            if !has_called && start.elapsed() >= Duration::from_secs(1) {
                has_called = true;
                waiting();
            }
            sleep(Duration::from_millis(20));
        }
    }
}

fn open(root: &Root, create: bool) -> io::Result<Option<(RunDir, Opened)>> {
    let absent = |e: &io::Error| !create && e.kind() == io::ErrorKind::NotFound;
    // Whoever else holds it is not one of us. It is replaced, with a word about it, by the run that needs it.
    let not_ours = |e: &io::Error| !create && is_refusal(e);
    let opened = RunDir::at(root, Path::new(DIRECTORY), create).and_then(|dir| {
        let Some(dir) = dir else { return Ok(None) };
        let flags = if create { OFlag::O_RDONLY | OFlag::O_CREAT } else { OFlag::O_RDONLY };
        let opened = dir.file(FILE, flags)?;
        Ok(Some((dir, opened)))
    });
    match opened {
        Err(e) if absent(&e) || not_ours(&e) => Ok(None),
        opened => opened,
    }
}
