// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a package is.

use std::path::PathBuf;

use crate::{Dependency, Evr};

/// A package: an installed one, or one in a package file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    /// Its number in the rpm database: unique there, and never reused for another package. `None`: it is not from a
    /// database.
    pub instance: Option<u32>,
    /// The name.
    pub name: String,
    /// Epoch, version and release.
    pub evr: Evr,
    /// The architecture; empty if there is none, as for `gpg-pubkey`.
    pub arch: String,
    /// What it provides, itself included.
    pub provides: Vec<Dependency>,
    /// Files, directories and links that it owns, in the directories that the caller asked for.
    /// They include ghosts, and what rpm did not install by request (such as documentation), so they need not be on disk. For
    /// a source package they are names without a directory.
    pub files: Vec<PathBuf>,
    /// The `%ghost`s among `files`: owned by the package, but created on the machine, if at all.
    pub ghosts: Vec<PathBuf>,
    /// The file name of its source package; empty if there is none.
    pub source: String,
    /// Who made it; empty if it does not say.
    pub vendor: String,
    /// Where a build service has its sources (`obs://SERVICE/PROJECT/REPOSITORY/REVISION-PACKAGE`); empty if it does not say.
    pub disturl: String,
    /// What its triggers are for: names of packages, and directories in which packages install files.
    pub triggers: Vec<String>,
    /// The text of its `%post` and `%posttrans` scriptlets.
    pub scriptlets: String,
}

impl Package {
    /// A copy that only identifies the package and says whose it is, without its files, Provides and scriptlets.
    pub fn identity(&self) -> Package {
        Package {
            instance: self.instance,
            name: self.name.clone(),
            evr: self.evr.clone(),
            arch: self.arch.clone(),
            source: self.source.clone(),
            vendor: self.vendor.clone(),
            ..Package::default()
        }
    }

    /// name-version-release, or name-version if there is no release.
    pub fn nvr(&self) -> String {
        let Evr { version, release, .. } = &self.evr;
        // Every package of rpm has a release.
        let dash = if release.is_empty() { "" } else { "-" };
        format!("{}-{version}{dash}{release}", self.name)
    }

    /// name-\[epoch:\]version-release.arch.
    pub fn nevra(&self) -> String {
        format!("{}-{}.{}", self.name, self.evr, self.arch)
    }

    /// name-version-release.arch, without the arch if there is none.
    pub fn nvra(&self) -> String {
        if self.arch.is_empty() { self.nvr() } else { format!("{}.{}", self.nvr(), self.arch) }
    }
}

/// Does a package's name say that it has kernel drivers? One of its words is `kmp` (SUSE), `kmod` or `akmod` (Red Hat, RPM Fusion) or
/// `dkms`.
pub fn is_named_for_drivers(name: &str) -> bool {
    name.split('-').any(|word| matches!(word, "kmp" | "kmod" | "akmod" | "dkms"))
}

/// Does a capability say which release a kernel, or a part of one, has? `kernel-uname-r`, and `kernel-modules-extra-uname-r` and
/// its like, which parts of Red Hat's kernels provide; what a kernel's modules are built with is no part of it.
pub fn is_uname_r(capability: &str) -> bool {
    capability.starts_with("kernel-")
        && capability.ends_with("-uname-r")
        && !capability.split('-').any(|word| word == "devel")
}
