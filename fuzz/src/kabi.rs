// SPDX-License-Identifier: LGPL-2.1-or-later
//! Types of kernels, and what distributors say of their interfaces.

use kmp_core::abi::{Export, Licensing, image};
use kmp_kabi::Rules;
use kmp_kabi::symtypes::Symtypes;
use kmp_kabi::why::{Kernel, Section, Wanted, explain};

struct Types {
    image: Section,
    module: Section,
}

impl Kernel for Types {
    fn image(&self) -> &Section {
        &self.image
    }

    fn module(&self, _: &str) -> Option<Section> {
        Some(self.module.clone())
    }
}

/// Four sections, of two kernels' images and modules, each behind its length.
pub fn btf_types(data: &[u8]) {
    let mut rest = data;
    let mut section = || {
        let (length, after) = rest.split_first_chunk().unwrap_or((&[0; 4], &[]));
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(0).min(after.len());
        let (bytes, after) = after.split_at(length);
        rest = after;
        Section { bytes: bytes.to_vec(), big_endian: bytes.first() == Some(&0xeb) }
    };
    let mut kernel = || Types { image: section(), module: section() };
    let (old, new) = (kernel(), kernel());
    let wanted = ["f", "usb_alert", "cam_open"].into_iter();
    let wanted =
        wanted.flat_map(|symbol| ["vmlinux", "drivers/cam"].map(|by| Wanted { symbol, old: by, new: by }));
    let wanted: Vec<Wanted<'_>> = wanted.collect();
    let Ok(found) = explain(&old, &new, wanted.iter().copied()) else { return };
    assert_eq!(found.causes.len(), 3);
    assert!(found.known() <= 3);
    // Nothing differs from itself.
    let same = explain(&old, &old, wanted.iter().copied()).unwrap();
    assert_eq!((same.known(), same.differing), (0, 0));
}

pub fn boot_image(data: &[u8]) {
    for range in image::packed(data) {
        assert!(data.get(range).is_some_and(|piece| !piece.is_empty()));
    }
    let _ = image::btf(data);
}

/// Two texts with a NUL between.
pub fn symtypes(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (old, new) = text.split_once('\0').unwrap_or((&text, &text));
    let (Ok(old), Ok(new)) = (Symtypes::parse(old), Symtypes::parse(new)) else { return };
    for symbol in old.exports().take(16) {
        assert_eq!(old.reason(&old, symbol), None);
        let _ = old.reason(&new, symbol);
    }
}

pub fn severities(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut rules = Rules::default();
    if rules.add(&text).is_err() {
        return;
    }
    let export = |exporter, namespace| Export {
        crc: None,
        crc_known: false,
        exporter,
        licensing: Licensing::Unknown,
        namespace,
    };
    for at in [("kvm_get", export("arch/x86/kvm/kvm", "")), ("a", export("vmlinux", "NS"))] {
        assert!(rules.find(at.0, &at.1).is_none_or(|found| found < rules.all().len()));
    }
}
