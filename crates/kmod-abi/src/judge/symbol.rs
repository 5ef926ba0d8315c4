// SPDX-License-Identifier: LGPL-2.1-or-later
//! Rules about each symbol that a module uses: existence, version, licence, namespace.

use super::world::Provider;
use super::{Reason, Rule, World};
use crate::{Feature, Licensing, Module, Need, name};

/// What the loader has found out of a module's licence when it comes to a symbol: symbols are looked up in the order of the
/// symbol table, and each may change what the next ones find.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Licence {
    /// Another module's symbol has made it proprietary (`inherit_taint`).
    has_inherited: bool,
    /// It has got a GPL-only symbol (`using_gplonly_symbols`).
    uses_gpl_only: bool,
}

impl World<'_> {
    /// `resolve_symbol`, for symbol `need` of module `user` of the set.
    pub(super) fn symbol(
        &self,
        user: usize,
        need: &Need,
        provider: &Provider<'_>,
        licence: &mut Licence,
    ) -> Option<Reason> {
        let module = self.set[user].module;
        let symbol = &*need.symbol;
        let wanted = self.wanted(module, need.crcs);
        let missing = |rule, detail| {
            // Not found is fine for a weak symbol.
            (!need.weak).then(|| Reason { wanted, ..Reason::on(rule, symbol, detail) })
        };
        let (crc, crc_known, gpl, namespace, exporter) = match *provider {
            Provider::Nobody | Provider::Gone(..) if self.has_unread => {
                return missing(
                    Rule::Unread,
                    format!("whether anything exports {symbol} is not known: a module could not be read"),
                );
            }
            // A module of which only its package's dependencies are known may export it.
            Provider::Nobody | Provider::Gone(..) if self.others_may_offer(user) => {
                return missing(
                    Rule::UnknownCrc,
                    format!("it is not known whether anything exports {symbol}"),
                );
            }
            Provider::Nobody if self.kernel.symbols.is_complete() => {
                return missing(Rule::UnknownSymbol, format!("nothing exports {symbol}"));
            }
            Provider::Nobody => {
                return missing(
                    Rule::UnknownCrc,
                    format!("it is not known whether the kernel exports {symbol}"),
                );
            }
            Provider::Gone(e, by) => {
                let why = match by {
                    Some(_) => "is replaced by one that does not export it",
                    None => "is not installed",
                };
                let detail = format!("nothing exports {symbol}: {} {why}", e.exporter);
                return missing(Rule::UnknownSymbol, detail).map(|r| r.by(e.exporter));
            }
            Provider::Kernel(e) => {
                (e.crc, e.crc_known, e.licensing == Licensing::GplOnly, e.namespace, e.exporter)
            }
            Provider::Candidate(p, o) => {
                let namespace = o.namespace.as_deref().unwrap_or("");
                (o.crc, true, self.is_gpl_only(self.set[p].module, o), namespace, self.set[p].name)
            }
        };
        // find_symbol does not show GPL-only symbols to a proprietary module; a weak one is then missing.
        if gpl && !module.is_gpl() {
            let license = module.license.as_deref().unwrap_or("unspecified");
            let detail = format!("{symbol} is for GPL modules only, the licence is '{license}'");
            return missing(Rule::License, detail).map(|r| r.by(exporter));
        }
        if gpl && licence.has_inherited {
            let detail =
                format!("{symbol} is for GPL modules only, and it uses a proprietary module's symbols");
            return missing(Rule::License, detail).map(|r| r.by(exporter));
        }
        licence.uses_gpl_only |= gpl;
        if matches!(*provider, Provider::Candidate(owner, _) if self.tainted[owner]) {
            if licence.uses_gpl_only {
                let detail = format!(
                    "it uses symbols that are for GPL modules only, and {symbol} of {exporter}, which is proprietary"
                );
                return missing(Rule::License, detail).map(|r| r.by(exporter));
            }
            licence.has_inherited = true;
        }
        if self.has_modversions && self.versions_count(module) {
            if !crc_known && wanted.is_some() {
                let detail = format!("the version with which the kernel exports {symbol} is not known");
                return Some(Reason { wanted, ..Reason::on(Rule::UnknownCrc, symbol, detail).by(exporter) });
            }
            if let (Some(w), Some(o)) = (wanted, crc)
                && (w != o || self.is_overlong(module, need.crcs))
            {
                let detail = match w == o {
                    true => format!("{symbol} has more than 32 bits of version in its __versions"),
                    false => format!("{symbol} was {w:#010x} when it was built, {exporter} has {o:#010x}"),
                };
                let reason = Reason::on(Rule::Crc, symbol, detail).by(exporter);
                return Some(Reason { wanted, offered: crc, ..reason });
            }
        }
        if !self.may_use(module, namespace) {
            let detail = format!("{symbol} is in the namespace {namespace}, which it does not import");
            return Some(Reason::on(Rule::Namespace, symbol, detail).by(exporter));
        }
        None
    }

    fn others_may_offer(&self, user: usize) -> bool {
        self.declared > usize::from(self.set[user].module.is_declared)
    }

    /// `verify_namespace_is_imported`.
    fn may_use(&self, module: &Module, namespace: &str) -> bool {
        if module.is_declared || namespace.is_empty() || self.kernel.config.missing_namespaces_allowed {
            return true;
        }
        let is_imported = || module.import_ns.binary_search_by(|n| (**n).cmp(namespace)).is_ok();
        let Some(names) = namespace.strip_prefix("module:") else { return is_imported() };
        let own = name::normalized(module.own_name());
        let is_named = names.split(',').any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => own.starts_with(&name::normalized(start)),
            None => own == name::normalized(pattern),
        });
        match self.kernel.has(Feature::ModuleNamespaces) {
            true => is_named,
            // Where an older kernel exports something so, its loader may go by names.
            false => is_imported() || is_named && self.kernel.symbols.has_module_namespaces(),
        }
    }
}

impl World<'_> {
    /// Which modules of the set are proprietary to the kernel once they are loaded: by their licence, or because they use
    /// symbols of one that is.
    pub(super) fn taints(&self) -> Vec<bool> {
        let mut tainted: Vec<bool> = self.set.iter().map(|c| !c.module.is_gpl()).collect();
        if !self.kernel.has(Feature::InheritsTaint) || !tainted.contains(&true) {
            return vec![false; tainted.len()];
        }
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); tainted.len()];
        for (i, candidate) in self.set.iter().enumerate() {
            for need in &candidate.module.needs {
                if let Provider::Candidate(p, _) = self.provider(&need.symbol) {
                    users[p].push(i);
                }
            }
        }
        let mut pending: Vec<usize> = (0..tainted.len()).filter(|i| tainted[*i]).collect();
        while let Some(p) = pending.pop() {
            for &user in &users[p] {
                if !std::mem::replace(&mut tainted[user], true) {
                    pending.push(user);
                }
            }
        }
        tainted
    }
}
