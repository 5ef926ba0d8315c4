// SPDX-License-Identifier: LGPL-2.1-or-later
//! Modules outside `kernel/` are a package's.

use super::super::{Found, Look, Rule, Severity, System};

pub(in super::super) const RULE: Rule = Rule {
    name: "unowned",
    severity: Severity::Warning,
    what: "Each module in updates/, extra/ and the like belongs to a package, or was built here by dkms or akmods.",
    why: "Nobody updates a module that was copied there, and it wins over the kernel's own.",
    remedy: "Package it (kmp new), or remove it.",
    is_mended: false,
    look: Look::System(look),
};

fn look(system: &System<'_>) -> Vec<Found> {
    let survey = &system.report.survey;
    let made_here: std::collections::BTreeSet<&std::path::Path> = (survey.inventory.kmps.iter())
        .filter(|kmp| kmp.kind.maker().is_some() || kmp.is_packaged())
        .flat_map(|kmp| kmp.modules.iter().map(|module| module.path.as_path()))
        .collect();
    let mut found = Vec::new();
    for kernel in &survey.kernels {
        for (module, _) in survey.unpackaged_in(kernel).filter(|(m, _)| !made_here.contains(m.path.as_path()))
        {
            let path = kmp_core::printable(module.path.as_os_str());
            found.push(Found::new(&kernel.kernel.release, format!("{path} belongs to no package")));
        }
    }
    found
}
