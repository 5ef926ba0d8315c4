// SPDX-License-Identifier: LGPL-2.1-or-later
//! Writes an extract. Each text is there once, as kernels of a line have nearly the same symbols with the same versions; a
//! capability is two numbers of texts, as differences, which are mostly 1 or 2.

use std::collections::HashMap;
use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::{BEGINNING, Key, LARGEST, MAGIC};
use crate::rpmmd::{Advisory, Listed};

/// Collects an extract.
#[derive(Debug, Default)]
pub struct Writer {
    numbers: HashMap<Rc<str>, u32>,
    texts: Vec<Text>,
    /// Bytes of all texts.
    size: usize,
    packages: Vec<u8>,
    /// Those of one package, kept for the memory.
    entries: Vec<u8>,
    package_count: u64,
    advisories: Vec<u8>,
    advisory_count: u64,
}

#[derive(Debug)]
struct Text {
    text: Rc<str>,
    /// The number of the text that came after it the last time: most likely it does again.
    next: u32,
}

impl Writer {
    /// Adds a package.
    pub fn package(&mut self, package: &Listed) {
        if !self.has_room() {
            return;
        }
        let mut body = std::mem::take(&mut self.packages);
        for text in package.texts() {
            varint(&mut body, u64::from(self.number(text)));
        }
        let header = package.header();
        for number in [package.size(), header.start, header.end] {
            varint(&mut body, number);
        }
        let mut last = 0;
        let mut entries = std::mem::take(&mut self.entries);
        package.each_entry(&mut |role, flags, name, evr| {
            let name = self.number_after(last, name);
            let evr = self.number_after(name, evr);
            entries.push(role.number() | flags << 3);
            varint(&mut entries, difference(name, last));
            varint(&mut entries, difference(evr, name));
            last = evr;
        });
        varint(&mut body, entries.len() as u64);
        body.append(&mut entries);
        self.packages = body;
        self.entries = entries;
        self.package_count += 1;
    }

    /// Adds an advisory.
    pub fn advisory(&mut self, advisory: &Advisory) {
        if !self.has_room() {
            return;
        }
        let Advisory { id, severity, cves, kernels } = advisory;
        let mut body = std::mem::take(&mut self.advisories);
        for text in [id, severity] {
            varint(&mut body, u64::from(self.number(text)));
        }
        varint(&mut body, cves.len() as u64);
        for cve in cves {
            varint(&mut body, u64::from(self.number(cve)));
        }
        varint(&mut body, kernels.len() as u64);
        for text in kernels.iter().flat_map(|(name, evr, arch)| [name, evr, arch]) {
            varint(&mut body, u64::from(self.number(text)));
        }
        self.advisories = body;
        self.advisory_count += 1;
    }

    /// The extract; `None`: it would be too large.
    pub fn finish(self, key: &Key) -> Option<Vec<u8>> {
        if !self.has_room() {
            return None;
        }
        let mut out = Vec::with_capacity(BEGINNING + self.estimate());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(key);
        out.extend_from_slice(&[0; 32]);
        varint(&mut out, self.texts.len() as u64);
        for Text { text, .. } in &self.texts {
            varint(&mut out, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
        }
        let mut advisories = Vec::new();
        varint(&mut advisories, self.advisory_count);
        advisories.extend_from_slice(&self.advisories);
        varint(&mut out, advisories.len() as u64);
        out.extend_from_slice(&advisories);
        varint(&mut out, self.package_count);
        out.extend_from_slice(&self.packages);
        let sum = Sha256::digest(&out[BEGINNING..]);
        out[BEGINNING - 32..BEGINNING].copy_from_slice(&sum);
        (out.len() <= LARGEST).then_some(out)
    }

    fn estimate(&self) -> usize {
        self.size + 3 * self.texts.len() + self.packages.len() + self.advisories.len() + 32
    }

    fn has_room(&self) -> bool {
        self.estimate() < LARGEST
    }

    /// The number of a text.
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        // There is no room for so many.
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let text: Rc<str> = text.into();
        self.size += text.len();
        self.numbers.insert(Rc::clone(&text), number);
        self.texts.push(Text { text, next: number });
        number
    }

    /// The number of a text that comes after the one with this number.
    fn number_after(&mut self, before: u32, text: &str) -> u32 {
        let guess = self.texts.get(before as usize).map_or(0, |before| before.next);
        if self.texts.get(guess as usize).is_some_and(|known| *known.text == *text) {
            return guess;
        }
        let number = self.number(text);
        if let Some(before) = self.texts.get_mut(before as usize) {
            before.next = number;
        }
        number
    }
}

/// Seven bits a byte, the lowest first; the highest bit says that there are more.
fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        // The highest bit says so.
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// How much a number is more than another; one that is less takes the odd numbers.
fn difference(number: u32, than: u32) -> u64 {
    let by = i64::from(number) - i64::from(than);
    if by < 0 { by.unsigned_abs() * 2 - 1 } else { by.unsigned_abs() * 2 }
}
