// SPDX-License-Identifier: LGPL-2.1-or-later
//! What `.modinfo` says, and where it is.

use super::changed;
use crate::judge::cases::Spec;
use crate::judge::elf::{self, File, section};
use crate::judge::own::kernel::Small;
use crate::judge::run::Result;

/// The entries of `.modinfo`, as they are in it.
fn entries(file: &File) -> Result<Vec<String>> {
    let bytes = file.bytes(".modinfo")?;
    let entries = bytes.split(|b| *b == 0).filter(|entry| !entry.is_empty());
    Ok(entries.map(|entry| String::from_utf8_lossy(entry).into_owned()).collect())
}

fn write(file: &mut File, entries: &[String]) -> Result<()> {
    let text: String = entries.iter().map(|entry| format!("{entry}\0")).collect();
    file.replace(".modinfo", text.as_bytes())
}

/// Changes the list of entries.
fn edited(set: &str, change: impl Fn(&mut Vec<String>) + Send + Sync + 'static) -> Spec {
    changed(&format!("modinfo-{set}"), move |file| {
        let mut list = entries(file)?;
        change(&mut list);
        write(file, &list)
    })
}

/// Another value for a key that is there.
fn value(set: &str, key: &'static str, change: impl Fn(&str) -> String + Send + Sync + 'static) -> Spec {
    edited(set, move |list| {
        for entry in list.iter_mut() {
            if let Some(old) = entry.strip_prefix(key).and_then(|rest| rest.strip_prefix('=')) {
                *entry = format!("{key}={}", change(old));
            }
        }
    })
}

fn more(set: &str, entry: &'static str) -> Spec {
    edited(set, move |list| list.push(entry.into()))
}

fn without(set: &str, key: &'static str) -> Spec {
    edited(set, move |list| list.retain(|entry| !entry.starts_with(&format!("{key}="))))
}

pub fn all(small: &Small) -> Vec<Spec> {
    let mut list = licences();
    list.extend(vermagic(small));
    list.extend(section_of_its_own());
    list.extend([
        without("no-name", "name"),
        value("other-name", "name", |_| "kj_else".into()),
        value("name-with-dash", "name", |_| "kj-base".into()),
        value("empty-name", "name", |_| String::new()),
        without("no-depends", "depends"),
        value("depends-on-nobody", "depends", |_| "kj_nowhere".into()),
        more("intree", "intree=Y"),
        more("staging", "staging=Y"),
        more("retpoline", "retpoline=Y"),
        more("test", "test=Y"),
        more("live-patch", "livepatch=Y"),
        more("live-patch-no", "livepatch=N"),
        more("imports-module-namespace", "import_ns=module:kj_base"),
        more("imports-namespace-that-is-not-there", "import_ns=KJ_NOT_THERE"),
        more("imports-empty-namespace", "import_ns="),
        more("softdep-on-nobody", "softdep=pre: kj_nowhere"),
        more("alias", "alias=pci:v*"),
        more("firmware", "firmware=kj/firmware.bin"),
        more("entry-without-value", "kj_flag"),
        more("srcversion", "srcversion=ABCDEF"),
        more("parameter-that-is-not-there", "parmtype=kj_other:int"),
    ]);
    list
}

fn licences() -> Vec<Spec> {
    let licences = [
        ("gpl-v2", "GPL v2"),
        ("gpl-and-additional", "GPL and additional rights"),
        ("dual-bsd", "Dual BSD/GPL"),
        ("dual-mit", "Dual MIT/GPL"),
        ("dual-mpl", "Dual MPL/GPL"),
        ("gpl-lower-case", "gpl"),
        ("gpl-v3", "GPLv3"),
        ("gpl-with-blank", "GPL "),
        ("empty", ""),
    ];
    let mut list: Vec<Spec> = licences
        .into_iter()
        .map(|(set, licence)| value(&format!("licence-{set}"), "license", move |_| licence.into()))
        .collect();
    list.extend([
        without("licence-none", "license"),
        edited("licence-twice-free-first", |list| list.push("license=Proprietary".into())),
        edited("licence-twice-free-last", |list| list.insert(0, "license=Proprietary".into())),
    ]);
    list
}

fn vermagic(small: &Small) -> Vec<Spec> {
    let release = small.kernel.release.clone();
    let key = "vermagic";
    vec![
        without("vermagic-none", key),
        value("vermagic-empty", key, |_| String::new()),
        value("vermagic-release-only", key, |old| old.split(' ').next().unwrap_or_default().into()),
        value("vermagic-blank-more", key, |old| old.replacen(' ', "  ", 1)),
        value("vermagic-no-last-blank", key, |old| old.trim_end().into()),
        value("vermagic-upper-case", key, str::to_uppercase),
        value("vermagic-other-suffix", key, move |old| old.replacen(&release, &format!("{release}.1"), 1)),
        value("vermagic-other-series", key, |old| format!("9{old}")),
        value("vermagic-smp", key, |old| match old.contains("SMP ") {
            true => old.replacen("SMP ", "", 1),
            false => old.replacen(' ', " SMP ", 1),
        }),
        value("vermagic-preempt", key, |old| old.replacen(' ', " preempt ", 1)),
        value("vermagic-modversions", key, |old| match old.contains("modversions ") {
            true => old.replacen("modversions ", "", 1),
            false => format!("{old}modversions "),
        }),
        value("vermagic-no-unload", key, |old| old.replacen("mod_unload ", "", 1)),
        value("vermagic-order", key, |old| {
            let mut words: Vec<&str> = old.split(' ').collect();
            words[1..].reverse();
            words.join(" ")
        }),
        edited("vermagic-twice-right-first", |list| list.push("vermagic=9.9.9 SMP ".into())),
        edited("vermagic-twice-right-last", |list| list.insert(0, "vermagic=9.9.9 SMP ".into())),
    ]
}

fn section_of_its_own() -> Vec<Spec> {
    let field = |set: &str, field, value| {
        changed(&format!("modinfo-section-{set}"), move |file| file.set_section(".modinfo", field, value))
    };
    vec![
        field("not-loaded", section::FLAGS, 0),
        field("writable", section::FLAGS, elf::ALLOC | elf::WRITE),
        field("nobits", section::TYPE, elf::NOBITS),
        field("note", section::TYPE, 7),
        field("empty", section::SIZE, 0),
        field("no-name", section::NAME, 0),
        changed("modinfo-section-twice", |file| file.again(".modinfo").map(drop)),
        changed("modinfo-section-second-not-loaded", |file| {
            file.add(".modinfo", elf::PROGBITS, 0, b"license=Proprietary\0").map(drop)
        }),
        changed("modinfo-section-second-empty", |file| {
            file.add(".modinfo", elf::PROGBITS, elf::ALLOC, b"").map(drop)
        }),
        changed("modinfo-section-no-last-nul", |file| {
            let mut bytes = file.bytes(".modinfo")?;
            bytes.extend_from_slice(b"kj=unfinished");
            file.replace(".modinfo", &bytes)
        }),
        changed("modinfo-section-many-nuls", |file| {
            let mut bytes = vec![0; 100];
            bytes.extend(file.bytes(".modinfo")?);
            file.replace(".modinfo", &bytes)
        }),
    ]
}
