// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reads an extract. Whatever is in it: memory is bounded, and what is no extract is none.

use std::cell::RefCell;

use sha2::{Digest, Sha256};

use super::{BEGINNING, Key, LARGEST, MAGIC};
use crate::rpmmd::{Advisory, Listed, Role, TEXTS};

/// The most bytes of texts of one package. A kernel's are about a million.
const MOST_TEXT: usize = 8 << 20;

/// The most bytes of one advisory, in memory.
const MOST_OF_ADVISORY: usize = 4 << 20;

/// An extract.
#[derive(Debug)]
pub struct Extract {
    bytes: Vec<u8>,
    /// Where each text begins and ends.
    texts: Vec<(u32, u32)>,
    /// Where the advisories begin.
    rest: usize,
}

/// What is wanted of an extract.
pub struct Selection<'s> {
    /// Of which packages capabilities are wanted: it is asked before they are read.
    pub package: &'s dyn Fn(&Listed) -> bool,
    /// Which of them, by name.
    pub capability: &'s dyn Fn(&str) -> bool,
}

impl Selection<'_> {
    /// All.
    pub const ALL: Selection<'static> = Selection { package: &|_| true, capability: &|_| true };
}

impl std::fmt::Debug for Selection<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Selection")
    }
}

impl Extract {
    /// That of the `repomd.xml` with this SHA-256; `None` if these bytes are none.
    pub fn open(bytes: Vec<u8>, key: &Key) -> Option<Self> {
        if bytes.len() > LARGEST {
            return None;
        }
        let rest = bytes.strip_prefix(MAGIC)?.strip_prefix(key)?;
        let (sum, rest) = rest.split_at_checked(BEGINNING - MAGIC.len() - key.len())?;
        if *sum != Sha256::digest(rest)[..] {
            return None;
        }
        let mut reader = Reader { rest };
        let mut texts = Vec::new();
        for _ in 0..reader.count()? {
            let len = reader.count()?;
            let start = bytes.len() - reader.rest.len();
            std::str::from_utf8(reader.take(len)?).ok()?;
            texts.push((u32::try_from(start).ok()?, u32::try_from(start + len).ok()?));
        }
        let rest = bytes.len() - reader.rest.len();
        Some(Self { bytes, texts, rest })
    }

    fn text(&self, number: u64) -> Option<&str> {
        let (start, end) = *self.texts.get(usize::try_from(number).ok()?)?;
        std::str::from_utf8(self.bytes.get(start as usize..end as usize)?).ok()
    }

    fn reader(&self) -> Reader<'_> {
        Reader { rest: self.bytes.get(self.rest..).unwrap_or_default() }
    }

    /// Calls `each` with one advisory after the other; `None`: what was read is none.
    pub fn advisories(&self, each: &mut dyn FnMut(Advisory)) -> Option<()> {
        self.behind_advisories(each).map(drop)
    }

    fn behind_advisories(&self, each: &mut dyn FnMut(Advisory)) -> Option<Reader<'_>> {
        let mut reader = self.reader();
        let size = reader.count()?;
        let mut advisories = Reader { rest: reader.take(size)? };
        for _ in 0..advisories.count()? {
            each(self.advisory(&mut advisories)?);
        }
        advisories.rest.is_empty().then_some(reader)
    }

    /// Calls `each` with one package after the other, those whose capabilities are not wanted without any; `None`: what was read is
    /// none.
    pub fn packages(&self, selection: &Selection<'_>, each: &mut dyn FnMut(&Listed)) -> Option<()> {
        let mut reader = self.reader();
        let size = reader.count()?;
        reader.take(size)?;
        // What was said of a text; most are the name of a symbol, and each kernel has it.
        let said = RefCell::new(vec![None; self.texts.len()]);
        let is_wanted = |number: u64| -> Option<bool> {
            let mut said = said.borrow_mut();
            let said = said.get_mut(usize::try_from(number).ok()?)?;
            let ask = || self.text(number).is_some_and(selection.capability);
            Some(*said.get_or_insert_with(ask))
        };
        let mut listed = Listed::default();
        for _ in 0..reader.count()? {
            self.package(&mut reader, &mut listed, selection.package, &is_wanted)?;
            each(&listed);
        }
        reader.rest.is_empty().then_some(())
    }

    fn package(
        &self,
        reader: &mut Reader<'_>,
        listed: &mut Listed,
        wants: &dyn Fn(&Listed) -> bool,
        is_wanted: &dyn Fn(u64) -> Option<bool>,
    ) -> Option<()> {
        let mut own = [""; TEXTS];
        for text in &mut own {
            *text = self.text(reader.number()?)?;
        }
        let mut room = MOST_TEXT.checked_sub(own.iter().map(|text| text.len()).sum())?;
        let numbers = (reader.number()?, reader.number()?, reader.number()?);
        listed.begin(own, numbers.0, (numbers.1, numbers.2)).ok()?;
        let size = reader.count()?;
        let mut entries = Reader { rest: reader.take(size)? };
        if !wants(listed) {
            return Some(());
        }
        let mut last = 0;
        while !entries.rest.is_empty() {
            let kind = entries.byte()?;
            let number = entries.after(last)?;
            last = entries.after(number)?;
            if is_wanted(number)? {
                let (name, evr) = (self.text(number)?, self.text(last)?);
                room = room.checked_sub(name.len() + evr.len())?;
                listed.add_kept(Role::of_number(kind & 7)?, kind >> 3, name, evr).ok()?;
            }
        }
        Some(())
    }

    fn advisory(&self, reader: &mut Reader<'_>) -> Option<Advisory> {
        // One text may be named again and again.
        let mut room = MOST_OF_ADVISORY;
        let mut own = |reader: &mut Reader<'_>| {
            let text = self.text(reader.number()?)?;
            room = room.checked_sub(text.len() + size_of::<String>())?;
            Some(text.to_owned())
        };
        let (id, severity) = (own(reader)?, own(reader)?);
        let mut cves = Vec::new();
        for _ in 0..reader.count().filter(|count| *count <= Advisory::MOST_CVES)? {
            cves.push(own(reader)?);
        }
        let mut kernels = Vec::new();
        for _ in 0..reader.count()? {
            kernels.push((own(reader)?, own(reader)?, own(reader)?));
        }
        Some(Advisory { id, severity, cves, kernels })
    }
}

struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn take(&mut self, len: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// A number of things, each of which has at least a byte.
    fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.rest.len()).then_some(count)
    }

    /// A number that is written as the difference from another.
    fn after(&mut self, before: u64) -> Option<u64> {
        let by = self.number()?;
        if by % 2 == 0 { before.checked_add(by / 2) } else { before.checked_sub(by / 2 + 1) }
    }
}
