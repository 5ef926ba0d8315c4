// SPDX-License-Identifier: LGPL-2.1-or-later
//! Modules that no package owns, as dkms and akmods leave them: what stands for a package, in Red Hat's dialect.
//!
//! `weak-modules` gets a list of them, keeps no record of it, and finds them again by their directory when a
//! kernel comes; then it judges those together that depend on each other. So here: modules of one release that
//! depend on each other are a group, and groups of several releases that share a module's name are versions of
//! one thing. Pure.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use rpm_meta::{Evr, Package};

use super::dkms::Dkms;
use super::driver::Driver;
use super::kind::{Kind, Maker};
use super::packages::{InstalledKmp, name_fault};
use super::{FoundModule, ModulesDirs};
use crate::abi::{Module, ModuleFault};
use crate::config::Wish;
use crate::printable;
use crate::union_find::Groups;

/// The groups of `modules`, which are in depmod's order: of two in one release with one name the first counts. `unread`: what
/// could not be read, if something, that may have been about any of them.
pub(super) fn groups<'m>(
    dirs: &ModulesDirs,
    modules: &[&FoundModule],
    dkms: &Dkms,
    unread: Option<String>,
    contents: &dyn Fn(&Path) -> Option<&'m Result<Module, ModuleFault>>,
) -> Vec<InstalledKmp> {
    // What cannot be read may join any two groups, or be a part of any.
    let fault = |found: &&&FoundModule| match contents(&found.path) {
        Some(Err(fault)) if fault.is_unread() => {
            Some(format!("{}: {fault}", printable(found.below.as_os_str())))
        }
        _ => None,
    };
    let unread = unread.or_else(|| modules.iter().find_map(|found| fault(&found)));
    let mut releases: BTreeMap<String, BTreeMap<&str, &FoundModule>> = BTreeMap::new();
    for found in modules {
        if let Some((release, _)) = dirs.split(&found.path) {
            releases.entry(release).or_default().entry(&*found.name).or_insert(*found);
        }
    }
    let mut families = Families::default();
    for there in releases.values() {
        let read = || there.iter().filter_map(|(name, f)| Some((*name, contents(&f.path)?.as_ref().ok()?)));
        let offers: HashMap<&str, &str> =
            read().flat_map(|(name, m)| m.offers.iter().map(move |o| (&*o.symbol, name))).collect();
        for (name, module) in read() {
            let depends = module.depends.iter().filter_map(|d| there.get_key_value(&**d)).map(|(d, _)| *d);
            let needs = module.needs.iter().filter_map(|n| offers.get(&*n.symbol).copied());
            depends.chain(needs).for_each(|other| families.join(name, other));
        }
    }
    let mut groups = Vec::new();
    for (release, there) in &releases {
        let mut of_release: BTreeMap<&str, Vec<FoundModule>> = BTreeMap::new();
        for (name, found) in there {
            of_release.entry(families.name_of(name)).or_default().push((*found).clone());
        }
        groups.extend(of_release.into_iter().map(|(family, mut modules)| {
            modules.sort_by(|a, b| a.below.cmp(&b.below));
            let built: Vec<bool> = modules.iter().filter_map(|m| dkms.has(release, &m.name)).collect();
            let maker = if built.is_empty() { Maker::Somebody } else { Maker::Dkms };
            let forbidden = built.contains(&true).then(|| "NO_WEAK_MODULES in its dkms.conf".to_string());
            let evr = Evr { epoch: None, version: release.clone(), release: String::new() };
            InstalledKmp {
                package: Package { name: format!("{family}.ko"), evr, ..Package::default() },
                origin: release.clone(),
                flavour: None,
                unread: unread.clone(),
                broken: modules.iter().find_map(|m| name_fault(&m.below)),
                modules,
                kind: Kind::MadeHere(maker),
                driver: Driver::default(),
                wish: Wish { never: forbidden, kernels: None },
            }
        }));
    }
    groups
}

/// Names that belong together, each family named after the first of them in the alphabet.
#[derive(Default)]
struct Families<'n> {
    places: HashMap<&'n str, usize>,
    groups: Groups,
    /// For the name that stands for a family: the first of its names.
    first: Vec<&'n str>,
}

impl<'n> Families<'n> {
    fn name_of(&mut self, name: &'n str) -> &'n str {
        match self.places.get(name).copied() {
            Some(place) => self.first[self.groups.group_of(place)],
            None => name,
        }
    }

    fn join(&mut self, one: &'n str, other: &'n str) {
        let (first, places) =
            (self.name_of(one).min(self.name_of(other)), [self.place(one), self.place(other)]);
        self.groups.join(places[0], places[1]);
        let group = self.groups.group_of(places[0]);
        self.first[group] = first;
    }

    fn place(&mut self, name: &'n str) -> usize {
        *self.places.entry(name).or_insert_with(|| {
            self.first.push(name);
            self.groups.add()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kmp_steps::grow_linearly;

    #[test]
    fn a_long_chain_of_names_is_one_family() {
        let names = |n: usize| (0..n).rev().map(|i| format!("m{i:06}")).collect::<Vec<_>>();
        grow_linearly(4, names, |names| {
            let mut families = Families::default();
            for pair in names.windows(2) {
                families.join(&pair[0], &pair[1]);
            }
            for name in &names {
                assert_eq!(families.name_of(name), "m000000");
            }
            assert_eq!(families.name_of("other"), "other");
        });
    }
}
