// SPDX-License-Identifier: LGPL-2.1-or-later

use super::{CHILDREN, DEPTH, HEADER, MAGIC, OFFSET, PREFIX, VALUES, VERSION};

/// A file in this form, of either order of nodes.
#[derive(Clone, Copy, Debug)]
pub struct Trie<'d> {
    data: &'d [u8],
    root: u32,
}

/// The bytes are not such a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an index of depmod's: {0}")]
pub struct NotATrie(&'static str);

/// A value, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'d> {
    /// What the value is found by.
    pub key: Vec<u8>,
    /// The module's place in depmod's order.
    pub priority: u32,
    /// The value.
    pub value: &'d [u8],
}

/// A node's parts.
struct Node<'d> {
    prefix: &'d [u8],
    /// The first byte, and the offset for each from it on; 0 for none.
    children: (u8, &'d [u8]),
    values: u32,
    /// What follows the number of values.
    rest: &'d [u8],
}

impl<'d> Trie<'d> {
    /// Reads the header.
    ///
    /// # Errors
    /// There is none.
    pub fn parse(data: &'d [u8]) -> Result<Self, NotATrie> {
        let word = |at: usize| data.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
        match (word(0), word(4), word(HEADER - 4)) {
            (Some(MAGIC), Some(VERSION), Some(root)) => Ok(Self { data, root }),
            (Some(MAGIC), Some(_), _) => Err(NotATrie("it is of another version")),
            _ => Err(NotATrie("it does not begin like one")),
        }
    }

    /// Does a node come before its children, as kmod 34 and later write it?
    #[must_use]
    pub fn parents_first(&self) -> bool {
        (self.root & OFFSET) as usize == HEADER
    }

    /// The values of a key, with their priorities.
    ///
    /// # Errors
    /// The file is damaged on the way to it.
    pub fn get(&self, key: &[u8]) -> Result<Vec<(u32, &'d [u8])>, NotATrie> {
        let (mut offset, mut rest) = (self.root, key);
        for _ in 0..=key.len() {
            let node = self.node(offset)?;
            let Some(left) = rest.strip_prefix(node.prefix) else { return Ok(Vec::new()) };
            let Some((next, left)) = left.split_first() else { return values(&node) };
            let (first, table) = node.children;
            let at = next.checked_sub(first).map(|at| usize::from(at) * 4);
            match at.and_then(|at| table.get(at..at + 4)?.try_into().ok()).map(u32::from_be_bytes) {
                None | Some(0) => return Ok(Vec::new()),
                Some(child) => (offset, rest) = (child, left),
            }
        }
        Ok(Vec::new())
    }

    /// Every key, with its values, in the order of keys.
    ///
    /// # Errors
    /// The file is damaged. Nodes that are listed twice count as damage: no depmod writes them, and they could go
    /// round in a circle.
    pub fn entries(&self) -> Result<Vec<Entry<'d>>, NotATrie> {
        let mut found = Vec::new();
        // Nodes that share bytes would make keys longer than the file.
        let mut left = self.data.len().saturating_mul(64);
        let mut seen = std::collections::HashSet::new();
        let mut stack = vec![(self.root, Vec::new(), 0)];
        while let Some((offset, mut key, depth)) = stack.pop() {
            if depth > DEPTH || !seen.insert(offset & OFFSET) {
                return Err(NotATrie("its nodes go round in a circle"));
            }
            let node = self.node(offset)?;
            key.extend_from_slice(node.prefix);
            let values = values(&node)?;
            let kept = (values.len() + node.children.1.len() / 4 + 1).saturating_mul(key.len() + 64);
            left = left.checked_sub(kept).ok_or(NotATrie("its keys are longer than it is itself"))?;
            found.extend(values.into_iter().map(|(priority, value)| Entry {
                key: key.clone(),
                priority,
                value,
            }));
            let (first, table) = node.children;
            for (byte, child) in (first..=u8::MAX).zip(table.chunks_exact(4)).rev() {
                let child = u32::from_be_bytes([child[0], child[1], child[2], child[3]]);
                if child != 0 {
                    let mut key = key.clone();
                    key.push(byte);
                    stack.push((child, key, depth + 1));
                }
            }
        }
        Ok(found)
    }

    fn node(&self, offset: u32) -> Result<Node<'d>, NotATrie> {
        const SHORT: NotATrie = NotATrie("it is cut");
        let mut rest = self.data.get((offset & OFFSET) as usize..).ok_or(SHORT)?;
        let mut node = Node { prefix: &[], children: (0, &[]), values: 0, rest: &[] };
        if offset & PREFIX != 0 {
            (node.prefix, rest) = string(rest).ok_or(SHORT)?;
        }
        if offset & CHILDREN != 0 {
            let [first, last, table @ ..] = rest else { return Err(SHORT) };
            let count = last.checked_sub(*first).ok_or(NotATrie("a range of bytes ends before it begins"))?;
            let (table, after) = table.split_at_checked(4 * (usize::from(count) + 1)).ok_or(SHORT)?;
            (node.children, rest) = ((*first, table), after);
        }
        if offset & VALUES != 0 {
            let (count, after) = rest.split_first_chunk().ok_or(SHORT)?;
            (node.values, rest) = (u32::from_be_bytes(*count), after);
        }
        node.rest = rest;
        Ok(node)
    }
}

fn values<'d>(node: &Node<'d>) -> Result<Vec<(u32, &'d [u8])>, NotATrie> {
    let mut rest = node.rest;
    let mut values = Vec::new();
    for _ in 0..node.values {
        let (priority, after) = rest.split_first_chunk().ok_or(NotATrie("it is cut"))?;
        let (value, after) = string(after).ok_or(NotATrie("it is cut"))?;
        values.push((u32::from_be_bytes(*priority), value));
        rest = after;
    }
    Ok(values)
}

/// Bytes up to a NUL, and those behind it.
fn string(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = data.iter().position(|b| *b == 0)?;
    Some((&data[..end], &data[end + 1..]))
}
