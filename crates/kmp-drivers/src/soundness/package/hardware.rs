// SPDX-License-Identifier: LGPL-2.1-or-later
//! The package says which hardware it is for.

use kmp_core::dialect::Dialect;

use super::super::{Candidate, Found, Look, Rule, Severity};

pub(in super::super) const RULE: Rule = Rule {
    name: "hardware",
    severity: Severity::Note,
    what: "A package whose modules are for devices says for which: Supplements (SUSE) or Provides (Red Hat) modalias(...).",
    why: "A driver can be found for a device by it, and by nothing else.",
    remedy: "Let rpm's generators write it (kmp deps --supplements); see kmp-packaging(7).",
    is_mended: false,
    look: Look::Package(look),
};

fn look(package: &Candidate) -> Vec<Found> {
    // Aliases of devices begin with a bus; others are names for modprobe.
    let has_aliases =
        package.read().any(|(_, module)| module.aliases.iter().any(|alias| alias.contains(':')));
    let is_alias = |text: &str| text.contains("modalias(");
    let says = match package.dialect {
        Dialect::Suse => package.provenance.supplements.iter().any(|text| is_alias(text)),
        Dialect::RedHat => package.contents.package.provides.iter().any(|provided| is_alias(&provided.name)),
    };
    package.one(has_aliases && !says, "its modules are for devices, but its dependencies do not say so")
}
