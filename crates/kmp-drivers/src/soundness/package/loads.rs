// SPDX-License-Identifier: LGPL-2.1-or-later
//! Some kernel takes it.

use super::super::{Candidate, Found, Look, Rule, Severity};

pub(in super::super) const RULE: Rule = Rule {
    name: "loads",
    severity: Severity::Error,
    what: "Of the kernels that are installed and of its flavour, at least one would load all of its modules.",
    why: "Installed, it takes room on the disk and does nothing.",
    remedy: "See the reasons (kmp check), and look for a version that was built for one of these kernels.",
    is_mended: false,
    look: Look::Package(look),
};

fn look(package: &Candidate) -> Vec<Found> {
    let fits = |release: &super::super::Verdicts| release.modules.iter().all(|(_, verdict)| verdict.fits());
    let of_modules = |release: &&super::super::Verdicts| !release.modules.is_empty();
    let mut judged = package.verdicts.iter().filter(of_modules).peekable();
    if judged.peek().is_none() || judged.clone().any(fits) {
        return Vec::new();
    }
    let first = |release: &super::super::Verdicts| {
        let (module, verdict) = release.modules.iter().find(|(_, verdict)| !verdict.fits())?;
        let reason = verdict.reasons.first()?;
        Some(package.found(format!("{} refuses {module}: {}", release.release, reason.detail)))
    };
    judged.filter_map(first).collect()
}
