// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a run of sync or update, or the making of an initrd, leaves in the history. Pure.

use super::entry::{Change, Entry, Held, Index, Initrd, InitrdDone, KernelEntry, NotLinked, Outcome};
use super::line::short;
use crate::apply::{Done, Fate};
use crate::last_update::{Kernel, LastUpdate};
use crate::sync::{self, KernelReport, SyncReport};

/// What the run was asked for because of: drivers that do not get there are reported though nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About<'a> {
    /// All that there is.
    Nothing,
    /// This kernel is new.
    Kernel(&'a str),
    /// A package of this name is new.
    Package(&'a str),
}

/// What a run of sync did.
pub fn of_sync(report: &SyncReport, about: About<'_>) -> Entry {
    let mut entry = Entry::default();
    for kernel in &report.kernels {
        let mut own = of_kernel(kernel);
        for missing in report.not_linked(&kernel.release) {
            let is_new = match about {
                About::Nothing => false,
                About::Kernel(new) => new == kernel.release,
                About::Package(new) => new == missing.kmp.package.name,
            };
            if is_new || own.has_changed() {
                own.not_linked.push(NotLinked {
                    package: missing.kmp.package.nvr(),
                    state: missing.state.word().into(),
                    detail: short(&missing.detail),
                });
            }
        }
        if own.has_changed() || own.initrd.is_some() || !own.not_linked.is_empty() {
            entry.kernels.push(own);
        }
        if kernel.failed() {
            entry.outcome = Outcome::Failed;
        }
    }
    entry
}

/// Kernels that are held back from now on, and those that were and are no more, while repositories still have them.
pub fn of_held(before: Option<&LastUpdate>, now: &LastUpdate) -> Entry {
    let is_held = |of: Option<&LastUpdate>, package: &str| {
        of.is_some_and(|of| of.held().any(|kernel| kernel.package == package))
    };
    let held = |kernel: &Kernel| {
        let (package, reason) = (&kernel.package, short(&kernel.reason));
        let is_now = is_held(Some(now), package);
        (is_now != is_held(before, package)).then(|| Held { package: package.clone(), held: is_now, reason })
    };
    Entry { updates: now.kernels.iter().filter_map(held).collect(), ..Entry::default() }
}

/// A run that did not come to its end.
pub fn of_failure(why: &str) -> Entry {
    Entry { errors: vec![short(why)], outcome: Outcome::Failed, ..Entry::default() }
}

/// A kernel's initrd was asked for, made, or could not be.
pub fn of_initrd(release: &str, fate: &Fate) -> Entry {
    let initrd = initrd(fate);
    let outcome = match initrd.as_ref().map(|initrd| initrd.done) {
        Some(InitrdDone::Failed) => Outcome::Failed,
        _ => Outcome::Done,
    };
    let kernel = initrd.map(|initrd| KernelEntry {
        release: release.into(),
        initrd: Some(initrd),
        ..KernelEntry::default()
    });
    Entry { kernels: kernel.into_iter().collect(), outcome, ..Entry::default() }
}

/// An initrd was made for which there was a request, or, with the reason, could not be.
pub fn of_request(release: &str, failed: Option<&str>) -> Entry {
    let (done, outcome) = match failed {
        None => (InitrdDone::Made, Outcome::Done),
        Some(_) => (InitrdDone::Failed, Outcome::Failed),
    };
    let reason = "it was requested".into();
    let initrd = Some(Initrd { done, reason, error: failed.map(short) });
    let kernel = KernelEntry { release: release.into(), initrd, ..KernelEntry::default() };
    Entry { kernels: vec![kernel], outcome, ..Entry::default() }
}

fn of_kernel(kernel: &KernelReport) -> KernelEntry {
    // Where the links could not be switched, nothing of it came true.
    let changes = kernel.changes.iter().filter(|_| kernel.error.is_none());
    let failed = match &kernel.index {
        sync::Index::Failed(why) => Some(why),
        _ => None,
    };
    let errors = kernel.error.iter().chain(&kernel.unread).chain(failed);
    KernelEntry {
        release: kernel.release.clone(),
        changes: changes.map(Change::from).collect(),
        index: match &kernel.index {
            sync::Index::UpToDate | sync::Index::Due => None,
            sync::Index::Written(written) if written.by_depmod => Some(Index::Depmod),
            sync::Index::Written(_) => Some(Index::Kmp),
            sync::Index::Failed(_) => Some(Index::Failed),
        },
        initrd: kernel.initrd.as_ref().and_then(initrd),
        not_linked: Vec::new(),
        errors: errors.map(|why| short(why)).collect(),
    }
}

fn initrd(Fate { reason, done }: &Fate) -> Option<Initrd> {
    let (done, error) = match done {
        Done::Nothing | Done::Due => return None,
        Done::Marked => (InitrdDone::Requested, None),
        Done::Built(_) => (InitrdDone::Made, None),
        Done::Failed(why) => (InitrdDone::Failed, Some(short(why))),
    };
    Some(Initrd { done, reason: short(&reason.to_string()), error })
}
