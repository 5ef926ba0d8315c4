// SPDX-License-Identifier: LGPL-2.1-or-later
//! Red Hat's dependencies of kernels and of packages of modules.
//!
//! What is printed is what the generators of kernel-srpm-macros print: `kabi.sh`, `kmod.attr`,
//! `modalias.prov` and `find-provides.ksyms` for Provides, in this order, and `find-requires.ksyms`. What
//! is wrong there is not done: modules that export by both `EXPORT_SYMBOL` and `EXPORT_SYMBOL_GPL` get each
//! symbol with the CRCs of both tables; exports of stripped modules and extended versions
//! (`__version_ext_*`) are not seen.

use std::collections::{BTreeSet, HashSet};

use super::modalias::{Merging, merged, underlined};
use super::path::{plain, split};
use super::{Circumstances, Entry, Kind, kmod, lines};
use crate::tree::Anywhere;

/// Provides. From `symvers`: `kernel(SYMBOL) = CRC` of what the image exports, in the file's order.
/// `kmod(NAME.ko)` in the order of the list. `modalias(PATTERN) = VERSION`, by length and name, merged.
/// For each module, sorted, `ksym(SYMBOL) = CRC`, or `kernel(...)` for modules in the kernel's directory.
pub fn provides(entries: &[Entry], known: &Circumstances) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for text in entries.iter().filter_map(|e| e.text_of(&Kind::Symvers)) {
        found.extend(lines(text).filter_map(builtin_export));
    }
    for entry in entries {
        if let Some(text) = entry.text_of(&Kind::Builtin) {
            found.extend(lines(text).map(|path| kmod(split(path).1)));
        } else if entry.module().is_some() {
            found.push(kmod(plain(split(&entry.path).1)));
        }
    }
    if !known.is_kernel("kernel") {
        found.extend(modaliases(entries));
    }
    for entry in entries {
        let Some(facts) = entry.module() else { continue };
        let word = if is_in_kernel(&entry.path, &known.build_root) { "kernel" } else { "ksym" };
        let lines: BTreeSet<String> =
            facts.exports.iter().map(|e| format!("{word}({}) = 0x{:08x}", e.symbol, e.crc)).collect();
        found.extend(lines.into_iter().map(String::into_bytes));
    }
    found
}

/// A line of symvers, if it is of the kernel's image (its exporter may stand behind the namespace).
fn builtin_export(line: &[u8]) -> Option<Vec<u8>> {
    let fields: Vec<&[u8]> = line.split(|b| *b == b'\t').collect();
    let exporters = fields.get(2..fields.len().checked_sub(1)?)?;
    let is_builtin = exporters.iter().any(|field| field == b"vmlinux");
    is_builtin.then(|| [b"kernel(", fields[1], b") = ", fields[0]].concat())
}

fn modaliases(entries: &[Entry]) -> Vec<Vec<u8>> {
    // The generator puts the length before each line and sorts that as text.
    let mut names: BTreeSet<(String, String)> = BTreeSet::new();
    for facts in entries.iter().filter_map(Entry::module) {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._".contains(&b);
        let version = facts.version.as_deref().unwrap_or_default();
        let version: String = version.iter().map(|b| if plain(*b) { char::from(*b) } else { '_' }).collect();
        let version = if version.is_empty() { version } else { format!(" = {version}") };
        for alias in facts.aliases.iter().filter(|alias| !alias.is_empty()) {
            let name = format!("modalias({}){version}", underlined(alias));
            names.insert((format!("{} ", name.len()), name));
        }
    }
    let names = names.into_iter().map(|(_, name)| name);
    merged(names, Merging::RedHat).into_iter().map(String::into_bytes).collect()
}

/// Is it a module of a kernel's own, by the path that it will have?
fn is_in_kernel(path: &[u8], build_root: &[u8]) -> bool {
    let Some(path) = path.strip_prefix(build_root) else { return false };
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let Some(rest) = path.strip_prefix(b"lib/modules/") else { return false };
    let parts = Anywhere::of(rest, false);
    parts.release.first().is_some_and(|b| (b'1'..=b'9').contains(b)) && parts.below.starts_with(b"/kernel")
}

/// The release whose symvers says what the kernel exports: that of the first module.
pub fn release(entries: &[Entry], known: &Circumstances) -> Option<String> {
    let first = entries.iter().find_map(Entry::module)?;
    known.release(first).map(Into::into)
}

/// Requires: `kernel(SYMBOL) = CRC` for what `symvers` (the text of the kernel's Module.symvers) has with
/// this CRC, then `ksym(SYMBOL) = CRC` for all else, both sorted.
///
/// Exports of the package's own modules are left out only where [`Circumstances::without_own`] asks for it.
pub fn requires(entries: &[Entry], symvers: &[u8], known: &Circumstances) -> Vec<Vec<u8>> {
    let exported: HashSet<Vec<u8>> = lines(symvers)
        .filter_map(|line| {
            let mut fields = line.split(|b| *b == b'\t');
            let (crc, symbol) = (fields.next()?, fields.next()?);
            Some([symbol, b":", crc].concat())
        })
        .collect();
    let modules = || entries.iter().filter_map(Entry::module);
    let own: HashSet<String> = match known.without_own {
        true => modules().flat_map(|m| &m.exports).map(|e| format!("{}:0x{:08x}", e.symbol, e.crc)).collect(),
        false => HashSet::new(),
    };
    let needs: BTreeSet<String> = modules()
        .flat_map(|facts| &facts.versions)
        .map(|(symbol, crc)| format!("{symbol}:0x{crc:08x}"))
        .filter(|need| !own.contains(need))
        .collect();
    let (kernel, others): (Vec<&String>, Vec<&String>) =
        needs.iter().partition(|need| exported.contains(need.as_bytes()));
    let print = |word: &'static str, needs: Vec<&String>| {
        let line = move |need: &String| {
            let (symbol, crc) = need.split_once(':').unwrap_or((need, ""));
            format!("{word}({symbol}) = {crc}").into_bytes()
        };
        needs.into_iter().map(line).collect::<Vec<_>>()
    };
    [print("kernel", kernel), print("ksym", others)].concat()
}
