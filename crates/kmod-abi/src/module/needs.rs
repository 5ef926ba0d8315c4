// SPDX-License-Identifier: LGPL-2.1-or-later
//! The symbols that a module imports.

use std::collections::HashMap;

use super::versions::strip_dot;
use super::{Crcs, Malformed, Module, keep_symbol};
use crate::elf::{Object, Place};
use crate::modinfo;

/// A symbol that a module imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The symbol's name, without the leading `.` of ppc64.
    pub symbol: Box<str>,
    /// `STB_WEAK`: the kernel may lack it.
    pub weak: bool,
    /// The versions recorded for it.
    pub crcs: Crcs,
}

impl Module {
    pub(super) fn read_needs(
        &mut self,
        object: &Object<'_>,
        versions: &HashMap<&[u8], Crcs>,
    ) -> Result<(), Malformed> {
        // The first symbol of every table is empty.
        for symbol in object.symbols.iter().skip(1) {
            match symbol.place {
                Place::Common if !symbol.name.starts_with(b"__gnu_lto") => {
                    let name = modinfo::text(symbol.name);
                    return Err(Malformed::Refused(format!(
                        "common symbol {name}: compile with -fno-common"
                    )));
                }
                // Kernels before 5.13 read what lies there.
                Place::Invalid => {
                    let name = modinfo::text(&symbol.name[..symbol.name.len().min(64)]);
                    return Err(Malformed::Refused(format!(
                        "symbol {name} is in a section that is not there"
                    )));
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
