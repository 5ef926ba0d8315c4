// SPDX-License-Identifier: LGPL-2.1-or-later
//! `modules.devname`: device nodes whose first use loads a module.

use crate::{Named, Strings};

/// `modules.devname`; empty if no module has such a node.
pub fn text(modules: &[Named<'_>]) -> Vec<u8> {
    let mut text = Vec::new();
    for module in modules {
        let Some((node, kind, (major, minor))) = node(module.facts.aliases()) else { continue };
        if text.is_empty() {
            text.extend_from_slice(b"# Device nodes to trigger on-demand module loading.\n");
        }
        text.extend_from_slice(&module.name);
        text.push(b' ');
        text.extend_from_slice(node);
        text.extend_from_slice(format!(" {kind}{major}:{minor}\n").as_bytes());
    }
    text
}

/// The first `devname:` alias, and the numbers of the last device before both are known.
fn node(aliases: Strings<'_>) -> Option<(&[u8], char, (u32, u32))> {
    let (mut node, mut device) = (None, None);
    for alias in aliases {
        if let Some(name) = alias.strip_prefix(b"devname:") {
            node = node.or(Some(name));
        } else if let Some(numbers) = alias.strip_prefix(b"char-major-").and_then(numbers) {
            device = Some(('c', numbers));
        } else if let Some(numbers) = alias.strip_prefix(b"block-major-").and_then(numbers) {
            device = Some(('b', numbers));
        }
        if let (Some(node), Some((kind, numbers))) = (node, device) {
            return Some((node, kind, numbers));
        }
    }
    None
}

/// `MAJOR-MINOR`, with anything behind it.
fn numbers(text: &[u8]) -> Option<(u32, u32)> {
    let text = std::str::from_utf8(text).ok()?;
    let (major, minor) = text.split_once('-')?;
    let end = minor.find(|c: char| !c.is_ascii_digit()).unwrap_or(minor.len());
    Some((major.parse().ok()?, minor[..end].parse().ok()?))
}
