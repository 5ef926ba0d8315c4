// SPDX-License-Identifier: LGPL-2.1-or-later
//! A verdict for people: the word, every reason, and every warning.

use std::borrow::Cow;

use kmp_core::abi::Verdict;
use kmp_core::printable;
use kmp_core::state::State;

use crate::output::terminal::Page;

/// Draws the lines of a verdict; `head` stands before the word on the first of them.
pub fn draw(page: &mut Page, head: &str, verdict: &Verdict) {
    let word = page.state(State::of(verdict));
    page.line(format!("{head}{word}"));
    let reasons = verdict.refusals().map(|r| (r.rule.as_str(), Cow::from(&r.detail)));
    let warnings = verdict.notes().map(|w| (w.as_str(), Cow::from(w.to_string())));
    for (kind, detail) in reasons.chain(warnings) {
        note(page, kind, &detail);
    }
}

/// Draws one more line below a verdict.
pub fn note(page: &mut Page, kind: &str, detail: &str) {
    page.wrapped_behind(6, 17, &format!("{kind:<16} {}", printable(detail.as_ref())));
}
