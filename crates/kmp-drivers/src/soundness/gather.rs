// SPDX-License-Identifier: LGPL-2.1-or-later
//! What rules look at.

use std::path::PathBuf;

use kmp_core::abi::Verdict;
use kmp_core::dialect::Dialect;
use kmp_core::inventory::LoadedModule;
use kmp_core::sync::SyncReport;
use librpm_rt::{HeaderContents, Provenance, Trust};

/// A file that is not as its package has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The package (`NAME-VERSION-RELEASE`).
    pub package: String,
    /// The file.
    pub path: PathBuf,
    /// In what it differs, as a clause.
    pub how: String,
}

/// A system.
#[derive(Debug)]
pub struct System<'s> {
    /// What a dry run of sync found.
    pub report: &'s SyncReport,
    /// Files of kernels' packages that are not as these have them.
    pub kernels_changed: Vec<Problem>,
    /// Files of kmp's own packages that are not.
    pub kmp_changed: Vec<Problem>,
    /// Kernels whose initrds do not hold what they should, each with the reason.
    pub stale_initrds: Vec<(String, String)>,
}

/// What is known of who signed a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signing {
    /// A package file, verified: the verdict, and what is to be said of it.
    File(Trust, String),
    /// An installed package, whose payload is gone: who signed it, and whether rpm has one of the keys.
    Installed {
        /// In words; empty: nobody.
        signers: Vec<String>,
        /// Does rpm have the key?
        is_known: bool,
    },
}

/// The verdicts of a kernel on a package's modules.
#[derive(Clone, Debug)]
pub struct Verdicts {
    /// The kernel's release.
    pub release: String,
    /// A module's name, and the verdict.
    pub modules: Vec<(String, Verdict)>,
}

/// A package of drivers, installed or in a file.
#[derive(Debug)]
pub struct Candidate {
    /// How it was named: a file, or NAME-VERSION-RELEASE.
    pub shown: String,
    /// The distribution's conventions.
    pub dialect: Dialect,
    /// What its header says.
    pub contents: HeaderContents,
    /// Who made it.
    pub provenance: Provenance,
    /// Who signed it.
    pub signing: Signing,
    /// The paths of all modules in it, wherever they are.
    pub paths: Vec<PathBuf>,
    /// Its modules where drivers are: path in the package, and contents.
    pub modules: Vec<(PathBuf, LoadedModule)>,
    /// What the kernels of its flavour say of them.
    pub verdicts: Vec<Verdicts>,
}
