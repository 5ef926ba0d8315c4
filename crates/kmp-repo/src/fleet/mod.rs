// SPDX-License-Identifier: LGPL-2.1-or-later
//! Many machines at once: would a kernel that comes cost one of them a driver?
//!
//! Nothing is asked of the machines but which packages they have. What these need and provide, the metadata of repositories says; so
//! machines with the same packages are one group, and a group is judged as `kmp update` judges its machine: by the same
//! [`Judge`], on a survey that is made of metadata.

mod import;
mod machine;
mod nevra;
mod scene;
mod tell;

use std::collections::BTreeMap;

use kmp_core::config::Config;
use kmp_core::guard::{self, Elements, Given, Orders, Running, Use};
use rpm_meta::Evr;

pub use import::{Server, import};
pub use machine::{DriverFacts, Group, Machine, Machines};
pub use nevra::Nevra;
pub use scene::Catalog;
pub use tell::{Loss, Told, builds};

use crate::update::{DriverVerdict, Judge, KernelFate, KernelVerdict, Kernels, Offers};
use scene::Scene;

/// What becomes of a group of machines in a kernel.
#[derive(Debug)]
pub struct Fate {
    /// As `kmp update` would have it on such a machine.
    pub kernel: KernelFate,
    /// In short.
    pub told: Told,
}

/// A group that was judged.
#[derive(Debug)]
pub struct Judged<'m> {
    /// The machines.
    pub group: &'m Group,
    /// Kernel by kernel, the newest first.
    pub fates: Vec<Fate>,
    /// What is taken for granted, each in a line.
    pub assumed: Vec<String>,
}

/// Judges groups of machines, one after the other. Reads nothing.
pub fn judge<'m>(machines: &'m Machines, offers: &Offers, kernels: &Kernels) -> Vec<Judged<'m>> {
    let catalog = Catalog::of(offers, kernels);
    machines.groups().map(|group| judge_group(group, &catalog, offers, kernels)).collect()
}

fn judge_group<'m>(
    group: &'m Group,
    catalog: &Catalog<'_>,
    offers: &Offers,
    kernels: &Kernels,
) -> Judged<'m> {
    let scene = Scene::of(group, catalog);
    let config = Config::default();
    let orders = Orders { config: &config, policy: None, nothing_boots: false, last: None };
    let use_of = |_: &str| Use::default();
    let running = Running { release: None, use_of: &use_of };
    let given = Given {
        running: None,
        kernels: &scene.kernels,
        in_tree: &|_| None,
        package_of: &|_| None,
        use_of: &use_of,
    };
    let ask = |elements: Elements| guard::judge_given(&scene.survey, elements, &given, &orders);
    let judge = Judge {
        ask: &ask,
        survey: &scene.survey,
        offers,
        installed: &scene.installed,
        kernels,
        running: &running,
        orders: &orders,
        limit: None,
        at_hand: None,
    };
    let fates = judge.coming(None).into_iter().map(|mut kernel| {
        add_what_is_not_known(&mut kernel, &scene);
        let told = Told::of(&kernel, group);
        Fate { kernel, told }
    });
    Judged { fates: fates.collect(), assumed: scene.assumed.clone(), group }
}

/// Of a driver that no repository has, nobody knows whether it fits.
fn add_what_is_not_known(kernel: &mut KernelFate, scene: &Scene) {
    for nevra in &scene.unlisted {
        if kernel.drivers.iter().any(|driver| driver.driver == nevra.name) {
            continue;
        }
        kernel.drivers.push(crate::update::DriverFate {
            driver: nevra.name.clone(),
            verdict: DriverVerdict::Unknown,
            build: None,
            why: format!("{nevra} is in no repository that was read"),
            stops: false,
            needs_source: false,
            is_update: false,
        });
    }
    if kernel.verdict == KernelVerdict::Comes
        && kernel.drivers.iter().any(|d| d.verdict == DriverVerdict::Unknown)
    {
        kernel.verdict = KernelVerdict::Unknown;
        let names: Vec<&str> = scene.unlisted.iter().map(|nevra| nevra.name.as_str()).collect();
        kernel.reason = format!("the repositories do not have what is installed: {}", names.join(", "));
    }
}

/// How many machines a kernel leaves as they are, how many it costs a driver, and of how many that is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sum {
    /// Lose nothing.
    pub nothing: usize,
    /// Lose a driver.
    pub loses: usize,
    /// Not known.
    pub unknown: usize,
}

/// By kernel, the newest of a line first: its package, the repository, and how many machines.
pub fn sums<'j>(judged: &'j [Judged<'_>]) -> Vec<(&'j KernelFate, Sum)> {
    let mut sums: BTreeMap<&str, (&KernelFate, Sum)> = BTreeMap::new();
    for (fate, machines) in judged.iter().flat_map(|j| j.fates.iter().map(|fate| (fate, j.group.len()))) {
        let (_, sum) = sums.entry(&fate.kernel.package.nevra).or_insert((&fate.kernel, Sum::default()));
        match fate.told {
            Told::Nothing => sum.nothing += machines,
            Told::Loses(_) => sum.loses += machines,
            Told::Unknown(_) => sum.unknown += machines,
        }
    }
    let mut sums: Vec<_> = sums.into_values().collect();
    sums.sort_by(|(a, _), (b, _)| {
        let evr = |kernel: &KernelFate| Evr::parse(&kernel.package.evr);
        a.line.cmp(&b.line).then_with(|| evr(b).compare(&evr(a)))
    });
    sums
}
