// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which drivers a transaction would lose. Pure.

use std::path::PathBuf;

use rpm_meta::vercmp;

use super::after::After;
use super::given::{Given, Use};
use super::gone::{PushedOut, gone_with_kernels};
use super::incoming::Transaction;
use super::itself::Itself;
use super::kernels::{Expected, Role, Will, kernels_after, may_work, works};
use super::outlook::{Outlook, leave_out_built_for_others, outlook};
use super::remedy::{Remedy, remedy};
use crate::abi::Reason;
use crate::dialect::Kinship;
use crate::ids::{AfterId, KmpId};
use crate::inventory::{FoundModule, InstalledKmp, Maker};
use crate::last_update::FoundBuild;
use crate::survey::Survey;

/// How much it matters that a kernel is without a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Not at all: the kernel has the driver itself.
    None,
    /// It does to who boots that kernel; or it is not sure that it does.
    Warning,
    /// The kernel that is booted next lacks a driver that works now.
    Loss,
}

/// A driver that a kernel would be without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The package's name.
    pub package: String,
    /// NAME-VERSION-RELEASE of the version that works now.
    pub nvr: String,
    /// Its modules that the kernel would be without.
    pub modules: Vec<String>,
    /// The kernel.
    pub kernel: String,
    /// What the kernel is to the transaction.
    pub role: Role,
    /// The name of the package to ask for where a kernel of its kind is wanted, if one is known.
    pub kernel_package: Option<String>,
    /// A package file that a kernel which comes is in.
    pub kernel_file: Option<PathBuf>,
    /// NAME-VERSION-RELEASE of the newest version that there would be, and does not work; `None` where none would be left.
    pub failing: Option<String>,
    /// Why that one does not work.
    pub reasons: Vec<Reason>,
    /// How much it matters.
    pub weight: Weight,
    /// Another kernel that one boots instead, and that has the driver.
    pub kept_in: Option<String>,
    /// In-tree modules that take the driver's place in the kernel.
    pub instead: Vec<String>,
    /// Who makes it on this machine, and will for this kernel.
    pub made_by: Option<Maker>,
    /// What its modules are needed for now.
    pub needed_for: Use,
    /// Is the package erased, and nothing takes its place?
    pub is_erased: bool,
    /// What helps.
    pub remedy: Remedy,
    /// A build for the kernel that the last `kmp update` found.
    pub found: Option<FoundBuild>,
}

/// What there will be after a transaction.
#[derive(Clone, Debug, Default)]
pub struct Foreseen {
    /// The drivers that kernels would be without.
    pub lost: Vec<Lost>,
    /// Kernel by kernel, the newest first.
    pub kernels: Vec<Outlook>,
}

/// Finds the drivers that kernels would be without after `transaction`, and those that they would have.
pub fn foresee(survey: &Survey, transaction: &Transaction, given: &Given<'_>) -> Foreseen {
    let after = After::new(survey, transaction);
    let kernels = kernels_after(survey, transaction, &after, given);
    let expected = Expected::of(survey, given);
    let mut result = Vec::new();
    let expected: Vec<_> = kernels.iter().map(|kernel| expected.in_kernel(survey, kernel)).collect();
    for (kernel, expected) in kernels.iter().zip(&expected) {
        for (&index, &is_sure) in expected {
            let installed = &survey.inventory.kmps[index];
            if after.is_wanted_gone(&installed.package.name) {
                continue;
            }
            if let Some(maker) = installed.kind.maker() {
                result.extend(after.to_be_made(survey, index, kernel, maker));
            } else if let Some(missing) = after.missing(survey, index, kernel, given) {
                let weighed = weigh(missing, after.driver(installed), kernel, is_sure, &kernels, given);
                let comes = transaction.kernels.iter().find(|k| k.kernel.release == kernel.release);
                result.push(Lost {
                    remedy: remedy(&weighed, survey, given),
                    // The shortest name is the kernel itself: there is `kernel-core` besides `kernel-modules-extra`.
                    kernel_package: comes
                        .and_then(|k| k.packages.iter().min_by_key(|name| name.len()).cloned()),
                    kernel_file: comes.and_then(|k| k.file.clone()),
                    ..weighed
                });
            }
        }
    }
    let mut gone = gone_with_kernels(survey, transaction, &after, &kernels, given);
    // One that stays has it, too.
    gone.retain(|gone| result.iter().all(|lost| lost.role != Role::Stays || gone.package != lost.package));
    // That it goes at all is the reason, and said once.
    result.retain(|lost| lost.role == Role::Stays || gone.iter().all(|gone| gone.package != lost.package));
    result.extend(gone);
    if let Some(kernel) = PushedOut::of(survey, transaction) {
        for lost in result.iter_mut().filter(|lost| lost.remedy == Remedy::EraseAlone) {
            lost.remedy = Remedy::KeepKernel { kernel: kernel.release.clone(), kernels: kernel.all };
        }
    }
    result
        .sort_by(|a, b| (&a.package, &a.kernel).cmp(&(&b.package, &b.kernel)).then(b.weight.cmp(&a.weight)));
    result.dedup_by(|a, b| (&a.package, &a.kernel) == (&b.package, &b.kernel));
    let mut outlooks: Vec<_> = kernels
        .iter()
        .zip(&expected)
        .map(|(kernel, expected)| {
            outlook(survey, transaction, &after, kernel, is_newest(kernel, &kernels), expected, &result)
        })
        .collect();
    leave_out_built_for_others(&mut outlooks);
    outlooks.sort_by(|a, b| vercmp(&b.release, &a.release));
    Foreseen { lost: result, kernels: outlooks }
}

/// Is it the newest of its line that can be booted? That is the one that is booted next.
fn is_newest(kernel: &Will<'_>, kernels: &[Will<'_>]) -> bool {
    let others = kernels.iter().filter(|other| other.release != kernel.release && other.is_bootable);
    let mut of_line = others.filter(|other| other.line.kinship(&kernel.line) != Kinship::Other);
    !of_line.any(|other| vercmp(other.release, kernel.release).is_gt())
}

/// Says how much it matters.
fn weigh(
    mut lost: Lost,
    driver: &str,
    kernel: &Will<'_>,
    is_sure: bool,
    kernels: &[Will<'_>],
    given: &Given<'_>,
) -> Lost {
    let newer = |a: &&Will<'_>, b: &&Will<'_>| vercmp(a.release, b.release);
    let others = kernels.iter().filter(|other| other.release != kernel.release && other.is_bootable);
    let of_line = others.filter(|other| other.line.kinship(&kernel.line) != Kinship::Other);
    let has_it = |other: &&Will<'_>| other.has_driver(driver, &lost.modules);
    let kept_in = of_line.clone().filter(has_it).max_by(newer);
    let is_booted_next = is_newest(kernel, kernels);
    lost.needed_for = lost.modules.iter().fold(Use::default(), |all, name| all.and((given.use_of)(name)));
    let is_vital = given.running == Some(kernel.release) && lost.needed_for.is_vital();
    lost.weight = match lost.weight {
        Weight::Loss if !is_sure => Weight::Warning,
        Weight::Loss if kernel.role.runs_next() || is_vital => Weight::Loss,
        Weight::Loss if kernel.is_bootable && (is_booted_next || kept_in.is_none()) => Weight::Loss,
        Weight::Loss => Weight::Warning,
        less => less,
    };
    lost.kept_in = kept_in.map(|k| k.release.to_string());
    lost
}

impl After<'_> {
    /// The modules of an installed KMP that a kernel has from no package; empty where a version of the KMP works, or may.
    fn lacking<'m>(&self, installed: &'m InstalledKmp, kernel: &Will<'_>) -> Vec<&'m FoundModule> {
        if self
            .versions(installed)
            .any(|id| works(kernel.plan.decision(id), kernel.plan.verdicts(id)) || may_work(&kernel.plan, id))
        {
            return Vec::new();
        }
        // Whoever brings the module under its name brings the driver.
        installed.modules.iter().filter(|m| !kernel.modules.contains(&*m.name)).collect()
    }

    /// What `maker` has to make for a kernel that comes: no loss, but said.
    fn to_be_made(&self, survey: &Survey, index: KmpId, kernel: &Will<'_>, maker: Maker) -> Option<Lost> {
        let installed = &survey.inventory.kmps[index];
        let missing = self.lacking(installed, kernel);
        // Of what nobody is known to make nothing can be said.
        (maker != Maker::Somebody && !missing.is_empty()).then(|| Lost {
            package: installed.package.name.clone(),
            nvr: installed.package.nvr(),
            modules: missing.iter().map(|m| m.name.to_string()).collect(),
            kernel: kernel.release.into(),
            role: kernel.role,
            kernel_package: None,
            kernel_file: None,
            failing: None,
            reasons: Vec::new(),
            weight: Weight::None,
            kept_in: None,
            instead: Vec::new(),
            made_by: Some(maker),
            needed_for: Use::default(),
            is_erased: false,
            remedy: Remedy::default(),
            found: None,
        })
    }

    /// Is the driver of an installed KMP missing in a kernel?
    pub(super) fn missing(
        &self,
        survey: &Survey,
        index: KmpId,
        kernel: &Will<'_>,
        given: &Given<'_>,
    ) -> Option<Lost> {
        let installed = &survey.inventory.kmps[index];
        let package = installed.package.name.as_str();
        let versions = || self.versions(installed);
        let missing = self.lacking(installed, kernel);
        if missing.is_empty() {
            return None;
        }
        let itself = Itself::of(kernel, given);
        let without: Vec<_> = missing.iter().copied().filter(|m| !itself.has_named(&m.name)).collect();
        let aliases: Vec<&str> = without
            .iter()
            .filter_map(|m| survey.module(&m.path).ok())
            .flat_map(|m| m.aliases.iter().map(|a| &**a))
            .collect();
        let (claimed, by) = itself.claims(&aliases);
        let is_had = without.is_empty() || (!aliases.is_empty() && claimed == aliases.len());
        let weight = match (is_had, claimed) {
            (true, _) if kernel.role.runs_next() => Weight::None,
            (true, _) | (false, 1..) => Weight::Warning,
            (false, 0) => Weight::Loss,
        };
        let lacks = if is_had { &missing } else { &without };
        let reasons =
            |id: AfterId| kernel.plan.verdicts(id).iter().flat_map(|v| v.reasons.iter().chain(v.untrusted()));
        let newest = versions().find(|k| reasons(*k).next().is_some());
        let same = missing.iter().filter(|m| itself.has_named(&m.name)).map(|m| m.name.to_string());
        Some(Lost {
            package: package.into(),
            nvr: installed.package.nvr(),
            modules: lacks.iter().map(|m| m.name.to_string()).collect(),
            kernel: kernel.release.into(),
            role: kernel.role,
            kernel_package: None,
            kernel_file: None,
            failing: newest.map(|k| self.package(k).nvr()),
            reasons: newest.map(|k| reasons(k).cloned().collect()).unwrap_or_default(),
            weight,
            kept_in: None,
            instead: same.chain(by).collect(),
            made_by: None,
            needed_for: Use::default(),
            is_erased: self.is_erased(package),
            remedy: Remedy::default(),
            found: None,
        })
    }
}
