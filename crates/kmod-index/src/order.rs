// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which modules there are in an index, and in which order.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::depmod_d::Config;
use crate::style::Style;
use crate::{Module, Named, Unsure, hash, shown};

/// Modules beyond this are left to depmod, whose indexes have 16 bits.
const MODULES: usize = 65_535;

/// Buckets of depmod's table of modules.
const BUCKETS: u32 = 512;

/// A module's name by its path: its file's up to the first dot, with `_` for `-`.
#[must_use]
pub fn module_name(path: &[u8]) -> Vec<u8> {
    let file = path.rsplit(|b| *b == b'/').next().unwrap_or(path);
    let name = file.split(|b| *b == b'.').next().unwrap_or(file);
    name.iter().map(|b| if *b == b'-' { b'_' } else { *b }).collect()
}

/// Of each name the one that depmod takes, by rank.
pub fn chosen<'a>(modules: &[Module<'a>], config: &Config, release: &str) -> Result<Vec<Named<'a>>, Unsure> {
    let path = |bytes: &'a [u8]| Path::new(OsStr::from_bytes(bytes));
    config.is_sure(release)?;
    let mut chosen: HashMap<Vec<u8>, (&Module<'a>, bool)> = HashMap::with_capacity(modules.len());
    for module in modules {
        let name = module_name(module.path);
        if name.is_empty() || module.path.iter().any(|b| b.is_ascii_control() || *b == b' ') {
            return Err(Unsure::OddName(shown(module.path)));
        }
        match chosen.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert((module, false));
            }
            Entry::Occupied(mut entry) => {
                match config.compare(release, path(entry.get().0.path), path(module.path)) {
                    Ordering::Less => {}
                    Ordering::Greater => *entry.get_mut() = (module, false),
                    Ordering::Equal => entry.get_mut().1 = true,
                }
            }
        }
    }
    // A pair of one rank that a third one wins over is no trouble.
    if let Some((name, _)) =
        chosen.iter().filter(|(_, (_, is_doubtful))| *is_doubtful).min_by_key(|(name, _)| *name)
    {
        return Err(Unsure::SameRank(shown(name)));
    }
    let named = |(name, (module, _)): (Vec<u8>, (&Module<'a>, bool))| Named {
        name,
        path: module.path,
        facts: module.facts,
    };
    if chosen.len() >= MODULES {
        return Err(Unsure::TooMany);
    }
    Ok(chosen.into_iter().map(named).collect())
}

/// In the order of `modules.order`, then those that it does not list in the order of depmod's table.
pub fn ordered<'a>(modules: Vec<Named<'a>>, list: &[u8], style: Style) -> Vec<Named<'a>> {
    let mut modules = hash::sorted(modules, BUCKETS, |module| &module.name);
    let Some(lines) = lines(list) else { return modules };
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    for (place, line) in lines.enumerate() {
        match places.entry(line) {
            Entry::Occupied(_) if style.first_line_counts => {}
            Entry::Occupied(mut entry) => {
                entry.insert(place);
            }
            Entry::Vacant(entry) => {
                entry.insert(place);
            }
        }
    }
    // The sort is stable.
    modules.sort_by_key(|module| places.get(plain(module.path)).copied().unwrap_or(usize::MAX));
    modules
}

/// The lines of a list. One whose last line has no end is not read at all.
fn lines(text: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let body = text.strip_suffix(b"\n")?;
    Some(body.split(|b| *b == b'\n'))
}

/// A module's path without the suffix of a compression.
fn plain(path: &[u8]) -> &[u8] {
    let compressed = [&b".gz"[..], b".xz", b".zst"];
    compressed.into_iter().find_map(|suffix| path.strip_suffix(suffix)).unwrap_or(path)
}
