// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which initrd a kernel is booted with, by who knows it: the boot loader's entries.
//!
//! Asked in this order: sdbootutil, where it is in use and may be run (by who calls, see [`Told`]); the entries of the Boot
//! Loader Specification and unified kernel images, or GRUB's own configuration where GRUB is configured without these; and where
//! no entry knows the kernel, the names that initrds usually have. The date of a file says nothing: an older boot loader's may be
//! the newer one, and each snapshot has an initrd of its own.

mod entry;
mod grub_cfg;
mod next;
mod read;
#[cfg(test)]
mod tests;
pub mod uki;

use std::path::{Path, PathBuf};

pub use entry::{Entry, Source};
pub use grub_cfg::parse as menu_of_grub;
pub use next::boots_next;
pub(crate) use read::in_partitions;

use crate::problem::Problem;
use crate::root::Root;
use crate::tree;

/// What a kernel is booted with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Boots {
    /// Nothing: none is there.
    Missing,
    /// Nothing: the boot loader goes by entries, and has none for the kernel. Whoever makes that makes the initrd.
    NoEntry,
    /// These files, which the kernel unpacks one after the other.
    Initrds(Vec<PathBuf>),
    /// A unified kernel image, which has it in it.
    Unified(PathBuf),
    /// One of several files, and nothing says which.
    Unclear(Vec<PathBuf>),
}

impl Boots {
    /// The one file that a new initrd can take the place of.
    pub fn replaceable(&self) -> Option<&Path> {
        match self {
            Self::Initrds(files) => {
                <&[PathBuf; 1]>::try_from(files.as_slice()).ok().map(|[file]| file.as_path())
            }
            Self::Missing | Self::NoEntry | Self::Unified(_) | Self::Unclear(_) => None,
        }
    }

    /// All files that it may be.
    pub fn files(&self) -> &[PathBuf] {
        match self {
            Self::Missing | Self::NoEntry => &[],
            Self::Initrds(files) | Self::Unclear(files) => files,
            Self::Unified(file) => std::slice::from_ref(file),
        }
    }
}

/// What the boot loader's own program says about a kernel: the initrds of its entry, with the directories in which they may
/// be. No initrd: it has no entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Absolute paths; of each, the first that is there counts.
    pub initrds: Vec<Vec<PathBuf>>,
}

/// What is known of a root's boot entries.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    all: Vec<Entry>,
    /// The subvolume that is the root, where it is one.
    subvolume: Option<String>,
    loader: Loader,
}

/// Which boot loader is configured, if that is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Loader {
    #[default]
    Unknown,
    /// GRUB, with a configuration of its own.
    Grub,
    /// One that reads entries of the Boot Loader Specification.
    Specification,
}

impl Entries {
    /// Reads the entries of a root.
    ///
    /// # Errors
    /// They could not be read.
    pub fn read(root: &Root) -> Result<Self, Problem> {
        read::entries(root)
    }

    /// The entry that boots this kernel. Pure.
    pub fn of(&self, release: &str) -> Option<&Entry> {
        let candidates: Vec<&Entry> = self.all.iter().filter(|entry| entry.boots(release)).collect();
        // Another snapshot has its own initrd. Where none is of this one, the entries are of no snapshot, or all that is known.
        let is_ours = |entry: &&&Entry| entry.subvolume() == self.subvolume.as_deref();
        let has_ours = self.subvolume.is_some() && candidates.iter().any(|entry| is_ours(&entry));
        let is_second = |entry: &Entry| (entry.source == Source::Grub) != (self.loader == Loader::Grub);
        candidates
            .iter()
            .filter(|entry| !has_ours || is_ours(entry))
            .min_by(|a, b| is_second(a).cmp(&is_second(b)).then_with(|| a.order(b)))
            .copied()
    }

    /// What the kernel `release` with the directory `dir` is booted with.
    ///
    /// # Errors
    /// The system could not look.
    pub fn find(&self, root: &Root, release: &str, dir: &Path) -> Result<Boots, Problem> {
        match self.of(release) {
            Some(entry) if entry.source == Source::Unified => {
                Ok(Boots::Unified(entry.boot.join(&entry.linux)))
            }
            Some(entry) if !entry.initrds.is_empty() => {
                let initrds = entry.initrds.iter().map(|initrd| read::candidates(&entry.boot, initrd));
                there(root, initrds)
            }
            Some(entry) => {
                let image = read::first_there(root, read::candidates(&entry.boot, &entry.linux))?;
                match image {
                    Some(image) if read::is_unified(root, &image)? => Ok(Boots::Unified(image)),
                    _ => self.by_name(root, release, dir),
                }
            }
            None => self.by_name(root, release, dir),
        }
    }

    /// By the names that generators give initrds, and in the directory of this system's entries.
    fn by_name(&self, root: &Root, release: &str, dir: &Path) -> Result<Boots, Problem> {
        // What an earlier boot loader has left there is not booted.
        let is_plain = self.loader != Loader::Specification;
        if let Some(path) =
            read::first_there(root, tree::initrd_places(dir, release).into_iter().filter(|_| is_plain))?
        {
            return Ok(Boots::Initrds(vec![path]));
        }
        let mut files = read::of_token(root, release)?;
        files.sort();
        Ok(match files.len() {
            0 if is_plain => Boots::Missing,
            0 => Boots::NoEntry,
            1 => Boots::Initrds(files),
            _ => Boots::Unclear(files),
        })
    }
}

impl Told {
    /// The files of them that are there.
    ///
    /// # Errors
    /// The system could not look.
    pub fn find(&self, root: &Root) -> Result<Boots, Problem> {
        match self.initrds.is_empty() {
            true => Ok(Boots::NoEntry),
            false => there(root, self.initrds.iter().cloned()),
        }
    }
}

/// Where generators put a kernel's initrd, whatever the boot loader's entries say.
pub(crate) fn usual_places(root: &Root, release: &str, dir: &Path) -> Result<Vec<PathBuf>, Problem> {
    let by_name = tree::initrd_places(dir, release).into_iter();
    Ok(by_name.chain(read::of_token(root, release)?).collect())
}

/// All of these have to be there.
fn there(root: &Root, files: impl Iterator<Item = Vec<PathBuf>>) -> Result<Boots, Problem> {
    let mut found = Vec::new();
    for places in files {
        match read::first_there(root, places)? {
            Some(path) => found.push(path),
            None => return Ok(Boots::Missing),
        }
    }
    Ok(Boots::Initrds(found))
}
