// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whose a thing in `weak-updates/` is. Decided here alone, once, when stock is taken.

use std::io;

use super::{Inventory, Item, ItemKind};
use crate::ids::KmpId;
use crate::root::Root;

/// Whose a thing in `weak-updates/` is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ownership {
    /// kmp's: it leads to that KMP's module.
    Ours(KmpId),
    /// kmp's, and of no use: it leads nowhere, to a live patch, or to a module of another kernel's own.
    Dangling,
    /// Somebody else's, not to be touched; also as long as it has not been looked at.
    #[default]
    Foreign,
}

impl Inventory {
    /// Decides whose all the things in `weak-updates/` are, now that it is known who owns which module.
    pub(super) fn set_ownership(&mut self, root: &Root) {
        let mut releases = std::mem::take(&mut self.releases);
        for item in releases.iter_mut().flat_map(|r| r.weak_updates.iter_mut().flatten()) {
            item.ownership = self.ownership(root, item);
        }
        self.releases = releases;
    }

    fn ownership(&self, root: &Root, item: &Item) -> Ownership {
        // kmp's links are named as modules are.
        let (ItemKind::Link(target), Some(_)) = (&item.kind, &item.name) else {
            return Ownership::Foreign;
        };
        let Some(target) = self.dirs.canonical(target) else { return Ownership::Foreign };
        if let Some(kmp) = self.owner(&target)
            && let Some((_, below)) = self.dirs.split(&target)
            && self.conventions.may_link(&target, &below)
        {
            return Ownership::Ours(kmp);
        }
        // A link to a live patch, or to another kernel's own module, does nobody any good.
        if self.apart.iter().any(|apart| apart.module.path == target) {
            return Ownership::Dangling;
        }
        // A link to something that exists and that is not kmp's to link is somebody else's.
        match root.metadata(&target) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ownership::Dangling,
            _ => Ownership::Foreign,
        }
    }
}
