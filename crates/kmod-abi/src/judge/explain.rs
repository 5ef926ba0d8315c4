// SPDX-License-Identifier: LGPL-2.1-or-later
//! What becomes of each symbol that a module uses.

use super::world::Provider;
use super::{Reason, World};
use crate::{Licensing, Module, Need};

/// One line of an explanation: a symbol that a module uses, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymbolLine {
    /// The symbol.
    pub symbol: Box<str>,
    /// It may be missing.
    pub weak: bool,
    /// The version that the module was built with.
    pub wanted: Option<u32>,
    /// The version that there is.
    pub offered: Option<u32>,
    /// Who exports it; `None`: nobody.
    pub exporter: Option<Box<str>>,
    /// Its namespace.
    pub namespace: Option<Box<str>>,
    /// GPL-only?
    pub gpl_only: bool,
    /// What is wrong with it.
    pub reason: Option<Reason>,
}

impl World<'_> {
    /// Symbol by symbol, what module `index` of the set uses and gets. `module_layout` comes first.
    pub fn explain(&self, index: usize) -> Vec<SymbolLine> {
        let module = self.set[index].module;
        let layout = Need { symbol: "module_layout".into(), weak: false, crcs: module.layout };
        let checks_layout = self.kernel.has_modversions() && has_any_versions(module);
        let needs = checks_layout.then_some(&layout).into_iter().chain(&module.needs);
        needs
            .map(|need| {
                let provider = self.provider(&need.symbol);
                let reason = if std::ptr::eq(need, &raw const layout) {
                    self.layout(module)
                } else {
                    self.symbol(index, need, &provider)
                };
                let (offered, exporter, namespace, gpl_only) = match provider {
                    Provider::Kernel(e) => (
                        e.crc,
                        Some(e.exporter.into()),
                        (!e.namespace.is_empty()).then(|| e.namespace.into()),
                        e.licensing == Licensing::GplOnly,
                    ),
                    Provider::Candidate(p, o) => {
                        (o.crc, Some(self.set[p].name.into()), o.namespace.clone(), o.gpl)
                    }
                    Provider::Gone(..) | Provider::Nobody => (None, None, None, false),
                };
                SymbolLine {
                    symbol: need.symbol.clone(),
                    weak: need.weak,
                    wanted: self.wanted(module, need.crcs),
                    offered,
                    exporter,
                    namespace,
                    gpl_only,
                    reason,
                }
            })
            .collect()
    }
}

fn has_any_versions(module: &Module) -> bool {
    module.has_versions || module.has_extended_versions
}
