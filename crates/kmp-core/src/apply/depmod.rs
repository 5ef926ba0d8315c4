// SPDX-License-Identifier: LGPL-2.1-or-later
//! Runs depmod. Whether it has to run is decided in `inventory/index_due.rs` and, by the links that change, in
//! `sync/difference.rs`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::Mode;

use crate::environment::variable;
use crate::inventory::{ModulesDirs, Release};
use crate::root::Root;
use crate::tree::{self, MODULES_DEP, OWN_PREFIX};

use super::private_dir::PrivateDir;
use super::program::{self, Failure, With};
use super::shown::Shown;
use super::switch::{entries, remove_tree};

/// The longest time for one kernel. It takes seconds.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// depmod did not do its work.
#[derive(Debug, thiserror::Error)]
#[error("depmod for kernel {release} failed: {why}. The next run of kmp tries again")]
pub struct DepmodError {
    release: String,
    why: String,
}

/// How depmod is run.
#[derive(Clone, Debug)]
pub struct Depmod {
    /// The program: a plain name, or an absolute path.
    pub program: OsString,
}

impl Default for Depmod {
    fn default() -> Self {
        Self { program: "depmod".into() }
    }
}

impl Depmod {
    /// The program that the environment variable `DEPMOD` names, if it does.
    pub fn from_environment() -> Self {
        variable("DEPMOD").map_or_else(Self::default, |program| Self { program })
    }

    /// Writes the index of `release` anew. Returns what depmod had to say.
    ///
    /// # Errors
    /// [`DepmodError`], which names the kernel, when depmod cannot be run, fails, or its index cannot be
    /// put into place.
    pub fn run(&self, root: &Root, dirs: &ModulesDirs, release: &Release) -> Result<String, DepmodError> {
        let outcome = if root.is_system() {
            self.call(&["--".into(), OsString::from(&release.release)], With::default())
        } else {
            self.run_below(root, dirs, release)
        };
        outcome.map_err(|why| DepmodError { release: release.release.clone(), why })
    }

    fn call(&self, arguments: &[OsString], with: With<'_, '_>) -> Result<String, String> {
        program::run(&self.program, arguments, With { limit: LIMIT, ..with }).map_err(|failure| {
            let why = failure.message(&self.program, program::first_lines);
            match failure {
                Failure::NotRun(_) => format!("{why}. Install kmod, or name another with DEPMOD"),
                Failure::Ended(..) => why,
            }
        })
    }

    /// depmod follows every link in the directory it is given, out of the root, and a root may be written by people who must not
    /// write or read outside of it. So it works in a private directory elsewhere: see [`Shown`]. What it writes there is copied to
    /// where it belongs.
    fn run_below(&self, root: &Root, dirs: &ModulesDirs, release: &Release) -> Result<String, String> {
        let cannot = |what: &str, e: io::Error| format!("{what}: {e}");
        let private = PrivateDir::new(root).map_err(|e| cannot("no temporary directory", e))?;
        let shown = Shown::new(root, dirs, release, &private)
            .map_err(|e| cannot("cannot make a shadow tree of the kernel's directory", e))?;
        let mut said = shown.left_out();
        let mut files = shown.files.iter().map(|path| {
            let named =
                |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", root.display(path).display()));
            root.open_file(path).map(OwnedFd::from).map_err(named)
        });
        let mut next = || files.next();
        let with = With { files: Some(&mut next), ..With::default() };
        said.push_str(&self.call(&shown.arguments, with)?);
        collect(root, release, &shown.dir).map_err(|e| cannot("cannot put the index into place", e))?;
        Ok(said)
    }
}

/// What depmod writes, as against what it reads.
pub(super) fn is_index(name: &OsStr) -> bool {
    name.to_str().is_some_and(tree::may_be_index)
}

/// Puts what depmod wrote into the kernel's directory.
fn collect(root: &Root, release: &Release, from: &OwnedFd) -> io::Result<()> {
    let dir = root.dir(&release.dir)?;
    let mut written: Vec<OsString> = entries(from)?.into_iter().filter(|name| is_index(name)).collect();
    // modules.dep comes last: as long as it is old, the index counts as old.
    written.sort_by_key(|name| (name == MODULES_DEP, name.clone()));
    // As depmod does it itself: written beside, then renamed.
    let beside = OsString::from(format!("{OWN_PREFIX}index"));
    for name in written {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut index = File::from(openat(from, name.as_os_str(), flags, Mode::empty())?);
        remove_tree(dir.as_fd(), &beside)?;
        // Never an existing file: it could have another name elsewhere.
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut to = File::from(openat(&dir, beside.as_os_str(), flags, Mode::from_bits_truncate(0o644))?);
        io::copy(&mut index, &mut to)?;
        renameat(&dir, beside.as_os_str(), &dir, name.as_os_str())?;
    }
    Ok(())
}
