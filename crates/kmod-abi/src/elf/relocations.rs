// SPDX-License-Identifier: LGPL-2.1-or-later
//! Relocations that the kernel cannot apply, wherever it puts the module (`apply_relocate_add` in `arch/*/kernel/module.c`). What
//! depends on addresses, such as whether a branch reaches its target, is not known here.

use object::Endianness;
use object::elf;
use object::read::elf::{FileHeader, Rel as _, Rela as _, SectionHeader, SectionTable};

use super::fields::{self, Field};
use super::{Object, Place, Section};
use crate::budget::Exceeded;
use kmp_steps as steps;

/// Of live patches, which apply these themselves.
const SHF_RELA_LIVEPATCH: u64 = 0x0010_0000;

const R_X86_64_64: u32 = 1;
const R_X86_64_PC64: u32 = 24;

/// How the name of such a section begins; the name of what is patched follows (`klp_apply_section_relocs`).
const OF_PATCH: &[u8] = b".klp.rela.";

/// Where per-cpu data is before it is copied to its place.
const PERCPU: &[u8] = b".data..percpu";

/// Is it there once the module is loaded? The others are for the loader itself (`rewrite_section_headers`).
pub(super) fn is_kept(section: &[u8]) -> bool {
    !matches!(section, b".modinfo" | b"__versions" | b"__version_ext_crcs" | b"__version_ext_names" | PERCPU)
}

/// What relocations are checked against.
pub(super) struct Checked<'o, 'd>(&'o Object<'d>);

impl<'o, 'd> Checked<'o, 'd> {
    pub(super) fn of(object: &'o Object<'d>) -> Self {
        Self(object)
    }

    /// The first section of a live patch's relocations whose name does not say what it patches.
    pub(super) fn find_nameless<H: FileHeader<Endian = Endianness>>(
        &self,
        endian: Endianness,
        table: &SectionTable<'d, H, &'d [u8]>,
    ) -> Option<&'d [u8]> {
        let is_of_patch = |section: &&H::SectionHeader| {
            let flags: u64 = section.sh_flags(endian).0;
            let of = self.0.section_at(section.sh_info(endian) as usize);
            flags & SHF_RELA_LIVEPATCH != 0 && of.is_some_and(|of| is_kept(of.name))
        };
        let mut names =
            table.iter().filter(is_of_patch).filter_map(|section| table.section_name(endian, section).ok());
        names.find(|name| {
            name.strip_prefix(OF_PATCH).and_then(|patched| patched.first()).is_none_or(|first| *first == b'.')
        })
    }

    /// The first relocation that cannot be applied, in words.
    ///
    /// # Errors
    /// There is more of them than is to be read.
    pub(super) fn find_bad<H: FileHeader<Endian = Endianness>>(
        &self,
        endian: Endianness,
        data: &'d [u8],
        table: &SectionTable<'d, H, &'d [u8]>,
    ) -> Result<Option<String>, Exceeded> {
        let machine = elf::Machine(self.0.arch.machine);
        let Some(known) = known_types(machine) else { return Ok(None) };
        let wants_addends = self.0.arch.is_64;
        for section in table.iter() {
            let kind = section.sh_type(endian);
            if !matches!(kind, elf::SHT_REL | elf::SHT_RELA) {
                continue;
            }
            let flags: u64 = section.sh_flags(endian).0;
            let Some(of) = self.0.section_at(section.sh_info(endian) as usize) else { continue };
            if flags & SHF_RELA_LIVEPATCH != 0 || !is_kept(of.name) && of.name != PERCPU {
                continue;
            }
            let place = |offset: u64| {
                let name = String::from_utf8_lossy(&of.name[..of.name.len().min(64)]).into_owned();
                format!("in {name} at {offset:#x}")
            };
            if wants_addends != (kind == elf::SHT_RELA) {
                return Ok(Some(format!(
                    "relocations {} are of a form that its machine does not have",
                    place(0)
                )));
            }
            if let Ok(Some((list, _))) = section.rel(endian, data) {
                self.0.budget.read(size_of_val(list))?;
                for entry in list {
                    steps::count(1);
                    let kind = entry.r_type(endian).0;
                    if !known(kind) {
                        let at = place(entry.r_offset(endian).into());
                        return Ok(Some(format!(
                            "the relocation {at} is of the type {kind}, which kernels do not know"
                        )));
                    }
                }
            }
            let Ok(Some((list, _))) = section.rela(endian, data) else { continue };
            self.0.budget.read(size_of_val(list))?;
            for entry in list {
                steps::count(1);
                let kind = entry.r_type(endian, false).0;
                let offset: u64 = entry.r_offset(endian).into();
                if !known(kind) {
                    let at = place(offset);
                    return Ok(Some(format!(
                        "the relocation {at} is of the type {kind}, which kernels do not know"
                    )));
                }
                if let Some(field) = Field::of(machine, kind)
                    && self.overflows(
                        field,
                        of,
                        offset,
                        entry.r_sym(endian, false),
                        entry.r_addend(endian).into(),
                    )
                {
                    let bits = field.bits;
                    return Ok(Some(format!(
                        "the relocation {} has {bits} bits for an address or a distance that has more",
                        place(offset)
                    )));
                }
                if machine != elf::EM_X86_64 || kind == 0 {
                    continue;
                }
                let width = if matches!(kind, R_X86_64_64 | R_X86_64_PC64) { 8 } else { 4 };
                let target =
                    usize::try_from(offset).ok().and_then(|at| of.data.get(at..at.checked_add(width)?));
                if target.is_some_and(|target| target.iter().any(|byte| *byte != 0)) {
                    return Ok(Some(format!(
                        "something stands where the relocation {} goes to",
                        place(offset)
                    )));
                }
            }
        }
        Ok(None)
    }

    /// Is it certain, wherever the kernel puts module and symbols, that what the relocation at `offset` of a section comes to
    /// does not fit into its field?
    fn overflows(&self, field: Field, of: &Section<'d>, offset: u64, symbol: u32, addend: i64) -> bool {
        let Some(symbol) = self.0.symbols.get(symbol as usize) else { return false };
        let section = match symbol.place {
            Place::Section(index) => self.0.section_at(index).filter(|section| section.name != PERCPU),
            _ => None,
        };
        let value = i128::from(symbol.value) + i128::from(addend);
        let (low, high) = match (symbol.place, section) {
            (_, Some(section)) if field.is_relative && section.index == of.index => {
                (value - i128::from(offset), value - i128::from(offset))
            }
            _ if field.is_relative => return false,
            (Place::Absolute, _) => (value, value),
            (_, Some(_)) => match fields::of_modules(self.0.arch.machine) {
                Some((low, high)) => (low + value, high + value),
                None => return false,
            },
            (Place::Undefined, _) => match fields::of_exports(self.0.arch.machine) {
                Some((low, high)) => (low + i128::from(addend), high + i128::from(addend)),
                None => return false,
            },
            _ => return false,
        };
        // What goes around the end of 64 bits could be anywhere.
        let is_known = i64::try_from(low).is_ok() && i64::try_from(high).is_ok();
        is_known && field.takes_none_of(low, high)
    }
}

/// The types that kernels for a machine know, of those until 7.3; `None`: not known here.
fn known_types(machine: elf::Machine) -> Option<fn(u32) -> bool> {
    Some(match machine {
        elf::EM_X86_64 => |kind| matches!(kind, 0 | 1 | 2 | 4 | 10 | 11 | 24),
        elf::EM_386 => |kind| matches!(kind, 1 | 2 | 4),
        elf::EM_AARCH64 => |kind| matches!(kind, 0 | 256..=280 | 282..=293 | 299),
        elf::EM_PPC64 => |kind| {
            matches!(
                kind,
                1 | 10 | 26 | 38 | 44 | 47 | 48 | 50 | 51 | 63 | 64 | 109 | 116 | 118 | 132 | 133 | 250 | 252
            )
        },
        elf::EM_S390 => |kind| matches!(kind, 0..=8 | 13..=36 | 57..=59),
        elf::EM_RISCV => {
            |kind| matches!(kind, 0..=2 | 16..=20 | 23..=28 | 33..=41 | 43..=46 | 51..=57 | 59..=61)
        }
        _ => return None,
    })
}
