// SPDX-License-Identifier: LGPL-2.1-or-later
//! The package's scriptlets have links made.

use super::super::{Candidate, Found, Look, Rule, Severity};

pub(in super::super) const RULE: Rule = Rule {
    name: "scriptlets",
    severity: Severity::Warning,
    what: "Its %post or %posttrans calls kmp, weak-modules2, weak-modules or the distribution's scripts for drivers.",
    why: "Where neither rpm's plugin nor file triggers are, other kernels get the driver by this alone.",
    remedy: "Use the distribution's macros; see kmp-packaging(7).",
    is_mended: false,
    look: Look::Package(look),
};

/// What scriptlets call: kmp's scripts and those of suse-module-tools, and the commands.
const CALLS: &[&str] =
    &["weak-modules", "kmp-scriptlets", "kmp-post", "inkmp-", "inkmp_", "kmp add-kmp", "kmp sync"];

fn look(package: &Candidate) -> Vec<Found> {
    let scriptlets = &package.contents.package.scriptlets;
    let calls = CALLS.iter().any(|call| scriptlets.contains(call));
    package.one(!calls, "its scriptlets call nothing that makes links")
}
