// SPDX-License-Identifier: LGPL-2.1-or-later
//! The package's dependencies say which kernels it is for.

use super::super::{Candidate, Found, Look, Rule, Severity};

pub(in super::super) const RULE: Rule = Rule {
    name: "requires",
    severity: Severity::Warning,
    what: "It requires the symbols that its modules use: ksym(...) or kernel(...).",
    why: "Without them a package manager installs it beside kernels that it does not fit, and removes those that it needs.",
    remedy: "Let rpm's generators write them (kmp deps); see kmp-packaging(7).",
    is_mended: false,
    look: Look::Package(look),
};

fn look(package: &Candidate) -> Vec<Found> {
    let uses_symbols = package.read().any(|(_, module)| !module.needs.is_empty());
    let is_of_symbols = |name: &str| name.starts_with("ksym(") || name.starts_with("kernel(");
    let requires = package.contents.requires.iter().any(|required| is_of_symbols(&required.name));
    package.one(uses_symbols && !requires, "it requires no symbol, though its modules use some")
}
