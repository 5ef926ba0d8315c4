// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp doctor` for people: rule by rule what breaks it, and what to do.

use kmp_drivers::soundness::{Found, Rule, Severity};

use crate::output::terminal::{Colour, Page};

pub fn draw(page: &mut Page, broken: &[(&'static Rule, Found)], mended: usize, verbose: bool) {
    for of_rule in broken.chunk_by(|a, b| a.0.name == b.0.name) {
        let rule = of_rule[0].0;
        let colour = match rule.severity {
            Severity::Error => Colour::Red,
            Severity::Warning => Colour::Yellow,
            Severity::Note => Colour::Dim,
        };
        let word = page.paint(colour, rule.severity.word());
        page.wrapped_behind(0, 2, &format!("{word} {}: this does not hold: {}", rule.name, rule.what));
        for (_, found) in of_rule {
            page.wrapped_behind(4, 2, &format!("{}: {}", found.about, found.detail));
        }
        if verbose {
            page.wrapped_behind(2, 2, rule.why);
        }
        page.wrapped_behind(2, 2, rule.remedy);
    }
    let count = |severity| broken.iter().filter(|(rule, _)| rule.severity == severity).count();
    let counts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")];
    let counts: Vec<String> = counts
        .into_iter()
        .map(|(severity, word)| (count(severity), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") })
        .collect();
    if mended > 0 {
        page.line(format!("{mended} mended."));
    }
    if counts.is_empty() {
        page.line("Sound: nothing was found.");
    } else {
        let fixable = broken.iter().filter(|(rule, _)| rule.is_mended).count();
        let fix =
            if fixable > 0 { format!(" kmp doctor --fix mends {fixable} of them.") } else { String::new() };
        page.line(format!("{}.{fix}", counts.join(", ")));
    }
}
