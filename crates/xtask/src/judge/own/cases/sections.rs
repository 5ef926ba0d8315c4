// SPDX-License-Identifier: LGPL-2.1-or-later
//! What sections say of themselves, and those that the loader looks for by name.

use super::changed;
use crate::judge::cases::Spec;
use crate::judge::elf::{self, section};

const THIS_MODULE: &str = ".gnu.linkonce.this_module";

pub fn all() -> Vec<Spec> {
    let mut list = places();
    list.extend(flags());
    list.extend(this_module());
    list.extend(exports());
    list
}

fn places() -> Vec<Spec> {
    let of = |set: &str, name: &'static str, field, value| {
        changed(&format!("section-{set}"), move |file| file.set_section(name, field, value))
    };
    vec![
        of("offset-behind-the-end", ".text", section::OFFSET, 1 << 40),
        of("offset-behind-the-end-not-loaded", ".comment", section::OFFSET, 1 << 40),
        of("size-behind-the-end", ".comment", section::SIZE, 1 << 40),
        of("size-overflows", ".comment", section::SIZE, u64::MAX),
        of("offset-overflows", ".comment", section::OFFSET, u64::MAX - 3),
        of("address", ".comment", section::ADDRESS, 0x1234),
        of("link-far-away", ".comment", section::LINK, 0xfff0),
        of("entry-size", ".comment", section::ENTRY_SIZE, 77),
        of("align-3", ".comment", section::ALIGN, 3),
        of("type-unknown", ".comment", section::TYPE, 0x6fff_1234),
        of("type-none-behind-the-end", ".comment", section::TYPE, 0),
        changed("section-ends-at-the-end", |file| {
            let new = file.add("kj_last", elf::PROGBITS, 0, b"12345678")?;
            let at = file.header(new)?;
            let end = file.0.len() as u64;
            file.set(at, section::OFFSET, end - 8)
        }),
        changed("section-one-byte-past-the-end", |file| {
            let new = file.add("kj_last", elf::PROGBITS, 0, b"12345678")?;
            let at = file.header(new)?;
            let end = file.0.len() as u64;
            file.set(at, section::OFFSET, end - 7)
        }),
        changed("section-nobits-behind-the-end", |file| {
            let new = file.add("kj_bss", elf::NOBITS, elf::ALLOC | elf::WRITE, b"")?;
            let at = file.header(new)?;
            file.set(at, section::OFFSET, 1 << 40)?;
            file.set(at, section::SIZE, 128)
        }),
        changed("section-none-behind-the-end", |file| {
            let new = file.add("kj_none", 0, 0, b"")?;
            let at = file.header(new)?;
            file.set(at, section::OFFSET, 1 << 40)?;
            file.set(at, section::SIZE, 1 << 40)
        }),
        // For a kernel of one processor no compiler makes any.
        changed("section-per-cpu", |file| {
            file.add(".data..percpu", elf::PROGBITS, elf::ALLOC | elf::WRITE, b"12345678").map(drop)
        }),
        changed("section-per-cpu-empty", |file| {
            file.add(".data..percpu", elf::PROGBITS, elf::ALLOC | elf::WRITE, b"").map(drop)
        }),
        changed("section-without-a-name", |file| file.add("", elf::PROGBITS, elf::ALLOC, b"1234").map(drop)),
        changed("section-twice", |file| file.add(".text", elf::PROGBITS, elf::ALLOC, b"1234").map(drop)),
    ]
}

fn flags() -> Vec<Spec> {
    let (w, a, x) = (elf::WRITE, elf::ALLOC, elf::EXEC);
    let more = |set: &str, flags: u64, contents: &'static [u8]| {
        changed(&format!("flags-{set}"), move |file| {
            file.add("kj_more", elf::PROGBITS, flags, contents).map(drop)
        })
    };
    let of = |set: &str, name: &'static str, flags: u64| {
        changed(&format!("flags-{set}"), move |file| file.set_section(name, section::FLAGS, flags))
    };
    vec![
        of("text-writable", ".text", w | a | x),
        of("data-executable", ".data", w | a | x),
        of("init-writable", ".init.text", w | a | x),
        of("read-only-executable", ".modinfo", a | x),
        of("text-not-loaded", ".text", x),
        of("comment-loaded", ".comment", a),
        of("unknown-bits", ".comment", 1 << 40),
        of("excluded", ".comment", 1 << 31),
        of("tls", ".comment", 1 << 10),
        of("compressed", ".comment", 1 << 11),
        more("writable-executable", w | a | x, b"1234"),
        more("writable-executable-not-loaded", w | x, b"1234"),
        more("writable-executable-empty", w | a | x, b""),
        more("executable", a | x, b"1234"),
        more("writable", a | w, b"1234"),
        changed("flags-writable-executable-nobits", |file| {
            let new = file.add("kj_more", elf::NOBITS, elf::WRITE | elf::ALLOC | elf::EXEC, b"")?;
            let at = file.header(new)?;
            file.set(at, section::SIZE, 16)
        }),
        changed("flags-writable-executable-none", |file| {
            file.add("kj_more", 0, elf::WRITE | elf::ALLOC | elf::EXEC, b"").map(drop)
        }),
    ]
}

fn this_module() -> Vec<Spec> {
    let of = |set: &str, field, value| {
        changed(&format!("this-module-{set}"), move |file| file.set_section(THIS_MODULE, field, value))
    };
    let named = |set: &str, name: &'static [u8; 7]| {
        changed(&format!("this-module-{set}"), move |file| {
            let at = file.contents(THIS_MODULE)?.start + 24;
            file.0[at..at + name.len()].copy_from_slice(name);
            Ok(())
        })
    };
    let grown = |set: &str, by: i64| {
        changed(&format!("this-module-{set}"), move |file| {
            let size = file.get(file.find(THIS_MODULE)?, section::SIZE)?;
            file.set_section(THIS_MODULE, section::SIZE, size.saturating_add_signed(by))
        })
    };
    vec![
        of("nobits", section::TYPE, elf::NOBITS),
        of("note", section::TYPE, 7),
        of("not-loaded", section::FLAGS, elf::WRITE),
        of("read-only", section::FLAGS, elf::ALLOC),
        of("empty", section::SIZE, 0),
        of("no-name", section::NAME, 0),
        of("align-1", section::ALIGN, 1),
        grown("larger", 8),
        grown("smaller", -8),
        grown("by-a-byte", 1),
        changed("this-module-twice", |file| file.again(THIS_MODULE).map(drop)),
        changed("this-module-second-not-loaded", |file| {
            file.add(THIS_MODULE, elf::PROGBITS, 0, b"12345678").map(drop)
        }),
        changed("this-module-without-a-name-in-it", |file| {
            let at = file.contents(THIS_MODULE)?.start + 24;
            file.0[at..at + 56].fill(0);
            Ok(())
        }),
        named("of-another-name", b"kj_else"),
        named("of-the-name-of-the-kernel", b"vmlinux"),
    ]
}

fn exports() -> Vec<Spec> {
    let loses = |set: &str, name: &'static str| {
        changed(&format!("exports-{set}"), move |file| {
            // Of another name, and so are its relocations: nobody finds it.
            file.set_section(name, section::NAME, 0)
        })
    };
    let mut list = vec![
        loses("without-ksymtab", "__ksymtab"),
        changed("exports-ksymtab-not-loaded", |file| file.set_section("__ksymtab", section::FLAGS, 0)),
        changed("exports-old-gpl-table", |file| {
            file.add("__ksymtab_gpl", elf::PROGBITS, elf::ALLOC, &[]).map(drop)
        }),
        changed("exports-odd-size", |file| {
            let size = file.get(file.find("__ksymtab")?, section::SIZE)?;
            file.set_section("__ksymtab", section::SIZE, size - 1)
        }),
    ];
    for name in ["__kcrctab", "__kcrctab_gpl", "__kflagstab"] {
        // Not every kernel's modules have each.
        let set = format!("exports-without-{}", name.trim_start_matches('_').replace('_', "-"));
        list.push(changed(&set, move |file| match file.find(name) {
            Ok(_) => file.set_section(name, section::NAME, 0),
            Err(_) => Ok(()),
        }));
    }
    list
}
