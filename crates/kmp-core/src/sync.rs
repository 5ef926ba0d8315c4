// SPDX-License-Identifier: LGPL-2.1-or-later
//! The one thing that every entry point does: take stock, judge, plan, apply the difference, report.

mod initrds;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use librpm_rt::Librpm;

use crate::abi::rule::{Kind, Rule};
use crate::abi::{Verdict, Warning};
use crate::apply::{
    self, Depmod, Fate, Wanted, clear, clear_temporary, is_index_only, is_read_only, leftovers, switch,
};
use crate::dialect::UnknownDistribution;
use crate::ids::{KmpId, ReleaseId};
use crate::initrd::Request;
use crate::inventory::{self, InstalledKmp, Item, ItemKind, Loader, Ownership, PackageError, Release};
use crate::plan::Decision;
use crate::printable;
use crate::problem::Problem;
use crate::root::Root;
use crate::run_dir::{Check, DIRECTORY, Lock, LockError, keep_pending, settle_pending};
use crate::survey::{Selection, Survey, SurveyedKernel};

use initrds::{Initrds, Noted};

/// What to do, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which kernels.
    pub selection: Selection,
    /// Change nothing, only tell.
    pub dry_run: bool,
    /// Change links, but leave depmod to somebody else.
    pub no_depmod: bool,
    /// The program.
    pub depmod: Depmod,
    /// Look after the initrds of changed kernels, too.
    pub initrd: Option<Request>,
    /// The kernel that has come, or has got more modules of its own. It gets its index, and its initrd, where the installed
    /// packages are not known, too.
    pub named: Option<String>,
}

/// No link was changed, and why.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// Without the packages it cannot be told which links belong there.
    #[error("the installed packages cannot be read, so no link was changed{}: {unknown}", done(.kernels))]
    Packages {
        /// Why they are not known.
        unknown: PackageError,
        /// What was done for the named kernel all the same.
        kernels: Vec<KernelReport>,
    },
    /// Without the distribution's conventions it is not known which links belong there.
    #[error("{unknown}. No link was changed{}", done(.kernels))]
    Distribution {
        /// Why they are not known, and what to do.
        unknown: UnknownDistribution,
        /// What was done all the same, for the named kernel and for those whose index was old.
        kernels: Vec<KernelReport>,
    },
    /// Something could not be read without which nothing can be said of any kernel.
    #[error("not everything could be read, so no link was changed: {0}")]
    Unread(#[from] Problem),
    /// Another run, or no place for a lock.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// Why it is not known which links belong there.
#[derive(Clone)]
enum Unknown {
    Packages(PackageError),
    Distribution(UnknownDistribution),
}

impl Unknown {
    fn of(survey: &mut Survey) -> Option<Self> {
        let packages = survey.inventory.packages_unknown.take().map(Self::Packages);
        packages.or(survey.inventory.conventions.distribution_unknown.clone().map(Self::Distribution))
    }

    fn error(self, kernels: Vec<KernelReport>) -> SyncError {
        match self {
            Self::Packages(unknown) => SyncError::Packages { unknown, kernels },
            Self::Distribution(unknown) => SyncError::Distribution { unknown, kernels },
        }
    }
}

fn done(kernels: &[KernelReport]) -> String {
    kernels.iter().map(done_for).collect()
}

fn done_for(kernel: &KernelReport) -> String {
    let release = &kernel.release;
    let failed = match (&kernel.error, &kernel.index, kernel.initrd.as_ref().map(|fate| &fate.done)) {
        (Some(why), ..) | (_, Index::Failed(why), _) | (.., Some(apply::Done::Failed(why))) => Some(why),
        _ => None,
    };
    match failed {
        Some(why) => format!("; kernel {release} was updated nevertheless, and that failed as well: {why}"),
        None => format!("; the index and the initrd of kernel {release} were updated nevertheless"),
    }
}

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
    /// It ran; what it said.
    Written(String),
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
    fn links_failed(&self) -> bool {
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
                let detail = match decision {
                    Decision::DoesNotFit => first_reason(kmp, verdicts),
                    Decision::Clash { module, with } => format!("{module} is there already: {with}"),
                    Decision::Broken => kmp.broken.clone().unwrap_or_default(),
                    _ => return None,
                };
                Some(NotLinked { id: k, kmp, detail, verdicts })
            })
            .collect()
    }
}

impl SyncReport {
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
                    verdict.warnings.iter().filter(is_break).map(Warning::module).collect();
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

/// The difference between what a release has and what it should have.
struct Difference<'s> {
    release: &'s Release,
    wanted: Wanted<'s>,
    changes: Vec<PackageChange>,
    links_change: bool,
    index_due: bool,
    /// The links stay as they are, whatever is not known of them.
    index_alone: bool,
}

/// Reconciles the links of `root` with what is on disk and in the rpm database. Another
/// run that holds the lock is waited for, and `waiting` called once after a second; without it, it is not waited for.
///
/// What concerns a single kernel does not stop the others: see [`KernelReport::failed`].
///
/// # Errors
/// [`SyncError`]; nothing was changed.
pub fn sync(
    root: &Root,
    rpm: Result<&Librpm, &librpm_rt::Error>,
    loader: &mut Loader<'_>,
    options: &Options,
    waiting: Option<&dyn Fn()>,
) -> Result<SyncReport, SyncError> {
    // Where nothing has to be changed nothing is written, not even the lock's file.
    let mut lock = if options.dry_run { None } else { Lock::take(root, false, waiting)? };
    let mut told: Vec<Problem> = Vec::new();
    let mut has_raced = false;
    loop {
        let noted = Noted::read(root);
        let mut survey = Survey::take(root, rpm, loader, &options.selection)?;
        // Somebody was at work meanwhile. The second time what is gone counts as unknown.
        if loader.take_race() && !std::mem::replace(&mut has_raced, true) {
            continue;
        }
        let unknown = Unknown::of(&mut survey);
        let mut unseen = Vec::new();
        let differences = match &unknown {
            None => differences(root, &survey, options, &mut unseen),
            Some(_) if options.dry_run => Vec::new(),
            Some(unknown) => index_alone(root, &survey, options, unknown),
        };
        if let Some(unknown) = unknown.clone().filter(|_| differences.is_empty()) {
            return Err(unknown.error(Vec::new()));
        }
        let leftovers = leftovers(root, &survey.inventory.dirs, &survey.inventory.releases, &mut unseen);
        let unchanged = differences.iter().all(|d| !d.links_change && !d.index_due);
        let mut initrds = options.initrd.as_ref().map(|request| Initrds::new(root, &survey, request, noted));
        let idle = leftovers.is_empty() && unchanged && initrds.as_ref().is_none_or(Initrds::is_idle);
        if !options.dry_run && !idle && lock.is_none() {
            lock = Lock::take(root, true, waiting)?;
            // The loader tells of a broken file once, when it reads it.
            told = survey.problems;
            let remark = lock.as_mut().and_then(|lock| lock.remark.take());
            told.extend(remark.map(|what| Problem::new(root.display(Path::new(DIRECTORY)), what)));
            // Another run may have been at work before the lock was ours.
            continue;
        }
        let mut problems = told;
        let again: HashSet<&Problem> = survey.problems.iter().collect();
        problems.retain(|p| !again.contains(p));
        problems.append(&mut unseen);
        if !options.dry_run && !root.is_system() {
            clear_temporary(root);
        }
        for leftover in leftovers.iter().filter(|_| !options.dry_run) {
            if let Err(e) = clear(root, leftover) {
                let what = format!("left by an interrupted run, and cannot be removed: {e}");
                problems.push(Problem::new(root.display(leftover), what));
            }
        }
        if let Some(initrds) =
            initrds.as_mut().filter(|_| !options.dry_run && (!unchanged || survey.is_unread()))
        {
            let changing = differences.iter().filter(|d| d.links_change || d.index_due);
            problems.extend(initrds.note(changing.map(|d| (d.release, !d.changes.is_empty()))));
        }
        let mut kernels: Vec<_> = differences.into_iter().map(|d| apply(root, &survey, d, options)).collect();
        if let Some(initrds) = initrds {
            let all = options.selection.kernels.is_empty() && unknown.is_none();
            problems.extend(initrds.look_after(&mut kernels, all, options.dry_run, lock));
        }
        if let Some(unknown) = unknown {
            return Err(unknown.error(kernels));
        }
        survey.problems.append(&mut problems);
        return Ok(SyncReport { kernels, survey });
    }
}

/// Every link stays as it is. The named kernel gets its index; so does each that is due for one, where it is only the
/// distribution that is not known: what depmod has to do does not depend on it.
fn index_alone<'s>(
    root: &Root,
    survey: &'s Survey,
    options: &Options,
    unknown: &Unknown,
) -> Vec<Difference<'s>> {
    let chosen = &options.selection.kernels;
    let kernels = survey.inventory.kernels().filter_map(|release| {
        let is_named = Some(&release.release) == options.named.as_ref();
        let index_due = inventory::stale(root, release).is_some();
        let is_served = match unknown {
            Unknown::Packages(_) => is_named,
            Unknown::Distribution(_) => {
                is_named || index_due && (chosen.is_empty() || chosen.contains(&release.release))
            }
        };
        let wanted = Wanted {
            links: BTreeMap::new(),
            foreign: Vec::new(),
            unwanted: Vec::new(),
            kernel_is_gone: false,
        };
        is_served.then_some(Difference {
            release,
            wanted,
            changes: Vec::new(),
            links_change: false,
            index_due,
            index_alone: true,
        })
    });
    kernels.collect()
}

fn differences<'s>(
    root: &Root,
    survey: &'s Survey,
    options: &Options,
    unseen: &mut Vec<Problem>,
) -> Vec<Difference<'s>> {
    let inventory = &survey.inventory;
    let planned: BTreeMap<ReleaseId, _> = survey.kernels.iter().map(|k| (k.release, &k.plan.links)).collect();
    let chosen = &options.selection.kernels;
    let mut result = Vec::new();
    for (index, release) in inventory.releases.each() {
        let links = planned.get(&index);
        let items = release.weak_updates.as_deref().unwrap_or_default();
        // A kernel that is not selected stays as it is; a release without a kernel should have no link.
        if links.is_none() && (release.is_kernel || !(chosen.is_empty() || chosen.contains(&release.release)))
        {
            continue;
        }
        let links_of_plan = || links.into_iter().flat_map(|l| l.iter());
        let mut wanted = Wanted {
            links: links_of_plan().map(|(link, (target, _))| (link.as_path(), target.as_path())).collect(),
            foreign: Vec::new(),
            unwanted: Vec::new(),
            kernel_is_gone: !release.is_kernel,
        };
        // By driver: the version that has links, and the one that should.
        let mut by_package: BTreeMap<&str, (Option<KmpId>, Option<KmpId>, bool)> = BTreeMap::new();
        let mut dangling = Vec::new();
        let mut present: BTreeMap<&Path, &Path> = BTreeMap::new();
        for item in items {
            if item.ownership == Ownership::Foreign {
                wanted.foreign.push(item);
                continue;
            }
            let right = is_right(item, &wanted.links);
            if let ItemKind::Link(target) = &item.kind
                && right
            {
                present.insert(&item.below, target);
            } else {
                wanted.unwanted.push(item);
            }
            if let Ownership::Ours(kmp) = item.ownership {
                let entry = by_package.entry(&inventory.kmps[kmp].driver.name).or_default();
                entry.0.get_or_insert(kmp);
                entry.2 |= !right;
            } else {
                dangling.push(PackageChange::Dangling(item.below.clone()));
            }
        }
        for (link, (_, kmp)) in links_of_plan() {
            let entry = by_package.entry(&inventory.kmps[*kmp].driver.name).or_default();
            entry.1 = Some(*kmp);
            entry.2 |= !present.contains_key(link.as_path());
        }
        let nvr = |kmp: KmpId| inventory.kmps[kmp].package.nvr();
        let mut changes: Vec<PackageChange> = by_package
            .into_values()
            .filter_map(|(old, new, differs)| match (old, new) {
                (None, Some(new)) => Some(PackageChange::Added(nvr(new))),
                (Some(old), None) => Some(PackageChange::Removed(nvr(old))),
                (Some(old), Some(new)) if old != new => {
                    Some(PackageChange::Replaced { old: nvr(old), new: nvr(new) })
                }
                (Some(_), Some(new)) if differs => Some(PackageChange::Repaired(nvr(new))),
                _ => None,
            })
            .collect();
        changes.append(&mut dangling);
        // A kernel that is gone keeps no empty directory; a run that was killed may have left one, and a KMP that went
        // after its kernel leaves what depmod has written and no package owns.
        let emptied = !release.is_kernel && release.weak_updates.as_ref().is_some_and(Vec::is_empty)
            || is_index_only(root, release).unwrap_or_else(|e| {
                unseen.push(Problem::unreadable(root.display(&release.dir), &e));
                false
            });
        let links_change = emptied || !wanted.unwanted.is_empty() || present.len() != wanted.links.len();
        let stale = release.is_kernel.then(|| inventory::stale(root, release)).flatten();
        if let Some(why) = &stale {
            log::debug!("depmod is due for kernel {}: {why}", release.release);
        }
        let index_due = release.is_kernel && (links_change || stale.is_some());
        if release.is_kernel || links_change {
            result.push(Difference { release, wanted, changes, links_change, index_due, index_alone: false });
        }
    }
    result
}

fn is_right(item: &Item, wanted: &BTreeMap<&Path, &Path>) -> bool {
    match &item.kind {
        // Byte for byte: `a//b` and `a/b` are the same path, but not the same link.
        ItemKind::Link(target) => {
            wanted.get(item.below.as_path()).is_some_and(|w| w.as_os_str() == target.as_os_str())
        }
        ItemKind::File => false,
    }
}

fn apply(root: &Root, survey: &Survey, difference: Difference<'_>, options: &Options) -> KernelReport {
    let Difference { release, wanted, changes, links_change, index_due, index_alone } = difference;
    let mut report = KernelReport {
        release: release.release.clone(),
        changes,
        error: None,
        unread: Vec::new(),
        index: Index::UpToDate,
        initrd: None,
        to_check: None,
    };
    let surveyed = survey.kernels.iter().find(|k| survey.inventory.releases[k.release].dir == release.dir);
    // Which packages there are matters to links only.
    let of_links = surveyed.and_then(|k| k.unread.as_ref()).filter(|_| !index_alone);
    let unread = release.unread.as_ref().or(of_links);
    if let Some(unread) = unread {
        let release = &release.release;
        report.changes = Vec::new();
        report.error =
            Some(format!("the links and the index of kernel {release} stay as they are, for {unread}"));
        return report;
    }
    report.unread = surveyed.map(|k| left_as_they_are(survey, k)).unwrap_or_default();
    if index_due {
        report.index = Index::Due;
    }
    if options.dry_run {
        return report;
    }
    if (links_change || index_due) && is_read_only(root, &release.dir) {
        keep_pending(root, &release.release);
        report.error = Some(format!(
            "{} is read-only, so the links for kernel {} stay as they are. On a transactional system run \
             \"transactional-update run kmp sync\", on others \"kmp sync\" as soon as it is writable",
            root.display(&release.dir).display(),
            release.release
        ));
        return report;
    }
    settle_pending(root, &release.release);
    if links_change && let Err(e) = switch(root, release, &wanted) {
        let dir = root.display(&release.dir);
        report.error = Some(format!("cannot change the links in {}: {e}", dir.display()));
        return report;
    }
    if index_due && !options.no_depmod {
        report.index = match options.depmod.run(root, &survey.inventory.dirs, release) {
            Ok(said) => Index::Written(said),
            Err(e) => Index::Failed(e.to_string()),
        };
    }
    report
}

/// The packages whose links stay in a kernel because something could not be read, with what that is.
fn left_as_they_are(survey: &Survey, kernel: &SurveyedKernel) -> Vec<String> {
    let unknown = survey.unknown(kernel).map(|(kmp, why)| {
        let nvr = survey.inventory.kmps[kmp].package.nvr();
        format!("{}: the links of {nvr} stay as they are: {}", kernel.kernel.release, printable(why.as_ref()))
    });
    unknown.collect()
}
