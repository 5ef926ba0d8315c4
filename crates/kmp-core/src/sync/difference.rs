// SPDX-License-Identifier: LGPL-2.1-or-later
//! The difference between what releases have and what they should have. Reads, and changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Options, PackageChange, Unknown};
use crate::apply::{Wanted, is_index_only};
use crate::ids::{KmpId, ReleaseId};
use crate::inventory::{self, Item, ItemKind, Ownership, Release};
use crate::problem::Problem;
use crate::root::Root;
use crate::survey::Survey;

/// The difference between what a release has and what it should have.
pub(super) struct Difference<'s> {
    pub release: &'s Release,
    pub wanted: Wanted<'s>,
    pub changes: Vec<PackageChange>,
    pub links_change: bool,
    pub index_due: bool,
    /// The links stay as they are, whatever is not known of them.
    pub index_alone: bool,
}

/// Every link stays as it is. The named kernel gets its index; so does each that is due for one, where it is only the
/// distribution that is not known: what depmod has to do does not depend on it.
pub(super) fn index_alone<'s>(
    root: &Root,
    survey: &'s Survey,
    options: &Options,
    unknown: &Unknown,
) -> Vec<Difference<'s>> {
    let chosen = &options.selection.kernels;
    let kernels = survey.inventory.kernels().filter_map(|release| {
        let is_named = Some(&release.release) == options.named.as_ref();
        let is_candidate = match unknown {
            Unknown::Packages(_) => is_named,
            Unknown::Distribution(_) => is_named || chosen.is_empty() || chosen.contains(&release.release),
        };
        let index_due = is_candidate && inventory::stale(root, release).is_some();
        let wanted = Wanted {
            links: BTreeMap::new(),
            foreign: Vec::new(),
            unwanted: Vec::new(),
            kernel_is_gone: false,
        };
        (is_named || index_due).then_some(Difference {
            release,
            wanted,
            changes: Vec::new(),
            links_change: false,
            index_due,
            index_alone: true,
        })
    });
    kernels.collect()
}

pub(super) fn differences<'s>(
    root: &Root,
    survey: &'s Survey,
    options: &Options,
    unseen: &mut Vec<Problem>,
) -> Vec<Difference<'s>> {
    let inventory = &survey.inventory;
    let planned: BTreeMap<ReleaseId, _> = survey.kernels.iter().map(|k| (k.release, &k.plan.links)).collect();
    let chosen = &options.selection.kernels;
    let mut result = Vec::new();
    for (index, release) in inventory.releases.each() {
        let links = planned.get(&index);
        let items = release.weak_updates.as_deref().unwrap_or_default();
        // A kernel that is not selected stays as it is; a release without a kernel should have no link.
        if links.is_none() && (release.is_kernel || !(chosen.is_empty() || chosen.contains(&release.release)))
        {
            continue;
        }
        let links_of_plan = || links.into_iter().flat_map(|l| l.iter());
        let mut wanted = Wanted {
            links: links_of_plan().map(|(link, (target, _))| (link.as_path(), target.as_path())).collect(),
            foreign: Vec::new(),
            unwanted: Vec::new(),
            kernel_is_gone: !release.is_kernel,
        };
        // By driver: the version that has links, and the one that should.
        let mut by_package: BTreeMap<&str, (Option<KmpId>, Option<KmpId>, bool)> = BTreeMap::new();
        let mut dangling = Vec::new();
        let mut present: BTreeMap<&Path, &Path> = BTreeMap::new();
        for item in items {
            if item.ownership == Ownership::Foreign {
                wanted.foreign.push(item);
                continue;
            }
            let right = is_right(item, &wanted.links);
            if let ItemKind::Link(target) = &item.kind
                && right
            {
                present.insert(&item.below, target);
            } else {
                wanted.unwanted.push(item);
            }
            if let Ownership::Ours(kmp) = item.ownership {
                let entry = by_package.entry(&inventory.kmps[kmp].driver.name).or_default();
                entry.0.get_or_insert(kmp);
                entry.2 |= !right;
            } else {
                dangling.push(PackageChange::Dangling(item.below.clone()));
            }
        }
        for (link, (_, kmp)) in links_of_plan() {
            let entry = by_package.entry(&inventory.kmps[*kmp].driver.name).or_default();
            entry.1 = Some(*kmp);
            entry.2 |= !present.contains_key(link.as_path());
        }
        let nvr = |kmp: KmpId| inventory.kmps[kmp].package.nvr();
        let mut changes: Vec<PackageChange> = by_package
            .into_values()
            .filter_map(|(old, new, differs)| match (old, new) {
                (None, Some(new)) => Some(PackageChange::Added(nvr(new))),
                (Some(old), None) => Some(PackageChange::Removed(nvr(old))),
                (Some(old), Some(new)) if old != new => {
                    Some(PackageChange::Replaced { old: nvr(old), new: nvr(new) })
                }
                (Some(_), Some(new)) if differs => Some(PackageChange::Repaired(nvr(new))),
                _ => None,
            })
            .collect();
        changes.append(&mut dangling);
        // A kernel that is gone keeps no empty directory; a run that was killed may have left one, and a KMP that went
        // after its kernel leaves what depmod has written and no package owns.
        let emptied = !release.is_kernel && release.weak_updates.as_ref().is_some_and(Vec::is_empty)
            || is_index_only(root, release).unwrap_or_else(|e| {
                unseen.push(Problem::unreadable(root.display(&release.dir), &e));
                false
            });
        let links_change = emptied || !wanted.unwanted.is_empty() || present.len() != wanted.links.len();
        let stale = release.is_kernel.then(|| inventory::stale(root, release)).flatten();
        if let Some(why) = &stale {
            log::debug!("depmod is due for kernel {}: {why}", release.release);
        }
        let index_due = release.is_kernel && (links_change || stale.is_some());
        if release.is_kernel || links_change {
            result.push(Difference { release, wanted, changes, links_change, index_due, index_alone: false });
        }
    }
    result
}

fn is_right(item: &Item, wanted: &BTreeMap<&Path, &Path>) -> bool {
    match &item.kind {
        // Byte for byte: `a//b` and `a/b` are the same path, but not the same link.
        ItemKind::Link(target) => {
            wanted.get(item.below.as_path()).is_some_and(|w| w.as_os_str() == target.as_os_str())
        }
        ItemKind::File => false,
    }
}
