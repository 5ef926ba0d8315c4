// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which links a kernel should have, and why. Pure.
//!
//! For each kernel and package name the candidates are all installed versions, newest first. The newest
//! of every name are judged together, as one set beside the kernel's own modules; what fails gives way to
//! its next older version, until nothing changes. What failed only for the sake of others that have given
//! way since is tried again. Where that leaves a package without its newest version, the search looks for a
//! better choice: as many packages served as possible, then the newest versions. A package is linked whole or
//! not at all. What could not be read stays as it is: see `plan/held.rs`.

mod all;
mod beside;
mod decide;
mod held;
mod judge;
mod search;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use crate::abi::{Kernel, Module, ModuleFault, Verdict};
use crate::config::Wish;
use crate::ids::{KmpId, List};

pub use beside::Beside;
pub use held::Held;

/// A module as the plan sees it.
#[derive(Clone, Debug)]
pub struct PlannedModule<'a> {
    /// By its file, `_` for `-`.
    pub name: &'a str,
    /// Its contents, or why there are none.
    pub module: Result<&'a Module, &'a ModuleFault>,
    /// Where its link would go, below `weak-updates/`.
    pub link: PathBuf,
    /// Where its link would point.
    pub target: PathBuf,
}

/// The modules that one package has for one kernel release.
#[derive(Clone, Debug)]
pub struct Kmp<'a> {
    /// Its driver's name, which all versions have in common: the package's, where that is not named for a kernel.
    pub package: &'a str,
    /// The flavour that it serves.
    pub flavour: Option<&'a str>,
    /// The kernel release that its modules are installed for.
    pub origin: &'a str,
    /// Its modules.
    pub modules: Vec<PlannedModule<'a>>,
    /// Why it cannot be linked at all, if so: a module that is not on disk, for example.
    pub broken: Option<&'a str>,
    /// Why it is not known whether it can be linked, if so: not all of it could be found.
    pub unread: Option<&'a str>,
    /// Into which kernels it is to be linked, if that is not left to what it fits.
    pub wish: Wish,
}

/// A module that a kernel has in its own directory and that is not in-tree.
#[derive(Clone, Debug)]
pub struct Native<'a> {
    /// By its file, `_` for `-`.
    pub name: &'a str,
    /// Its contents, or why there are none.
    pub module: Result<&'a Module, &'a ModuleFault>,
    /// The package (an index into the list of KMPs) that owns it.
    pub kmp: Option<KmpId>,
}

/// A kernel and what is there besides the packages to be linked.
#[derive(Clone, Debug)]
pub struct Site<'a> {
    /// The kernel.
    pub kernel: &'a Kernel,
    /// Names of its in-tree modules; `None`: not known.
    pub in_tree: Option<&'a HashSet<Box<str>>>,
    /// Its own third-party modules, in depmod's order: of two with one name the first is the one loaded.
    pub natives: Vec<Native<'a>>,
    /// Names (`_` for `-`) that are taken by what is there and neither a KMP's nor a native driver, and what it is.
    pub foreign: Vec<(Box<str>, String)>,
    /// Names of modules that are loaded from the kernel's own tree even where they are linked.
    pub inert: HashSet<&'a str>,
    /// Is a KMP not linked where an in-tree module would then no longer load? By the dialect.
    pub spares_in_tree: bool,
    /// For the name of an in-tree module that exports symbols: the in-tree modules that use them.
    pub users: HashMap<&'a str, Vec<(&'a str, &'a Module)>>,
    /// What could not be read, and the links that there are.
    pub held: Held<'a>,
}

/// What becomes of one KMP in one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The kernel has it in its own directory.
    Native,
    /// It is to be linked.
    Link,
    /// It serves kernels of another flavour.
    OtherFlavour,
    /// Another version of the same package (an index into the list of KMPs) serves this kernel.
    Superseded(KmpId),
    /// A module of that name is there already: the kernel's own, another package's, or somebody's link.
    Clash {
        /// The module's name.
        module: Box<str>,
        /// Whose it is.
        with: String,
    },
    /// It would not load.
    DoesNotFit,
    /// Something could not be read: it is not known whether it would load. The links of its package stay as they are.
    Unknown,
    /// It cannot be linked anywhere.
    Broken,
    /// It is not to be linked into this kernel, and who says so.
    Declined(String),
}

/// The plan for one kernel.
#[derive(Clone, Debug, Default)]
pub struct KernelPlan {
    /// The links below `weak-updates/`: path, target, and the KMP they belong to.
    pub links: BTreeMap<PathBuf, (PathBuf, KmpId)>,
    /// For each KMP, in the order of the list.
    pub decisions: List<KmpId, Decision>,
    /// For each KMP, the verdicts on its modules, in their order: of those that are native or linked as
    /// they are there, of others as they would be in place of what is. Empty for other flavours.
    pub verdicts: List<KmpId, Vec<Verdict>>,
    /// The verdicts on the kernel's own third-party modules.
    pub natives: Vec<Verdict>,
}

impl KernelPlan {
    /// The KMPs that are to be linked.
    pub fn chosen(&self) -> Vec<KmpId> {
        self.decisions.ids().filter(|k| self.decisions[*k] == Decision::Link).collect()
    }
}

#[cfg(test)]
mod tests;
