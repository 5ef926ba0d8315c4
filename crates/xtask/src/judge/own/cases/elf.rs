// SPDX-License-Identifier: LGPL-2.1-or-later
//! The ELF header, the table of sections, names and symbols.

use super::changed;
use crate::judge::cases::Spec;
use crate::judge::elf::{self, Field, File, SECTION, header, section, symbol};
use crate::judge::run::Result;

pub fn all() -> Vec<Spec> {
    let mut list = header_fields();
    list.extend(tables());
    list.extend(first_section());
    list.extend(names());
    list.extend(symbols());
    list
}

/// One field of the ELF header.
fn header_field(set: &str, field: Field, value: u64) -> Spec {
    changed(&format!("elf-{set}"), move |file| file.set(0, field, value))
}

fn header_fields() -> Vec<Spec> {
    let ident = |at: usize| (at, 1);
    let mut list = vec![
        header_field("magic", ident(0), 0x7e),
        header_field("class-32", ident(4), 1),
        header_field("class-none", ident(4), 0),
        header_field("big-endian", ident(5), 2),
        header_field("ident-version", ident(6), 7),
        header_field("os-abi", ident(7), 9),
        header_field("abi-version", ident(8), 3),
        header_field("ident-padding", ident(15), 1),
        header_field("machine-none", header::MACHINE, 0),
        header_field("machine-i386", header::MACHINE, 3),
        header_field("version-0", header::VERSION, 0),
        header_field("entry", header::ENTRY, 0x1000),
        header_field("program-headers", header::PROGRAM_HEADERS, 64),
        header_field("flags", header::FLAGS, 5),
        header_field("header-size", header::HEADER_SIZE, 0),
        header_field("section-size-0", header::SECTION_SIZE, 0),
        header_field("section-size-40", header::SECTION_SIZE, 40),
        header_field("section-size-128", header::SECTION_SIZE, 128),
        header_field("no-sections", header::SECTION_COUNT, 0),
        header_field("one-section", header::SECTION_COUNT, 1),
        header_field("65535-sections", header::SECTION_COUNT, 0xffff),
        header_field("no-table", header::SECTION_TABLE, 0),
        header_field("table-far-away", header::SECTION_TABLE, 1 << 40),
        header_field("table-at-the-last-byte-there-is", header::SECTION_TABLE, u64::MAX),
        header_field("names-0", header::NAMES, 0),
        header_field("names-65535", header::NAMES, 0xffff),
    ];
    for (name, kind) in [("none", 0), ("executable", 2), ("shared", 3), ("core", 4)] {
        list.push(header_field(&format!("type-{name}"), header::TYPE, kind));
    }
    for (name, bytes) in [("cut-in-header", 63), ("header-only", 64), ("four-bytes", 4)] {
        list.push(changed(&format!("elf-{name}"), move |file| {
            file.0.truncate(bytes);
            Ok(())
        }));
    }
    list
}

fn tables() -> Vec<Spec> {
    vec![
        changed("elf-one-section-more", |file| {
            let end = file.0.len() - file.number(0, header::SECTION_TABLE)?;
            file.set(0, header::SECTION_COUNT, (end / SECTION) as u64 + 1)
        }),
        changed("elf-one-section-less", |file| {
            let count = file.count()? as u64;
            file.set(0, header::SECTION_COUNT, count - 1)
        }),
        changed("elf-empty-section-more", |file| file.add("kj_empty", 0, 0, b"").map(drop)),
        changed("elf-table-at-the-end", |file| {
            let end = file.0.len() as u64;
            file.set(0, header::SECTION_TABLE, end)
        }),
        changed("elf-table-not-aligned", |file| {
            let table = file.header(0)?;
            let headers = file.0[table..table + file.count()? * SECTION].to_vec();
            file.0.push(0);
            if file.0.len().is_multiple_of(2) {
                file.0.push(0);
            }
            let at = file.0.len() as u64;
            file.0.extend(headers);
            file.set(0, header::SECTION_TABLE, at)
        }),
        changed("elf-bytes-at-the-end", |file| {
            file.0.extend_from_slice(b"more than there are sections for");
            Ok(())
        }),
        changed("elf-names-past-the-table", |file| {
            let count = file.count()? as u64;
            file.set(0, header::NAMES, count)
        }),
        changed("elf-names-in-text", |file| {
            let text = file.index(".text")? as u64;
            file.set(0, header::NAMES, text)
        }),
        changed("elf-names-in-strtab", |file| {
            let strings = file.index(".strtab")? as u64;
            file.set(0, header::NAMES, strings)
        }),
    ]
}

fn first_section() -> Vec<Spec> {
    let fields = [
        ("name", section::NAME, 1),
        ("type", section::TYPE, elf::PROGBITS),
        ("flags", section::FLAGS, elf::ALLOC),
        ("address", section::ADDRESS, 1),
        ("offset", section::OFFSET, 1 << 40),
        ("size", section::SIZE, 1),
        ("link", section::LINK, 3),
        ("info", section::INFO, 3),
        ("align", section::ALIGN, 3),
    ];
    let spec = |(name, field, value)| {
        changed(&format!("elf-section-0-{name}"), move |file: &mut File| {
            let first = file.header(0)?;
            file.set(first, field, value)
        })
    };
    fields.into_iter().map(spec).collect()
}

/// The header of the table of section names.
fn names_header(file: &File) -> Result<usize> {
    file.header(file.number(0, header::NAMES)?)
}

fn names() -> Vec<Spec> {
    let name_of = |set: &str, of: &'static str, value: u64| {
        changed(&format!("elf-{set}"), move |file| file.set_section(of, section::NAME, value))
    };
    vec![
        name_of("name-far-away", ".text", 0x00ff_ffff),
        name_of("name-far-away-not-loaded", ".comment", 0x00ff_ffff),
        changed("elf-name-just-past", |file| {
            let size = file.get(names_header(file)?, section::SIZE)?;
            file.set_section(".comment", section::NAME, size)
        }),
        changed("elf-name-far-away-of-none", |file| {
            let new = file.add("kj_none", 0, 0, b"")?;
            let at = file.header(new)?;
            file.set(at, section::NAME, 0x00ff_ffff)
        }),
        changed("elf-names-empty", |file| file.set(names_header(file)?, section::SIZE, 0)),
        changed("elf-names-without-nul", |file| {
            let at = names_header(file)?;
            let end = file.number(at, section::OFFSET)? + file.number(at, section::SIZE)?;
            file.0[end - 1] = b'x';
            Ok(())
        }),
        changed("elf-names-cut", |file| {
            let at = names_header(file)?;
            let size = file.get(at, section::SIZE)?;
            file.set(at, section::SIZE, size - 2)
        }),
        changed("elf-names-no-strings", |file| file.set(names_header(file)?, section::TYPE, elf::PROGBITS)),
        changed("elf-names-behind-the-end", |file| file.set(names_header(file)?, section::OFFSET, 1 << 40)),
    ]
}

fn symbols() -> Vec<Spec> {
    let of_symbol = |set: &str, of: &'static str, field: Field, value: u64| {
        changed(&format!("elf-symbol-{set}"), move |file| {
            let at = file.symbol(of)?;
            file.set(at, field, value)
        })
    };
    vec![
        changed("elf-no-symtab", |file| file.set_section(".symtab", section::TYPE, elf::PROGBITS)),
        changed("elf-two-symtabs", |file| file.again(".symtab").map(drop)),
        changed("elf-symtab-link-0", |file| file.set_section(".symtab", section::LINK, 0)),
        changed("elf-symtab-link-past", |file| {
            let count = file.count()? as u64;
            file.set_section(".symtab", section::LINK, count)
        }),
        changed("elf-symtab-link-text", |file| {
            let text = file.index(".text")? as u64;
            file.set_section(".symtab", section::LINK, text)
        }),
        changed("elf-symtab-info", |file| file.set_section(".symtab", section::INFO, 0)),
        changed("elf-symtab-entry-size", |file| file.set_section(".symtab", section::ENTRY_SIZE, 16)),
        changed("elf-symtab-odd-size", |file| {
            let size = file.get(file.find(".symtab")?, section::SIZE)?;
            file.set_section(".symtab", section::SIZE, size - 1)
        }),
        changed("elf-symtab-behind-the-end", |file| file.set_section(".symtab", section::SIZE, 1 << 40)),
        changed("elf-strtab-first-byte", |file| {
            let strings = file.contents(".strtab")?;
            file.0[strings.start] = b'x';
            Ok(())
        }),
        changed("elf-strtab-last-byte", |file| {
            let strings = file.contents(".strtab")?;
            file.0[strings.end - 1] = b'x';
            Ok(())
        }),
        changed("elf-strtab-empty", |file| file.set_section(".strtab", section::SIZE, 0)),
        changed("elf-strtab-type", |file| file.set_section(".strtab", section::TYPE, elf::PROGBITS)),
        of_symbol("name-far-away", "kj_base_function", symbol::NAME, 0x00ff_ffff),
        of_symbol("section-far-away", "kj_base_function", symbol::SECTION, 0xfe00),
        of_symbol("section-reserved", "kj_base_function", symbol::SECTION, 0xff10),
        of_symbol("common", "kj_base_function", symbol::SECTION, 0xfff2),
        of_symbol("absolute", "kj_base_unused", symbol::SECTION, 0xfff1),
        of_symbol("undefined", "kj_base_unused", symbol::SECTION, 0),
        of_symbol("of-live-patch", "kj_base_unused", symbol::SECTION, 0xff20),
        changed("elf-symbol-undefined-local", |file| {
            let at = file.symbol("kj_base_unused")?;
            file.set(at, symbol::INFO, 0)?;
            file.set(at, symbol::SECTION, 0)
        }),
        changed("elf-symbol-undefined-weak", |file| {
            let at = file.symbol("kj_base_unused")?;
            file.set(at, symbol::INFO, 0x20)?;
            file.set(at, symbol::SECTION, 0)
        }),
        changed("elf-symbol-undefined-without-name", |file| {
            let at = file.symbol("kj_base_unused")?;
            file.set(at, symbol::NAME, 0)?;
            file.set(at, symbol::SECTION, 0)
        }),
        changed("elf-symbol-section-just-past", |file| {
            let (at, count) = (file.symbol("kj_base_unused")?, file.count()? as u64);
            file.set(at, symbol::SECTION, count)
        }),
        changed("elf-symbol-0", |file| {
            let at = file.contents(".symtab")?.start;
            file.set(at, symbol::SECTION, 0xfe00)
        }),
    ]
}
