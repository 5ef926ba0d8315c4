// SPDX-License-Identifier: LGPL-2.1-or-later
//! Runs of kmp that are killed, or fail, at one system call after the other.

use super::{Campaign, Enough, Tests};

pub const CAMPAIGN: Campaign = Campaign {
    name: "kills",
    about: "kill kmp at every system call that changes the disk, then run it again",
    tests: &[
        Tests { package: "kmp-cli", binary: "e2e", filter: "killed::" },
        Tests { package: "kmp-cli", binary: "plugin", filter: "killed::" },
    ],
    enough: Enough::Figure { name: "calls disturbed", count: 5000 },
};
