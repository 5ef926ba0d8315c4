// SPDX-License-Identifier: LGPL-2.1-or-later
//! No kernel is without a driver that is installed for it.

use super::super::{Found, Look, Rule, Severity, System};

pub(in super::super) const RULE: Rule = Rule {
    name: "driver-lost",
    severity: Severity::Error,
    what: "Each installed driver works in each kernel of its flavour.",
    why: "Whoever boots a kernel that refuses a driver is without it.",
    remedy: "See the reasons (kmp status), and look for another version of the driver (kmp update, or its provider).",
    is_mended: false,
    look: Look::System(look),
};

fn look(system: &System<'_>) -> Vec<Found> {
    let survey = &system.report.survey;
    let mut found = Vec::new();
    for kernel in &survey.kernels {
        for missing in system.report.not_linked(&kernel.kernel.release) {
            let standings = survey.standings(kernel);
            // Another build may serve the kernel.
            if standings[missing.id].as_ref().is_some_and(|standing| standing.is_fault) {
                found.push(Found::new(&kernel.kernel.release, missing.to_string()));
            }
        }
    }
    found
}
