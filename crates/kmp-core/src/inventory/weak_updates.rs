// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a kernel's `weak-updates/` holds. Whose each link is, is decided in `ownership.rs`.

use std::io;
use std::path::{Path, PathBuf};

use super::{ModulesDirs, Ownership, module_name};
use crate::problem::Problem;
use crate::root::{DirEntry, FileType, Root, is_fault};
use crate::tree::{OWN_PREFIX, WEAK_UPDATES};

/// Something in `weak-updates/` that is not a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its path below `weak-updates/`.
    pub below: PathBuf,
    /// Its module name, where it is named like a module.
    pub name: Option<Box<str>>,
    /// What it is.
    pub kind: ItemKind,
    /// Whose it is.
    pub ownership: Ownership,
}

/// What an [`Item`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// A symbolic link, and where it points.
    Link(PathBuf),
    /// Anything else.
    File,
}

/// What all kernels' `weak-updates/` hold.
pub type AllItems = Vec<(PathBuf, Vec<Item>)>;

/// What they hold now, to be compared with what they hold later. `None`: that cannot be read.
pub fn all_items(root: &Root) -> Option<AllItems> {
    let mut problems = Vec::new();
    let releases = ModulesDirs::find(root).ok()?.releases(root, &mut problems).ok()?;
    let of = |(_, dir): (String, PathBuf)| {
        let items = scan(root, &dir.join(WEAK_UPDATES), &mut problems).unwrap_or_default();
        (dir, items)
    };
    let all = releases.into_iter().map(of).filter(|(_, items)| !items.is_empty()).collect();
    problems.is_empty().then_some(all)
}

pub(super) fn scan(root: &Root, dir: &Path, problems: &mut Vec<Problem>) -> Option<Vec<Item>> {
    match root.symlink_metadata(dir) {
        Ok(stat) if stat.kind() == FileType::Dir => {}
        Err(e) if is_fault(&e) => {
            problems.push(Problem::unreadable(root.display(dir), &e));
            return None;
        }
        // A link in its place is left alone, and so is what it leads to.
        _ => return None,
    }
    let mut items = Vec::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(below) = pending.pop() {
        let at = dir.join(&below);
        let entries = match root.read_dir(&at) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => {
                problems.push(Problem::unreadable(root.display(&at), &e));
                continue;
            }
        };
        // What a run that was killed has left there is no link of anybody's.
        let hidden = |e: &DirEntry| at == dir && e.name.as_encoded_bytes().starts_with(OWN_PREFIX.as_bytes());
        for entry in entries.into_iter().filter(|e| !hidden(e)) {
            let below = below.join(&entry.name);
            let kind = match entry.kind {
                FileType::Dir => {
                    pending.push(below);
                    continue;
                }
                FileType::Symlink => match root.read_link(&dir.join(&below)) {
                    Ok(target) => ItemKind::Link(target),
                    Err(e) => {
                        // That it is gone since, or is no link any more, is seen by whoever changes something here.
                        if is_fault(&e) {
                            problems.push(Problem::unreadable(root.display(&dir.join(&below)), &e));
                        }
                        continue;
                    }
                },
                FileType::File | FileType::Other => ItemKind::File,
            };
            let name = module_name(&entry.name);
            items.push(Item { name, below, kind, ownership: Ownership::default() });
        }
    }
    items.sort_by(|a, b| a.below.cmp(&b.below));
    Some(items)
}
