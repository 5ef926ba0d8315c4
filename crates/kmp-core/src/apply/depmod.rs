// SPDX-License-Identifier: LGPL-2.1-or-later
//! Writes a kernel's index: runs depmod, or writes what it would write (`index/`). Whether that is due is decided in `inventory/index_due.rs` and, by the links that change, in
//! `sync/difference.rs`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::Mode;

use crate::config::IndexMode;
use crate::environment::variable;
use crate::inventory::{Conventions, ModulesDirs, Release};
use crate::root::Root;
use crate::tree::{self, MODULES_DEP, OWN_PREFIX};
use crate::workers::Workers;

use super::index::Attempt;
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

/// An index was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// By depmod, or else by kmp itself.
    pub by_depmod: bool,
    /// What depmod had to say.
    pub said: String,
}

/// How depmod is run.
#[derive(Clone, Debug)]
pub struct Depmod {
    /// The program: a plain name, or an absolute path.
    pub program: OsString,
    /// How an index is written, where the configuration is not to say.
    pub index: Option<IndexMode>,
}

/// The kernel whose index is written, and what is known for that.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// Where it is.
    pub root: &'a Root,
    /// Where modules are.
    pub dirs: &'a ModulesDirs,
    /// The kernel.
    pub release: &'a Release,
    /// What is configured.
    pub conventions: &'a Conventions,
    /// Who reads modules.
    pub workers: &'a dyn Workers,
}

impl std::fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("root", &self.root).field("release", &self.release.release).finish()
    }
}

/// The variable that says how an index is written, over the configuration.
const INDEX_VARIABLE: &str = "KMP_INDEX";

/// In test builds: depmod is run after each index that was written without it, and the two are compared.
const COMPARE_VARIABLE: &str = "KMP_TEST_INDEX_COMPARE";

impl Default for Depmod {
    fn default() -> Self {
        Self { program: "depmod".into(), index: None }
    }
}

impl Depmod {
    /// The program that the environment variable `DEPMOD` names, if it does, and what `KMP_INDEX` says.
    pub fn from_environment() -> Self {
        let default = Self::default();
        let index = variable(INDEX_VARIABLE).and_then(|word| {
            let mode = word.to_str().and_then(IndexMode::parse);
            if mode.is_none() {
                log::warn!("{INDEX_VARIABLE} is neither incremental nor depmod; it is ignored");
            }
            mode
        });
        Self { program: variable("DEPMOD").unwrap_or(default.program), index }
    }

    /// Writes the index of a kernel anew.
    ///
    /// # Errors
    /// [`DepmodError`], which names the kernel, when depmod cannot be run, fails, or its index cannot be
    /// put into place.
    pub fn run(&self, at: &Place<'_>) -> Result<Written, DepmodError> {
        let failed = |why| DepmodError { release: at.release.release.clone(), why };
        let attempt = match self.index.unwrap_or(at.conventions.config.index) {
            IndexMode::Depmod => Err("it is configured so".into()),
            IndexMode::Incremental => Attempt::new(at, &self.program),
        };
        let release = &at.release.release;
        let attempt = match attempt {
            Ok(attempt) => attempt,
            Err(why) => {
                log::debug!("kernel {release}: depmod makes the index: {why}");
                let said = self.call(at, || ()).map_err(failed)?;
                log::info!("depmod ran for kernel {release}");
                return Ok(Written { by_depmod: true, said });
            }
        };
        let is_written = match attempt.write() {
            Ok(()) => {
                log::info!("the index of kernel {release} was written without depmod");
                true
            }
            Err(why) => {
                log::debug!("kernel {release}: depmod makes the index: {why}");
                false
            }
        };
        if is_written && !(cfg!(debug_assertions) && variable(COMPARE_VARIABLE).is_some()) {
            return Ok(Written { by_depmod: false, said: String::new() });
        }
        let mut made = None;
        let said = self.call(at, || made = Some(attempt.compute())).map_err(failed)?;
        log::info!("depmod ran for kernel {release}");
        match made.map(|made| attempt.compare(made)) {
            Some(Err(why)) if is_written => {
                let report = attempt.report(&why);
                log::warn!(
                    "the index of kernel {release} that kmp had written was not depmod's, which is there now: {why}. \
                     Please report it, with {report}"
                );
            }
            Some(Err(why)) => log::debug!("kernel {release}: its index is left to depmod: {why}"),
            Some(Ok(())) | None => {}
        }
        Ok(Written { by_depmod: true, said })
    }

    /// Runs it. `meanwhile`: what is done at the same time.
    fn call(&self, at: &Place<'_>, mut meanwhile: impl FnMut()) -> Result<String, String> {
        if !at.root.is_system() {
            return self.run_below(at.root, at.dirs, at.release, meanwhile);
        }
        let with = With { meanwhile: Some(&mut meanwhile), ..With::default() };
        self.start(&["--".into(), OsString::from(&at.release.release)], with)
    }

    fn start(&self, arguments: &[OsString], with: With<'_, '_>) -> Result<String, String> {
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
    fn run_below(
        &self,
        root: &Root,
        dirs: &ModulesDirs,
        release: &Release,
        mut meanwhile: impl FnMut(),
    ) -> Result<String, String> {
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
        let with = With { files: Some(&mut next), meanwhile: Some(&mut meanwhile), ..With::default() };
        said.push_str(&self.start(&shown.arguments, with)?);
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
