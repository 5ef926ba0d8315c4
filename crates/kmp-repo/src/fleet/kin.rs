// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which drivers in repositories can matter to each other. Pure.
//!
//! What becomes of a driver in a kernel depends on the drivers beside it only where one is a version of the other, has its
//! modules, obsoletes it, or exports what the other needs. So the drivers of a machine are judged kin by kin, and a kin that
//! many machines have is judged once. It goes by what packages say of themselves: where nobody says that he exports a symbol, nobody
//! does.

use std::collections::HashMap;

use kmod_abi::name::of_exporter;
use kmp_core::dialect::Dialect;
use kmp_core::union_find::Groups;

use super::scene::parts;
use crate::offer;
use crate::rpmmd::Role;
use crate::update::{Kernels, Offer, modules};

/// What ties drivers together.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Tie<'o> {
    /// The name of a package.
    Package(&'o str),
    /// The name of a module.
    Module(String),
    /// A symbol that a driver exports.
    Export(&'o str),
}

/// The drivers that can matter to each other.
#[derive(Debug, Default)]
pub(super) struct Kin<'o> {
    /// By the names of packages.
    of: HashMap<&'o str, usize>,
    /// All that repositories have of each, in their order.
    offers: HashMap<usize, Vec<&'o Offer>>,
}

impl<'o> Kin<'o> {
    pub(super) fn of(drivers: &'o [Offer], kernels: &Kernels) -> Self {
        let mut groups = Groups::default();
        let mut ties: HashMap<Tie<'o>, usize> = HashMap::new();
        let numbers: Vec<usize> = drivers.iter().map(|_| groups.add()).collect();
        for (offer, number) in drivers.iter().zip(&numbers) {
            let mut tie = |tie| groups.join(*number, *ties.entry(tie).or_insert(*number));
            let package = &offer.package;
            tie(Tie::Package(package.name()));
            package.capabilities(Role::Obsoletes).for_each(|old| tie(Tie::Package(old.name)));
            let mut is_named = false;
            for module in modules(package) {
                tie(Tie::Module(module));
                is_named = true;
            }
            if !is_named {
                for dialect in [Dialect::Suse, Dialect::RedHat] {
                    tie(Tie::Module(parts(package.name(), dialect).0));
                }
            }
            offer::symbols(package).for_each(|export| tie(Tie::Export(export.symbol)));
        }
        for (offer, number) in drivers.iter().zip(&numbers) {
            for need in offer::needs(&offer.package) {
                let by = ties.get(&Tie::Export(need.symbol)).copied();
                // A module that takes the place of one of the kernel's own, whose exports another needs.
                let replaced = kernels.given().filter_map(|kernel| kernel.kernel.symbols.get(need.symbol));
                let replaced = replaced.filter(|export| !export.is_builtin());
                let names = replaced.map(|export| Tie::Module(of_exporter(export.exporter)));
                let by = by.into_iter().chain(names.filter_map(|name| ties.get(&name).copied()));
                by.for_each(|by| groups.join(*number, by));
            }
        }
        let mut kin = Self::default();
        for (offer, number) in drivers.iter().zip(numbers) {
            let group = groups.group_of(number);
            kin.of.insert(offer.package.name(), group);
            kin.offers.entry(group).or_default().push(offer);
        }
        kin
    }

    /// As if all drivers could matter to each other.
    #[cfg(test)]
    pub(super) fn all(drivers: &'o [Offer]) -> Self {
        let of = drivers.iter().map(|offer| (offer.package.name(), 0)).collect();
        Self { of, offers: HashMap::from([(0, drivers.iter().collect())]) }
    }

    /// The kin of a driver; `None`: it is in no repository.
    pub(super) fn of_package(&self, name: &str) -> Option<usize> {
        self.of.get(name).copied()
    }

    /// What repositories have of it.
    pub(super) fn offers(&self, kin: usize) -> &[&'o Offer] {
        self.offers.get(&kin).map_or(&[], Vec::as_slice)
    }
}
