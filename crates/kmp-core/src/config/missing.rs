// SPDX-License-Identifier: LGPL-2.1-or-later
//! What `kmp update` does about a kernel for which there is no build of a driver. Pure.

use super::Config;
use crate::glob;

/// What to do about a kernel in a repository that would cost a driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// Keep it back, and let all else be updated.
    #[default]
    Hold,
    /// Nothing: rpm's plugin stops a transaction that brings it.
    Abort,
    /// Let it come; rpm's plugin warns.
    Warn,
}

impl Missing {
    /// `hold`, `abort` or `warn`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "hold" => Some(Self::Hold),
            "abort" => Some(Self::Abort),
            "warn" => Some(Self::Warn),
            _ => None,
        }
    }
}

/// May a build by another vendor than the installed one's come with a kernel?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VendorChange {
    /// Yes.
    #[default]
    Yes,
    /// No.
    No,
    /// If it is signed with the key of the installed one.
    SameKey,
}

impl VendorChange {
    /// `yes`, `no` or `same-key`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "yes" => Some(Self::Yes),
            "no" => Some(Self::No),
            "same-key" => Some(Self::SameKey),
            _ => None,
        }
    }
}

/// Settings, each for all, or for packages whose names a glob matches; the last that matches counts, one of a section before one
/// outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings<T>(Vec<(Option<String>, T)>);

impl<T> Default for Settings<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Settings<T> {
    pub(super) fn push(&mut self, section: Option<String>, value: T) {
        self.0.push((section, value));
    }

    /// What is said for one of these packages: of the first that something is said of, else for all.
    fn of(&self, packages: &[&str]) -> Option<&T> {
        let of_section = |package: &str| {
            let is_it =
                |glob: &Option<String>| glob.as_ref().is_some_and(|glob| glob::matches(glob, package));
            self.0.iter().rev().find(|(glob, _)| is_it(glob))
        };
        let found = packages.iter().find_map(|package| of_section(package));
        found.or_else(|| self.0.iter().rev().find(|(glob, _)| glob.is_none())).map(|(_, value)| value)
    }
}

impl Config {
    /// What to do where `driver` is missing in a kernel whose package is called `line`.
    pub fn missing(&self, driver: &str, line: &str) -> Missing {
        self.missing.of(&[driver, line]).copied().unwrap_or_default()
    }

    /// After how many days of being held back for `driver` such a kernel comes all the same; `None`: never.
    pub fn hold_max_days(&self, driver: &str, line: &str) -> Option<u32> {
        self.hold_max_days.of(&[driver, line]).copied().filter(|days| *days > 0)
    }

    /// May a build of `driver` by another vendor than the installed one's come?
    pub fn vendor_change(&self, driver: &str) -> VendorChange {
        self.vendor_change.of(&[driver]).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_goes_over_a_kernel_line_and_both_over_what_holds_for_all() {
        let mut config = Config::default();
        assert_eq!(config.missing("nic", "kernel-default"), Missing::Hold);
        assert!(config.hold_max_days("nic", "kernel-default").is_none());
        assert_eq!(config.vendor_change("nic"), VendorChange::Yes);
        let faults = config.read(
            "missing = warn\nhold-max-days = 14\n[kernel-rt]\nmissing = abort\n[nic*]\nmissing = hold\nhold-max-days = 0\n\
             vendor-change = no\n",
        );
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(config.missing("gpu", "kernel-default"), Missing::Warn);
        assert_eq!(config.missing("gpu", "kernel-rt"), Missing::Abort);
        assert_eq!(config.missing("nic-kmp-rt", "kernel-rt"), Missing::Hold);
        assert_eq!(config.hold_max_days("gpu", "kernel-rt"), Some(14));
        assert!(config.hold_max_days("nic", "kernel-rt").is_none());
        assert_eq!(config.vendor_change("gpu"), VendorChange::Yes);
        assert_eq!(config.vendor_change("nic"), VendorChange::No);
        assert!(config.read("[nic]\nvendor-change = same-key\n").is_empty());
        assert_eq!(config.vendor_change("nic"), VendorChange::SameKey);
        let faults = config.read("missing = perhaps\nhold-max-days = -1\nvendor-change = maybe\n");
        assert_eq!(faults.len(), 3, "{faults:?}");
    }
}
