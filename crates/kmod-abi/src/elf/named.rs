// SPDX-License-Identifier: LGPL-2.1-or-later
//! One section of an ELF file, by its name.

use object::Endianness;
use object::elf;
use object::read::elf::{FileHeader, SectionHeader};

use super::validity;
use crate::budget::Budget;

/// The contents of the first section of that name, loaded or not, of a module or a kernel's image, and whether the file is big
/// endian. Its symbols are not looked at, so that a stripped image will do. `None`: it is no ELF file, has no such section, or is
/// cut.
pub fn section<'d>(data: &'d [u8], name: &str) -> Option<(&'d [u8], bool)> {
    if !data.starts_with(b"\x7fELF") {
        return None;
    }
    match validity::class_and_order(data, &[]) {
        Some((1, endian)) => find::<elf::FileHeader32<Endianness>>(data, endian, name),
        Some((2, endian)) => find::<elf::FileHeader64<Endianness>>(data, endian, name),
        _ => None,
    }
}

fn find<'d, H: FileHeader<Endian = Endianness>>(
    data: &'d [u8],
    endian: Endianness,
    name: &str,
) -> Option<(&'d [u8], bool)> {
    let header = H::parse(data).ok()?;
    let table = header.sections(endian, data).ok()?;
    let budget = Budget::module(data.len());
    for section in table.iter() {
        let found = table.section_name(endian, section).ok()?;
        budget.read(found.len() + size_of::<H::SectionHeader>()).ok()?;
        if found == name.as_bytes() {
            return Some((section.data(endian, data).ok()?, endian == Endianness::Big));
        }
    }
    None
}
