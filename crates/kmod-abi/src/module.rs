// SPDX-License-Identifier: LGPL-2.1-or-later
//! A module: what it needs, what it offers, and what it says of itself.

use std::collections::HashMap;

use super::elf::{Arch, Object, Place, Relocated};
use super::signature::{self, Signature};
use super::{modinfo, name};
use crate::budget::{self, Budget, Exceeded};

/// The bytes are not a module that any kernel would look at further. The text says what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

impl From<Exceeded> for Malformed {
    fn from(exceeded: Exceeded) -> Self {
        Self(exceeded.to_string())
    }
}

/// The versions (CRCs) that a module has recorded for one symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crcs {
    /// From `__versions`.
    pub basic: Option<u32>,
    /// From `__version_ext_crcs`, by `__version_ext_names`.
    pub extended: Option<u32>,
}

/// A symbol that a module uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The symbol's name, without the leading `.` of ppc64.
    pub symbol: Box<str>,
    /// `STB_WEAK`: the kernel may lack it.
    pub weak: bool,
    /// The versions recorded for it.
    pub crcs: Crcs,
}

/// A symbol that a module exports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The symbol's name.
    pub symbol: Box<str>,
    /// Its version; `None` where the module has none for it.
    pub crc: Option<u32>,
    /// `EXPORT_SYMBOL_GPL`.
    pub gpl: bool,
    /// `EXPORT_SYMBOL_NS`; `None` for no namespace.
    pub namespace: Option<Box<str>>,
}

/// What the end of the file says of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureState {
    /// No trailer.
    Unsigned,
    /// A trailer that the kernel can read. Whether it trusts the key is known to the kernel only.
    Signed(Signature),
    /// A trailer that the kernel refuses to read (EBADMSG), even where signatures are not enforced.
    Broken(String),
}

/// `supported` of SUSE's modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supported {
    /// `yes`: by the distributor.
    Distributor,
    /// `external`: by distributor and provider together.
    External,
    /// Any other value, or none: unsupported.
    No,
}

/// A kernel module, read from the bytes of an inflated `.ko` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The name that the kernel knows it by, with `_` for `-`.
    pub name: Box<str>,
    /// Is that the name of its file, for want of one in `.modinfo` (Linux before 4.14)?
    pub is_named_by_file: bool,
    /// Class, byte order and machine.
    pub arch: Arch,
    /// The whole `vermagic`, release first.
    pub vermagic: Option<Box<str>>,
    /// The first `license` entry.
    pub license: Option<Box<str>>,
    /// Undefined symbols, in the order of the symbol table.
    pub needs: Vec<Need>,
    /// The versions recorded for `module_layout`, which stands for the layout of `struct module`.
    pub layout: Crcs,
    /// Is there a `__versions` section (even an empty one)?
    pub has_versions: bool,
    /// Are there `__version_ext_crcs` and `__version_ext_names`?
    pub has_extended_versions: bool,
    /// Exports, by name.
    pub offers: Vec<Offer>,
    /// Namespaces that it imports, sorted.
    pub import_ns: Vec<Box<str>>,
    /// Modules that it says it depends on, with `_` for `-`.
    pub depends: Vec<Box<str>>,
    /// Modules that modprobe loads before it (`softdep=pre: ...`), with `_` for `-`.
    pub softdeps: Vec<Box<str>>,
    /// Device aliases.
    pub aliases: Vec<Box<str>>,
    /// Support status (SUSE).
    pub supported: Supported,
    /// Size of `.gnu.linkonce.this_module` in bytes.
    pub struct_size: u64,
    /// Built with the kernel (`intree=Y`).
    pub is_in_tree: bool,
    /// A live patch (`livepatch=Y`).
    pub is_live_patch: bool,
    /// The signature.
    pub signature: SignatureState,
    /// Only its symbols are known, by its package's dependencies: no rule about anything else is applied,
    /// and what it offers may be more than is known.
    pub is_declared: bool,
}

/// Sections whose relocations tell where exports are, for modules without local symbols.
pub(super) const KSYMTABS: &[&[u8]] =
    &[b"__ksymtab", b"__ksymtab_gpl", b"__ksymtab_gpl_future", b"__ksymtab_unused", b"__ksymtab_unused_gpl"];

impl Module {
    /// Reads a module. `file` is the name of its file; it gives the module's name where `.modinfo` does not.
    ///
    /// # Errors
    /// [`Malformed`], for what the loader refuses before it looks at symbols (ENOEXEC): no ELF object,
    /// a section past the end of the file, no symbols, no `struct module`, extended versions without
    /// names or the other way round, a common symbol. Also what takes more than a module's [budget].
    pub fn parse(bytes: &[u8], file: &str) -> Result<Self, Malformed> {
        let (body, signature) = match signature::split(bytes) {
            Ok((body, None)) => (body, SignatureState::Unsigned),
            Ok((body, Some(s))) => (body, SignatureState::Signed(s)),
            Err(e) => (bytes, SignatureState::Broken(e.to_string())),
        };
        let object = Object::parse(body, Relocated::Named(KSYMTABS)).map_err(Malformed)?;
        let this_module = object
            .section(b".gnu.linkonce.this_module")
            .ok_or_else(|| Malformed("no struct module in it (section .gnu.linkonce.this_module)".into()))?;

        let mut module = Self {
            name: "".into(),
            is_named_by_file: false,
            arch: object.arch,
            vermagic: None,
            license: None,
            needs: Vec::new(),
            layout: Crcs::default(),
            has_versions: false,
            has_extended_versions: false,
            offers: Vec::new(),
            import_ns: Vec::new(),
            depends: Vec::new(),
            softdeps: Vec::new(),
            aliases: Vec::new(),
            supported: Supported::No,
            is_in_tree: false,
            is_live_patch: false,
            struct_size: this_module.size,
            signature,
            is_declared: false,
        };
        module.read_modinfo(&object, file)?;
        let versions = module.read_versions(&object)?;
        module.read_needs(&object, &versions)?;
        module.offers = offers(&object)?;
        Ok(module)
    }

    /// A module of which no more is known than the symbols and versions that it needs and offers.
    pub fn declared(
        needs: impl IntoIterator<Item = (Box<str>, u32)>,
        offers: impl IntoIterator<Item = (Box<str>, u32)>,
    ) -> Self {
        let crcs = |crc| Crcs { basic: Some(crc), extended: Some(crc) };
        let mut module = Self {
            name: "".into(),
            is_named_by_file: false,
            arch: Arch { is_64: true, big_endian: false, machine: 0 },
            vermagic: None,
            // Whatever it is: that it does not load for its licence is not known.
            license: Some("GPL".into()),
            needs: Vec::new(),
            layout: Crcs::default(),
            has_versions: true,
            has_extended_versions: true,
            offers: Vec::new(),
            import_ns: Vec::new(),
            depends: Vec::new(),
            softdeps: Vec::new(),
            aliases: Vec::new(),
            supported: Supported::No,
            is_in_tree: false,
            is_live_patch: false,
            struct_size: 0,
            signature: SignatureState::Unsigned,
            is_declared: true,
        };
        for (symbol, crc) in needs {
            if &*symbol == "module_layout" {
                module.layout = crcs(crc);
            } else {
                module.needs.push(Need { symbol, weak: false, crcs: crcs(crc) });
            }
        }
        module.offers = offers
            .into_iter()
            .map(|(symbol, crc)| Offer { symbol, crc: Some(crc), gpl: false, namespace: None })
            .collect();
        module
    }

    /// May it use GPL-only symbols (`license_is_gpl_compatible`, `include/linux/license.h`)?
    pub fn is_gpl(&self) -> bool {
        matches!(
            self.license.as_deref(),
            Some(
                "GPL"
                    | "GPL v2"
                    | "GPL and additional rights"
                    | "Dual BSD/GPL"
                    | "Dual MIT/GPL"
                    | "Dual MPL/GPL"
            )
        )
    }

    /// What it takes in memory, in bytes.
    pub fn memory(&self) -> u64 {
        let text = |text: &str| text.len() + 16;
        let offer = |o: &Offer| size_of::<Offer>() + text(&o.symbol) + o.namespace.as_deref().map_or(0, text);
        let needs = self.needs.iter().map(|n| size_of::<Need>() + text(&n.symbol));
        let texts = self.import_ns.iter().chain(&self.depends).chain(&self.aliases);
        let texts = texts.map(|t| size_of::<Box<str>>() + text(t));
        (size_of::<Self>() + needs.chain(self.offers.iter().map(offer)).chain(texts).sum::<usize>()) as u64
    }

    fn read_modinfo(&mut self, object: &Object<'_>, file: &str) -> Result<(), Malformed> {
        let section = object.contents(b".modinfo")?.unwrap_or_default();
        for (key, value) in modinfo::entries(section) {
            if matches!(key, b"name" | b"vermagic" | b"license" | b"import_ns" | b"alias") {
                object.budget.keep_with::<Box<str>>(value.len())?;
            }
            let text = || -> Box<str> { modinfo::text(value).into() };
            // The loader takes the first entry of a key (get_modinfo), but every import_ns.
            match key {
                b"name" if self.name.is_empty() => self.name = name::normalized(&modinfo::text(value)).into(),
                b"vermagic" if self.vermagic.is_none() => self.vermagic = Some(text()),
                b"license" if self.license.is_none() => self.license = Some(text()),
                // The loader asks only whether there is such an entry.
                b"intree" => self.is_in_tree = true,
                b"livepatch" => self.is_live_patch = true,
                b"import_ns" => self.import_ns.push(text()),
                b"alias" => self.aliases.push(text()),
                b"supported" if self.supported == Supported::No => match value {
                    b"yes" => self.supported = Supported::Distributor,
                    b"external" => self.supported = Supported::External,
                    _ => {}
                },
                b"depends" if self.depends.is_empty() => {
                    for name in value.split(|b| *b == b',').filter(|n| !n.is_empty()) {
                        object.budget.keep_with::<Box<str>>(name.len())?;
                        self.depends.push(name::normalized(&modinfo::text(name)).into());
                    }
                }
                b"softdep" => {
                    let text = modinfo::text(value);
                    let mut is_before = false;
                    for word in text.split_whitespace() {
                        match word {
                            "pre:" => is_before = true,
                            "post:" => is_before = false,
                            name if is_before => self.softdeps.push(name::normalized(name).into()),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if self.name.is_empty() {
            self.name = name::normalized(file).into();
            self.is_named_by_file = true;
        }
        self.import_ns.sort_unstable();
        self.import_ns.dedup();
        Ok(())
    }

    fn read_versions<'d>(&mut self, object: &Object<'d>) -> Result<HashMap<&'d [u8], Crcs>, Malformed> {
        let mut versions: HashMap<&[u8], Crcs> = HashMap::new();
        let undot = |name: &'d [u8]| strip_dot(object.arch, name);
        if let Some(records) = basic_versions(object)? {
            self.has_versions = true;
            versions.try_reserve(records.size_hint().0).map_err(Exceeded::from)?;
            // The loader takes the first record of a name.
            for (name, crc) in records {
                versions.entry(undot(name)).or_default().basic.get_or_insert(crc);
            }
        }
        if let Some(records) = extended_versions(object)? {
            self.has_extended_versions = true;
            versions.try_reserve(records.size_hint().1.unwrap_or(0)).map_err(Exceeded::from)?;
            for (name, crc) in records {
                versions.entry(undot(name)).or_default().extended.get_or_insert(crc);
            }
        }
        self.layout = versions.get(&b"module_layout"[..]).copied().unwrap_or_default();
        Ok(versions)
    }

    fn read_needs(&mut self, object: &Object<'_>, versions: &HashMap<&[u8], Crcs>) -> Result<(), Malformed> {
        // The first symbol of every table is empty.
        for symbol in object.symbols.iter().skip(1) {
            match symbol.place {
                Place::Common if !symbol.name.starts_with(b"__gnu_lto") => {
                    let name = modinfo::text(symbol.name);
                    return Err(Malformed(format!("common symbol {name}: compile with -fno-common")));
                }
                Place::Undefined if !object.arch.is_made_up(symbol.name) => {
                    let name = strip_dot(object.arch, symbol.name);
                    keep_symbol::<Need>(&object.budget, name)?;
                    self.needs.push(Need {
                        symbol: modinfo::text(name).into(),
                        weak: symbol.weak,
                        crcs: versions.get(name).copied().unwrap_or_default(),
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Pays for keeping a `T` with a symbol's name.
fn keep_symbol<T>(budget: &Budget, name: &[u8]) -> Result<(), Malformed> {
    if name.len() > budget::NAME {
        let (start, limit) = (modinfo::text(&name[..40]), budget::NAME);
        let len = name.len();
        return Err(Malformed(format!(
            "the name of the symbol {start}... has {len} bytes, the limit is {limit}"
        )));
    }
    Ok(budget.keep_with::<T>(name.len())?)
}

/// The records of `__versions`, in order: `struct modversion_info`, an unsigned long and a name, 64 bytes.
pub(super) fn basic_versions<'o, 'd>(
    object: &'o Object<'d>,
) -> Result<Option<impl Iterator<Item = (&'d [u8], u32)> + use<'o, 'd>>, Malformed> {
    let crc_size = if object.arch.is_64 { 8 } else { 4 };
    let Some(records) = object.contents(b"__versions")? else { return Ok(None) };
    Ok(Some(records.chunks_exact(64).map(move |record| {
        let crc = object.ulong_at(record, 0).unwrap_or_default() as u32;
        (until_nul(&record[crc_size..]), crc)
    })))
}

/// The records of `__version_ext_crcs` and `__version_ext_names`, in order.
pub(super) fn extended_versions<'o, 'd>(
    object: &'o Object<'d>,
) -> Result<Option<impl Iterator<Item = (&'d [u8], u32)> + use<'o, 'd>>, Malformed> {
    let crcs = object.contents(b"__version_ext_crcs")?;
    let names = object.contents(b"__version_ext_names")?;
    let (crcs, names) = match (crcs, names) {
        (Some(crcs), Some(names)) => (crcs, names),
        (None, None) => return Ok(None),
        _ => return Err(Malformed("only one of __version_ext_crcs and __version_ext_names".into())),
    };
    let count = crcs.len() / 4;
    if names.iter().filter(|b| **b == 0).count() < count {
        return Err(Malformed("more extended versions than names for them".into()));
    }
    let listed = names.split(|b| *b == 0).take(count).enumerate();
    Ok(Some(listed.filter_map(move |(i, name)| Some((name, object.u32_at(crcs, i * 4)?)))))
}

fn strip_dot(arch: Arch, name: &[u8]) -> &[u8] {
    match name {
        [b'.', rest @ ..] if arch.dots_names() => rest,
        _ => name,
    }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len())]
}

/// Exports by the local symbols that `EXPORT_SYMBOL` leaves, or, where these were stripped, by the
/// relocations of the tables themselves.
pub(super) fn offers(object: &Object<'_>) -> Result<Vec<Offer>, Malformed> {
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

pub(super) fn value_at(object: &Object<'_>, section: usize, value: u64) -> Option<u32> {
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
