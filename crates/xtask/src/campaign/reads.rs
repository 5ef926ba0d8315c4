// SPDX-License-Identifier: LGPL-2.1-or-later
//! Runs of kmp, and of rpm with the plugin, in which one call that reads fails.

use super::{Campaign, Enough, Tests};

pub const CAMPAIGN: Campaign = Campaign {
    name: "reads",
    about: "make one reading call fail, and see that no link, marker or verdict is lost",
    tests: &[
        Tests { package: "kmp-cli", binary: "e2e", filter: "read_faults::" },
        Tests { package: "kmp-cli", binary: "plugin", filter: "read_faults::" },
    ],
    enough: Enough::Figure { name: "reads failed", count: 2000 },
};
