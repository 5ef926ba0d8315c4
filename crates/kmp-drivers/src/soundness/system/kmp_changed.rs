// SPDX-License-Identifier: LGPL-2.1-or-later
//! kmp itself is installed whole.

use super::super::{Found, Look, Rule, Severity, System};

pub(in super::super) const RULE: Rule = Rule {
    name: "kmp-changed",
    severity: Severity::Error,
    what: "The files of kmp's own packages are those that were installed.",
    why: "Scriptlets and rpm's plugin do nothing for drivers where a part of kmp is missing.",
    remedy: "Install kmp's package again (zypper install -f, dnf reinstall).",
    is_mended: false,
    look: Look::System(look),
};

fn look(system: &System<'_>) -> Vec<Found> {
    super::changed(&system.kmp_changed)
}
