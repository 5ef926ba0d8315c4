// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp status` for people: a table of KMPs and kernels, and below it what is not as it should be.

use kmp_core::state::State;
use kmp_core::survey::{Place, Standing};

use crate::output::terminal::{Colour, Page};

/// How one KMP stands with one kernel, and what it does to others, though nothing is wrong with itself.
#[derive(Debug, PartialEq)]
pub struct Shown {
    pub standing: Standing,
    pub notes: Vec<String>,
}

impl Shown {
    fn colour(&self) -> Colour {
        match self.standing.state {
            State::Refused if !self.standing.is_fault => Colour::Dim,
            state => Colour::of(state),
        }
    }

    /// What is said below the table.
    fn text(&self) -> String {
        let place = match self.standing.place {
            Place::Own if self.standing.state != State::Native => ", and it is in the kernel's own directory",
            Place::Links | Place::SomeLinks if self.standing.is_linked_wrongly() => ", but linked",
            _ => "",
        };
        format!("{}{place}", self.standing.state)
    }
}

/// The widest word in the table.
const CELL: usize = State::WIDTH;
const GAP: usize = 2;
/// The least room for names, before kernels go to a table of their own below.
const NAMES: usize = 40;
/// Above the names.
const TITLE: &str = "KMP";

/// A kernel.
#[derive(Debug)]
pub struct Kernel<'s> {
    pub release: &'s str,
    pub is_running: bool,
}

/// A KMP with its state in each kernel; `None`: it is for others. Without any: a line that stands alone.
#[derive(Debug)]
pub struct Row<'s> {
    pub name: String,
    pub states: Vec<Option<&'s Shown>>,
}

/// Draws all of it. `lists`: what is to be said besides, lines with a heading each.
pub fn draw(page: &mut Page, kernels: &[Kernel<'_>], rows: &[Row<'_>], lists: &[(&str, Vec<String>)]) {
    match (kernels, rows) {
        ([], _) => page.line("no kernel is installed"),
        (_, []) => page.line("no KMP is installed"),
        _ => table(page, kernels, rows),
    }
    let hints = faults(page, kernels, rows);
    for (heading, lines) in lists.iter().filter(|(_, lines)| !lines.is_empty()) {
        page.line("");
        page.line(page.paint(Colour::Bold, heading));
        lines.iter().for_each(|line| page.line(line));
    }
    if !hints.is_empty() {
        page.line("");
        hints.iter().for_each(|hint| page.line(hint));
    }
}

fn table(page: &mut Page, kernels: &[Kernel<'_>], rows: &[Row<'_>]) {
    let digits = kernels.len().to_string().len();
    for (number, kernel) in (1..).zip(kernels) {
        let line = format!("{number:digits$}  {}", kernel.release);
        match kernel.is_running {
            true => page.line(page.paint(Colour::Bold, format!("{line}  (running)"))),
            false => page.line(line),
        }
    }
    let longest = rows.iter().map(|r| r.name.chars().count()).max().unwrap_or(0).max(TITLE.len());
    let room = page.width().unwrap_or(usize::MAX);
    let at_once = (room.saturating_sub(longest.min(NAMES)) / (CELL + GAP)).max(1);
    for start in (0..kernels.len()).step_by(at_once) {
        let columns = start..kernels.len().min(start + at_once);
        let cells = columns.len() * (CELL + GAP);
        let width = longest.min(room.saturating_sub(cells).max(1));
        page.line("");
        let heads = columns.clone().map(|at| (format!("{}", at + 1), kernels[at].is_running));
        let heads = heads.map(|(head, running)| (head, if running { Colour::Bold } else { Colour::Plain }));
        page.line(format!("{TITLE:width$}{}", cells_of(page, heads)));
        for row in rows {
            if row.states.is_empty() {
                page.line(&row.name);
                continue;
            }
            let cells = cells_of(
                page,
                row.states[columns.clone()].iter().map(|state| match state {
                    Some(state) => (state.standing.state.to_string(), state.colour()),
                    None => ("-".to_string(), Colour::Dim),
                }),
            );
            if row.name.chars().count() > width {
                page.line(&row.name);
                page.line(format!("{:width$}{cells}", ""));
            } else {
                page.line(format!("{:width$}{cells}", row.name));
            }
        }
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

/// What is wrong, KMP by KMP. Returns what to do.
fn faults(page: &mut Page, kernels: &[Kernel<'_>], rows: &[Row<'_>]) -> Vec<&'static str> {
    let (mut can_be_linked, mut has_reasons) = (false, false);
    for row in rows {
        let mut said: Vec<(&Shown, Vec<&str>)> = Vec::new();
        for (kernel, state) in kernels.iter().zip(&row.states) {
            let Some(state) = state.filter(|s| s.standing.is_fault || !s.notes.is_empty()) else { continue };
            can_be_linked |= state.standing.state == State::Unlinked || state.standing.is_linked_wrongly();
            has_reasons |= state.standing.detail.is_some() || !state.notes.is_empty();
            // Kernels of which the same is to be said go together.
            match said.iter_mut().find(|(s, _)| *s == state) {
                Some((_, releases)) => releases.push(kernel.release),
                None => said.push((state, vec![kernel.release])),
            }
        }
        let serves_none = !row.states.is_empty() && row.states.iter().all(Option::is_none);
        if said.is_empty() && !serves_none {
            continue;
        }
        page.line("");
        page.line(page.paint(Colour::Bold, &row.name));
        if serves_none {
            page.line("  no installed kernel could use it");
        }
        for (state, releases) in said {
            let (last, others) = releases.split_last().unwrap_or((&"", &[]));
            others.iter().for_each(|release| page.line(format!("  {release}")));
            page.line(format!("  {last}  {}", page.paint(state.colour(), state.text())));
            state.standing.detail.iter().chain(&state.notes).for_each(|line| page.wrapped(4, line));
        }
    }
    let sync = can_be_linked.then_some("kmp sync puts the links right.");
    let check = has_reasons.then_some("kmp check has every reason, kmp explain each symbol.");
    sync.into_iter().chain(check).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    static NATIVE: Shown = shown(State::Native, Place::Own, None);
    static LINKED: Shown = shown(State::Linked, Place::Links, None);

    const fn shown(state: State, place: Place, detail: Option<String>) -> Shown {
        let is_fault = matches!(state, State::Refused);
        Shown { standing: Standing { state, place, detail, is_fault }, notes: Vec::new() }
    }

    fn refused(detail: &str) -> Shown {
        shown(State::Refused, Place::Nowhere, Some(detail.to_string()))
    }

    fn kernels<'s>(releases: &[&'s str]) -> Vec<Kernel<'s>> {
        let kernel = |(at, release): (usize, &&'s str)| Kernel { release, is_running: at == 1 };
        releases.iter().enumerate().map(kernel).collect()
    }

    fn drawn(width: usize, coloured: bool, kernels: &[Kernel<'_>], rows: &[Row<'_>]) -> String {
        let mut page = Page::with(Some(width), coloured);
        draw(&mut page, kernels, rows, &[]);
        page.into_text()
    }

    const KERNELS: [&str; 3] =
        ["6.4.0-150600.23.22-default", "6.4.0-150600.23.25-default", "6.4.0-150600.23.30-default"];

    #[test]
    fn a_table_and_what_is_wrong() {
        let detail = "cam: usb_alert was 0x1f3a0c11 when it was built, vmlinux has 0x5e9941d2 (and 1 more)";
        let misfit = refused(detail);
        let states = vec![Some(&NATIVE), Some(&LINKED), Some(&misfit)];
        let rows = [
            Row { name: "cam-kmp-default-1.0_k6.4.0_150600.23.22-1".into(), states },
            Row {
                name: "nic-kmp-rt-1.0_k6.4.0_21-1".into(),
                states: vec![None, Some(&LINKED), Some(&misfit)],
            },
        ];
        assert_eq!(
            drawn(80, false, &kernels(&KERNELS), &rows[..1]),
            "1  6.4.0-150600.23.22-default
2  6.4.0-150600.23.25-default  (running)
3  6.4.0-150600.23.30-default

KMP                                        1         2         3
cam-kmp-default-1.0_k6.4.0_150600.23.22-1  native    linked    refused

cam-kmp-default-1.0_k6.4.0_150600.23.22-1
  6.4.0-150600.23.30-default  refused
    cam: usb_alert was 0x1f3a0c11 when it was built, vmlinux has 0x5e9941d2 (and
    1 more)

kmp check has every reason, kmp explain each symbol.
"
        );
        let both = drawn(80, false, &kernels(&KERNELS), &rows);
        assert!(
            both.contains("\nnic-kmp-rt-1.0_k6.4.0_21-1                 -         linked    refused\n"),
            "{both}"
        );
    }

    #[test]
    fn the_same_reason_is_given_once() {
        let misfit = refused("gone");
        let rows = [Row { name: "foo".into(), states: vec![Some(&misfit), Some(&misfit), Some(&misfit)] }];
        let text = drawn(80, false, &kernels(&KERNELS), &rows);
        assert_eq!(text.matches("gone").count(), 1, "{text}");
        assert!(text.contains("\n  6.4.0-150600.23.22-default\n  6.4.0-150600.23.25-default\n"), "{text}");
    }

    /// Whatever names there are, and however many of all, no line is wider than the terminal, and no name is cut.
    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let long = "nvidia-open-driver-G06-signed-cuda-kmp-64kb-570.124.06_k6.4.0_150600.23.38-0";
        let misfit = refused(&["a reason that is long"; 9].join(" "));
        for count in [1, 5, 40] {
            for releases in [&KERNELS[..], &KERNELS[..1], &[KERNELS, KERNELS, KERNELS].concat()] {
                let states =
                    || releases.iter().map(|r| Some(if *r == KERNELS[2] { &misfit } else { &LINKED }));
                let name = |n: usize| {
                    if n.is_multiple_of(3) { long.into() } else { format!("foo{n}-kmp-default-{n}.0_k1-1") }
                };
                let rows: Vec<Row<'_>> =
                    (0..count).map(|n| Row { name: name(n), states: states().collect() }).collect();
                for width in [80, 100] {
                    let text = drawn(width, false, &kernels(releases), &rows);
                    for line in text.lines() {
                        assert!(line.chars().count() <= width && !line.ends_with(' '), "{line:?}");
                    }
                    assert!(rows.iter().all(|r| text.contains(&r.name)), "{text}");
                    let cell = |l: &str| l.matches("  linked").count() + l.matches("  refused").count();
                    let is_cell = |l: &&str| !l.starts_with("  6");
                    let cells: usize = text.lines().filter(is_cell).map(cell).sum();
                    assert_eq!(cells, count * releases.len(), "{text}");
                }
            }
        }
    }

    #[test]
    fn colours_change_nothing_but_colours() {
        let misfit = refused("gone");
        let rows = [Row { name: "foo".into(), states: vec![Some(&NATIVE), None, Some(&misfit)] }];
        let plain = drawn(80, false, &kernels(&KERNELS), &rows);
        let mut coloured = drawn(80, true, &kernels(&KERNELS), &rows);
        assert!(coloured.contains("\x1b[32mnative\x1b[0m") && coloured.contains("\x1b[31mrefused\x1b[0m"));
        assert!(coloured.contains("\x1b[1m2  6.4.0-150600.23.25-default  (running)\x1b[0m"), "{coloured}");
        while let Some(start) = coloured.find('\x1b') {
            let end = start + coloured[start..].find('m').unwrap();
            coloured.replace_range(start..=end, "");
        }
        assert_eq!(coloured, plain);
    }
}
