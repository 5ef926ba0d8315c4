// SPDX-License-Identifier: LGPL-2.1-or-later
//! Rules about what a module exports.

use std::collections::HashSet;

use super::world::{Provider, Role};
use super::{Reason, Rule, Warning, World};
use crate::{Feature, Kernel, Module, Offer, name};

/// Does the kernel's loader look at this export of `module`? Since 7.1 not at those of `__ksymtab_gpl`.
pub(super) fn sees(kernel: &Kernel, module: &Module, offer: &Offer) -> bool {
    !offer.gpl || module.has_export_flags || !kernel.has(Feature::ExportFlags)
}

impl World<'_> {
    pub(super) fn sees(&self, module: &Module, offer: &Offer) -> bool {
        sees(self.kernel, module, offer)
    }

    /// Is this export of `module` GPL-only to the kernel? Before 7.1 it does not know flags.
    pub(super) fn is_gpl_only(&self, module: &Module, offer: &Offer) -> bool {
        offer.gpl && module.has_export_flags == self.kernel.has(Feature::ExportFlags)
    }

    /// `verify_exported_symbols`: the kernel looks at what is loaded. The kernel image always is; of modules those are that
    /// modprobe loads before it: those that it needs, directly or by way of others, and its soft dependencies. Whether any
    /// other is loaded is not known here.
    pub(super) fn exports(&self, index: usize, reasons: &mut Vec<Reason>, warnings: &mut Vec<Warning>) {
        if self.by_name.get(self.set[index].name) != Some(&index) {
            return;
        }
        let module = self.set[index].module;
        for offer in module.offers.iter().filter(|offer| self.sees(module, offer)) {
            let symbol = &*offer.symbol;
            let in_kernel = self.kernel.symbols.get(symbol).filter(|e| {
                e.is_builtin()
                    || match self.in_tree_exporter(e) {
                        None => true,
                        // An in-tree user of what is replaced is there itself.
                        Some(Some(by)) => by != index && self.set[by].role == Role::InTreeUser,
                        Some(None) => false,
                    }
            });
            let other = || {
                let (first, _) = self.offers.get(symbol)?;
                let is_third_party = self.set[*first].role != Role::InTreeUser;
                (*first < index && is_third_party).then(|| self.set[*first].name)
            };
            let owner = match in_kernel {
                Some(e) if e.is_builtin() => e.exporter,
                module => {
                    let Some(owner) = module.map(|e| e.exporter).or_else(other) else { continue };
                    let with = name::of_exporter(owner).into_boxed_str();
                    if !self.is_loaded_with(index, &with) {
                        if !warnings.iter().any(|w| w.module() == Some(&*with)) {
                            warnings.push(Warning::MayClash { with, symbol: symbol.into() });
                        }
                        continue;
                    }
                    owner
                }
            };
            let detail = format!("exports {symbol}, which {owner} exports already");
            reasons.push(Reason::on(Rule::DuplicateExport, symbol, detail).by(owner));
        }
    }

    /// Is the module `name` there whenever module `index` of the set is: does this one need it, or a module that
    /// needs it?
    fn is_loaded_with(&self, index: usize, name: &str) -> bool {
        let mut pending = vec![index];
        let mut seen = HashSet::from([index]);
        while let Some(at) = pending.pop() {
            let module = self.set[at].module;
            if module.depends.iter().chain(&module.softdeps).any(|d| **d == *name) {
                return true;
            }
            for need in module.needs.iter().filter(|need| !need.weak) {
                match self.provider(&need.symbol) {
                    Provider::Candidate(p, _) if self.set[p].name == name => return true,
                    Provider::Candidate(p, _) if seen.insert(p) => pending.push(p),
                    Provider::Kernel(e) if !e.is_builtin() && name::of_exporter(e.exporter) == name => {
                        return true;
                    }
                    _ => {}
                }
            }
        }
        false
    }
}
