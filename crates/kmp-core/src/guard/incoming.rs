// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a transaction brings and takes away, as far as it concerns kernels and drivers.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::abi::Kernel;
use crate::ids::{IncomingId, List};
use crate::inventory::{Kind, LoadedModule, Package};

/// A kernel that a transaction brings.
#[derive(Clone, Debug)]
pub struct IncomingKernel {
    /// What is known of it.
    pub kernel: Kernel,
    /// Names of its in-tree modules (`_` for `-`), by the packages' file lists.
    pub in_tree: HashSet<Box<str>>,
    /// Names of the packages that have its files.
    pub packages: BTreeSet<String>,
    /// Does the kernel itself come? Else only more modules for it do.
    pub is_whole: bool,
    /// A package file that it is in, where that is known.
    pub file: Option<PathBuf>,
}

/// What of a kernel's own modules only their contents show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InTree {
    /// Names of what is built in, `_` for `-`.
    pub builtin: HashSet<Box<str>>,
    /// Aliases (patterns, as depmod lists them), and the name of the module that claims them; not of modules that
    /// modprobe.d keeps from being loaded for them.
    pub aliases: Vec<(Box<str>, Box<str>)>,
}

/// A module that a package brings.
#[derive(Debug)]
pub struct IncomingModule {
    /// By its file, `_` for `-`.
    pub name: Box<str>,
    /// Where it is going to be.
    pub path: PathBuf,
    /// Its contents, or why there are none.
    pub module: LoadedModule,
}

/// The modules that a package which comes has for one release.
#[derive(Debug)]
pub struct IncomingKmp {
    /// The package.
    pub package: Package,
    /// The package's file, where that is known.
    pub file: Option<PathBuf>,
    /// The release.
    pub origin: String,
    /// Its modules.
    pub modules: Vec<IncomingModule>,
    /// What it is: a driver, shipped or made here.
    pub kind: Kind,
}

/// How a package goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Removal {
    /// It is erased; whether somebody asked for that is not known: the package manager may have decided so.
    Erased,
    /// Somebody named it.
    Named,
    /// Something takes its place: an upgrade, a downgrade, an obsoletes.
    Replaced,
}

/// Installed kernels of which somebody asks what it would be like to run them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Asked {
    /// None.
    #[default]
    Nothing,
    /// The newest that can be booted.
    Newest,
    /// These releases.
    These(BTreeSet<String>),
}

/// A transaction, as far as it concerns kernels and drivers.
#[derive(Debug, Default)]
pub struct Transaction {
    /// Kernels that come, once each.
    pub kernels: Vec<Arc<IncomingKernel>>,
    /// KMPs that come.
    pub kmps: List<IncomingId, IncomingKmp>,
    /// Packages that go, by their instance in the database.
    pub removed: BTreeMap<u32, Removal>,
    /// Releases whose kernels go, and how.
    pub removed_kernels: BTreeMap<String, Removal>,
    /// Installed kernels of which somebody asks what it would be like to run them.
    pub asked: BTreeSet<String>,
}

impl Transaction {
    /// How an installed package goes; `None`: it stays.
    pub(super) fn removal(&self, package: &Package) -> Option<Removal> {
        self.removed.get(&package.instance?).copied()
    }

    /// Is erasing a KMP, as `removal` says, what somebody wants? By itself it is, whatever else is erased with it.
    /// While kernels come or go it may as well be what the package manager makes of dependencies on one of them
    /// (dnf with `installonly_limit`, zypper's purge-kernels): then it is only where somebody named it.
    pub(super) fn is_wish(&self, removal: Removal) -> bool {
        match removal {
            Removal::Named => true,
            Removal::Erased => !self.kernels.iter().any(|k| k.is_whole) && self.removed_kernels.is_empty(),
            Removal::Replaced => false,
        }
    }
}
