// SPDX-License-Identifier: LGPL-2.1-or-later
//! The form of `kmp fleet --json`.

use kmp_repo::fleet::{Fate, Judged, Machines, Told, builds, sums};
use serde::Serialize;

use crate::output::json::{self, VERSION};

/// What `kmp fleet --json` prints, on one line.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// How many machines there are.
    machines: usize,
    /// The kernels that may come, the newest of a line first.
    kernels: Vec<Kernel>,
    /// Machines with the same packages, those with the most machines first.
    groups: Vec<Group>,
    /// What was left out, each in a line.
    problems: Vec<String>,
}

/// A kernel that may come.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Kernel {
    /// Its package: `NAME-[EPOCH:]VERSION-RELEASE.ARCH`.
    package: String,
    /// Its release (`uname -r`), or what it is most likely to be.
    release: String,
    /// The short name of the repository that has it, or its file.
    repository: String,
    /// How many machines lose nothing.
    lose_nothing: usize,
    /// How many lose a driver.
    lose: usize,
    /// Of how many that is not known.
    unknown: usize,
}

/// Machines with the same packages.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Group {
    /// Their names.
    machines: Vec<String>,
    /// How many of them say what their drivers are used for.
    with_facts: usize,
    /// Whose conventions they have.
    #[cfg_attr(test, schemars(extend("enum" = ["suse", "redhat"])))]
    dialect: &'static str,
    /// The packages of their kernels: `NAME-[EPOCH:]VERSION-RELEASE.ARCH`.
    kernels: Vec<String>,
    /// Their drivers.
    kmps: Vec<String>,
    /// What becomes of them in each newer kernel, the newest first.
    fates: Vec<KernelFate>,
    /// What is taken for granted, each in a line.
    assumed: Vec<String>,
}

/// A kernel, for a group.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct KernelFate {
    /// Its package.
    kernel: String,
    /// `loses-nothing`, `loses`: a driver that works now; `unknown`: the repositories do not say.
    #[cfg_attr(test, schemars(extend("enum" = ["loses-nothing", "loses", "unknown"])))]
    verdict: &'static str,
    /// In words.
    reason: String,
    /// The drivers that are lost, or of which that is not known.
    drivers: Vec<Driver>,
    /// The builds that have to come along, so that nothing is lost.
    builds: Vec<Build>,
}

/// A driver that is lost, or of which that is not known.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Driver {
    /// The name of its package.
    driver: String,
    /// On how many machines of the group a module of it is loaded, as far as they say.
    loaded: usize,
    /// How many of them boot from a device of it.
    boots_from: usize,
    /// How many of them have no other way to the network.
    network: usize,
    /// Why.
    why: String,
    /// What helps.
    remedy: Option<String>,
}

/// A build in a repository.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Build {
    /// The driver that it is a build of.
    driver: String,
    /// Its package: `NAME-[EPOCH:]VERSION-RELEASE.ARCH`.
    package: String,
    /// The short name of the repository that has it.
    repository: String,
}

pub fn print(machines: &Machines, judged: &[Judged<'_>], problems: &[String]) -> Result<(), String> {
    let kernels = sums(judged).into_iter().map(|(kernel, sum)| Kernel {
        package: kernel.package.nevra.clone(),
        release: kernel.release.clone(),
        repository: kernel.package.repository.clone(),
        lose_nothing: sum.nothing,
        lose: sum.loses,
        unknown: sum.unknown,
    });
    let mut groups: Vec<Group> = judged.iter().map(group).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.machines.len()));
    let document = Document {
        version: VERSION,
        machines: machines.len(),
        kernels: kernels.collect(),
        groups,
        problems: problems.to_vec(),
    };
    json::print(&document)
}

fn group(judged: &Judged<'_>) -> Group {
    let packages = &judged.group.packages;
    Group {
        machines: judged.group.names.iter().cloned().collect(),
        with_facts: judged.group.with_facts,
        dialect: packages.dialect().as_str(),
        kernels: packages.kernels.iter().map(|(kernel, _)| kernel.to_string()).collect(),
        kmps: packages.drivers.iter().map(ToString::to_string).collect(),
        fates: judged.fates.iter().map(fate).collect(),
        assumed: judged.assumed.clone(),
    }
}

fn fate(fate: &Fate) -> KernelFate {
    let drivers = match &fate.told {
        Told::Nothing => Vec::new(),
        Told::Loses(losses) => losses
            .iter()
            .map(|loss| Driver {
                driver: loss.driver.clone(),
                loaded: loss.loaded,
                boots_from: loss.boots,
                network: loss.network,
                why: loss.why.clone(),
                remedy: Some(loss.remedy.clone()),
            })
            .collect(),
        Told::Unknown(unknown) => unknown
            .iter()
            .map(|(driver, why)| Driver {
                driver: driver.clone(),
                loaded: 0,
                boots_from: 0,
                network: 0,
                why: why.clone(),
                remedy: None,
            })
            .collect(),
    };
    let builds = builds(&fate.kernel).map(|(driver, build)| Build {
        driver: driver.to_owned(),
        package: build.nevra.clone(),
        repository: build.repository.clone(),
    });
    KernelFate {
        kernel: fate.kernel.package.nevra.clone(),
        verdict: fate.told.word(),
        reason: fate.kernel.reason.clone(),
        drivers,
        builds: builds.collect(),
    }
}
