// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which drivers a transaction would lose. Pure.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use rpm_meta::vercmp;

use super::after::{After, AfterPlan};
use super::given::{Given, Use};
use super::incoming::{InTree, Transaction};
use super::remedy::{Remedy, remedy};
use crate::abi::rule::{Kind, Rule};
use crate::abi::{Reason, Verdict};
use crate::dialect::{KernelLine, Kinship};
use crate::glob;
use crate::ids::{AfterId, KmpId};
use crate::inventory::{FoundModule, InstalledKmp, Maker};
use crate::plan::{Decision, KernelPlan, Site};
use crate::survey::{Survey, SurveyedKernel};

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
    /// Does the kernel come with this transaction?
    pub kernel_is_new: bool,
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
}

/// A kernel as it will be.
struct Will<'w> {
    release: &'w str,
    line: KernelLine,
    is_new: bool,
    is_bootable: bool,
    before: Option<&'w SurveyedKernel>,
    site: Site<'w>,
    plan: AfterPlan,
    /// Names of third-party modules that work, or may, for all that is known.
    modules: HashSet<&'w str>,
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
        let natives = site.natives.iter().zip(plan.natives()).filter(|(_, v)| v.fits()).map(|(n, _)| n.name);
        let linked = working().chain(open.map(|(_, kmp)| kmp)).flat_map(|kmp| &kmp.modules).map(|m| m.name);
        let modules = linked.chain(natives).collect();
        let drivers = working().map(|kmp| kmp.package).collect();
        Self { release, line, is_new: false, is_bootable: true, before: None, site, plan, modules, drivers }
    }

    /// Has it the driver, by its name or by its modules?
    fn has_driver(&self, driver: &str, modules: &[String]) -> bool {
        self.drivers.contains(driver) || modules.iter().all(|m| self.modules.contains(m.as_str()))
    }
}

/// Finds the drivers that kernels would be without after `transaction`.
pub fn lost(survey: &Survey, transaction: &Transaction, given: &Given<'_>) -> Vec<Lost> {
    let after = After::new(survey, transaction);
    let kernels = kernels_after(survey, transaction, &after, given);
    let expected = Expected::of(survey, given);
    let mut result = Vec::new();
    for kernel in &kernels {
        for (index, is_sure) in expected.in_kernel(survey, kernel) {
            let installed = &survey.inventory.kmps[index];
            if after.is_wanted_gone(&installed.package.name) {
                continue;
            }
            if let Some(maker) = installed.kind.maker() {
                result.extend(after.to_be_made(survey, index, kernel, maker));
            } else if let Some(missing) = after.missing(survey, index, kernel, given) {
                let weighed = weigh(missing, after.driver(installed), kernel, is_sure, &kernels, given);
                result.push(Lost { remedy: remedy(&weighed, survey, given), ..weighed });
            }
        }
    }
    result
        .sort_by(|a, b| (&a.package, &a.kernel).cmp(&(&b.package, &b.kernel)).then(b.weight.cmp(&a.weight)));
    result.dedup_by(|a, b| (&a.package, &a.kernel) == (&b.package, &b.kernel));
    result
}

/// The line of an installed kernel.
fn line_of(survey: &Survey, given: &Given<'_>, release: &str) -> KernelLine {
    let packages = given.kernels.get(release).map_or(&[][..], |k| &k.packages);
    survey.inventory.conventions.dialect.line(release, packages.iter().map(String::as_str))
}

fn kernels_after<'w>(
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
        kernels.push(Will { is_new: true, before, ..Will::new(release, line, site, after) });
    }
    for surveyed in &survey.kernels {
        let release = surveyed.kernel.release.as_str();
        if whole(release).is_some() || transaction.removed_kernels.contains(release) {
            continue;
        }
        let site = after.staying_site(survey.site_of(surveyed));
        let line = line_of(survey, given, release);
        let is_bootable = given.kernels.get(release).is_none_or(|k| k.is_bootable);
        kernels.push(Will { is_bootable, before: Some(surveyed), ..Will::new(release, line, site, after) });
    }
    kernels
}

/// Which drivers a kernel that comes is expected to have: by its line, those that work with the newest kernel of that
/// line, or with the running one; where it is not known which one runs, with any of the line.
struct Expected<'a> {
    kernels: Vec<(&'a SurveyedKernel, KernelLine)>,
    /// `None`: not known; else the running one, if it is among them.
    running: Option<Option<usize>>,
}

impl<'a> Expected<'a> {
    fn of(survey: &'a Survey, given: &'a Given<'_>) -> Self {
        let line = |k: &'a SurveyedKernel| (k, line_of(survey, given, &k.kernel.release));
        let kernels: Vec<_> = survey.kernels.iter().map(line).collect();
        let running =
            given.running.map(|running| kernels.iter().position(|(k, _)| k.kernel.release == running));
        Self { kernels, running }
    }

    /// The installed KMPs that are missed in `kernel` where they do not work, and whether it is sure that they are.
    fn in_kernel(&self, survey: &Survey, kernel: &Will<'_>) -> BTreeMap<KmpId, bool> {
        let mut expected = BTreeMap::new();
        let mut expect = |plan: &KernelPlan, is_sure: bool| {
            // Who makes a module on this machine makes it for a new kernel, too, and not for one that stays.
            let asked = |k: &InstalledKmp| kernel.is_new || !k.kind.is_made_here();
            let kmps = survey.inventory.kmps.each().filter(|(_, k)| asked(k));
            for (index, _) in kmps.filter(|(i, _)| works(&plan.decisions[*i], &plan.verdicts[*i])) {
                *expected.entry(index).or_default() |= is_sure;
            }
        };
        if let Some(before) = kernel.before {
            expect(&before.plan, true);
        }
        if kernel.is_new {
            for kinship in [Kinship::Same, Kinship::Perhaps] {
                let of_line =
                    |(_, (_, line)): &(usize, &(_, KernelLine))| line.kinship(&kernel.line) == kinship;
                let by_release = |a: &(usize, &(&SurveyedKernel, _)), b: &(usize, &(&SurveyedKernel, _))| {
                    vercmp(&a.1.0.kernel.release, &b.1.0.kernel.release)
                };
                let there: Vec<_> = self.kernels.iter().enumerate().filter(of_line).collect();
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
    let is_booted_next = !of_line.clone().any(|other| newer(&other, &kernel).is_gt());
    lost.needed_for = lost.modules.iter().fold(Use::default(), |all, name| all.and((given.use_of)(name)));
    let is_vital = given.running == Some(kernel.release) && lost.needed_for.is_vital();
    lost.weight = match lost.weight {
        Weight::Loss if !is_sure => Weight::Warning,
        Weight::Loss if kernel.is_new || is_vital => Weight::Loss,
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
            kernel_is_new: true,
            failing: None,
            reasons: Vec::new(),
            weight: Weight::None,
            kept_in: None,
            instead: Vec::new(),
            made_by: Some(maker),
            needed_for: Use::default(),
            is_erased: false,
            remedy: Remedy::default(),
        })
    }

    /// Is the driver of an installed KMP missing in a kernel?
    fn missing(&self, survey: &Survey, index: KmpId, kernel: &Will<'_>, given: &Given<'_>) -> Option<Lost> {
        let installed = &survey.inventory.kmps[index];
        let package = installed.package.name.as_str();
        let versions = || self.versions(installed);
        let missing = self.lacking(installed, kernel);
        if missing.is_empty() {
            return None;
        }
        let itself = Itself { kernel, read: OnceCell::new(), given };
        let without: Vec<_> = missing.iter().copied().filter(|m| !itself.has_named(&m.name)).collect();
        let aliases: Vec<&str> = without
            .iter()
            .filter_map(|m| survey.module(&m.path).ok())
            .flat_map(|m| m.aliases.iter().map(|a| &**a))
            .collect();
        let (claimed, by) = itself.claims(&aliases);
        let is_had = without.is_empty() || (!aliases.is_empty() && claimed == aliases.len());
        let weight = match (is_had, claimed) {
            (true, _) if kernel.is_new => Weight::None,
            (true, _) | (false, 1..) => Weight::Warning,
            (false, 0) => Weight::Loss,
        };
        let lacks = if is_had { &missing } else { &without };
        let reasons = |id: AfterId| kernel.plan.verdicts(id).iter().flat_map(|v| &v.reasons);
        let newest = versions().find(|k| reasons(*k).next().is_some());
        let same = missing.iter().filter(|m| itself.has_named(&m.name)).map(|m| m.name.to_string());
        Some(Lost {
            package: package.into(),
            nvr: installed.package.nvr(),
            modules: lacks.iter().map(|m| m.name.to_string()).collect(),
            kernel: kernel.release.into(),
            kernel_is_new: kernel.is_new,
            failing: newest.map(|k| self.package(k).nvr()),
            reasons: newest.map(|k| reasons(k).cloned().collect()).unwrap_or_default(),
            weight,
            kept_in: None,
            instead: same.chain(by).collect(),
            made_by: None,
            needed_for: Use::default(),
            is_erased: self.is_erased(package),
            remedy: Remedy::default(),
        })
    }
}

/// Is it there, and does it load?
fn works(decision: &Decision, verdicts: &[Verdict]) -> bool {
    matches!(decision, Decision::Native | Decision::Link) && verdicts.iter().all(Verdict::fits)
}

/// A version that may work, for all that is known, is not lost.
fn may_work(plan: &AfterPlan, id: AfterId) -> bool {
    let found = |r: &Reason| match r.rule.kind() {
        Kind::Unknown => false,
        Kind::Loader => r.rule != Rule::Malformed,
        Kind::OtherModule | Kind::Policy => true,
    };
    !matches!(plan.decision(id), Decision::OtherFlavour | Decision::Declined(_))
        && !plan.verdicts(id).iter().flat_map(|v| &v.reasons).any(found)
}

/// What a kernel has of its own.
struct Itself<'i> {
    kernel: &'i Will<'i>,
    read: OnceCell<Option<Rc<InTree>>>,
    given: &'i Given<'i>,
}

impl Itself<'_> {
    fn read(&self) -> Option<&InTree> {
        let read = || self.kernel.is_new.then(|| (self.given.in_tree)(self.kernel.release)).flatten();
        self.read.get_or_init(read).as_deref()
    }

    /// Has it a module of that name, or built in?
    fn has_named(&self, name: &str) -> bool {
        self.kernel.site.in_tree.is_some_and(|t| t.contains(name))
            || self.read().is_some_and(|t| t.builtin.contains(name))
    }

    /// How many of these aliases its own modules claim, and which modules those are.
    fn claims(&self, aliases: &[&str]) -> (usize, Vec<String>) {
        let Some(own) = (!aliases.is_empty()).then(|| self.read()).flatten() else { return (0, Vec::new()) };
        let mut by: Vec<String> = Vec::new();
        let claimed = aliases.iter().filter(|alias| {
            let found = own.aliases.iter().find(|(pattern, _)| glob::matches(pattern, alias));
            if let Some((_, module)) = found
                && !by.iter().any(|name| *name == **module)
            {
                by.push(module.to_string());
            }
            found.is_some()
        });
        (claimed.count(), by)
    }
}
