// SPDX-License-Identifier: LGPL-2.1-or-later
//! A kernel without symvers: what its own modules say about its exports.

use std::collections::BTreeMap;

use super::{Export, Licensing, Module, Offer, SymbolTable, SymbolTableBuilder};
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
    /// Paths of the modules that have been taken in.
    paths: Vec<Box<str>>,
    /// What modules export, by symbol.
    exported: BTreeMap<Box<str>, Exported>,
    /// Symbols that the kernel image has, CRC unknown.
    seen: Vec<Box<str>>,
}

#[derive(Debug)]
struct Exported {
    crc: Option<u32>,
    gpl: bool,
    namespace: Option<Box<str>>,
    /// The exporter's place among the paths.
    by: usize,
}

impl Default for Rebuild {
    fn default() -> Self {
        Self {
            budget: Budget::kernel(),
            over: None,
            used: BTreeMap::new(),
            paths: Vec::new(),
            exported: BTreeMap::new(),
            seen: Vec::new(),
        }
    }
}

impl Rebuild {
    /// Takes in an in-tree module. `path` is its path below `kernel/`, without `.ko`. A module that would be too much is left out.
    pub fn add(&mut self, path: &str, module: &Module) {
        let exports = module.offers.iter().map(|o| (size_of::<Exported>() + o.symbol.len() + 64) as u64);
        if let Err(over) = self.budget.keep(module.memory() + exports.sum::<u64>() + path.len() as u64) {
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
        let by = self.paths.len();
        self.paths.push(path.into());
        for Offer { symbol, crc, gpl, namespace, .. } in &module.offers {
            let exported = Exported { crc: *crc, gpl: *gpl, namespace: namespace.clone(), by };
            self.exported.insert(symbol.clone(), exported);
        }
    }

    /// Why something was left out, if so.
    pub fn over(&self) -> Option<&Exceeded> {
        self.over.as_ref()
    }

    /// Takes in `System.map`: a line `ADDRESS r __ksymtab_NAME` says that the kernel image exports NAME,
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
        let mut builder = SymbolTableBuilder::new();
        for (symbol, exported) in &self.exported {
            let export = Export {
                crc: exported.crc,
                crc_known: true,
                exporter: &self.paths[exported.by],
                licensing: if exported.gpl { Licensing::GplOnly } else { Licensing::Any },
                namespace: exported.namespace.as_deref().unwrap_or(""),
            };
            builder.add(symbol, &export);
        }
        let image = Export {
            crc: None,
            crc_known: false,
            exporter: "vmlinux",
            licensing: Licensing::Unknown,
            namespace: "",
        };
        for (symbol, crc) in &self.used {
            if !self.exported.contains_key(symbol) {
                builder.add(symbol, &Export { crc: Some(*crc), crc_known: true, ..image });
            }
        }
        for symbol in &self.seen {
            if !self.exported.contains_key(symbol) && !self.used.contains_key(symbol) {
                builder.add(symbol, &image);
            }
        }
        builder.finish(false).unwrap_or_else(|_| SymbolTable::unknown())
    }
}
