// SPDX-License-Identifier: LGPL-2.1-or-later
//! Initrds hold what they should.

use kmp_core::apply::Done;

use super::super::{Found, Look, Rule, Severity, System};

pub(in super::super) const RULE: Rule = Rule {
    name: "initrd",
    severity: Severity::Warning,
    what: "Each kernel's initrd has the drivers that the kernel has, in the same versions.",
    why: "What is loaded from an initrd stays loaded, so an old driver in it is the one that runs.",
    remedy: "Have it made again: kmp initrd.",
    is_mended: true,
    look: Look::System(look),
};

fn look(system: &System<'_>) -> Vec<Found> {
    let due = |kernel: &kmp_core::sync::KernelReport| {
        let fate = kernel.initrd.as_ref().filter(|fate| fate.done == Done::Due)?;
        Some(Found::new(&kernel.release, fate.reason.to_string()))
    };
    let mut found: Vec<Found> = system.report.kernels.iter().filter_map(due).collect();
    for (release, reason) in &system.stale_initrds {
        if !found.iter().any(|known| known.about == *release) {
            found.push(Found::new(release, reason));
        }
    }
    found
}
