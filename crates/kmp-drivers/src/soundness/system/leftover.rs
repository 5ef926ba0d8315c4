// SPDX-License-Identifier: LGPL-2.1-or-later
//! Nothing is left of kernels that are gone.

use super::super::{Found, Look, Rule, Severity, System};

pub(in super::super) const RULE: Rule = Rule {
    name: "leftover",
    severity: Severity::Note,
    what: "Below /usr/lib/modules are no modules that nobody owns in directories of kernels that are gone.",
    why: "No kernel uses them, and people take them for drivers that are installed.",
    remedy: "Look at the files, and remove them if they are nobody's.",
    is_mended: false,
    look: Look::System(look),
};

fn look(system: &System<'_>) -> Vec<Found> {
    let inventory = &system.report.survey.inventory;
    let mut found = Vec::new();
    for release in inventory.releases.iter().filter(|release| !release.is_kernel) {
        let unowned = release.third_party.iter().filter(|module| inventory.owner(&module.path).is_none());
        let count = unowned.count() + release.in_tree.len();
        if count > 0 {
            let detail = format!("no kernel, but {count} modules that no package of drivers owns");
            found.push(Found::new(kmp_core::printable(release.dir.as_os_str()), detail));
        }
    }
    found
}
