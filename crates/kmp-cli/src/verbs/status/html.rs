// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp status --html`: the same as a page, with everything that the terminal has no room for.

use std::collections::BTreeMap;

use kmp_report::{Body, Document, Inline, Table, Tone};

use super::drivers::Row;
use super::page::{Kernel, Paragraph, Report, colour};

/// Up to so many kernels are columns; more would not fit a screen.
const COLUMNS: usize = 5;

pub fn page(report: &Report<'_>) -> String {
    let tone = if report.is_good { Tone::Good } else { Tone::Bad };
    let (first, others) = match report.verdict.split_first() {
        Some((first, others)) => (first.as_str(), others),
        None => ("", &[][..]),
    };
    let document = Document::new("Drivers of this system", tone, first);
    let document = others.iter().fold(document, |document, line| document.note(line.as_str()));
    let mut body = Body::new();
    if !(report.rows.is_empty() || report.kernels.is_empty()) {
        body.heading("Drivers and kernels");
        body.table(drivers(report));
    }
    if !report.faults.is_empty() {
        body.heading("What is not as it should be");
    }
    for fault in &report.faults {
        body.paragraph(head(fault));
        body.list(fault.text.iter().map(Inline::from));
    }
    for (heading, lines) in report.lists.iter().filter(|(_, lines)| !lines.is_empty()) {
        let mut letters = heading.chars();
        let capital: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
        body.heading(format!("{capital}{}", letters.as_str()));
        body.list(lines.iter().map(Inline::from));
    }
    report.hints.iter().for_each(|hint| body.paragraph(hint.as_str()));
    document.body(body).to_html()
}

fn name(kernel: &Kernel<'_>) -> String {
    match kernel.marks.as_slice() {
        [] => kernel.release.into(),
        marks => format!("{} ({})", kernel.release, marks.join(", ")),
    }
}

/// The newest kernel first, as on a terminal.
fn drivers(report: &Report<'_>) -> Table {
    let kernels: Vec<(usize, &Kernel<'_>)> = report.kernels.iter().enumerate().rev().collect();
    if kernels.len() > COLUMNS {
        let mut table = Table::new(["driver", "kernels"]);
        for row in &report.rows {
            table.row([Inline::code(&row.name), in_words(row, &kernels)]);
        }
        return table;
    }
    let heads = kernels.iter().map(|(_, kernel)| name(kernel));
    let mut table = Table::new(["driver".to_string()].into_iter().chain(heads));
    for row in &report.rows {
        let cells = kernels.iter().map(|(at, _)| match row.cells[*at] {
            None => Inline::toned(Tone::Dim, "-"),
            Some(standing) => Inline::toned(colour(standing).tone(), standing.state.to_string()),
        });
        table.row([Inline::code(&row.name)].into_iter().chain(cells));
    }
    table
}

/// Each state with the kernels that it is for.
fn in_words(row: &Row<'_>, kernels: &[(usize, &Kernel<'_>)]) -> Inline {
    let mut by_state: BTreeMap<String, (Tone, Vec<String>)> = BTreeMap::new();
    for (at, kernel) in kernels {
        if let Some(standing) = row.cells[*at] {
            let state = by_state.entry(standing.state.to_string());
            state.or_insert_with(|| (colour(standing).tone(), Vec::new())).1.push(name(kernel));
        }
    }
    by_state.into_iter().fold(Inline::new(), |text, (state, (tone, kernels))| {
        text.and_toned(tone, state).and_note(kernels.join(", "))
    })
}

/// The state is the last word of the head.
fn head(fault: &Paragraph) -> Inline {
    let coloured = fault.state.as_ref().and_then(|(colour, word)| {
        Some(Inline::from(fault.head.strip_suffix(word.as_str())?).and_toned(colour.tone(), word))
    });
    coloured.unwrap_or_else(|| fault.head.as_str().into())
}
