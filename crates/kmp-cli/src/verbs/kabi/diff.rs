// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp kabi diff`: what changed from one kernel to the next.

use kmp_core::abi::{Export, Licensing, SymbolTable, SymbolTableBuilder};
use kmp_kabi::Diff;
use kmp_kabi::registry::{Item, Users, judge};
use kmp_kabi::symtypes::Symtypes;

use super::reasons::{self, Reasons};
use super::sides::{Exports, Side};
use super::{document, html, screen};
use crate::args::kabi::{Diff as Args, Format};
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::json;
use crate::output::terminal::print_text;
use crate::verbs::registry::{kernel, sound};

pub fn run(context: &Context, args: &Args, quiet: bool) -> Result<Outcome, String> {
    let rules = super::rules(&args.rules)?;
    let old = Side::read(context, &args.old)?;
    let new = Side::read(context, &args.new)?;
    let (tables, has_crcs) = tables(&old, &new)?;
    let (before, after) = match &tables {
        Some((old, new)) => (old, new),
        None => match (&old.exports, &new.exports) {
            (Exports::Symbols(old), Exports::Symbols(new)) => (old, new),
            _ => return Err("symtypes are compared with symtypes only".into()),
        },
    };
    for (side, table) in [(&old, before), (&new, after)] {
        if table.is_empty() {
            return Err(format!("{}: it is not known what the kernel exports", side.name));
        }
    }
    let diff = Diff::of(before, after, &rules);
    let reasons = match (&old.exports, &new.exports) {
        (Exports::Symtypes(old), Exports::Symtypes(new)) => {
            let changed = diff.changes.iter().filter(|change| change.old.is_some() && change.new.is_some());
            let symbols: Vec<&str> = changed.map(|change| change.symbol).collect();
            Some(reasons::by_symtypes(old, new, &symbols)?)
        }
        _ => reasons::find(context, &args.why, (&old, &new), &diff.changes)?,
    };
    let all = args.registry.as_deref().map(sound).transpose()?.unwrap_or_default();
    let registered = match (&args.registry, has_crcs) {
        (None, _) => None,
        (Some(_), false) => return Err("symtypes do not say which registered drivers stop".into()),
        (Some(_), true) => {
            let items = judge(&all, Some(&kernel(&old)?), &kernel(&new)?);
            Some(Registered { items, users: Users::of(&all) })
        }
    };
    let outcome = if diff.breaks().next().is_some() { Outcome::Found } else { Outcome::Good };
    let shown = Shown {
        old: &old.name,
        new: &new.name,
        diff: &diff,
        rules: &rules,
        args,
        reasons,
        has_crcs,
        registered,
    };
    if args.json {
        json::print(&document::Diff::from(&shown))?;
    } else if !quiet {
        match args.format {
            Format::Text => screen::text(&shown)?,
            Format::Short => screen::short(&shown)?,
            Format::Html => print_text(&html::page(&shown))?,
        }
    }
    Ok(outcome)
}

/// All that is printed.
pub struct Shown<'s> {
    pub old: &'s str,
    pub new: &'s str,
    pub diff: &'s Diff<'s>,
    pub rules: &'s kmp_kabi::Rules,
    pub args: &'s Args,
    pub reasons: Option<Reasons>,
    /// Are versions known, and exporters?
    pub has_crcs: bool,
    /// What is registered of others; `None`: no registry was named.
    pub registered: Option<Registered<'s>>,
}

/// What becomes of registered drivers.
pub struct Registered<'r> {
    pub items: Vec<Item<'r>>,
    pub users: Users<'r>,
}

/// Of symtypes, tables in which what differs has another version. Also: are the versions those of the kernels?
fn tables(old: &Side, new: &Side) -> Result<(Option<(SymbolTable, SymbolTable)>, bool), String> {
    let (Exports::Symtypes(old), Exports::Symtypes(new)) = (&old.exports, &new.exports) else {
        return Ok((None, true));
    };
    let parse = |which: &str, text| Symtypes::parse(text).map_err(|e| format!("the {which} symtypes: {e}"));
    let (old, new) = (parse("old", old)?, parse("new", new)?);
    let table = |of: &Symtypes<'_>, is_new: bool| {
        let mut builder = SymbolTableBuilder::new();
        for symbol in of.exports() {
            let differs = is_new && old.reason(&new, symbol).is_some();
            let licensing = Licensing::Unknown;
            let crc = Some(u32::from(differs));
            builder.add(symbol, &Export { crc, crc_known: true, exporter: "", licensing, namespace: "" });
        }
        builder.finish(true).map_err(|e| format!("symtypes: {e}"))
    };
    Ok((Some((table(&old, false)?, table(&new, true)?)), false))
}
