// SPDX-License-Identifier: LGPL-2.1-or-later
//! The index is as new as what it lists.

use kmp_core::sync::Index;

use super::super::{Found, Look, Rule, Severity, System};

pub(in super::super) const RULE: Rule = Rule {
    name: "index",
    severity: Severity::Error,
    what: "Each kernel's index of modules (modules.dep and others) is as new as its modules.",
    why: "Drivers are found by the index alone (modprobe).",
    remedy: "Have it written: kmp sync.",
    is_mended: true,
    look: Look::System(look),
};

fn look(system: &System<'_>) -> Vec<Found> {
    // Where links are to be changed the index is due for these.
    let kernels = system.report.kernels.iter().filter(|k| k.index == Index::Due && k.changes.is_empty());
    kernels
        .map(|kernel| Found::new(&kernel.release, "modules.dep is older than the modules that it lists"))
        .collect()
}
