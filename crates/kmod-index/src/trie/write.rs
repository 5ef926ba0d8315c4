// SPDX-License-Identifier: LGPL-2.1-or-later

use std::borrow::Cow;

use super::{CHILDREN, DEPTH, HEADER, MAGIC, OFFSET, PREFIX, VALUES, VERSION};
use crate::Unsure;
use crate::style::Style;

/// Collects keys and values, and writes them.
#[derive(Debug, Default)]
pub struct Writer<'a> {
    items: Vec<Item<'a>>,
}

/// A key, the priority of its value, and that.
type Item<'a> = (Cow<'a, [u8]>, u32, &'a [u8]);

impl<'a> Writer<'a> {
    /// Another value of a key. Values of a key ascend by priority; of equal ones the last that was inserted comes
    /// first.
    pub fn insert(&mut self, key: impl Into<Cow<'a, [u8]>>, priority: u32, value: &'a [u8]) {
        self.items.push((key.into(), priority, value));
    }

    /// The file's bytes.
    pub fn finish(mut self, style: Style) -> Result<Vec<u8>, Unsure> {
        self.items.reverse();
        self.items.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let mut nodes = Nodes { out: Vec::new(), offsets: Vec::new(), style };
        for word in [MAGIC, VERSION, 0] {
            nodes.out.extend_from_slice(&word.to_be_bytes());
        }
        let root = nodes.node(&self.items, 0, 0, true)?;
        nodes.out[HEADER - 4..HEADER].copy_from_slice(&root.to_be_bytes());
        if nodes.out.len() > OFFSET as usize {
            return Err(Unsure::TooMany);
        }
        Ok(nodes.out)
    }
}

/// The file in the making.
struct Nodes {
    out: Vec<u8>,
    /// Of nodes whose children are being written, the offsets of those that are, by their first byte.
    offsets: Vec<(u8, u32)>,
    style: Style,
}

impl Nodes {
    /// Writes the node of keys that are the same up to `start`, and what is below it. The items are sorted: those of one
    /// key stand together, in the order in which they are written. Returns the node's offset, with its parts.
    fn node(&mut self, items: &[Item<'_>], start: usize, depth: usize, is_root: bool) -> Result<u32, Unsure> {
        if depth > DEPTH {
            return Err(Unsure::TooMany);
        }
        // Of sorted keys the first and the last have in common what all have.
        let (first, last) = match items {
            [] => (&[][..], &[][..]),
            [one] => (&one.0[start..], &one.0[start..]),
            [first, .., last] => (&first.0[start..], &last.0[start..]),
        };
        let shared = match is_root {
            true => 0,
            false => first.iter().zip(last).take_while(|(a, b)| a == b).count(),
        };
        let end = start + shared;
        let values = items.iter().take_while(|(key, ..)| key.len() == end).count();
        let (own, below) = items.split_at(values);
        let range = below.first().zip(below.last()).map(|(low, high)| (low.0[end], high.0[end]));
        let before = self.style.parents_first.then(|| self.text(&first[..shared], range, own)).transpose()?;
        let waiting = self.offsets.len();
        for child in below.chunk_by(|a, b| a.0[end] == b.0[end]) {
            let offset = self.node(child, end + 1, depth + 1, false)?;
            self.offsets.push((child[0].0[end], offset));
        }
        let (node, table) = match before {
            Some(written) => written,
            None => self.text(&first[..shared], range, own)?,
        };
        for (byte, offset) in self.offsets.drain(waiting..) {
            let at = table + 4 * usize::from(byte - range.map_or(0, |(low, _)| low));
            self.out[at..at + 4].copy_from_slice(&offset.to_be_bytes());
        }
        Ok(node)
    }

    /// Writes a node, with room for its children's offsets. Returns its own, with its parts, and where theirs belong.
    fn text(
        &mut self,
        prefix: &[u8],
        range: Option<(u8, u8)>,
        own: &[Item<'_>],
    ) -> Result<(u32, usize), Unsure> {
        let out = &mut self.out;
        let mut node = u32::try_from(out.len()).map_err(|_| Unsure::TooMany)?;
        if !prefix.is_empty() {
            node |= PREFIX;
            out.extend_from_slice(prefix);
            out.push(0);
        }
        let mut table = 0;
        if let Some((low, high)) = range {
            node |= CHILDREN;
            out.extend_from_slice(&[low, high]);
            table = out.len();
            out.resize(table + 4 * (usize::from(high - low) + 1), 0);
        }
        if !own.is_empty() {
            node |= VALUES;
            let count = u32::try_from(own.len()).map_err(|_| Unsure::TooMany)?;
            out.extend_from_slice(&count.to_be_bytes());
            for (_, priority, value) in own {
                out.extend_from_slice(&priority.to_be_bytes());
                out.extend_from_slice(value);
                out.push(0);
            }
        }
        Ok((node, table))
    }
}
