// SPDX-License-Identifier: LGPL-2.1-or-later
//! An entry: what a run has changed. Pure.

use serde::{Deserialize, Serialize};

use super::Caller;
use crate::sync::PackageChange;
use crate::system_log::{Event, Level, Message};

/// Of the form of entries. It changes when a field changes its meaning or goes.
const VERSION: u32 = 1;

/// The longest text that is kept, in bytes.
const TEXT: usize = 1000;

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

impl Held {
    /// In words.
    pub fn text(&self) -> String {
        let Self { package, held, reason } = self;
        if *held {
            format!("{package} is held back: {reason}")
        } else {
            format!("{package} may come: {reason}")
        }
    }
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

    /// What there is to say to the system's log.
    pub fn messages(&self) -> Vec<Message<'_>> {
        let mut messages = Vec::new();
        for kernel in &self.kernels {
            let release = kernel.release.as_str();
            let mut say = |level, event, package, text: &str| {
                let text = format!("{release}: {text}").into();
                messages.push(Message { level, event: Some(event), kernel: Some(release), package, text });
            };
            for change in &kernel.changes {
                let event = Event::ALL.into_iter().find(|event| event.word() == change.change);
                let event = event.unwrap_or(Event::Repaired);
                say(Level::Notice, event, change.package.as_deref(), &change.text);
            }
            kernel.errors.iter().for_each(|why| say(Level::Error, Event::Failed, None, why));
            for missing in &kernel.not_linked {
                say(Level::Warning, Event::NotLinked, Some(&missing.package), &missing.text());
            }
            if let Some(initrd) = &kernel.initrd {
                let (level, event) = match initrd.done {
                    InitrdDone::Requested => (Level::Notice, Event::InitrdRequested),
                    InitrdDone::Made => (Level::Notice, Event::InitrdMade),
                    InitrdDone::Failed => (Level::Error, Event::InitrdFailed),
                };
                say(level, event, None, &initrd.text());
            }
        }
        let of_all = |level, event| {
            move |text| Message { level, event: Some(event), kernel: None, package: None, text }
        };
        for update in &self.updates {
            let (level, event) = match update.held {
                true => (Level::Warning, Event::Held),
                false => (Level::Notice, Event::MayCome),
            };
            let package = Some(update.package.as_str());
            let text = update.text().into();
            messages.push(Message { level, event: Some(event), kernel: None, package, text });
        }
        let lost = match self.outcome {
            Outcome::Stopped => of_all(Level::Error, Event::Stopped),
            _ => of_all(Level::Warning, Event::Lost),
        };
        messages.extend(self.lost.iter().map(|line| lost(line.into())));
        messages.extend(self.errors.iter().map(|why| of_all(Level::Error, Event::Failed)(why.into())));
        messages
    }

    /// Leaves out of each list what is too much for a line of `limit` bytes. Returns the line, without its end.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn line(&mut self, limit: usize) -> std::io::Result<String> {
        self.version = VERSION;
        for most in [4096, 256, 32, 4, 1] {
            let mut left_out = 0;
            let mut cut = |length: usize| left_out += length.saturating_sub(most);
            cut(self.packages.len());
            self.packages.truncate(most);
            cut(self.updates.len());
            self.updates.truncate(most);
            cut(self.kernels.len());
            self.kernels.truncate(most);
            for kernel in &mut self.kernels {
                cut(kernel.changes.len());
                kernel.changes.truncate(most);
                cut(kernel.not_linked.len());
                kernel.not_linked.truncate(most);
                cut(kernel.errors.len());
                kernel.errors.truncate(most);
            }
            for list in [&mut self.lost, &mut self.errors] {
                cut(list.len());
                list.truncate(most);
            }
            self.left_out += left_out;
            let line = serde_json::to_string(self)?;
            if line.len() < limit {
                return Ok(line);
            }
        }
        Err(std::io::ErrorKind::FileTooLarge.into())
    }
}

impl KernelEntry {
    /// Were its links or its index changed, or should have been?
    pub fn has_changed(&self) -> bool {
        !self.changes.is_empty() || self.index.is_some() || !self.errors.is_empty()
    }
}

impl NotLinked {
    /// In words.
    pub fn text(&self) -> String {
        format!("{} not linked: {}", self.package, self.detail)
    }
}

impl Initrd {
    /// In words.
    pub fn text(&self) -> String {
        let reason = &self.reason;
        match (self.done, &self.error) {
            (InitrdDone::Requested, _) => format!("a new initrd was requested: {reason}"),
            (InitrdDone::Made, _) => format!("a new initrd was made: {reason}"),
            (InitrdDone::Failed, why) => {
                let why = why.as_deref().unwrap_or("that failed");
                format!("a new initrd is needed ({reason}), but {why}")
            }
        }
    }
}

/// A text of a bounded length.
pub(super) fn short(text: &str) -> String {
    if text.len() <= TEXT {
        return text.into();
    }
    let end = (0..=TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{} ...", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kernels: usize, changes: usize) -> Entry {
        let change = Change { change: "added".into(), package: Some("x".repeat(200)), text: "y".repeat(900) };
        let kernel = |n| KernelEntry {
            release: format!("{n}"),
            changes: vec![change.clone(); changes],
            ..KernelEntry::default()
        };
        Entry { kernels: (0..kernels).map(kernel).collect(), ..Entry::default() }
    }

    #[test]
    fn an_entry_of_any_size_is_a_line_of_bounded_size() {
        for (kernels, changes) in [(1, 1), (3, 500), (500, 3), (50, 50)] {
            let mut large = entry(kernels, changes);
            let line = large.line(1 << 16).unwrap();
            assert!(line.len() < 1 << 16 && !line.contains('\n'));
            assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), large);
            assert_eq!(large.left_out > 0, changes > 1, "{kernels} {changes}");
        }
        assert_eq!(short(&"ä".repeat(4000)).len(), TEXT + 4);
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

    #[test]
    fn the_words_for_changes_are_those_of_events() {
        let all = [
            PackageChange::Added("a".into()),
            PackageChange::Replaced { old: "a".into(), new: "b".into() },
            PackageChange::Removed("a".into()),
            PackageChange::Repaired("a".into()),
            PackageChange::Dangling("a".into()),
        ];
        for change in &all {
            assert!(Event::ALL.iter().any(|event| event.word() == change.word()), "{change}");
        }
    }
}
