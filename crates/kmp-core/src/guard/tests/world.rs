// SPDX-License-Identifier: LGPL-2.1-or-later
//! Kernels, drivers and transactions made by hand: no disk, no rpm.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use testkit::KernelBuilder;

use super::said;
use crate::abi::Kernel;
use crate::config::{Config, Wish};
use crate::dialect::Dialect;
use crate::guard::*;
use crate::inventory::{
    Conventions, Driver, FoundModule, InstalledKernel, InstalledKmp, Inventory, Kind, LoadedModule,
    ModulesDirs, Package, Release,
};
use crate::made;
use crate::survey::{Survey, SurveyedKernel};
use crate::workers::Serial;

pub(super) const OLD: &str = "6.4.0-1-default";
pub(super) const NEW: &str = "6.4.0-2-default";
pub(super) const FOO: &str = "foo-kmp-default-1_k6.4.0_1-1";

/// A package that is installed, or comes.
#[derive(Clone)]
pub(super) enum Made {
    Kernel {
        krel: String,
        crc: u32,
        package: Option<&'static str>,
    },
    /// With the module foo, which needs the symbol `changing` with that CRC.
    Driver {
        package: Box<Package>,
        origin: String,
        below: PathBuf,
        crc: u32,
    },
}

impl Made {
    /// A kernel of SUSE's that exports the symbol `changing`.
    pub(super) fn kernel(krel: &str, crc: u32) -> Self {
        Self::Kernel { krel: krel.into(), crc, package: Some("kernel-default") }
    }

    pub(super) fn in_package(self, name: &'static str) -> Self {
        self.of_package(Some(name))
    }

    pub(super) fn in_no_package(self) -> Self {
        self.of_package(None)
    }

    fn of_package(self, package: Option<&'static str>) -> Self {
        match self {
            Self::Kernel { krel, crc, .. } => Self::Kernel { krel, crc, package },
            driver => driver,
        }
    }
}

fn builder(krel: &str, crc: u32) -> KernelBuilder {
    KernelBuilder::new(krel).export("printk", 1).export("changing", crc)
}

fn driver(name: String, version: &str, krel: &str, below: &str, crc: u32) -> Made {
    let evr = rpm_meta::Evr::parse(&format!("{version}-1"));
    let package = Box::new(Package { name, evr, ..Package::default() });
    Made::Driver { package, origin: krel.into(), below: below.into(), crc }
}

/// A KMP of SUSE's with the module foo, built for a kernel.
pub(super) fn kmp(name: &str, version: &str, krel: &str, crc: u32) -> Made {
    let (of_kernel, flavour) = krel.rsplit_once('-').unwrap();
    let version = format!("{version}_k{}", of_kernel.replace('-', "_"));
    driver(format!("{name}-kmp-{flavour}"), &version, krel, "updates/foo.ko", crc)
}

/// A kmod of Red Hat's with the module foo, built for a kernel.
pub(super) fn kmod(krel: &str, crc: u32) -> Made {
    driver("kmod-foo".into(), "1", krel, "extra/foo/foo.ko", crc)
}

/// What is installed.
pub(super) struct World {
    dialect: Dialect,
    installed: Vec<Made>,
}

/// A world of SUSE's with these kernels, by release and CRC, and drivers.
pub(super) fn world(kernels: &[(&str, u32)], drivers: &[Made]) -> World {
    let kernels = kernels.iter().map(|(krel, crc)| Made::kernel(krel, *crc));
    World { dialect: Dialect::Suse, installed: kernels.chain(drivers.iter().cloned()).collect() }
}

/// A transaction in the making.
pub(super) struct Coming<'w> {
    world: &'w World,
    transaction: Transaction,
}

impl Coming<'_> {
    pub(super) fn comes(&mut self, package: &Made) {
        match package {
            Made::Kernel { krel, crc, package } => {
                let kernel = made::kernel(&builder(krel, *crc));
                let packages = package.iter().map(|name| (*name).to_string()).collect();
                let in_tree = HashSet::new();
                let file = None;
                let kernel = IncomingKernel { kernel, in_tree, packages, is_whole: true, file };
                self.transaction.kernels.push(Arc::new(kernel));
            }
            Made::Driver { package, origin, below, crc } => {
                let path = Path::new("/usr/lib/modules").join(origin).join(below);
                let modules = vec![IncomingModule { name: "foo".into(), path, module: module(origin, *crc) }];
                let (package, origin) = (package.identity(), origin.clone());
                let kmp = IncomingKmp { package, file: None, origin, modules, kind: Kind::Shipped };
                self.transaction.kmps.push(kmp);
            }
        }
    }

    /// Changes the kernels that come.
    pub(super) fn kernels(&mut self, change: impl Fn(&mut Kernel)) {
        self.transaction.kernels.iter_mut().for_each(|incoming| change(&mut Arc::make_mut(incoming).kernel));
    }

    /// All installed packages of that name.
    pub(super) fn goes(&mut self, name: &str, removal: Removal) {
        for (instance, made) in (1..).zip(&self.world.installed) {
            match made {
                Made::Kernel { krel, package, .. } if *package == Some(name) => {
                    self.kernel_goes(krel, removal)
                }
                Made::Driver { package, .. } if package.name == name => {
                    self.transaction.removed.insert(instance, removal);
                }
                _ => {}
            }
        }
    }

    pub(super) fn kernel_goes(&mut self, krel: &str, removal: Removal) {
        self.transaction.removed_kernels.insert(krel.into(), removal);
    }
}

fn module(krel: &str, crc: u32) -> LoadedModule {
    let module = builder(krel, crc).driver("foo").need("printk", 1).need("changing", crc);
    let module = module.signature(*include_bytes!("../../../../kmod-abi/src/testdata/by-issuer.p7"));
    Arc::new(Ok(made::parse(&module)))
}

impl World {
    pub(super) fn new(dialect: Dialect, installed: &[Made]) -> Self {
        Self { dialect, installed: installed.to_vec() }
    }

    pub(super) fn findings(
        &self,
        running: Option<&str>,
        use_of: &dyn Fn(&str) -> Use,
        fill: impl FnOnce(&mut Coming<'_>),
    ) -> Vec<Finding> {
        let mut coming = Coming { world: self, transaction: Transaction::default() };
        fill(&mut coming);
        let kernels: BTreeMap<String, InstalledKernel> = self
            .installed
            .iter()
            .filter_map(|made| match made {
                Made::Kernel { krel, package, .. } => {
                    let packages = package.iter().map(|name| (*name).to_string()).collect();
                    Some((krel.clone(), InstalledKernel { packages, is_bootable: true }))
                }
                Made::Driver { .. } => None,
            })
            .collect();
        let given = Given { running, kernels: &kernels, in_tree: &|_| None, package_of: &|_| None, use_of };
        let config = Config::default();
        let orders = Orders { config: &config, policy: None, nothing_boots: false, last: None };
        orders.decide(foresee(&self.survey(), &coming.transaction, &given).lost)
    }

    fn survey(&self) -> Survey {
        let (mut kernels, mut releases, mut kmps) = (Vec::new(), BTreeMap::new(), Vec::new());
        let mut modules: HashMap<PathBuf, LoadedModule> = HashMap::new();
        let empty = |krel: &str| Release::empty(krel, &Path::new("/usr/lib/modules").join(krel));
        for (instance, made) in (1..).zip(&self.installed) {
            match made {
                Made::Kernel { krel, crc, .. } => {
                    releases.entry(krel.as_str()).or_insert_with(|| empty(krel)).is_kernel = true;
                    kernels.push((krel, *crc));
                }
                Made::Driver { package, origin, below, crc } => {
                    let release = releases.entry(origin.as_str()).or_insert_with(|| empty(origin));
                    let found = FoundModule {
                        path: release.dir.join(below),
                        below: below.clone(),
                        name: "foo".into(),
                    };
                    modules.insert(found.path.clone(), module(origin, *crc));
                    release.third_party.push(found.clone());
                    kmps.push(InstalledKmp {
                        package: Package { instance: Some(instance), ..package.identity() },
                        origin: origin.clone(),
                        flavour: self.dialect.flavour(&package.name, origin).map(Into::into),
                        modules: vec![found],
                        broken: None,
                        unread: None,
                        kind: Kind::Shipped,
                        driver: Driver::default(),
                        wish: Wish::default(),
                    });
                }
            }
        }
        let mut releases: Vec<Release> = releases.into_values().collect();
        releases.sort_by(|a, b| rpm_meta::vercmp(&a.release, &b.release));
        let conventions = Conventions {
            dialect: self.dialect,
            distribution_unknown: None,
            asked: HashSet::new(),
            depmod: crate::inventory::DepmodConfig::default(),
            config: Config::default(),
        };
        let inventory = Inventory::of(conventions, ModulesDirs::default(), releases, kmps);
        let surveyed = inventory.releases.each().filter_map(|(id, release)| {
            let (krel, crc) = kernels.iter().find(|(krel, _)| **krel == release.release)?;
            Some(SurveyedKernel::of(id, Arc::new(made::kernel(&builder(krel, *crc)))))
        });
        let surveyed = surveyed.collect();
        Survey::judged(inventory, surveyed, modules, &Serial)
    }
}

/// What is said of each driver that a kernel would be without.
pub(super) fn lost(world: &World, running: Option<&str>, fill: impl FnOnce(&mut Coming<'_>)) -> Vec<String> {
    said(&world.findings(running, &|_| Use::default(), fill))
}
