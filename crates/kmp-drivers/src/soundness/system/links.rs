// SPDX-License-Identifier: LGPL-2.1-or-later
//! The links are what they should be.

use super::super::{Found, Look, Rule, Severity, System};

pub(in super::super) const RULE: Rule = Rule {
    name: "links",
    severity: Severity::Error,
    what: "Each kernel has the links in weak-updates/ that it should have, and no others.",
    why: "A kernel without a link lacks the driver; one with a wrong link may load a driver that does not fit.",
    remedy: "Correct them: kmp sync.",
    is_mended: true,
    look: Look::System(look),
};

fn look(system: &System<'_>) -> Vec<Found> {
    let kernels = system.report.kernels.iter();
    kernels
        .flat_map(|kernel| kernel.changes.iter().map(|c| Found::new(&kernel.release, format!("to do: {c}"))))
        .collect()
}
