// SPDX-License-Identifier: LGPL-2.1-or-later
//! What of a module ends up in a running kernel.

use super::elf::{Object, Place, Relocated};
use crate::budget::Budget;

/// What follows a signed module.
const SIGNED: &[u8] = b"~Module signature appended~\n";

/// Feeds `take` with all that the kernel loads of an unsigned module: sections, and where they refer to what. Two modules
/// of which this is the same differ in debug information, the order of their symbols and the like only. False, and nothing
/// to go by, for what is signed (there the file as a whole counts), no module, or larger than it
/// looks because its parts overlap.
pub fn loaded_parts(module: &[u8], take: &mut dyn FnMut(&[u8])) -> bool {
    if module.ends_with(SIGNED) {
        return false;
    }
    let Ok(object) = Object::parse(module, Relocated::All) else { return false };
    let name_of = |index| object.section_at(index).map_or(&b""[..], |s| s.name);
    let budget = Budget::digest(module.len());
    let mut piece = |bytes: &[u8]| {
        take(&(bytes.len() as u64).to_le_bytes());
        take(bytes);
        budget.read(bytes.len()).is_ok()
    };
    for section in &object.sections {
        piece(section.name);
        piece(&section.size.to_le_bytes());
        if !piece(section.data) {
            return false;
        }
        for relocation in object.relocations(section.index) {
            piece(&relocation.offset.to_le_bytes());
            piece(&relocation.addend.to_le_bytes());
            let Some(symbol) = object.symbols.get(relocation.symbol) else { return false };
            piece(symbol.name);
            piece(&symbol.value.to_le_bytes());
            let is_paid = match symbol.place {
                Place::Section(index) => piece(name_of(index)),
                other => piece(format!("{other:?}").as_bytes()),
            };
            if !is_paid {
                return false;
            }
        }
    }
    true
}
