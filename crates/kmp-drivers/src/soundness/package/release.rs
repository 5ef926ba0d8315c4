// SPDX-License-Identifier: LGPL-2.1-or-later
//! Modules are in the directory of the kernel that they were built for.

use kmp_core::tree;

use super::super::{Candidate, Found, Look, Rule, Severity};

pub(in super::super) const RULE: Rule = Rule {
    name: "release",
    severity: Severity::Error,
    what: "Each module is in the directory of the kernel release that it was built for.",
    why: "That kernel takes it without a look at its symbols (kernels that check versions), or refuses it.",
    remedy: "Build it for the kernel in whose directory it is; see kmp-packaging(7).",
    is_mended: false,
    look: Look::Package(look),
};

fn look(package: &Candidate) -> Vec<Found> {
    let mut found = Vec::new();
    for (path, module) in package.read() {
        let built_for = module.vermagic.as_deref().and_then(|vermagic| vermagic.split(' ').next());
        let release = tree::parts(path).map(|parts| parts.release.to_string_lossy().into_owned());
        if let (Some(built_for), Some(release)) = (built_for, release)
            && built_for != release
        {
            let path = super::shown(path);
            found.push(package.found(format!("{path} was built for {}", super::shown(built_for.as_ref()))));
        }
    }
    found
}
