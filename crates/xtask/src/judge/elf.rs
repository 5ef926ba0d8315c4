// SPDX-License-Identifier: LGPL-2.1-or-later
//! Changes single fields of a module file, whatever they come to mean then.
//!
//! Libraries write files that are sound. Here a little-endian 64-bit ELF file is changed byte by byte, and what grows is
//! put at the end of the file.

use std::ops::Range;

use super::run::Result;

/// Offset and size of a field in its record.
pub type Field = (usize, usize);

/// Fields of the ELF header.
pub mod header {
    use super::Field;
    pub const TYPE: Field = (16, 2);
    pub const MACHINE: Field = (18, 2);
    pub const VERSION: Field = (20, 4);
    pub const ENTRY: Field = (24, 8);
    pub const PROGRAM_HEADERS: Field = (32, 8);
    pub const SECTION_TABLE: Field = (40, 8);
    pub const FLAGS: Field = (48, 4);
    pub const HEADER_SIZE: Field = (52, 2);
    pub const SECTION_SIZE: Field = (58, 2);
    pub const SECTION_COUNT: Field = (60, 2);
    pub const NAMES: Field = (62, 2);
}

/// Fields of a section's header.
pub mod section {
    use super::Field;
    pub const NAME: Field = (0, 4);
    pub const TYPE: Field = (4, 4);
    pub const FLAGS: Field = (8, 8);
    pub const ADDRESS: Field = (16, 8);
    pub const OFFSET: Field = (24, 8);
    pub const SIZE: Field = (32, 8);
    pub const LINK: Field = (40, 4);
    pub const INFO: Field = (44, 4);
    pub const ALIGN: Field = (48, 8);
    pub const ENTRY_SIZE: Field = (56, 8);
}

/// Fields of a symbol.
pub mod symbol {
    use super::Field;
    pub const NAME: Field = (0, 4);
    pub const INFO: Field = (4, 1);
    pub const SECTION: Field = (6, 2);
}

/// Fields of a relocation with an addend.
pub mod relocation {
    use super::Field;
    pub const OFFSET: Field = (0, 8);
    pub const TYPE: Field = (8, 4);
    pub const SYMBOL: Field = (12, 4);
    pub const ADDEND: Field = (16, 8);
}

/// Types and flags of sections.
pub const PROGBITS: u64 = 1;
pub const NOBITS: u64 = 8;
pub const WRITE: u64 = 1;
pub const ALLOC: u64 = 2;
pub const EXEC: u64 = 4;

/// Size of a section's header, and of a symbol, and of a relocation.
pub const SECTION: usize = 64;
pub const SYMBOL: usize = 24;
pub const RELOCATION: usize = 24;

/// A module file.
#[derive(Clone, Debug)]
pub struct File(pub Vec<u8>);

impl File {
    /// The field `field` of the record at `at`.
    pub fn get(&self, at: usize, field: Field) -> Result<u64> {
        let bytes =
            self.0.get(at + field.0..at + field.0 + field.1).ok_or("a field behind the file's end")?;
        Ok(bytes.iter().rev().fold(0, |n, b| (n << 8) | u64::from(*b)))
    }

    /// Changes it.
    pub fn set(&mut self, at: usize, field: Field, value: u64) -> Result<()> {
        let bytes =
            self.0.get_mut(at + field.0..at + field.0 + field.1).ok_or("a field behind the file's end")?;
        bytes.copy_from_slice(&value.to_le_bytes()[..field.1]);
        Ok(())
    }

    /// How many sections there are.
    pub fn count(&self) -> Result<usize> {
        self.number(0, header::SECTION_COUNT)
    }

    /// A field as a place or a size.
    pub fn number(&self, at: usize, field: Field) -> Result<usize> {
        Ok(usize::try_from(self.get(at, field)?)?)
    }

    /// Where the header of a section is.
    pub fn header(&self, index: usize) -> Result<usize> {
        Ok(self.number(0, header::SECTION_TABLE)? + index * SECTION)
    }

    fn name_at(&self, place: usize) -> Result<&[u8]> {
        let names = self.header(self.number(0, header::NAMES)?)?;
        let strings = self.0.get(self.number(names, section::OFFSET)?..).ok_or("no names")?;
        let name = strings.get(place..).ok_or("a name behind the file's end")?;
        Ok(name.split(|b| *b == 0).next().unwrap_or_default())
    }

    /// The number of the first section of that name.
    pub fn index(&self, name: &str) -> Result<usize> {
        for index in 0..self.count()? {
            let place = self.number(self.header(index)?, section::NAME)?;
            if self.name_at(place)? == name.as_bytes() {
                return Ok(index);
            }
        }
        Err(format!("there is no section {name}").into())
    }

    /// Where its header is.
    pub fn find(&self, name: &str) -> Result<usize> {
        self.header(self.index(name)?)
    }

    /// Where its contents are.
    pub fn contents(&self, name: &str) -> Result<Range<usize>> {
        let at = self.find(name)?;
        let start = self.number(at, section::OFFSET)?;
        Ok(start..start + self.number(at, section::SIZE)?)
    }

    /// Changes a field of the header of the section `name`.
    pub fn set_section(&mut self, name: &str, field: Field, value: u64) -> Result<()> {
        let at = self.find(name)?;
        self.set(at, field, value)
    }

    fn append(&mut self, bytes: &[u8]) -> usize {
        self.0.resize(self.0.len().next_multiple_of(64), 0);
        let at = self.0.len();
        self.0.extend_from_slice(bytes);
        at
    }

    /// Gives the section `name` other contents.
    pub fn replace(&mut self, name: &str, contents: &[u8]) -> Result<()> {
        let header = self.find(name)?;
        let at = self.append(contents);
        self.set(header, section::OFFSET, at as u64)?;
        self.set(header, section::SIZE, contents.len() as u64)
    }

    /// The contents of the section `name`.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        Ok(self.0.get(self.contents(name)?).ok_or("a section behind the file's end")?.to_vec())
    }

    /// Adds a section, and gives its number.
    pub fn add(&mut self, name: &str, kind: u64, flags: u64, contents: &[u8]) -> Result<usize> {
        let names_header = self.header(self.number(0, header::NAMES)?)?;
        let mut names = {
            let start = self.number(names_header, section::OFFSET)?;
            let size = self.number(names_header, section::SIZE)?;
            self.0.get(start..start + size).ok_or("names behind the file's end")?.to_vec()
        };
        let name_at = names.len() as u64;
        names.extend_from_slice(name.as_bytes());
        names.push(0);
        let at = self.append(&names);
        self.set(names_header, section::OFFSET, at as u64)?;
        self.set(names_header, section::SIZE, names.len() as u64)?;
        let data = self.append(contents);
        let count = self.count()?;
        let table = self.header(0)?;
        let mut headers = self.0.get(table..table + count * SECTION).ok_or("headers cut off")?.to_vec();
        headers.resize((count + 1) * SECTION, 0);
        let table = self.append(&headers);
        self.set(0, header::SECTION_TABLE, table as u64)?;
        self.set(0, header::SECTION_COUNT, count as u64 + 1)?;
        let new = self.header(count)?;
        let fields = [
            (section::NAME, name_at),
            (section::TYPE, kind),
            (section::FLAGS, flags),
            (section::OFFSET, data as u64),
            (section::SIZE, contents.len() as u64),
            (section::ALIGN, 1),
        ];
        for (field, value) in fields {
            self.set(new, field, value)?;
        }
        Ok(count)
    }

    /// Adds a section with the header of another, so with its contents, too.
    pub fn again(&mut self, name: &str) -> Result<usize> {
        let header = self.find(name)?;
        let old = self.0[header..header + SECTION].to_vec();
        let index = self.add(name, PROGBITS, 0, &[])?;
        let new = self.header(index)?;
        self.0[new..new + SECTION].copy_from_slice(&old);
        Ok(index)
    }

    /// Where the symbol `name` is.
    pub fn symbol(&self, name: &str) -> Result<usize> {
        let strings = self.contents(".strtab")?;
        for at in self.contents(".symtab")?.step_by(SYMBOL) {
            let start = strings.start + self.number(at, symbol::NAME)?;
            let text = self.0.get(start..).ok_or("a symbol's name behind the file's end")?;
            if text.starts_with(name.as_bytes()) && text.get(name.len()) == Some(&0) {
                return Ok(at);
            }
        }
        Err(format!("there is no symbol {name}").into())
    }

    /// The number of the symbol `name`, as relocations have it.
    pub fn symbol_index(&self, name: &str) -> Result<usize> {
        Ok((self.symbol(name)? - self.contents(".symtab")?.start) / SYMBOL)
    }

    /// Where the first relocation of `section` is that has one of the types `kinds`.
    pub fn relocation(&self, section: &str, kinds: &[u64]) -> Result<usize> {
        for at in self.contents(&format!(".rela{section}"))?.step_by(RELOCATION) {
            if kinds.contains(&self.get(at, relocation::TYPE)?) {
                return Ok(at);
            }
        }
        Err(format!("{section} has no relocation of the types {kinds:?}").into())
    }
}
