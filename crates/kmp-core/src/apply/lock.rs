//! One lock for the machine (for each root), so that two runs do not meet in one kernel's directory.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};

use crate::root::Root;

const DIRECTORY: &str = "/run/kmp";
const FILE: &str = "lock";

/// The lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// And it was not to be waited for.
    #[error("another run of kmp is at work (it holds {0})")]
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
pub struct Lock(ManuallyDrop<Flock<File>>);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is enough. To drop the Flock is to unlock it first, and it panics where that fails.
        let _ = nix::unistd::close(self.0.as_raw_fd());
    }
}

impl Lock {
    /// Takes `/run/kmp/lock` below `root`; `None` where there is no such file yet and `create` is not set.
    /// Waits as long as another run holds it, and calls `waiting` once after a second; without it, waits not at all.
    ///
    /// # Errors
    /// [`LockError`], when the file cannot be made, opened or locked.
    pub fn take(root: &Root, create: bool, waiting: Option<&dyn Fn()>) -> Result<Option<Self>, LockError> {
        let path = root.display(&Path::new(DIRECTORY).join(FILE));
        let error = |source: io::Error| LockError::Failed { path: path.clone(), source };
        let Some(file) = open(root, create).map_err(error)? else {
            return Ok(None);
        };
        let start = Instant::now();
        let mut told = false;
        let mut file = file;
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(Some(Self(ManuallyDrop::new(lock)))),
                Err((back, Errno::EWOULDBLOCK | Errno::EINTR)) => file = back,
                Err((_, errno)) => return Err(error(errno.into())),
            }
            let Some(waiting) = waiting else { return Err(LockError::Busy(path)) };
            if !told && start.elapsed() >= Duration::from_secs(1) {
                told = true;
                waiting();
            }
            sleep(Duration::from_millis(20));
        }
    }
}

fn open(root: &Root, create: bool) -> io::Result<Option<File>> {
    let dir = match root.dir(Path::new(DIRECTORY)) {
        Ok(dir) => dir,
        Err(e) if e.kind() == io::ErrorKind::NotFound && create => {
            for (parent, name) in [("/", "run"), ("/run", "kmp")] {
                match mkdirat(root.dir(Path::new(parent))?, name, Mode::from_bits_truncate(0o755)) {
                    Ok(()) | Err(Errno::EEXIST) => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
            root.dir(Path::new(DIRECTORY))?
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let flags = if create { flags | OFlag::O_CREAT } else { flags };
    match openat(dir, FILE, flags, Mode::from_bits_truncate(0o600)) {
        Ok(fd) => Ok(Some(File::from(fd))),
        Err(Errno::ENOENT) if !create => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}
