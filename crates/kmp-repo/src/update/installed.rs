// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is installed, as far as it decides what repositories are asked for: lines of kernels, and drivers.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use kmp_core::inventory::{Inventory, KernelPackages};
use kmp_core::root::Root;
use librpm_rt::{Database, Librpm, TrustedKeys};
use rpm_meta::openpgp::Issuer;
use rpm_meta::{Evr, vercmp};

use crate::rpmmd::Listed;

/// Kernels whose package has one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The package's name.
    pub name: String,
    /// The newest installed version of it.
    pub newest: Evr,
    /// Its architecture.
    pub arch: String,
    /// The newest installed kernel's release.
    pub release: String,
    /// The releases of all that are installed.
    pub releases: Vec<String>,
}

/// What is installed.
#[expect(missing_debug_implementations, reason = "it holds the database")]
pub struct Installed {
    /// Lines of kernels, by name.
    pub lines: Vec<Line>,
    /// Names of the packages that have drivers.
    pub drivers: HashSet<String>,
    /// Names of their modules, `_` for `-`.
    pub modules: HashMap<String, String>,
    versions: Versions,
}

/// Which versions of packages are installed.
enum Versions {
    /// Looked up where somebody asks.
    Database { database: Database, names: RefCell<HashMap<String, Option<Evr>>> },
    /// The newest of each name; of a machine that lists all packages, or only some.
    Listed { newest: HashMap<String, Evr>, is_complete: bool },
}

impl Installed {
    /// Looks. What was built by nobody's package is no driver that a repository has.
    ///
    /// # Errors
    /// librpm's: the database cannot be read.
    pub fn look(root: &Root, rpm: &Librpm, inventory: &Inventory) -> Result<Self, librpm_rt::Error> {
        let database = rpm.open(root.path())?;
        let packages = KernelPackages::of(root, rpm, inventory);
        let kmps = || inventory.kmps.iter().filter(|kmp| kmp.is_packaged());
        let mut installed = Self {
            lines: Vec::new(),
            drivers: kmps().map(|kmp| kmp.package.name.clone()).collect(),
            modules: HashMap::new(),
            versions: Versions::Database { database, names: RefCell::default() },
        };
        for kmp in kmps() {
            let modules = kmp.modules.iter().map(|m| (m.name.to_string(), kmp.package.name.clone()));
            installed.modules.extend(modules);
        }
        for kernel in inventory.kernels() {
            // The shortest name is the kernel itself: `kernel-core` beside `kernel-modules-core`.
            let Some(name) = packages.of_kernel(&kernel.dir).into_iter().min_by_key(String::len) else {
                continue;
            };
            match installed.lines.iter_mut().find(|line| line.name == name) {
                Some(line) => {
                    line.releases.push(kernel.release.clone());
                    if vercmp(&kernel.release, &line.release).is_gt() {
                        line.release.clone_from(&kernel.release);
                    }
                }
                None => {
                    let (newest, arch) = installed.newest_of(&name)?.unwrap_or_default();
                    let (release, releases) = (kernel.release.clone(), vec![kernel.release.clone()]);
                    installed.lines.push(Line { name, newest, arch, release, releases });
                }
            }
        }
        installed.lines.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(installed)
    }

    /// What lists of packages say. `newest`: by name; `is_complete`: are all packages of kernels among them?
    pub fn known(
        lines: Vec<Line>,
        drivers: HashSet<String>,
        modules: HashMap<String, String>,
        newest: HashMap<String, Evr>,
        is_complete: bool,
    ) -> Self {
        Self { lines, drivers, modules, versions: Versions::Listed { newest, is_complete } }
    }

    /// Is an older version of the package installed; or, where not all that is installed is listed, may one be?
    pub(super) fn updates(&self, package: &Listed) -> bool {
        match (self.version(package.name()), &self.versions) {
            (Some(version), _) => package.evr().compare(&version).is_gt(),
            (None, Versions::Listed { is_complete, .. }) => !is_complete,
            (None, Versions::Database { .. }) => false,
        }
    }

    /// The newest installed version of a package, and its architecture.
    fn newest_of(&self, name: &str) -> Result<Option<(Evr, String)>, librpm_rt::Error> {
        let mut newest: Option<(Evr, String)> = None;
        let Versions::Database { database, .. } = &self.versions else { return Ok(None) };
        for instance in database.by_name(name)? {
            let package = database.package(instance, &|_| false)?;
            if newest.as_ref().is_none_or(|(evr, _)| package.evr.compare(evr).is_gt()) {
                newest = Some((package.evr, package.arch));
            }
        }
        Ok(newest)
    }

    /// The newest installed version of a package; `None` if there is none, or it cannot be read.
    pub fn version(&self, name: &str) -> Option<Evr> {
        let names = match &self.versions {
            Versions::Listed { newest, .. } => return newest.get(name).cloned(),
            Versions::Database { names, .. } => names,
        };
        if let Some(known) = names.borrow().get(name) {
            return known.clone();
        }
        let found = self.newest_of(name).ok().flatten().map(|(evr, _)| evr);
        names.borrow_mut().insert(name.to_owned(), found.clone());
        found
    }

    /// By which keys an installed package is signed, as its header says.
    pub(super) fn issuers(&self, instance: u32) -> Vec<Issuer> {
        match &self.versions {
            Versions::Database { database, .. } => database.issuers(instance).unwrap_or_default(),
            Versions::Listed { .. } => Vec::new(),
        }
    }

    /// The keys that rpm trusts; `None` if they cannot be read.
    pub(super) fn trusted_keys(&self) -> Option<TrustedKeys> {
        let Versions::Database { database, .. } = &self.versions else { return None };
        database.trusted_keys().inspect_err(|e| log::warn!("{e}")).ok()
    }

    /// The line of a package, if it is a kernel's.
    pub fn line(&self, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == name)
    }
}
