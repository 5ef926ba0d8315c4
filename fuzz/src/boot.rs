// SPDX-License-Identifier: LGPL-2.1-or-later
//! What boot loaders are configured with.

use std::io::Cursor;
use std::path::Path;

use kmp_core::initrd::archive;
use kmp_core::initrd::boot::{Entry, menu_of_grub, uki};

const KREL: &str = "6.4.0-1-default";

/// An entry of the Boot Loader Specification. Entries have an order, which a sort relies on.
pub fn boot_entry(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let entries: Vec<Entry> = text
        .split("---\n")
        .filter_map(|text| {
            let (id, text) = text.split_once('\n').unwrap_or((text, ""));
            Entry::parse(text, Path::new("/boot"), id)
        })
        .take(8)
        .collect();
    for a in &entries {
        a.boots(KREL);
        a.subvolume();
        for b in &entries {
            assert_eq!(a.order(b), b.order(a).reverse());
        }
    }
}

/// GRUB's configuration.
pub fn grub_cfg(data: &[u8]) {
    for entry in menu_of_grub(&String::from_utf8_lossy(data)) {
        assert!(!entry.linux.is_empty());
        entry.boots(KREL);
    }
}

/// An EFI program, and the initrd in it.
pub fn unified_image(data: &[u8]) {
    let mut file = Cursor::new(data);
    let Ok(Some(unified)) = uki::read(&mut file) else { return };
    if let Some(section) = unified.initrd {
        let _ = archive::read(uki::initrd(file, section).unwrap(), &|_| true);
    }
}
