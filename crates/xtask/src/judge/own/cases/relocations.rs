// SPDX-License-Identifier: LGPL-2.1-or-later
//! Relocations for x86-64.

use super::changed;
use crate::judge::cases::Spec;
use crate::judge::elf::{Field, File, relocation, section};

const NONE: u64 = 0;
const ABSOLUTE_64: u64 = 1;
const RELATIVE_32: u64 = 2;
const CALL_32: u64 = 4;
const UNSIGNED_32: u64 = 10;
const SIGNED_32: u64 = 11;

/// The kinds that code has.
const OF_CODE: &[u64] = &[RELATIVE_32, CALL_32, UNSIGNED_32, SIGNED_32];

/// Changes fields of the first relocation of the code that runs at the beginning.
fn first(set: &str, fields: &'static [(Field, u64)]) -> Spec {
    changed(&format!("relocation-{set}"), move |file| {
        let at = file.relocation(".text", OF_CODE)?;
        fields.iter().try_for_each(|(field, value)| file.set(at, *field, *value))
    })
}

pub fn all() -> Vec<Spec> {
    let kinds: &[(&str, &'static [(Field, u64)])] = &[
        ("got-relative", &[(relocation::TYPE, 9)]),
        ("16-bit", &[(relocation::TYPE, 12)]),
        ("relaxed-got", &[(relocation::TYPE, 42)]),
        ("size-64", &[(relocation::TYPE, 33)]),
        ("unknown", &[(relocation::TYPE, 200)]),
        ("thread-local", &[(relocation::TYPE, 23)]),
        ("none", &[(relocation::TYPE, NONE)]),
        ("signed-32-overflows", &[(relocation::TYPE, SIGNED_32), (relocation::ADDEND, 1 << 40)]),
        ("relative-64", &[(relocation::TYPE, 24)]),
        ("relative-32-far-away", &[(relocation::TYPE, RELATIVE_32), (relocation::ADDEND, 1 << 40)]),
    ];
    let mut list: Vec<Spec> = kinds.iter().map(|(set, fields)| first(set, fields)).collect();
    // Which symbol the first is of depends on the compiler.
    for (set, of) in [("overflows", "init_module"), ("of-an-export", "kfree")] {
        list.push(changed(&format!("relocation-unsigned-32-{set}"), move |file| {
            let at = file.relocation(".text", OF_CODE)?;
            let index = file.symbol_index(of)? as u64;
            let fields =
                [(relocation::TYPE, UNSIGNED_32), (relocation::SYMBOL, index), (relocation::ADDEND, 0)];
            fields.iter().try_for_each(|(field, value)| file.set(at, *field, *value))
        }));
    }
    list.push(changed("relocation-target-not-zero", |file| {
        let at = file.relocation(".text", OF_CODE)?;
        let place = file.contents(".text")?.start + file.number(at, relocation::OFFSET)?;
        file.0[place] = 0x55;
        Ok(())
    }));
    list.push(changed("relocation-target-not-zero-in-data", |file| {
        let (name, at) = of_data(file)?;
        let place = file.contents(name)?.start + file.number(at, relocation::OFFSET)?;
        file.0[place] = 0x55;
        Ok(())
    }));
    list.push(changed("relocation-unknown-in-data", |file| {
        let (_, at) = of_data(file)?;
        file.set(at, relocation::TYPE, 100)
    }));
    let table = |set: &str, name: &'static str, field, value| {
        changed(&format!("relocation-table-{set}"), move |file| file.set_section(name, field, value))
    };
    list.extend([
        table("without-addends", ".rela.text", section::TYPE, 9),
        table("for-no-section", ".rela.text", section::INFO, 0xfff0),
        table("for-section-0", ".rela.text", section::INFO, 0),
        table("link", ".rela.text", section::LINK, 0),
        table("entry-size", ".rela.text", section::ENTRY_SIZE, 16),
        table("of-live-patch", ".rela.text", section::FLAGS, 0x0010_0000),
        table("empty", ".rela.text", section::SIZE, 0),
        changed("relocation-table-odd-size", |file| {
            let size = file.get(file.find(".rela.text")?, section::SIZE)?;
            file.set_section(".rela.text", section::SIZE, size - 1)
        }),
        changed("relocation-unknown-not-loaded", |file| {
            let comment = file.index(".comment")? as u64;
            let new = file.add(".rela.comment", 4, 0, &[0xee; 24])?;
            let at = file.header(new)?;
            file.set(at, section::INFO, comment)
        }),
        changed("relocation-unknown-in-a-loaded-section-of-our-own", |file| {
            let data = file.add("kj_data", 1, 3, &[0; 16])? as u64;
            let mut record = vec![0; 24];
            record[8] = 77;
            let new = file.add(".relakj_data", 4, 0, &record)?;
            let at = file.header(new)?;
            file.set(at, section::INFO, data)
        }),
    ]);
    list
}

/// A relocation of data, and the section that it is for.
fn of_data(file: &File) -> crate::judge::run::Result<(&'static str, usize)> {
    for name in [".data", ".data.rel", ".data.rel.ro", ".rodata", ".data.rel.local"] {
        if let Ok(at) = file.relocation(name, &[ABSOLUTE_64]) {
            return Ok((name, at));
        }
    }
    Err("no data has relocations".into())
}
