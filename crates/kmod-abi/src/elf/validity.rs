// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the loader checks of header and sections before it looks into any (`elf_validity_cache_copy`).

use object::elf;
use object::read::elf::{FileHeader, SectionHeader, SectionTable};
use object::{Endianness, SectionIndex};

use crate::Malformed;

/// What of a module's sections the loader looks at beside the contents of some. It depends on the kernel what follows from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout<'d> {
    /// The name of the first section that is both writable and executable, loaded or not.
    pub writable_code: Option<&'d [u8]>,
    /// The size of per-cpu data.
    pub percpu: u64,
    /// The contents of the first `.modinfo`, loaded or not.
    pub modinfo: &'d [u8],
    /// How many `.modinfo` there are, loaded or not.
    pub modinfos: usize,
    /// How many `.gnu.linkonce.this_module`.
    pub this_modules: usize,
    /// The contents of the first `.BTF`, loaded or not.
    pub btf: &'d [u8],
    /// The contents of `.BTF.base`, if there is one.
    pub btf_base: Option<&'d [u8]>,
    /// How many symbol tables.
    pub symbol_tables: usize,
    /// The name of two sections that are loaded and not empty.
    pub doubled: Option<&'d [u8]>,
    /// A relocation that the kernel cannot apply, in words.
    pub bad_relocation: Option<String>,
    /// The name of relocations of a live patch that does not say what they patch.
    pub nameless_patch: Option<&'d [u8]>,
}

/// Class and byte order. The loader does not look at what `e_ident` says of them: it reads what its machine reads. So a module's
/// follow from its type, which is 1, and its machine; where these leave it open, and of an image, by `e_ident`.
pub(super) fn class_and_order(data: &[u8], kinds: &[elf::FileType]) -> Option<(u8, Endianness)> {
    let by_ident = match data.get(5) {
        Some(1) => Some(Endianness::Little),
        Some(2) => Some(Endianness::Big),
        _ => None,
    };
    let ident = || Some((*data.get(4)?, by_ident?));
    let (endian, machine) = match data.get(16..20) {
        Some([1, 0, low, high]) if kinds == [elf::ET_REL] => (Endianness::Little, [*high, *low]),
        Some([0, 1, high, low]) if kinds == [elf::ET_REL] => (Endianness::Big, [*high, *low]),
        _ => return ident(),
    };
    Some((class(u16::from_be_bytes(machine)).or(data.get(4).copied())?, endian))
}

/// The class of a machine that has only one for Linux.
fn class(machine: u16) -> Option<u8> {
    match elf::Machine(machine) {
        elf::EM_X86_64 | elf::EM_AARCH64 | elf::EM_PPC64 | elf::EM_S390 => Some(2),
        elf::EM_386 | elf::EM_ARM | elf::EM_PPC => Some(1),
        _ => None,
    }
}

/// [`Arch::abi`](super::Arch::abi). A module for version 1 may leave it open.
pub(super) fn abi(machine: u16, flags: u32) -> u8 {
    match (elf::Machine(machine), flags & 3) {
        (elf::EM_PPC64, 0 | 1) => 1,
        (elf::EM_PPC64, 2) => 2,
        (elf::EM_PPC64, _) => 3,
        _ => 0,
    }
}

/// Does the loader read this section where it is in the file, before it puts any in its place?
pub(super) fn is_read_in_file(name: &[u8]) -> bool {
    [&b".modinfo"[..], b"__versions", b"__version_ext_crcs", b"__version_ext_names"].contains(&name)
}

/// What the file has at a section's place. The loader does not look at the type of what it reads there: a section that is said
/// to have no contents (`SHT_NOBITS`) has those all the same. Empty where it reaches past the end.
pub(super) fn in_file<'d, S: SectionHeader<Endian = Endianness>>(
    section: &S,
    endian: Endianness,
    data: &'d [u8],
) -> &'d [u8] {
    let (offset, size) = (section.sh_offset(endian).into(), section.sh_size(endian).into());
    let range = || Some(usize::try_from(offset).ok()?..usize::try_from(offset.checked_add(size)?).ok()?);
    range().and_then(|range| data.get(range)).unwrap_or_default()
}

pub(super) fn check<'d, H: FileHeader<Endian = Endianness>>(
    header: &H,
    endian: Endianness,
    data: &'d [u8],
    table: &SectionTable<'d, H, &'d [u8]>,
) -> Result<Layout<'d>, Malformed> {
    let refused = |why: &str| Malformed::Refused(why.into());
    let (count, names) = (header.e_shnum(endian), header.e_shstrndx(endian).0);
    if names == 0 || names >= count {
        return Err(refused("it has no table of section names"));
    }
    // The loader counts on it for sections that are not there.
    let is_none = |s: &H::SectionHeader| {
        s.sh_type(endian) == elf::SHT_NULL && s.sh_size(endian).into() == 0 && s.sh_addr(endian).into() == 0
    };
    if !table.iter().next().is_some_and(is_none) {
        return Err(refused("its section 0 is not empty"));
    }
    let strings = |index: usize, what: &str| -> Result<&'d [u8], Malformed> {
        let section =
            table.section(SectionIndex(index)).ok().filter(|s| s.sh_type(endian) == elf::SHT_STRTAB);
        let strings = section.and_then(|s| s.data(endian, data).ok());
        let strings = strings.ok_or_else(|| refused(&format!("it has no table of {what}")))?;
        match strings.last() {
            Some(0) => Ok(strings),
            _ => Err(refused(&format!("its table of {what} does not end with NUL"))),
        }
    };
    let names = strings(names.into(), "section names")?;
    let mut layout = Layout::default();
    for (index, section) in table.enumerate() {
        let (kind, flags) = (section.sh_type(endian), section.sh_flags(endian));
        let name =
            usize::try_from(section.sh_name(endian)).ok().and_then(|at| names.get(at..)).unwrap_or(&[]);
        // Whatever its type is.
        if flags.contains(elf::SHF_WRITE | elf::SHF_EXECINSTR) && layout.writable_code.is_none() {
            layout.writable_code =
                Some(&name[..name.iter().position(|b| *b == 0).unwrap_or(name.len()).min(64)]);
        }
        if kind == elf::SHT_NULL {
            continue;
        }
        if name.is_empty() {
            return Err(Malformed::Refused(format!(
                "the name of section {} lies outside of all names",
                index.0
            )));
        }
        let is_loaded = flags.contains(elf::SHF_ALLOC);
        if name.starts_with(b".modinfo\0") {
            if layout.modinfos == 0 {
                layout.modinfo = in_file(section, endian, data);
            }
            layout.modinfos += 1;
        } else if name.starts_with(b".gnu.linkonce.this_module\0") {
            if kind == elf::SHT_NOBITS {
                return Err(refused("its struct module has no contents"));
            }
            layout.this_modules += 1;
        } else if name.starts_with(b".BTF\0") && layout.btf.is_empty() {
            layout.btf = in_file(section, endian, data);
        } else if name.starts_with(b".BTF.base\0") && layout.btf_base.is_none() {
            layout.btf_base = Some(in_file(section, endian, data));
        } else if name.starts_with(b".data..percpu\0") && is_loaded && layout.percpu == 0 {
            layout.percpu = section.sh_size(endian).into();
        }
        if kind == elf::SHT_SYMTAB {
            if layout.symbol_tables == 0 {
                let link = section.sh_link(endian) as usize;
                if strings(link, "symbol names")?.first() != Some(&0) {
                    return Err(refused("its table of symbol names does not begin with NUL"));
                }
            }
            layout.symbol_tables += 1;
        }
    }
    Ok(layout)
}
