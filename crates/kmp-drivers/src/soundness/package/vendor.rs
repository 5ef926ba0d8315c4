// SPDX-License-Identifier: LGPL-2.1-or-later
//! The package says who answers for it.

use super::super::{Candidate, Found, Look, Rule, Severity};

pub(in super::super) const RULE: Rule = Rule {
    name: "vendor",
    severity: Severity::Note,
    what: "Its tag Vendor names the company or the project that answers for it.",
    why: "Support begins with knowing whom to ask, and package managers keep to the vendor of what is installed.",
    remedy: "Set Vendor in the spec file, or in the build service's project.",
    is_mended: false,
    look: Look::Package(look),
};

fn look(package: &Candidate) -> Vec<Found> {
    let vendor = package.contents.package.vendor.trim();
    let says = !matches!(vendor, "" | "(none)");
    package.one(!says, "it names no vendor")
}
