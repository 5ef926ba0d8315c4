// SPDX-License-Identifier: LGPL-2.1-or-later
//! It exports nothing that another module does.

use kmp_core::abi::Rule as LoaderRule;

use super::super::{Candidate, Found, Look, Rule, Severity};

pub(in super::super) const RULE: Rule = Rule {
    name: "clash",
    severity: Severity::Error,
    what: "No symbol that its modules export is exported by the kernel or by another module beside them.",
    why: "The kernel refuses whichever of the two is loaded second.",
    remedy: "Have the package bring all modules that belong together, or rename what it exports.",
    is_mended: false,
    look: Look::Package(look),
};

fn look(package: &Candidate) -> Vec<Found> {
    let mut found = Vec::new();
    for release in &package.verdicts {
        for (module, verdict) in &release.modules {
            let reasons = verdict.reasons.iter().filter(|reason| reason.rule == LoaderRule::DuplicateExport);
            let warnings = verdict.warnings.iter().filter(|warning| warning.as_str() == "may-clash");
            let details = reasons.map(|r| r.detail.clone()).chain(warnings.map(ToString::to_string));
            found.extend(
                details.map(|detail| package.found(format!("{}: {module}: {detail}", release.release))),
            );
        }
    }
    found
}
