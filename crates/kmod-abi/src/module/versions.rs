// SPDX-License-Identifier: LGPL-2.1-or-later
//! The versions (CRCs) that a module has recorded for what it uses.

use std::collections::HashMap;

use super::{Malformed, Module, until_nul};
use crate::budget::Exceeded;
use crate::elf::{Arch, Object};

/// The versions (CRCs) that a module has recorded for one symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crcs {
    /// From `__versions`.
    pub basic: Option<u32>,
    /// From `__version_ext_crcs`, by `__version_ext_names`.
    pub extended: Option<u32>,
    /// Is more than 32 bits of the one from `__versions` used? Then it is no symbol's.
    pub is_overlong: bool,
}

impl Module {
    pub(super) fn read_versions<'d>(
        &mut self,
        object: &Object<'d>,
    ) -> Result<HashMap<&'d [u8], Crcs>, Malformed> {
        let mut versions: HashMap<&[u8], Crcs> = HashMap::new();
        let undot = |name: &'d [u8]| strip_dot(object.arch, name);
        if let Some(records) = basic_versions(object)? {
            self.has_versions = true;
            versions.try_reserve(records.size_hint().0).map_err(Exceeded::from)?;
            // The loader takes the first record of a name.
            for (name, crc) in records {
                let known = versions.entry(undot(name)).or_default();
                if known.basic.is_none() {
                    known.basic = Some(crc as u32);
                    known.is_overlong = crc > u64::from(u32::MAX);
                }
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
}

/// The records of `__versions`, in order: `struct modversion_info`, an unsigned long and a name, 64 bytes.
pub(crate) fn basic_versions<'o, 'd>(
    object: &'o Object<'d>,
) -> Result<Option<impl Iterator<Item = (&'d [u8], u64)> + use<'o, 'd>>, Malformed> {
    let crc_size = if object.arch.is_64 { 8 } else { 4 };
    let Some(records) = object.contents(b"__versions")? else { return Ok(None) };
    Ok(Some(records.chunks_exact(64).map(move |record| {
        let crc = object.ulong_at(record, 0).unwrap_or_default();
        (until_nul(&record[crc_size..]), crc)
    })))
}

/// The records of `__version_ext_crcs` and `__version_ext_names`, in order.
pub(crate) fn extended_versions<'o, 'd>(
    object: &'o Object<'d>,
) -> Result<Option<impl Iterator<Item = (&'d [u8], u32)> + use<'o, 'd>>, Malformed> {
    let crcs = object.contents(b"__version_ext_crcs")?;
    let names = object.contents(b"__version_ext_names")?;
    let (crcs, names) = match (crcs, names) {
        (Some(crcs), Some(names)) => (crcs, names),
        (None, None) => return Ok(None),
        _ => return Err(Malformed::Refused("only one of __version_ext_crcs and __version_ext_names".into())),
    };
    let count = crcs.len() / 4;
    if names.iter().filter(|b| **b == 0).count() < count {
        return Err(Malformed::Refused("more extended versions than names for them".into()));
    }
    let listed = names.split(|b| *b == 0).take(count).enumerate();
    Ok(Some(listed.filter_map(move |(i, name)| Some((name, object.u32_at(crcs, i * 4)?)))))
}

pub(super) fn strip_dot(arch: Arch, name: &[u8]) -> &[u8] {
    match name {
        [b'.', rest @ ..] if arch.dots_names() => rest,
        _ => name,
    }
}
