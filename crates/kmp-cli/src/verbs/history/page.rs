// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp history` for people.

use kmp_core::history::{Entry, Index, InitrdDone, Outcome};
use kmp_core::printable;

use super::time::minute;
use crate::output::terminal::{Colour, Page};

/// A line or two for each run.
pub fn list<'e>(page: &mut Page, entries: impl ExactSizeIterator<Item = &'e Entry> + Clone, more: usize) {
    let digits = |entry: &Entry| entry.run.to_string().len();
    let width = entries.clone().map(digits).max().unwrap_or(0);
    for entry in entries {
        let start = format!("{:>width$}  {}", entry.run, minute(entry.time));
        let text = format!("{start}  {}: {}", by(entry), summary(entry));
        page.wrapped_behind(0, start.len() + 2, &text);
    }
    if more > 0 {
        page.line(format!("{more} older ones: kmp history --number 0"));
    }
}

/// All that is known of each run.
pub fn details<'e>(page: &mut Page, entries: impl Iterator<Item = &'e Entry>) {
    for (at, entry) in entries.enumerate() {
        if at > 0 {
            page.line("");
        }
        let colour = match entry.outcome {
            Outcome::Done => Colour::Bold,
            Outcome::Failed | Outcome::Stopped => Colour::Red,
        };
        page.wrapped_in(
            colour,
            &format!("Run {}, {}: {}", entry.run, minute(entry.time), entry.outcome.word()),
        );
        page.wrapped_behind(0, 2, &format!("Called by {}", called(entry)));
        if !entry.packages.is_empty() {
            page.wrapped_behind(0, 2, &format!("For {}", entry.packages.join(", ")));
        }
        entry.updates.iter().for_each(|update| page.wrapped_behind(0, 2, &update.text()));
        entry.lost.iter().chain(&entry.errors).for_each(|line| page.wrapped_behind(0, 2, line));
        for kernel in &entry.kernels {
            page.line(format!("Kernel {}:", kernel.release));
            let mut line = |text: &str| page.wrapped_behind(2, 2, text);
            kernel.changes.iter().for_each(|change| line(&change.text));
            kernel.not_linked.iter().for_each(|missing| line(&missing.text()));
            match kernel.index {
                Some(Index::Depmod) => line("its index was written by depmod"),
                Some(Index::Kmp) => line("its index was written by kmp"),
                Some(Index::Failed) | None => {}
            }
            kernel.initrd.iter().for_each(|initrd| line(&initrd.text()));
            kernel.errors.iter().for_each(|why| line(why));
        }
        if entry.left_out > 0 {
            page.line(format!("{} more were too many for the log", entry.left_out));
        }
    }
}

/// Who has called a run, in few words.
pub fn by(entry: &Entry) -> String {
    // A plugin has no line of its own, and who typed a command has typed it.
    let is_typed = |by: &str| {
        by.contains(' ') || entry.caller.call.starts_with("rpm's") || entry.caller.call.starts_with("lib")
    };
    let by = entry.caller.by.as_deref().filter(|by| is_typed(by)).unwrap_or(&entry.caller.call);
    printable(by.as_ref())
}

fn called(entry: &Entry) -> String {
    let caller = &entry.caller;
    let by = caller.by.iter().map(|by| format!("{by}, "));
    let user = caller.uid.map(|uid| {
        let user = nix::unistd::User::from_uid(uid.into()).ok().flatten();
        user.map_or_else(|| format!(" (user {uid})"), |user| format!(" (user {})", user.name))
    });
    format!("{}{}{}", by.collect::<String>(), caller.call, user.unwrap_or_default())
}

/// What came of a run, in a line.
fn summary(entry: &Entry) -> String {
    let first = |lines: &[String]| lines.first().cloned().unwrap_or_default();
    if entry.outcome == Outcome::Stopped {
        return format!("stopped: {}", first(&entry.lost));
    }
    let mut parts = Vec::new();
    for word in ["added", "replaced", "removed", "repaired", "dangling"] {
        let changes = || entry.kernels.iter().flat_map(|kernel| &kernel.changes).filter(|c| c.change == word);
        let shown = if word == "dangling" { "dangling removed" } else { word };
        match (changes().count(), changes().next()) {
            (0, _) | (_, None) => {}
            (1, Some(change)) => parts.push(change.text.clone()),
            (n, _) => parts.push(format!("{n} {shown}")),
        }
    }
    match entry.updates.as_slice() {
        [] => {}
        [update] => parts.push(update.text()),
        updates => parts.push(format!("{} kernels held back, or no more", updates.len())),
    }
    let mut count = |n: usize, what: &str| {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    };
    count(entry.kernels.iter().map(|kernel| kernel.not_linked.len()).sum(), "not linked");
    let initrds =
        |done| entry.kernels.iter().filter(|k| k.initrd.as_ref().is_some_and(|i| i.done == done)).count();
    for (done, word) in
        [(InitrdDone::Made, "made"), (InitrdDone::Requested, "requested"), (InitrdDone::Failed, "failed")]
    {
        let n = initrds(done);
        count(n, &format!("initrd{} {word}", if n == 1 { "" } else { "s" }));
    }
    if parts.is_empty() && entry.errors.is_empty() && entry.kernels.iter().any(|k| k.index.is_some()) {
        parts.push("index written".into());
    }
    let mut text = parts.join(", ");
    match entry.kernels.as_slice() {
        [] => {}
        [kernel] => text.push_str(&format!(" in {}", kernel.release)),
        kernels => text.push_str(&format!(" in {} kernels", kernels.len())),
    }
    let mut errors = entry.errors.iter().chain(entry.kernels.iter().flat_map(|kernel| &kernel.errors));
    let lost = entry.lost.first().map(|line| format!("went on: {line}"));
    let failed = errors.next().map(|why| format!("failed: {why}"));
    let parts = [Some(text).filter(|text| !text.is_empty()), lost, failed];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
