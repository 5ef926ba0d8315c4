// SPDX-License-Identifier: LGPL-2.1-or-later
//! Inside of an rpm transaction that rpm's plugin looks after, a scriptlet's request is noted only: the plugin
//! does everything once, when all packages are there.

use std::io::{self, Write};
use std::path::Path;

use kmp_core::root::Root;
use kmp_core::run_dir::{self, DIRECTORY, RunDir};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

/// Set by the plugin for scriptlets.
pub const VARIABLE: &str = "KMP_TRANSACTION";
/// Locked by the plugin as long as it lives.
const TRANSACTION: &str = "transaction";
const REQUESTS: &str = "requests";

/// Notes a request, if somebody is there to serve it. If not, it is for the caller to do the work at once;
/// that is right in every doubtful case, too. `wish`: a kernel that needs a new initrd, or a KMP for which all kernels
/// that have it do; the plugin, which does not know the scriptlet's environment, finds it noted. `touched`: kernels of which
/// third-party modules of their own came or went.
pub fn note(root: &Path, request: &[&str], wish: Option<&str>, touched: &[String]) -> bool {
    if std::env::var_os(VARIABLE).is_none() {
        return false;
    }
    match try_note(root, request, wish, touched) {
        Ok(noted) => noted,
        Err(e) => {
            log::warn!("the request cannot be left to the transaction, and is carried out at once: {e}");
            false
        }
    }
}

fn try_note(root: &Path, request: &[&str], wish: Option<&str>, touched: &[String]) -> io::Result<bool> {
    let root = Root::open(&std::path::absolute(root)?).map_err(io::Error::other)?;
    let Some(directory) = RunDir::open(&root)? else { return Ok(false) };
    if !is_served(&directory)? {
        return Ok(false);
    }
    if let Some(wish) = wish {
        run_dir::wish(&root, wish)?;
    }
    for release in touched {
        run_dir::check(&root, release, true, &[])?;
    }
    let requests = RunDir::at(&root, &Path::new(DIRECTORY).join(REQUESTS), true)?;
    let Some(requests) = requests else { return Ok(false) };
    let name = std::process::id().to_string();
    let mut file = requests.file(&name, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC)?.file;
    file.write_all(format!("{}\n", request.join(" ")).as_bytes())?;
    // It may have ended meanwhile, and nobody reads the note then; the work is done twice at worst.
    is_served(&directory)
}

/// Does the plugin live? A file that somebody else can have locked says nothing.
fn is_served(directory: &RunDir) -> io::Result<bool> {
    let file = match directory.file(TRANSACTION, OFlag::O_RDONLY) {
        Ok(opened) => opened.file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_) => Ok(false),
        Err((_, Errno::EWOULDBLOCK)) => Ok(true),
        Err((_, errno)) => Err(errno.into()),
    }
}
