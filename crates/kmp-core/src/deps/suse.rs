// SPDX-License-Identifier: LGPL-2.1-or-later
//! SUSE's dependencies of kernels and of packages of modules.
//!
//! What is printed is what rpm-config-SUSE's `find-provides.ksyms`, `find-requires.ksyms` and
//! `find-supplements.ksyms` print, but for what is wrong there: a plain `vmlinux` in `/usr/lib/modules` is
//! taken for one of the release "vmlinux"; all modules of a list get the first one's flavour; a version of
//! 0 is printed as nothing; a last line without its end in `modules-load.d` is lost; exports of stripped
//! modules and extended versions (`__version_ext_*`) are not seen.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::modalias::{Merging, encoded, merged};
use super::path::{is_in_tree, plain, split};
use super::{Circumstances, Content, Entry, Kind, SymsetRow, kmod, lines};

/// Provides: `kernel-uname-r`, `kmod(NAME.ko)` and `ksym(FLAVOR:SYMBOL) = CRC`, sorted, each once.
pub fn provides(entries: &[Entry], known: &Circumstances) -> Vec<Vec<u8>> {
    let mut found: BTreeSet<Vec<u8>> = BTreeSet::new();
    for entry in entries {
        let (release, exports) = match (&entry.content, &entry.kind) {
            (Content::Module(facts), _) => {
                found.insert(kmod(&module_file(&entry.path)));
                (known.release(facts), &facts.exports)
            }
            (Content::Image { exports, builtin }, Kind::Image(release)) => {
                found.insert(format!("kernel-uname-r = {release}").into_bytes());
                let names = builtin.as_deref().map(lines).into_iter().flatten();
                found.extend(names.map(|path| kmod(&module_file(path))));
                (Some(&**release), exports)
            }
            _ => continue,
        };
        let Some(release) = release else { continue };
        let flavor = known.flavor(release);
        found.extend(
            exports.iter().map(|e| format!("ksym({flavor}:{}) = {:x}", e.symbol, e.crc).into_bytes()),
        );
    }
    found.into_iter().collect()
}

/// The name of a module's file, without the suffix of compression, with `_` for `-`.
fn module_file(path: &[u8]) -> Vec<u8> {
    underscored(plain(split(path).1))
}

fn underscored(name: &[u8]) -> Vec<u8> {
    name.iter().map(|b| if *b == b'-' { b'_' } else { *b }).collect()
}

/// Requires: `(kmod(NAME.ko) if kernel)` for modules that files in `modules-load.d` name and the package
/// has not, in their order; then, in the order of release, CRC and symbol, for each symbol that modules
/// use `kernel(FLAVOR:SET) = HASH` for each set of `symsets` that it is in with that CRC, or else
/// `ksym(FLAVOR:SYMBOL) = CRC`. A set is printed once for each symbol.
///
/// Only exports with absolute CRCs, as before Linux 4.10, count as the package's own, unless
/// [`Circumstances::without_own`] asks for more.
pub fn requires(entries: &[Entry], symsets: &[SymsetRow], known: &Circumstances) -> Vec<Vec<u8>> {
    if known.is_kernel("kernel-") {
        return Vec::new();
    }
    let mut found = to_load(entries);
    let modules = || entries.iter().filter_map(Entry::module);

    // One need for each symbol and release: the first module's.
    let mut needs: HashMap<(&str, &str), u32> = HashMap::new();
    for facts in modules() {
        let release = known.release(facts).unwrap_or_default();
        for (symbol, crc) in &facts.versions {
            needs.entry((symbol, release)).or_insert(*crc);
        }
    }
    let own: HashSet<&str> = modules()
        .flat_map(|facts| &facts.exports)
        .filter(|e| e.absolute || known.without_own)
        .map(|e| &*e.symbol)
        .collect();
    let mut sets: HashMap<&str, Vec<&SymsetRow>> = HashMap::new();
    for row in symsets {
        sets.entry(&row.key).or_default().push(row);
    }

    // What is sorted is neither of the two names that are printed.
    let mut rows: BTreeSet<(String, Vec<u8>)> = BTreeSet::new();
    for ((symbol, release), crc) in needs.into_iter().filter(|((symbol, _), _)| !own.contains(symbol)) {
        let hex = if crc == 0 { String::new() } else { format!("{crc:x}") };
        let key = format!("{release}/{hex}/{symbol}");
        let flavor = known.flavor(release);
        match sets.get(&*key) {
            Some(sets) => {
                for SymsetRow { set, hash, .. } in sets {
                    let dependency = format!("kernel({flavor}:{set}) = {hash}").into_bytes();
                    rows.insert((format!("{key}\t{set}\t{hash}"), dependency));
                }
            }
            None => {
                rows.insert((key, format!("ksym({flavor}:{symbol}) = {crc:x}").into_bytes()));
            }
        }
    }
    found.extend(rows.into_iter().map(|(_, dependency)| dependency));
    found
}

/// Modules that are to be loaded at boot and come from elsewhere.
fn to_load(entries: &[Entry]) -> Vec<Vec<u8>> {
    let builtin = entries.iter().filter_map(|e| e.text_of(&Kind::Builtin)).flat_map(lines);
    let modules = entries.iter().filter(|e| e.module().is_some()).map(|e| &*e.path);
    let own: HashSet<Vec<u8>> = builtin.chain(modules).map(module_file).collect();
    entries
        .iter()
        .filter_map(|e| e.text_of(&Kind::ModulesLoad))
        .flat_map(lines)
        .filter(|line| !line.starts_with(b"#") && !line.starts_with(b";"))
        .flat_map(|line| {
            let file = [line, b".ko"].concat();
            file.split(|b| *b == b' ').map(underscored).collect::<Vec<_>>()
        })
        .filter(|file| !file.is_empty() && file != b".ko" && !own.contains(file))
        .map(|file| [b"(", &*kmod(&file), b" if kernel)"].concat())
        .collect()
}

/// Supplements: `modalias(kernel-FLAVOR:PATTERN)` of modules outside the kernel's own directory, sorted
/// and merged.
pub fn supplements(entries: &[Entry], known: &Circumstances) -> Vec<Vec<u8>> {
    let package = known.package.as_deref().unwrap_or_default();
    let is_extra = package.ends_with("-extra") || package.ends_with("-optional");
    if known.is_kernel("kernel-") && !(is_extra && package.matches('-').count() > 1) {
        return Vec::new();
    }
    let mut names: BTreeSet<String> = BTreeSet::new();
    for entry in entries.iter().filter(|e| !is_in_tree(&e.path)) {
        let Some(facts) = entry.module() else { continue };
        let flavor = known.flavor(known.release(facts).unwrap_or_default());
        for alias in facts.aliases.iter().map(|alias| encoded(alias)) {
            // What has no bus before a colon is the name of another module, not of a device.
            let inner = alias.get(1..alias.len().saturating_sub(1)).unwrap_or_default();
            if inner.contains(':') {
                names.insert(format!("modalias(kernel-{flavor}:{alias})"));
            }
        }
    }
    merged(names, Merging::Suse).into_iter().map(String::into_bytes).collect()
}
