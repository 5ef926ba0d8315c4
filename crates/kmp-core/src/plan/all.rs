// SPDX-License-Identifier: LGPL-2.1-or-later
//! What all packages have, chosen or not: whether a reason may be gone in another set. Pure.

use std::collections::{HashMap, HashSet};

use super::{Kmp, PlannedModule};
use crate::abi::rule::Settled;
use crate::abi::{Module, Reason, name};
use crate::ids::{KmpId, List};

/// What all packages have, chosen or not.
pub(super) struct All<'a> {
    /// Names of their modules.
    pub names: HashSet<&'a str>,
    /// For a symbol: the KMPs that export it.
    pub offered_by: HashMap<&'a str, Vec<KmpId>>,
}

impl<'a> All<'a> {
    pub(super) fn of(kmps: &'a List<KmpId, Kmp<'a>>) -> Self {
        let mut all = Self { names: HashSet::new(), offered_by: HashMap::new() };
        for (index, kmp) in kmps.each() {
            for module in &kmp.modules {
                all.names.insert(module.name);
                for offer in module.module.iter().flat_map(|m| &m.offers) {
                    all.offered_by.entry(&offer.symbol).or_default().push(index);
                }
            }
        }
        all
    }

    /// May a reason against `module` be gone in another set of packages?
    pub(super) fn may_settle(&self, module: &PlannedModule<'_>, reason: &Reason) -> bool {
        let exporter = reason.exporter.as_deref().unwrap_or("");
        let by_symbol = || {
            reason.symbol.as_deref().is_some_and(|s| self.offered_by.contains_key(s))
                || self.names.contains(name::of_exporter(exporter).as_str())
        };
        // What the kernel image exports is there in any set.
        let by_exporter = || exporter != "vmlinux" && by_symbol();
        match reason.rule.row().settled {
            Settled::Never => false,
            Settled::ByOthers => true,
            Settled::BySymbol => by_symbol(),
            Settled::ByExporter => by_exporter(),
            Settled::ByLicence => module.module.is_ok_and(Module::is_gpl) || by_exporter(),
        }
    }
}
