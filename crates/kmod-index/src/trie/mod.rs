// SPDX-License-Identifier: LGPL-2.1-or-later
//! The form of depmod's `.bin` files: values by key, as a tree of the keys' bytes.
//!
//! A header (magic number, version, the root's offset), then nodes. A node has a prefix, that is, bytes that all keys
//! below it share; children, by the next byte; values of the key that ends there. Which parts there are is in the
//! high bits of the node's offset. All numbers are big-endian.

mod read;
mod write;

pub use read::{Entry, NotATrie, Trie};
pub(crate) use write::Writer;

const MAGIC: u32 = 0xB007_F457;
const VERSION: u32 = 0x0002_0001;
const HEADER: usize = 12;

const PREFIX: u32 = 0x8000_0000;
const VALUES: u32 = 0x4000_0000;
const CHILDREN: u32 = 0x2000_0000;
const OFFSET: u32 = 0x0FFF_FFFF;

/// Longer chains of nodes are neither written nor read.
const DEPTH: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Style;

    const ITEMS: &[(&[u8], u32, &[u8])] = &[
        (b"abc", 0, b"first"),
        (b"abd", 7, b"second"),
        (b"ab", 2, b"two"),
        (b"ab", 1, b"one"),
        (b"ab", 1, b"one, later"),
        (b"", 3, b"empty"),
        (b"x*[a-z]", 0, b""),
    ];

    fn written(items: &[(&[u8], u32, &'static [u8])], version: u32) -> Vec<u8> {
        let mut writer = Writer::default();
        items.iter().for_each(|(key, priority, value)| writer.insert(key.to_vec(), *priority, value));
        writer.finish(Style::of_kmod(version)).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        for version in [30, 34] {
            let bytes = written(ITEMS, version);
            let trie = Trie::parse(&bytes).unwrap();
            assert_eq!(trie.parents_first(), version == 34);
            let expected: &[(u32, &[u8])] = &[(1, b"one, later"), (1, b"one"), (2, b"two")];
            assert_eq!(trie.get(b"ab").unwrap(), expected);
            assert_eq!(trie.get(b"").unwrap(), [(3, &b"empty"[..])]);
            for absent in [&b"a"[..], b"abcd", b"x", b"x*[a-z]y", b"\xff"] {
                assert_eq!(trie.get(absent).unwrap(), [], "{absent:?}");
            }
            let entries = trie.entries().unwrap();
            let keys: Vec<&[u8]> = entries.iter().map(|entry| &*entry.key).collect();
            assert_eq!(keys, [&b""[..], b"ab", b"ab", b"ab", b"abc", b"abd", b"x*[a-z]"]);
        }
        let none = written(&[], 30);
        assert_eq!(Trie::parse(&none).unwrap().entries(), Ok(Vec::new()));
    }

    #[test]
    fn damage_is_noticed() {
        let bytes = written(ITEMS, 30);
        for end in 0..bytes.len() {
            let cut = &bytes[..end];
            assert!(Trie::parse(cut).and_then(|trie| trie.entries()).is_err(), "{end}");
        }
        // A node that is its own child.
        let mut circle = written(&[(b"a", 0, b"")], 34);
        let root = circle[8..12].to_vec();
        circle[HEADER + 2..HEADER + 6].copy_from_slice(&root);
        assert!(Trie::parse(&circle).unwrap().entries().is_err());
        assert!(Trie::parse(&circle).unwrap().get(b"aaaaaaaa").is_ok());
    }
}
