// SPDX-License-Identifier: LGPL-2.1-or-later
//! Drivers that are erased together with the last kernel that they work with. dnf does so where `installonly_limit` pushes that
//! kernel out, and a kmod depends on it. Pure.

use std::collections::BTreeSet;

use super::after::After;
use super::given::{Given, Use};
use super::incoming::{Removal, Transaction};
use super::kernels::{Role, Will, line_of, works};
use super::lost::{Lost, Weight};
use super::remedy::Remedy;
use crate::dialect::Kinship;
use crate::ids::KmpId;
use crate::survey::{Survey, SurveyedKernel};

/// The KMPs that work with one of these kernels, and with none of the others that are installed.
pub fn bound_to(survey: &Survey, releases: &BTreeSet<String>) -> Vec<KmpId> {
    let in_one_of = |id: KmpId, are_these: bool| {
        let kernels = survey.kernels.iter().filter(|k| releases.contains(&k.kernel.release) == are_these);
        kernels.into_iter().any(|k| works(&k.plan.decisions[id], &k.plan.verdicts[id]))
    };
    let ids = survey.inventory.kmps.ids();
    ids.filter(|id| in_one_of(*id, true) && !in_one_of(*id, false)).collect()
}

/// A kernel that goes though nobody asked for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PushedOut {
    /// Its release.
    pub release: String,
    /// How many kernels there would be if none went.
    pub all: usize,
}

impl PushedOut {
    /// The one of `transaction` that goes first, if some do.
    pub(super) fn of(survey: &Survey, transaction: &Transaction) -> Option<Self> {
        let release = going(survey, transaction)
            .find(|(_, removal)| *removal == Removal::Erased)
            .map(|(kernel, _)| kernel.kernel.release.clone())?;
        let is_new = |comes: &str| survey.kernels.iter().all(|k| k.kernel.release != comes);
        let coming = transaction.kernels.iter().filter(|k| k.is_whole && is_new(&k.kernel.release));
        Some(Self { release, all: survey.kernels.len() + coming.count() })
    }
}

/// The kernels that go for good, and how.
fn going<'s>(
    survey: &'s Survey,
    transaction: &'s Transaction,
) -> impl Iterator<Item = (&'s SurveyedKernel, Removal)> {
    survey.kernels.iter().filter_map(|surveyed| {
        let release = &surveyed.kernel.release;
        let comes = transaction.kernels.iter().any(|k| k.is_whole && k.kernel.release == *release);
        let removal = transaction.removed_kernels.get(release).filter(|_| !comes)?;
        Some((surveyed, *removal))
    })
}

/// The drivers that go so, and that no kernel of the line will have, where there will be one.
pub(super) fn gone_with_kernels(
    survey: &Survey,
    transaction: &Transaction,
    after: &After<'_>,
    kernels: &[Will<'_>],
    given: &Given<'_>,
) -> Vec<Lost> {
    let mut gone: Vec<Lost> = Vec::new();
    for (surveyed, removal) in going(survey, transaction) {
        let release = &surveyed.kernel.release;
        let line = line_of(survey, given, release);
        let left: Vec<&Will<'_>> =
            kernels.iter().filter(|k| k.is_bootable && k.line.kinship(&line) != Kinship::Other).collect();
        let has_it = |id: KmpId, kernel: &Will<'_>| {
            after.missing(survey, id, kernel, given).is_none_or(|lost| lost.weight == Weight::None)
        };
        let is_lost = |id: KmpId| {
            let kmp = &survey.inventory.kmps[id];
            works(&surveyed.plan.decisions[id], &surveyed.plan.verdicts[id])
                && !kmp.kind.is_made_here()
                && transaction.removal(&kmp.package) == Some(Removal::Erased)
                && !left.is_empty()
                && !left.iter().any(|kernel| has_it(id, kernel))
        };
        let lost = survey.inventory.kmps.ids().filter(|id| is_lost(*id)).map(|id| {
            let kmp = &survey.inventory.kmps[id];
            let is_bootable = given.kernels.get(release).is_none_or(|k| k.is_bootable);
            let is_wanted = removal != Removal::Erased;
            let uses = kmp.modules.iter().map(|m| (given.use_of)(&m.name));
            Lost {
                package: kmp.package.name.clone(),
                nvr: kmp.package.nvr(),
                modules: kmp.modules.iter().map(|m| m.name.to_string()).collect(),
                kernel: release.clone(),
                role: Role::Goes,
                kernel_package: None,
                kernel_file: None,
                failing: None,
                reasons: Vec::new(),
                weight: if is_bootable && !is_wanted { Weight::Loss } else { Weight::Warning },
                kept_in: None,
                instead: Vec::new(),
                made_by: None,
                needed_for: uses.fold(Use::default(), Use::and),
                is_erased: true,
                remedy: if is_wanted { Remedy::Keep } else { Remedy::EraseAlone },
                found: None,
            }
        });
        gone.extend(lost);
    }
    gone
}
