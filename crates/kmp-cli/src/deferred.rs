//! Inside of an rpm transaction that rpm's plugin looks after, a scriptlet's request is noted only: the plugin
//! does everything once, when all packages are there.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use kmp_core::root::Root;
use kmp_core::run_dir;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};

/// Set by the plugin for scriptlets.
pub const VARIABLE: &str = "KMP_TRANSACTION";
const DIRECTORY: &str = "/run/kmp";
/// Locked by the plugin as long as it lives.
const TRANSACTION: &str = "transaction";
const REQUESTS: &str = "requests";

/// Notes a request, if somebody is there to serve it. If not, it is for the caller to do the work at once;
/// that is right in every doubtful case, too. `wish`: a kernel that needs a new initrd, or a KMP for which all kernels
/// that have it do; the plugin, which does not know the scriptlet's environment, finds it noted.
pub fn note(root: &Path, request: &[&str], wish: Option<&str>) -> bool {
    if std::env::var_os(VARIABLE).is_none() {
        return false;
    }
    match try_note(root, request, wish) {
        Ok(noted) => noted,
        Err(e) => {
            log::info!("the request cannot be left to the transaction: {e}");
            false
        }
    }
}

fn try_note(root: &Path, request: &[&str], wish: Option<&str>) -> io::Result<bool> {
    let root = Root::open(&std::path::absolute(root)?).map_err(io::Error::other)?;
    let directory = match root.dir(Path::new(DIRECTORY)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        directory => directory?,
    };
    if !is_served(&directory)? {
        return Ok(false);
    }
    if let Some(wish) = wish {
        run_dir::wish(&root, wish)?;
    }
    match mkdirat(&directory, REQUESTS, Mode::from_bits_truncate(0o755)) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno.into()),
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let requests = openat(&directory, REQUESTS, flags, Mode::empty())?;
    let name = std::process::id().to_string();
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut file =
        File::from(openat(requests.as_fd(), name.as_str(), flags, Mode::from_bits_truncate(0o644))?);
    file.write_all(format!("{}\n", request.join(" ")).as_bytes())?;
    // It may have ended meanwhile, and nobody reads the note then; the work is done twice at worst.
    is_served(&directory)
}

/// Does the plugin live?
fn is_served(directory: &OwnedFd) -> io::Result<bool> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = match openat(directory, TRANSACTION, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(Errno::ENOENT) => return Ok(false),
        Err(errno) => return Err(errno.into()),
    };
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_) => Ok(false),
        Err((_, Errno::EWOULDBLOCK)) => Ok(true),
        Err((_, errno)) => Err(errno.into()),
    }
}
