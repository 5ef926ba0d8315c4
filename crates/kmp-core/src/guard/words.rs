// SPDX-License-Identifier: LGPL-2.1-or-later
//! The guard's words for people: one block of at most [`LINES`] lines of a terminal, the same wherever it is shown. Pure.

use textwrap::{Options, WordSeparator, WordSplitter};

use super::advice::advice;
use super::kernels::Role;
use super::lost::{Lost, Weight};
use super::machine::Judged;
use super::manager::Tools;
use super::policy::{Action, Finding};
use crate::abi::Reason;
use crate::abi::rule::Kind;

/// The most lines that are said of one transaction, on a terminal of [`COLUMNS`].
pub const LINES: usize = 12;

/// The columns that lines are wrapped at: 80 less what dnf writes before each line (`RPM: `).
pub const COLUMNS: usize = 75;

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
    /// The line to type at the end of the message, if there is one.
    pub command: Option<String>,
}

impl Line {
    fn new(action: Action, text: String) -> Self {
        Self { action, text, command: None }
    }

    fn with_command(action: Action, text: &str, command: String) -> Self {
        Self { action, text: format!("{text}: {command}"), command: Some(command) }
    }

    /// How many lines of a terminal it takes.
    fn rows(&self) -> usize {
        let prefix = match self.action {
            Action::Stop => "error: kmp: ",
            Action::Warn => "warning: kmp: ",
            Action::Say => "kmp: ",
        };
        wrapped(prefix, &self.text, self.command.as_deref()).len()
    }
}

/// Stands for a blank in a line to type, which is never broken.
const NO_BREAK: char = '\u{a0}';

/// A text as it is shown on a terminal behind `prefix`: broken between words, never inside of one, nor inside of the line to type
/// at its end.
pub fn wrapped(prefix: &str, text: &str, command: Option<&str>) -> Vec<String> {
    let command = command.filter(|command| text.ends_with(command)).unwrap_or_default();
    let before = &text[..text.len() - command.len()];
    let text = format!("{before}{}", command.replace(' ', NO_BREAK.encode_utf8(&mut [0; 4])));
    let options = Options::new(COLUMNS)
        .initial_indent(prefix)
        .subsequent_indent("    ")
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(&text, options).into_iter().map(|line| line.replace(NO_BREAK, " ")).collect()
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
                let rows: usize = lines.iter().map(Line::rows).sum();
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
    /// The command that has all of it, if `more` is that.
    plan: Option<String>,
}

impl Parts {
    fn of(judged: &Judged, sorted: &[Finding], loudest: Action, tools: &Tools) -> Self {
        let about =
            |release: &str| sorted.iter().filter(|f| f.lost.kernel == release).map(|f| f.action).max();
        let summaries = judged.kernels.iter().filter_map(|kernel| {
            let action = about(&kernel.release)?;
            (action > Action::Say).then(|| Line::new(action, kernel.summary()))
        });
        let advice = advice(sorted, tools)
            .into_iter()
            .map(|advice| Line::with_command(advice.action, &advice.text, advice.command));
        let first = &sorted[0].lost;
        let stopped = sorted.iter().filter(|f| f.action == Action::Stop).count();
        let them = if stopped == 1 { "it" } else { "them" };
        let again = (stopped > 0).then(|| match &tools.again {
            Some(command) => Line::with_command(
                Action::Stop,
                &format!("nothing has changed for the next boot; to go on without {them}"),
                format!("KMP_POLICY=warn {command}"),
            ),
            None => Line::with_command(
                Action::Stop,
                &format!("nothing has changed for the next boot; to go on without {them}, do the same after"),
                "export KMP_POLICY=warn".into(),
            ),
        });
        let boots = judged.kernels.iter().find(|k| k.boots_next && about(&k.release).is_some());
        let next_boot =
            (loudest == Action::Warn).then(|| boots.and_then(|kernel| kernel.next_boot())).flatten();
        let plan =
            first.kernel_file.as_ref().map(|file| format!("kmp plan {}", crate::printable(file.as_os_str())));
        let more = match (&plan, first.role) {
            (Some(plan), Role::Comes) => Some(Line::with_command(loudest, "all reasons", plan.clone())),
            (None, Role::Comes) => None,
            _ if first.reasons.is_empty() => None,
            _ => {
                let command = format!("kmp explain {} --kernel {}", first.package, first.kernel);
                Some(Line::with_command(loudest, "each symbol", command))
            }
        };
        Self {
            summaries: summaries.collect(),
            advice: advice.collect(),
            again,
            next_boot: next_boot.map(|next| Line::new(loudest, format!("next boot: {next}"))),
            more: more.filter(|_| loudest > Action::Say),
            plan,
        }
    }

    /// All lines, with so many drivers, and so many reasons of each.
    fn with_drivers(&self, sorted: &[Finding], shown: usize, reasons: usize) -> Vec<Line> {
        let driver = |f: &Finding| Line::new(f.action, f.lost.line_with(reasons));
        let mut lines: Vec<Line> = self.summaries.clone();
        lines.extend(sorted[..shown].iter().map(driver));
        let mut more = self.more.clone();
        if let Some(next) = sorted.get(shown) {
            let count = sorted.len() - shown;
            let drivers = if count == 1 { "driver" } else { "drivers" };
            match (&mut more, &self.plan) {
                (Some(more), Some(plan)) => {
                    let text = format!("{count} more {drivers}, and all reasons");
                    *more = Line::with_command(more.action, &text, plan.clone());
                }
                _ => lines.push(Line::new(next.action, format!("... and {count} more {drivers}"))),
            }
        }
        lines.extend(self.advice.iter().chain(&self.next_boot).chain(&self.again).chain(&more).cloned());
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

/// What is not linked, though the kernel would load it, for what it breaks.
pub fn would_load(reasons: &[Reason]) -> bool {
    !reasons.is_empty() && reasons.iter().all(|r| r.rule.kind() == Kind::Policy)
}

/// How a version that a kernel does not get fails.
pub(super) fn fails(reasons: &[Reason]) -> &'static str {
    if would_load(reasons) { "is not linked into" } else { "does not work with" }
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
            Role::Asked | Role::Stays | Role::Goes => format!("kernel {}", self.kernel),
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
            None if self.role == Role::Goes => {
                format!(
                    "{} ({modules}{used}) would be erased with {kernel}, the last one that it works with",
                    self.nvr
                )
            }
            None if self.is_erased && self.role == Role::Stays => {
                format!("{} ({modules}{used}) would be erased, and works with {kernel}", self.nvr)
            }
            None if self.is_erased => {
                format!("{} ({modules}{used}) would be erased, also for {kernel}", self.nvr)
            }
            None => format!("{} ({modules}{used}): no version of it would be left for {kernel}", self.nvr),
            Some(failing) => {
                let details: Vec<_> = self.reasons.iter().take(reasons).map(|r| r.detail.as_str()).collect();
                let more = match (reasons, self.reasons.len().saturating_sub(reasons)) {
                    (0, _) => String::new(),
                    (_, 0) => format!(": {}", details.join("; ")),
                    (_, more) => format!(": {}; and {more} more", details.join("; ")),
                };
                format!("{failing} ({modules}{used}) {} {kernel}{more}", fails(&self.reasons))
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
