// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which drivers claim a device, and in which kernels they work. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kmp_core::abi::Supported;
use kmp_core::ids::KmpId;
use kmp_core::state::State;
use kmp_core::survey::Survey;

use super::{Claims, Device};

/// A module of a kernel's own that claims a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InTree {
    /// Its name, `_` for `-`.
    pub module: String,
    /// The kernels that have it.
    pub kernels: Vec<String>,
}

/// An installed KMP that claims a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// Which.
    pub kmp: KmpId,
    /// Its modules that do.
    pub modules: Vec<String>,
    /// How it stands in each kernel of its flavour.
    pub kernels: Vec<(String, State)>,
    /// What its modules say of support: the least of them.
    pub supported: Supported,
}

/// What claims devices: kernels' indexes, and the modules of installed KMPs.
#[derive(Debug)]
pub struct Drivers<'s> {
    survey: &'s Survey,
    kernels: Vec<(&'s str, Claims)>,
    modules: Claims,
    /// By the path of a module: whose it is, and its name.
    owners: HashMap<String, (KmpId, &'s str)>,
    standings: BTreeMap<KmpId, Vec<(String, State)>>,
}

impl<'s> Drivers<'s> {
    /// `kernels`: the index of each surveyed kernel, by its release.
    pub fn new(survey: &'s Survey, kernels: Vec<(&'s str, Claims)>) -> Self {
        let mut modules = Claims::default();
        let mut owners = HashMap::new();
        for (id, kmp) in survey.inventory.kmps.each() {
            for found in &kmp.modules {
                let Ok(module) = survey.module(&found.path) else { continue };
                let path = found.path.to_string_lossy().into_owned();
                module.aliases.iter().for_each(|alias| modules.add(alias, &path));
                owners.insert(path, (id, &*found.name));
            }
        }
        let mut standings: BTreeMap<KmpId, Vec<(String, State)>> = BTreeMap::new();
        for kernel in &survey.kernels {
            for (id, standing) in survey.standings(kernel).each() {
                if let Some(standing) = standing {
                    standings.entry(id).or_default().push((kernel.kernel.release.clone(), standing.state));
                }
            }
        }
        Self { survey, kernels, modules, owners, standings }
    }

    /// The installed KMPs that claim a device, in the order of the inventory: of each driver the version first that is tried
    /// first.
    pub fn kmps(&self, device: &Device) -> Vec<Claimant> {
        let mut found: BTreeMap<KmpId, BTreeSet<&str>> = BTreeMap::new();
        for path in self.modules.of(&device.modalias) {
            if let Some((id, name)) = self.owners.get(path) {
                found.entry(*id).or_default().insert(name);
            }
        }
        let claimant = |(kmp, modules): (KmpId, BTreeSet<&str>)| Claimant {
            kmp,
            modules: modules.into_iter().map(Into::into).collect(),
            kernels: self.standings.get(&kmp).cloned().unwrap_or_default(),
            supported: self.supported(kmp),
        };
        found.into_iter().map(claimant).collect()
    }

    /// The kernels' own modules that claim a device.
    pub fn in_tree(&self, device: &Device, kmps: &[Claimant]) -> Vec<InTree> {
        let is_kmps = |module: &str| kmps.iter().any(|claimant| claimant.modules.iter().any(|m| m == module));
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (release, claims) in &self.kernels {
            for module in claims.of(&device.modalias) {
                let module = module.replace('-', "_");
                if !is_kmps(&module) {
                    let kernels = found.entry(module).or_default();
                    kernels.extend((!kernels.iter().any(|k| k == release)).then(|| (*release).to_string()));
                }
            }
        }
        found.into_iter().map(|(module, kernels)| InTree { module, kernels }).collect()
    }

    /// What all modules of a KMP have in support.
    fn supported(&self, kmp: KmpId) -> Supported {
        let modules = self.survey.inventory.kmps[kmp].modules.iter();
        let each = modules.filter_map(|found| Some(self.survey.module(&found.path).ok()?.supported));
        least(each)
    }
}

/// The least that there is of these; none of nothing.
pub fn least(each: impl Iterator<Item = Supported>) -> Supported {
    let rank = |supported: &Supported| match supported {
        Supported::No => 0,
        Supported::External => 1,
        Supported::Distributor => 2,
    };
    each.min_by_key(rank).unwrap_or(Supported::No)
}

/// The word for it, as modules have it; `no` where they say nothing.
pub fn word(supported: Supported) -> &'static str {
    match supported {
        Supported::Distributor => "yes",
        Supported::External => "external",
        Supported::No => "no",
    }
}
