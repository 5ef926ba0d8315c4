// SPDX-License-Identifier: LGPL-2.1-or-later
//! Runs of kmp on an image in which somebody exchanges files meanwhile.

use super::{Campaign, Enough, Tests};

pub const CAMPAIGN: Campaign = Campaign {
    name: "races",
    about: "exchange files and directories of an image while kmp works on it",
    tests: &[Tests { package: "kmp-cli", binary: "e2e", filter: "races::" }],
    enough: Enough::Figure { name: "races at each path", count: 10_000 },
};
