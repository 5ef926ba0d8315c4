// SPDX-License-Identifier: LGPL-2.1-or-later
//! Are a system and a package sound? Each rule has a file, and a row in it: its name, how bad it is, why it is a rule, and what to
//! do. Pure: what they look at is gathered before ([`System`], [`Candidate`]); `changed.rs` alone reads.

mod changed;
mod gather;
mod package;
mod system;

pub use changed::{OWN, changed};
pub use gather::{Candidate, Problem, Signing, System, Verdicts};

/// How bad it is that a rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// It works now, and may cost something later.
    Warning,
    /// Something does not work, or is not what it should be.
    Error,
}

impl Severity {
    /// The word for it, which does not change.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug)]
pub enum Look {
    /// The system.
    System(fn(&System<'_>) -> Vec<Found>),
    /// A package, installed or in a file.
    Package(fn(&Candidate) -> Vec<Found>),
}

/// A rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name, which does not change.
    pub name: &'static str,
    /// How bad it is that it is broken.
    pub severity: Severity,
    /// What holds where it is kept: a sentence.
    pub what: &'static str,
    /// Why: a sentence.
    pub why: &'static str,
    /// What to do where it is not: a sentence.
    pub remedy: &'static str,
    /// Does `kmp sync` mend it?
    pub is_mended: bool,
    /// How it is looked for.
    pub look: Look,
}

/// What breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// A kernel, a package or a file.
    pub about: String,
    /// What of it, as a clause.
    pub detail: String,
}

impl Found {
    fn new(about: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { about: about.into(), detail: detail.into() }
    }
}

/// All rules: those of systems, then those of packages.
pub const RULES: &[&Rule] = &[
    &system::kernel_changed::RULE,
    &system::kmp_changed::RULE,
    &system::links::RULE,
    &system::index::RULE,
    &system::initrd::RULE,
    &system::lost::RULE,
    &system::leftover::RULE,
    &system::unowned::RULE,
    &system::idle::RULE,
    &package::no_modules::RULE,
    &package::place::RULE,
    &package::release::RULE,
    &package::loads::RULE,
    &package::clash::RULE,
    &package::signature::RULE,
    &package::name::RULE,
    &package::requires::RULE,
    &package::hardware::RULE,
    &package::scriptlets::RULE,
    &package::vendor::RULE,
    &package::module_signature::RULE,
    &package::supported::RULE,
    &package::licence::RULE,
];

/// What breaks rules of systems.
pub fn of_system(system: &System<'_>) -> Vec<(&'static Rule, Found)> {
    broken(|look| match look {
        Look::System(look) => look(system),
        Look::Package(_) => Vec::new(),
    })
}

/// What breaks rules of packages.
pub fn of_package(candidate: &Candidate) -> Vec<(&'static Rule, Found)> {
    broken(|look| match look {
        Look::System(_) => Vec::new(),
        Look::Package(look) => look(candidate),
    })
}

fn broken(look: impl Fn(Look) -> Vec<Found>) -> Vec<(&'static Rule, Found)> {
    RULES.iter().flat_map(|rule| look(rule.look).into_iter().map(move |found| (*rule, found))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_a_name_of_its_own_and_whole_sentences() {
        let names: std::collections::BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), RULES.len());
        for rule in RULES {
            assert!(rule.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", rule.name);
            for text in [rule.what, rule.why, rule.remedy] {
                assert!(text.ends_with('.') && text.starts_with(|c: char| c.is_uppercase()), "{text}");
            }
        }
    }
}
