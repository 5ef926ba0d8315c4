// SPDX-License-Identifier: LGPL-2.1-or-later
//! Security advisories in JSON.

use kmp_core::last_update;
use serde::Serialize;

/// A security advisory.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Advisory {
    /// Its name, as its maker calls it.
    id: String,
    /// How bad it is, in its maker's word; empty if it does not say.
    severity: String,
    /// The CVEs that it names.
    cves: Vec<String>,
}

/// These, for JSON.
pub fn advisories(of: &[last_update::Advisory]) -> Vec<Advisory> {
    let one = |advisory: &last_update::Advisory| {
        let last_update::Advisory { id, severity, cves } = advisory.clone();
        Advisory { id, severity, cves }
    };
    of.iter().map(one).collect()
}
