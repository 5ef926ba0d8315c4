// SPDX-License-Identifier: LGPL-2.1-or-later
//! ELF, as much of it as the kernel's loader looks at. The only user of `object`.

mod arch;
mod fields;
mod named;
mod relocations;
mod validity;

use std::collections::{HashMap, HashSet};

use object::elf;
use object::read::elf::{FileHeader, Rel as _, Rela as _, SectionHeader, Sym};
use object::{Endian, Endianness, ReadRef, SectionIndex};

use crate::Malformed;
use crate::budget::{Budget, Exceeded};
pub use arch::Arch;
use kmp_steps as steps;
pub use named::section;
use relocations::Checked;
use validity::Layout;

/// Where a symbol is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Undefined,
    Absolute,
    Common,
    Section(usize),
    Other,
    /// In no section that there is.
    Invalid,
}

/// The kernel's own.
const SHN_LIVEPATCH: elf::SymbolSection = elf::SymbolSection(0xff20);

/// One entry of `.symtab`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Symbol<'d> {
    pub name: &'d [u8],
    pub place: Place,
    pub value: u64,
    pub weak: bool,
}

/// A section that is loaded (`SHF_ALLOC`; the loader's `find_sec` sees no other).
#[derive(Clone, Copy, Debug)]
pub(super) struct Section<'d> {
    pub index: usize,
    pub name: &'d [u8],
    /// Where it will be; 0 in a module.
    pub address: u64,
    pub data: &'d [u8],
    pub size: u64,
}

/// A relocation: something at `offset` of its section refers to `addend` past `symbol`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relocation {
    pub offset: u64,
    pub symbol: usize,
    pub addend: i64,
}

/// Of which sections relocations are kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum Relocated<'n> {
    /// Of those with these names.
    Named(&'n [&'n [u8]]),
    /// Of all that are loaded.
    All,
}

impl Relocated<'_> {
    fn takes(self, name: &[u8]) -> bool {
        match self {
            Relocated::Named(names) => names.contains(&name),
            Relocated::All => true,
        }
    }
}

/// A parsed module file.
#[derive(Debug)]
pub(super) struct Object<'d> {
    pub arch: Arch,
    /// By their number in the file.
    pub sections: Vec<Section<'d>>,
    pub symbols: Vec<Symbol<'d>>,
    /// What of its sections the loader looks at beside the contents of some.
    pub layout: Layout<'d>,
    relocations: HashMap<usize, Vec<Relocation>>,
    /// For a name the place of the first of that name in `sections`.
    by_name: HashMap<&'d [u8], usize>,
    /// What may still be read of the file, and kept.
    pub budget: Budget,
}

impl<'d> Object<'d> {
    /// Reads a relocatable object.
    ///
    /// # Errors
    /// What is wrong with the file, in words.
    pub fn parse(data: &'d [u8], relocated: Relocated<'_>) -> Result<Self, Malformed> {
        Self::parse_any(data, relocated, &[elf::ET_REL])
    }

    /// Reads a kernel's image (`vmlinux`, not what a boot loader takes).
    ///
    /// # Errors
    /// What is wrong with the file, in words.
    pub fn parse_image(data: &'d [u8]) -> Result<Self, Malformed> {
        Self::parse_any(data, Relocated::Named(&[]), &[elf::ET_EXEC, elf::ET_DYN])
    }

    fn parse_any(
        data: &'d [u8],
        relocated: Relocated<'_>,
        kinds: &[elf::FileType],
    ) -> Result<Self, Malformed> {
        if data.is_empty() {
            return Err(Malformed::Empty);
        }
        if !data.starts_with(b"\x7fELF") {
            return Err(Malformed::NotElf);
        }
        match validity::class_and_order(data, kinds) {
            Some((1, endian)) => parse::<elf::FileHeader32<Endianness>>(data, endian, relocated, kinds),
            Some((2, endian)) => parse::<elf::FileHeader64<Endianness>>(data, endian, relocated, kinds),
            _ => Err(Malformed::Elf("neither 32-bit nor 64-bit ELF".into())),
        }
    }

    /// The first loaded section of that name.
    pub fn section(&self, name: &[u8]) -> Option<&Section<'d>> {
        self.by_name.get(name).map(|place| &self.sections[*place])
    }

    /// The loaded section with that number in the file.
    pub fn section_at(&self, index: usize) -> Option<&Section<'d>> {
        let place = self.sections.binary_search_by_key(&index, |s| s.index).ok()?;
        self.sections.get(place)
    }

    /// The contents of the first loaded section of that name, paid for.
    ///
    /// # Errors
    /// So much of the file is not to be read.
    pub fn contents(&self, name: &[u8]) -> Result<Option<&'d [u8]>, Exceeded> {
        let Some(section) = self.section(name) else { return Ok(None) };
        self.budget.read(section.data.len())?;
        Ok(Some(section.data))
    }

    /// The relocations of section number `index`.
    pub fn relocations(&self, index: usize) -> &[Relocation] {
        self.relocations.get(&index).map_or(&[], Vec::as_slice)
    }

    /// A little or big endian number of 4 bytes at `offset`.
    pub fn u32_at(&self, data: &[u8], offset: usize) -> Option<u32> {
        let bytes = data.get(offset..offset.checked_add(4)?)?.try_into().ok()?;
        Some(if self.arch.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// An `unsigned long` at `offset`.
    pub fn ulong_at(&self, data: &[u8], offset: usize) -> Option<u64> {
        if !self.arch.is_64 {
            return self.u32_at(data, offset).map(u64::from);
        }
        let bytes = data.get(offset..offset.checked_add(8)?)?.try_into().ok()?;
        Some(if self.arch.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }
}

fn parse<'d, H: FileHeader<Endian = Endianness>>(
    data: &'d [u8],
    endian: Endianness,
    relocated: Relocated<'_>,
    kinds: &[elf::FileType],
) -> Result<Object<'d>, Malformed> {
    let budget = Budget::module(data.len());
    let text = |what: &str, e: object::read::Error| Malformed::Elf(format!("{what}: {e}"));
    let header: &H = data.read_at(0).map_err(|()| Malformed::Elf("the ELF header is cut".into()))?;
    let kind = header.e_type(endian);
    if !kinds.contains(&kind) {
        let wanted = if kinds == [elf::ET_REL] { "a relocatable object" } else { "a kernel's image" };
        return Err(Malformed::Elf(format!("not {wanted} (ELF type {})", kind.0)));
    }
    let machine = header.e_machine(endian).0;
    let arch = Arch {
        is_64: header.is_type_64(),
        big_endian: endian.is_big_endian(),
        machine,
        abi: validity::abi(machine, header.e_flags(endian).0),
    };

    let table = header
        .sections(endian, data)
        .map_err(|e| text("the section table cannot be read, is the file cut?", e))?;
    let mut layout = if kinds == [elf::ET_REL] {
        validity::check(header, endian, data, &table)?
    } else {
        Layout::default()
    };
    let loaded = table.iter().filter(|s| s.sh_flags(endian).contains(elf::SHF_ALLOC)).count();
    budget.read(table.len() * size_of::<H::SectionHeader>())?;
    let (mut sections, mut by_name, mut filled) = (Vec::new(), HashMap::new(), HashSet::new());
    sections.try_reserve_exact(loaded).map_err(Exceeded::from)?;
    by_name.try_reserve(loaded).map_err(Exceeded::from)?;
    filled.try_reserve(loaded).map_err(Exceeded::from)?;
    for (index, section) in table.enumerate() {
        // Nothing of it has a meaning but its type.
        if section.sh_type(endian) == elf::SHT_NULL {
            continue;
        }
        // The loader refuses a file with any section that reaches past its end.
        let contents = section
            .data(endian, data)
            .map_err(|e| text(&format!("section {} reaches past the end of the file", index.0), e))?;
        if !section.sh_flags(endian).contains(elf::SHF_ALLOC) {
            continue;
        }
        let name = table.section_name(endian, section).map_err(|e| text("bad section name", e))?;
        budget.read(name.len())?;
        let contents =
            if validity::is_read_in_file(name) { validity::in_file(section, endian, data) } else { contents };
        let size: u64 = section.sh_size(endian).into();
        let address = section.sh_addr(endian).into();
        by_name.entry(name).or_insert(sections.len());
        if size > 0 && !filled.insert(name) && relocations::is_kept(name) && layout.doubled.is_none() {
            layout.doubled = Some(name);
        }
        sections.push(Section { index: index.0, name, address, data: contents, size });
    }

    let symtab = table
        .symbols(endian, data, elf::SHT_SYMTAB)
        .map_err(|e| text("the symbol table cannot be read", e))?;
    if symtab.is_empty() {
        return Err(Malformed::Elf("the module has no symbols (stripped?)".into()));
    }
    let strings = symtab.strings();
    let mut symbols = Vec::new();
    symbols.try_reserve_exact(symtab.len()).map_err(Exceeded::from)?;
    budget.read(symtab.len() * size_of::<H::Sym>())?;
    for (index, symbol) in symtab.enumerate() {
        let shndx = symbol.st_shndx(endian);
        let place = match shndx {
            elf::SHN_UNDEF => Place::Undefined,
            elf::SHN_ABS => Place::Absolute,
            elf::SHN_COMMON => Place::Common,
            elf::SHN_XINDEX => match symtab.symbol_section(endian, symbol, index) {
                Ok(Some(SectionIndex(i))) => Place::Section(i),
                _ => Place::Invalid,
            },
            // Symbols of live patches, which these resolve themselves.
            SHN_LIVEPATCH => Place::Other,
            i if i.0 < elf::SHN_LORESERVE && usize::from(i.0) < table.len() => Place::Section(i.0.into()),
            _ => Place::Invalid,
        };
        let name =
            symbol.name(endian, strings).map_err(|e| text(&format!("bad name of symbol {}", index.0), e))?;
        budget.read(name.len())?;
        symbols.push(Symbol {
            name,
            place,
            value: symbol.st_value(endian).into(),
            weak: symbol.st_bind() == elf::STB_WEAK,
        });
    }

    let mut object = Object { arch, sections, symbols, layout, relocations: HashMap::new(), by_name, budget };
    if kinds == [elf::ET_REL] {
        object.layout.bad_relocation = Checked::of(&object).find_bad(endian, data, &table)?;
        object.layout.nameless_patch = Checked::of(&object).find_nameless(endian, &table);
    }
    for section in table.iter() {
        steps::count(1);
        let target = section.sh_info(endian) as usize;
        if !matches!(section.sh_type(endian), elf::SHT_REL | elf::SHT_RELA) {
            continue;
        }
        let Some(of) = object.section_at(target).copied().filter(|s| relocated.takes(s.name)) else {
            continue;
        };
        // Of a section that has several tables all of them apply (apply_relocations).
        let mut list = object.relocations.remove(&target).unwrap_or_default();
        if let Ok(Some((rela, _))) = section.rela(endian, data) {
            object.budget.read(size_of_val(rela))?;
            list.try_reserve(rela.len()).map_err(Exceeded::from)?;
            list.extend(rela.iter().map(|r| Relocation {
                offset: r.r_offset(endian).into(),
                symbol: r.r_sym(endian, false) as usize,
                addend: r.r_addend(endian).into(),
            }));
        } else if let Ok(Some((rel, _))) = section.rel(endian, data) {
            object.budget.read(size_of_val(rel))?;
            list.try_reserve(rel.len()).map_err(Exceeded::from)?;
            // The addend stands in the section itself; only 32-bit machines use this form.
            list.extend(rel.iter().map(|r| {
                let offset: u64 = r.r_offset(endian).into();
                let implicit = usize::try_from(offset)
                    .ok()
                    .and_then(|o| of.data.get(o..o.checked_add(4)?))
                    .map_or(0, |b| endian.read_i32([b[0], b[1], b[2], b[3]]));
                Relocation { offset, symbol: r.r_sym(endian) as usize, addend: implicit.into() }
            }));
        }
        object.relocations.insert(target, list);
    }
    Ok(object)
}
