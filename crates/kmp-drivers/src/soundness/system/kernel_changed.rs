// SPDX-License-Identifier: LGPL-2.1-or-later
//! Kernels are what their packages have.

use super::super::{Found, Look, Rule, Severity, System};

pub(in super::super) const RULE: Rule = Rule {
    name: "kernel-changed",
    severity: Severity::Error,
    what: "The files of kernels are those of their packages.",
    why: "Verdicts rest on what a kernel exports; a file that is damaged, or from elsewhere, makes them wrong.",
    remedy: "Install the kernel's package again (zypper install -f, dnf reinstall).",
    is_mended: false,
    look: Look::System(look),
};

fn look(system: &System<'_>) -> Vec<Found> {
    super::changed(&system.kernels_changed)
}
