// SPDX-License-Identifier: LGPL-2.1-or-later
//! The modules are free software, as the kernel takes it.

use super::super::{Candidate, Found, Look, Rule, Severity};

pub(in super::super) const RULE: Rule = Rule {
    name: "licence",
    severity: Severity::Note,
    what: "Its modules have a licence that the kernel takes for compatible with its own.",
    why: "Another one taints the kernel (P), and keeps from the module what the kernel exports for such licences alone.",
    remedy: "Ask the provider; MODULE_LICENSE says it, in the kernel's own words.",
    is_mended: false,
    look: Look::Package(look),
};

fn look(package: &Candidate) -> Vec<Found> {
    let others = package.read().filter(|(_, module)| !module.is_gpl());
    others
        .map(|(path, module)| {
            let licence = module.license.as_deref().unwrap_or("none");
            package.found(format!(
                "the licence of {} is {}",
                super::shown(path),
                super::shown(licence.as_ref())
            ))
        })
        .collect()
}
