// SPDX-License-Identifier: LGPL-2.1-or-later
//! The package is signed, by a key that rpm trusts.

use librpm_rt::Trust;

use super::super::{Candidate, Found, Look, Rule, Severity, Signing};

pub(in super::super) const RULE: Rule = Rule {
    name: "signature",
    severity: Severity::Warning,
    what: "The package is whole, and signed with a key that rpm trusts.",
    why: "A driver is part of the kernel: whoever can put one there owns the machine.",
    remedy: "Get the package from its provider, compare his key, and import it (kmp key import).",
    is_mended: false,
    look: Look::Package(look),
};

fn look(package: &Candidate) -> Vec<Found> {
    match &package.signing {
        Signing::File(Trust::Good, _) | Signing::Installed { is_known: true, .. } => Vec::new(),
        Signing::File(_, detail) => vec![package.found(detail)],
        Signing::Installed { signers, .. } if signers.is_empty() => vec![package.found("not signed")],
        Signing::Installed { signers, .. } => {
            vec![package.found(format!("signed by {}, which rpm does not know here", signers.join(", ")))]
        }
    }
}
