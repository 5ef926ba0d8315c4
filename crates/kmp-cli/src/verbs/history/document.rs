// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp history --json`: a document a run.

use kmp_core::history::{self, Entry};
use serde::Serialize;

use super::time::rfc3339;
use crate::output::json;

/// What `kmp history --json` prints in each line: a run.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Run {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// Its number.
    run: u64,
    /// When it ended (RFC 3339).
    time: String,
    /// Who has called it.
    caller: Caller,
    /// How it ended. `stopped`: the transaction was stopped, as it would have lost a driver; nothing was changed.
    #[cfg_attr(test, schemars(extend("enum" = ["done", "failed", "stopped"])))]
    outcome: &'static str,
    /// The packages of the transaction that are kernels or have drivers (`NAME-VERSION-RELEASE.ARCH`).
    packages: Vec<String>,
    /// What was changed, kernel by kernel.
    kernels: Vec<Kernel>,
    /// Kernels in repositories that are held back since, or no more.
    updates: Vec<Held>,
    /// The drivers that the transaction loses, or would have lost: the message's lines.
    lost: Vec<String>,
    /// What failed and is about no single kernel.
    errors: Vec<String>,
    /// How many items of these lists were too many for the log.
    left_out: usize,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Held {
    /// Its package.
    package: String,
    /// Is it held back?
    held: bool,
    /// Why, in words.
    reason: String,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Caller {
    /// The command's own line, `rpm's plugin`, or `libkmp`.
    call: String,
    /// The command line of the package manager in which that was; without one, the program that has called it. Null: not known.
    by: Option<String>,
    /// The number of the user who has logged in. Null: not known.
    uid: Option<u32>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Kernel {
    /// The kernel's release.
    release: String,
    /// What was changed, package by package.
    changes: Vec<Change>,
    /// Who has written its index. Null: that was not due.
    #[cfg_attr(test, schemars(extend("enum" = ["depmod", "kmp", "failed", null])))]
    index: Option<&'static str>,
    /// Its initrd. Null: no new one was needed, or nobody looked.
    initrd: Option<Initrd>,
    /// KMPs that it does not get.
    not_linked: Vec<NotLinked>,
    /// What failed.
    errors: Vec<String>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Change {
    /// As in `kmp sync --json`: `added`, `replaced`, `removed`, `repaired`, `dangling`.
    change: String,
    /// The package (`NAME-VERSION-RELEASE`); of a dangling link it is not known.
    package: Option<String>,
    /// In words.
    text: String,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Initrd {
    /// What was done.
    #[cfg_attr(test, schemars(extend("enum" = ["requested", "made", "failed"])))]
    done: &'static str,
    /// Why a new one is needed, in words.
    reason: String,
    /// Why it was not made.
    error: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct NotLinked {
    /// `NAME-VERSION-RELEASE`.
    package: String,
    /// Its state there.
    state: String,
    /// Why not, in words.
    detail: String,
}

impl From<&Entry> for Run {
    fn from(entry: &Entry) -> Self {
        let caller = entry.caller.clone();
        let held = |h: history::Held| Held { package: h.package, held: h.held, reason: h.reason };
        Self {
            version: json::VERSION,
            run: entry.run,
            time: rfc3339(entry.time),
            caller: Caller { call: caller.call, by: caller.by, uid: caller.uid },
            outcome: entry.outcome.word(),
            packages: entry.packages.clone(),
            kernels: entry.kernels.iter().map(Kernel::from).collect(),
            updates: entry.updates.iter().cloned().map(held).collect(),
            lost: entry.lost.clone(),
            errors: entry.errors.clone(),
            left_out: entry.left_out,
        }
    }
}

impl From<&history::KernelEntry> for Kernel {
    fn from(kernel: &history::KernelEntry) -> Self {
        let kernel = kernel.clone();
        let change = |c: history::Change| Change { change: c.change, package: c.package, text: c.text };
        let not_linked =
            |n: history::NotLinked| NotLinked { package: n.package, state: n.state, detail: n.detail };
        Self {
            release: kernel.release,
            changes: kernel.changes.into_iter().map(change).collect(),
            index: kernel.index.map(history::Index::word),
            initrd: kernel.initrd.map(|i| Initrd { done: i.done.word(), reason: i.reason, error: i.error }),
            not_linked: kernel.not_linked.into_iter().map(not_linked).collect(),
            errors: kernel.errors,
        }
    }
}
