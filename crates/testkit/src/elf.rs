// SPDX-License-Identifier: LGPL-2.1-or-later
//! A described module as an ELF file: the only user of `object`'s writer.

use object::elf;
use object::write::{Object, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{
    BinaryFormat, FileFlags, RelocationFlags, SectionFlags, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};

use crate::module::{CrcStyle, Export, ModuleBuilder, Need, Strip, Versions};

/// Size of a record of `__versions`.
const RECORD: usize = 64;
/// Size of a function that is exported.
const FUNCTION: usize = 16;

/// The module's ELF image, without a signature.
pub(crate) fn write(module: &ModuleBuilder) -> Vec<u8> {
    let (architecture, endian) = module.arch.object();
    let mut object = Object::new(BinaryFormat::Elf, architecture, endian);
    object.flags =
        FileFlags::Elf { os_abi: elf::ELFOSABI_NONE, abi_version: 0, e_flags: module.arch.elf_flags() };
    let mut writer = Writer { object, module };
    writer.text();
    writer.modinfo();
    writer.this_module();
    writer.exports();
    writer.versions();
    writer.undefined();
    for (name, bytes, loaded) in &module.sections {
        let id = writer.section(name, SectionKind::ReadOnlyData, bytes, 1);
        if !loaded {
            writer.object.section_mut(id).flags =
                SectionFlags::Elf { sh_type: elf::SHT_PROGBITS, sh_flags: elf::SectionFlags(0) };
        }
    }
    writer.commons();
    writer.object.write().expect("a module that can be written as ELF")
}

struct Writer<'a> {
    object: Object<'a>,
    module: &'a ModuleBuilder,
}

impl Writer<'_> {
    /// Adds a section. All sections here are plain PROGBITS.
    fn section(&mut self, name: &[u8], kind: SectionKind, bytes: &[u8], align: u64) -> SectionId {
        let mut flags = elf::SHF_ALLOC;
        match kind {
            SectionKind::Text => flags |= elf::SHF_EXECINSTR,
            SectionKind::Data => flags |= elf::SHF_WRITE,
            _ => {}
        }
        let id = self.object.add_section(Vec::new(), name.to_vec(), kind);
        let section = self.object.section_mut(id);
        section.flags = SectionFlags::Elf { sh_type: elf::SHT_PROGBITS, sh_flags: flags };
        section.set_data(bytes.to_vec(), align);
        id
    }

    fn keeps_all(&self) -> bool {
        self.module.strip == Strip::Nothing
    }

    /// Adds a symbol for data in a section.
    fn define(
        &mut self,
        name: Vec<u8>,
        section: SectionId,
        value: usize,
        size: usize,
        local: bool,
    ) -> SymbolId {
        self.object.add_symbol(Symbol {
            name,
            value: value as u64,
            size: size as u64,
            kind: SymbolKind::Data,
            scope: if local { SymbolScope::Compilation } else { SymbolScope::Dynamic },
            weak: false,
            section: SymbolSection::Section(section),
            flags: SymbolFlags::None,
        })
    }

    /// Adds a symbol for a function in `.text`.
    fn function(&mut self, name: Vec<u8>, text: SectionId, value: usize, local: bool) {
        let id = self.define(name, text, value, FUNCTION, local);
        self.object.symbol_mut(id).kind = SymbolKind::Text;
    }

    /// The code; room for every exported function comes first.
    fn text(&mut self) {
        let size = self.module.text_size.max(self.module.exports.len() * FUNCTION);
        let code = crate::noise::code_like(size, self.module.seed);
        let text = self.section(b".text", SectionKind::Text, &code, 16);
        for (i, export) in self.module.exports.iter().enumerate() {
            self.function(export.name.clone(), text, i * FUNCTION, false);
        }
        let locals = if self.keeps_all() { self.module.local_symbols } else { 0 };
        for i in 0..locals {
            let name = [&self.module.name[..], format!("_function_{i}").as_bytes()].concat();
            self.function(name, text, i * FUNCTION % size.max(1), true);
        }
    }

    fn modinfo(&mut self) {
        if self.module.modinfo.is_empty() {
            return;
        }
        let mut bytes = Vec::new();
        for (key, value) in &self.module.modinfo {
            bytes.extend_from_slice(key);
            bytes.push(b'=');
            bytes.extend_from_slice(value);
            bytes.push(0);
        }
        self.section(b".modinfo", SectionKind::ReadOnlyData, &bytes, 1);
    }

    /// `struct module`: state, list, then the name.
    fn this_module(&mut self) {
        let Some(size) = self.module.struct_module_size else { return };
        let at = 3 * self.module.arch.long_size();
        let mut bytes = vec![0; size];
        for (to, from) in bytes.iter_mut().skip(at).take(55).zip(&self.module.name) {
            *to = *from;
        }
        let id = self.section(b".gnu.linkonce.this_module", SectionKind::Data, &bytes, 64);
        self.define(b"__this_module".to_vec(), id, 0, size, false);
    }

    /// `__ksymtab*`, `__kcrctab*` and `__ksymtab_strings`.
    fn exports(&mut self) {
        if self.module.exports.is_empty() {
            return;
        }
        let mut strings = Strings::default();
        let places: Vec<(usize, usize)> = self
            .module
            .exports
            .iter()
            .map(|export| (strings.add(&export.name), strings.add(&export.namespace)))
            .collect();
        let strings = self.section(b"__ksymtab_strings", SectionKind::ReadOnlyData, &strings.0, 1);
        for gpl in [false, true] {
            let chosen: Vec<(&Export, (usize, usize))> = self
                .module
                .exports
                .iter()
                .zip(places.iter().copied())
                .filter(|(e, _)| (e.gpl && !self.module.export_flags) == gpl)
                .collect();
            if self.module.export_flags && !gpl {
                let flags: Vec<u8> = chosen.iter().map(|(e, _)| u8::from(e.gpl)).collect();
                self.section(b"__kflagstab", SectionKind::ReadOnlyData, &flags, 1);
            }
            if !chosen.is_empty() {
                self.ksymtab(gpl, &chosen, strings);
                self.kcrctab(gpl, &chosen);
            }
        }
    }

    fn ksymtab(&mut self, gpl: bool, exports: &[(&Export, (usize, usize))], strings: SectionId) {
        const ENTRY: usize = 12;
        let name: &[u8] = if gpl { b"__ksymtab_gpl" } else { b"__ksymtab" };
        let table = self.section(name, SectionKind::ReadOnlyData, &vec![0; exports.len() * ENTRY], 4);
        let strings_symbol = self.object.section_symbol(strings);
        for (i, (export, (name_at, namespace_at))) in exports.iter().enumerate() {
            let function = self.object.symbol_id(&export.name).expect("defined in .text");
            let mut fields = [
                (function, 0),
                (strings_symbol, i64::try_from(*name_at).expect("a small table")),
                (strings_symbol, i64::try_from(*namespace_at).expect("a small table")),
            ];
            if self.keeps_all() {
                self.define([b"__ksymtab_", &export.name[..]].concat(), table, i * ENTRY, ENTRY, true);
            }
            if self.module.strip != Strip::Locals {
                let name = [b"__kstrtab_", &export.name[..]].concat();
                fields[1] = (self.define(name, strings, *name_at, 0, true), 0);
                let name = [b"__kstrtabns_", &export.name[..]].concat();
                fields[2] = (self.define(name, strings, *namespace_at, 0, true), 0);
            }
            for (field, (symbol, addend)) in fields.into_iter().enumerate() {
                let relocation = Relocation {
                    offset: (i * ENTRY + field * 4) as u64,
                    symbol,
                    addend,
                    flags: RelocationFlags::Elf { r_type: self.module.arch.ksymtab_relocation() },
                };
                self.object.add_relocation(table, relocation).expect("a relocation of this machine");
            }
        }
    }

    fn kcrctab(&mut self, gpl: bool, exports: &[(&Export, (usize, usize))]) {
        if exports.iter().all(|(export, _)| export.crc.is_none()) {
            return;
        }
        match self.module.crc_style {
            CrcStyle::Relative => {
                let name: &[u8] = if gpl { b"__kcrctab_gpl" } else { b"__kcrctab" };
                // The kernel takes the n-th CRC for the n-th export: one without has a zero here.
                let crcs: Vec<u8> =
                    exports.iter().flat_map(|(e, _)| self.module.arch.u32(e.crc.unwrap_or(0))).collect();
                let table = self.section(name, SectionKind::ReadOnlyData, &crcs, 4);
                for (i, (export, _)) in exports.iter().enumerate() {
                    if export.crc.is_some() && self.keeps_all() {
                        self.define([b"__crc_", &export.name[..]].concat(), table, i * 4, 0, true);
                    }
                }
            }
            CrcStyle::Absolute => {
                for (export, _) in exports {
                    let Some(crc) = export.crc else { continue };
                    self.object.add_symbol(Symbol {
                        name: [b"__crc_", &export.name[..]].concat(),
                        value: u64::from(crc),
                        size: 0,
                        kind: SymbolKind::Unknown,
                        scope: SymbolScope::Dynamic,
                        weak: false,
                        section: SymbolSection::Absolute,
                        flags: SymbolFlags::Elf {
                            st_info: elf::SymbolInfo::new(elf::STB_GLOBAL, elf::STT_NOTYPE),
                            st_other: elf::SymbolOther(0),
                        },
                    });
                }
            }
        }
    }

    fn versions(&mut self) {
        let module = self.module;
        let versioned: Vec<(&Need, u32)> =
            module.needs.iter().filter_map(|need| Some((need, need.crc?))).collect();
        let room = RECORD - module.arch.long_size();
        if matches!(module.versions, Versions::Basic | Versions::Both) {
            let mut records = Vec::with_capacity(versioned.len() * RECORD);
            for (need, crc) in &versioned {
                if need.name.len() >= room {
                    assert!(module.versions == Versions::Both, "{need:?}: too long for __versions");
                    continue;
                }
                let end = records.len() + RECORD;
                records.extend(module.arch.long(*crc));
                records.extend_from_slice(&need.name);
                records.resize(end, 0);
            }
            self.section(b"__versions", SectionKind::ReadOnlyData, &records, 32);
        }
        if matches!(module.versions, Versions::Extended | Versions::Both) {
            let crcs: Vec<u8> = versioned.iter().flat_map(|(_, crc)| module.arch.u32(*crc)).collect();
            let mut names = Vec::new();
            for (need, _) in &versioned {
                names.extend_from_slice(&need.name);
                names.push(0);
            }
            self.section(b"__version_ext_crcs", SectionKind::ReadOnlyData, &crcs, 4);
            self.section(b"__version_ext_names", SectionKind::ReadOnlyData, &names, 1);
        }
    }

    fn commons(&mut self) {
        for name in &self.module.commons {
            self.object.add_symbol(Symbol {
                name: name.clone(),
                value: 4,
                size: 4,
                kind: SymbolKind::Data,
                scope: SymbolScope::Dynamic,
                weak: false,
                section: SymbolSection::Common,
                flags: SymbolFlags::None,
            });
        }
    }

    fn undefined(&mut self) {
        for need in self.module.needs.iter().filter(|need| need.undefined) {
            let binding = if need.weak { elf::STB_WEAK } else { elf::STB_GLOBAL };
            self.object.add_symbol(Symbol {
                name: need.name.clone(),
                value: 0,
                size: 0,
                kind: SymbolKind::Unknown,
                scope: SymbolScope::Unknown,
                weak: need.weak,
                section: SymbolSection::Undefined,
                flags: SymbolFlags::Elf {
                    st_info: elf::SymbolInfo::new(binding, elf::STT_NOTYPE),
                    st_other: elf::SymbolOther(0),
                },
            });
        }
    }
}

/// `__ksymtab_strings`: each string once.
#[derive(Default)]
struct Strings(Vec<u8>);

impl Strings {
    fn add(&mut self, string: &[u8]) -> usize {
        let mut at = 0;
        for old in self.0.split_inclusive(|byte| *byte == 0) {
            if &old[..old.len() - 1] == string {
                return at;
            }
            at += old.len();
        }
        self.0.extend_from_slice(string);
        self.0.push(0);
        at
    }
}
