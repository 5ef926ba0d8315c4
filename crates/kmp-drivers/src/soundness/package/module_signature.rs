// SPDX-License-Identifier: LGPL-2.1-or-later
//! The modules are signed.

use kmp_core::abi::SignatureState;

use super::super::{Candidate, Found, Look, Rule, Severity};

pub(in super::super) const RULE: Rule = Rule {
    name: "module-signature",
    severity: Severity::Note,
    what: "Its modules are signed.",
    why: "A kernel that is locked down, as with Secure Boot, loads only modules that are signed with a key which it knows; any \
          other kernel is tainted by one that is not.",
    remedy: "Sign them while the package is built, and tell people how to enrol the certificate (mokutil).",
    is_mended: false,
    look: Look::Package(look),
};

fn look(package: &Candidate) -> Vec<Found> {
    let mut found = Vec::new();
    for (path, module) in package.read() {
        match &module.signature {
            SignatureState::Signed(_) => {}
            SignatureState::Unsigned => {
                found.push(package.found(format!("{} is not signed", super::shown(path))))
            }
            SignatureState::Broken(why) => {
                found.push(
                    package.found(format!("{}: its signature cannot be read: {why}", super::shown(path))),
                );
            }
        }
    }
    found
}
