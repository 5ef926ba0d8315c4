// SPDX-License-Identifier: LGPL-2.1-or-later
//! What messages are about: a word for programs, and the number by which journalctl explains it (`journalctl -x`). What it
//! explains is in `packaging/journal/kmp.catalog`.

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A driver has got links in a kernel.
    Added,
    /// Another version's links have taken the place of its own.
    Replaced,
    /// Its links went.
    Removed,
    /// It has got links that it lacked, or lost some that did not belong.
    Repaired,
    /// A link that led nowhere went.
    Dangling,
    /// A driver gets no links in a kernel.
    NotLinked,
    /// A new initrd was requested.
    InitrdRequested,
    /// A new initrd was made.
    InitrdMade,
    /// A new initrd is needed, and was not made.
    InitrdFailed,
    /// Links or index of a kernel, or of all, are not what they should be.
    Failed,
    /// A transaction was stopped, as it would have lost a driver.
    Stopped,
    /// A transaction went on that loses a driver.
    Lost,
    /// A kernel in a repository is held back, as it would cost a driver.
    Held,
    /// It is no more.
    MayCome,
    /// A module that nobody supports is in use.
    Unsupported,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Added,
        Self::Replaced,
        Self::Removed,
        Self::Repaired,
        Self::Dangling,
        Self::NotLinked,
        Self::InitrdRequested,
        Self::InitrdMade,
        Self::InitrdFailed,
        Self::Failed,
        Self::Stopped,
        Self::Lost,
        Self::Held,
        Self::MayCome,
        Self::Unsupported,
    ];

    /// The word for it, for programs: the journal's field `KMP_ACTION`. It never changes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Replaced => "replaced",
            Self::Removed => "removed",
            Self::Repaired => "repaired",
            Self::Dangling => "dangling",
            Self::NotLinked => "not-linked",
            Self::InitrdRequested => "initrd-requested",
            Self::InitrdMade => "initrd-made",
            Self::InitrdFailed => "initrd-failed",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Lost => "lost",
            Self::Held => "held",
            Self::MayCome => "may-come",
            Self::Unsupported => "unsupported",
        }
    }

    /// The journal's `MESSAGE_ID`. It never changes.
    pub fn message_id(self) -> &'static str {
        match self {
            Self::Added | Self::Replaced | Self::Removed | Self::Repaired | Self::Dangling => {
                "5d1f0f3ab6a14a2e8b1b6f2a7f0c94d1"
            }
            Self::NotLinked => "c2f6a4e91c0b4a7d9f3a5e8270d6b1e3",
            Self::InitrdRequested | Self::InitrdMade => "91b7c3d8e25f4f06a1d4c7b9380e6f52",
            Self::InitrdFailed => "0e8a5bd2497c4c13b6f1d3a97e42c805",
            Self::Failed => "a47d19e6c8304b5f92e0b7163fd5ca88",
            Self::Stopped => "3b6ce0f7d1a948e2ac59074df81b263e",
            Self::Lost => "f8d2417b90ce4635bd7a1ec3065f9a24",
            Self::Held | Self::MayCome => "6c05e9b24f7d4d1c8a93b1d0e7428f5b",
            Self::Unsupported => "b83d50f6e1c94a27905cde47a16f2b38",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_catalogue_explains_each_and_nothing_else() {
        let catalogue = include_str!("../../../../packaging/journal/kmp.catalog");
        let explained: BTreeSet<&str> =
            catalogue.lines().filter_map(|line| line.strip_prefix("-- ")).collect();
        let known: BTreeSet<&str> = Event::ALL.iter().map(|event| event.message_id()).collect();
        assert_eq!(explained, known);
        assert!(known.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())));
        let words: BTreeSet<&str> = Event::ALL.iter().map(|event| event.word()).collect();
        assert_eq!(words.len(), Event::ALL.len());
    }
}
