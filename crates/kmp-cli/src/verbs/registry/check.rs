// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp registry check`: what becomes of every registered package in a kernel that comes, and what its provider is to be sent.
//!
//! Nothing is kept but what is written: a message is there already if a file has its digest in its name. So the second run writes no
//! second message, and the directory can be kept in git, or published.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kmp_core::abi::Kernel;
use kmp_core::printable;
use kmp_kabi::registry::{Entry, Item, Mail, State, feed, issue, judge, mail, page, verdict};
use kmp_kabi::{Diff, Rules};
use kmp_report::Tone;

use super::{document, files};
use crate::args::registry::Check as Args;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::count::counted;
use crate::output::json;
use crate::output::terminal::{Colour, Page};
use crate::verbs::kabi::{Exports, Side, reasons};

pub fn run(context: &Context, args: &Args, quiet: bool) -> Result<Outcome, String> {
    let all = files::sound(&args.place.registry)?;
    if all.is_empty() {
        return Err(format!("no package is registered in {}", printable(args.place.registry.as_os_str())));
    }
    let (old, new) = (Side::read(context, &args.old)?, Side::read(context, &args.new)?);
    let name = args.name.clone().unwrap_or_else(|| short_name(&new.name));
    let (before, after) = (kernel(&old)?, kernel(&new)?);
    let items = judge(&all, Some(&before), &after);
    let used: BTreeSet<&str> = items
        .iter()
        .flat_map(|item| &item.findings)
        .filter_map(|finding| finding.reason.symbol.as_deref())
        .collect();
    let mut diff = Diff::of(&before.symbols, &after.symbols, &Rules::default());
    diff.changes.retain(|change| used.contains(change.symbol));
    let found = reasons::find(context, &args.why, (&old, &new), &diff.changes)?;
    let groups = found.map(|found| found.groups).unwrap_or_default();

    let mut by_provider: BTreeMap<&str, Vec<&Item<'_>>> = BTreeMap::new();
    items.iter().for_each(|item| by_provider.entry(item.provider).or_default().push(item));
    let everybody: Vec<&Item<'_>> = items.iter().collect();
    let due = args.due.as_deref();
    let mut written = Vec::new();
    let mut put = |path: PathBuf, text: &str| -> Result<bool, String> {
        let is_new = files::put(&path, text)?;
        if is_new {
            written.push(path);
        }
        Ok(is_new)
    };
    let mut to_send = Vec::new();
    for (provider, own) in &by_provider {
        let why = lines(&groups, own);
        let dir = args.out.join(provider);
        put(dir.join(format!("{name}.html")), &page(own, &name, due, &why))?;
        let sent = messages(&dir, &name)?;
        let message = mail(own, &name, due, &why);
        let message = message.or_else(|| (!sent.is_empty()).then(|| Mail::of_the_end(own, &name)).flatten());
        if let Some(message) = message
            && sent.last().is_none_or(|last| last.digest != message.digest)
        {
            let path = dir.join(format!("{name}.{:03}-{}.eml", sent.len() + 1, message.digest));
            let thread = format!("{provider}.{name}");
            put(path.clone(), &message.rfc5322(&args.from, &thread, sent.is_empty(), now()))?;
            to_send.push(path);
        }
        if let Some(text) = issue(own, &name, due, &why) {
            put(dir.join(format!("{name}.md")), &text)?;
        }
    }
    let why = lines(&groups, &everybody);
    put(args.out.join("report.html"), &page(&everybody, &name, due, &why))?;
    let report = document::Report::of(&items, &name, due, &why);
    let text = serde_json::to_string_pretty(&report).map_err(|e| format!("cannot make JSON: {e}"))?;
    put(args.out.join("report.json"), &format!("{text}\n"))?;
    put(args.out.join("feed.xml"), &feed(&entries(&args.out)?))?;

    if args.json {
        json::print(&report)?;
    } else if !quiet {
        print(&items, &name, &to_send)?;
    }
    let stops = items.iter().any(|item| item.remedy().is_some());
    let is_unknown = items.iter().any(|item| item.state == State::Unknown);
    Ok(match (is_unknown, stops) {
        (true, _) => Outcome::Failed,
        (false, true) => Outcome::Found,
        (false, false) => Outcome::Good,
    })
}

/// The name of a file, without what is said of its packing; it becomes part of the names of others.
fn short_name(word: &str) -> String {
    let name = Path::new(word).file_name().and_then(|name| name.to_str()).unwrap_or(word);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.+~".contains(c);
    name.trim_end_matches(".rpm").chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

/// A kernel of which only what it exports is known, and, if it is installed, what its modules say of it.
pub fn kernel(side: &Side) -> Result<Kernel, String> {
    match &side.exports {
        Exports::Symbols(table) => {
            let kernel = Kernel::of_symbols(side.name.clone(), table.clone());
            Ok(Kernel { traits: side.traits.clone(), ..kernel })
        }
        Exports::Symtypes(_) => Err(format!("{}: symtypes say nothing of versions", side.name)),
    }
}

/// The reasons that concern some packages, a line each.
fn lines(groups: &[reasons::Group], items: &[&Item<'_>]) -> Vec<String> {
    let used: BTreeSet<&str> = items
        .iter()
        .flat_map(|item| &item.findings)
        .filter_map(|finding| finding.reason.symbol.as_deref())
        .collect();
    let line = |group: &reasons::Group| {
        let count = group.symbols.iter().filter(|(symbol, _)| used.contains(symbol.as_str())).count();
        let of = group.of.as_deref().unwrap_or("their own declarations");
        let effect = group.effect.map(|effect| format!(", {effect}")).unwrap_or_default();
        (count > 0).then(|| format!("{of}: {}{effect}", counted(count, "symbol")))
    };
    groups.iter().filter_map(line).collect()
}

/// A message that was written earlier.
struct Sent {
    number: u32,
    digest: String,
}

/// Those to a provider about a kernel, in their order.
fn messages(dir: &Path, kernel: &str) -> Result<Vec<Sent>, String> {
    let mut found = Vec::new();
    if dir.is_dir() {
        let entries = std::fs::read_dir(dir);
        for entry in entries.map_err(|e| format!("{} cannot be read: {e}", printable(dir.as_os_str())))? {
            let path =
                entry.map_err(|e| format!("{} cannot be read: {e}", printable(dir.as_os_str())))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let rest =
                name.strip_prefix(kernel).and_then(|rest| rest.strip_prefix('.')?.strip_suffix(".eml"));
            let Some((number, digest)) = rest.and_then(|rest| rest.split_once('-')) else { continue };
            let Ok(number) = number.parse() else { continue };
            let digest = digest.to_string();
            found.push(Sent { number, digest });
        }
    }
    found.sort_by_key(|sent| sent.number);
    Ok(found)
}

fn now() -> u64 {
    let set = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    set.unwrap_or_else(kmp_core::clock::now)
}

/// All messages below the directory, as the feed has them. They are as old as their files are.
fn entries(out: &Path) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    let dirs =
        std::fs::read_dir(out).map_err(|e| format!("{} cannot be read: {e}", printable(out.as_os_str())))?;
    let mut dirs: Vec<PathBuf> =
        dirs.filter_map(|entry| Some(entry.ok()?.path())).filter(|p| p.is_dir()).collect();
    dirs.sort();
    for dir in dirs {
        let mut files: Vec<PathBuf> = std::fs::read_dir(&dir)
            .map_err(|e| format!("{} cannot be read: {e}", printable(dir.as_os_str())))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|e| e == "eml"))
            .collect();
        files.sort();
        for path in files {
            let text = std::fs::read_to_string(&path)
                .map_err(|e| format!("{} cannot be read: {e}", printable(path.as_os_str())))?;
            let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
            let field =
                |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
            let id = format!(
                "{}.{}",
                dir.file_name().and_then(|n| n.to_str()).unwrap_or_default(),
                path.file_stem().and_then(|n| n.to_str()).unwrap_or_default()
            );
            let title = field("Subject:").trim_start_matches("[kmp] ").to_string();
            let seconds = field("X-KMP-Written:").parse().unwrap_or(0);
            entries.push(Entry { id, title, text: body.into(), seconds });
        }
    }
    Ok(entries)
}

fn print(items: &[Item<'_>], kernel: &str, to_send: &[PathBuf]) -> Result<(), String> {
    let mut page = Page::new();
    for item in items {
        let (tone, what) = verdict(item);
        let colour = match tone {
            Tone::Good => Colour::Green,
            Tone::Bad => Colour::Red,
            _ => Colour::Yellow,
        };
        let what = page.paint(colour, what);
        page.wrapped_behind(0, 2, &format!("{}/{}: {what}", item.provider, item.registration.package.name));
        for finding in item.findings.iter().take(3) {
            page.wrapped_behind(2, 2, &format!("{}: {}", finding.module, finding.reason));
        }
        if item.findings.len() > 3 {
            page.line(format!("  ... and {} more", item.findings.len() - 3));
        }
    }
    page.line("");
    let stops = items.iter().filter(|item| item.remedy().is_some()).count();
    page.wrapped_behind(
        0,
        2,
        &format!("Kernel {kernel}: {stops} of {} registered packages stop loading", items.len()),
    );
    match to_send {
        [] => page.line("There is no new message."),
        new => {
            page.line("To be sent:");
            new.iter().for_each(|path| page.line(format!("  {}", printable(path.as_os_str()))));
        }
    }
    page.print()
}
