// SPDX-License-Identifier: LGPL-2.1-or-later

use super::{CHILDREN, DEPTH, HEADER, MAGIC, OFFSET, PREFIX, VALUES, VERSION};
use crate::Unsure;
use crate::style::Style;

/// Collects keys and values, and writes them.
#[derive(Debug, Default)]
pub struct Writer<'a> {
    items: Vec<(Vec<u8>, u32, &'a [u8])>,
}

/// Items, sorted: those of one key stand together, in the order in which they are written.
type Items<'a> = [(Vec<u8>, u32, &'a [u8])];

impl<'a> Writer<'a> {
    /// Another value of a key. Values of a key ascend by priority; of equal ones the last that was inserted comes
    /// first.
    pub fn insert(&mut self, key: Vec<u8>, priority: u32, value: &'a [u8]) {
        self.items.push((key, priority, value));
    }

    /// The file's bytes.
    pub fn finish(mut self, style: Style) -> Result<Vec<u8>, Unsure> {
        self.items.reverse();
        self.items.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let mut out = Vec::new();
        for word in [MAGIC, VERSION, 0] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        let root = node(&mut out, &self.items, 0, 0, true, style)?;
        out[HEADER - 4..HEADER].copy_from_slice(&root.to_be_bytes());
        if out.len() > OFFSET as usize {
            return Err(Unsure::TooMany);
        }
        Ok(out)
    }
}

/// Writes the node of keys that are the same up to `start`, and what is below it. Returns its offset, with its parts.
fn node(
    out: &mut Vec<u8>,
    items: &Items<'_>,
    start: usize,
    depth: usize,
    is_root: bool,
    style: Style,
) -> Result<u32, Unsure> {
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
    let children: Vec<&Items<'_>> = below.chunk_by(|a, b| a.0[end] == b.0[end]).collect();

    let mut parts = 0;
    let mut text = Vec::new();
    if shared > 0 {
        parts |= PREFIX;
        text.extend_from_slice(&first[..shared]);
        text.push(0);
    }
    // Where the children's offsets belong.
    let mut table = 0..0;
    if let (Some(low), Some(high)) = (children.first(), children.last()) {
        parts |= CHILDREN;
        let (low, high) = (low[0].0[end], high[0].0[end]);
        text.extend_from_slice(&[low, high]);
        table = text.len()..text.len() + 4 * (usize::from(high - low) + 1);
        text.resize(table.end, 0);
    }
    if !own.is_empty() {
        parts |= VALUES;
        let count = u32::try_from(own.len()).map_err(|_| Unsure::TooMany)?;
        text.extend_from_slice(&count.to_be_bytes());
        for (_, priority, value) in own {
            text.extend_from_slice(&priority.to_be_bytes());
            text.extend_from_slice(value);
            text.push(0);
        }
    }
    let mut before = None;
    if style.parents_first {
        before = Some(out.len());
        out.extend_from_slice(&text);
    }
    for child in &children {
        let offset = node(out, child, end + 1, depth + 1, false, style)?;
        let at = table.start + 4 * usize::from(child[0].0[end] - children[0][0].0[end]);
        text[at..at + 4].copy_from_slice(&offset.to_be_bytes());
    }
    let offset = before.unwrap_or(out.len());
    out.resize(out.len().max(offset + text.len()), 0);
    out[offset..offset + text.len()].copy_from_slice(&text);
    Ok(u32::try_from(offset).map_err(|_| Unsure::TooMany)? | parts)
}
