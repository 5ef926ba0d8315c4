// SPDX-License-Identifier: LGPL-2.1-or-later
//! The flavour rule: which kernels a package serves.

use super::Dialect;

impl Dialect {
    /// The flavour of kernels that a package serves; `None`: all. The text after the last `-` of a name
    /// that contains `-kmp-`; where the name does not say it, what follows the last `-` of the release that it
    /// was built for.
    pub fn flavour<'a>(self, package: &'a str, origin: &'a str) -> Option<&'a str> {
        match self {
            Self::Suse => {
                let named = if package.contains("-kmp-") { package } else { origin };
                named.rsplit_once('-').map(|(_, flavour)| flavour).filter(|f| !f.is_empty())
            }
            Self::RedHat => None,
        }
    }
}

/// Does a package of that flavour serve the kernel `release`?
pub fn serves(flavour: Option<&str>, release: &str) -> bool {
    match flavour {
        Some(flavour) => release.strip_suffix(flavour).is_some_and(|rest| rest.ends_with('-')),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Dialect::{RedHat, Suse};
    use super::*;

    #[test]
    fn flavour_is_the_last_word_of_a_kmps_name() {
        assert_eq!(Suse.flavour("nvidia-open-driver-G06-signed-kmp-default", "x"), Some("default"));
        assert_eq!(Suse.flavour("kmod-foo", "6.4.0-150600.21-rt"), Some("rt"));
        assert_eq!(Suse.flavour("kmod-foo", "6.4.0"), None);
        assert_eq!(RedHat.flavour("kmod-foo", "5.14.0-70.el9.x86_64"), None);
    }

    #[test]
    fn a_kernel_is_served_by_its_own_flavour_only() {
        assert!(serves(Some("default"), "6.4.0-150600.21-default"));
        assert!(!serves(Some("default"), "6.4.0-150600.21-nondefault"));
        assert!(!serves(Some("default"), "6.4.0-150600.21-rt"));
        assert!(!serves(Some("default"), "default"));
        assert!(serves(None, "6.4.0"));
    }
}
