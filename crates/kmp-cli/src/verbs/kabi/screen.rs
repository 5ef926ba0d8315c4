// SPDX-License-Identifier: LGPL-2.1-or-later
//! What people read of a comparison.

use kmp_core::printable;
use kmp_kabi::registry;
use kmp_kabi::{Change, What};

use super::diff::Shown;
use super::document::{Rule, rules_used};
use super::reasons::{Group, Reasons};
use crate::output::count::{counted, number};
use crate::output::terminal::{Colour, Page, wrap};

/// So many types, and names of each list, are printed without --all.
const SOME: usize = 20;

/// So many lines of what changed in a type.
const LINES: usize = 4;

/// A comparison for a terminal.
pub fn text(shown: &Shown<'_>) -> Result<(), String> {
    let mut page = Page::new();
    let diff = shown.diff;
    for (head, name, exports) in [("old", shown.old, diff.exports.0), ("new", shown.new, diff.exports.1)] {
        page.wrapped_behind(
            0,
            5,
            &format!("{head}  {}: {}", printable(name.as_ref()), counted(exports, "export")),
        );
    }
    page.line("");
    let breaks = diff.breaks().count();
    let verdict = match breaks {
        0 if diff.changes.is_empty() => page.paint(Colour::Green, "nothing changed"),
        0 => page.paint(Colour::Green, "no break: every change is tolerated, or harmless"),
        _ => page.paint(Colour::Red, counted(breaks, "break")),
    };
    page.line(verdict);
    for (what, (all, tolerated)) in diff.counts() {
        let left = match tolerated {
            0 => String::new(),
            _ if !what.breaks() => "  (no module stops loading for it)".into(),
            same if same == all => "  (tolerated)".into(),
            some => format!("  ({} tolerated)", number(some)),
        };
        page.wrapped_behind(2, 9, &format!("{:>7}  {}{left}", number(all), phrase(what)));
    }
    let most = if shown.args.all { usize::MAX } else { SOME };
    if let Some(reasons) = &shown.reasons {
        why(&mut page, shown, reasons, most);
    }
    for what in What::ALL.into_iter().filter(|what| !matches!(what, What::Crc | What::Added)) {
        list(&mut page, shown, what, most);
    }
    if let Some(registered) = &shown.registered {
        page.line("");
        page.line(page.paint(Colour::Bold, "Registered drivers:"));
        let stops: Vec<_> = registered.items.iter().filter(|item| item.remedy().is_some()).collect();
        let all = registered.items.len();
        page.wrapped_behind(2, 2, &format!("{} of {all} registered packages stop loading", stops.len()));
        for item in stops.iter().take(most) {
            let name = format!("{}/{}", item.provider, item.registration.package.name);
            page.wrapped_behind(
                2,
                2,
                &format!("{}: {}", printable(name.as_ref()), registry::verdict(item).1),
            );
        }
        if stops.len() > most {
            page.line(format!("  ... and {} more: --all", number(stops.len() - most)));
        }
    }
    let is_bare = shown.reasons.is_none();
    if is_bare || shown.args.all {
        list(&mut page, shown, What::Crc, most);
    }
    if shown.args.all {
        list(&mut page, shown, What::Added, most);
    }
    rules(&mut page, shown, most);
    page.print()
}

pub fn phrase(what: What) -> &'static str {
    match what {
        What::Lost => "lost",
        What::Crc => "with another CRC",
        What::LicenceImposed => "now for GPL-compatible modules only",
        What::Namespace => "in another namespace than before",
        What::Moved => "exported by another module",
        What::LicenceLifted => "no longer for GPL-compatible modules only",
        What::NamespaceLifted => "in no namespace any more",
        What::Added => "added",
    }
}

fn why(page: &mut Page, shown: &Shown<'_>, reasons: &Reasons, most: usize) {
    page.line("");
    let types = reasons.groups.iter().filter(|group| group.of.is_some()).count();
    let sure = if reasons.groups.iter().any(|g| g.is_certain) { "Why" } else { "Why, most likely" };
    let differing = match reasons.differing {
        Some((image, 0)) => format!("{} changed", counted(image, "type")),
        Some((image, modules)) => {
            format!("{} changed, and {} of modules", counted(image, "type"), number(modules))
        }
        None => format!("{} changed", counted(types, "type")),
    };
    let head = page.paint(Colour::Bold, sure);
    page.wrapped_behind(0, 2, &format!("{head}: {differing}"));
    for group in reasons.groups.iter().take(most) {
        let name = group.of.as_deref().unwrap_or("their own declarations");
        let effect = group.effect.map(|effect| format!(", {effect}")).unwrap_or_default();
        let concerned = shown.registered.as_ref().map(|registered| {
            let symbols = group.symbols.iter().map(|(symbol, _)| symbol.as_str());
            format!(", {}", registered.users.concerned(symbols))
        });
        let concerned = concerned.unwrap_or_default();
        let name = page.paint(Colour::Bold, printable(name.as_ref()));
        page.wrapped_behind(
            2,
            9,
            &format!("{:>7}  {name}: {}{concerned}{effect}", "", counted(group.symbols.len(), "export")),
        );
        let lines = if most == usize::MAX { usize::MAX } else { LINES };
        for line in group.lines.iter().take(lines) {
            page.wrapped_behind(13, 2, line);
        }
        let more = group.more + group.lines.len().saturating_sub(lines);
        if more > 0 {
            page.line(format!("{:13}... and {}", "", counted(more, "more change")));
        }
        if let Some(example) = example(group) {
            page.wrapped_behind(11, 2, &example);
        }
        if most == usize::MAX {
            let names: Vec<&str> = group.symbols.iter().map(|(symbol, _)| symbol.as_str()).collect();
            page.wrapped_behind(11, 2, &names.join(" "));
        }
    }
    if reasons.groups.len() > most {
        page.line(format!("{:11}... and {}: --all", "", counted(reasons.groups.len() - most, "more type")));
    }
    for (symbols, what) in [
        (&reasons.not_there, "not in the kernels' types (variables, assembly)"),
        (&reasons.nothing_differs, "of which all types are the same"),
    ] {
        if !symbols.is_empty() {
            page.wrapped_behind(2, 9, &format!("{:>7}  {what}: {}", "", counted(symbols.len(), "export")));
        }
    }
}

/// `for example _dev_err, by device > class`
fn example(group: &Group) -> Option<String> {
    let (symbol, path) = group.symbols.iter().min_by_key(|(symbol, path)| (path.len(), symbol))?;
    let over = path.split_last().map(|(_, over)| over).unwrap_or_default();
    let by = if over.is_empty() { String::new() } else { format!(", by {}", over.join(" > ")) };
    Some(format!("for example {symbol}{by}"))
}

fn list(page: &mut Page, shown: &Shown<'_>, what: What, most: usize) {
    let all: Vec<&Change<'_>> =
        shown.diff.changes.iter().filter(|change| change.what.contains(&what)).collect();
    if all.is_empty() {
        return;
    }
    page.line("");
    let head = format!("{}:", phrase(what));
    page.line(page.paint(Colour::Bold, format!("{}{}", head[..1].to_uppercase(), &head[1..])));
    for change in all.iter().take(most) {
        let tolerated = if change.tolerated.is_some() && what.breaks() { "  (tolerated)" } else { "" };
        let symbol = printable(change.symbol.as_ref());
        page.wrapped_behind(2, 4, &format!("{symbol:32}  {}{tolerated}", detail(change, what)));
    }
    if all.len() > most {
        page.line(format!("  ... and {} more: --all", number(all.len() - most)));
    }
}

pub fn detail(change: &Change<'_>, what: What) -> String {
    let (old, new) = (change.old.as_ref(), change.new.as_ref());
    let exporter = |export: Option<&kmp_core::abi::Export<'_>>| {
        export.map(|e| printable(e.exporter.as_ref())).unwrap_or_default()
    };
    let namespace = |export: Option<&kmp_core::abi::Export<'_>>| match export.map(|e| e.namespace) {
        None | Some("") => "none".into(),
        Some(name) => printable(name.as_ref()),
    };
    match what {
        What::Moved => format!("{} to {}", exporter(old), exporter(new)),
        What::Namespace | What::NamespaceLifted => format!("{}, before {}", namespace(new), namespace(old)),
        What::Added => exporter(new),
        _ => exporter(old),
    }
}

fn rules(page: &mut Page, shown: &Shown<'_>, most: usize) {
    let rule = |at: usize| {
        let rule = Rule::of(shown.rules, &shown.args.rules.files, at)?;
        Some(printable(rule.line().as_ref()))
    };
    let mut used: Vec<(usize, usize)> = rules_used(&shown.diff.changes).into_iter().collect();
    used.sort_by_key(|(at, count)| (std::cmp::Reverse(*count), *at));
    if !used.is_empty() {
        page.line("");
        page.line(page.paint(Colour::Bold, "Tolerated by:"));
        for (at, count) in used.iter().take(most) {
            page.wrapped_behind(2, 9, &format!("{:>7}  {}", number(*count), rule(*at).unwrap_or_default()));
        }
    }
    let unused = &shown.diff.unused;
    if !unused.is_empty() {
        page.line("");
        page.line(page.paint(Colour::Bold, "Rules that match nothing:"));
        unused.iter().take(most).filter_map(|at| rule(*at)).for_each(|text| page.wrapped_behind(2, 4, &text));
        if unused.len() > most {
            page.line(format!("  ... and {} more: --all", number(unused.len() - most)));
        }
    }
}

/// How wide commit messages are.
const COMMIT: usize = 72;

/// So many names in each list of a commit message.
const NAMES: usize = 10;

/// A comparison for a commit message.
pub fn short(shown: &Shown<'_>) -> Result<(), String> {
    let mut page = Page::with(None, false);
    let mut paragraph = |indent: usize, behind: usize, text: &str| {
        wrap(Some(COMMIT), indent, behind, text).iter().for_each(|line| page.line(line));
    };
    let counts: Vec<String> = shown
        .diff
        .counts()
        .into_iter()
        .map(|(what, (all, tolerated))| match (all, tolerated) {
            (all, same) if all == same && what.breaks() => {
                format!("{} {} (tolerated)", number(all), phrase(what))
            }
            (all, 0) => format!("{} {}", number(all), phrase(what)),
            (all, _) if !what.breaks() => format!("{} {}", number(all), phrase(what)),
            (all, some) => format!("{} {} ({} tolerated)", number(all), phrase(what), number(some)),
        })
        .collect();
    let counts = if counts.is_empty() { "nothing changed".to_string() } else { counts.join(", ") };
    paragraph(0, 0, &format!("kABI: {counts}."));
    let names = |symbols: &[&str]| {
        let more = symbols.len().saturating_sub(NAMES);
        let shown = symbols[..symbols.len() - more].join(", ");
        if more > 0 { format!("{shown} and {} more", number(more)) } else { shown }
    };
    for what in What::ALL.into_iter().filter(|what| what.breaks()) {
        if what == What::Crc && shown.reasons.is_some() {
            continue;
        }
        let breaks = shown.diff.breaks().filter(|change| change.what.contains(&what));
        let symbols: Vec<&str> = breaks.map(|change| change.symbol).collect();
        if !symbols.is_empty() {
            paragraph(0, 0, "");
            paragraph(0, 2, &format!("{}: {}", phrase(what), names(&symbols)));
        }
    }
    let broken: std::collections::HashSet<&str> = shown.diff.breaks().map(|change| change.symbol).collect();
    let reasons = shown.reasons.iter().flat_map(|reasons| &reasons.groups);
    for group in reasons.take(SOME) {
        let all = group.symbols.iter().map(|(symbol, _)| symbol.as_str());
        let symbols: Vec<&str> = all.filter(|symbol| broken.contains(symbol)).collect();
        if symbols.is_empty() {
            continue;
        }
        let sure = if group.is_certain { "because of" } else { "most likely because of" };
        let of = group.of.as_deref().unwrap_or("their own declarations");
        let effect = group.effect.map(|effect| format!(" ({effect})")).unwrap_or_default();
        paragraph(0, 0, "");
        paragraph(0, 2, &format!("{} {sure} {of}{effect}:", counted(symbols.len(), "export")));
        group.lines.iter().take(LINES).for_each(|line| paragraph(2, 2, line));
        let more = group.more + group.lines.len().saturating_sub(LINES);
        if more > 0 {
            paragraph(2, 2, &format!("... and {}", counted(more, "more change")));
        }
        paragraph(2, 0, &names(&symbols));
    }
    page.print()
}
