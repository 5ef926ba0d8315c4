// SPDX-License-Identifier: LGPL-2.1-or-later
//! What depmod reads of a module: complete, and in the order of the file.

use super::elf::{Object, Place, Relocated};
use super::module::{Malformed, basic_versions};
use super::{modinfo, signature};

/// What depmod makes its index of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexFacts {
    /// Is it of 64 bits and little-endian? depmod was compared for no other.
    pub is_64_little: bool,
    /// The names behind `__crc_` in the symbol table; where there are none, those of `__ksymtab_strings`.
    pub exports: Vec<Box<[u8]>>,
    /// The undefined symbols, weak ones too, then those of `__versions` that are not among them.
    pub needs: Vec<Box<[u8]>>,
    /// `alias` entries of `.modinfo`.
    pub aliases: Vec<Box<[u8]>>,
    /// `softdep` entries.
    pub softdeps: Vec<Box<[u8]>>,
    /// `weakdep` entries.
    pub weakdeps: Vec<Box<[u8]>>,
}

impl IndexFacts {
    /// Reads the contents of a decompressed `.ko` file.
    ///
    /// # Errors
    /// [`Malformed`]: it is not a module.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let object = Object::parse(signature::body(bytes), Relocated::Named(&[]))?;
        let mut facts =
            Self { is_64_little: object.arch.is_64 && !object.arch.big_endian, ..Self::default() };
        let keep = |text: &[u8]| -> Result<Box<[u8]>, Malformed> {
            object.budget.keep_with::<Box<[u8]>>(text.len())?;
            Ok(text.into())
        };
        let mut named = std::collections::HashSet::new();
        for symbol in object.symbols.iter().skip(1) {
            if let Some(export) = symbol.name.strip_prefix(b"__crc_") {
                facts.exports.push(keep(export)?);
            } else if matches!(symbol.place, Place::Undefined) && !symbol.name.is_empty() {
                named.insert(symbol.name);
                facts.needs.push(keep(symbol.name)?);
            }
        }
        if facts.exports.is_empty() {
            let strings = object.contents(b"__ksymtab_strings")?.unwrap_or_default();
            for name in strings.split(|b| *b == 0).filter(|name| !name.is_empty()) {
                facts.exports.push(keep(name)?);
            }
        }
        for (name, _) in basic_versions(&object)?.into_iter().flatten() {
            if named.insert(name) {
                facts.needs.push(keep(name)?);
            }
        }
        for (key, value) in modinfo::entries(object.contents(b".modinfo")?.unwrap_or_default()) {
            let list = match key {
                b"alias" => &mut facts.aliases,
                b"softdep" => &mut facts.softdeps,
                b"weakdep" => &mut facts.weakdeps,
                _ => continue,
            };
            list.push(keep(value)?);
        }
        Ok(facts)
    }
}
