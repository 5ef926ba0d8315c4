// SPDX-License-Identifier: LGPL-2.1-or-later
//! Many machines at once: would a kernel that comes cost one of them a driver?
//!
//! Nothing is asked of the machines but which packages they have. What these need and provide, the metadata of repositories says; so
//! machines with the same packages are one group, and a group is judged as `kmp update` judges its machine: by the same
//! [`Judge`](crate::update::Judge), on a survey that is made of metadata. Drivers that cannot matter to each other are judged apart, and
//! once for all machines that have them and the same kernels.

mod ground;
mod import;
mod kin;
mod line;
mod machine;
mod nevra;
mod release;
mod scene;
mod tell;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use rpm_meta::Evr;

pub use import::{Server, import};
pub use machine::{DriverFacts, Group, Machine, Machines};
pub use nevra::Nevra;
pub use tell::{Loss, Told, builds};

use crate::update::{By, DriverFate, DriverVerdict, KernelFate, KernelVerdict, Kernels, Offers};
use ground::{Catalog, Fates, Ground};
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

/// Judges groups of machines. Reads nothing.
pub fn judge<'m>(machines: &'m Machines, offers: &Offers, kernels: &Kernels) -> Vec<Judged<'m>> {
    judge_by(machines, &Catalog::of(offers, kernels))
}

fn judge_by<'m>(machines: &'m Machines, catalog: &Catalog<'_>) -> Vec<Judged<'m>> {
    let mut grounds = HashMap::new();
    let judged = machines.groups().map(|group| {
        let ground = grounds.entry(group.packages.ground());
        judge_group(group, ground.or_insert_with(|| Ground::of(&group.packages, catalog)), catalog)
    });
    judged.collect()
}

fn judge_group<'m, 'o>(group: &'m Group, ground: &Ground<'m, 'o>, catalog: &Catalog<'o>) -> Judged<'m> {
    let mut by_kin: BTreeMap<usize, Vec<&'m Nevra>> = BTreeMap::new();
    for nevra in &group.packages.drivers {
        if let Some(kin) = catalog.kin.of_package(&nevra.name) {
            by_kin.entry(kin).or_default().push(nevra);
        }
    }
    let of_kin: Vec<Fates> = by_kin.into_iter().map(|(kin, own)| fates(kin, own, ground, catalog)).collect();
    let unlisted: Vec<&Nevra> =
        group.packages.drivers.iter().filter(|nevra| catalog.driver(nevra).is_none()).collect();
    let bare = Scene::of(ground, catalog, None, &[]);
    let fates = ground.coming.iter().enumerate().map(|(at, unit)| {
        let mut drivers: Vec<DriverFate> = of_kin.iter().flat_map(|fates| &fates[at]).cloned().collect();
        drivers.sort_by(|a, b| a.driver.cmp(&b.driver));
        let mut kernel = bare.ask(|judge| judge.fate(unit, drivers));
        add_what_is_not_known(&mut kernel, &unlisted);
        let told = Told::of(&kernel, group);
        Fate { kernel, told }
    });
    Judged { fates: fates.collect(), assumed: ground.assumed.clone(), group }
}

/// What becomes of a machine's drivers that are kin, in each kernel that may come: judged once, however many machines have them.
fn fates<'m, 'o>(kin: usize, own: Vec<&'m Nevra>, ground: &Ground<'m, 'o>, catalog: &Catalog<'o>) -> Fates {
    if let Some(known) = ground.judged.borrow().get(&own) {
        return Rc::clone(known);
    }
    let scene = Scene::of(ground, catalog, Some(kin), &own);
    let fates = ground.coming.iter().map(|unit| scene.ask(|judge| judge.fates(unit, By::Metadata)));
    let fates = Rc::new(fates.collect::<Vec<_>>());
    ground.judged.borrow_mut().insert(own, Rc::clone(&fates));
    fates
}

/// Of a driver that no repository has, nobody knows whether it fits.
fn add_what_is_not_known(kernel: &mut KernelFate, unlisted: &[&Nevra]) {
    for nevra in unlisted {
        if kernel.drivers.iter().any(|driver| driver.driver == nevra.name) {
            continue;
        }
        kernel.drivers.push(DriverFate {
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
        let names: Vec<&str> = unlisted.iter().map(|nevra| nevra.name.as_str()).collect();
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

#[cfg(test)]
mod tests;
