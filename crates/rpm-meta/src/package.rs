// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a package is.

use std::path::PathBuf;

use crate::{Dependency, Evr};

/// A package: an installed one, or that of a package file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    /// Its number in the database: unique there, and never used again for another package. `None`: it is not from a database.
    pub instance: Option<u32>,
    /// The name.
    pub name: String,
    /// Epoch, version and release.
    pub evr: Evr,
    /// The architecture; empty where there is none, as with `gpg-pubkey`.
    pub arch: String,
    /// What it provides, itself included.
    pub provides: Vec<Dependency>,
    /// Files, directories and links that it owns, of those directories that were asked for.
    /// Ghosts too; and what rpm was told not to install, so look at the disk. A source package's are names without directory.
    pub files: Vec<PathBuf>,
    /// Those of `files` that are `%ghost`: owned, but made on the machine, if at all.
    pub ghosts: Vec<PathBuf>,
    /// The file name of its source package; empty where there is none.
    pub source: String,
    /// What its triggers wait for: names of packages that are installed, and directories that packages bring files to.
    pub triggers: Vec<String>,
    /// The text of its `%post` and `%posttrans` scriptlets.
    pub scriptlets: String,
}

impl Package {
    /// Which package it is, without what it has and provides: for what is kept many times.
    pub fn identity(&self) -> Package {
        Package {
            instance: self.instance,
            name: self.name.clone(),
            evr: self.evr.clone(),
            arch: self.arch.clone(),
            source: self.source.clone(),
            ..Package::default()
        }
    }

    /// name-version-release; name-version where there is no release.
    pub fn nvr(&self) -> String {
        let Evr { version, release, .. } = &self.evr;
        // Every package of rpm has a release.
        let dash = if release.is_empty() { "" } else { "-" };
        format!("{}-{version}{dash}{release}", self.name)
    }

    /// name-version-release.arch, or without the arch where there is none.
    pub fn nvra(&self) -> String {
        if self.arch.is_empty() { self.nvr() } else { format!("{}.{}", self.nvr(), self.arch) }
    }
}
