// SPDX-License-Identifier: LGPL-2.1-or-later
//! `modules.symbols`: who exports a symbol.

use crate::style::Style;
use crate::trie::Writer;
use crate::{Named, Owners, Unsure, hash};

/// Buckets of depmod's table of symbols.
const BUCKETS: u32 = 2048;

/// Who exports each symbol. Of several modules the last one counts.
pub fn owners<'a>(modules: &[Named<'a>]) -> Owners<'a> {
    let mut owners = Owners::with_capacity(modules.iter().map(|module| module.facts.exports().count()).sum());
    for (place, module) in (0..).zip(modules) {
        owners.extend(module.facts.exports().map(|symbol| (symbol, place)));
    }
    owners
}

/// `modules.symbols`, in the order of depmod's table.
pub fn text(modules: &[Named<'_>], owners: &Owners<'_>) -> Vec<u8> {
    let symbols = owners.iter().map(|(symbol, owner)| (*symbol, *owner));
    let symbols = hash::sorted(symbols, BUCKETS, |(symbol, _)| symbol);
    let mut text = b"# Aliases for symbols, used by symbol_request().\n".to_vec();
    for (symbol, owner) in symbols {
        for part in [b"alias symbol:", symbol, b" ", &modules[owner as usize].name, b"\n"] {
            text.extend_from_slice(part);
        }
    }
    text
}

/// `modules.symbols.bin`.
pub fn binary(modules: &[Named<'_>], owners: &Owners<'_>, style: Style) -> Result<Vec<u8>, Unsure> {
    const START: &[u8] = b"symbol:";
    // In one piece of memory.
    let mut keys = Vec::with_capacity(owners.keys().map(|symbol| START.len() + symbol.len()).sum());
    for symbol in owners.keys() {
        keys.extend_from_slice(START);
        keys.extend_from_slice(symbol);
    }
    let mut writer = Writer::default();
    let mut rest = keys.as_slice();
    for (symbol, owner) in owners {
        let (key, others) = rest.split_at(START.len() + symbol.len());
        rest = others;
        writer.insert(key, *owner, &modules[*owner as usize].name);
    }
    writer.finish(style)
}
