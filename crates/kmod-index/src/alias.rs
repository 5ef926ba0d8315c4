// SPDX-License-Identifier: LGPL-2.1-or-later
//! `modules.alias`, `modules.softdep`, `modules.weakdep`: what modules say of themselves, in their order.

use std::borrow::Cow;

use crate::style::Style;
use crate::trie::Writer;
use crate::{Facts, Named, Strings, Unsure};

/// `modules.alias`.
pub fn text(modules: &[Named<'_>]) -> Vec<u8> {
    let mut text = b"# Aliases extracted from modules themselves.\n".to_vec();
    for module in modules {
        for alias in module.facts.aliases() {
            line(&mut text, b"alias", alias, &module.name);
        }
    }
    text
}

/// `modules.alias.bin`: modules by pattern. A pattern with a bracket too many, or too few, is left out.
pub fn binary(modules: &[Named<'_>], style: Style) -> Result<Vec<u8>, Unsure> {
    let mut writer = Writer::default();
    for (place, module) in (0_u32..).zip(modules) {
        for pattern in module.facts.aliases().filter_map(normalised) {
            writer.insert(pattern, place, &module.name);
        }
    }
    writer.finish(style)
}

/// `modules.softdep`.
pub fn softdeps(modules: &[Named<'_>]) -> Vec<u8> {
    dependencies(modules, "Soft", b"softdep", Facts::softdeps)
}

/// `modules.weakdep`.
pub fn weakdeps(modules: &[Named<'_>]) -> Vec<u8> {
    dependencies(modules, "Weak", b"weakdep", Facts::weakdeps)
}

fn dependencies<'a>(
    modules: &[Named<'a>],
    kind: &str,
    word: &[u8],
    of: impl Fn(&'a Facts<'a>) -> Strings<'a>,
) -> Vec<u8> {
    let mut text = format!("# {kind} dependencies extracted from modules themselves.\n").into_bytes();
    for module in modules {
        of(module.facts).for_each(|other| line(&mut text, word, &module.name, other));
    }
    text
}

fn line(text: &mut Vec<u8>, word: &[u8], first: &[u8], second: &[u8]) {
    for part in [word, b" ", first, b" ", second, b"\n"] {
        text.extend_from_slice(part);
    }
}

/// A pattern as it is looked up: with `_` for `-`, but for what stands in brackets.
pub fn normalised(pattern: &[u8]) -> Option<Cow<'_, [u8]>> {
    if memchr::memchr3(b'-', b'[', b']', pattern).is_none() {
        return Some(pattern.into());
    }
    let mut out = Vec::with_capacity(pattern.len());
    let mut bytes = pattern.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'-' => out.push(b'_'),
            b']' => return None,
            b'[' => {
                out.push(byte);
                loop {
                    let byte = bytes.next()?;
                    out.push(byte);
                    if byte == b']' {
                        break;
                    }
                }
            }
            byte => out.push(byte),
        }
    }
    Some(out.into())
}
