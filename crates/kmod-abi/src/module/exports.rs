// SPDX-License-Identifier: LGPL-2.1-or-later
//! The symbols that a module exports.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

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
    /// `EXPORT_SYMBOL_GPL`, in the form that the module has it: a table of their own (`__ksymtab_gpl`) before Linux 7.1, a flag
    /// (`__kflagstab`) since.
    pub gpl: bool,
    /// `EXPORT_SYMBOL_NS`; `None` for no namespace.
    pub namespace: Option<Box<str>>,
    /// Its place in its table is one where kernels do not look for it, as the table is not sorted: nobody can use it.
    pub is_misplaced: bool,
}

/// Sections whose relocations say where exports are, for modules without local symbols.
pub(crate) const KSYMTABS: &[&[u8]] =
    &[b"__ksymtab", b"__ksymtab_gpl", b"__ksymtab_gpl_future", b"__ksymtab_unused", b"__ksymtab_unused_gpl"];

/// The flag of `__kflagstab` for `EXPORT_SYMBOL_GPL` (`KSYM_FLAG_GPL_ONLY`).
const GPL_ONLY: u8 = 1;

/// What an object exports.
#[derive(Debug, Default)]
pub(crate) struct Exports<'d> {
    /// By name.
    pub offers: Vec<Offer>,
    /// Its symbols `__crc_NAME`, in the order of the symbol table: NAME, and the version.
    pub crcs: Vec<(&'d [u8], Crc)>,
    /// Is there a table of flags, as Linux 7.1 and later want it?
    pub has_flags: bool,
    /// Has some table of exports no table of versions beside it?
    pub lacks_crcs: bool,
}

/// What a symbol `__crc_NAME` says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crc {
    /// Absolute symbols have the width of an address; what matters are 32 bits.
    pub value: u64,
    /// Is the symbol's value the version, as before Linux 4.10? Since then it is the place of one.
    pub absolute: bool,
}

/// A `__ksymtab*` of an object.
struct Table<'d> {
    gpl: bool,
    /// The version of what has none: 0 where there is a table of versions at all.
    crc: Option<u32>,
    flags: Flags<'d>,
}

/// A byte for each export, in the order of `__ksymtab`; empty where there is none.
#[derive(Clone, Copy)]
struct Flags<'d> {
    flags: &'d [u8],
    /// The size of an entry of `__ksymtab` in bytes.
    entry: u64,
}

impl Flags<'_> {
    fn is_gpl(self, index: usize) -> bool {
        self.flags.get(index).is_some_and(|flags| flags & GPL_ONLY != 0)
    }

    fn is_gpl_at(self, offset: u64) -> bool {
        let index = offset.checked_div(self.entry).and_then(|i| usize::try_from(i).ok());
        index.is_some_and(|index| self.is_gpl(index))
    }
}

/// Reads exports by the local symbols that `EXPORT_SYMBOL` leaves, or, where these were stripped, by the
/// relocations of the tables themselves.
pub(crate) fn read<'d>(object: &Object<'d>) -> Result<Exports<'d>, Malformed> {
    let mut exports = Exports::default();
    let flags = object.contents(b"__kflagstab")?;
    exports.has_flags = flags.is_some();
    let flags = flags.unwrap_or_default();
    let mut tables: HashMap<usize, Table<'_>> = HashMap::new();
    for section in object.sections.iter().filter(|s| KSYMTABS.contains(&s.name) && s.size > 0) {
        let crc = object.section(&crc_table(section.name)).map(|_| 0);
        exports.lacks_crcs |= crc.is_none();
        let flags = if section.name == b"__ksymtab" { flags } else { &[] };
        let entry = section.size.checked_div(flags.len() as u64).unwrap_or(0);
        let table = Table { gpl: is_gpl_table(section.name), crc, flags: Flags { flags, entry } };
        tables.insert(section.index, table);
    }
    let mut found: Vec<(&[u8], Offer)> = Vec::new();
    let mut places: Vec<(usize, u64, &[u8])> = Vec::new();
    let mut namespaces: HashMap<&[u8], Box<str>> = HashMap::new();
    for symbol in &object.symbols {
        if let Some(name) = symbol.name.strip_prefix(b"__ksymtab_") {
            if let Place::Section(index) = symbol.place
                && let Some(table) = tables.get(&index)
            {
                keep_symbol::<(&[u8], Offer)>(&object.budget, name)?;
                let gpl = table.gpl || table.flags.is_gpl_at(symbol.value);
                let offer = Offer {
                    symbol: modinfo::text(name).into(),
                    crc: table.crc,
                    gpl,
                    namespace: None,
                    is_misplaced: false,
                };
                found.push((name, offer));
                places.push((index, symbol.value, name));
            }
        } else if let Some(name) = symbol.name.strip_prefix(b"__crc_") {
            let crc = match symbol.place {
                Place::Absolute => Crc { value: symbol.value, absolute: true },
                Place::Section(index) => match value_at(object, index, symbol.value) {
                    Some(crc) => Crc { value: crc.into(), absolute: false },
                    None => continue,
                },
                Place::Undefined | Place::Common | Place::Other | Place::Invalid => continue,
            };
            object.budget.keep_with::<(&[u8], Crc)>(0)?;
            exports.crcs.push((name, crc));
        } else if !tables.is_empty()
            && let Some(name) = symbol.name.strip_prefix(b"__kstrtabns_")
            && let Place::Section(index) = symbol.place
            && let Some(text) = string_at(object, index, symbol.value)?.filter(|t| !t.is_empty())
        {
            keep_symbol::<(&[u8], Box<str>)>(&object.budget, text)?;
            namespaces.insert(name, modinfo::text(text).into());
        }
    }
    if tables.is_empty() {
        return Ok(exports);
    }
    let crcs: HashMap<&[u8], u32> =
        exports.crcs.iter().map(|(name, crc)| (*name, crc.value as u32)).collect();
    if found.is_empty() {
        exports.offers = by_relocations(object, &tables, &crcs)?;
        return Ok(exports);
    }
    let misplaced = misplaced(&mut places);
    found.sort_unstable_by_key(|(name, _)| *name);
    let offers = found.into_iter().map(|(name, mut offer)| {
        offer.crc = crcs.get(name).copied().or(offer.crc);
        offer.namespace = namespaces.remove(name);
        offer.is_misplaced = misplaced.contains(name);
        offer
    });
    exports.offers = offers.collect();
    Ok(exports)
}

/// Which exports the kernel does not find, as it looks for them by halves (`find_exported_symbol_in_section`) in tables that are
/// not sorted. Sorts `places`: table, place in it and name.
fn misplaced<'d>(places: &mut [(usize, u64, &'d [u8])]) -> HashSet<&'d [u8]> {
    let mut misplaced = HashSet::new();
    places.sort_unstable();
    for table in places.chunk_by(|a, b| a.0 == b.0).filter(|table| !table.is_sorted_by_key(|entry| entry.2)) {
        for (_, _, name) in table {
            let mut rest = table;
            while let Some((_, _, middle)) = rest.get(rest.len() / 2) {
                rest = match name.cmp(middle) {
                    Ordering::Equal => break,
                    Ordering::Less => &rest[..rest.len() / 2],
                    Ordering::Greater => &rest[rest.len() / 2 + 1..],
                };
            }
            if rest.is_empty() {
                misplaced.insert(*name);
            }
        }
    }
    misplaced
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
fn by_relocations(
    object: &Object<'_>,
    tables: &HashMap<usize, Table<'_>>,
    crcs: &HashMap<&[u8], u32>,
) -> Result<Vec<Offer>, Malformed> {
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
                    gpl: tables.get(&table.index).is_some_and(|t| t.gpl || t.flags.is_gpl(index)),
                    namespace: namespace.map(|n| modinfo::text(n).into()),
                    is_misplaced: false,
                });
            }
            index += 1;
        }
    }
    offers.sort_unstable_by(|a, b| a.symbol.cmp(&b.symbol));
    Ok(offers)
}

fn value_at(object: &Object<'_>, section: usize, value: u64) -> Option<u32> {
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
