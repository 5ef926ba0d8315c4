// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the dependencies of packages are made of: a module's versions, exports and aliases, complete and in the order of the
//! file.

use super::elf::{Object, Relocated};
use super::module::{Crc, KSYMTABS, Malformed, basic_versions, extended_versions, read_exports};
use super::{modinfo, signature};

/// A symbol that a module or a kernel's image exports with a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The symbol's name.
    pub symbol: Box<str>,
    /// Its version. Absolute symbols have the width of an address; what matters are 32 bits.
    pub crc: u64,
    /// Is `__crc_NAME` an absolute symbol, as before Linux 4.10?
    pub absolute: bool,
}

/// The parts of a module that determine the dependencies of its package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The whole `vermagic`, release first.
    pub vermagic: Option<Box<str>>,
    /// The first `version`.
    pub version: Option<Box<[u8]>>,
    /// `alias` entries, in order.
    pub aliases: Vec<Box<[u8]>>,
    /// The symbols that the module imports, with their versions, `module_layout` included: the records of
    /// `__versions` in order, then those of `__version_ext_*` for names that have no other.
    pub versions: Vec<(Box<str>, u32)>,
    /// What it exports, in the order of the symbol table.
    pub exports: Vec<Exported>,
}

impl Facts {
    /// Reads the contents of a decompressed `.ko` file.
    ///
    /// # Errors
    /// [`Malformed`]: it is not a module.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let object = Object::parse(signature::body(bytes), Relocated::Named(KSYMTABS))?;
        let mut facts = Self { exports: exports(&object)?, ..Self::default() };
        let section = object.contents(b".modinfo")?.unwrap_or_default();
        for (key, value) in modinfo::entries(section) {
            object.budget.keep_with::<Box<[u8]>>(value.len())?;
            match key {
                b"vermagic" if facts.vermagic.is_none() => facts.vermagic = Some(modinfo::text(value).into()),
                b"version" if facts.version.is_none() => facts.version = Some(value.into()),
                b"alias" => facts.aliases.push(value.into()),
                _ => {}
            }
        }
        let basic = basic_versions(&object)?.into_iter().flatten();
        let basic: Vec<(&[u8], u32)> = basic.map(|(name, crc)| (name, crc as u32)).collect();
        let extended: Vec<(&[u8], u32)> = extended_versions(&object)?.into_iter().flatten().collect();
        let known: std::collections::HashSet<&[u8]> = basic.iter().map(|(name, _)| *name).collect();
        let more = extended.into_iter().filter(|(name, _)| !known.contains(name));
        facts.versions = basic
            .iter()
            .copied()
            .chain(more)
            .map(|(name, crc)| (modinfo::text(name.strip_prefix(b".").unwrap_or(name)).into(), crc))
            .collect();
        Ok(facts)
    }

    /// The kernel release that it was built for: the first word of `vermagic`.
    pub fn release(&self) -> Option<&str> {
        self.vermagic.as_deref()?.split(' ').next().filter(|r| !r.is_empty())
    }
}

/// What a kernel's image (`vmlinux`) exports.
///
/// # Errors
/// [`Malformed`]: it is not a kernel's image.
pub fn image_exports(bytes: &[u8]) -> Result<Vec<Exported>, Malformed> {
    Object::parse_image(bytes).and_then(|object| exports(&object))
}

/// By the symbols `__crc_NAME`; where these were stripped, by the tables.
fn exports(object: &Object<'_>) -> Result<Vec<Exported>, Malformed> {
    let read = read_exports(object)?;
    let mut found = Vec::new();
    for (name, Crc { value, absolute }) in read.crcs {
        object.budget.keep_with::<Exported>(name.len())?;
        found.push(Exported { symbol: modinfo::text(name).into(), crc: value, absolute });
    }
    if found.is_empty() {
        // Without __crc_NAME a 0 in the table stands for no version.
        let versioned =
            read.offers.into_iter().filter_map(|o| Some((o.symbol, o.crc.filter(|crc| *crc != 0)?)));
        found.extend(versioned.map(|(symbol, crc)| Exported { symbol, crc: crc.into(), absolute: false }));
    }
    Ok(found)
}
