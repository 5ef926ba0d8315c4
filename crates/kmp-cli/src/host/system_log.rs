// SPDX-License-Identifier: LGPL-2.1-or-later
//! What was done, for the system's log: facility daemon, tag `kmp`, as rpm's plugin does. Nothing is said of a run that
//! changed nothing, nor of another root; a log that is not there, or does not listen, is no fault.

use std::path::Path;

use kmp_core::apply::{Done, Fate};
use kmp_core::last_update::{Kernel, LastUpdate};
use kmp_core::sync::{Index, KernelReport, SyncReport};
use kmp_core::system_log::{Level, SystemLog};

use crate::context::Context;
use crate::output::initrd_lines;

/// What the run was asked for because of: drivers that do not get there are reported though nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About<'a> {
    Nothing,
    /// This kernel is new.
    Kernel(&'a str),
    /// A package of this name is new.
    Package(&'a str),
}

/// Reports a run that has ended.
pub fn report(context: &Context, result: &Result<SyncReport, String>, about: About<'_>) {
    send(
        context,
        match result {
            Ok(report) => messages(report, about),
            Err(why) => vec![(Level::Error, why.clone())],
        },
    );
}

/// Reports kernels that are held back from now on, and those that were and are no more, while repositories still have them.
pub fn report_held(context: &Context, before: Option<&LastUpdate>, now: &LastUpdate) {
    let is_held = |of: Option<&LastUpdate>, package: &str| {
        of.is_some_and(|of| of.held().any(|kernel| kernel.package == package))
    };
    let message = |kernel: &Kernel| {
        let package = &kernel.package;
        match (is_held(before, package), is_held(Some(now), package)) {
            (false, true) => Some((Level::Warning, format!("{package} is held back: {}", kernel.reason))),
            (true, false) => Some((Level::Notice, format!("{package} may come: {}", kernel.reason))),
            _ => None,
        }
    };
    send(context, now.kernels.iter().filter_map(message).collect());
}

/// Reports initrds that were made, asked for, or could not be.
pub fn report_initrds<'f>(context: &Context, fates: impl Iterator<Item = (&'f str, &'f Fate)>) {
    send(context, fates.filter_map(|(release, fate)| of_initrd(release, fate)).collect());
}

fn send(context: &Context, messages: Vec<(Level, String)>) {
    if messages.is_empty() || context.root.path() != Path::new("/") {
        return;
    }
    let mut log = SystemLog::open();
    messages.iter().for_each(|(level, text)| log.send(*level, text));
}

fn messages(report: &SyncReport, about: About<'_>) -> Vec<(Level, String)> {
    let mut messages = Vec::new();
    for kernel in &report.kernels {
        let release = &kernel.release;
        // Where the links could not be switched, nothing of it came true.
        let changes = kernel.changes.iter().filter(|_| kernel.error.is_none());
        messages.extend(changes.map(|c| (Level::Notice, format!("{release}: {c}"))));
        let failed = kernel.error.iter().chain(&kernel.unread).chain(match &kernel.index {
            Index::Failed(why) => Some(why),
            _ => None,
        });
        messages.extend(failed.map(|why| (Level::Error, format!("{release}: {why}"))));
        for missing in report.not_linked(release) {
            let is_new = match about {
                About::Nothing => false,
                About::Kernel(new) => new == release,
                About::Package(new) => new == missing.kmp.package.name,
            };
            if is_new || has_changed(kernel) {
                messages.push((Level::Warning, format!("{release}: {missing}")));
            }
        }
        messages.extend(kernel.initrd.as_ref().and_then(|fate| of_initrd(release, fate)));
    }
    messages
}

fn of_initrd(release: &str, fate: &Fate) -> Option<(Level, String)> {
    match &fate.done {
        Done::Nothing | Done::Due => None,
        Done::Marked | Done::Built(_) => Some((Level::Notice, initrd_lines::line(release, fate)?)),
        Done::Failed(why) => {
            Some((Level::Error, format!("{release}: a new initrd is needed ({}), but {why}", fate.reason)))
        }
    }
}

fn has_changed(kernel: &KernelReport) -> bool {
    !kernel.changes.is_empty() || kernel.failed() || matches!(kernel.index, Index::Written(_))
}
