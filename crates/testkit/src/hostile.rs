// SPDX-License-Identifier: LGPL-2.1-or-later
//! Modules that are made to cost memory or time.

use crate::{Compression, RawElf, compress};

/// A module that costs as much as it can.
#[derive(Debug, Clone)]
pub struct HostileModule {
    /// The file's name.
    pub file: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// A part of what it is refused with; `None`: it is as good as any, only odd.
    pub refused: Option<&'static str>,
}

/// One of each kind, built for the kernel release `krel`. All are small as files.
pub fn hostile_modules(krel: &str) -> Vec<HostileModule> {
    let packed = |bytes: &[u8]| compress(bytes, Compression::Zst);
    let module = |file, bytes, refused| HostileModule { file, bytes, refused: Some(refused) };
    let lz4 = [0x02, 0x21, 0x4c, 0x18, 2, 0, 0, 0, 0x10, b'x'];
    vec![
        HostileModule { file: "sections.ko.zst", bytes: packed(&sections(krel)), refused: None },
        module("relocations.ko.zst", packed(&relocations(krel)), "overlap so that more than"),
        module("one_name.ko.zst", packed(&one_name(krel)), "overlap so that more than"),
        module("names.ko.zst", packed(&names(krel)), "bytes of memory"),
        module("zeros.ko.zst", packed(&vec![0; 200 << 20]), "the limit for so few"),
        module("members.ko.gz", compress(b"x", Compression::Gz).repeat(50_000), "streams, the limit"),
        module("streams.ko", lz4.repeat(10_000), "streams, the limit"),
        module("claims.ko", claims(krel), "past the end"),
    ]
}

/// 50,000 sections that relocations could be for, but that there is none for.
fn sections(krel: &str) -> Vec<u8> {
    let mut elf = RawElf::module(krel);
    let empty = elf.loaded(b".a", &[]);
    for _ in 0..50_000 {
        elf.again(empty);
    }
    let name = elf.string(b"printk");
    elf.symbol(name, 0, 0);
    elf.build()
}

/// 3,000 tables of relocations at one place.
fn relocations(krel: &str) -> Vec<u8> {
    let mut elf = RawElf::module(krel);
    let table = elf.loaded(b"__ksymtab", &[0; 24]);
    let name = elf.string(b"printk");
    let printk = elf.symbol(name, 0, 0);
    let list = elf.relocations(table, &vec![(0, printk, 0); 170_000]);
    for _ in 0..3000 {
        elf.again(list);
    }
    elf.build()
}

/// 4,000 symbols with one name of a mebibyte.
fn one_name(krel: &str) -> Vec<u8> {
    let mut elf = RawElf::module(krel);
    let name = elf.string(&vec![b'a'; 1 << 20]);
    for _ in 0..4000 {
        elf.symbol(name, 0, 0);
    }
    elf.build()
}

/// A million symbols.
fn names(krel: &str) -> Vec<u8> {
    let mut elf = RawElf::module(krel);
    let name = elf.string(b"a");
    for _ in 0..1 << 20 {
        elf.symbol(name, 0, 0);
    }
    elf.build()
}

/// A section larger than the file.
fn claims(krel: &str) -> Vec<u8> {
    let mut elf = RawElf::module(krel);
    let section = elf.loaded(b"__versions", &[0; 64]);
    elf.claim(section, 1 << 40);
    elf.build()
}
