// SPDX-License-Identifier: LGPL-2.1-or-later
//! The kernels that machines have, as metadata knows them, and those that may come to them: the same for all machines that have them,
//! whatever drivers these have.
//!
//! A kernel that no repository has any more is taken to have all that the drivers beside it need: they are installed, so they are
//! taken to work now.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use kmod_abi::Kernel;
use kmp_core::dialect::Dialect;
use kmp_core::inventory::InstalledKernel;
use rpm_meta::{Evr, vercmp};

use super::kin::Kin;
use super::machine::Packages;
use super::nevra::Nevra;
use super::release::likely_release;
use crate::offer;
use crate::update::{DriverFate, Installed, Kernels, Line, Offer, Offers, Unit, release_of};

/// What repositories say, to be found by names.
pub(super) struct Catalog<'o> {
    pub offers: &'o Offers,
    pub kernels: &'o Kernels,
    pub kin: Kin<'o>,
    kernel_packages: HashMap<String, &'o Offer>,
    drivers: HashMap<String, &'o Offer>,
}

impl<'o> Catalog<'o> {
    /// Of what was read.
    pub(super) fn of(offers: &'o Offers, kernels: &'o Kernels) -> Self {
        let by_name = |list: &'o [Offer]| list.iter().map(|offer| (offer.package.nvra(), offer)).collect();
        Self {
            offers,
            kernels,
            kin: Kin::of(&offers.drivers, kernels),
            kernel_packages: by_name(&offers.kernels),
            drivers: by_name(&offers.drivers),
        }
    }

    /// A driver; `None`: no repository has this version of it.
    pub(super) fn driver(&self, nevra: &Nevra) -> Option<&'o Offer> {
        self.drivers.get(&nevra.nvra()).copied()
    }

    /// What the kernel exports whose main package this is, with those of its other packages that a machine has, and the names of its
    /// modules. `None`: it does not say.
    fn kernel(&self, main: &'o Offer, has: &dyn Fn(&Offer) -> bool) -> Option<Had> {
        let incoming = self.kernels.of(&self.offers.unit(main, has, self.kernels))?;
        let kernel = (!incoming.kernel.symbols.is_empty()).then(|| Arc::new(incoming.kernel.clone()))?;
        Some(Had { kernel, in_tree: incoming.in_tree.clone() })
    }
}

/// What is known of a kernel that machines have.
pub(super) struct Had {
    pub kernel: Arc<Kernel>,
    pub in_tree: HashSet<Box<str>>,
}

/// A kernel that machines have.
pub(super) struct Found {
    line: String,
    pub release: String,
    nevra: Nevra,
    pub had: Option<Had>,
}

/// What became of drivers that are kin in each kernel that may come.
pub(super) type Fates = Rc<Vec<Vec<DriverFate>>>;

/// The kernels of machines.
pub(super) struct Ground<'m, 'o> {
    pub dialect: Dialect,
    /// In the order of versions.
    pub kernels: Vec<Found>,
    /// The same, as the guard knows them.
    pub given: BTreeMap<String, InstalledKernel>,
    /// Those that may come, the newest of each line first.
    pub coming: Vec<Unit<'o>>,
    /// What is taken for granted, each in a line.
    pub assumed: Vec<String>,
    lines: Vec<Line>,
    versions: HashMap<String, Evr>,
    is_complete: bool,
    /// By drivers that are kin and that a machine has.
    pub judged: RefCell<HashMap<Vec<&'m Nevra>, Fates>>,
}

impl<'o> Ground<'_, 'o> {
    pub(super) fn of(packages: &Packages, catalog: &Catalog<'o>) -> Self {
        let kernels = kernels(packages, catalog);
        let lines = lines(&kernels);
        let nowhere = kernels.iter().filter(|kernel| kernel.had.is_none());
        let assumed = nowhere.map(|kernel| {
            format!("{} is in no repository that was read: all drivers are taken to work there", kernel.nevra)
        });
        let assumed = assumed.collect();
        let mut versions: HashMap<String, Evr> = HashMap::new();
        for (nevra, _) in &packages.kernels {
            let evr = nevra.evr();
            let newest = versions.entry(nevra.name.clone()).or_insert_with(|| evr.clone());
            if evr.compare(newest).is_gt() {
                *newest = evr;
            }
        }
        let given = |kernel: &Found| {
            let packages = vec![kernel.line.clone()];
            (kernel.release.clone(), InstalledKernel { packages, is_bootable: true })
        };
        let mut ground = Self {
            dialect: packages.dialect(),
            given: kernels.iter().map(given).collect(),
            kernels,
            coming: Vec::new(),
            assumed,
            lines,
            versions,
            is_complete: packages.is_complete,
            judged: RefCell::default(),
        };
        let installed = ground.installed(HashSet::new(), HashMap::new());
        ground.coming = catalog.offers.units(&installed, catalog.kernels);
        ground
    }

    /// What is installed, with the names of drivers' packages, and the package of each module.
    pub(super) fn installed(&self, drivers: HashSet<String>, modules: HashMap<String, String>) -> Installed {
        Installed::known(self.lines.clone(), drivers, modules, self.versions.clone(), self.is_complete)
    }
}

/// Of each kernel the package that has its image.
fn kernels(packages: &Packages, catalog: &Catalog<'_>) -> Vec<Found> {
    let listed: HashSet<String> = packages.kernels.iter().map(|(nevra, _)| nevra.nvra()).collect();
    // Of a machine that lists only some of a kernel's packages it is not known that it lacks others.
    let has = |part: &Offer| !packages.is_complete || listed.contains(&part.package.nvra());
    let mut found: Vec<Found> = Vec::new();
    for (nevra, release) in &packages.kernels {
        let offer = catalog.kernel_packages.get(&nevra.nvra()).copied();
        let is_main = match offer {
            Some(offer) => offer::release(&offer.package).is_some() || likely_release(nevra).is_some(),
            None => likely_release(nevra).is_some(),
        };
        if !is_main {
            continue;
        }
        let by_offer = offer.map(|offer| release_of(&offer.package).0);
        let Some(release) = release.clone().or(by_offer).or_else(|| likely_release(nevra)) else { continue };
        let had = offer.and_then(|offer| catalog.kernel(offer, &has));
        let one = Found { line: nevra.name.clone(), release, nevra: nevra.clone(), had };
        // The shortest name is the kernel itself, but a package of no contents says less than one that has some.
        match found.iter_mut().find(|other| other.release == one.release) {
            Some(other) if other.had.is_none() && one.had.is_some() => *other = one,
            Some(_) => {}
            None => found.push(one),
        }
    }
    found.sort_by(|a, b| vercmp(&a.release, &b.release));
    found
}

fn lines(kernels: &[Found]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for kernel in kernels {
        match lines.iter_mut().find(|line| line.name == kernel.line) {
            // They are in the order of versions.
            Some(line) => {
                line.releases.push(kernel.release.clone());
                line.release.clone_from(&kernel.release);
                if kernel.nevra.evr().compare(&line.newest).is_gt() {
                    line.newest = kernel.nevra.evr();
                }
            }
            None => lines.push(Line {
                name: kernel.line.clone(),
                newest: kernel.nevra.evr(),
                arch: kernel.nevra.arch.clone(),
                release: kernel.release.clone(),
                releases: vec![kernel.release.clone()],
            }),
        }
    }
    lines
}
