// SPDX-License-Identifier: LGPL-2.1-or-later
//! The modules say who supports them.

use kmp_core::abi::Supported;
use kmp_core::dialect::Dialect;

use super::super::{Candidate, Found, Look, Rule, Severity};

pub(in super::super) const RULE: Rule = Rule {
    name: "supported",
    severity: Severity::Note,
    what: "Its modules say that somebody supports them: supported=yes or supported=external (SUSE).",
    why: "SUSE's kernels are tainted by one that does not, and an enterprise system may be configured not to load it.",
    remedy: "Ask the provider, who may set it only by agreement with the distributor.",
    is_mended: false,
    look: Look::Package(look),
};

fn look(package: &Candidate) -> Vec<Found> {
    let unsupported = package.read().filter(|(_, module)| module.supported == Supported::No);
    let mut found: Vec<Found> = unsupported
        .map(|(path, _)| package.found(format!("{} says nothing of support", super::shown(path))))
        .collect();
    if package.dialect != Dialect::Suse {
        found.clear();
    }
    found
}
