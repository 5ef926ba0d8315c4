// SPDX-License-Identifier: LGPL-2.1-or-later
//! An entry: what a run has changed. Pure.

use serde::{Deserialize, Serialize};

use super::Caller;
use super::line::short;
use crate::sync::PackageChange;

/// A run, and what it has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Of its form.
    pub version: u32,
    /// Its number, which is one higher than that of the run before.
    pub run: u64,
    /// When it ended, in seconds since 1970.
    pub time: u64,
    /// Who has called it.
    pub caller: Caller,
    /// How it ended.
    pub outcome: Outcome,
    /// The packages for whose sake it was called: `NAME-VERSION-RELEASE`, in a transaction with `.ARCH`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// What was changed, kernel by kernel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kernels: Vec<KernelEntry>,
    /// Kernels in repositories that are held back since, or no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub updates: Vec<Held>,
    /// The drivers that the transaction loses, or would have lost, and what helps: the message's lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// What failed and is about no single kernel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// How many changes, drivers and kernels are left out, as there were too many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All was done.
    #[default]
    Done,
    /// Something failed.
    Failed,
    /// The transaction was stopped, and nothing was changed.
    Stopped,
}

impl Outcome {
    /// The word for it, for programs and people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// What was changed for one kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelEntry {
    /// Its release.
    pub release: String,
    /// Its links, package by package.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Its index, where that was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Index>,
    /// Its initrd, where a new one was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initrd: Option<Initrd>,
    /// The drivers that it does not get.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_linked: Vec<NotLinked>,
    /// What failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// What happened to one package's links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// [`PackageChange::word`].
    pub change: String,
    /// The package, `NAME-VERSION-RELEASE`; of a dangling link it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// In words.
    pub text: String,
}

impl From<&PackageChange> for Change {
    fn from(change: &PackageChange) -> Self {
        Self {
            change: change.word().into(),
            package: change.package().map(Into::into),
            text: short(&change.to_string()),
        }
    }
}

/// By whom an index was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Index {
    /// By depmod.
    Depmod,
    /// By kmp itself.
    Kmp,
    /// By nobody: it failed.
    Failed,
}

impl Index {
    /// The word for it, for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Depmod => "depmod",
            Self::Kmp => "kmp",
            Self::Failed => "failed",
        }
    }
}

/// What became of a kernel's initrd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Initrd {
    /// What was done.
    pub done: InitrdDone,
    /// Why a new one is needed, in words.
    pub reason: String,
    /// Why it was not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What was done for a new initrd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InitrdDone {
    /// It was requested.
    Requested,
    /// It was made.
    Made,
    /// It could not be made.
    Failed,
}

impl InitrdDone {
    /// The word for it, for programs and people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Made => "made",
            Self::Failed => "failed",
        }
    }
}

/// A driver that a kernel does not get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotLinked {
    /// The package, `NAME-VERSION-RELEASE`.
    pub package: String,
    /// The word for its state there.
    pub state: String,
    /// Why, in words.
    pub detail: String,
}

/// A kernel in a repository that is held back since, or no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Its package.
    pub package: String,
    /// Is it held back?
    pub held: bool,
    /// Why, in words.
    pub reason: String,
}

impl Entry {
    /// Is there nothing to report?
    pub fn is_empty(&self) -> bool {
        self.kernels.is_empty() && self.updates.is_empty() && self.lost.is_empty() && self.errors.is_empty()
    }

    /// Adds what came after it in the same run.
    pub fn add(&mut self, later: Self) {
        for kernel in later.kernels {
            let Some(own) = self.kernels.iter_mut().find(|own| own.release == kernel.release) else {
                self.kernels.push(kernel);
                continue;
            };
            own.changes.extend(kernel.changes);
            own.index = kernel.index.or(own.index);
            own.initrd = kernel.initrd.or(own.initrd.take());
            // Said anew where links were changed again.
            let is_new = |missing: &NotLinked| !own.not_linked.contains(missing);
            let new: Vec<NotLinked> = kernel.not_linked.into_iter().filter(is_new).collect();
            own.not_linked.extend(new);
            own.errors.extend(kernel.errors);
        }
        self.packages.extend(later.packages);
        self.updates.extend(later.updates);
        self.lost.extend(later.lost);
        self.errors.extend(later.errors);
        if later.outcome != Outcome::Done {
            self.outcome = later.outcome;
        }
    }

    /// Without what failed: it will be tried again.
    #[must_use]
    pub fn without_failures(mut self) -> Self {
        self.errors.clear();
        for kernel in &mut self.kernels {
            kernel.errors.clear();
            kernel.index = kernel.index.filter(|index| *index != Index::Failed);
        }
        self.kernels.retain(|kernel| kernel.has_changed() || kernel.initrd.is_some());
        self.outcome = Outcome::Done;
        self
    }
}

impl KernelEntry {
    /// Were its links or its index changed, or should have been?
    pub fn has_changed(&self) -> bool {
        !self.changes.is_empty() || self.index.is_some() || !self.errors.is_empty()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn entry(kernels: usize, changes: usize) -> Entry {
        let change = Change { change: "added".into(), package: Some("x".repeat(200)), text: "y".repeat(900) };
        let kernel = |n| KernelEntry {
            release: format!("{n}"),
            changes: vec![change.clone(); changes],
            ..KernelEntry::default()
        };
        Entry { kernels: (0..kernels).map(kernel).collect(), ..Entry::default() }
    }

    #[test]
    fn parts_of_a_run_are_one_entry_and_what_is_tried_again_did_not_fail() {
        let failed = KernelEntry {
            release: "0".into(),
            index: Some(Index::Failed),
            errors: vec!["depmod failed".into()],
            ..KernelEntry::default()
        };
        let first = Entry { kernels: vec![failed], outcome: Outcome::Failed, ..entry(0, 0) };
        assert!(first.clone().without_failures().is_empty());
        let mut run = entry(1, 1);
        run.add(first.clone());
        run.add(entry(2, 1));
        assert_eq!((run.kernels.len(), run.kernels[0].changes.len(), run.outcome), (2, 2, Outcome::Failed));
        assert_eq!(run.messages().len(), 4);
    }
}
