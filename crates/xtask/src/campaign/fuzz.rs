//! Random damage to what kmp reads.

use super::{Campaign, Enough, Tests};

pub const CAMPAIGN: Campaign = Campaign {
    name: "fuzz",
    about: "damage what kmp reads at random, with another seed each time",
    tests: &[Tests { package: "kmp-cli", binary: "e2e", filter: "hostile_fuzz::" }],
    enough: Enough::Seconds(3600),
};
