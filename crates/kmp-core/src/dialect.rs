// SPDX-License-Identifier: LGPL-2.1-or-later
//! The conventions of a distribution: which modules are linked, where, and for which kernels. One more is a variant of [`Dialect`]
//! and its words; the compiler asks for each method, and the table "To add" in ARCHITECTURE.md has the rest.

mod flavour;
mod line;
mod which;

use std::path::{Component, Path, PathBuf};

use crate::tree::{EXTRA, IN_TREE, WEAK_UPDATES};

pub use flavour::serves;
pub use line::{KernelLine, Kinship};
pub use which::{UnknownDistribution, Which};

/// Whose conventions hold.
///
/// | | [`Suse`](Self::Suse), as `weak-modules2` | [`RedHat`](Self::RedHat), as `weak-modules` |
/// | --- | --- | --- |
/// | what is linked | packages' modules, all but those in `kernel/` and `weak-updates/` | modules below `extra/`, packaged or not |
/// | link for `updates/a/x.ko`, `extra/a/x.ko` | `weak-updates/updates/a/x.ko` | `weak-updates/a/x.ko` |
/// | its target | the module, in `/usr/lib/modules` if that is the same | the module, in `/lib/modules` if that is the same |
/// | which kernels | those of the package's flavour | all |
/// | depmod's order | `updates extra weak-updates kgraft built-in` | `updates extra built-in weak-updates` |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// openSUSE, SUSE Linux Enterprise and their relatives.
    Suse,
    /// Red Hat Enterprise Linux, Fedora, CentOS and their relatives.
    RedHat,
}

/// A package that provides this is part of the kernel, and its modules are never linked.
pub const KMP_IN_KERNEL: &str = "kmp_in_kernel";

impl Dialect {
    /// `suse` or `redhat`, in either case.
    pub fn parse(word: &str) -> Option<Self> {
        match word.trim().to_ascii_lowercase().as_str() {
            "suse" => Some(Self::Suse),
            "redhat" => Some(Self::RedHat),
            _ => None,
        }
    }

    /// What the text of `os-release` means: `ID` first, then the words of `ID_LIKE`. `None`: neither family.
    pub fn of_os_release(text: &str) -> Option<Self> {
        let words = [os_release_value(text, "ID"), os_release_value(text, "ID_LIKE")]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ");
        words.split_ascii_whitespace().find_map(|word| match word {
            "suse" | "sles" | "sled" => Some(Self::Suse),
            _ if word.starts_with("opensuse") || word.starts_with("sle-") => Some(Self::Suse),
            "rhel" | "fedora" | "centos" => Some(Self::RedHat),
            _ => None,
        })
    }

    /// The name that [`Self::parse`] takes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Suse => "suse",
            Self::RedHat => "redhat",
        }
    }

    /// May a module be linked at all, by its path `below` its release directory?
    pub fn is_eligible(self, below: &Path) -> bool {
        match self {
            Self::Suse => true,
            Self::RedHat => below.starts_with(EXTRA),
        }
    }

    /// Are modules linked that no package owns?
    pub fn takes_unpackaged(self) -> bool {
        match self {
            Self::Suse => false,
            Self::RedHat => true,
        }
    }

    /// Where the link of a module goes, below `weak-updates/`. `below` is the module's path below the
    /// directory of `release`, `target` the link's target (`ModulesDirs::target`), `vermagic` the module's.
    ///
    /// Red Hat's dialect goes by the release that a module was built for, as its vermagic says: where that is
    /// another than the one in whose directory it is, the link has the module's whole path.
    pub fn link(self, release: &str, below: &Path, target: &Path, vermagic: Option<&str>) -> PathBuf {
        let built_for = vermagic.and_then(|v| v.split_ascii_whitespace().next());
        match self {
            Self::Suse => below.to_path_buf(),
            Self::RedHat if built_for == Some(release) => below.iter().skip(1).collect(),
            Self::RedHat => target.components().filter(|c| matches!(c, Component::Normal(_))).collect(),
        }
    }

    /// depmod's order among all of a kernel's directories, by a path `below` the kernel's own: smaller wins.
    pub fn load_rank(self, below: &Path) -> usize {
        let (links, in_tree) = if self.links_beat_in_tree() { (10, 11) } else { (11, 10) };
        match below.iter().next() {
            Some(first) if first == WEAK_UPDATES => links,
            Some(first) if first == IN_TREE => in_tree,
            _ => search_rank(below),
        }
    }

    /// Do the names of kernels' packages say which [line](KernelLine) a kernel is of?
    pub fn goes_by_package(self) -> bool {
        match self {
            Self::Suse => false,
            Self::RedHat => true,
        }
    }

    /// Does a linked module take the place of an in-tree module of its name, if depmod's `override` lines do
    /// not say so?
    pub fn links_beat_in_tree(self) -> bool {
        match self {
            Self::Suse => true,
            Self::RedHat => false,
        }
    }

    /// With a merged `/usr`, do targets of links begin with `/lib/modules` rather than `/usr/lib/modules`?
    pub fn targets_are_in_lib(self) -> bool {
        match self {
            Self::Suse => false,
            Self::RedHat => true,
        }
    }

    /// Is an initrd made for a kernel that has none? By Red Hat's conventions that is for `kernel-install` to do.
    pub fn makes_missing_initrds(self) -> bool {
        match self {
            Self::Suse => true,
            Self::RedHat => false,
        }
    }

    /// Does a new initrd take the place of the one that is there, by its path? Else its generator chooses where it goes.
    pub fn replaces_initrds_in_place(self) -> bool {
        match self {
            Self::Suse => false,
            Self::RedHat => true,
        }
    }

    /// Is a system without `/etc/fstab`, or with a `/.buildenv`, one that is not complete yet, for which no initrd is made?
    /// `weak-modules` asks for neither: an image, ostree's or another, has none, and its initramfs has to get the modules.
    pub fn wants_fstab(self) -> bool {
        match self {
            Self::Suse => true,
            Self::RedHat => false,
        }
    }

    /// Do packages of kernels and drivers have the initrds made in their %posttrans, that were requested in a transaction?
    pub fn makes_initrds_in_posttrans(self) -> bool {
        match self {
            Self::Suse => true,
            Self::RedHat => false,
        }
    }

    /// Where links changed, does dracut decide whether a linked module that is not in the initrd gets in? Then a new initrd is
    /// made. Otherwise such a module is added only if dracut's configuration names it.
    pub fn dracut_picks_new_modules(self) -> bool {
        match self {
            Self::Suse => false,
            Self::RedHat => true,
        }
    }

    /// Is a module that takes the place of an in-tree one not linked where an in-tree user of that one would then no longer
    /// load? `weak-modules2` has depmod judge the whole tree; `weak-modules` looks at the listed modules only.
    pub fn spares_in_tree(self) -> bool {
        match self {
            Self::Suse => true,
            Self::RedHat => false,
        }
    }
}

/// The value of a key of `os-release`, in lower case. The last line counts, as in a shell.
pub fn os_release_value(text: &str, key: &str) -> Option<String> {
    let line = text.lines().rev().find_map(|l| l.trim().strip_prefix(key)?.strip_prefix('='))?;
    Some(line.trim_matches(['"', '\'']).to_ascii_lowercase())
}

/// depmod's order among a kernel's own directories of third-party modules, the same in both dialects:
/// smaller wins.
pub fn search_rank(below: &Path) -> usize {
    let first = below.iter().next().and_then(|c| c.to_str());
    ["updates", EXTRA].iter().position(|d| Some(*d) == first).unwrap_or(2)
}

#[cfg(test)]
mod tests {
    use super::Dialect::{RedHat, Suse};
    use super::*;

    #[test]
    fn links_as_the_originals_name_them() {
        let link = |dialect: Dialect, below: &str, vermagic| {
            let target = Path::new("/lib/modules/1-x").join(below);
            dialect.link("1-x", Path::new(below), &target, vermagic).display().to_string()
        };
        assert_eq!(link(Suse, "updates/x.ko", Some("2-x SMP ")), "updates/x.ko");
        assert_eq!(link(RedHat, "extra/foo/x.ko", Some("1-x SMP ")), "foo/x.ko");
        assert_eq!(link(RedHat, "extra/x.ko", Some("1-x SMP ")), "x.ko");
        let whole = "lib/modules/1-x/extra/x.ko";
        assert_eq!(link(RedHat, "extra/x.ko", Some("2-x SMP ")), whole);
        assert_eq!(link(RedHat, "extra/x.ko", None), whole);
    }

    #[test]
    fn os_release_tells_the_dialect() {
        for (text, dialect) in [
            ("NAME=\"openSUSE Leap\"\nID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n", Some(Suse)),
            ("ID=\"sles\"\nID_LIKE=\"suse\"\n", Some(Suse)),
            ("ID=sle-micro\n", Some(Suse)),
            ("ID=fedora\n", Some(RedHat)),
            ("ID=\"rhel\"\nID_LIKE=\"fedora\"\n", Some(RedHat)),
            ("ID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\n", Some(RedHat)),
            ("ID='ol'\nID_LIKE='fedora'\n", Some(RedHat)),
            ("ID=debian\n", None),
            ("PRETTY_NAME=\"like fedora\"\nVARIANT_ID=suse\n", None),
            ("ID=mine\nID_LIKE=\"other suse fedora\"\n", Some(Suse)),
            ("", None),
        ] {
            assert_eq!(Dialect::of_os_release(text), dialect, "{text}");
        }
        for dialect in [Suse, RedHat] {
            assert_eq!(Dialect::parse(dialect.as_str()), Some(dialect));
        }
        assert_eq!((Dialect::parse(" RedHat "), Dialect::parse("fedora")), (Some(RedHat), None));
    }
}
