//! Which drivers a transaction would lose. Pure.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};

use super::after::{After, works};
use super::incoming::Transaction;
use crate::abi::{Reason, Rule};
use crate::inventory::Package;
use crate::plan::{Decision, KernelPlan, Site};
use crate::survey::{Survey, SurveyedKernel};

/// A driver that would be lost.
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
    /// Why the newest version that there would be does not work; empty where none would be left.
    pub reasons: Vec<Reason>,
}

/// How many symbols a message names.
const NAMED: usize = 3;

impl Lost {
    /// One line for people: which driver, which kernel, the first reasons, and how many more. `loaded`: one
    /// of its modules is in use now.
    pub fn line(&self, loaded: bool) -> String {
        let mut modules = self.modules.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        if self.modules.len() > NAMED {
            modules = format!("{modules} and {} more", self.modules.len() - NAMED);
        }
        let used = if loaded { ", loaded now" } else { "" };
        let new = if self.kernel_is_new { "the new kernel" } else { "kernel" };
        let head = format!("{} ({modules}{used})", self.nvr);
        if self.reasons.is_empty() {
            return format!("{head}: nothing would be left of it for {new} {}", self.kernel);
        }
        let first: Vec<&str> = self.reasons.iter().take(NAMED).map(|r| r.detail.as_str()).collect();
        let more = match self.reasons.len().saturating_sub(NAMED) {
            0 => String::new(),
            n => format!("; and {n} more"),
        };
        format!("{head} does not work with {new} {}: {}{more}", self.kernel, first.join("; "))
    }

    /// The way out, for people.
    pub fn advice(&self) -> String {
        let what = match self.kernel_is_new {
            true => format!(
                "install a {} built for it in the same transaction, or keep the old kernel",
                self.package
            ),
            false => format!("keep {}", self.nvr),
        };
        format!("{what}; KMP_POLICY=warn goes on without the driver")
    }
}

/// Finds the drivers that `transaction` would lose. `running` is the running kernel's release; `compare`
/// is rpm's order of versions.
pub fn lost(
    survey: &Survey,
    transaction: &Transaction,
    running: Option<&str>,
    compare: &dyn Fn(&Package, &Package) -> Ordering,
    compare_releases: &dyn Fn(&str, &str) -> Ordering,
) -> Vec<Lost> {
    let after = After::new(survey, transaction, compare);
    let before = survey.kmps();
    let dialect = survey.inventory.conventions.dialect;
    let mut result = Vec::new();

    // What works with the running kernel, or with the newest one of its flavour.
    let mut working: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, kmp) in before.iter().enumerate() {
        // Who makes a module on this machine makes it for a new kernel, too.
        if survey.inventory.kmps[index].kind.is_made_here() {
            continue;
        }
        let serves = |k: &&SurveyedKernel| dialect.is_missed(kmp.flavour, kmp.origin, &k.kernel.release);
        let by_release =
            |a: &&SurveyedKernel, b: &&SurveyedKernel| compare_releases(&a.kernel.release, &b.kernel.release);
        let newest = survey.kernels.iter().filter(serves).max_by(by_release);
        let running = survey.kernels.iter().find(|k| Some(k.kernel.release.as_str()) == running);
        if newest.into_iter().chain(running).any(|k| works(&k.plan, index)) {
            working.entry(kmp.package).or_insert(index);
        }
    }
    for incoming in &transaction.kernels {
        let site = after.incoming_site(incoming);
        let plan = site.plan(&after.kmps);
        let there = after.there(&site, &plan);
        for (&package, &index) in &working {
            let kmp = &before[index];
            let is_missed = dialect.is_missed(kmp.flavour, kmp.origin, &incoming.kernel.release);
            if is_missed && !after.is_wanted_gone(package) {
                result.extend(after.missing(survey, index, &there, &plan, true));
            }
        }
    }
    for surveyed in &survey.kernels {
        let release = surveyed.kernel.release.as_str();
        let comes_anew = transaction.kernels.iter().any(|k| k.kernel.release == release);
        if transaction.removed_kernels.contains(release) && !comes_anew {
            continue;
        }
        let new = transaction.kernels.iter().find(|k| k.kernel.release == release);
        let site = match new {
            Some(incoming) => after.incoming_site(incoming),
            None => after.staying_site(survey.site_of(surveyed)),
        };
        let plan = site.plan(&after.kmps);
        let there = after.there(&site, &plan);
        for index in (0..before.len()).filter(|i| works(&surveyed.plan, *i)) {
            let is_made_here = survey.inventory.kmps[index].kind.is_made_here();
            if !is_made_here && !after.is_wanted_gone(before[index].package) {
                result.extend(after.missing(survey, index, &there, &plan, new.is_some()));
            }
        }
    }
    result.sort_by(|a, b| (&a.package, &a.kernel).cmp(&(&b.package, &b.kernel)));
    result.dedup_by(|a, b| (&a.package, &a.kernel) == (&b.package, &b.kernel));
    result
}

/// What one kernel is left with.
struct There<'s> {
    kernel: &'s str,
    /// Names of modules that work.
    modules: HashSet<&'s str>,
    /// Packages of which a version works.
    packages: HashSet<&'s str>,
}

impl After<'_> {
    /// What a plan leaves a kernel with.
    fn there<'s>(&'s self, site: &'s Site<'_>, plan: &KernelPlan) -> There<'s> {
        let working = || (0..self.kmps.len()).filter(|k| works(plan, *k)).map(|k| &self.kmps[k]);
        let natives = site.natives.iter().zip(&plan.natives).filter(|(_, v)| v.fits()).map(|(n, _)| n.name);
        There {
            kernel: &site.kernel.release,
            modules: working().flat_map(|k| &k.modules).map(|m| m.name).chain(natives).collect(),
            packages: working().map(|k| k.package).collect(),
        }
    }

    /// Is the driver of KMP `index` (of the survey's list) missing in a kernel's plan?
    fn missing(
        &self,
        survey: &Survey,
        index: usize,
        there: &There<'_>,
        plan: &KernelPlan,
        kernel_is_new: bool,
    ) -> Option<Lost> {
        let installed = &survey.inventory.kmps[index];
        let package = installed.package.name.as_str();
        // Whoever brings the module under its name brings the driver.
        let modules: Vec<String> = installed
            .modules
            .iter()
            .filter(|m| !there.modules.contains(&*m.name))
            .map(|m| m.name.to_string())
            .collect();
        if modules.is_empty() || there.packages.contains(package) {
            return None;
        }
        let versions = || self.versions.get(package).into_iter().flatten().copied();
        let reasons = |k: usize| plan.verdicts[k].iter().flat_map(|v| &v.reasons);
        // A version that may work, for all that is known, is not lost.
        let may_work = |k: usize| {
            let found = |r: &Reason| !matches!(r.rule, Rule::UnknownCrc | Rule::Malformed | Rule::Unread);
            !matches!(plan.decisions[k], Decision::OtherFlavour | Decision::Declined(_))
                && !reasons(k).any(found)
        };
        if versions().any(may_work) {
            return None;
        }
        let newest = versions().find(|k| reasons(*k).next().is_some());
        Some(Lost {
            package: package.into(),
            nvr: installed.package.nvr(),
            modules,
            kernel: there.kernel.into(),
            kernel_is_new,
            reasons: newest.map(|k| reasons(k).cloned().collect()).unwrap_or_default(),
        })
    }
}
