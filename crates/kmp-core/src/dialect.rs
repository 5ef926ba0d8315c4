//! The conventions of a distribution: which modules are linked, where, and for which kernels.

use std::path::{Path, PathBuf};

/// SUSE's conventions, those of `weak-modules2`.
///
/// * A link keeps the path below the origin's release: `updates/x.ko` becomes `weak-updates/updates/x.ko`.
/// * Its target is absolute.
/// * A package named `BASE-kmp-FLAVOR` serves kernels whose release ends in `-FLAVOR`.
/// * depmod searches `updates extra weak-updates kgraft built-in`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Suse;

/// The directory of links, below a kernel's own.
pub const WEAK_UPDATES: &str = "weak-updates";

/// The directory of in-tree modules, below a kernel's own.
pub const IN_TREE: &str = "kernel";

/// A package that provides this is part of the kernel, and its modules are never linked.
pub const KMP_IN_KERNEL: &str = "kmp_in_kernel";

impl Suse {
    /// Where the link of a module goes, below `weak-updates/`. `below` is the module's path below its
    /// origin's release directory.
    pub fn link(self, below: &Path) -> PathBuf {
        below.to_path_buf()
    }

    /// The flavour of a package: the text after the last `-` of a name that contains `-kmp-`. Where the
    /// name does not tell, what follows the last `-` of the release that it was built for.
    pub fn flavour<'a>(self, package: &'a str, origin: &'a str) -> Option<&'a str> {
        let named = if package.contains("-kmp-") { package } else { origin };
        named.rsplit_once('-').map(|(_, flavour)| flavour).filter(|f| !f.is_empty())
    }

    /// Does a package of that flavour serve the kernel `release`?
    pub fn serves(self, flavour: Option<&str>, release: &str) -> bool {
        match flavour {
            Some(flavour) => release.strip_suffix(flavour).is_some_and(|rest| rest.ends_with('-')),
            None => true,
        }
    }

    /// depmod's order among a kernel's own directories of third-party modules: smaller wins.
    pub fn search_rank(self, below: &Path) -> usize {
        let first = below.iter().next().and_then(|c| c.to_str());
        ["updates", "extra"].iter().position(|d| Some(*d) == first).unwrap_or(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flavour_is_the_last_word_of_a_kmps_name() {
        assert_eq!(Suse.flavour("nvidia-open-driver-G06-signed-kmp-default", "x"), Some("default"));
        assert_eq!(Suse.flavour("kmod-foo", "6.4.0-150600.21-rt"), Some("rt"));
        assert_eq!(Suse.flavour("kmod-foo", "6.4.0"), None);
    }

    #[test]
    fn a_kernel_is_served_by_its_own_flavour_only() {
        assert!(Suse.serves(Some("default"), "6.4.0-150600.21-default"));
        assert!(!Suse.serves(Some("default"), "6.4.0-150600.21-nondefault"));
        assert!(!Suse.serves(Some("default"), "6.4.0-150600.21-rt"));
        assert!(!Suse.serves(Some("default"), "default"));
        assert!(Suse.serves(None, "6.4.0"));
    }
}
