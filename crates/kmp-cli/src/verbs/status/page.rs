// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp status` for people: the verdict, a table of drivers and kernels, and what is not as it should be.

use kmp_core::state::State;
use kmp_core::survey::Standing;

use super::drivers::Row;
use crate::output::terminal::{Colour, Page};

/// The widest word in the table.
const CELL: usize = State::WIDTH;
const GAP: usize = 2;
/// The least room for names, before kernels go to a table of their own below.
const NAMES: usize = 40;

/// How many lines there may be in all, unless everything is asked for: a screen.
const SCREEN: usize = 38;
/// How many of them may say what is wrong in any case, and how many rows there are in any case.
const FAULTS: usize = 11;
const ROWS: usize = 6;

/// A kernel, and what is said behind its name.
#[derive(Debug)]
pub struct Kernel<'s> {
    pub release: &'s str,
    pub marks: Vec<&'static str>,
}

/// A paragraph below the table: its first line, what it is coloured for, and what follows.
#[derive(Debug)]
pub struct Paragraph {
    pub head: String,
    pub state: Option<(Colour, String)>,
    pub text: Vec<String>,
}

/// All that is shown.
#[derive(Debug)]
pub struct Report<'s> {
    /// What it comes to, and what mends it.
    pub verdict: Vec<String>,
    pub is_good: bool,
    /// The oldest first.
    pub kernels: Vec<Kernel<'s>>,
    /// Above the names.
    pub title: &'static str,
    pub rows: Vec<Row<'s>>,
    pub faults: Vec<Paragraph>,
    /// What is to be said besides, lines with a heading each.
    pub lists: Vec<(&'static str, Vec<String>)>,
    /// What to type for more.
    pub hints: Vec<String>,
    /// However long it is.
    pub all: bool,
}

pub fn draw(page: &mut Page, report: &Report<'_>) {
    let colour = if report.is_good { Colour::Green } else { Colour::Bold };
    for (at, line) in report.verdict.iter().enumerate() {
        page.wrapped_in(if at == 0 { colour } else { Colour::Plain }, line);
    }
    let (faults, hidden_faults) = fitting(page, report);
    let mut hidden = hidden_faults > 0;
    if !(report.kernels.is_empty() || report.rows.is_empty()) {
        page.line("");
        legend(page, &report.kernels);
        let used = page.lines() + faults.len() + 7;
        hidden |= table(page, report, SCREEN.saturating_sub(used).max(ROWS));
    }
    if !faults.is_empty() {
        page.line("");
        faults.iter().for_each(|line| page.line(line));
    }
    if hidden_faults > 0 {
        page.line(format!("and {hidden_faults} more"));
    }
    for (heading, lines) in report.lists.iter().filter(|(_, lines)| !lines.is_empty()) {
        page.line("");
        page.line(page.paint(Colour::Bold, heading));
        lines.iter().for_each(|line| page.wrapped_behind(2, 4, line));
    }
    let more = hidden.then(|| "kmp status --all lists every driver, build and reason.".to_string());
    let hints: Vec<&String> = report.hints.iter().chain(&more).collect();
    if !hints.is_empty() {
        page.line("");
        hints.iter().for_each(|hint| page.wrapped(0, hint));
    }
}

/// The lines of as many faults as there is room for, and how many there is none for.
fn fitting(page: &Page, report: &Report<'_>) -> (Vec<String>, usize) {
    let used = page.lines() + report.kernels.len() + report.rows.len().min(ROWS) + 9;
    let room = SCREEN.saturating_sub(used).max(FAULTS);
    let mut lines: Vec<String> = Vec::new();
    for (at, fault) in report.faults.iter().enumerate() {
        let mut own = page.wrap(0, 2, &fault.head);
        if let (Some((colour, word)), Some(last)) = (&fault.state, own.last_mut()) {
            // The state is the last word of the head.
            if let Some(start) = last.strip_suffix(word.as_str()) {
                *last = format!("{start}{}", page.paint(*colour, word));
            }
        }
        fault.text.iter().for_each(|text| own.extend(page.wrap(2, 0, text)));
        if !report.all && at > 0 && lines.len() + own.len() > room {
            return (lines, report.faults.len() - at);
        }
        lines.extend(own);
    }
    (lines, 0)
}

fn legend(page: &mut Page, kernels: &[Kernel<'_>]) {
    let digits = kernels.len().to_string().len();
    for (number, kernel) in (1..).zip(kernels) {
        let line = format!("{number:<digits$}  {}", kernel.release);
        match kernel.marks.is_empty() {
            true => page.line(line),
            false => page.line(page.paint(Colour::Bold, format!("{line}  ({})", kernel.marks.join(", ")))),
        }
    }
}

/// Draws the table, the newest kernel first, with at most `room` rows. Is something left out?
fn table(page: &mut Page, report: &Report<'_>, room: usize) -> bool {
    let mut rows: Vec<&Row<'_>> = report.rows.iter().collect();
    let mut rest = None;
    if !report.all && rows.len() > room {
        // What is in place need not be listed, and of what is not only the first.
        let wrong = rows.iter().filter(|row| row.is_wrong).count();
        rows.retain(|row| row.is_wrong);
        rows.truncate(room.saturating_sub(1));
        let (more, of_them) = (report.rows.len() - rows.len(), wrong - rows.len());
        rest = Some(match (rows.len(), of_them) {
            // The verdict says it already.
            (0, _) => String::new(),
            (_, 0) => format!("{more} more, all in place"),
            _ => format!("{more} more, of which {of_them} are not in place"),
        });
    }
    let longest = rows.iter().map(|r| r.name.chars().count()).max().unwrap_or(0).max(report.title.len());
    let width_of_page = page.width().unwrap_or(usize::MAX);
    let at_once = (width_of_page.saturating_sub(longest.min(NAMES)) / (CELL + GAP)).max(1);
    let mut columns: Vec<Vec<usize>> = (0..report.kernels.len()).rev().map(|kernel| vec![kernel]).collect();
    let mut left_out = 0;
    if !report.all && columns.len() > at_once {
        columns = merged(&columns, &rows);
        left_out = columns.iter().skip(at_once).map(Vec::len).sum();
        columns.truncate(at_once);
    }
    for columns in columns.chunks(at_once).take_while(|_| !rows.is_empty()) {
        let width = longest.min(width_of_page.saturating_sub(columns.len() * (CELL + GAP)).max(1));
        page.line("");
        let is_marked = |column: &[usize]| column.iter().any(|k| !report.kernels[*k].marks.is_empty());
        let heads = columns
            .iter()
            .map(|column| (head(column), if is_marked(column) { Colour::Bold } else { Colour::Plain }));
        page.line(format!("{:width$}{}", report.title, cells_of(page, heads)));
        for row in &rows {
            let cells = cells_of(page, columns.iter().map(|column| cell(row.cells[column[0]])));
            if row.name.chars().count() > width {
                page.line(&row.name);
                page.line(format!("{:width$}{cells}", ""));
            } else {
                page.line(format!("{:width$}{cells}", row.name));
            }
        }
    }
    let is_short = rest.is_some() || left_out > 0;
    rest.into_iter().filter(|line| !line.is_empty()).for_each(|line| page.line(line));
    if left_out > 0 {
        page.line(format!("{left_out} older kernels are not shown"));
    }
    is_short
}

/// Neighbours in which every row stands the same become one column.
fn merged(columns: &[Vec<usize>], rows: &[&Row<'_>]) -> Vec<Vec<usize>> {
    let mut result: Vec<Vec<usize>> = Vec::new();
    for column in columns {
        let is_same = |other: &Vec<usize>| {
            rows.iter().all(|row| cell(row.cells[other[0]]) == cell(row.cells[column[0]]))
        };
        match result.last_mut().filter(|other| is_same(other)) {
            Some(other) => other.extend(column),
            None => result.push(column.clone()),
        }
    }
    result
}

/// The numbers of a column's kernels, the newest first, as in the legend.
fn head(column: &[usize]) -> String {
    match column {
        [first, .., last] => format!("{}-{}", last + 1, first + 1),
        _ => column.iter().map(|kernel| (kernel + 1).to_string()).collect(),
    }
}

fn cell(standing: Option<&Standing>) -> (String, Colour) {
    match standing {
        None => ("-".into(), Colour::Dim),
        Some(standing) => (standing.state.to_string(), colour(standing)),
    }
}

/// That of the state; dim where another build of the driver serves the kernel.
pub fn colour(standing: &Standing) -> Colour {
    match standing.state {
        State::Refused | State::Breaks if !standing.is_fault => Colour::Dim,
        state => Colour::of(state),
    }
}

/// The cells of a line, with the gaps before them, and no blank at its end.
fn cells_of(page: &Page, cells: impl Iterator<Item = (String, Colour)>) -> String {
    let mut line = String::new();
    let mut blanks = 0;
    for (text, colour) in cells {
        line.push_str(&" ".repeat(blanks + GAP));
        blanks = CELL.saturating_sub(text.chars().count());
        line.push_str(&page.paint(colour, text));
    }
    line
}

#[cfg(test)]
mod tests;
