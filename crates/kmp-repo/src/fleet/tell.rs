// SPDX-License-Identifier: LGPL-2.1-or-later
//! What becomes of a group in a kernel, in the words of this verb: nothing is lost, a driver is, or that is not known.

use super::machine::Group;
use crate::update::{DriverFate, DriverVerdict, KernelFate, Named};

/// What a kernel costs a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// No driver.
    Nothing,
    /// These drivers.
    Loses(Vec<Loss>),
    /// It is not known whether these work, each with the reason.
    Unknown(Vec<(String, String)>),
}

/// A driver that a kernel costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The package's name.
    pub driver: String,
    /// On how many machines of the group a module of it is loaded, as far as they say.
    pub loaded: usize,
    /// How many boot from a device of it.
    pub boots: usize,
    /// How many have no other way to the network.
    pub network: usize,
    /// Why, in a line.
    pub why: String,
    /// What helps, in a line.
    pub remedy: String,
}

impl Told {
    pub(super) fn of(kernel: &KernelFate, group: &Group) -> Self {
        let of = |verdict: DriverVerdict| kernel.drivers.iter().filter(move |d| d.verdict == verdict);
        let losses: Vec<Loss> =
            of(DriverVerdict::Missing).map(|driver| loss(driver, kernel, group)).collect();
        if !losses.is_empty() {
            return Self::Loses(losses);
        }
        let unknown: Vec<_> = of(DriverVerdict::Unknown).map(|d| (d.driver.clone(), d.why.clone())).collect();
        if unknown.is_empty() { Self::Nothing } else { Self::Unknown(unknown) }
    }

    /// A word for programs, which never changes.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Nothing => "loses-nothing",
            Self::Loses(_) => "loses",
            Self::Unknown(_) => "unknown",
        }
    }
}

fn loss(driver: &DriverFate, kernel: &KernelFate, group: &Group) -> Loss {
    let [loaded, boots, network] = group.uses.get(&driver.driver).copied().unwrap_or_default();
    let keep = format!("keep {} away from them", kernel.package.nevra);
    let remedy = if driver.needs_source {
        format!("{keep}: the source of {} has to change for it", driver.driver)
    } else {
        format!("{keep} until a build of {} for it is in a repository: a rebuild suffices", driver.driver)
    };
    Loss { driver: driver.driver.clone(), loaded, boots, network, why: driver.why.clone(), remedy }
}

/// The builds that have to come along with a kernel, so that nothing is lost.
pub fn builds(kernel: &KernelFate) -> impl Iterator<Item = (&str, &Named)> {
    kernel.drivers.iter().filter_map(|driver| Some((driver.driver.as_str(), driver.build.as_ref()?)))
}
