// SPDX-License-Identifier: LGPL-2.1-or-later
//! What `cargo xtask campaign` asks of a test, and what the test answers.
//!
//! A test has a quick form, and a long one for campaigns: there it is run again and again, each time with another seed,
//! and the figures that it notes are added up.

/// The seed of a campaign's run, from `KMP_CAMPAIGN_SEED`; `None` where the quick form will do.
#[must_use]
pub fn seed() -> Option<u64> {
    let text = std::env::var("KMP_CAMPAIGN_SEED").ok()?;
    Some(text.parse().unwrap_or_else(|e| panic!("KMP_CAMPAIGN_SEED={text}: {e}")))
}

/// Notes that `number` more of `what` were done, for the campaign to add up.
pub fn figure(what: &str, number: u64) {
    println!("\ncampaign: {what}: {number}");
}
