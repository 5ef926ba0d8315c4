// SPDX-License-Identifier: LGPL-2.1-or-later
//! The fuzz targets, which share the time.

use super::{Campaign, Enough, Options};
use crate::fuzz;

const SECONDS: u64 = 3600;

pub const CAMPAIGN: Campaign = Campaign {
    name: "fuzz",
    about: "run the fuzz targets, which share the time",
    tests: &[],
    enough: Enough::Seconds(SECONDS),
};

/// libFuzzer does here what tests do elsewhere.
pub fn run(options: &Options) -> Result<(), String> {
    if options.count.or(options.rounds).is_some() {
        return Err("campaign fuzz goes by --seconds".into());
    }
    fuzz::campaign(options.seconds.unwrap_or(SECONDS), options.seed, options.jobs)
}
