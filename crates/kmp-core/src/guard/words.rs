// SPDX-License-Identifier: LGPL-2.1-or-later
//! The guard's words for people: one block of at most [`LINES`] lines of a terminal, the same wherever it is shown. Pure.

use textwrap::{Options, WordSeparator, WordSplitter};

use super::advice::advice;
use super::driver_line::{Form, NAMED};
use super::kernels::Role;
use super::machine::Judged;
use super::manager::Tools;
use super::policy::{Action, Finding};

/// The most lines that are said of one transaction, on a terminal of [`COLUMNS`].
pub const LINES: usize = 12;

/// The columns that lines are wrapped at: 80 less what dnf writes before each line (`RPM: `).
pub const COLUMNS: usize = 75;

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
    sorted.sort_by_key(|f| (std::cmp::Reverse(f.action), f.lost.needed_for.rank()));
    let Some(loudest) = sorted.first().map(|f| f.action) else { return Vec::new() };
    let mut parts = Parts::of(judged, &sorted, loudest, tools);
    // What does not fit is left out: the last of what is not needed first.
    let several = sorted.iter().any(|f| f.lost.kernel != sorted[0].lost.kernel);
    let fits = |lines: &[Line]| lines.iter().map(Line::rows).sum::<usize>() <= LINES;
    loop {
        for reasons in (1..=NAMED).rev() {
            let lines = parts.with_drivers(&sorted, sorted.len(), Form::Whole(reasons));
            if fits(&lines) {
                return lines;
            }
        }
        // To name more drivers says more than to name more reasons of one.
        for shown in (1..=sorted.len()).rev() {
            let lines = parts.with_drivers(&sorted, shown, Form::Short { with_kernel: several });
            if fits(&lines) {
                return lines;
            }
        }
        if !parts.shorten() {
            let mut lines = parts.with_drivers(&sorted, 1, Form::Short { with_kernel: several });
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
        let plan = first
            .kernel_file
            .as_ref()
            .map(|file| format!("kmp plan --all {}", crate::printable(file.as_os_str())));
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

    /// All lines, with so many drivers, each in this form.
    fn with_drivers(&self, sorted: &[Finding], shown: usize, form: Form) -> Vec<Line> {
        let driver = |f: &Finding| Line::new(f.action, f.lost.line_in(form));
        let mut lines: Vec<Line> = self.summaries.clone();
        lines.extend(sorted[..shown].iter().map(driver));
        let mut more = self.more.clone();
        if let Some(next) = sorted.get(shown) {
            let count = sorted.len() - shown;
            let is_named = |f: &Finding| sorted[..shown].iter().any(|s| s.lost.package == f.lost.package);
            // One that is lost in two kernels is one driver.
            let drivers = match count {
                _ if sorted[shown..].iter().any(is_named) => "",
                1 => " driver",
                _ => " drivers",
            };
            match (&mut more, &self.plan) {
                (Some(more), Some(plan)) => {
                    let text = format!("{count} more{drivers}, and all reasons");
                    *more = Line::with_command(more.action, &text, plan.clone());
                }
                _ => lines.push(Line::new(next.action, format!("... and {count} more{drivers}"))),
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
