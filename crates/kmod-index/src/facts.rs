// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a module says, in one piece of memory, so that the facts of thousands of modules can be kept and taken up
//! again without a copy.

use std::borrow::Cow;

/// How many lists there are.
pub const LISTS: usize = 5;

/// What a module says, in the order of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The lists, one behind the other; each of their strings has a NUL behind it.
    bytes: Cow<'a, [u8]>,
    /// Where each list ends.
    ends: [u32; LISTS],
}

impl Facts<'static> {
    /// Of these lists: exports, needs, `alias`, `softdep` and `weakdep` entries. No string has a NUL in it.
    #[must_use]
    pub fn new<S: AsRef<[u8]>>(lists: [&[S]; LISTS]) -> Self {
        let strings = || lists.into_iter().flatten().map(AsRef::as_ref);
        let mut bytes: Vec<u8> = Vec::with_capacity(strings().map(|text: &[u8]| text.len() + 1).sum());
        let ends = lists.map(|list| {
            for text in list {
                bytes.extend_from_slice(text.as_ref());
                bytes.push(0);
            }
            // No file has 4 GiB of names.
            u32::try_from(bytes.len()).unwrap_or(u32::MAX)
        });
        Self { bytes: bytes.into(), ends }
    }
}

impl<'a> Facts<'a> {
    /// Of what [`Facts::parts`] gave; `None` if it did not.
    #[must_use]
    pub fn of_parts(bytes: &'a [u8], ends: [u32; LISTS]) -> Option<Self> {
        let mut start = 0;
        for end in ends {
            let list = bytes.get(start..end as usize)?;
            if list.last().is_some_and(|last| *last != 0) {
                return None;
            }
            start = end as usize;
        }
        (start == bytes.len()).then_some(Self { bytes: bytes.into(), ends })
    }

    /// All lists' bytes, and where each list ends.
    #[must_use]
    pub fn parts(&self) -> (&[u8], [u32; LISTS]) {
        (&self.bytes, self.ends)
    }

    /// The symbols that it exports.
    #[must_use]
    pub fn exports(&self) -> Strings<'_> {
        self.list(0)
    }

    /// The symbols that it needs.
    #[must_use]
    pub fn needs(&self) -> Strings<'_> {
        self.list(1)
    }

    /// `alias` entries of `.modinfo`.
    #[must_use]
    pub fn aliases(&self) -> Strings<'_> {
        self.list(2)
    }

    /// `softdep` entries.
    #[must_use]
    pub fn softdeps(&self) -> Strings<'_> {
        self.list(3)
    }

    /// `weakdep` entries.
    #[must_use]
    pub fn weakdeps(&self) -> Strings<'_> {
        self.list(4)
    }

    fn list(&self, number: usize) -> Strings<'_> {
        let start = if number == 0 { 0 } else { self.ends[number - 1] as usize };
        Strings(self.bytes.get(start..self.ends[number] as usize).unwrap_or_default())
    }

    /// Is there no byte above 127 in it?
    pub(crate) fn is_ascii(&self) -> bool {
        self.bytes.is_ascii()
    }
}

/// The strings of a list, in its order.
#[derive(Clone, Copy, Debug)]
pub struct Strings<'a>(&'a [u8]);

impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(0, self.0)?;
        let (text, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_told_apart_and_taken_up_again() {
        let facts = Facts::new([&["a", "bc"][..], &[], &["", "x*"], &[], &["w"]]);
        let (bytes, ends) = facts.parts();
        let again = Facts::of_parts(bytes, ends).unwrap();
        assert_eq!(again, facts);
        let strings = |list: Strings<'_>| list.map(|s| s.to_vec()).collect::<Vec<_>>();
        assert_eq!(strings(again.exports()), [&b"a"[..], b"bc"]);
        assert!(strings(again.needs()).is_empty() && strings(again.softdeps()).is_empty());
        assert_eq!(strings(again.aliases()), [&b""[..], b"x*"]);
        assert_eq!(strings(again.weakdeps()), [b"w"]);
        for (bytes, ends) in [
            (&b"a\0b"[..], [3; LISTS]),
            (b"a\0b\0", [2, 1, 4, 4, 4]),
            (b"a\0", [2, 2, 2, 2, 9]),
            (b"a\0b\0", [2; LISTS]),
            (b"ab\0", [1, 3, 3, 3, 3]),
        ] {
            assert_eq!(Facts::of_parts(bytes, ends), None, "{bytes:?} {ends:?}");
        }
    }
}
