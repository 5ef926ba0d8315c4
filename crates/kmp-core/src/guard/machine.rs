// SPDX-License-Identifier: LGPL-2.1-or-later
//! The guard as a whole: reads what it has to be given about the machine, and lets it judge. The only file of the guard that
//! knows a root.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use librpm_rt::Librpm;

use super::elements::{Elements, in_tree};
use super::given::{Given, Use};
use super::incoming::InTree;
use super::lost;
use super::policy::{Finding, Orders};
use crate::inventory::{Blacklist, KernelPackages};
use crate::root::Root;
use crate::survey::Survey;

/// The running system, as far as the root is that.
#[expect(missing_debug_implementations, reason = "it holds a function")]
pub struct Running<'r> {
    /// The running kernel's release.
    pub release: Option<&'r str>,
    /// What a module (`_` for `-`) is needed for.
    pub use_of: &'r dyn Fn(&str) -> Use,
}

/// Judges a transaction: which kernels would be without which drivers, and what is to be done about it.
pub fn judge(
    root: &Root,
    rpm: &Librpm,
    survey: &Survey,
    mut elements: Elements,
    running: &Running<'_>,
    orders: &Orders<'_>,
) -> Vec<Finding> {
    // Without a driver there is nothing to judge.
    if elements.has_kmps() || !survey.inventory.kmps.is_empty() {
        elements.read_kernels(root, false);
    }
    let packages = KernelPackages::of(root, rpm, &survey.inventory);
    let kernels = packages.kernels();
    let files = RefCell::new(elements.take_kernel_files());
    let blacklist = OnceCell::new();
    let read: RefCell<HashMap<String, Rc<InTree>>> = RefCell::default();
    let read_in_tree = |release: &str| {
        if let Some(known) = read.borrow().get(release) {
            return Some(Rc::clone(known));
        }
        let mut files = files.borrow_mut();
        let of_release = files.iter_mut().filter(|(of, _)| of == release).map(|(_, file)| file);
        let blacklist = blacklist.get_or_init(|| Blacklist::load(root));
        let found = in_tree::read(&survey.inventory.dirs, release, of_release, &|name| blacklist.has(name));
        Some(Rc::clone(read.borrow_mut().entry(release.into()).or_insert(Rc::new(found))))
    };
    let given = Given {
        running: running.release,
        kernels: &kernels,
        in_tree: &read_in_tree,
        package_of: &|exporter: &str| packages.of_module(exporter),
        use_of: running.use_of,
    };
    orders.decide(lost(survey, &elements.finish(), &given))
}
