// SPDX-License-Identifier: LGPL-2.1-or-later
//! There are modules in it.

use super::super::{Candidate, Found, Look, Rule, Severity};

pub(in super::super) const RULE: Rule = Rule {
    name: "no-modules",
    severity: Severity::Error,
    what: "The package has modules, and each can be read.",
    why: "A file that is no module is loaded by no kernel.",
    remedy: "Look at how the package was built.",
    is_mended: false,
    look: Look::Package(look),
};

fn look(package: &Candidate) -> Vec<Found> {
    let mut found = package.one(package.paths.is_empty(), "it has no module");
    for (path, module) in &package.modules {
        if let Err(why) = &**module {
            found.push(package.found(format!("{}: {why}", super::shown(path))));
        }
    }
    found
}
