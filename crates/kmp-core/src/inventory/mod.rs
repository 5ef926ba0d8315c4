// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is there: kernels, packages, modules, existing links. Reads only.

mod blacklist;
mod boots;
mod conventions;
mod depmod_d;
mod dkms;
pub(crate) mod driver;
mod image_keys;
mod index_due;
mod kernel_packages;
mod kernels;
pub(crate) mod kind;
pub(crate) mod load;
mod machine_keys;
mod machine_policy;
mod modprobe_d;
mod modules_dirs;
mod ownership;
mod packages;
mod signing;
mod support;
mod unpackaged;
mod weak_updates;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use librpm_rt::Librpm;

pub use blacklist::Blacklist;
pub use boots::{is_offline, nothing_boots, nothing_boots_here};
pub use conventions::Conventions;
pub use depmod_d::DEPMOD_D;
use dkms::Dkms;
pub use driver::Driver;
pub use image_keys::unpacked;
pub(crate) use image_keys::{in_image, signature_of, undecided};
pub use index_due::stale;
pub use kernel_packages::{InstalledKernel, KernelPackages};
pub use kernels::{FoundModule, NoKernel, Release, has_kernels, releases};
pub use kind::{Kind, Maker};
pub use kmod_index::depmod_d::Config as DepmodConfig;
pub(crate) use load::SAMPLES;
pub use load::{
    LoadedKernel, LoadedModule, LoadedUsers, Loader, SymversError, parse_module, parse_symvers,
    read_module_file,
};
pub use machine_policy::MachinePolicy;
pub use modules_dirs::ModulesDirs;
pub use ownership::Ownership;
use packages::Found;
pub use packages::{InstalledKmp, Package, PackageError};
pub use weak_updates::{AllItems, Item, ItemKind, all_items};

use crate::abi::{Module, ModuleFault};
use crate::config::Config;
use crate::ids::{KmpId, List, ReleaseId};
use crate::printable;
use crate::problem::Problem;
use crate::root::{Root, Stat};
use crate::suggest::did_you_mean;
use crate::tree;
use crate::workers::Workers;

/// A module outside `kernel/` that is no driver.
#[derive(Clone, Debug)]
pub struct Apart {
    /// The module.
    pub module: FoundModule,
    /// The release in whose directory it is.
    pub release: String,
    /// What it is.
    pub kind: Kind,
    /// NAME-VERSION-RELEASE of the package that owns it.
    pub package: Option<String>,
}

/// What a file system root holds.
#[derive(Debug)]
pub struct Inventory {
    /// What is linked.
    pub conventions: Conventions,
    /// Where modules are.
    pub dirs: ModulesDirs,
    /// All release directories, kernels or not, in the order of versions.
    pub releases: List<ReleaseId, Release>,
    /// The KMPs: for each package and release one, sorted by driver, the version first that is tried first.
    pub kmps: List<KmpId, InstalledKmp>,
    /// Modules outside `kernel/` that are no drivers: live patches, and kernels' own.
    pub apart: Vec<Apart>,
    /// Third-party modules by their path: the KMP that owns it.
    owners: HashMap<PathBuf, KmpId>,
    /// Why the packages are not known, if so. Links must not be changed then.
    pub packages_unknown: Option<PackageError>,
    /// What was left out.
    pub problems: Vec<Problem>,
}

impl Inventory {
    /// Takes stock of `root`. Without a library or a database of packages, all modules are taken for
    /// unpackaged, and [`Self::packages_unknown`] says why. `asked`: modules that are linked though they
    /// would not be by the dialect, in Red Hat's.
    ///
    /// # Errors
    /// What could not be read without which nothing can be said of any kernel: whose conventions hold, where modules
    /// are, which kernels there are.
    pub fn take(
        root: &Root,
        rpm: Result<&Librpm, &librpm_rt::Error>,
        asked: &[PathBuf],
        workers: &dyn Workers,
    ) -> Result<Self, Problem> {
        let mut problems = Vec::new();
        let config = Config::known(root, &mut problems)?;
        let which = config.dialect(root)?;
        let dialect = which.for_reading();
        let distribution_unknown = which.unknown().cloned();
        problems.extend(distribution_unknown.as_ref().map(|unknown| unknown.problem(root)));
        let dirs = ModulesDirs::find(root)?;
        let asked = asked.iter().filter(|_| dialect.takes_unpackaged()).filter_map(|p| dirs.canonical(p));
        let depmod = depmod_d::load(root)?;
        let conventions =
            Conventions { dialect, distribution_unknown, asked: asked.collect(), depmod, config };
        let releases = releases(root, &dirs, workers, &mut problems)?;
        let found = packages::find(root, rpm, &dirs, &releases, &conventions, &mut problems);
        let (found, packages_unknown) = match found {
            Ok(found) => (found, None),
            Err(e) => (Found::default(), Some(e)),
        };
        let Found { kmps, apart } = found;
        let mut inventory =
            Self { packages_unknown, problems, ..Self::of(conventions, dirs, releases, kmps) };
        let mut apart: HashMap<PathBuf, (Kind, Option<String>)> =
            apart.into_iter().map(|(path, kind, nvr)| (path, (kind, Some(nvr)))).collect();
        for module in inventory.releases.iter().flat_map(|r| &r.third_party) {
            if tree::is_live_patch(&module.below) {
                apart.entry(module.path.clone()).or_insert((Kind::LivePatch, None));
            }
        }
        inventory.set_apart(apart);
        Ok(inventory)
    }

    /// What has these releases, in the order of versions, and these KMPs, in any order.
    pub fn of(
        conventions: Conventions,
        dirs: ModulesDirs,
        releases: Vec<Release>,
        kmps: Vec<InstalledKmp>,
    ) -> Self {
        let mut inventory = Self {
            conventions,
            dirs,
            releases: releases.into(),
            kmps: kmps.into(),
            apart: Vec::new(),
            owners: HashMap::new(),
            packages_unknown: None,
            problems: Vec::new(),
        };
        inventory.set_in_order();
        inventory
    }

    /// Completes it by what modules say of themselves, which `contents` has of those that were read: tells live patches and the
    /// kernels' own modules from drivers, takes in modules that no package owns where these are linked, and then decides
    /// [whose](Ownership) each link is.
    pub fn look_into<'m>(
        &mut self,
        root: &Root,
        contents: &dyn Fn(&Path) -> Option<&'m Result<Module, ModuleFault>>,
    ) {
        self.tell_apart(&|path| contents(path)?.as_ref().ok());
        self.add_unpackaged(root, contents);
        self.set_ownership(root);
    }

    fn tell_apart<'m>(&mut self, module: &dyn Fn(&Path) -> Option<&'m Module>) {
        let is_live_patch = |found: &FoundModule| module(&found.path).is_some_and(|m| m.is_live_patch);
        let mut apart: HashMap<PathBuf, (Kind, Option<String>)> = HashMap::new();
        for kmp in &mut self.kmps {
            let (patches, drivers): (Vec<_>, Vec<_>) = kmp.modules.drain(..).partition(|m| is_live_patch(m));
            let nvr = kmp.package.nvr();
            apart.extend(patches.into_iter().map(|m| (m.path, (Kind::LivePatch, Some(nvr.clone())))));
            if kind::are_in_tree(Some(&kmp.package.name), drivers.iter().map(|m| module(&m.path))) {
                apart.extend(drivers.into_iter().map(|m| (m.path, (Kind::InTree, Some(nvr.clone())))));
            } else {
                kmp.modules = drivers;
            }
        }
        for found in self.releases.iter().flat_map(|r| &r.third_party) {
            if self.owners.contains_key(&found.path) {
                continue;
            }
            if is_live_patch(found) {
                apart.insert(found.path.clone(), (Kind::LivePatch, None));
            } else if kind::are_in_tree(None, std::iter::once(module(&found.path))) {
                apart.insert(found.path.clone(), (Kind::InTree, None));
            }
        }
        if !apart.is_empty() {
            self.kmps.retain(|kmp| !kmp.modules.is_empty());
            self.set_in_order();
            self.set_apart(apart);
        }
    }

    /// Takes these modules, by their paths, out from among the drivers.
    fn set_apart(&mut self, apart: HashMap<PathBuf, (Kind, Option<String>)>) {
        for release in self.releases.iter_mut().filter(|_| !apart.is_empty()) {
            let (drivers, others): (Vec<_>, Vec<_>) =
                release.third_party.drain(..).partition(|m| !apart.contains_key(&m.path));
            release.third_party = drivers;
            for module in others {
                let (kind, package) = apart[&module.path].clone();
                match kind {
                    Kind::InTree => {
                        release.in_tree_names.insert(module.name.clone());
                        release.in_tree.push(module.clone());
                    }
                    _ => release.live_patches.push(module.clone()),
                }
                self.apart.push(Apart { module, release: release.release.clone(), kind, package });
            }
        }
        self.apart.sort_by(|a, b| {
            (&a.release, &a.module.name, &a.module.path).cmp(&(&b.release, &b.module.name, &b.module.path))
        });
    }

    fn set_in_order(&mut self) {
        packages::sort(&mut self.kmps);
        self.owners.clear();
        for (index, kmp) in self.kmps.each() {
            for module in &kmp.modules {
                self.owners.entry(module.path.clone()).or_insert(index);
            }
        }
    }

    /// May a KMP's modules be linked, as far as it is for the dialect to say?
    pub fn is_eligible(&self, kmp: &InstalledKmp) -> bool {
        kmp.modules.iter().any(|m| self.conventions.may_link(&m.path, &m.below))
    }

    /// Modules that are linked though no package owns them, release by release, in depmod's order: none in SUSE's
    /// dialect, and none as long as the packages are not known.
    pub fn unpackaged(&self) -> Vec<&FoundModule> {
        let taken = self.conventions.dialect.takes_unpackaged() && self.packages_unknown.is_none();
        let modules = self.releases.iter().filter(|_| taken).flat_map(|r| &r.third_party);
        modules
            .filter(|m| self.owner(&m.path).is_none() && self.conventions.may_link(&m.path, &m.below))
            .collect()
    }

    /// Takes the [unpackaged](Self::unpackaged) modules in among the KMPs, in groups of those that depend on each
    /// other. `module` has their contents.
    fn add_unpackaged<'m>(
        &mut self,
        root: &Root,
        module: &dyn Fn(&Path) -> Option<&'m Result<Module, ModuleFault>>,
    ) {
        let modules = self.unpackaged();
        let dkms = if modules.is_empty() { Ok(Dkms::default()) } else { Dkms::load(root) };
        let (dkms, unread) = match dkms {
            Ok(dkms) => (dkms, self.releases.iter().find_map(|r| r.unread.clone())),
            Err(problem) => (Dkms::default(), Some(problem)),
        };
        let text = unread.as_ref().map(Problem::to_string);
        let mut groups = unpackaged::groups(&self.dirs, &modules, &dkms, text, module);
        self.problems.extend(unread.filter(|p| !self.problems.contains(p)));
        for group in &mut groups {
            group.wish = self.conventions.config.wish(&group.package.name, std::mem::take(&mut group.wish));
        }
        if !groups.is_empty() {
            self.kmps.extend(groups);
            self.set_in_order();
        }
    }

    /// A release's own third-party modules that no package owns and that keep packages' modules of their names out: the
    /// names, and what to do, in words.
    pub fn leftovers<'s>(
        &'s self,
        release: &'s Release,
    ) -> impl Iterator<Item = (Box<str>, String)> + use<'s> {
        let is_loose = |m: &&FoundModule| self.owner(&m.path).is_none_or(|kmp| !self.kmps[kmp].is_packaged());
        release.third_party.iter().filter(is_loose).map(|m| {
            let path = printable(m.path.as_os_str());
            (
                m.name.clone(),
                format!("{path}, which no package owns; if nobody needs it, remove it and run kmp sync"),
            )
        })
    }

    /// The kernels among the releases.
    pub fn kernels(&self) -> impl Iterator<Item = &Release> {
        self.releases.iter().filter(|r| r.is_kernel)
    }

    /// The KMP that owns the module at `path`.
    pub fn owner(&self, path: &Path) -> Option<KmpId> {
        self.owners.get(path).copied()
    }

    /// The KMPs of a package, by its name, NAME-VERSION-RELEASE, or that with the architecture; the newest first.
    pub fn kmps_named(&self, name: &str) -> Vec<KmpId> {
        let is_named = |p: &Package| p.name == name || p.nvr() == name || p.nvra() == name;
        self.kmps.ids().filter(|k| is_named(&self.kmps[*k].package)).collect()
    }

    /// The KMPs that have a module of this name.
    pub fn kmps_with_module(&self, name: &str) -> Vec<KmpId> {
        let wanted = crate::abi::name::normalized(name);
        let has = |k: &KmpId| self.kmps[*k].modules.iter().any(|m| *m.name == *wanted);
        self.kmps.ids().filter(has).collect()
    }

    /// The KMPs of a package ([`kmps_named`](Self::kmps_named)) or, where there is none, those that have a module of that name.
    pub fn kmps_meant_by(&self, name: &str) -> Vec<KmpId> {
        let found = self.kmps_named(name);
        if found.is_empty() { self.kmps_with_module(name) } else { found }
    }

    /// `; did you mean NAME?` for a name that no KMP and no third-party module has, or nothing.
    pub fn did_you_mean(&self, name: &str) -> String {
        let packages = self.kmps.iter().map(|k| k.package.name.as_str());
        let modules = self.kmps.iter().flat_map(|k| &k.modules);
        let modules = modules.chain(self.releases.iter().flat_map(|r| &r.third_party));
        did_you_mean(name, packages.chain(modules.map(|m| &*m.name)))
    }

    /// Why a package of that name, NAME-VERSION-RELEASE or that with an architecture, is no KMP though it owns modules
    /// outside `kernel/`, in words.
    pub fn why_no_kmp(&self, name: &str) -> Option<String> {
        let is_named = |nvr: &str| {
            let mut parts = nvr.rsplitn(3, '-');
            nvr == name
                || name.strip_prefix(nvr).is_some_and(|arch| arch.starts_with('.'))
                || parts.nth(2) == Some(name)
        };
        self.apart.iter().find_map(|apart| {
            let nvr = apart.package.as_deref().filter(|nvr| is_named(nvr))?;
            let (module, release) = (printable(apart.module.name.as_ref().as_ref()), &apart.release);
            let what = match apart.kind {
                Kind::LivePatch => format!("is a live patch for kernel {release}"),
                _ => format!("is one of kernel {release}'s own"),
            };
            Some(format!("{nvr} is not a KMP: its module {module} {what}"))
        })
    }
}

/// `foo-bar.ko.xz` is `foo_bar`; `None` for what is not a module by its name.
fn module_name(file: &OsStr) -> Option<Box<str>> {
    crate::abi::name::module_name(file).map(Into::into)
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp(Stat);

#[cfg(test)]
mod tests;
