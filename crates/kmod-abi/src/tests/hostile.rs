// SPDX-License-Identifier: LGPL-2.1-or-later
//! Modules that are made to cost memory or time: what is read of them is bounded by their size, and the work grows with it only.

use testkit::{ModuleBuilder, RawElf};

use super::KREL;
use crate::{Facts, Module, SymbolTable, loaded_parts};
use kmp_steps::{grow_linearly, steps_of};

/// All readers of modules; what the first says of it.
fn read(bytes: &[u8]) -> Result<Module, String> {
    let module = Module::parse(bytes, "hostile").map_err(|e| e.to_string());
    let _ = Facts::parse(bytes);
    loaded_parts(bytes, &mut |_| {});
    module
}

#[track_caller]
fn refused(bytes: &[u8], why: &str) {
    let error = read(bytes).unwrap_err();
    assert!(error.contains(why), "{error}");
}

/// As gcc writes modules with -ffunction-sections: a section, its relocations and a symbol for each function.
fn sections(count: usize, of: &[u8]) -> Vec<u8> {
    let mut elf = RawElf::module(KREL);
    let used = elf.string(b"printk");
    let used = elf.symbol(used, 0, 0);
    for i in 0..count {
        let section = elf.loaded(&[of, format!(".{i}").as_bytes()].concat(), &[0x90; 64]);
        elf.relocations(section, &[(8, used, 0), (24, used, 4)]);
        if section < 0xff00 {
            let name = elf.string(format!("__crc_function_{i}").as_bytes());
            elf.symbol(name, section, 16);
        }
    }
    elf.build()
}

#[test]
fn a_module_of_65_000_sections_is_like_any_other() {
    let module = read(&sections(32_500, b".text.amdgpu_dm_function")).unwrap();
    assert_eq!(module.needs.iter().map(|n| &*n.symbol).collect::<Vec<_>>(), ["printk"]);
    assert!(module.memory() < 10_000, "{}", module.memory());
    // Where the number does not fit into the header, section 0 has it, which the kernel does not look at.
    assert!(read(&sections(39_500, b".text.amdgpu_dm_function")).is_err());
}

#[test]
fn work_grows_with_the_number_of_sections() {
    grow_linearly(50, |n| sections(n, b".text"), |bytes| drop(read(&bytes).unwrap()));
}

/// Each table of exports asks for its CRCs by name, and each CRC for its section by number.
#[test]
fn work_grows_with_the_number_of_tables_and_crcs() {
    let tables = |n: usize| {
        let mut elf = RawElf::module(KREL);
        for i in 0..n {
            let table = elf.loaded(b"__ksymtab", &[0; 12]);
            let crcs = elf.loaded(b"__kcrctab", &[0; 4]);
            for (start, section) in [("__ksymtab_", table), ("__crc_", crcs)] {
                let name = elf.string(format!("{start}export_{i}").as_bytes());
                elf.symbol(name, section, 0);
            }
        }
        elf.build()
    };
    let bytes = tables(10);
    assert_eq!(read(&bytes).unwrap().offers.len(), 10);
    grow_linearly(40, tables, |bytes| drop(read(&bytes).unwrap()));
}

#[test]
fn overlapping_relocations_are_refused() {
    let relocations = |tables: usize, each: usize| {
        let mut elf = RawElf::module(KREL);
        let table = elf.loaded(b"__ksymtab", &[0; 24]);
        elf.loaded(b"__ksymtab_strings", b"name\0");
        let used = elf.string(b"printk");
        let used = elf.symbol(used, 0, 0);
        let list = elf.relocations(table, &vec![(0, used, 0); each]);
        for _ in 1..tables {
            elf.again(list);
        }
        elf.build()
    };
    refused(&relocations(1000, 10_000), "overlap so that more than");
    // In several tables, each its own, they are sound.
    read(&relocations(1, 40_000)).unwrap();
    let steps = steps_of(|| drop(read(&relocations(1000, 10_000))));
    assert!(steps < 400_000, "{steps}");
}

#[test]
fn one_long_name_of_many_symbols_or_sections_is_refused() {
    let symbols = |count: usize, len: usize, prefix: &str| {
        let mut elf = RawElf::module(KREL);
        let section = elf.loaded(b"__ksymtab", &[0; 24]);
        let name = elf.string(&[prefix.as_bytes(), &vec![b'a'; len]].concat());
        for _ in 0..count {
            elf.symbol(name, if prefix.is_empty() { 0 } else { section }, 0);
        }
        elf.build()
    };
    refused(&symbols(4000, 1 << 20, ""), "overlap so that more than");
    for prefix in ["__ksymtab_", "__crc_", "__kstrtabns_"] {
        refused(&symbols(4000, 1 << 20, prefix), "overlap so that more than");
    }
    refused(&symbols(1, 5000, ""), "has 5000 bytes, the limit is 4096");
    refused(&symbols(1, 5000, "__ksymtab_"), "has 5000 bytes, the limit is 4096");
    read(&symbols(1, 500, "")).unwrap();
    read(&symbols(4000, 500, "__other_")).unwrap_err();

    let mut elf = RawElf::module(KREL);
    let long = elf.loaded(&vec![b'.'; 1 << 20], &[]);
    for _ in 0..1000 {
        elf.again(long);
    }
    refused(&elf.build(), "overlap so that more than");
}

/// Strings that exports refer to: each as long as the rest of their section.
#[test]
fn texts_without_an_end_are_read_a_few_times_only() {
    let mut elf = RawElf::module(KREL);
    let table = elf.loaded(b"__ksymtab", &vec![0; 12 * 2000]);
    let strings = elf.loaded(b"__ksymtab_strings", &vec![b'n'; 1 << 20]);
    let name = elf.string(b"f");
    let (f, text) = (elf.symbol(name, table, 0), elf.symbol(name, strings, 0));
    let list: Vec<(u64, u32, i64)> =
        (0..2000).flat_map(|i| [(i * 12, f, 0), (i * 12 + 4, text, i as i64)]).collect();
    elf.relocations(table, &list);
    assert!(read(&elf.build()).is_err());
}

#[test]
fn what_is_kept_of_a_module_is_bounded() {
    let names = |count: usize| {
        let mut elf = RawElf::module(KREL);
        for i in 0..count {
            let name = elf.string(format!("{i:x}").as_bytes());
            elf.symbol(name, 0, 0);
        }
        elf.build()
    };
    refused(&names(400_000), "take more than 16777216 bytes of memory");
    read(&names(50_000)).unwrap();
    let module = || ModuleBuilder::new("m");
    for module in [
        module().info("depends", "a,".repeat(1 << 20)),
        (0..1 << 19).fold(module(), |m, _| m.alias("")),
        (0..1 << 19).fold(module(), |m, _| m.import_ns("")),
    ] {
        refused(&module.build(), "take more than 16777216 bytes of memory");
    }
}

#[test]
fn sections_of_which_headers_lie() {
    for size in [1 << 20, 1 << 40, u64::MAX] {
        let mut elf = RawElf::module(KREL);
        let section = elf.loaded(b"__versions", &[0; 64]);
        elf.claim(section, size);
        refused(&elf.build(), "past the end");
    }
    // All that is looked at by name is one and the same.
    let mut elf = RawElf::module(KREL);
    for name in [&b"__versions"[..], b"__version_ext_crcs", b"__version_ext_names", b"__ksymtab_strings"] {
        elf.loaded(name, &vec![0; 4 << 20]);
    }
    read(&elf.build()).unwrap();
}

#[test]
fn symvers_of_nothing_but_line_ends_take_no_more_than_their_text() {
    let table = SymbolTable::parse(vec![b'\n'; 8 << 20]).unwrap();
    assert!(table.is_empty());
    assert!(table.memory() <= 24 << 20, "{}", table.memory());
    let lines = |n: usize| {
        let line = |i: usize| format!("0x1\tsymbol{i}\tvmlinux\tEXPORT_SYMBOL\n\n\n");
        (0..n).map(line).collect::<String>().into_bytes()
    };
    grow_linearly(20, lines, |text| drop(SymbolTable::parse(text).unwrap()));
    let long = [b"0x1\t", &vec![b's'; 1 << 20][..], b"\tvmlinux\tEXPORT_SYMBOL\n0x1\ta\tm\tEXPORT_SYMBOL\n"]
        .concat();
    assert_eq!(SymbolTable::parse(long).unwrap().bad_lines(), 1);
}
