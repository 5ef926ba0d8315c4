// SPDX-License-Identifier: LGPL-2.1-or-later
//! Modules are where links are made from.

use kmp_core::dialect::Dialect;
use kmp_core::tree;

use super::super::{Candidate, Found, Look, Rule, Severity};

pub(in super::super) const RULE: Rule = Rule {
    name: "place",
    severity: Severity::Error,
    what: "Modules are in updates/ or extra/ of a kernel's directory (Red Hat: in extra/).",
    why: "Modules elsewhere are linked into no other kernel; in weak-updates/ they are in the way of links, and in kernel/ of \
          the kernel's own.",
    remedy: "Install them into updates/ (SUSE) or extra/ (Red Hat); see kmp-packaging(7).",
    is_mended: false,
    look: Look::Package(look),
};

fn look(package: &Candidate) -> Vec<Found> {
    let places: &[&str] = match package.dialect {
        Dialect::Suse => &["updates", "extra"],
        Dialect::RedHat => &["extra"],
    };
    let is_wrong = |path: &&std::path::PathBuf| {
        let below = tree::parts(path).map(|parts| parts.below.to_path_buf());
        !below.is_some_and(|below| places.iter().any(|place| below.starts_with(place)))
    };
    package
        .paths
        .iter()
        .filter(is_wrong)
        .map(|path| package.found(format!("{} is elsewhere", super::shown(path))))
        .collect()
}
