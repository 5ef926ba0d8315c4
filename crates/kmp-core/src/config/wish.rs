// SPDX-License-Identifier: LGPL-2.1-or-later
//! Into which kernels a driver wants to be linked: as the administrator says in kmp.conf, its package by what it
//! provides, or dkms.conf for a module that dkms builds. Pure.

use std::cmp::Ordering;
use std::fmt;

use rpm_meta::{Package, vercmp};

use crate::glob;

/// A package that provides this is linked into no kernel but its own.
pub const NO_WEAK_UPDATES: &str = "kmp-no-weak-updates";

/// A package that provides `kmp-kernels(WHAT)` is linked into kernels of that range only, see [`KernelRange`]. Of several
/// all together make the range.
pub const KERNELS: &str = "kmp-kernels";

/// A range of kernel releases.
///
/// It is made of comparisons (`>=5.14.0-503`, `<`, `<=`, `>`, `=`), which all must hold, and of globs (`6.4.0-*`), of which
/// one must match if there are any. Releases are compared as rpm compares versions, and one that begins with all that is
/// named counts as equal: `5.14.0-503.11.1.el9_5.x86_64` is `=5.14.0-503`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelRange {
    text: String,
    comparisons: Vec<(Operator, String)>,
    globs: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

/// A member of a range that is neither a comparison nor a glob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is neither a comparison such as >=5.14.0-503 nor a glob")]
pub struct NotARange(pub String);

impl KernelRange {
    /// Reads a list with commas between its members.
    ///
    /// # Errors
    /// Its first member that is neither.
    pub fn parse(text: &str) -> Result<Self, NotARange> {
        let mut range = Self::default();
        for member in text.split(',') {
            range.add(member.trim())?;
        }
        Ok(range)
    }

    fn add(&mut self, member: &str) -> Result<(), NotARange> {
        let operators = [
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("==", Operator::Equal),
            ("<", Operator::Less),
            (">", Operator::Greater),
            ("=", Operator::Equal),
        ];
        let found = operators.iter().find_map(|(sign, op)| Some((*op, member.strip_prefix(sign)?.trim())));
        let value = found.map_or(member, |(_, value)| value);
        if value.is_empty() || value.contains(|c: char| c.is_whitespace() || "<>=".contains(c)) {
            return Err(NotARange(member.into()));
        }
        match found {
            Some((operator, value)) => self.comparisons.push((operator, value.into())),
            None => self.globs.push(member.into()),
        }
        let separator = if self.text.is_empty() { "" } else { ", " };
        self.text.push_str(separator);
        self.text.push_str(member);
        Ok(())
    }

    /// Is the kernel `release` in it?
    pub fn has(&self, release: &str) -> bool {
        let holds = |(operator, bound): &(Operator, String)| {
            let order = compare(release, bound);
            match operator {
                Operator::Less => order == Ordering::Less,
                Operator::LessOrEqual => order != Ordering::Greater,
                Operator::Equal => order == Ordering::Equal,
                Operator::GreaterOrEqual => order != Ordering::Less,
                Operator::Greater => order == Ordering::Greater,
            }
        };
        self.comparisons.iter().all(holds)
            && (self.globs.is_empty() || self.globs.iter().any(|pattern| glob::matches(pattern, release)))
    }
}

impl fmt::Display for KernelRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// rpm's order of releases, but a release that begins with `bound`, up to a separator, is equal to it.
fn compare(release: &str, bound: &str) -> Ordering {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric());
    match release.strip_prefix(bound) {
        Some(rest) if ends(rest) => Ordering::Equal,
        _ => vercmp(release, bound),
    }
}

/// What a driver wishes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// To be linked nowhere: who says so, in words.
    pub never: Option<String>,
    /// To be linked into these kernels only, and who says so.
    pub kernels: Option<(KernelRange, String)>,
}

impl Wish {
    /// What a package says itself. What cannot be understood is left out: a driver that is linked where it fits is the
    /// lesser evil.
    pub fn of_package(package: &Package) -> Self {
        let says = || "its package says so".to_string();
        let never = package.provides.iter().any(|p| p.name == NO_WEAK_UPDATES).then(says);
        let inside = |name: &'_ str| -> Option<String> {
            Some(name.strip_prefix(KERNELS)?.strip_prefix('(')?.strip_suffix(')')?.to_string())
        };
        let mut range = KernelRange::default();
        for member in package.provides.iter().filter_map(|p| inside(&p.name)) {
            if let Err(why) = range.add(&member) {
                log::warn!("package {}: {KERNELS}: {why}; ignored", package.nvr());
            }
        }
        Self { never, kernels: (range != KernelRange::default()).then(|| (range, says())) }
    }

    /// Why it is not linked into the kernel `release` though it may fit, in words; `None`: it has nothing against it.
    pub fn against(&self, release: &str) -> Option<String> {
        if let Some(who) = &self.never {
            return Some(format!("it is linked into no kernel but its own: {who}"));
        }
        let (range, who) = self.kernels.as_ref().filter(|(range, _)| !range.has(release))?;
        Some(format!("it is linked into kernels {range} only: {who}"))
    }
}

#[cfg(test)]
mod tests {
    use rpm_meta::Dependency;

    use super::*;

    #[test]
    fn a_range_is_made_of_comparisons_and_globs() {
        let el = "5.14.0-503.11.1.el9_5.x86_64";
        for (range, release, expected) in [
            (">=5.14.0-503", el, true),
            (">= 5.14.0-503 , < 5.14.0-570", el, true),
            (">=5.14.0-503, <5.14.0-570", "5.14.0-570.1.el9.x86_64", false),
            ("<=5.14.0-503", el, true),
            (">5.14.0-503", el, false),
            ("=5.14.0-503.11", el, true),
            ("=5.14.0-50", el, false),
            (">5.14.0-503.9.1", el, true),
            ("6.4.0-150600.23.*", "6.4.0-150600.23.7-default", true),
            ("6.4.0-*, 6.5.0-*, <6.5", "6.5.0-1-default", false),
            ("6.4.0-*, 6.5.0-*", "6.5.0-1-default", true),
        ] {
            assert_eq!(KernelRange::parse(range).unwrap().has(release), expected, "{range} {release}");
        }
        for wrong in ["", ">=", "5.14 - 6", ">=5,", "5>4"] {
            assert!(KernelRange::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_package_speaks_by_its_provides() {
        let providing = |names: &[&str]| {
            let provide = |name: &&str| Dependency::on(*name);
            Wish::of_package(&Package { provides: names.iter().map(provide).collect(), ..Package::default() })
        };
        assert_eq!(providing(&["foo", "kmp-kernels"]), Wish::default());
        assert!(providing(&["kmp-no-weak-updates"]).against("6.4").is_some());
        let range = providing(&["kmp-kernels(>=6.4)", "kmp-kernels(<6.6)", "kmp-kernels(x y)"]);
        assert!(range.against("6.5.0-1-default").is_none());
        let why = range.against("6.6.0-1-default").unwrap();
        assert!(why.contains(">=6.4, <6.6 only"), "{why}");
    }
}
