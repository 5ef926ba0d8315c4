// SPDX-License-Identifier: LGPL-2.1-or-later
//! A group of machines as the guard knows a machine: kernels and drivers, made of metadata.
//!
//! A kernel that no repository has any more is taken to have all that the drivers beside it need: they are installed, so they are
//! taken to work now. A driver that no repository has is not known to fit anything.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use kmod_abi::{Kernel, capability};
use kmp_core::config::{Config, Wish};
use kmp_core::dialect::Dialect;
use kmp_core::guard::Elements;
use kmp_core::inventory::{
    Conventions, DepmodConfig, Driver, FoundModule, InstalledKernel, InstalledKmp, Inventory, LoadedModule,
    ModulesDirs, Package, Release,
};
use kmp_core::survey::{Survey, SurveyedKernel};
use kmp_core::workers::Serial;
use rpm_meta::vercmp;

use super::machine::Group;
use super::nevra::Nevra;
use crate::offer;
use crate::update::{Installed, Kernels, Line, Offer, Offers, build, release_of};

/// Flavours of SUSE's kernels.
const FLAVOURS: &[&str] = &[
    "default", "azure", "rt", "rt_debug", "64kb", "preempt", "longterm", "vanilla", "debug", "kvmsmall",
    "lpae", "pae", "zfcpdump", "trace", "xen", "desktop",
];

/// The flavour of the kernel that SUSE calls so; `None`: it is none of SUSE's kernels.
pub(super) fn suse_flavour(package: &str) -> Option<&str> {
    let flavour = package.strip_prefix("kernel-")?;
    FLAVOURS.contains(&flavour).then_some(flavour)
}

/// A kernel that machines have.
type Had = Option<(Arc<Kernel>, Arc<HashSet<Box<str>>>)>;

/// What repositories say, to be found by names.
#[derive(Debug)]
pub struct Catalog<'o> {
    offers: &'o Offers,
    kernels: &'o Kernels,
    kernel_packages: HashMap<String, &'o Offer>,
    drivers: HashMap<String, &'o Offer>,
    /// By the packages that they are in: what they export, and the names of their modules.
    had: RefCell<HashMap<Vec<String>, Had>>,
}

impl<'o> Catalog<'o> {
    /// Of what was read.
    pub fn of(offers: &'o Offers, kernels: &'o Kernels) -> Self {
        let by_name = |list: &'o [Offer]| list.iter().map(|offer| (offer.package.nvra(), offer)).collect();
        Self {
            offers,
            kernels,
            kernel_packages: by_name(&offers.kernels),
            drivers: by_name(&offers.drivers),
            had: RefCell::default(),
        }
    }

    /// The kernel whose main package this is, with those of its other packages that a machine has.
    fn kernel(&self, main: &'o Offer, has: &dyn Fn(&Offer) -> bool) -> Had {
        let unit = self.offers.unit(main, has, self.kernels);
        let key: Vec<String> = unit.packages().map(|offer| offer.package.nvra()).collect();
        let make = || {
            let incoming = self.kernels.of(&unit)?;
            let kernel = (!incoming.kernel.symbols.is_empty()).then(|| Arc::new(incoming.kernel.clone()))?;
            Some((kernel, Arc::new(incoming.in_tree.clone())))
        };
        self.had.borrow_mut().entry(key).or_insert_with(make).clone()
    }
}

/// A group, as it is judged.
pub(super) struct Scene {
    pub survey: Survey,
    pub installed: Installed,
    pub kernels: BTreeMap<String, InstalledKernel>,
    /// Drivers that no repository has.
    pub unlisted: Vec<Nevra>,
    /// What is taken for granted, each in a line.
    pub assumed: Vec<String>,
}

/// An installed kernel.
struct Found {
    line: String,
    release: String,
    nevra: Nevra,
    had: Had,
}

impl Scene {
    pub(super) fn of(group: &Group, catalog: &Catalog<'_>) -> Self {
        let dialect = group.packages.dialect();
        let dirs = ModulesDirs::default();
        let (kmps, modules, unlisted) = drivers(group, catalog, &dirs);
        let found = kernels(group, catalog);
        let mut assumed = Vec::new();
        let mut releases: BTreeMap<String, Release> = BTreeMap::new();
        let mut known: HashMap<String, Arc<Kernel>> = HashMap::new();
        let likely = found.iter().any(|kernel| kernel.had.is_none()).then(|| likely(group, catalog));
        for kernel in &found {
            let names = kernel.had.as_ref().map(|(_, names)| (**names).clone()).unwrap_or_default();
            let mut release = empty(&dirs, &kernel.release);
            (release.is_kernel, release.in_tree_names) = (true, names);
            releases.insert(kernel.release.clone(), release);
            let symbols = || {
                assumed.push(format!(
                    "{} is in no repository that was read: all drivers are taken to work there",
                    kernel.nevra
                ));
                let table = likely.clone().unwrap_or_else(|| capability::table([]));
                Arc::new(Kernel::of_symbols(kernel.release.clone(), table))
            };
            let of = kernel.had.as_ref().map(|(kernel, _)| Arc::clone(kernel)).unwrap_or_else(symbols);
            known.insert(kernel.release.clone(), of);
        }
        for kmp in &kmps {
            let release = releases.entry(kmp.origin.clone()).or_insert_with(|| empty(&dirs, &kmp.origin));
            release.third_party.extend(kmp.modules.iter().cloned());
        }
        let installed = installed(group, &found, &kmps);
        let kernels = found
            .iter()
            .map(|kernel| {
                let packages = vec![kernel.line.clone()];
                (kernel.release.clone(), InstalledKernel { packages, is_bootable: true })
            })
            .collect();
        let mut releases: Vec<Release> = releases.into_values().collect();
        releases.sort_by(|a, b| vercmp(&a.release, &b.release));
        let conventions = Conventions {
            dialect,
            distribution_unknown: None,
            asked: HashSet::new(),
            depmod: DepmodConfig::default(),
            config: Config::default(),
        };
        let inventory = Inventory::of(conventions, dirs, releases, kmps);
        let surveyed = inventory.releases.each().filter_map(|(id, release)| {
            Some(SurveyedKernel::of(id, Arc::clone(known.get(&release.release)?)))
        });
        let surveyed = surveyed.collect();
        let survey = Survey::judged(inventory, surveyed, modules, &Serial);
        Self { survey, installed, kernels, unlisted, assumed }
    }
}

/// The drivers of a group, what is known of their modules, and those of which nothing is.
fn drivers(
    group: &Group,
    catalog: &Catalog<'_>,
    dirs: &ModulesDirs,
) -> (Vec<InstalledKmp>, HashMap<PathBuf, LoadedModule>, Vec<Nevra>) {
    let dialect = group.packages.dialect();
    let mut elements = Elements::new(dirs.clone());
    let mut unlisted = Vec::new();
    for (at, nevra) in group.packages.drivers.iter().enumerate() {
        let Some(offer) = catalog.drivers.get(&nevra.nvra()) else {
            unlisted.push(nevra.clone());
            continue;
        };
        // Each of a kernel of its own that is nowhere: two versions of a driver may have the same files.
        let (base, flavour) = parts(&nevra.name, dialect);
        let of = format!("{at}-{flavour}");
        let (package, requires) = build(offer, &[base], dialect, dirs.path(), &of);
        // Only a payload can be wrong.
        let _ = elements.add_package(package, &requires, None);
    }
    let mut modules = HashMap::new();
    let mut kmps = Vec::new();
    for (kmp, instance) in elements.finish().kmps.into_iter().zip(1..) {
        let mut found = Vec::new();
        for module in kmp.modules {
            let below = dirs.canonical(&module.path).and_then(|path| dirs.split(&path));
            let Some((_, below)) = below else { continue };
            modules.insert(module.path.clone(), module.module);
            found.push(FoundModule { path: module.path, below, name: module.name });
        }
        kmps.push(InstalledKmp {
            flavour: dialect.flavour(&kmp.package.name, &kmp.origin).map(Into::into),
            package: Package { instance: Some(instance), ..kmp.package },
            origin: kmp.origin,
            modules: found,
            broken: None,
            unread: None,
            kind: kmp.kind,
            driver: Driver::default(),
            wish: Wish::default(),
        });
    }
    (kmps, modules, unlisted)
}

/// What a driver's package is called for, as a module's name, and the flavour that it is for.
fn parts(package: &str, dialect: Dialect) -> (String, &str) {
    let (base, flavour) = match dialect {
        Dialect::Suse => package.split_once("-kmp-").unwrap_or((package, "default")),
        Dialect::RedHat => (package.strip_prefix("kmod-").unwrap_or(package), ""),
    };
    (base.replace('-', "_"), flavour)
}

/// The kernels of a group: of each the package that has its image.
fn kernels(group: &Group, catalog: &Catalog<'_>) -> Vec<Found> {
    let listed: HashSet<String> = group.packages.kernels.iter().map(|(nevra, _)| nevra.nvra()).collect();
    // Of a machine that lists only some of a kernel's packages it is not known that it lacks others.
    let has = |part: &Offer| !group.packages.is_complete || listed.contains(&part.package.nvra());
    let mut found: Vec<Found> = Vec::new();
    for (nevra, release) in &group.packages.kernels {
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

/// The release of a kernel by the name of its package alone; `None`: that is not what a kernel's image is in.
fn likely_release(nevra: &Nevra) -> Option<String> {
    let Nevra { name, version, release, arch, .. } = nevra;
    if let Some(flavour) = suse_flavour(name) {
        let build = release.rsplit_once('.').map_or(&**release, |(before, _)| before);
        return Some(format!("{version}-{build}-{flavour}"));
    }
    let variant = match name.strip_prefix("kernel")?.strip_suffix("-core") {
        None if name == "kernel" => "",
        None => return None,
        Some(variant) => variant.strip_prefix('-').unwrap_or(variant),
    };
    let plus = match variant {
        "" | "uek" | "ml" | "lt" => String::new(),
        other => format!("+{other}"),
    };
    Some(format!("{version}-{release}.{arch}{plus}"))
}

/// What a kernel exports by which all drivers of a group work.
fn likely(group: &Group, catalog: &Catalog<'_>) -> kmod_abi::SymbolTable {
    let offers: Vec<&Offer> = group
        .packages
        .drivers
        .iter()
        .filter_map(|nevra| catalog.drivers.get(&nevra.nvra()).copied())
        .collect();
    let own: BTreeSet<&str> =
        offers.iter().flat_map(|o| offer::symbols(&o.package)).map(|s| s.symbol).collect();
    let mut seen = BTreeSet::new();
    let needs = offers.iter().flat_map(|offer| offer::needs(&offer.package));
    capability::table(needs.filter(|need| !own.contains(need.symbol) && seen.insert(need.symbol)))
}

fn installed(group: &Group, found: &[Found], kmps: &[InstalledKmp]) -> Installed {
    let mut lines: Vec<Line> = Vec::new();
    for kernel in found {
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
    let mut versions: HashMap<String, rpm_meta::Evr> = HashMap::new();
    let all = group.packages.kernels.iter().map(|(nevra, _)| nevra).chain(&group.packages.drivers);
    for nevra in all {
        let evr = nevra.evr();
        let newest = versions.entry(nevra.name.clone()).or_insert_with(|| evr.clone());
        if evr.compare(newest).is_gt() {
            *newest = evr;
        }
    }
    let names = kmps.iter().map(|kmp| kmp.package.name.clone());
    let names = names.chain(group.packages.drivers.iter().map(|nevra| nevra.name.clone())).collect();
    let modules = kmps
        .iter()
        .flat_map(|kmp| kmp.modules.iter().map(|m| (m.name.to_string(), kmp.package.name.clone())));
    Installed::known(lines, names, modules.collect(), versions, group.packages.is_complete)
}

fn empty(dirs: &ModulesDirs, release: &str) -> Release {
    Release::empty(release, &dirs.path().join(release))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_by_the_names_of_packages() {
        let release = |text: &str| likely_release(&Nevra::parse(text).unwrap());
        for (package, expected) in [
            ("kernel-default-6.4.0-150600.21.1.x86_64", Some("6.4.0-150600.21-default")),
            ("kernel-core-5.14.0-427.el9.x86_64", Some("5.14.0-427.el9.x86_64")),
            ("kernel-debug-core-5.14.0-427.el9.x86_64", Some("5.14.0-427.el9.x86_64+debug")),
            ("kernel-3.10.0-1160.el7.x86_64", Some("3.10.0-1160.el7.x86_64")),
            ("kernel-modules-5.14.0-427.el9.x86_64", None),
            ("kernel-default-devel-6.4.0-150600.21.1.x86_64", None),
            ("kernel-tools-5.14.0-427.el9.x86_64", None),
        ] {
            assert_eq!(release(package).as_deref(), expected, "{package}");
        }
    }
}
