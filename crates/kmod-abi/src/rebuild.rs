// SPDX-License-Identifier: LGPL-2.1-or-later
//! A kernel without symvers: what its own modules say about its exports.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::symvers::{NO_CRC, UNKNOWN_CRC, UNKNOWN_KIND};
use super::{Module, SymbolTable};
use crate::budget::{Budget, Exceeded};

/// Puts a [`SymbolTable`] together from in-tree modules: each lists the CRC of every symbol that it uses,
/// and exports some of its own. What no module uses stays unknown, and so do the licensing and the
/// namespace of what the kernel image exports.
#[derive(Debug)]
pub struct Rebuild {
    budget: Budget,
    /// What would have been more than the budget has.
    over: Option<Exceeded>,
    /// Symbol to CRC, of what modules use.
    used: BTreeMap<Box<str>, u32>,
    /// Symbol to the rest of its line, of what modules export.
    exported: BTreeMap<Box<str>, String>,
    /// Symbols that the kernel image has, CRC unknown.
    seen: Vec<Box<str>>,
}

impl Default for Rebuild {
    fn default() -> Self {
        Self {
            budget: Budget::kernel(),
            over: None,
            used: BTreeMap::new(),
            exported: BTreeMap::new(),
            seen: Vec::new(),
        }
    }
}

impl Rebuild {
    /// Takes in an in-tree module. `path` is its path below `kernel/`, without `.ko`. A module that would be too much is left out.
    pub fn add(&mut self, path: &str, module: &Module) {
        // An export's line is kept beside its name.
        let lines = module.offers.iter().map(|o| (o.symbol.len() * 2 + path.len() + 64) as u64);
        if let Err(over) = self.budget.keep(module.memory() + lines.sum::<u64>()) {
            self.over = Some(over);
            return;
        }
        let crc = |c: super::Crcs| c.extended.or(c.basic);
        if let Some(crc) = crc(module.layout) {
            self.used.insert("module_layout".into(), crc);
        }
        for need in &module.needs {
            if let Some(crc) = crc(need.crcs) {
                self.used.insert(need.symbol.clone(), crc);
            }
        }
        for offer in &module.offers {
            let kind = if offer.gpl { "EXPORT_SYMBOL_GPL" } else { "EXPORT_SYMBOL" };
            let crc = offer.crc.map_or_else(|| NO_CRC.to_string(), |crc| format!("{crc:#010x}"));
            let namespace = offer.namespace.as_deref().unwrap_or("");
            self.exported.insert(
                offer.symbol.clone(),
                format!("{crc}\t{}\t{path}\t{kind}\t{namespace}", offer.symbol),
            );
        }
    }

    /// Why something was left out, if so.
    pub fn over(&self) -> Option<&Exceeded> {
        self.over.as_ref()
    }

    /// Takes in `System.map`: a line `ADDRESS r __ksymtab_NAME` tells that the kernel image exports NAME,
    /// though not with which CRC.
    pub fn add_system_map(&mut self, text: &[u8]) {
        for line in text.split(|b| *b == b'\n') {
            if let Some(name) = line.rsplit(|b| *b == b' ').next().and_then(|n| n.strip_prefix(b"__ksymtab_"))
            {
                if let Err(over) = self.budget.keep_with::<Box<str>>(name.len()) {
                    self.over = Some(over);
                    return;
                }
                self.seen.push(super::modinfo::text(name).into());
            }
        }
    }

    /// The table; it is never complete.
    pub fn finish(self) -> SymbolTable {
        let mut text = String::new();
        // Writing to a String cannot fail.
        for line in self.exported.values() {
            let _ = writeln!(text, "{line}");
        }
        for (symbol, crc) in &self.used {
            if !self.exported.contains_key(symbol) {
                let _ = writeln!(text, "{crc:#010x}\t{symbol}\tvmlinux\t{UNKNOWN_KIND}\t");
            }
        }
        for symbol in &self.seen {
            if !self.exported.contains_key(symbol) && !self.used.contains_key(symbol) {
                let _ = writeln!(text, "{UNKNOWN_CRC}\t{symbol}\tvmlinux\t{UNKNOWN_KIND}\t");
            }
        }
        SymbolTable::build(text.into_bytes(), false).unwrap_or_else(|_| SymbolTable::unknown())
    }
}
