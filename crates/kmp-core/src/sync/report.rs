// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a run of sync did, and what there is to say of it.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;

use crate::abi::rule::{Kind, Rule};
use crate::abi::{Verdict, Warning};
use crate::apply::{self, Fate, Written};
use crate::ids::KmpId;
use crate::inventory::InstalledKmp;
use crate::plan::Decision;
use crate::printable;
use crate::run_dir::Check;
use crate::state::State;
use crate::survey::{Survey, SurveyedKernel};

/// What happens to one package's links in one kernel. Packages are named `NAME-VERSION-RELEASE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageChange {
    /// It gets links.
    Added(String),
    /// Another version's links take the place of its own.
    Replaced {
        /// The version that had links.
        old: String,
        /// The version that gets them.
        new: String,
    },
    /// Its links go.
    Removed(String),
    /// The same version gets the links that it lacks, or loses some that do not belong.
    Repaired(String),
    /// A link that leads nowhere goes.
    Dangling(PathBuf),
}

impl PackageChange {
    /// The word for it, for programs. It never changes.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Added(_) => "added",
            Self::Replaced { .. } => "replaced",
            Self::Removed(_) => "removed",
            Self::Repaired(_) => "repaired",
            Self::Dangling(_) => "dangling",
        }
    }

    /// The package that has links now, or had them. Of a dangling link it is not known.
    pub fn package(&self) -> Option<&str> {
        match self {
            Self::Added(nvr) | Self::Replaced { new: nvr, .. } | Self::Removed(nvr) | Self::Repaired(nvr) => {
                Some(nvr)
            }
            Self::Dangling(_) => None,
        }
    }
}

impl fmt::Display for PackageChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(nvr) => write!(f, "{nvr} added"),
            Self::Replaced { old, new } => write!(f, "{old} replaced by {new}"),
            Self::Removed(nvr) => write!(f, "{nvr} removed"),
            Self::Repaired(nvr) => write!(f, "{nvr} repaired"),
            Self::Dangling(link) => {
                write!(f, "dangling link {} removed", printable(link.as_os_str()))
            }
        }
    }
}

/// What became of depmod for one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Index {
    /// It has nothing to do.
    UpToDate,
    /// It would have to run: a dry run, or left to others.
    Due,
    /// It was written.
    Written(Written),
    /// It failed.
    Failed(String),
}

/// What was (or, in a dry run, would be) done for one release.
#[derive(Clone, Debug)]
pub struct KernelReport {
    /// The release.
    pub release: String,
    /// Package by package.
    pub changes: Vec<PackageChange>,
    /// Why the links could not be changed.
    pub error: Option<String>,
    /// The packages whose links stay as they are, because something could not be read: each with the reason, in words.
    pub unread: Vec<String>,
    /// depmod.
    pub index: Index,
    /// The initrd, where it was asked for.
    pub initrd: Option<Fate>,
    /// Where the caller looks after the initrds: this one has to be looked at.
    pub to_check: Option<ToCheck>,
}

/// A kernel of which the initrd is to be looked at by the caller.
#[derive(Clone, Debug)]
pub struct ToCheck {
    /// Did links, or third-party modules of its own, change, and not only the index?
    pub links_changed: bool,
    /// To be settled when it is done ([`crate::run_dir::settle_check`]).
    pub note: Option<Check>,
}

impl KernelReport {
    /// Did it fail in any part?
    pub fn failed(&self) -> bool {
        let is_bad = |fate: &Fate| matches!(fate.done, apply::Done::Failed(_)) || fate.reason.is_unknown();
        self.links_failed() || !self.unread.is_empty() || self.initrd.as_ref().is_some_and(is_bad)
    }

    /// Are links or index not what they should be?
    pub(super) fn links_failed(&self) -> bool {
        self.error.is_some() || matches!(self.index, Index::Failed(_))
    }
}

/// What was done, kernel by kernel, and the survey that it rests on.
#[derive(Debug)]
pub struct SyncReport {
    /// Every surveyed kernel, and every removed one that had links.
    pub kernels: Vec<KernelReport>,
    /// What was seen before anything was changed.
    pub survey: Survey,
}

/// A KMP that a kernel of its flavour does not get.
#[derive(Debug)]
pub struct NotLinked<'r> {
    /// Which KMP.
    pub id: KmpId,
    /// The KMP.
    pub kmp: &'r InstalledKmp,
    /// The state that it has there: refused, clash or broken.
    pub state: State,
    /// The first reason, and how many more there are.
    pub detail: String,
    /// The verdicts on its modules.
    pub verdicts: &'r [Verdict],
}

impl fmt::Display for NotLinked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} not linked: {}", self.kmp.package.nvr(), self.detail)
    }
}

impl SyncReport {
    /// Did it fail in any part, or could something not be looked at?
    pub fn failed(&self) -> bool {
        self.survey.is_unread() || self.kernels.iter().any(KernelReport::failed)
    }

    /// Did it fail in any part for the kernel `release`, or could something of it not be looked at?
    pub fn failed_for(&self, release: &str) -> bool {
        self.kernels.iter().any(|kernel| kernel.release == release && kernel.failed())
    }

    /// KMPs that a kernel of their flavour does not get; not those of which it has another version.
    pub fn not_linked(&self, release: &str) -> Vec<NotLinked<'_>> {
        let kmps = &self.survey.inventory.kmps;
        let Some(kernel) = self.survey.kernels.iter().find(|k| k.kernel.release == release) else {
            return Vec::new();
        };
        let decisions = || kernel.plan.decisions.each();
        let is_served = |d: &Decision| matches!(d, Decision::Link | Decision::Native);
        let served: HashSet<&str> =
            decisions().filter(|(_, d)| is_served(d)).map(|(k, _)| kmps[k].driver.name.as_str()).collect();
        decisions()
            .filter(|(k, _)| !served.contains(kmps[*k].driver.name.as_str()))
            // What is never linked is missed nowhere.
            .filter(|(k, _)| self.survey.inventory.is_eligible(&kmps[*k]))
            .filter_map(|(k, decision)| {
                let (kmp, verdicts) = (&kmps[k], kernel.plan.verdicts[k].as_slice());
                let (state, detail) = match decision {
                    Decision::DoesNotFit => (State::of_unfit(verdicts), first_reason(kmp, verdicts)),
                    Decision::Clash { module, with } => {
                        (State::Clash, format!("{module} is there already: {with}"))
                    }
                    Decision::Broken => (State::Broken, kmp.broken.clone().unwrap_or_default()),
                    _ => return None,
                };
                Some(NotLinked { id: k, kmp, state, detail, verdicts })
            })
            .collect()
    }

    /// What the KMPs that have newly come to a kernel do to its in-tree modules: a sentence a module of theirs. Said when the
    /// links are made, and not again.
    pub fn breaks(&self, kernel: &KernelReport) -> Vec<String> {
        let Some(surveyed) = self.survey.kernels.iter().find(|k| k.kernel.release == kernel.release) else {
            return Vec::new();
        };
        let new = kernel.changes.iter().filter_map(|change| match change {
            PackageChange::Added(new) | PackageChange::Replaced { new, .. } => Some(new.as_str()),
            _ => None,
        });
        let have_come: HashSet<&str> = new.collect();
        let mut lines = Vec::new();
        for (kmp, verdicts) in self.survey.inventory.kmps.iter().zip(&surveyed.plan.verdicts) {
            let nvr = kmp.package.nvr();
            if !have_come.contains(nvr.as_str()) {
                continue;
            }
            for (module, verdict) in kmp.modules.iter().zip(verdicts) {
                let is_break = |w: &&Warning| matches!(w, Warning::Breaks { .. });
                let names: Vec<&str> =
                    verdict.warnings.iter().filter(is_break).filter_map(Warning::module).collect();
                if !names.is_empty() {
                    lines.push(format!(
                        "{nvr}: its {} takes the place of an in-tree module, beside which these in-tree modules do not load: {}",
                        printable(module.name.as_ref().as_ref()),
                        printable(names.join(", ").as_ref())
                    ));
                }
            }
        }
        lines
    }
}

/// The first reason why a KMP does not fit, with its module, and how many more there are.
pub fn first_reason(kmp: &InstalledKmp, verdicts: &[Verdict]) -> String {
    let all: Vec<_> =
        kmp.modules.iter().zip(verdicts).flat_map(|(m, v)| v.reasons.iter().map(move |r| (m, r))).collect();
    // That another module of the same package does not fit is no news.
    let own = |rule: Rule| rule.kind() != Kind::OtherModule;
    let Some((module, reason)) = all.iter().find(|(_, r)| own(r.rule)).or(all.first()) else {
        return "not judged".into();
    };
    let more = match all.len() - 1 {
        0 => String::new(),
        n => format!(" (and {n} more)"),
    };
    format!("{}: {}{more}", printable(module.name.as_ref().as_ref()), printable(reason.detail.as_ref()))
}

/// The packages whose links stay in a kernel because something could not be read, with what that is.
pub(super) fn left_as_they_are(survey: &Survey, kernel: &SurveyedKernel) -> Vec<String> {
    let unknown = survey.unknown(kernel).map(|(kmp, why)| {
        let nvr = survey.inventory.kmps[kmp].package.nvr();
        format!("{}: the links of {nvr} stay as they are: {}", kernel.kernel.release, printable(why.as_ref()))
    });
    unknown.collect()
}
