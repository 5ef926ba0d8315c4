// SPDX-License-Identifier: LGPL-2.1-or-later
//! What packages provide, require and obsolete.

use std::cmp::Ordering;

use crate::Evr;

/// A capability that a package provides, requires or obsoletes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dependency {
    /// Such as `ksym(default:printk)` or `kernel`.
    pub name: String,
    /// rpm's sense flags: [`LESS`](Self::LESS), [`GREATER`](Self::GREATER), [`EQUAL`](Self::EQUAL), and kinds of Requires in
    /// higher bits. None of the three: no version.
    pub flags: u32,
    /// The version as written (`[epoch:]version[-release]`), or empty. Read it with [`Evr::parse`].
    pub evr: String,
}

impl Dependency {
    /// `RPMSENSE_LESS`.
    pub const LESS: u32 = 2;
    /// `RPMSENSE_GREATER`.
    pub const GREATER: u32 = 4;
    /// `RPMSENSE_EQUAL`.
    pub const EQUAL: u32 = 8;

    /// Any version of a package or capability.
    pub fn on(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Whether a package of this version satisfies the dependency, if the names are the same. The release is compared only
    /// if the dependency has one.
    ///
    /// ```
    /// use rpm_meta::{Dependency, Evr};
    ///
    /// let old = Dependency { flags: Dependency::LESS, evr: "2".into(), ..Dependency::on("foo") };
    /// assert!(old.allows(&Evr::parse("1.9-3")) && !old.allows(&Evr::parse("2-1")));
    /// ```
    pub fn allows(&self, evr: &Evr) -> bool {
        let asked = self.flags & (Self::LESS | Self::GREATER | Self::EQUAL);
        if asked == 0 {
            return true;
        }
        let mut bound = Evr::parse(&self.evr);
        if bound.release.is_empty() {
            bound.release.clone_from(&evr.release);
        }
        let found = match evr.compare(&bound) {
            Ordering::Less => Self::LESS,
            Ordering::Greater => Self::GREATER,
            Ordering::Equal => Self::EQUAL,
        };
        asked & found != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_versions_is_meant_by_flags() {
        let (less, equal) = (Dependency::LESS, Dependency::EQUAL);
        for (flags, bound, version, expected) in [
            (0, "", "1-1", true),
            (less, "2", "1-1", true),
            (less, "2", "2-1", false),
            (less | equal, "2", "2-1", true),
            (equal, "2-2", "2-1", false),
            (equal, "2", "1:2-1", false),
            (Dependency::GREATER | equal, "2-2", "2-10", true),
            // Kinds of Requires say nothing of versions.
            (1 << 6, "2", "1-1", true),
        ] {
            let dependency = Dependency { flags, evr: bound.into(), ..Dependency::on("foo") };
            assert_eq!(dependency.allows(&Evr::parse(version)), expected, "{flags} {bound} {version}");
        }
    }
}
