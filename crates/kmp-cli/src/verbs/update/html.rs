// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp update --html`: the same as a page.

use kmp_repo::update::Update;
use kmp_report::{Body, Document, Inline, Table, Tone};

use super::page::{coming, heading, line, standing, verdict};

pub fn page(found: &Update) -> String {
    let coming = coming(found);
    let (colour, words) = verdict(found, &coming);
    let mut body = Body::new();
    if !coming.is_empty() {
        body.heading("Kernels that may come");
    }
    let mut table = Table::new(["kernel", "verdict", "drivers"]);
    for kernel in &coming {
        let (colour, word) = standing(kernel);
        let mut drivers = kernel.drivers.iter().map(line);
        let first = drivers.next().map(Inline::from).unwrap_or_default();
        let drivers = drivers.fold(first, Inline::and_note);
        let word = Inline::toned(colour.tone(), word);
        let word = match kernel.is_let {
            true => word.and_note(format!("it comes all the same, {}", kernel.reason)),
            false => word,
        };
        table.row([heading(kernel).into(), word, drivers]);
    }
    body.table(table);
    if !found.problems.is_empty() {
        body.heading("What could not be read");
        body.list(found.problems.iter().map(|problem| Inline::toned(Tone::Warning, problem)));
    }
    if let Some(held) = found.held().next() {
        body.paragraph(
            Inline::from("A held kernel comes by itself once a build of each driver is there. To let it come without: ")
                .and_code(format!("kmp hold --release {}", held.package.nevra)),
        );
    }
    Document::new("The next update", colour.tone(), words).body(body).to_html()
}
