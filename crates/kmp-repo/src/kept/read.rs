// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reads an extract. Whatever is in it: memory is bounded, and what is no extract is none.

use sha2::{Digest, Sha256};

use super::{BEGINNING, Key, LARGEST, MAGIC};
use crate::rpmmd::{Advisory, Listed, Role, TEXTS};

/// The most bytes of texts of one package. A kernel's are about a million.
const MOST_TEXT: usize = 8 << 20;

/// The most bytes of one advisory, in memory.
const MOST_OF_ADVISORY: usize = 4 << 20;

/// The most bytes of texts of all packages together.
const MOST_TEXTS: usize = 1 << 30;

/// Calls `package` and `advisory` with all that is in an extract of the `repomd.xml` with this SHA-256; `None` if it is none. What
/// was called for counts only if it is one.
pub fn read(
    bytes: &[u8],
    key: &Key,
    package: &mut dyn FnMut(&Listed),
    advisory: &mut dyn FnMut(Advisory),
) -> Option<()> {
    if bytes.len() > LARGEST {
        return None;
    }
    let rest = bytes.strip_prefix(MAGIC)?.strip_prefix(key)?;
    let (sum, rest) = rest.split_at_checked(BEGINNING - MAGIC.len() - key.len())?;
    if *sum != Sha256::digest(rest)[..] {
        return None;
    }
    let mut reader = Reader { rest };
    let count = reader.count()?;
    let mut texts: Vec<&str> = Vec::new();
    for _ in 0..count {
        let len = reader.count()?;
        let (text, rest) = reader.rest.split_at_checked(len)?;
        texts.push(std::str::from_utf8(text).ok()?);
        reader.rest = rest;
    }
    for _ in 0..reader.count()? {
        advisory(reader.advisory(&texts)?);
    }
    let mut listed = Listed::default();
    let mut most = MOST_TEXTS;
    for _ in 0..reader.count()? {
        reader.package(&texts, &mut listed, &mut most)?;
        package(&listed);
    }
    reader.rest.is_empty().then_some(())
}

struct Reader<'b> {
    rest: &'b [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
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

    fn text<'t>(&mut self, texts: &[&'t str]) -> Option<&'t str> {
        texts.get(usize::try_from(self.number()?).ok()?).copied()
    }

    /// A number that is written as the difference from another.
    fn after(&mut self, before: u64) -> Option<u64> {
        let by = self.number()?;
        if by % 2 == 0 { before.checked_add(by / 2) } else { before.checked_sub(by / 2 + 1) }
    }

    fn advisory(&mut self, texts: &[&str]) -> Option<Advisory> {
        // One text may be named again and again.
        let mut room = MOST_OF_ADVISORY;
        let mut own = |reader: &mut Self| {
            let text = reader.text(texts)?;
            room = room.checked_sub(text.len() + size_of::<String>())?;
            Some(text.to_owned())
        };
        let (id, severity) = (own(self)?, own(self)?);
        let mut cves = Vec::new();
        for _ in 0..self.count().filter(|count| *count <= Advisory::MOST_CVES)? {
            cves.push(own(self)?);
        }
        let mut kernels = Vec::new();
        for _ in 0..self.count()? {
            let [name, evr, arch] = [own(self)?, own(self)?, own(self)?];
            kernels.push((name, evr, arch));
        }
        Some(Advisory { id, severity, cves, kernels })
    }

    fn package(&mut self, texts: &[&str], listed: &mut Listed, most: &mut usize) -> Option<()> {
        let mut own = [""; TEXTS];
        for text in &mut own {
            *text = self.text(texts)?;
        }
        let mut size: usize = own.iter().map(|text| text.len()).sum();
        let numbers = (self.number()?, self.number()?, self.number()?);
        if size > MOST_TEXT {
            return None;
        }
        listed.begin(own, numbers.0, (numbers.1, numbers.2)).ok()?;
        let mut last = 0;
        for _ in 0..self.count()? {
            let kind = self.byte()?;
            let name = self.after(last)?;
            last = self.after(name)?;
            let at = |number: u64| texts.get(usize::try_from(number).ok()?).copied();
            let (name, evr) = (at(name)?, at(last)?);
            size += name.len() + evr.len();
            if size > MOST_TEXT {
                return None;
            }
            listed.add_kept(Role::of_number(kind & 7)?, kind >> 3, name, evr).ok()?;
        }
        *most = most.checked_sub(size)?;
        Some(())
    }
}
