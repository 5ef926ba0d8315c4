// SPDX-License-Identifier: LGPL-2.1-or-later
//! Release directories, and the modules in them.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::weak_updates::{self, Item};
use super::{ModulesDirs, module_name};
use crate::dialect::search_rank;
use crate::problem::Problem;
use crate::root::{FileType, Root};
use crate::suggest::did_you_mean;
use crate::tree::{self, IN_TREE, NOT_THIRD_PARTY, SYSTEM_MAP, WEAK_UPDATES};
use crate::workers::{self, Workers};

/// A module file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundModule {
    /// Its path inside the root.
    pub path: PathBuf,
    /// Its path below the release directory.
    pub below: PathBuf,
    /// Its name, `_` for `-`.
    pub name: Box<str>,
}

/// A directory below `/usr/lib/modules`, named for a kernel release.
#[derive(Clone, Debug)]
pub struct Release {
    /// The release.
    pub release: String,
    /// Its directory inside the root.
    pub dir: PathBuf,
    /// Is a kernel of that release installed? Only then are there in-tree modules, or symvers or
    /// System.map here or in `/boot`. A directory that a KMP alone has made is no kernel.
    pub is_kernel: bool,
    /// In-tree modules; those outside `kernel/`, too, once the inventory knows them.
    pub in_tree: Vec<FoundModule>,
    /// When one of the directories of in-tree modules was changed last, in nanoseconds; 0 where there are none.
    pub in_tree_changed_ns: i128,
    /// Names of the in-tree modules, `_` for `-`.
    pub in_tree_names: HashSet<Box<str>>,
    /// Other modules outside `weak-updates/`, in depmod's order: all, until the inventory sets apart what is no driver.
    pub third_party: Vec<FoundModule>,
    /// Live patches, once the inventory knows them.
    pub live_patches: Vec<FoundModule>,
    /// What is in `weak-updates/`; `None` where that is not there.
    pub weak_updates: Option<Vec<Item>>,
    /// What of it could not be read, if something: then the rest is not all there is, and whether it is a kernel's is not
    /// known, either.
    pub unread: Option<Problem>,
}

impl Release {
    /// One of which nothing is there, or known, but its name and the directory `dir`.
    pub fn empty(release: &str, dir: &Path) -> Self {
        Self {
            release: release.into(),
            dir: dir.into(),
            is_kernel: false,
            in_tree: Vec::new(),
            in_tree_changed_ns: 0,
            in_tree_names: HashSet::new(),
            third_party: Vec::new(),
            live_patches: Vec::new(),
            weak_updates: None,
            unread: None,
        }
    }

    /// Reads the directory `dir` of a release, and what was left out of it.
    pub fn scan(root: &Root, release: &str, dir: &Path) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut in_tree = Vec::new();
        let in_tree_changed_ns = walk(root, dir, &dir.join(IN_TREE), &mut in_tree, &mut problems);
        let mut third_party = Vec::new();
        match root.read_dir(dir) {
            Ok(entries) => {
                for entry in entries {
                    // Hidden: what kmp has in the making.
                    let hidden = entry.name.as_encoded_bytes().starts_with(b".");
                    if hidden || NOT_THIRD_PARTY.iter().any(|d| entry.name == *d) {
                        continue;
                    }
                    match entry.kind {
                        FileType::Dir => {
                            walk(root, dir, &dir.join(&entry.name), &mut third_party, &mut problems);
                        }
                        _ => third_party.extend(found(dir, Path::new(""), &entry.name)),
                    }
                }
            }
            Err(e) => {
                problems.push(Problem::unreadable(root.display(dir), &e));
            }
        }
        third_party.sort_by(|a, b| (search_rank(&a.below), &a.below).cmp(&(search_rank(&b.below), &b.below)));
        let mut there = |places: &[PathBuf]| {
            places.iter().any(|file| {
                root.try_exists(file).unwrap_or_else(|e| {
                    problems.push(Problem::unreadable(root.display(file), &e));
                    false
                })
            })
        };
        let is_kernel = is_release(release)
            && (!in_tree.is_empty()
                || there(&tree::symvers_places(dir, release))
                || there(&tree::places(dir, release, SYSTEM_MAP)));
        let weak_updates = weak_updates::scan(root, &dir.join(WEAK_UPDATES), &mut problems);
        let in_tree_names = in_tree.iter().map(|m| m.name.clone()).collect();
        let release = Self {
            release: release.into(),
            dir: dir.into(),
            is_kernel,
            in_tree,
            in_tree_changed_ns,
            in_tree_names,
            third_party,
            live_patches: Vec::new(),
            weak_updates,
            unread: problems.iter().find(|p| p.is_unread).cloned(),
        };
        (release, problems)
    }
}

/// All modules below a directory outside of those of releases.
pub(super) fn modules_below(root: &Root, dir: &Path, problems: &mut Vec<Problem>) -> Vec<FoundModule> {
    let mut modules = Vec::new();
    walk(root, dir, dir, &mut modules, problems);
    modules
}

/// Can a kernel have this release? It begins with two numbers (`KERNELVERSION` of the kernel's Makefile), and depmod takes no
/// other. So `old`, a copy that somebody keeps beside the kernels, is none, whatever is in it.
fn is_release(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let Some((major, rest)) = name.split_once('.') else { return false };
    let minor = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    number(major) && number(minor)
}

/// A file of this name in `dir`, which is `below` the release directory, if it is a module.
fn found(dir: &Path, below: &Path, file: &OsStr) -> Option<FoundModule> {
    Some(FoundModule { name: module_name(file)?, path: dir.join(file), below: below.join(file) })
}

/// All modules below `dir`. Links to directories are not followed; links to files are modules like others. Returns the newest of the
/// directories' change times, 0 where there is none.
fn walk(
    root: &Root,
    top: &Path,
    dir: &Path,
    modules: &mut Vec<FoundModule>,
    problems: &mut Vec<Problem>,
) -> i128 {
    let mut changed_ns = 0;
    let below = dir.strip_prefix(top).unwrap_or(Path::new(""));
    let mut pending = vec![(dir.to_path_buf(), below.to_path_buf())];
    while let Some((dir, below)) = pending.pop() {
        let entries = match root.read_dir_stat(&dir) {
            Ok((entries, stat)) => {
                changed_ns = stat.ctime_ns.max(changed_ns);
                entries
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            Err(e) => {
                problems.push(Problem::unreadable(root.display(&dir), &e));
                continue;
            }
        };
        for entry in entries {
            match entry.kind {
                FileType::Dir => pending.push((dir.join(&entry.name), below.join(&entry.name))),
                FileType::File | FileType::Symlink => modules.extend(found(&dir, &below, &entry.name)),
                FileType::Other => {}
            }
        }
    }
    changed_ns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_kernels() {
        for name in
            ["6.4.0-150600.21-default", "5.14.0-427.el9.x86_64+debug", "6.12", "6.9.0-rc1", "4.12.14-95"]
        {
            assert!(is_release(name), "{name}");
        }
        for name in ["old", "backup-6.4.0", "6", "6.", ".4", "6.x", "v6.4.0", "", "6-4.0", "extra.1"] {
            assert!(!is_release(name), "{name}");
        }
    }
}

/// Reads all release directories, in the order of versions.
///
/// # Errors
/// It is not known which there are.
pub fn releases(
    root: &Root,
    dirs: &ModulesDirs,
    workers: &dyn Workers,
    problems: &mut Vec<Problem>,
) -> Result<Vec<Release>, Problem> {
    let found = dirs.releases(root, problems)?;
    let scanned = workers::map(workers, &found, |(release, path)| Release::scan(root, release, path));
    let mut releases = Vec::with_capacity(scanned.len());
    for (release, trouble) in scanned {
        problems.extend(trouble);
        releases.push(release);
    }
    Ok(releases)
}

/// A kernel that was named is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no kernel {release}{} in {}{}{}", if .there.is_empty() { ", and no other," } else { "" }, .dir.display(), listed(.there), did_you_mean(.release, .there.iter().map(String::as_str)))]
pub struct NoKernel {
    /// The release that was named.
    pub release: String,
    /// Where kernels are looked for, as seen from outside the root.
    pub dir: PathBuf,
    /// The releases of the kernels that there are.
    pub there: Vec<String>,
}

fn listed(there: &[String]) -> String {
    if there.is_empty() { String::new() } else { format!("; there are: {}", there.join(", ")) }
}

/// Is there a kernel of each of these releases among `all`, which are those of `dirs`?
///
/// # Errors
/// The first one that is missing.
pub fn has_kernels<'k>(
    dirs: &ModulesDirs,
    all: &[Release],
    releases: impl IntoIterator<Item = &'k String>,
) -> Result<(), NoKernel> {
    let is_there = |release: &str| all.iter().any(|r| r.is_kernel && r.release == release);
    let Some(missing) = releases.into_iter().find(|k| !is_there(k)) else { return Ok(()) };
    let there = all.iter().filter(|r| r.is_kernel).map(|r| r.release.clone()).collect();
    Err(NoKernel { release: missing.clone(), dir: dirs.shown().to_path_buf(), there })
}
