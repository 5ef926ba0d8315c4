// SPDX-License-Identifier: LGPL-2.1-or-later
//! Why CRCs changed, in groups: symbols that changed for one reason.

use std::collections::{BTreeMap, HashSet};

use kmp_core::abi::name::module_name;
use kmp_kabi::symtypes::{Symtypes, c_name};
use kmp_kabi::why::{self, Cause, Effect, Wanted};
use kmp_kabi::{Change, What};

use super::sides::Side;
use crate::args::kabi::Why as Args;
use crate::context::Context;

/// Symbols that changed for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The type, as C has its name; `None`: each symbol's own declaration changed.
    pub of: Option<String>,
    /// Is it certain (by symtypes), and not only likely (by the kernels' types)?
    pub is_certain: bool,
    /// What it means for code; `None`: not known.
    pub effect: Option<Effect>,
    /// What changed, a line each.
    pub lines: Vec<String>,
    /// How many more lines there would be.
    pub more: usize,
    /// The symbols, each with the names of the types over which it leads to that one.
    pub symbols: Vec<(String, Vec<String>)>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Reasons {
    /// Those with the most symbols first.
    pub groups: Vec<Group>,
    /// How many named types differ: of the images, and of modules alone. `None`: only reasons were asked for.
    pub differing: Option<(usize, usize)>,
    /// Symbols of which the types say nothing.
    pub not_there: Vec<String>,
    /// Symbols all of whose types are the same.
    pub nothing_differs: Vec<String>,
}

/// `None`: there is nothing to find them in.
pub fn find(
    context: &Context,
    args: &Args,
    sides: (&Side, &Side),
    changes: &[Change<'_>],
) -> Result<Option<Reasons>, String> {
    let changed: Vec<Wanted<'_>> = changes
        .iter()
        .filter(|change| change.what.contains(&What::Crc))
        .filter_map(|change| {
            let (old, new) = (change.old?.exporter, change.new?.exporter);
            Some(Wanted { symbol: change.symbol, old, new })
        })
        .collect();
    if changed.is_empty() {
        return Ok(None);
    }
    if let (Some(old), Some(new)) = (&args.old_symtypes, &args.new_symtypes) {
        let (old, new) = (super::text(old)?, super::text(new)?);
        let symbols: Vec<&str> = changed.iter().map(|wanted| wanted.symbol).collect();
        return by_symtypes(&old, &new, &symbols).map(Some);
    }
    if args.no_why {
        return Ok(None);
    }
    let exporters: HashSet<String> = changed
        .iter()
        .flat_map(|wanted| [wanted.old, wanted.new])
        .filter_map(|path| module_name(format!("{}.ko", path.rsplit('/').next()?).as_ref()))
        .collect();
    let types =
        |side: &Side, image: &Option<std::path::PathBuf>| side.types(context, image.as_deref(), &exporters);
    let Some(old) = types(sides.0, &args.old_image)? else { return Ok(None) };
    let Some(new) = types(sides.1, &args.new_image)? else { return Ok(None) };
    match why::explain(&old, &new, changed) {
        Ok(explained) => Ok(Some(grouped(explained))),
        Err(e) => {
            log::warn!("no reasons are known: {e}");
            Ok(None)
        }
    }
}

fn grouped(explained: why::Explained) -> Reasons {
    let mut groups: Vec<Group> = explained
        .types
        .into_iter()
        .map(|change| Group {
            of: Some(change.name),
            is_certain: false,
            effect: Some(change.effect),
            lines: change.lines,
            more: change.more,
            symbols: Vec::new(),
        })
        .collect();
    let mut reasons = Reasons {
        differing: Some((explained.differing, explained.differing_in_modules)),
        ..Reasons::default()
    };
    let mut declared: Option<Group> = None;
    for (symbol, cause) in explained.causes {
        match cause {
            Cause::Type { at, path } => {
                groups.get_mut(at).into_iter().for_each(|g| g.symbols.push((symbol.clone(), path.clone())))
            }
            Cause::Declaration { old, new } => {
                let group = declared.get_or_insert_with(|| own_declaration(false));
                group.lines.push(format!("{symbol}: {new}, before {old}"));
                group.symbols.push((symbol, Vec::new()));
            }
            Cause::NotThere => reasons.not_there.push(symbol),
            Cause::NothingDiffers => reasons.nothing_differs.push(symbol),
        }
    }
    groups.extend(declared);
    reasons.groups = sorted(groups);
    reasons
}

fn own_declaration(is_certain: bool) -> Group {
    Group { of: None, is_certain, effect: None, lines: Vec::new(), more: 0, symbols: Vec::new() }
}

fn sorted(mut groups: Vec<Group>) -> Vec<Group> {
    groups.sort_by(|a, b| (b.symbols.len(), &a.of).cmp(&(a.symbols.len(), &b.of)));
    groups
}

/// The exact reasons.
pub fn by_symtypes(old: &str, new: &str, symbols: &[&str]) -> Result<Reasons, String> {
    let parse =
        |which: &str, text| Symtypes::parse(text).map_err(|e| format!("the {which} kernel's symtypes: {e}"));
    // Both have to live as long: reasons point into both.
    let (old, new) = (parse("old", old)?, parse("new", new)?);
    let mut groups: BTreeMap<(&str, Option<&str>, Option<&str>), Group> = BTreeMap::new();
    let mut reasons = Reasons::default();
    for symbol in symbols {
        let Some(reason) = old.reason(&new, symbol) else {
            let list = if old.has(symbol) && new.has(symbol) {
                &mut reasons.nothing_differs
            } else {
                &mut reasons.not_there
            };
            list.push((*symbol).into());
            continue;
        };
        let is_own = reason.name == *symbol;
        let group = groups.entry((reason.name, reason.old, reason.new)).or_insert_with(|| Group {
            of: (!is_own).then(|| c_name(reason.name)),
            lines: pieces(reason.old, reason.new),
            ..own_declaration(true)
        });
        group.symbols.push(((*symbol).into(), Vec::new()));
    }
    reasons.groups = sorted(groups.into_values().collect());
    Ok(reasons)
}

/// What stands in one definition and not in the other, member by member.
fn pieces(old: Option<&str>, new: Option<&str>) -> Vec<String> {
    let (Some(old), Some(new)) = (old, new) else {
        let which = if old.is_none() {
            "declared in the old kernel, defined in the new"
        } else {
            "defined in the old kernel, only declared in the new"
        };
        return vec![which.into()];
    };
    let split = |text: &'_ str| -> Vec<String> {
        let parts = text.split_inclusive([';', ',', '{']);
        parts.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|p| p != "}").collect()
    };
    let (old, new) = (split(old), split(new));
    let only = |a: &[String], b: &[String], sign: char| -> Vec<String> {
        let others: HashSet<&String> = b.iter().collect();
        a.iter().filter(|part| !others.contains(part)).map(|part| format!("{sign} {part}")).collect()
    };
    let mut lines = only(&old, &new, '-');
    lines.extend(only(&new, &old, '+'));
    if lines.is_empty() {
        lines.push("its members are in another order".into());
    }
    lines
}
