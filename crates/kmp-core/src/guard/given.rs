// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the guard is given about the machine, besides the survey: values, and answers to be had only where they matter.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::incoming::InTree;
use crate::inventory::InstalledKernel;

/// What a loaded module is needed for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// It is loaded.
    pub is_loaded: bool,
    /// `/` is on a device of its, or is a file system of its.
    pub holds_root: bool,
    /// The default route goes through a device of its, and there is no other way to the network.
    pub holds_network: bool,
    /// No console is left without it.
    pub holds_console: bool,
}

impl Use {
    /// Does the machine need it to go on?
    pub fn is_vital(self) -> bool {
        self.holds_root || self.holds_network
    }

    /// How bad it is to be without it: the less, the worse. First of all what the machine does not boot without, then what leaves
    /// nobody a way to it.
    pub fn rank(self) -> u8 {
        match self {
            Self { holds_root: true, .. } => 0,
            Self { holds_network: true, .. } => 1,
            Self { holds_console: true, .. } => 2,
            Self { is_loaded: true, .. } => 3,
            _ => 4,
        }
    }

    /// The uses of two modules together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            is_loaded: self.is_loaded || other.is_loaded,
            holds_root: self.holds_root || other.holds_root,
            holds_network: self.holds_network || other.holds_network,
            holds_console: self.holds_console || other.holds_console,
        }
    }
}

/// What the guard is given.
#[expect(missing_debug_implementations, reason = "it holds functions")]
pub struct Given<'g> {
    /// The running kernel's release, where the root is the running system.
    pub running: Option<&'g str>,
    /// The installed kernels, by release. One that is left out counts as bootable and as of no known package.
    pub kernels: &'g BTreeMap<String, InstalledKernel>,
    /// What a kernel that comes has of its own, by its release; `None`: not known. Asked only where a driver would be lost
    /// else: to answer takes long.
    pub in_tree: &'g dyn Fn(&str) -> Option<Rc<InTree>>,
    /// The name of the package that has an in-tree module of an installed kernel, by the module's path as symvers has it.
    pub package_of: &'g dyn Fn(&str) -> Option<String>,
    /// What a module (`_` for `-`) is needed for now.
    pub use_of: &'g dyn Fn(&str) -> Use,
}
