// SPDX-License-Identifier: LGPL-2.1-or-later
//! kmp under the names of the distribution's own commands, in the place of its files.
//!
//! The package manager lets no package replace another's file, and these commands come in packages that have to stay. So
//! kmp's packages own the names as `%ghost`, which conflicts with nothing, and their triggers call this: the original gets
//! a second name beside it ([`SUFFIX`]), and a link to kmp takes its place in one step. A name always leads to one of the
//! two, whenever this is killed. What is on disk decides, so it can be done again at any time: after the distribution's
//! package was installed again, its new file is the original.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use kmp_core::root::{FileType, Root};
use kmp_core::run_dir::Held;
use librpm_rt::Librpm;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, renameat};
use nix::unistd::{UnlinkatFlags, fsync, linkat, symlinkat, unlinkat};

/// What the name of an original that was put aside ends in.
pub const SUFFIX: &str = ".distrib";

/// The directories of SUSE's scripts, and of commands; systems have merged some of the latter. The first of each is where
/// kmp's packages have them.
const TOOLS: &[&str] = &["/usr/lib/module-init-tools", "/lib/module-init-tools"];
const SCRIPTLETS: &[&str] =
    &["/usr/lib/module-init-tools/kernel-scriptlets", "/lib/module-init-tools/kernel-scriptlets"];
const COMMANDS: &[&str] = &["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// The peers' commands, each with all its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Diverted {
    /// SUSE's command
    WeakModules2,
    /// Red Hat's command
    WeakModules,
    /// What SUSE's kernels and KMPs call when they are installed
    Scriptlets,
}

impl Diverted {
    pub const ALL: [Self; 3] = [Self::WeakModules2, Self::WeakModules, Self::Scriptlets];

    /// Directories, a name in them, and where it is to lead. A name is made in the first directory; in the others, if they
    /// are others, it is taken over where there is one.
    fn names(self) -> Vec<(&'static [&'static str], String, &'static str)> {
        match self {
            Self::WeakModules2 => vec![(TOOLS, "weak-modules2".into(), "/usr/bin/kmp")],
            Self::WeakModules => vec![(COMMANDS, "weak-modules".into(), "/usr/bin/kmp")],
            Self::Scriptlets => {
                let phases = ["pre", "post", "preun", "postun", "posttrans"];
                let kinds = ["rpm", "kmp", "inkmp", "cert"]
                    .iter()
                    .flat_map(|kind| phases.map(|phase| (SCRIPTLETS, format!("{kind}-{phase}"), SCRIPTLET)));
                let initrd = [
                    (TOOLS, "regenerate-initrd-posttrans".into(), "/usr/bin/kmp"),
                    (TOOLS, "dracut-posttrans".into(), INITRD_FUNCTIONS),
                    (TOOLS, "mkosi-initrd-posttrans".into(), INITRD_FUNCTIONS),
                ];
                initrd.into_iter().chain(kinds).collect()
            }
        }
    }
}

const INITRD_FUNCTIONS: &str = "/usr/lib/module-init-tools/initrd-functions";
const SCRIPTLET: &str = "/usr/lib/module-init-tools/kernel-scriptlets/scriptlet";

/// What was done about one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It leads to kmp now; there was nothing.
    Made(PathBuf),
    /// It leads to kmp now, and the original is beside it.
    PutAside(PathBuf),
    /// It is the original again.
    Restored(PathBuf),
    /// No package has the original any more: it is gone.
    Dropped(PathBuf),
}

/// Makes the names of `what` lead to kmp.
///
/// # Errors
/// For each name that does not: what failed, and what that means. The others do.
pub fn put(root: &Root, rpm: Option<&Librpm>, what: Diverted) -> Vec<Result<Change, String>> {
    each(root, what, |place, is_first| {
        place.remove_leftovers()?;
        let there = place.there()?;
        if there != There::Ours {
            // A name must not lead to nothing.
            let why = |e| io::Error::other(format!("it would lead to {}: {e}", place.target));
            root.metadata(Path::new(place.target)).map_err(why)?;
        }
        // Its package is gone, whoever has removed the name or kept it.
        let is_stale = there != There::Original
            && place.has_original()?
            && rpm.is_some_and(|rpm| place.owned(rpm) == Some(false));
        if is_stale {
            place.remove(&place.aside)?;
        }
        match there {
            There::Nothing if is_first => place.link()?,
            There::Original => place.put_aside()?,
            _ => return Ok(is_stale.then(|| Change::Dropped(place.path()))),
        }
        let change = if there == There::Original { Change::PutAside } else { Change::Made };
        Ok(Some(change(place.path())))
    })
}

/// Makes the names of `what` lead to the originals again. A link of which the original is gone stays: it is rpm's.
///
/// # Errors
/// As [`put`].
pub fn restore(root: &Root, what: Diverted) -> Vec<Result<Change, String>> {
    each(root, what, |place, _| {
        place.remove_leftovers()?;
        if !place.has_original()? {
            return Ok(None);
        }
        if place.there()? == There::Original {
            // It came after what is beside it.
            place.remove(&place.aside)?;
            return Ok(Some(Change::Dropped(place.path())));
        }
        place.rename(&place.aside, &place.name)?;
        Ok(Some(Change::Restored(place.path())))
    })
}

fn each(
    root: &Root,
    what: Diverted,
    change: impl Fn(&Place<'_>, bool) -> io::Result<Option<Change>>,
) -> Vec<Result<Change, String>> {
    let mut done = Vec::new();
    for (dirs, name, target) in what.names() {
        let mut seen = BTreeSet::new();
        for (index, dir) in dirs.iter().enumerate() {
            let changed = match Place::open(root, dirs, dir, &name, target) {
                Ok(Some(place)) if seen.insert(place.id) => change(&place, index == 0),
                Ok(_) => Ok(None),
                Err(e) => Err(e),
            };
            match changed {
                Ok(changed) => done.extend(changed.map(Ok)),
                Err(e) => {
                    let path = root.display(&Path::new(dir).join(&name));
                    done.push(Err(format!("{}: {e}; it leads where it led before", path.display())));
                }
            }
        }
    }
    done
}

/// What a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum There {
    Nothing,
    /// A link to where it is to lead.
    Ours,
    Original,
}

/// A name in a directory, which is locked.
struct Place<'a> {
    root: &'a Root,
    /// Paths that may lead to this directory.
    dirs: &'a [&'a str],
    dir: PathBuf,
    lock: Held,
    id: (u64, u64),
    name: OsString,
    aside: OsString,
    target: &'a str,
    owned: OnceCell<Option<bool>>,
}

impl<'a> Place<'a> {
    /// `None`: there is no such directory.
    fn open(
        root: &'a Root,
        dirs: &'a [&'a str],
        dir: &'a str,
        name: &str,
        target: &'a str,
    ) -> io::Result<Option<Self>> {
        // Where it is: a relative link counts from there.
        let dir = match root.canonicalize(Path::new(dir)) {
            Ok(dir) => dir,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let fd = File::from(root.dir(&dir)?);
        let lock = Held::new(fd, true).map_err(|(_, errno)| errno)?;
        let stat = root.metadata(&dir)?;
        let aside = OsString::from(format!("{name}{SUFFIX}"));
        let id = (stat.dev, stat.ino);
        Ok(Some(Self { root, dirs, dir, lock, id, name: name.into(), aside, target, owned: OnceCell::new() }))
    }

    fn path(&self) -> PathBuf {
        self.dir.join(&self.name)
    }

    fn there(&self) -> io::Result<There> {
        let path = self.path();
        match self.root.symlink_metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(There::Nothing),
            Err(e) => Err(e),
            Ok(stat) if stat.kind() == FileType::Dir => Err(Errno::EISDIR.into()),
            Ok(stat) if stat.kind() == FileType::Symlink => {
                let same = |a: &Path, b: &Path| match (self.root.metadata(a), self.root.metadata(b)) {
                    (Ok(a), Ok(b)) => (a.dev, a.ino) == (b.dev, b.ino),
                    _ => false,
                };
                let is_ours =
                    self.root.read_link(&path)? == self.text() || same(&path, Path::new(self.target));
                Ok(if is_ours { There::Ours } else { There::Original })
            }
            Ok(_) => Ok(There::Original),
        }
    }

    /// What the link has in it: relative, so that it holds in an image, too.
    fn text(&self) -> PathBuf {
        let target = Path::new(self.target);
        if target.parent() == Some(&*self.dir) {
            return target.file_name().unwrap_or_default().into();
        }
        let below = self.dir.strip_prefix("/usr").unwrap_or(&self.dir);
        let up: PathBuf = below.components().skip(usize::from(below.is_absolute())).map(|_| "..").collect();
        let from = if below.is_absolute() { "/" } else { "/usr" };
        up.join(target.strip_prefix(from).unwrap_or(target))
    }

    fn has_original(&self) -> io::Result<bool> {
        match self.root.symlink_metadata(&self.dir.join(&self.aside)) {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// The link, where there is nothing or the original.
    fn link(&self) -> io::Result<()> {
        let stage = self.stage("link");
        symlinkat(&self.text(), self.lock.file(), stage.as_os_str())?;
        self.rename(&stage, &self.name)
    }

    fn put_aside(&self) -> io::Result<()> {
        let stage = self.stage("original");
        linkat(
            self.lock.file(),
            self.name.as_os_str(),
            self.lock.file(),
            stage.as_os_str(),
            AtFlags::empty(),
        )?;
        self.rename(&stage, &self.aside)?;
        // Two names of one file: then it has both still.
        self.remove(&stage)?;
        fsync(self.lock.file())?;
        self.link()
    }

    /// Is the original a file of an installed package? `None`: it is not known. What is a ghost there is no original.
    fn owned(&self, rpm: &Librpm) -> Option<bool> {
        *self.owned.get_or_init(|| {
            let database = rpm.open(self.root.path()).ok()?;
            for dir in self.dirs {
                let leads_here = self.root.metadata(Path::new(dir)).is_ok_and(|s| (s.dev, s.ino) == self.id);
                if !leads_here {
                    continue;
                }
                let (path, key) = (Path::new(dir).join(&self.name), format!("{dir}/").into_bytes());
                for instance in database.owners_of_dir(&key).ok()? {
                    let package = database.package(instance, &|d| d == key).ok()?;
                    if package.files.contains(&path) && !package.ghosts.contains(&path) {
                        return Some(true);
                    }
                }
            }
            Some(false)
        })
    }

    fn stage(&self, what: &str) -> OsString {
        let mut stage = OsString::from(".kmp-");
        stage.push(&self.name);
        stage.push(".");
        stage.push(what);
        stage
    }

    /// What a run that was killed has left.
    fn remove_leftovers(&self) -> io::Result<()> {
        ["link", "original"].iter().try_for_each(|what| self.remove(&self.stage(what)))
    }

    fn remove(&self, name: &OsString) -> io::Result<()> {
        match unlinkat(self.lock.file(), name.as_os_str(), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn rename(&self, from: &OsString, to: &OsString) -> io::Result<()> {
        Ok(renameat(self.lock.file(), from.as_os_str(), self.lock.file(), to.as_os_str())?)
    }
}

#[cfg(test)]
mod tests;
