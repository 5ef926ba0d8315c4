// SPDX-License-Identifier: LGPL-2.1-or-later
//! Symbol by symbol: what a module imports, and what it gets.

use super::symbol::Licence;
use super::world::Provider;
use super::{Reason, World};
use crate::{Licensing, Module, Need};

/// A symbol that a module imports, and who exports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymbolLine {
    /// The symbol.
    pub symbol: Box<str>,
    /// A weak symbol, which may be missing.
    pub weak: bool,
    /// The version that the module was built with.
    pub wanted: Option<u32>,
    /// The version that is exported.
    pub offered: Option<u32>,
    /// Who exports it, if anything does.
    pub exporter: Option<Box<str>>,
    /// Its namespace.
    pub namespace: Option<Box<str>>,
    /// Whether it is for GPL-compatible modules only.
    pub gpl_only: bool,
    /// Why the module cannot use it, if it cannot.
    pub reason: Option<Reason>,
}

impl World<'_> {
    /// The symbols that module number `index` of the set imports, and what it gets. `module_layout` comes first.
    pub fn explain(&self, index: usize) -> Vec<SymbolLine> {
        let module = self.set[index].module;
        let layout = Need { symbol: "module_layout".into(), weak: false, crcs: module.layout };
        let checks_layout = self.has_modversions && has_any_versions(module);
        let needs = checks_layout.then_some(&layout).into_iter().chain(&module.needs);
        let mut licence = Licence::default();
        needs
            .map(|need| {
                let provider = self.provider(&need.symbol);
                let reason = if std::ptr::eq(need, &raw const layout) {
                    self.layout(module)
                } else {
                    self.symbol(index, need, &provider, &mut licence)
                };
                let (offered, exporter, namespace, gpl_only) = match provider {
                    Provider::Kernel(e) => (
                        e.crc,
                        Some(e.exporter.into()),
                        (!e.namespace.is_empty()).then(|| e.namespace.into()),
                        e.licensing == Licensing::GplOnly,
                    ),
                    Provider::Candidate(p, o) => {
                        let gpl = self.is_gpl_only(self.set[p].module, o);
                        (o.crc, Some(self.set[p].name.into()), o.namespace.clone(), gpl)
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
