// SPDX-License-Identifier: LGPL-2.1-or-later
//! Modules whose section headers say what they like: overlapping, very many, too long.

/// A section of a [`RawElf`], by its number in the file.
pub type SectionNumber = usize;

const HEADER: usize = 64;
const SECTION_HEADER: usize = 64;

/// A relocatable object for x86-64, little endian, written header by header. It begins as a sound GPL module without symbols.
#[derive(Debug, Clone)]
pub struct RawElf {
    bytes: Vec<u8>,
    names: Vec<u8>,
    headers: Vec<[u64; 10]>,
    symbols: Vec<u8>,
    strings: Vec<u8>,
}

impl RawElf {
    /// A module built for the kernel release `krel`, with all that the loader wants of one.
    pub fn module(krel: &str) -> Self {
        let mut elf = Self {
            bytes: vec![0; HEADER],
            names: vec![0],
            headers: vec![[0; 10]],
            symbols: vec![0; 24],
            strings: vec![0],
        };
        let modinfo = format!("vermagic={krel} {}\0license=GPL\0", crate::VERMAGIC_FLAGS);
        let mut this_module = vec![0; crate::STRUCT_MODULE_SIZE];
        // The name, behind the state and a list.
        this_module[24] = b'm';
        elf.loaded(b".gnu.linkonce.this_module", &this_module);
        elf.loaded(b".modinfo", modinfo.as_bytes());
        let mut versions = u64::from(crate::MODULE_LAYOUT_CRC).to_le_bytes().to_vec();
        versions.extend_from_slice(b"module_layout");
        versions.resize(64, 0);
        elf.loaded(b"__versions", &versions);
        elf
    }

    /// Adds a section that is loaded.
    pub fn loaded(&mut self, name: &[u8], bytes: &[u8]) -> SectionNumber {
        self.section(name, 1, 2, bytes)
    }

    /// Adds relocations (offset, symbol's number, addend) of the section `of`.
    pub fn relocations(&mut self, of: SectionNumber, list: &[(u64, u32, i64)]) -> SectionNumber {
        let mut bytes = Vec::new();
        for (offset, symbol, addend) in list {
            bytes.extend(offset.to_le_bytes());
            bytes.extend((u64::from(*symbol) << 32 | 2).to_le_bytes());
            bytes.extend(addend.to_le_bytes());
        }
        let number = self.section(b".rela", 4, 0, &bytes);
        self.headers[number][7] = of as u64;
        self.headers[number][9] = 24;
        number
    }

    /// Adds a header that says the same as that of `section`.
    pub fn again(&mut self, section: SectionNumber) -> SectionNumber {
        self.headers.push(self.headers[section]);
        self.headers.len() - 1
    }

    /// Changes a section's size in its header only.
    pub fn claim(&mut self, section: SectionNumber, size: u64) {
        self.headers[section][5] = size;
    }

    /// Adds a text for names of symbols; its place.
    pub fn string(&mut self, text: &[u8]) -> u32 {
        let at = self.strings.len();
        self.strings.extend_from_slice(text);
        self.strings.push(0);
        u32::try_from(at).expect("texts of less than 4 GiB")
    }

    /// Adds a global symbol with the name at that place, in a section or (0) undefined; its number.
    pub fn symbol(&mut self, name: u32, section: SectionNumber, value: u64) -> u32 {
        let index = u16::try_from(section).ok().filter(|i| *i < 0xff00).expect("a section whose number fits");
        self.symbols.extend(name.to_le_bytes());
        self.symbols.extend([0x10, 0]);
        self.symbols.extend(index.to_le_bytes());
        self.symbols.extend(value.to_le_bytes());
        self.symbols.extend([0; 8]);
        u32::try_from(self.symbols.len() / 24 - 1).expect("a small table")
    }

    fn section(&mut self, name: &[u8], kind: u64, flags: u64, bytes: &[u8]) -> SectionNumber {
        while !self.bytes.len().is_multiple_of(8) {
            self.bytes.push(0);
        }
        let name_at = self.names.len() as u64;
        self.names.extend_from_slice(name);
        self.names.push(0);
        let (at, size) = (self.bytes.len() as u64, bytes.len() as u64);
        self.headers.push([name_at, kind, flags, 0, at, size, 0, 0, 1, 0]);
        self.bytes.extend_from_slice(bytes);
        self.headers.len() - 1
    }

    /// The file.
    pub fn build(mut self) -> Vec<u8> {
        let strings = std::mem::take(&mut self.strings);
        let strtab = self.section(b".strtab", 3, 0, &strings);
        let symbols = std::mem::take(&mut self.symbols);
        let symtab = self.section(b".symtab", 2, 0, &symbols);
        (self.headers[symtab][6], self.headers[symtab][7], self.headers[symtab][9]) = (strtab as u64, 1, 24);
        let number = self.section(b".shstrtab", 3, 0, &[]);
        let names = std::mem::take(&mut self.names);
        self.headers[number][5] = names.len() as u64;
        self.bytes.extend_from_slice(&names);
        while !self.bytes.len().is_multiple_of(8) {
            self.bytes.push(0);
        }
        let table = self.bytes.len() as u64;
        // What is too large for its field in the file's header is in the first section's.
        let count = self.headers.len();
        let (mut e_count, mut e_names) = (count as u16, number as u16);
        if count >= 0xff00 {
            (self.headers[0][5], e_count) = (count as u64, 0);
        }
        if number >= 0xff00 {
            (self.headers[0][6], e_names) = (number as u64, 0xffff);
        }
        for [name, kind, flags, address, at, size, link, info, align, entry] in &self.headers {
            for word in [*name as u32, *kind as u32] {
                self.bytes.extend(word.to_le_bytes());
            }
            for long in [flags, address, at, size] {
                self.bytes.extend(long.to_le_bytes());
            }
            for word in [*link as u32, *info as u32] {
                self.bytes.extend(word.to_le_bytes());
            }
            for long in [align, entry] {
                self.bytes.extend(long.to_le_bytes());
            }
        }
        let mut header = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for half in [1_u16, 62] {
            header.extend(half.to_le_bytes());
        }
        header.extend(1_u32.to_le_bytes());
        for long in [0, 0, table] {
            header.extend(long.to_le_bytes());
        }
        header.extend(0_u32.to_le_bytes());
        for half in [HEADER as u16, 0, 0, SECTION_HEADER as u16, e_count, e_names] {
            header.extend(half.to_le_bytes());
        }
        self.bytes[..HEADER].copy_from_slice(&header);
        self.bytes
    }
}
