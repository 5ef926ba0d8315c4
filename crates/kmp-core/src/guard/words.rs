// SPDX-License-Identifier: LGPL-2.1-or-later
//! The guard's words for people: one block of at most [`LINES`] lines of a terminal, the same wherever it is shown. Pure.

use textwrap::{Options, WordSeparator, WordSplitter};

use super::advice::advice;
use super::kernels::Role;
use super::lost::{Lost, Weight};
use super::machine::Judged;
use super::manager::{Manager, Tools};
use super::policy::{Action, Finding};

/// The most lines that are said of one transaction, on a terminal of [`COLUMNS`].
pub const LINES: usize = 12;

/// The columns that lines are wrapped at.
pub const COLUMNS: usize = 80;

/// What rpm writes before the first line of a message at most; the other lines are indented.
const PREFIX: &str = "warning: kmp: ";

/// How many symbols, modules or packages a line names.
pub(super) const NAMED: usize = 3;

/// How long the names in a line may be together, if there is more than one.
const ROOM: usize = 60;

/// A message, and how loud it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub action: Action,
    /// The message; on a terminal it may take more than one line.
    pub text: String,
}

/// A text as it is shown on a terminal behind `prefix`: broken between words, never inside of one.
pub fn wrapped(prefix: &str, text: &str) -> Vec<String> {
    let options = Options::new(COLUMNS)
        .initial_indent(prefix)
        .subsequent_indent("    ")
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).into_iter().map(Into::into).collect()
}

/// The block: how many drivers are lost; the drivers, those first that the transaction is stopped for; what helps; and the ways
/// on. `may_stop`: is it stopped where a driver has to be kept, or is there no more than a warning?
pub fn block(judged: &Judged, tools: &Tools, may_stop: bool) -> Vec<Line> {
    let mut sorted: Vec<Finding> = judged.findings.clone();
    for finding in sorted.iter_mut().filter(|f| !may_stop && f.action == Action::Stop) {
        finding.action = Action::Warn;
    }
    sorted.sort_by_key(|f| std::cmp::Reverse(f.action));
    let Some(loudest) = sorted.first().map(|f| f.action) else { return Vec::new() };
    let mut parts = Parts::of(judged, &sorted, loudest, tools);
    // What does not fit is left out: the last of what is not needed first.
    loop {
        for reasons in (1..=NAMED).rev() {
            for shown in (1..=sorted.len()).rev() {
                let lines = parts.with_drivers(&sorted, shown, reasons);
                let rows: usize = lines.iter().map(|line| wrapped(PREFIX, &line.text).len()).sum();
                // To name more drivers says more than to name more reasons of one.
                if rows <= LINES && (shown == sorted.len() || reasons == 1) {
                    return lines;
                }
            }
        }
        if !parts.shorten() {
            let mut lines = parts.with_drivers(&sorted, 1, 0);
            lines.truncate(LINES);
            return lines;
        }
    }
}

/// What is said besides a line for each driver.
struct Parts {
    /// Before the drivers: a line for each kernel that loses some.
    summaries: Vec<Line>,
    /// After them: first what helps.
    advice: Vec<Line>,
    /// The way to go on.
    again: Option<Line>,
    /// What the next boot is like.
    next_boot: Option<Line>,
    /// Where there is more.
    more: Option<Line>,
}

impl Parts {
    fn of(judged: &Judged, sorted: &[Finding], loudest: Action, tools: &Tools) -> Self {
        let line = |action: Action, text: String| Line { action, text };
        let about =
            |release: &str| sorted.iter().filter(|f| f.lost.kernel == release).map(|f| f.action).max();
        let summaries = judged.kernels.iter().filter_map(|kernel| {
            let action = about(&kernel.release)?;
            (action > Action::Say).then(|| line(action, kernel.summary()))
        });
        let advice = advice(sorted, tools).into_iter().map(|advice| line(advice.action, advice.to_string()));
        let first = &sorted[0].lost;
        let stopped = sorted.iter().filter(|f| f.action == Action::Stop).count();
        let them = if stopped == 1 { "it" } else { "them" };
        let again = (stopped > 0).then(|| {
            let text = match (&tools.again, tools.manager) {
                (Some(command), _) => format!("to go on without {them}: KMP_POLICY=warn {command}"),
                (None, Manager::Zypper | Manager::Dnf) => {
                    format!("to go on without {them}, do the same again after: export KMP_POLICY=warn")
                }
            };
            line(Action::Stop, text)
        });
        let boots = judged.kernels.iter().find(|k| k.boots_next && about(&k.release).is_some());
        let next_boot = match (loudest, boots.and_then(|kernel| kernel.next_boot())) {
            (Action::Stop, _) => {
                Some("nothing was changed: the next boot is as it would have been".to_string())
            }
            (Action::Warn, Some(next)) => Some(format!("next boot: {next}")),
            _ => None,
        };
        let more = match (&first.kernel_file, first.role) {
            (Some(file), Role::Comes) => {
                let file = crate::printable(file.as_os_str());
                Some(format!("every driver and reason: kmp plan {file}"))
            }
            (None, Role::Comes) => None,
            _ if first.reasons.is_empty() => None,
            _ => Some(format!("every symbol: kmp explain {} --kernel {}", first.package, first.kernel)),
        };
        Self {
            summaries: summaries.collect(),
            advice: advice.collect(),
            again,
            next_boot: next_boot.map(|text| line(loudest, text)),
            more: more.filter(|_| loudest > Action::Say).map(|text| line(loudest, text)),
        }
    }

    /// All lines, with so many drivers, and so many reasons of each.
    fn with_drivers(&self, sorted: &[Finding], shown: usize, reasons: usize) -> Vec<Line> {
        let driver = |f: &Finding| Line { action: f.action, text: f.lost.line_with(reasons) };
        let mut lines: Vec<Line> = self.summaries.clone();
        lines.extend(sorted[..shown].iter().map(driver));
        if let Some(next) = sorted.get(shown) {
            let count = sorted.len() - shown;
            let drivers = if count == 1 { "driver" } else { "drivers" };
            lines.push(Line { action: next.action, text: format!("... and {count} more {drivers}") });
        }
        lines.extend(self.advice.iter().chain(&self.next_boot).chain(&self.again).chain(&self.more).cloned());
        lines
    }

    /// Leaves out what is needed least.
    fn shorten(&mut self) -> bool {
        if self.more.take().is_some() || self.next_boot.take().is_some() {
            return true;
        }
        if self.summaries.len() > 1 || self.advice.len() > 1 {
            if self.summaries.len() > self.advice.len() {
                self.summaries.pop()
            } else {
                self.advice.pop()
            };
            return true;
        }
        false
    }
}

/// The first few, and how many more there are.
pub(super) fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let (total, mut first, mut shown) = (names.len(), String::new(), 0);
    for name in names.take(NAMED) {
        if shown > 0 && first.len() + name.len() > ROOM {
            break;
        }
        first = if shown == 0 { name } else { format!("{first}, {name}") };
        shown += 1;
    }
    if total > shown { format!("{first} and {} more", total - shown) } else { first }
}

impl Lost {
    /// One line for people: which driver, which kernel, the first reasons and how many more, and what it matters for.
    pub fn line(&self) -> String {
        self.line_with(NAMED)
    }

    /// The same with so many reasons; with none, nothing is said of reasons at all.
    fn line_with(&self, reasons: usize) -> String {
        let modules = listed(self.modules.iter().cloned());
        let used = if self.needed_for.holds_root {
            ", needed for the root file system"
        } else if self.needed_for.holds_network {
            ", needed for the network"
        } else if self.needed_for.is_loaded {
            ", loaded now"
        } else {
            ""
        };
        let kernel = match self.role {
            Role::Comes => format!("the new kernel {}", self.kernel),
            Role::Asked | Role::Stays => format!("kernel {}", self.kernel),
        };
        if let Some(maker) = self.made_by {
            let maker = maker.as_str();
            return format!(
                "{} ({modules}) is built on this machine by {maker}: {kernel} has it once that is done",
                self.nvr
            );
        }
        let instead = listed(self.instead.iter().cloned());
        if self.weight == Weight::None {
            return format!(
                "{} ({modules}{used}) does not work with {kernel}, which has {instead} of its own",
                self.nvr
            );
        }
        let mut line = match &self.failing {
            None if self.is_erased => {
                format!("{} ({modules}{used}) would be erased, and works with {kernel}", self.nvr)
            }
            None => format!("{} ({modules}{used}): no version of it would be left for {kernel}", self.nvr),
            Some(failing) => {
                let details: Vec<_> = self.reasons.iter().take(reasons).map(|r| r.detail.as_str()).collect();
                let more = match (reasons, self.reasons.len().saturating_sub(reasons)) {
                    (0, _) => String::new(),
                    (_, 0) => format!(": {}", details.join("; ")),
                    (_, more) => format!(": {}; and {more} more", details.join("; ")),
                };
                format!("{failing} ({modules}{used}) does not work with {kernel}{more}")
            }
        };
        if self.failing.as_ref().is_some_and(|failing| *failing != self.nvr) && self.role == Role::Stays {
            line = format!("{line}; {}, which does, would go", self.nvr);
        }
        if !self.instead.is_empty() {
            line = format!("{line}; {kernel} has {instead} of its own");
        }
        if let (Weight::Warning, Some(kept)) = (self.weight, &self.kept_in) {
            line = format!("{line}; kernel {kept} has the driver");
        }
        line
    }
}
