// SPDX-License-Identifier: LGPL-2.1-or-later
//! The symbols that a module exports.

use std::collections::HashMap;

use super::{Malformed, keep_symbol, until_nul};
use crate::budget::Exceeded;
use crate::elf::{Object, Place};
use crate::modinfo;

/// A symbol that a module exports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The symbol's name.
    pub symbol: Box<str>,
    /// Its version (CRC); `None` if the module has none for it.
    pub crc: Option<u32>,
    /// `EXPORT_SYMBOL_GPL`.
    pub gpl: bool,
    /// `EXPORT_SYMBOL_NS`; `None` for no namespace.
    pub namespace: Option<Box<str>>,
}

/// Sections whose relocations tell where exports are, for modules without local symbols.
pub(crate) const KSYMTABS: &[&[u8]] =
    &[b"__ksymtab", b"__ksymtab_gpl", b"__ksymtab_gpl_future", b"__ksymtab_unused", b"__ksymtab_unused_gpl"];

/// Exports by the local symbols that `EXPORT_SYMBOL` leaves, or, where these were stripped, by the
/// relocations of the tables themselves.
pub(crate) fn offers(object: &Object<'_>) -> Result<Vec<Offer>, Malformed> {
    // Section number of a table: GPL-only? And the CRC of what has none: 0 where there are CRCs at all.
    let tables: HashMap<usize, (bool, Option<u32>)> = object
        .sections
        .iter()
        .filter(|s| KSYMTABS.contains(&s.name) && s.size > 0)
        .map(|s| (s.index, (is_gpl_table(s.name), object.section(&crc_table(s.name)).map(|_| 0))))
        .collect();
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let mut found: Vec<(&[u8], Offer)> = Vec::new();
    let mut crcs: HashMap<&[u8], u32> = HashMap::new();
    let mut namespaces: HashMap<&[u8], Box<str>> = HashMap::new();
    for symbol in &object.symbols {
        if let Some(name) = symbol.name.strip_prefix(b"__ksymtab_") {
            if let Place::Section(index) = symbol.place
                && let Some(&(gpl, crc)) = tables.get(&index)
            {
                keep_symbol::<(&[u8], Offer)>(&object.budget, name)?;
                found.push((name, Offer { symbol: modinfo::text(name).into(), crc, gpl, namespace: None }));
            }
        } else if let Some(name) = symbol.name.strip_prefix(b"__crc_") {
            object.budget.keep_with::<(&[u8], u32)>(0)?;
            match symbol.place {
                // Before 4.10 the symbol's value is the CRC; since then it is the place of a u32.
                Place::Absolute => {
                    crcs.insert(name, symbol.value as u32);
                }
                Place::Section(index) => {
                    if let Some(crc) = value_at(object, index, symbol.value) {
                        crcs.insert(name, crc);
                    }
                }
                _ => {}
            }
        } else if let Some(name) = symbol.name.strip_prefix(b"__kstrtabns_")
            && let Place::Section(index) = symbol.place
            && let Some(text) = string_at(object, index, symbol.value)?.filter(|t| !t.is_empty())
        {
            keep_symbol::<(&[u8], Box<str>)>(&object.budget, text)?;
            namespaces.insert(name, modinfo::text(text).into());
        }
    }
    if found.is_empty() {
        return offers_by_relocations(object, &crcs);
    }
    found.sort_unstable_by_key(|(name, _)| *name);
    Ok(found
        .into_iter()
        .map(|(name, mut offer)| {
            offer.crc = crcs.get(name).copied().or(offer.crc);
            offer.namespace = namespaces.remove(name);
            offer
        })
        .collect())
}

fn is_gpl_table(name: &[u8]) -> bool {
    matches!(name, b"__ksymtab_gpl" | b"__ksymtab_unused_gpl")
}

/// The section with the CRCs of a `__ksymtab*`.
fn crc_table(symbols: &[u8]) -> Vec<u8> {
    [b"__kcrctab", symbols.strip_prefix(b"__ksymtab").unwrap_or_default()].concat()
}

/// Each entry of a table refers to the symbol, its name and (since 5.4) its namespace; the CRCs are in
/// `__kcrctab*` in the same order, or, before 4.10, in the absolute symbols `crcs`, which stripping leaves.
fn offers_by_relocations(object: &Object<'_>, crcs: &HashMap<&[u8], u32>) -> Result<Vec<Offer>, Malformed> {
    let mut offers = Vec::new();
    let Some(strings) = object.section(b"__ksymtab_strings") else {
        return Ok(offers);
    };
    let pointer = if object.arch.is_64 { 8 } else { 4 };
    for table in object.sections.iter().filter(|s| KSYMTABS.contains(&s.name)) {
        let relocations = object.relocations(table.index);
        let mut refs: Vec<(u64, u64, bool)> = Vec::new();
        refs.try_reserve_exact(relocations.len()).map_err(Exceeded::from)?;
        refs.extend(relocations.iter().filter_map(|r| {
            let symbol = object.symbols.get(r.symbol)?;
            let in_strings = symbol.place == Place::Section(strings.index);
            Some((r.offset, symbol.value.wrapping_add_signed(r.addend), in_strings))
        }));
        refs.sort_unstable();
        // An entry begins with the reference to the exported object itself, which is no string.
        let entries = refs.iter().filter(|(_, _, in_strings)| !in_strings).count();
        let listed = object.section(&crc_table(table.name));
        let width = listed.map_or(0, |s| s.data.len().checked_div(entries).unwrap_or(0));
        let mut index = 0;
        let mut rest = refs.as_slice();
        while let Some(start) = rest.iter().position(|(_, _, in_strings)| !in_strings) {
            let end = rest[start + 1..].iter().position(|r| !r.2).map_or(rest.len(), |i| start + 1 + i);
            let text = |place: usize| match rest[start + 1..end].get(place) {
                Some((_, at, _)) => string_at(object, strings.index, *at),
                None => Ok(None),
            };
            let (name, namespace) = (text(0)?, text(1)?);
            rest = &rest[end..];
            if let Some(name) = name {
                let in_table = listed.and_then(|s| match width {
                    4 => object.u32_at(s.data, index * 4),
                    w if w == pointer => object.ulong_at(s.data, index * w).map(|v| v as u32),
                    _ => None,
                });
                let namespace = namespace.filter(|t| !t.is_empty());
                keep_symbol::<Offer>(&object.budget, name)?;
                keep_symbol::<Box<str>>(&object.budget, namespace.unwrap_or_default())?;
                offers.push(Offer {
                    symbol: modinfo::text(name).into(),
                    crc: crcs.get(name).copied().or(in_table),
                    gpl: is_gpl_table(table.name),
                    namespace: namespace.map(|n| modinfo::text(n).into()),
                });
            }
            index += 1;
        }
    }
    offers.sort_unstable_by(|a, b| a.symbol.cmp(&b.symbol));
    Ok(offers)
}

pub(crate) fn value_at(object: &Object<'_>, section: usize, value: u64) -> Option<u32> {
    let section = object.section_at(section)?;
    object.u32_at(section.data, usize::try_from(value.checked_sub(section.address)?).ok()?)
}

fn string_at<'d>(object: &Object<'d>, section: usize, offset: u64) -> Result<Option<&'d [u8]>, Exceeded> {
    let data = object.section_at(section).map_or(&[][..], |s| s.data);
    let Some(text) = usize::try_from(offset).ok().and_then(|o| data.get(o..)).map(until_nul) else {
        return Ok(None);
    };
    object.budget.read(text.len())?;
    Ok(Some(text))
}
