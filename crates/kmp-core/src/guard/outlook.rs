// SPDX-License-Identifier: LGPL-2.1-or-later
//! What each kernel will have after a transaction, driver by driver. Pure.

use std::collections::{BTreeMap, HashSet};

use super::after::{After, Source};
use super::incoming::Transaction;
use super::kernels::{Role, Will, may_work, works};
use super::lost::{Lost, Weight};
use crate::abi::{Reason, Verdict, Warning};
use crate::ids::{AfterId, KmpId};
use crate::inventory::Package;
use crate::plan::Decision;
use crate::survey::Survey;

/// A kernel as it will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// Its release.
    pub release: String,
    /// What it is to the transaction.
    pub role: Role,
    /// Is it the newest of its line that can be booted?
    pub boots_next: bool,
    /// Its drivers, by name.
    pub drivers: Vec<Prospect>,
}

/// A driver in a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prospect {
    /// The package's name.
    pub package: String,
    /// NAME-VERSION-RELEASE of the version that there will be or, without one, of the one that works now.
    pub nvr: String,
    /// Its modules.
    pub modules: Vec<String>,
    /// What becomes of it.
    pub fate: Fate,
    /// In-tree modules that no longer load beside it, each with the reason.
    pub breaks: Vec<(String, String)>,
}

/// What becomes of a driver in a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is installed, stays so, and works.
    Stays,
    /// It comes with the transaction, and works; with NAME-VERSION-RELEASE of the version that it takes the place of.
    Comes(Option<String>),
    /// Somebody wants it erased.
    Goes,
    /// It is not known whether it works, and why.
    Unknown(String),
    /// It comes, and does not work.
    Fails(Vec<Reason>),
    /// It works now, and will not.
    Lost(Box<Lost>),
}

impl Prospect {
    /// Is it there now, and will not be, nor anything in its place?
    pub fn is_lost(&self) -> bool {
        matches!(&self.fate, Fate::Lost(lost) if lost.weight > Weight::None)
    }
}

impl Outlook {
    /// Does anything change for it?
    pub fn is_concerned(&self) -> bool {
        self.role.runs_next() || self.drivers.iter().any(|d| d.fate != Fate::Stays)
    }

    /// The drivers that it loses.
    pub fn lost(&self) -> impl Iterator<Item = &Prospect> {
        self.drivers.iter().filter(|driver| driver.is_lost())
    }
}

/// Of a version that comes and works with a kernel it is no news that it does not with others that keep theirs.
pub(super) fn leave_out_built_for_others(kernels: &mut [Outlook]) {
    let drivers = kernels.iter().flat_map(|k| &k.drivers);
    let comes = drivers.filter(|d| matches!(d.fate, Fate::Comes(_))).map(|d| d.nvr.clone());
    let comes: HashSet<String> = comes.collect();
    for kernel in kernels {
        let stay: HashSet<String> =
            kernel.drivers.iter().filter(|d| d.fate == Fate::Stays).map(|d| d.package.clone()).collect();
        kernel.drivers.retain(|d| {
            !(matches!(d.fate, Fate::Fails(_)) && comes.contains(&d.nvr) && stay.contains(&d.package))
        });
    }
}

/// Puts together what becomes of the drivers of one kernel.
pub(super) fn outlook(
    survey: &Survey,
    transaction: &Transaction,
    after: &After<'_>,
    kernel: &Will<'_>,
    boots_next: bool,
    expected: &BTreeMap<KmpId, bool>,
    lost: &[Lost],
) -> Outlook {
    let mut drivers: BTreeMap<&str, Prospect> = BTreeMap::new();
    let comes = |source: Source| matches!(source, Source::Incoming(_));
    let prospect = |id: AfterId, fate: Fate| {
        let of = |verdict: &Verdict| verdict.warnings.clone();
        let breaks = kernel.plan.verdicts(id).iter().flat_map(of).filter_map(|warning| match warning {
            Warning::Breaks { user, reason } => Some((user.to_string(), reason.detail)),
            _ => None,
        });
        let kmp = after.kmp(id);
        let modules = kmp.modules.iter().map(|m| m.name.to_string()).collect();
        let package = after.package(id);
        Prospect {
            package: package.name.clone(),
            nvr: package.nvr(),
            modules,
            fate,
            breaks: breaks.collect(),
        }
    };
    let had = |driver: &str, new: &Package| {
        let mut old =
            expected.keys().map(|k| &survey.inventory.kmps[*k]).filter(|k| after.driver(k) == driver);
        old.find(|k| transaction.removal(&k.package).is_some() && k.package.evr != new.evr)
            .map(|k| k.package.nvr())
    };
    // A driver's versions are in their order, the newest first.
    let there = after.each().filter(|(id, _)| works(kernel.plan.decision(*id), kernel.plan.verdicts(*id)));
    for (id, source) in there {
        let driver = after.kmp(id).package;
        let fate = match comes(source) {
            true => Fate::Comes(had(driver, after.package(id))),
            false => Fate::Stays,
        };
        drivers.entry(driver).or_insert_with(|| prospect(id, fate));
    }
    for installed in expected.keys().map(|k| &survey.inventory.kmps[*k]) {
        let driver = after.driver(installed);
        if drivers.contains_key(driver) {
            continue;
        }
        let package = &installed.package.name;
        let found = lost.iter().find(|l| l.kernel == kernel.release && l.package == *package);
        let unknown = || {
            let id = after.versions(installed).find(|id| may_work(&kernel.plan, *id))?;
            let mut reasons = kernel.plan.verdicts(id).iter().flat_map(|v| &v.reasons);
            Some(reasons.next().map_or_else(|| "not read".to_string(), |r| r.detail.clone()))
        };
        let fate = if let Some(found) = found {
            Fate::Lost(Box::new(found.clone()))
        } else if after.is_wanted_gone(package) {
            Fate::Goes
        } else if let Some(why) = unknown() {
            Fate::Unknown(why)
        } else {
            // Another driver has its modules.
            continue;
        };
        let modules = installed.modules.iter().map(|m| m.name.to_string()).collect();
        let (package, nvr) = (package.clone(), installed.package.nvr());
        drivers.insert(driver, Prospect { package, nvr, modules, fate, breaks: Vec::new() });
    }
    let fails = |(id, source): &(AfterId, Source)| {
        comes(*source)
            && matches!(kernel.plan.decision(*id), Decision::DoesNotFit | Decision::Superseded(_))
            && !kernel.plan.verdicts(*id).iter().all(Verdict::fits)
            && drivers.get(after.kmp(*id).package).is_none_or(|d| d.fate == Fate::Stays)
    };
    let fails = after.each().filter(fails).map(|(id, _)| {
        let reasons = kernel.plan.verdicts(id).iter().flat_map(|v| &v.reasons).cloned().collect();
        prospect(id, Fate::Fails(reasons))
    });
    let fails: Vec<Prospect> = fails.collect();
    let mut drivers: Vec<Prospect> = drivers.into_values().chain(fails).collect();
    drivers.sort_by(|a, b| a.package.cmp(&b.package));
    Outlook { release: kernel.release.into(), role: kernel.role, boots_next, drivers }
}
