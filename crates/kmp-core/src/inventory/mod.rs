// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is there: kernels, packages, modules, existing links. Reads only.

mod blacklist;
mod depmod_d;
mod dkms;
pub(crate) mod driver;
mod index;
mod kernels;
pub(crate) mod kind;
pub(crate) mod load;
mod modules_dirs;
mod packages;
mod unpackaged;
mod weak_updates;

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use librpm_rt::Librpm;

pub use blacklist::Blacklist;
pub use depmod_d::{DEPMOD_D, DepmodConfig};
use dkms::Dkms;
pub use driver::Driver;
pub use index::stale;
pub use kernels::{FoundModule, Release};
pub use kind::{Kind, Maker};
pub use load::{
    LoadedKernel, LoadedModule, LoadedUsers, Loader, parse_module, parse_symvers, read_module_file,
};
pub use modules_dirs::ModulesDirs;
use packages::Found;
pub use packages::{InstalledKmp, Package, PackageError};
pub use weak_updates::{Item, ItemKind};

use crate::abi::{Module, ModuleFault};
use crate::config::{Config, Wish};
use crate::dialect::{Dialect, UnknownDistribution};
use crate::printable;
use crate::problem::Problem;
use crate::root::{Root, Stat};
use crate::tree::{self, WEAK_UPDATES};
use crate::workers::{self, Workers};

/// What is linked: by the dialect, and by what somebody asked for.
#[derive(Clone, Debug)]
pub struct Conventions {
    /// The dialect.
    pub dialect: Dialect,
    /// Why no dialect is known, if so: [`Self::dialect`] serves for reading only then, and no link may be changed.
    pub distribution_unknown: Option<UnknownDistribution>,
    /// Modules that are linked in this run wherever they are below a release directory, by their paths.
    pub asked: HashSet<PathBuf>,
    /// Which of two modules is loaded, where that is configured.
    pub depmod: DepmodConfig,
    /// The configuration: what is to be linked into which kernels.
    pub config: Config,
}

impl Conventions {
    /// Into which kernels a package's modules are to be linked.
    pub fn wish(&self, package: &Package) -> Wish {
        self.config.wish(&package.name, Wish::of_package(package))
    }

    /// Is a link, by its path below `weak-updates/`, inert in the kernel `release`, because the kernel's own module of
    /// its name is loaded? `in_tree`: that one's path below the kernel's directory, where it is known.
    pub fn is_inert(&self, release: &str, link: &Path, in_tree: Option<&Path>) -> bool {
        let link = Path::new(WEAK_UPDATES).join(link);
        let in_tree = in_tree.map_or_else(|| self.depmod.likely_in_tree(release, &link), Path::to_path_buf);
        match self.depmod.compare(release, &link, &in_tree) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal => !self.dialect.links_beat_in_tree(),
        }
    }

    /// Names and paths of modules in external directories that depmod prefers to links in the kernel `release`.
    ///
    /// # Errors
    /// One of them cannot be listed.
    pub fn external(&self, root: &Root, release: &str) -> Result<Vec<(Box<str>, String)>, Problem> {
        let modules = self.depmod.external_modules(root, release)?.into_iter();
        let wins = |m: &FoundModule| {
            let link = Path::new(WEAK_UPDATES).join(m.path.file_name().unwrap_or_default());
            self.depmod.compare(release, &m.path, &link) == Ordering::Less
        };
        Ok(modules.filter(wins).map(|m| (m.name, printable(m.path.as_os_str()))).collect())
    }

    /// May the module at `path`, which is `below` its release directory, be linked?
    fn may_link(&self, path: &Path, below: &Path) -> bool {
        self.dialect.is_eligible(below) || self.asked.contains(path)
    }
}

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
    pub releases: Vec<Release>,
    /// The KMPs: for each package and release one, sorted by driver, the version first that is tried first.
    pub kmps: Vec<InstalledKmp>,
    /// Modules outside `kernel/` that are no drivers: live patches, and kernels' own.
    pub apart: Vec<Apart>,
    /// Third-party modules by their path: the KMP that owns it.
    owners: HashMap<PathBuf, usize>,
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
        let depmod = DepmodConfig::load(root)?;
        let conventions =
            Conventions { dialect, distribution_unknown, asked: asked.collect(), depmod, config };
        let releases = releases(root, &dirs, workers, &mut problems)?;
        let found = packages::find(root, rpm, &dirs, &releases, &conventions, &mut problems);
        let (found, packages_unknown) = match found {
            Ok(found) => (found, None),
            Err(e) => (Found::default(), Some(e)),
        };
        let Found { kmps, apart } = found;
        let (owners, none) = (HashMap::new(), Vec::new());
        let mut inventory =
            Self { conventions, dirs, releases, kmps, apart: none, owners, packages_unknown, problems };
        inventory.set_in_order();
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

    /// Tells live patches and the kernels' own modules from drivers by what they say of themselves: `module` has the
    /// contents of those that were read.
    pub fn look_into<'m>(&mut self, module: &dyn Fn(&Path) -> Option<&'m Module>) {
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
        for (index, kmp) in self.kmps.iter().enumerate() {
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
    pub fn add_unpackaged<'m>(
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
    pub fn owner(&self, path: &Path) -> Option<usize> {
        self.owners.get(path).copied()
    }

    /// The KMPs of a package, by its name, NAME-VERSION-RELEASE, or that with the architecture; the newest first.
    pub fn kmps_named(&self, name: &str) -> Vec<usize> {
        let is_named = |p: &Package| p.name == name || p.nvr() == name || p.nvra() == name;
        (0..self.kmps.len()).filter(|k| is_named(&self.kmps[*k].package)).collect()
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
            Some(format!("{nvr} is no KMP: its module {module} {what}"))
        })
    }

    /// Whose is a thing in `weak-updates/`? `Some(Some(kmp))`: ours, it leads to that KMP's module.
    /// `Some(None)`: ours and stale, it leads nowhere. `None`: not ours, not to be touched.
    pub fn ours(&self, root: &Root, item: &Item) -> Option<Option<usize>> {
        // kmp's links are named as modules are.
        let (ItemKind::Link(target), Some(_)) = (&item.kind, &item.name) else {
            return None;
        };
        let target = self.dirs.canonical(target)?;
        if let Some(kmp) = self.owner(&target)
            && let Some((_, below)) = self.dirs.split(&target)
            && self.conventions.may_link(&target, &below)
        {
            return Some(Some(kmp));
        }
        // A link to a live patch, or to another kernel's own module, does nobody any good.
        if self.apart.iter().any(|apart| apart.module.path == target) {
            return Some(None);
        }
        // A link to something that exists and that is not ours to link is somebody else's.
        let leads_nowhere = root.metadata(&target).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound);
        leads_nowhere.then_some(None)
    }
}

/// Reads all release directories, in the order of versions.
///
/// # Errors
/// It is not known which there are.
pub fn releases(
    root: &Root,
    dirs: &ModulesDirs,
    workers: &dyn Workers,
    problems: &mut Vec<Problem>,
) -> Result<Vec<Release>, Problem> {
    let found = dirs.releases(root, problems)?;
    let scanned = workers::map(workers, &found, |(release, path)| Release::scan(root, release, path));
    let mut releases = Vec::with_capacity(scanned.len());
    for (release, trouble) in scanned {
        problems.extend(trouble);
        releases.push(release);
    }
    Ok(releases)
}

/// Is there a kernel of each of these releases among `all`, which are those of `root`?
///
/// # Errors
/// Which one is missing, and which there are, in words.
pub fn has_kernels<'k>(
    root: &Root,
    dirs: &ModulesDirs,
    all: &[Release],
    releases: impl IntoIterator<Item = &'k String>,
) -> Result<(), String> {
    let there: Vec<&str> = all.iter().filter(|r| r.is_kernel).map(|r| r.release.as_str()).collect();
    let dir = root.display(dirs.path());
    match releases.into_iter().find(|k| !there.contains(&k.as_str())) {
        None => Ok(()),
        Some(missing) if there.is_empty() => {
            Err(format!("there is no kernel {missing}, and no other, in {}", dir.display()))
        }
        Some(missing) => {
            Err(format!("there is no kernel {missing} in {}; there are: {}", dir.display(), there.join(", ")))
        }
    }
}

/// `foo-bar.ko.xz` is `foo_bar`; `None` for what is not a module by its name.
fn module_name(file: &OsStr) -> Option<Box<str>> {
    crate::abi::name::module_name(file).map(Into::into)
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp(Stat);

/// Reads `modules.dep` in both of the ways in which it is read.
#[cfg(feature = "fuzz")]
pub(crate) fn fuzz_modules_dep(text: &[u8]) {
    for line in index::third_party_lines(text) {
        index::spelled(line).for_each(drop);
    }
    for (_, used) in load::dependencies(&String::from_utf8_lossy(text)) {
        used.for_each(drop);
    }
}

#[cfg(test)]
mod tests;
