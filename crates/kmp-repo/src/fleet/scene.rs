// SPDX-License-Identifier: LGPL-2.1-or-later
//! Some drivers on a machine's kernels, as the guard knows a machine: made of metadata.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use kmod_abi::{Kernel, SymbolTable, capability};
use kmp_core::config::{Config, Wish};
use kmp_core::dialect::Dialect;
use kmp_core::guard::{self, Elements, Given, Orders, Running, Use};
use kmp_core::inventory::{
    Conventions, DepmodConfig, Driver, FoundModule, InstalledKernel, InstalledKmp, Inventory, LoadedModule,
    ModulesDirs, Package, Release,
};
use kmp_core::survey::{Survey, SurveyedKernel};
use kmp_core::workers::Serial;
use rpm_meta::vercmp;

use super::ground::{Catalog, Ground};
use super::nevra::Nevra;
use crate::offer;
use crate::update::{Installed, Judge, Offer, build};

/// Drivers on the kernels of a machine.
pub(super) struct Scene<'s, 'o> {
    given: &'s BTreeMap<String, InstalledKernel>,
    catalog: &'s Catalog<'o>,
    /// All that repositories have of them.
    offers: &'s [&'o Offer],
    survey: Survey,
    installed: Installed,
}

impl<'s, 'o> Scene<'s, 'o> {
    /// `kin`: the drivers are those of a machine that can matter to each other; `None`: there is none.
    pub(super) fn of(
        ground: &'s Ground<'_, 'o>,
        catalog: &'s Catalog<'o>,
        kin: Option<usize>,
        drivers: &[&Nevra],
    ) -> Self {
        let dirs = ModulesDirs::default();
        let there: Vec<&Offer> = drivers.iter().filter_map(|nevra| catalog.driver(nevra)).collect();
        let (kmps, modules) = kmps(&there, ground.dialect, &dirs);
        let own: HashSet<&str> = kmps.iter().flat_map(|kmp| &kmp.modules).map(|m| &*m.name).collect();
        let mut releases: BTreeMap<String, Release> = BTreeMap::new();
        let mut known: HashMap<String, Arc<Kernel>> = HashMap::new();
        let mut likely: Option<SymbolTable> = None;
        for kernel in &ground.kernels {
            let in_tree = kernel.had.iter().flat_map(|had| &had.in_tree);
            let mut release = empty(&dirs, &kernel.release);
            // Others cannot matter to these drivers.
            release.in_tree_names = in_tree.filter(|name| own.contains(&***name)).cloned().collect();
            release.is_kernel = true;
            releases.insert(kernel.release.clone(), release);
            let of = match &kernel.had {
                Some(had) => Arc::clone(&had.kernel),
                None => {
                    let table = likely.get_or_insert_with(|| likely_symbols(&there)).clone();
                    Arc::new(Kernel::of_symbols(kernel.release.clone(), table))
                }
            };
            known.insert(kernel.release.clone(), of);
        }
        for kmp in &kmps {
            let release = releases.entry(kmp.origin.clone()).or_insert_with(|| empty(&dirs, &kmp.origin));
            release.third_party.extend(kmp.modules.iter().cloned());
        }
        let names = kmps.iter().map(|kmp| kmp.package.name.clone());
        let names = names.chain(drivers.iter().map(|nevra| nevra.name.clone())).collect();
        let package = |kmp: &InstalledKmp| kmp.package.name.clone();
        let of = kmps.iter().flat_map(|kmp| kmp.modules.iter().map(|m| (m.name.to_string(), package(kmp))));
        let installed = ground.installed(names, of.collect());
        let mut releases: Vec<Release> = releases.into_values().collect();
        releases.sort_by(|a, b| vercmp(&a.release, &b.release));
        let conventions = Conventions {
            dialect: ground.dialect,
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
        let offers = kin.map_or(&[][..], |kin| catalog.kin.offers(kin));
        Self { given: &ground.given, catalog, offers, survey, installed }
    }

    /// Asks the judge of `kmp update`.
    pub(super) fn ask<R>(&self, question: impl FnOnce(&Judge<'_>) -> R) -> R {
        let config = Config::default();
        let orders = Orders { config: &config, policy: None, nothing_boots: false, last: None };
        let use_of = |_: &str| Use::default();
        let running = Running { release: None, use_of: &use_of };
        let given = Given {
            running: None,
            kernels: self.given,
            in_tree: &|_| None,
            package_of: &|_| None,
            use_of: &use_of,
        };
        question(&Judge {
            ask: &|elements| guard::judge_given(&self.survey, elements, &given, &orders),
            survey: &self.survey,
            offers: self.catalog.offers,
            drivers: self.offers,
            installed: &self.installed,
            kernels: self.catalog.kernels,
            running: &running,
            orders: &orders,
            limit: None,
            at_hand: None,
        })
    }
}

/// Drivers, and what is known of their modules.
fn kmps(
    offers: &[&Offer],
    dialect: Dialect,
    dirs: &ModulesDirs,
) -> (Vec<InstalledKmp>, HashMap<PathBuf, LoadedModule>) {
    let mut elements = Elements::new(dirs.clone());
    for (at, offer) in offers.iter().enumerate() {
        // Each of a kernel of its own that is nowhere: two versions of a driver may have the same files.
        let (base, flavour) = parts(offer.package.name(), dialect);
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
    (kmps, modules)
}

/// What a driver's package is called for, as a module's name, and the flavour that it is for.
pub(super) fn parts(package: &str, dialect: Dialect) -> (String, &str) {
    let (base, flavour) = match dialect {
        Dialect::Suse => package.split_once("-kmp-").unwrap_or((package, "default")),
        Dialect::RedHat => (package.strip_prefix("kmod-").unwrap_or(package), ""),
    };
    (base.replace('-', "_"), flavour)
}

/// What a kernel exports by which all these drivers work.
fn likely_symbols(offers: &[&Offer]) -> SymbolTable {
    let own: BTreeSet<&str> =
        offers.iter().flat_map(|o| offer::symbols(&o.package)).map(|s| s.symbol).collect();
    let mut seen = BTreeSet::new();
    let needs = offers.iter().flat_map(|offer| offer::needs(&offer.package));
    capability::table(needs.filter(|need| !own.contains(need.symbol) && seen.insert(need.symbol)))
}

fn empty(dirs: &ModulesDirs, release: &str) -> Release {
    Release::empty(release, &dirs.path().join(release))
}
