// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp history`: what each run has changed.

mod document;
mod page;
mod time;

use kmp_core::history::{Entry, read};

use crate::args::History;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::json;
use crate::output::terminal::Page;

#[cfg(test)]
pub use self::document::Run as Document;
pub use self::page::by;
pub use self::time::{minute, rfc3339};

/// How many runs are shown, where nobody says which.
const NUMBER: usize = 20;

pub fn run(context: &Context, args: &History, quiet: bool, verbose: bool) -> Result<Outcome, String> {
    let history = read(&context.root).map_err(|e| format!("the history cannot be read: {e}"))?;
    history.problems.iter().for_each(|problem| log::warn!("{problem}"));
    let mut entries = history.entries;
    if let Some(number) = args.run {
        let found = entries.iter().rfind(|entry| entry.run == number).cloned();
        let found = found.ok_or_else(|| no_such_run(number, &entries))?;
        entries = vec![found];
    }
    if let Some(since) = &args.since {
        let since = time::since(since)?;
        entries.retain(|entry| entry.time >= since);
    }
    let all = entries.len();
    let default = if args.since.is_some() || args.json { 0 } else { NUMBER };
    let wanted = match args.number.unwrap_or(default) {
        0 => all,
        number => number.min(all),
    };
    // The newest first, where people read.
    let shown = &entries[all - wanted..];
    if args.json {
        return shown
            .iter()
            .try_for_each(|entry| json::print(&document::Run::from(entry)))
            .map(|()| Outcome::Good);
    }
    if quiet {
        return Ok(Outcome::Good);
    }
    let mut page = Page::new();
    match args.run.is_some() || verbose {
        true => page::details(&mut page, shown.iter().rev()),
        false => page::list(&mut page, shown.iter().rev(), all - wanted),
    }
    if all == 0 {
        page.line(match &args.since {
            Some(since) => format!("no run has changed anything since {since}"),
            None => "no run has changed anything yet".into(),
        });
    }
    page.print()?;
    Ok(Outcome::Good)
}

fn no_such_run(number: u64, entries: &[Entry]) -> String {
    match (entries.first(), entries.last()) {
        (Some(first), Some(last)) => {
            format!("there is no run {number} in the history, which has runs {} to {}", first.run, last.run)
        }
        _ => format!("there is no run {number}: no run has changed anything yet"),
    }
}
