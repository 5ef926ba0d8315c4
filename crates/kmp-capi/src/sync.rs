// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reconciling.

use std::ffi::c_int;

use kmp_core::apply::{Depmod, Done, Fate, Written};
use kmp_core::history::{self, About, Call};
use kmp_core::initrd::{Request, Settings};
use kmp_core::sync::{self, Index, KernelReport, Options, PackageChange, SyncReport};

use crate::error::Error;
use crate::handle::{Kmp, Shared, check_flags};
use crate::report::{Entry, Report, kind, of_state, state, verdict};
use crate::{arg, ret};

/// Flags of kmp_sync().
pub mod sync_flag {
    /// change nothing, write nothing, only report
    pub const DRY_RUN: u32 = 1;
    /// change links; the caller runs depmod
    pub const NO_DEPMOD: u32 = 2;
    /// do not wait for another run of kmp
    pub const NO_WAIT: u32 = 4;
}
use sync_flag::{DRY_RUN, NO_DEPMOD, NO_WAIT};

/// Corrects the weak-updates links of all kernels, and runs depmod for each kernel whose links changed.
/// Waits for another run of kmp, however long that takes, unless KMP_NO_WAIT is set. If a kernel needs a new initrd, a
/// request is left in /run/regenerate-initrd/; no initrd is made. Findings: KMP_CHANGE, KMP_DEPMOD, KMP_INITRD,
/// KMP_NOT_LINKED, KMP_PROBLEM.
/// *out is freed with kmp_report_free(); its verdict: KMP_VERDICT_GOOD there was nothing to do, KMP_VERDICT_WARN
/// something was (or would be) done, KMP_VERDICT_ABORT links, depmod or request failed for a kernel (the other
/// kernels were still processed).
/// KMP_E_DATABASE (nothing was changed), KMP_E_LOCK and KMP_E_BUSY (nothing was changed), KMP_E_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_sync(kmp: *mut Kmp, flags: u32, out: *mut *mut Report) -> c_int {
    ret::make(out, || {
        let shared = &arg::shared(kmp, "kmp")?.0;
        check_flags(flags, DRY_RUN | NO_DEPMOD | NO_WAIT)?;
        let (report, done) = reconcile(shared, flags, true)?;
        // Whoever has called it is not to fail for a log's sake.
        let _ = history::write(&shared.root, done, Call::Library);
        Ok(report)
    })
}

/// `initrds`: those of changed kernels are looked at. Also returns what is for the history: nothing of a dry run.
pub(crate) fn reconcile(
    shared: &Shared,
    flags: u32,
    initrds: bool,
) -> Result<(Report, history::Entry), Error> {
    // A guest builds nothing here: scripts at the end of the transaction do, or the plugin itself.
    let request = || Request { settings: Settings::markers_only(), ..Request::default() };
    let options = Options {
        dry_run: flags & DRY_RUN != 0,
        no_depmod: flags & NO_DEPMOD != 0,
        depmod: Depmod::from_environment(),
        initrd: initrds.then(request),
        ..Options::default()
    };
    let waiting: Option<&dyn Fn()> = if flags & NO_WAIT == 0 { Some(&|| {}) } else { None };
    let done = sync::sync(&shared.root, shared.rpm(), &mut shared.loader(), &options, waiting)?;
    let entry =
        if options.dry_run { history::Entry::default() } else { history::of_sync(&done, About::Nothing) };
    Ok((report(&done), entry))
}

fn report(done: &SyncReport) -> Report {
    let mut report = Report::default();
    for kernel in &done.kernels {
        let entries = of_kernel(kernel);
        let worst = match kernel.failed() {
            true => verdict::ABORT,
            false if entries.is_empty() => verdict::GOOD,
            false => verdict::WARN,
        };
        report.verdict = report.verdict.max(worst);
        report.entries.extend(entries);
    }
    for kernel in &done.kernels {
        for line in done.breaks(kernel) {
            let text = format!("{}: {line}", kernel.release);
            let entry = Entry::new(kind::PROBLEM, state::NONE, &text);
            report.entries.push(entry.release(&kernel.release));
        }
        for missing in done.not_linked(&kernel.release) {
            let nvr = missing.kmp.package.nvr();
            let text = format!("{}: {missing}", kernel.release);
            let entry = Entry::new(kind::NOT_LINKED, of_state(missing.state), &text);
            let reasons = missing.verdicts.iter().flat_map(|v| &v.reasons);
            report.entries.push(entry.release(&kernel.release).package(&nvr).reasons(reasons));
        }
    }
    if done.failed() {
        report.verdict = verdict::ABORT;
    }
    report.entries.extend(done.survey.problems.iter().map(Entry::problem));
    report
}

fn of_kernel(kernel: &KernelReport) -> Vec<Entry> {
    let mut entries = Vec::new();
    for change in &kernel.changes {
        let (state, nvr) = match change {
            PackageChange::Added(nvr) => (state::ADDED, Some(nvr)),
            PackageChange::Replaced { new, .. } => (state::REPLACED, Some(new)),
            PackageChange::Removed(nvr) => (state::REMOVED, Some(nvr)),
            PackageChange::Repaired(nvr) => (state::REPAIRED, Some(nvr)),
            PackageChange::Dangling(_) => (state::DANGLING, None),
        };
        // Where the links could not be switched, nothing of it came true.
        let state = if kernel.error.is_some() { state::FAILED } else { state };
        let entry = Entry::new(kind::CHANGE, state, &format!("{}: {change}", kernel.release));
        entries.push(match nvr {
            Some(nvr) => entry.package(nvr),
            None => entry,
        });
    }
    entries.extend(kernel.unread.iter().map(|why| Entry::new(kind::CHANGE, state::FAILED, why)));
    if let Some(error) = &kernel.error {
        entries.push(Entry::new(kind::CHANGE, state::FAILED, error));
    } else {
        let depmod = match &kernel.index {
            Index::UpToDate => None,
            Index::Due => Some((state::DUE, "depmod has to run".to_string())),
            Index::Written(Written { said, .. }) if said.is_empty() => {
                Some((state::DONE, "depmod ran".into()))
            }
            Index::Written(Written { said, .. }) => Some((state::DONE, format!("depmod ran: {said}"))),
            Index::Failed(why) => Some((state::FAILED, why.clone())),
        };
        let entry = |(state, text)| Entry::new(kind::DEPMOD, state, &format!("{}: {text}", kernel.release));
        entries.extend(depmod.map(entry));
    }
    entries.extend(kernel.initrd.iter().filter_map(|fate| of_initrd(&kernel.release, fate)));
    entries.into_iter().map(|e| e.release(&kernel.release)).collect()
}

pub(crate) fn of_initrd(release: &str, Fate { reason, done }: &Fate) -> Option<Entry> {
    let (state, text) = match done {
        Done::Nothing => return None,
        Done::Due => (state::DUE, format!("a new initrd is needed: {reason}")),
        Done::Marked => (state::DONE, format!("a new initrd was requested: {reason}")),
        Done::Built(_) => (state::DONE, format!("a new initrd was made: {reason}")),
        Done::Failed(why) => (state::FAILED, format!("a new initrd is needed ({reason}), but {why}")),
    };
    Some(Entry::new(kind::INITRD, state, &format!("{release}: {text}")))
}
