// SPDX-License-Identifier: LGPL-2.1-or-later
//! A comparison as a page: the verdict, a row for each type that changed, who is concerned, and, folded, every symbol.

use std::collections::HashMap;

use kmp_core::abi::Export;
use kmp_kabi::registry::{self, Item};
use kmp_kabi::{Change, Tolerated, What};
use kmp_report::{Body, Document, Inline, Table, Tone};

use super::diff::Shown;
use super::document::{Rule, rules_used};
use super::reasons::{Group, Reasons};
use super::screen::{detail, phrase};
use crate::output::count::{counted, number};

/// So many types are in the table; the rest is folded below it.
const TYPES: usize = 30;

pub fn page(shown: &Shown<'_>) -> String {
    let diff = shown.diff;
    let breaks = diff.breaks().count();
    let (tone, verdict) = match breaks {
        0 if diff.changes.is_empty() => (Tone::Good, "nothing changed".into()),
        0 => (Tone::Good, "no break: every change is tolerated, or harmless".into()),
        _ => (Tone::Bad, counted(breaks, "break")),
    };
    let counts: Vec<String> = diff
        .counts()
        .into_iter()
        .map(|(what, (all, tolerated))| match tolerated {
            some if some > 0 && what.breaks() => {
                format!("{} {} ({} tolerated)", number(all), phrase(what), number(some))
            }
            _ => format!("{} {}", number(all), phrase(what)),
        })
        .collect();
    let mut document = Document::new(format!("{} to {}", shown.old, shown.new), tone, verdict);
    if !counts.is_empty() {
        document = document.note(counts.join("; "));
    }
    if let Some(registered) = &shown.registered {
        let stops = registered.items.iter().filter(|item| item.remedy().is_some()).count();
        let all = registered.items.len();
        document = document.note(match stops {
            0 => Inline::toned(Tone::Good, "All registered packages load."),
            _ => Inline::toned(Tone::Bad, format!("{stops} of {all} registered packages stop loading.")),
        });
    }
    let exports = format!("{}, before {}", counted(diff.exports.1, "export"), number(diff.exports.0));
    document = document.note(Inline::toned(Tone::Dim, exports));

    let mut body = Body::new();
    if let Some(reasons) = &shown.reasons {
        types(&mut body, shown, reasons);
    }
    if let Some(registered) = &shown.registered {
        providers(&mut body, &registered.items);
    }
    body.heading("Symbols");
    for what in What::ALL {
        symbols(&mut body, shown, what);
    }
    rules(&mut body, shown);
    document.body(body).to_html()
}

fn types(body: &mut Body, shown: &Shown<'_>, reasons: &Reasons) {
    let is_certain = reasons.groups.iter().any(|group| group.is_certain);
    body.heading(if is_certain { "Changed types" } else { "Changed types, most likely the reasons" });
    if let Some((image, modules)) = reasons.differing {
        let of_modules = format!("{} of modules", number(modules));
        body.paragraph(format!("{} differ, and {of_modules}.", counted(image, "type")));
    }
    let (first, rest) = reasons.groups.split_at(reasons.groups.len().min(TYPES));
    body.table(table(shown, first));
    if !rest.is_empty() {
        let mut inside = Body::new();
        inside.table(table(shown, rest));
        body.folded(counted(rest.len(), "more type"), inside);
    }
    body.heading("What changed in each, and who leads to it");
    for group in &reasons.groups {
        let mut inside = Body::new();
        let mut lines: Vec<Inline> = group.lines.iter().map(Inline::from).collect();
        if group.more > 0 {
            lines.push(Inline::toned(Tone::Dim, format!("and {}", counted(group.more, "more change"))));
        }
        inside.list(lines);
        let mut table = Table::new(["symbol", "over"]);
        for (symbol, path) in &group.symbols {
            let over = path.split_last().map(|(_, over)| over.join(" > ")).unwrap_or_default();
            table.row([
                Inline::code(symbol),
                if over.is_empty() { Inline::new() } else { Inline::code(over) },
            ]);
        }
        inside.table(table);
        body.folded(name(group).and(format!(": {}", counted(group.symbols.len(), "export"))), inside);
    }
    for (symbols, what) in [
        (&reasons.not_there, "not in the kernels' types (variables, assembly)"),
        (&reasons.nothing_differs, "of which all types are the same"),
    ] {
        if !symbols.is_empty() {
            let mut inside = Body::new();
            inside.list(symbols.iter().map(Inline::code));
            body.folded(format!("{} {what}", counted(symbols.len(), "export")), inside);
        }
    }
}

fn name(group: &Group) -> Inline {
    group.of.as_ref().map_or_else(|| "their own declarations".into(), Inline::code)
}

fn table(shown: &Shown<'_>, groups: &[Group]) -> Table {
    let mut head = vec!["type", "exports", "effect"];
    if shown.registered.is_some() {
        head.extend(["registered drivers", "vendors"]);
    }
    let mut table = Table::new(head).number(1).number(3);
    for group in groups {
        let effect = group.effect.map(|effect| effect.to_string()).unwrap_or_default();
        let first = group.lines.first().cloned().unwrap_or_default();
        let effect = if group.of.is_some() { Inline::from(effect).and_note(first) } else { Inline::new() };
        let mut cells = vec![name(group), number(group.symbols.len()).into(), effect];
        if let Some(registered) = &shown.registered {
            let concerned =
                registered.users.concerned(group.symbols.iter().map(|(symbol, _)| symbol.as_str()));
            let providers: Vec<&str> = concerned.providers.into_iter().collect();
            cells.extend([number(concerned.modules).into(), providers.join(", ").into()]);
        }
        table.row(cells);
    }
    table
}

fn providers(body: &mut Body, items: &[Item<'_>]) {
    body.heading("Providers");
    let mut all: Vec<&Item<'_>> = items.iter().collect();
    // What stops comes first.
    all.sort_by_key(|item| item.remedy().is_none());
    body.table(registry::packages(&all));
}

/// Of versions that changed the reasons have each symbol already; here is who tolerates what.
fn symbols(body: &mut Body, shown: &Shown<'_>, what: What) {
    let all: Vec<&Change<'_>> =
        shown.diff.changes.iter().filter(|change| change.what.contains(&what)).collect();
    if all.is_empty() {
        return;
    }
    let paths: HashMap<&str, &[String]> = match (&shown.reasons, what) {
        (Some(reasons), What::Crc) => {
            let symbols = reasons.groups.iter().flat_map(|group| &group.symbols);
            symbols.map(|(symbol, path)| (symbol.as_str(), path.as_slice())).collect()
        }
        _ => HashMap::new(),
    };
    let mut head = vec!["symbol", if what == What::Crc { "exporter, versions" } else { "exporter" }];
    head.extend((!paths.is_empty()).then_some("because of"));
    head.extend(what.breaks().then_some("tolerated by"));
    let mut table = Table::new(head);
    for change in &all {
        let mut cells = vec![Inline::code(change.symbol), exporter(shown, change, what)];
        if !paths.is_empty() {
            let path = paths.get(change.symbol).map(|path| path.join(" > ")).unwrap_or_default();
            cells.push(if path.is_empty() { Inline::new() } else { Inline::code(path) });
        }
        if what.breaks() {
            cells.push(tolerated(shown, change));
        }
        table.row(cells);
    }
    let breaking = all.iter().filter(|change| change.tolerated.is_none() && what.breaks()).count();
    let count = if breaking == 0 || breaking == all.len() {
        String::new()
    } else {
        format!(", {} of them not tolerated", number(breaking))
    };
    let tone = if breaking > 0 { Tone::Bad } else { Tone::Plain };
    let head = Inline::toned(tone, format!("{} {}{count}", number(all.len()), phrase(what)));
    let mut inside = Body::new();
    inside.table(table);
    body.folded(head, inside);
}

fn exporter(shown: &Shown<'_>, change: &Change<'_>, what: What) -> Inline {
    if !shown.has_crcs {
        return Inline::new();
    }
    let text = Inline::from(detail(change, what));
    let crc = |export: &Option<Export<'_>>| export.as_ref()?.crc.map(crate::output::json::crc);
    match (what, crc(&change.old), crc(&change.new)) {
        (What::Crc, Some(old), Some(new)) => text.and_note(format!("{old}, now {new}")),
        _ => text,
    }
}

fn tolerated(shown: &Shown<'_>, change: &Change<'_>) -> Inline {
    match change.tolerated {
        Some(Tolerated::Rule(at)) => {
            let rule = Rule::of(shown.rules, &shown.args.rules.files, at);
            rule.map(|rule| Inline::code(rule.line())).unwrap_or_default()
        }
        Some(Tolerated::NotPromised) => "no list promises it".into(),
        Some(Tolerated::Harmless) => Inline::new(),
        None => Inline::toned(Tone::Bad, "nothing"),
    }
}

fn rules(body: &mut Body, shown: &Shown<'_>) {
    let rule = |at: usize| Rule::of(shown.rules, &shown.args.rules.files, at).map(|rule| rule.line());
    let mut used: Vec<(usize, usize)> = rules_used(&shown.diff.changes).into_iter().collect();
    used.sort_by_key(|(at, count)| (std::cmp::Reverse(*count), *at));
    if used.is_empty() && shown.diff.unused.is_empty() {
        return;
    }
    body.heading("Rules");
    let mut table = Table::new(["rule", "changes that it tolerates"]).number(1);
    used.iter().for_each(|(at, count)| {
        table.row([Inline::code(rule(*at).unwrap_or_default()), number(*count).into()]);
    });
    body.table(table);
    if !shown.diff.unused.is_empty() {
        let mut inside = Body::new();
        inside.list(shown.diff.unused.iter().filter_map(|at| rule(*at)).map(Inline::code));
        body.folded(format!("{} match nothing", counted(shown.diff.unused.len(), "rule")), inside);
    }
}
