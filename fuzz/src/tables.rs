// SPDX-License-Identifier: LGPL-2.1-or-later
//! Modules, and tables of kernels.

use kmp_core::abi::{
    Facts, IndexFacts, Module, Rebuild, SymbolTable, image_exports, loaded_parts, signature,
};
use kmp_core::fuzz;
use kmp_core::index::listed::{aliases, lines};
use kmp_core::index::trie::Trie;
use kmp_core::unpack::inflate;

/// The largest module that is looked at, in bytes.
const UNPACKED: u64 = 8 << 20;

/// A module's file, packed or not.
pub fn module(data: &[u8]) {
    let Ok(unpacked) = inflate(data, UNPACKED) else { return };
    let data = &*unpacked;
    let mut parts = 0;
    loaded_parts(data, &mut |part| parts += part.len());
    let facts = Facts::parse(data);
    let _ = IndexFacts::parse(data);
    if let Ok(module) = Module::parse(data, "name") {
        // What the generators of dependencies see is what the judge sees.
        assert!(facts.is_ok());
        assert_eq!(Module::parse(data, "name").as_ref(), Ok(&module));
        let mut rebuild = Rebuild::default();
        rebuild.add("drivers/name", &module);
        rebuild.finish();
    }
}

pub fn kernel_image(data: &[u8]) {
    let _ = image_exports(data);
}

pub fn modinfo(data: &[u8]) {
    fuzz::modinfo(data);
}

pub fn signature(data: &[u8]) {
    if let Ok((body, _)) = signature::split(data) {
        assert!(data.starts_with(body));
    }
}

pub fn symvers(data: &[u8]) {
    let Ok(table) = SymbolTable::parse(data.to_vec()) else { return };
    for (symbol, export) in table.iter() {
        assert_eq!(table.get(symbol), Some(export), "{symbol:?}");
    }
    assert_eq!(table.iter().count(), table.len());
}

pub fn system_map(data: &[u8]) {
    let mut rebuild = Rebuild::default();
    rebuild.add_system_map(data);
    rebuild.finish();
}

/// A `.bin` file of depmod's.
pub fn index(data: &[u8]) {
    let Ok(trie) = Trie::parse(data) else { return };
    let _ = trie.get(b"fs-ext4");
    for entry in trie.entries().into_iter().flatten() {
        assert!(trie.get(&entry.key).is_ok_and(|values| !values.is_empty()));
    }
}

/// What kmp keeps of a kernel's modules.
pub fn index_cache(data: &[u8]) {
    fuzz::index_cache(data);
}

pub fn modules_dep(data: &[u8]) {
    for line in lines(data) {
        if let Some(path) = line.path() {
            assert!(line.starts_with(path) && line.paths().all(|longer| longer.starts_with(path)));
        }
        line.needs().for_each(|path| assert!(!path.is_empty()));
    }
    for (pattern, module) in aliases(data) {
        assert!(!module.contains(&b' ') && pattern.len() + module.len() < data.len());
    }
}
