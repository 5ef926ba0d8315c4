// SPDX-License-Identifier: LGPL-2.1-or-later
//! `modules.builtin.bin` and `modules.builtin.alias.bin`: modules that are in the kernel's image.

use crate::alias::normalised;
use crate::order::module_name;
use crate::style::Style;
use crate::trie::Writer;
use crate::{Unsure, shown};

/// `modules.builtin.bin`; empty where the kernel has no list.
pub fn names(list: Option<&[u8]>, style: Style) -> Result<Vec<u8>, Unsure> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let mut writer = Writer::default();
    for line in list.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        if !line.is_ascii() || !line.ends_with(b".ko") {
            return Err(Unsure::OddName(shown(line)));
        }
        writer.insert(module_name(line), 0, b"");
    }
    writer.finish(style)
}

/// `modules.builtin.alias.bin`: the aliases among the entries `MODULE.KEY=VALUE`; empty where the kernel has no such list.
pub fn aliases(list: Option<&[u8]>, style: Style) -> Result<Vec<u8>, Unsure> {
    let Some(list) = list.filter(|_| style.builtin_aliases) else { return Ok(Vec::new()) };
    let mut writer = Writer::default();
    for entry in list.split(|b| *b == 0).filter(|entry| !entry.is_empty()) {
        let Some(at) = entry.iter().position(|b| *b == b'.') else { continue };
        let (module, rest) = (&entry[..at], &entry[at + 1..]);
        let Some(pattern) = rest.strip_prefix(b"alias=") else { continue };
        if !entry.is_ascii() {
            return Err(Unsure::NotAscii(shown(module)));
        }
        if let Some(pattern) = normalised(pattern) {
            writer.insert(pattern, 0, module);
        }
    }
    writer.finish(style)
}
