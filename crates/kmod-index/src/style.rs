// SPDX-License-Identifier: LGPL-2.1-or-later
//! What differs between releases of kmod.

/// How a depmod writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // Each is a difference of its own between releases.
pub struct Style {
    /// A node of a trie comes before its children (kmod 34), not after them.
    pub parents_first: bool,
    /// There is a `modules.weakdep` (kmod 33).
    pub weakdep: bool,
    /// Of two equal lines in `modules.order` the first counts (kmod 34), not the last.
    pub first_line_counts: bool,
    /// `modules.builtin.alias.bin` is filled (kmod 29).
    pub builtin_aliases: bool,
}

impl Style {
    /// That of a release of kmod, as `depmod --version` has it.
    #[must_use]
    pub const fn of_kmod(version: u32) -> Self {
        Self {
            parents_first: version >= 34,
            weakdep: version >= 33,
            first_line_counts: version >= 34,
            builtin_aliases: version >= 29,
        }
    }
}
