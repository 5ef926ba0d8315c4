// SPDX-License-Identifier: LGPL-2.1-or-later
//! The one thing that every entry point does: take stock, judge, plan, apply the difference, report.

mod at_the_end;
mod difference;
mod initrd;
mod report;

use std::collections::HashSet;
use std::path::Path;

use librpm_rt::Librpm;

use crate::apply::{self, Depmod, Place, clear, clear_temporary, is_read_only, leftovers, switch};
use crate::dialect::UnknownDistribution;
use crate::initrd::Request;
use crate::inventory::{Loader, PackageError};
use crate::problem::Problem;
use crate::root::Root;
use crate::run_dir::{DIRECTORY, Lock, LockError, keep_pending, settle_pending};
use crate::survey::{Selection, Survey};
use crate::workers::Workers;

pub use at_the_end::make_requested;
use difference::{Difference, differences, index_alone};
use initrd::{Initrds, Noted};
use report::left_as_they_are;
pub use report::{Index, KernelReport, NotLinked, PackageChange, SyncReport, ToCheck, first_reason};

/// What to do, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which kernels.
    pub selection: Selection,
    /// Change nothing, only report.
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
    /// Without the packages it is not known which links belong there.
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
    let mut earlier: Vec<Problem> = Vec::new();
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
            // The loader reports a broken file once, when it reads it.
            earlier = survey.problems;
            let remark = lock.as_mut().and_then(|lock| lock.remark.take());
            earlier.extend(remark.map(|what| Problem::new(root.display(Path::new(DIRECTORY)), what)));
            // Another run may have been at work before the lock was ours.
            continue;
        }
        let mut problems = earlier;
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
        let workers = loader.workers();
        let apply = |difference| apply(root, workers, &survey, difference, options);
        let mut kernels: Vec<_> = differences.into_iter().map(apply).collect();
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

fn apply(
    root: &Root,
    workers: &dyn Workers,
    survey: &Survey,
    difference: Difference<'_>,
    options: &Options,
) -> KernelReport {
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
    if wanted.kernel_is_gone {
        apply::forget(root, &release.release);
    }
    if index_due && !options.no_depmod {
        let (dirs, conventions) = (&survey.inventory.dirs, &survey.inventory.conventions);
        let place = Place { root, dirs, release, conventions, workers };
        report.index = match options.depmod.run(&place) {
            Ok(written) => Index::Written(written),
            Err(e) => Index::Failed(e.to_string()),
        };
    }
    report
}
