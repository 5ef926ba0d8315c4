// SPDX-License-Identifier: LGPL-2.1-or-later
//! Entries of GRUB's own configuration, `grub.cfg`, as `grub2-mkconfig` writes it. Pure.

use std::path::Path;

use super::entry::{Entry, Source};

/// The most entries that are looked at. A menu has some tens.
const ENTRIES: usize = 4096;

/// Each `linux` with the `initrd` lines that follow it. Nothing is run: variables in paths are left out, as are conditions.
pub fn parse(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
        match words.next() {
            Some("linux" | "linux16" | "linuxefi") if entries.len() < ENTRIES => {
                let mut entry = Entry::new(Source::Grub, Path::new(""), "");
                entry.linux = words.next().unwrap_or_default().into();
                entry.options = words.collect::<Vec<_>>().join(" ");
                entries.push(entry);
            }
            Some("initrd" | "initrd16" | "initrdefi") => {
                if let Some(entry) = entries.last_mut() {
                    entry.initrds.extend(words.filter(|word| !word.contains('$')).map(Into::into));
                }
            }
            // What is between two entries belongs to neither.
            Some("menuentry" | "submenu") if entries.last().is_some_and(|entry| !entry.linux.is_empty()) => {
                entries.push(Entry::new(Source::Grub, Path::new(""), ""));
            }
            _ => {}
        }
    }
    entries.retain(|entry| !entry.linux.is_empty());
    entries
}
