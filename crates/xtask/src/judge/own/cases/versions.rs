// SPDX-License-Identifier: LGPL-2.1-or-later
//! Versions of symbols, in the basic and in the extended form, and type information.

use super::changed;
use crate::judge::cases::Spec;
use crate::judge::elf::{self, File, section};
use crate::judge::own::kernel::Small;
use crate::judge::run::Result;

const BASIC: &str = "__versions";
const CRCS: &str = "__version_ext_crcs";
const NAMES: &str = "__version_ext_names";
/// Size of an entry of the basic form: a long, and a name.
const ENTRY: usize = 64;

pub fn all(small: &Small) -> Vec<Spec> {
    let mut list = Vec::new();
    if small.has("MODVERSIONS") {
        if has_basic(small) {
            list.extend(basic());
        }
        if small.has("EXTENDED_MODVERSIONS") {
            list.extend(extended());
        }
        if small.has("EXTENDED_MODVERSIONS") && small.has("BASIC_MODVERSIONS") {
            list.extend(both());
        }
    }
    // What a kernel that reads no such section makes of it.
    list.push(changed("versions-extended-names-only", |file| match file.find(CRCS) {
        Ok(_) => file.set_section(CRCS, section::NAME, 0),
        Err(_) => file.add(NAMES, elf::PROGBITS, elf::ALLOC, b"module_layout\0").map(drop),
    }));
    list.push(changed("versions-extended-crcs-only", |file| match file.find(NAMES) {
        Ok(_) => file.set_section(NAMES, section::NAME, 0),
        Err(_) => file.add(CRCS, elf::PROGBITS, elf::ALLOC, &[1, 2, 3, 4]).map(drop),
    }));
    list.extend(types(small));
    list
}

/// Do its modules have versions in the basic form?
pub fn has_basic(small: &Small) -> bool {
    small.has("MODVERSIONS") && (!small.has("EXTENDED_MODVERSIONS") || small.has("BASIC_MODVERSIONS"))
}

/// Changes the entries of the basic form.
fn entries(set: &str, change: impl Fn(&mut Vec<Vec<u8>>) + Send + Sync + 'static) -> Spec {
    changed(&format!("versions-{set}"), move |file| {
        let mut list: Vec<Vec<u8>> = file.bytes(BASIC)?.chunks(ENTRY).map(<[u8]>::to_vec).collect();
        change(&mut list);
        file.replace(BASIC, &list.concat())
    })
}

fn is_of(entry: &[u8], symbol: &str) -> bool {
    entry[8..].starts_with(symbol.as_bytes()) && entry[8 + symbol.len()] == 0
}

fn basic() -> Vec<Spec> {
    let field = |set: &str, field, value| {
        changed(&format!("versions-{set}"), move |file| file.set_section(BASIC, field, value))
    };
    vec![
        field("empty", section::SIZE, 0),
        field("not-loaded", section::FLAGS, 0),
        field("writable", section::FLAGS, elf::ALLOC | elf::WRITE),
        field("nobits", section::TYPE, elf::NOBITS),
        field("of-another-name", section::NAME, 0),
        field("cut-in-an-entry", section::SIZE, (ENTRY - 1) as u64),
        changed("versions-odd-size", |file| {
            let mut bytes = file.bytes(BASIC)?;
            bytes.extend_from_slice(b"more");
            file.replace(BASIC, &bytes)
        }),
        entries("upper-half", |list| list.iter_mut().for_each(|entry| entry[5] = 1)),
        entries("reversed", |list| list.reverse()),
        entries("twice-right-first", |list| {
            let mut wrong = list.clone();
            wrong.iter_mut().for_each(|entry| entry[0] ^= 1);
            list.extend(wrong);
        }),
        entries("twice-right-last", |list| {
            let mut wrong = list.clone();
            wrong.iter_mut().for_each(|entry| entry[0] ^= 1);
            list.splice(0..0, wrong);
        }),
        entries("of-nobody", |list| {
            let mut entry = vec![7; 8];
            entry.extend_from_slice(b"kj_nowhere");
            entry.resize(ENTRY, 0);
            list.push(entry);
        }),
        entries("without-a-name", |list| list.push(vec![0; ENTRY])),
        entries("zero-crc", |list| {
            list.iter_mut().filter(|e| is_of(e, "module_layout")).for_each(|e| e[..8].fill(0));
        }),
        entries("layout-only", |list| list.retain(|e| is_of(e, "module_layout"))),
    ]
}

fn extended() -> Vec<Spec> {
    let field = |set: &str, name: &'static str, field, value| {
        changed(&format!("versions-extended-{set}"), move |file| file.set_section(name, field, value))
    };
    let less = |set: &str, name: &'static str, by: u64| {
        changed(&format!("versions-extended-{set}"), move |file| {
            let size = file.get(file.find(name)?, section::SIZE)?;
            file.set_section(name, section::SIZE, size - by)
        })
    };
    vec![
        field("no-crcs", CRCS, section::SIZE, 0),
        field("no-names", NAMES, section::SIZE, 0),
        field("crcs-not-loaded", CRCS, section::FLAGS, 0),
        field("names-not-loaded", NAMES, section::FLAGS, 0),
        less("crc-less", CRCS, 4),
        less("half-a-crc-less", CRCS, 2),
        less("names-without-last-nul", NAMES, 1),
        less("name-less", NAMES, 12),
        changed("versions-extended-crc-more", |file| {
            let mut crcs = file.bytes(CRCS)?;
            crcs.extend_from_slice(&[1, 2, 3, 4]);
            file.replace(CRCS, &crcs)
        }),
        changed("versions-extended-name-more", |file| {
            let mut names = file.bytes(NAMES)?;
            names.extend_from_slice(b"kj_nowhere\0");
            file.replace(NAMES, &names)
        }),
        changed("versions-extended-layout-wrong", |file| wrong(file, "module_layout")),
        changed("versions-extended-printk-wrong", |file| wrong(file, "_printk")),
        changed("versions-extended-printk-missing", |file| {
            let names = file.contents(NAMES)?;
            let at = position(&file.0[names.clone()], "_printk").ok_or("no _printk")?;
            file.0[names.start + at] = b'?';
            Ok(())
        }),
    ]
}

/// Where the name of a symbol is among the names, if it is there.
fn position(names: &[u8], symbol: &str) -> Option<usize> {
    let mut at = 0;
    for name in names.split(|b| *b == 0) {
        if name == symbol.as_bytes() {
            return Some(at);
        }
        at += name.len() + 1;
    }
    None
}

/// Gives a section another name: its own without the first letter.
fn hide(file: &mut File, name: &str) -> Result<()> {
    let at = file.find(name)?;
    let place = file.get(at, section::NAME)?;
    file.set(at, section::NAME, place + 1)
}

/// Makes the extended version of a symbol wrong.
fn wrong(file: &mut File, symbol: &str) -> Result<()> {
    let names = file.bytes(NAMES)?;
    let index = names.split(|b| *b == 0).position(|name| name == symbol.as_bytes());
    let at = file.contents(CRCS)?.start + 4 * index.ok_or("no such symbol")?;
    file.0[at] ^= 0x5a;
    Ok(())
}

fn both() -> Vec<Spec> {
    vec![
        changed("versions-extended-only", |file| file.set_section(BASIC, section::NAME, 0)),
        entries("basic-wrong-extended-right", |list| list.iter_mut().for_each(|entry| entry[0] ^= 0x5a)),
        changed("versions-basic-right-extended-gone", |file| {
            hide(file, CRCS)?;
            hide(file, NAMES)
        }),
        changed("versions-neither", |file| {
            [BASIC, CRCS, NAMES].into_iter().try_for_each(|name| hide(file, name))
        }),
    ]
}

/// `.BTF`: where the kernel has none, it does not look.
fn types(small: &Small) -> Vec<Spec> {
    let mut list = vec![
        changed("btf-rubbish", |file| other_types(file, b"no type information at all")),
        changed("btf-empty", |file| other_types(file, b"")),
    ];
    if !small.has("DEBUG_INFO_BTF_MODULES") {
        return list;
    }
    // struct btf_header: magic, version, flags, hdr_len, type_off, type_len, str_off, str_len.
    let field = |set: &str, at: usize, size: usize, value: u64| {
        changed(&format!("btf-{set}"), move |file| {
            let start = file.contents(".BTF")?.start;
            file.set(start + at, (0, size), value)
        })
    };
    list.extend([
        field("magic", 0, 2, 0x1234),
        field("version", 2, 1, 9),
        field("flags", 3, 1, 1),
        field("header-length-short", 4, 4, 8),
        field("header-length-long", 4, 4, 0x10000),
        field("types-far-away", 8, 4, 0x0fff_ffff),
        field("no-types", 12, 4, 0),
        field("strings-far-away", 16, 4, 0x0fff_ffff),
        field("strings-too-long", 20, 4, 0x0fff_ffff),
        field("no-strings", 20, 4, 0),
        field("first-type-unknown", 24 + 4, 4, 0x1f00_0000),
        field("first-name-far-away", 24, 4, 0x0fff_ffff),
        changed("btf-none", |file| file.set_section(".BTF", section::NAME, 0)),
        changed("btf-cut", |file| {
            let size = file.get(file.find(".BTF")?, section::SIZE)?;
            file.set_section(".BTF", section::SIZE, size - 4)
        }),
        changed("btf-header-only", |file| file.set_section(".BTF", section::SIZE, 24)),
        changed("btf-twice", |file| file.again(".BTF").map(drop)),
        changed("btf-not-loaded", |file| file.set_section(".BTF", section::FLAGS, 0)),
        changed("btf-last-string-unfinished", |file| {
            let range = file.contents(".BTF")?;
            file.0[range.end - 1] = b'x';
            Ok(())
        }),
        changed("btf-base-rubbish", |file| {
            file.add(".BTF.base", elf::PROGBITS, 0, b"no type information").map(drop)
        }),
    ]);
    list
}

fn other_types(file: &mut File, contents: &[u8]) -> Result<()> {
    match file.find(".BTF") {
        Ok(_) => file.replace(".BTF", contents),
        Err(_) => file.add(".BTF", elf::PROGBITS, elf::ALLOC, contents).map(drop),
    }
}
