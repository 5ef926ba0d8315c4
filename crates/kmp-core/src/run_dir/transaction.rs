// SPDX-License-Identifier: LGPL-2.1-or-later
//! `transaction` and `requests/PID`: inside of an rpm transaction that rpm's plugin looks after, a
//! scriptlet's request is noted only, and the plugin does everything once, when all packages are there.
//!
//! The plugin makes `transaction` before a scriptlet runs, holds a lock on it as long as it lives, so that no
//! crash leaves a false sign, and removes it at the end. A scriptlet of kmp's that finds it locked leaves
//! `requests/PID`, whose text is the request, for people; the plugin removes all of them when it does the
//! work. A request that ends with `--no-initramfs` wants no initrd for what it reports.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::open::{Remark, if_locked};
use super::{DIRECTORY, Held, RunDir, check, wish};
use crate::root::{Dir, Root};

/// In the environment of a transaction's scriptlets where the plugin is there: `1`; or [`MORE`].
pub const VARIABLE: &str = "KMP_TRANSACTION";
/// Other calls of rpm follow in the same commit, and the file triggers at this one's end leave everything to
/// them.
pub const MORE: &str = "more";

/// The last word of a request that wants no initrd.
pub const NO_INITRD: &str = "--no-initramfs";

const TRANSACTION: &str = "transaction";
const REQUESTS: &str = "requests";

/// The length of a request is that of a command line with a release in it.
const LIMIT: u64 = 4096;

/// What rpm's plugin holds of `/run/kmp` during a transaction. It stays the same directory whether rpm is
/// chrooted or not.
#[derive(Debug, Default)]
pub struct Mark {
    directory: Option<RunDir>,
    held: Option<Held>,
}

impl Mark {
    /// Says that scriptlets may rely on the plugin, as far as that was not said. Where it cannot be, they do
    /// their work at once.
    pub fn announce(&mut self, root: &Root, remark: Remark<'_>) {
        if self.held.is_some() {
            return;
        }
        // A refusal is remarked; any other failure would be met by whoever looks for the file, too.
        let _ = self.try_announce(root, remark);
    }

    fn try_announce(&mut self, root: &Root, remark: Remark<'_>) -> io::Result<()> {
        let directory = match self.directory.take() {
            Some(directory) => directory,
            None => RunDir::heard(root, true, remark)?.ok_or(io::ErrorKind::NotFound)?,
        };
        let directory = self.directory.insert(directory);
        let file = directory.file_heard(TRANSACTION, OFlag::O_RDWR | OFlag::O_CREAT, remark)?;
        self.held = Some(Held::new(file, false).map_err(|(_, errno)| errno)?);
        Ok(())
    }

    /// Do scriptlets rely on it?
    pub fn is_announced(&self) -> bool {
        self.held.is_some()
    }

    /// Takes away what scriptlets have noted.
    pub fn take_requests(&self) -> Requests {
        self.directory.as_ref().map(take_requests).unwrap_or_default()
    }
}

/// What scriptlets have asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Requests {
    /// Nothing.
    #[default]
    None,
    /// Links, and each time no initrd.
    WithoutInitrds,
    /// Links, and the initrds that they make necessary.
    WithInitrds,
}

impl Requests {
    /// Of both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, one) | (one, Self::None) => one,
            (Self::WithoutInitrds, Self::WithoutInitrds) => Self::WithoutInitrds,
            _ => Self::WithInitrds,
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // First its name, so that nobody finds it unlocked.
        if let (Some(directory), Some(_)) = (&self.directory, &self.held) {
            let _ = directory.remove(TRANSACTION);
        }
    }
}

fn take_requests(directory: &RunDir) -> Requests {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let Ok(requests) = openat(directory, REQUESTS, flags, Mode::empty()).map(Dir::from) else {
        return Requests::None;
    };
    let mut taken = Requests::None;
    for entry in requests.entries().unwrap_or_default() {
        let is_ours = unlink_read(&requests, entry.name.as_ref());
        taken = taken.and(is_ours.unwrap_or_default());
    }
    let _ = unlinkat(directory, REQUESTS, UnlinkatFlags::RemoveDir);
    taken
}

/// Takes a request away. What it says is in its few bytes; one that cannot be read asks for everything.
fn unlink_read(requests: &Dir, name: &Path) -> Option<Requests> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let mut text = String::new();
    if let Ok(file) = openat(requests, name, flags, Mode::empty()) {
        let _ = File::from(file).take(LIMIT).read_to_string(&mut text);
    }
    unlinkat(requests, name, UnlinkatFlags::NoRemoveDir).ok()?;
    let declines = text.split_whitespace().next_back() == Some(NO_INITRD);
    Some(if declines { Requests::WithoutInitrds } else { Requests::WithInitrds })
}

/// Notes a scriptlet's request, if the plugin is there to serve it; false: it is for the caller to do the
/// work at once. `asking`: a kernel that needs a new initrd, or a KMP for which all kernels that have it do;
/// the plugin, which does not know the scriptlet's environment, finds it noted. `touched`: kernels of which
/// third-party modules of their own came or went.
///
/// # Errors
/// It cannot be noted, or who would serve it is not known: again the caller does it.
pub fn request(root: &Root, request: &[&str], asking: Option<&str>, touched: &[String]) -> io::Result<bool> {
    let Some(directory) = RunDir::open(root)? else { return Ok(false) };
    if !is_served(&directory)? {
        return Ok(false);
    }
    if let Some(asking) = asking {
        wish(root, asking)?;
    }
    for release in touched {
        check(root, release, true)?;
    }
    let requests = RunDir::at(root, &Path::new(DIRECTORY).join(REQUESTS), true)?;
    let Some(requests) = requests else { return Ok(false) };
    let name = std::process::id().to_string();
    let mut file = requests.file(&name, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC)?.file;
    file.write_all(format!("{}\n", request.join(" ")).as_bytes())?;
    // It may have ended meanwhile, and nobody reads the note then; the work is done twice at worst.
    is_served(&directory)
}

/// Does the plugin live? A file that somebody else can have locked says nothing.
fn is_served(directory: &RunDir) -> io::Result<bool> {
    match directory.file(TRANSACTION, OFlag::O_RDONLY) {
        Ok(opened) => Ok(if_locked(opened.file)?.is_some()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KREL: &str = "6.4.0-1-default";

    #[test]
    fn one_that_wants_initrds_is_enough() {
        use Requests::{None, WithInitrds, WithoutInitrds};
        for (one, other, both) in [
            (None, None, None),
            (None, WithoutInitrds, WithoutInitrds),
            (WithoutInitrds, WithoutInitrds, WithoutInitrds),
            (WithoutInitrds, WithInitrds, WithInitrds),
            (None, WithInitrds, WithInitrds),
        ] {
            assert_eq!((one.and(other), other.and(one)), (both, both));
        }
    }

    #[test]
    fn a_request_is_noted_while_the_mark_is_held_and_not_before_or_after() {
        let tmp = tempfile::tempdir().unwrap();
        let root = Root::open(tmp.path()).unwrap();
        let ask = || request(&root, &["add-kernel", KREL], Some(KREL), &[KREL.into()]).unwrap();
        assert!(!ask() && !tmp.path().join("run").exists());

        let mut mark = Mark::default();
        assert!(!mark.is_announced() && mark.take_requests() == Requests::None);
        for _ in 0..2 {
            mark.announce(&root, &|remark| panic!("{remark}"));
            assert!(mark.is_announced());
        }
        let mut second = Mark::default();
        second.announce(&root, &|remark| panic!("{remark}"));
        assert!(!second.is_announced());
        drop(second);
        assert!(ask());
        let note = tmp.path().join("run/kmp/requests").join(std::process::id().to_string());
        assert_eq!(std::fs::read_to_string(note).unwrap(), format!("add-kernel {KREL}\n"));
        let wishes = super::super::wishes(&root).unwrap();
        assert_eq!(wishes.iter().map(|w| &*w.name).collect::<Vec<_>>(), [KREL]);
        assert_eq!(super::super::checks(&root).unwrap().len(), 1);
        assert_eq!((mark.take_requests(), mark.take_requests()), (Requests::WithInitrds, Requests::None));
        assert!(!tmp.path().join("run/kmp/requests").exists());

        assert!(request(&root, &["weak-modules", "--add-modules", "", NO_INITRD], None, &[]).unwrap());
        assert_eq!(mark.take_requests(), Requests::WithoutInitrds);

        drop(mark);
        assert!(!tmp.path().join("run/kmp/transaction").exists() && !ask());
        // Left by a process that was killed: nobody holds it.
        std::fs::write(tmp.path().join("run/kmp/transaction"), "").unwrap();
        assert!(!ask());
    }
}
