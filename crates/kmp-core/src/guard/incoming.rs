//! What a transaction brings and takes away, as far as it concerns kernels and drivers.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use crate::abi::Kernel;
use crate::inventory::{Kind, LoadedModule, Package};

/// A kernel that a transaction brings.
#[derive(Debug)]
pub struct IncomingKernel {
    /// What is known of it.
    pub kernel: Kernel,
    /// Names of its in-tree modules (`_` for `-`), by the packages' file lists.
    pub in_tree: HashSet<Box<str>>,
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

/// A transaction, as far as it concerns kernels and drivers.
#[derive(Debug, Default)]
pub struct Transaction {
    /// Kernels that come, once each.
    pub kernels: Vec<IncomingKernel>,
    /// KMPs that come.
    pub kmps: Vec<IncomingKmp>,
    /// Packages that go, by their instance in the database.
    pub removed: BTreeSet<u32>,
    /// Those of them that something takes the place of (an upgrade, an obsoletes).
    pub replaced: BTreeSet<u32>,
    /// Releases whose kernels go.
    pub removed_kernels: BTreeSet<String>,
}
