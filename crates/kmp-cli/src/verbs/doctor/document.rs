// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp doctor --json`.

use kmp_drivers::soundness::{Found, Rule};
use serde::Serialize;

use crate::output::json;

/// What breaks the rules of a sound system and of sound packages.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Doctor {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// The worst first.
    findings: Vec<Finding>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Finding {
    /// The rule's name; kmp(8) has them all.
    rule: &'static str,
    /// How bad it is.
    #[cfg_attr(test, schemars(extend("enum" = ["note", "warning", "error"])))]
    severity: &'static str,
    /// A kernel, a package or a file.
    about: String,
    /// What is wrong with it, in words.
    detail: String,
    /// Why it matters.
    why: &'static str,
    /// What to do.
    remedy: &'static str,
    /// Does `kmp doctor --fix` mend it?
    mended_by_fix: bool,
}

pub fn document(broken: &[(&'static Rule, Found)]) -> Doctor {
    let finding = |(rule, found): &(&'static Rule, Found)| Finding {
        rule: rule.name,
        severity: rule.severity.word(),
        about: found.about.clone(),
        detail: found.detail.clone(),
        why: rule.why,
        remedy: rule.remedy,
        mended_by_fix: rule.is_mended,
    };
    Doctor { version: json::VERSION, findings: broken.iter().map(finding).collect() }
}
