// SPDX-License-Identifier: LGPL-2.1-or-later
//! Types for BPF programs (BTF), as kernels and their modules have them.

/// BTF (little endian), type by type: of a kernel's image, or of a module.
#[derive(Clone, Debug, Default)]
pub struct BtfBuilder {
    types: Vec<u8>,
    names: Vec<u8>,
    count: u32,
    first: u32,
    first_name: u32,
}

impl BtfBuilder {
    /// Of an image.
    pub fn image() -> Self {
        Self { names: vec![0], first: 1, ..Self::default() }
    }

    /// Of a module of the kernel with that image, which is complete.
    pub fn module(image: &Self) -> Self {
        let first_name =
            image.first_name + u32::try_from(image.names.len()).expect("a test's types are small");
        Self { first: image.first + image.count, first_name, ..Self::default() }
    }

    fn name(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        let at = self.first_name + u32::try_from(self.names.len()).expect("a test's types are small");
        self.names.extend(name.bytes().chain([0]));
        at
    }

    /// Any type: its name, its kind, how many rows it has, its size or the type that it refers to, and what follows. Returns its
    /// number.
    pub fn add(&mut self, name: &str, kind: u32, rows: u32, size: u32, more: &[u32]) -> u32 {
        let name = self.name(name);
        let words = [&[name, kind << 24 | rows, size], more].concat();
        self.types.extend(words.into_iter().flat_map(u32::to_le_bytes));
        self.count += 1;
        self.first + self.count - 1
    }

    /// An integer of so many bytes.
    pub fn int(&mut self, name: &str, size: u32) -> u32 {
        self.add(name, 1, 0, size, &[size * 8])
    }

    /// A pointer.
    pub fn pointer(&mut self, to: u32) -> u32 {
        self.add("", 2, 0, to, &[])
    }

    /// A structure: its size, and name, type and offset of each member, in bytes.
    pub fn structure(&mut self, name: &str, size: u32, members: &[(&str, u32, u32)]) -> u32 {
        let more: Vec<u32> = members.iter().flat_map(|(m, of, byte)| [self.name(m), *of, byte * 8]).collect();
        self.add(name, 4, u32::try_from(members.len()).expect("a test's types are small"), size, &more)
    }

    /// A function that takes arguments of these types and returns nothing.
    pub fn function(&mut self, name: &str, takes: &[u32]) -> u32 {
        let rows: Vec<u32> = takes.iter().flat_map(|of| [0, *of]).collect();
        let of = self.add("", 13, u32::try_from(takes.len()).expect("a test's types are small"), 0, &rows);
        self.add(name, 12, 1, of, &[])
    }

    /// The number that the next type will have.
    pub fn next_id(&self) -> u32 {
        self.first + self.count
    }

    /// The section.
    pub fn build(&self) -> Vec<u8> {
        let (types, names) = (self.types.len(), self.names.len());
        let header = [24, 0, types, types, names]
            .map(|n| u32::try_from(n).expect("a test's types are small").to_le_bytes())
            .concat();
        [&[0x9f, 0xeb, 1, 0][..], &header, &self.types, &self.names].concat()
    }
}
