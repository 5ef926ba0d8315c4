// SPDX-License-Identifier: LGPL-2.1-or-later
//! Kernels that may come, as the guard takes them: each is made of what metadata says once, however often it is asked about.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use kmp_core::guard::{Elements, IncomingKernel};
use kmp_core::inventory::ModulesDirs;

use super::offers::Unit;
use super::package::kernel;

/// Kernels that were made.
#[derive(Debug, Default)]
pub struct Kernels {
    dirs: ModulesDirs,
    made: RefCell<HashMap<Vec<String>, Option<Arc<IncomingKernel>>>>,
    /// By name-\[epoch:\]version-release.arch of their main package: read from package files.
    given: HashMap<String, Arc<IncomingKernel>>,
}

impl Kernels {
    /// None yet. `dirs` says how modules' paths are spelled.
    pub fn new(dirs: ModulesDirs) -> Self {
        Self { dirs, ..Self::default() }
    }

    /// One of which more is known than metadata says, by name-\[epoch:\]version-release.arch of its main package.
    pub fn give(&mut self, nevra: String, kernel: Arc<IncomingKernel>) {
        self.given.insert(nevra, kernel);
    }

    /// Those that were given.
    pub(crate) fn given(&self) -> impl Iterator<Item = &IncomingKernel> {
        self.given.values().map(|kernel| &**kernel)
    }

    /// The release of one that was given.
    pub(super) fn release(&self, nevra: &str) -> Option<&str> {
        self.given.get(nevra).map(|given| given.kernel.release.as_str())
    }

    /// A kernel; `None`: its release cannot be one.
    pub(crate) fn of(&self, unit: &Unit<'_>) -> Option<Arc<IncomingKernel>> {
        if let Some(given) = self.given.get(&unit.main.package.nevra()) {
            return Some(Arc::clone(given));
        }
        let key: Vec<String> = unit.packages().map(|offer| offer.package.nevra()).collect();
        let mut made = self.made.borrow_mut();
        let make = || {
            let mut elements = Elements::new(self.dirs.clone());
            // Only a payload can be wrong.
            let _ = elements.add_package(kernel(unit, self.dirs.path()), &[], None);
            elements.finish().kernels.pop()
        };
        made.entry(key).or_insert_with(make).clone()
    }
}
