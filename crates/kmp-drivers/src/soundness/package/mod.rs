// SPDX-License-Identifier: LGPL-2.1-or-later
//! Rules for packages of drivers, a file each.

pub(super) mod clash;
pub(super) mod hardware;
pub(super) mod licence;
pub(super) mod loads;
pub(super) mod module_signature;
pub(super) mod name;
pub(super) mod no_modules;
pub(super) mod place;
pub(super) mod release;
pub(super) mod requires;
pub(super) mod scriptlets;
pub(super) mod signature;
pub(super) mod supported;
pub(super) mod vendor;

use std::path::Path;

use kmp_core::abi::Module;
use kmp_core::printable;

use super::{Candidate, Found};

impl Candidate {
    fn found(&self, detail: impl Into<String>) -> Found {
        Found::new(&self.shown, detail)
    }

    fn one(&self, is_broken: bool, detail: impl Into<String>) -> Vec<Found> {
        if is_broken { vec![self.found(detail)] } else { Vec::new() }
    }

    /// The modules that could be read, and a name of each for people.
    fn read(&self) -> impl Iterator<Item = (&Path, &Module)> {
        self.modules.iter().filter_map(|(path, module)| Some((path.as_path(), (**module).as_ref().ok()?)))
    }
}

fn shown(path: &Path) -> String {
    printable(path.as_os_str())
}
