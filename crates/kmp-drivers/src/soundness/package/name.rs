// SPDX-License-Identifier: LGPL-2.1-or-later
//! The package has a name by which tools know it.

use kmp_core::dialect::Dialect;

use super::super::{Candidate, Found, Look, Rule, Severity};

pub(in super::super) const RULE: Rule = Rule {
    name: "name",
    severity: Severity::Note,
    what: "It is named NAME-kmp-FLAVOUR (SUSE), or kmod-NAME (Red Hat).",
    why: "People and tools find drivers by it; in SUSE's form the flavour says for which kernels it is.",
    remedy: "Use the distribution's macros; see kmp-packaging(7).",
    is_mended: false,
    look: Look::Package(look),
};

fn look(package: &Candidate) -> Vec<Found> {
    let name = &package.contents.package.name;
    let is_right = match package.dialect {
        Dialect::Suse => {
            name.split_once("-kmp-").is_some_and(|(name, flavour)| !name.is_empty() && !flavour.is_empty())
        }
        Dialect::RedHat => name.strip_prefix("kmod-").is_some_and(|name| !name.is_empty()),
    };
    package.one(!is_right, format!("its name is {}", super::shown(name.as_ref())))
}
