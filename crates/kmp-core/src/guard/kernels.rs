// SPDX-License-Identifier: LGPL-2.1-or-later
//! The kernels as they will be after a transaction, and which drivers are expected in each. Pure.

use std::collections::{BTreeMap, HashSet};

use rpm_meta::vercmp;

use super::after::{After, AfterPlan};
use super::given::Given;
use super::incoming::Transaction;
use crate::abi::rule::{Kind, Rule};
use crate::abi::{Reason, Verdict};
use crate::dialect::{KernelLine, Kinship};
use crate::ids::{AfterId, KmpId};
use crate::inventory::InstalledKmp;
use crate::plan::{Decision, KernelPlan, Site};
use crate::survey::{Survey, SurveyedKernel};

/// What a kernel is to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It comes.
    Comes,
    /// It is installed, and somebody asks what it would be like to run it.
    Asked,
    /// It is installed, and stays.
    Stays,
    /// It is installed, and goes.
    Goes,
}

impl Role {
    /// Is it one that is to run instead of another, and so is asked for the drivers that work there?
    pub fn runs_next(self) -> bool {
        matches!(self, Self::Comes | Self::Asked)
    }
}

/// A kernel as it will be.
pub(super) struct Will<'w> {
    pub release: &'w str,
    pub line: KernelLine,
    pub role: Role,
    pub is_bootable: bool,
    pub before: Option<&'w SurveyedKernel>,
    pub site: Site<'w>,
    pub plan: AfterPlan,
    /// Names of third-party modules that work, or may, for all that is known.
    pub modules: HashSet<&'w str>,
    /// Drivers of which a version works.
    drivers: HashSet<&'w str>,
}

impl<'w> Will<'w> {
    fn new(release: &'w str, line: KernelLine, site: Site<'w>, after: &After<'w>) -> Self {
        let plan = after.plan(&site);
        let all = || after.each().map(|(id, _)| (id, after.kmp(id)));
        let working =
            || all().filter(|(id, _)| works(plan.decision(*id), plan.verdicts(*id))).map(|(_, kmp)| kmp);
        let open = all().filter(|(id, _)| {
            matches!(plan.decision(*id), Decision::DoesNotFit | Decision::Native) && may_work(&plan, *id)
        });
        let natives = site
            .natives
            .iter()
            .zip(plan.natives())
            .filter(|(_, v)| v.fits() && v.untrusted().is_none())
            .map(|(n, _)| n.name);
        let linked = working().chain(open.map(|(_, kmp)| kmp)).flat_map(|kmp| &kmp.modules).map(|m| m.name);
        let modules = linked.chain(natives).collect();
        let drivers = working().map(|kmp| kmp.package).collect();
        Self {
            release,
            line,
            role: Role::Stays,
            is_bootable: true,
            before: None,
            site,
            plan,
            modules,
            drivers,
        }
    }

    /// Has it the driver, by its name or by its modules?
    pub(super) fn has_driver(&self, driver: &str, modules: &[String]) -> bool {
        self.drivers.contains(driver) || modules.iter().all(|m| self.modules.contains(m.as_str()))
    }
}

/// The line of an installed kernel.
pub(super) fn line_of(survey: &Survey, given: &Given<'_>, release: &str) -> KernelLine {
    let packages = given.kernels.get(release).map_or(&[][..], |k| &k.packages);
    survey.inventory.conventions.dialect.line(release, packages.iter().map(String::as_str))
}

pub(super) fn kernels_after<'w>(
    survey: &'w Survey,
    transaction: &'w Transaction,
    after: &After<'w>,
    given: &Given<'_>,
) -> Vec<Will<'w>> {
    let mut kernels = Vec::new();
    let whole =
        |release: &str| transaction.kernels.iter().find(|k| k.is_whole && k.kernel.release == release);
    for incoming in transaction.kernels.iter().filter(|k| k.is_whole) {
        let release = incoming.kernel.release.as_str();
        let site = after.incoming_site(incoming);
        let packages = incoming.packages.iter().map(String::as_str);
        let line = survey.inventory.conventions.dialect.line(release, packages);
        let before = survey.kernels.iter().find(|k| k.kernel.release == release);
        kernels.push(Will { role: Role::Comes, before, ..Will::new(release, line, site, after) });
    }
    for surveyed in &survey.kernels {
        let release = surveyed.kernel.release.as_str();
        if whole(release).is_some() || transaction.removed_kernels.contains_key(release) {
            continue;
        }
        let site = after.staying_site(survey.site_of(surveyed));
        let line = line_of(survey, given, release);
        let is_bootable = given.kernels.get(release).is_none_or(|k| k.is_bootable);
        let role = if transaction.asked.contains(release) { Role::Asked } else { Role::Stays };
        kernels.push(Will {
            role,
            is_bootable,
            before: Some(surveyed),
            ..Will::new(release, line, site, after)
        });
    }
    kernels
}

/// Which drivers a kernel that is to run next is expected to have: by its line, those that work with the newest kernel of
/// that line, or with the running one; where it is not known which one runs, with any of the line.
pub(super) struct Expected<'a> {
    kernels: Vec<(&'a SurveyedKernel, KernelLine)>,
    /// `None`: not known; else the running one, if it is among them.
    running: Option<Option<usize>>,
}

impl<'a> Expected<'a> {
    pub(super) fn of(survey: &'a Survey, given: &'a Given<'_>) -> Self {
        let line = |k: &'a SurveyedKernel| (k, line_of(survey, given, &k.kernel.release));
        let kernels: Vec<_> = survey.kernels.iter().map(line).collect();
        let running =
            given.running.map(|running| kernels.iter().position(|(k, _)| k.kernel.release == running));
        Self { kernels, running }
    }

    /// The installed KMPs that are missed in `kernel` where they do not work, and whether it is sure that they are.
    pub(super) fn in_kernel(&self, survey: &Survey, kernel: &Will<'_>) -> BTreeMap<KmpId, bool> {
        let mut expected = BTreeMap::new();
        let mut expect = |plan: &KernelPlan, is_sure: bool| {
            // Who makes a module on this machine makes it for a new kernel, too, and not for one that stays.
            let asked = |k: &InstalledKmp| kernel.role.runs_next() || !k.kind.is_made_here();
            let kmps = survey.inventory.kmps.each().filter(|(_, k)| asked(k));
            for (index, _) in kmps.filter(|(i, _)| works(&plan.decisions[*i], &plan.verdicts[*i])) {
                *expected.entry(index).or_default() |= is_sure;
            }
        };
        if let Some(before) = kernel.before {
            expect(&before.plan, true);
        }
        if kernel.role.runs_next() {
            for kinship in [Kinship::Same, Kinship::Perhaps] {
                let of_line =
                    |(_, (_, line)): &(usize, &(_, KernelLine))| line.kinship(&kernel.line) == kinship;
                let by_release = |a: &(usize, &(&SurveyedKernel, _)), b: &(usize, &(&SurveyedKernel, _))| {
                    vercmp(&a.1.0.kernel.release, &b.1.0.kernel.release)
                };
                // One that is asked about is compared with the others.
                let is_other = |(_, (k, _)): &(usize, &(&SurveyedKernel, _))| {
                    kernel.role == Role::Comes || k.kernel.release != kernel.release
                };
                let there: Vec<_> =
                    self.kernels.iter().enumerate().filter(of_line).filter(is_other).collect();
                let newest = there.iter().copied().max_by(|a, b| by_release(a, b));
                // Of another root than the running system's nobody knows which one that is.
                let is_running =
                    |(i, _): &&(usize, _)| self.running.is_none_or(|running| running == Some(*i));
                let running = there.iter().filter(is_running).copied();
                for (_, (working, _)) in newest.into_iter().chain(running) {
                    expect(&working.plan, kinship == Kinship::Same);
                }
                if !there.is_empty() {
                    break;
                }
            }
        }
        expected
    }
}

/// Is it there, and does it load?
pub(super) fn works(decision: &Decision, verdicts: &[Verdict]) -> bool {
    matches!(decision, Decision::Native | Decision::Link)
        && verdicts.iter().all(|verdict| verdict.fits() && verdict.untrusted().is_none())
}

/// A version that may work, for all that is known, is not lost.
pub(super) fn may_work(plan: &AfterPlan, id: AfterId) -> bool {
    let found = |r: &Reason| match r.rule.kind() {
        Kind::Unknown => false,
        Kind::Loader => r.rule != Rule::Malformed,
        Kind::OtherModule | Kind::Policy => true,
    };
    !matches!(plan.decision(id), Decision::OtherFlavour | Decision::Declined(_))
        && !plan.verdicts(id).iter().flat_map(|v| v.reasons.iter().chain(v.untrusted())).any(found)
}
