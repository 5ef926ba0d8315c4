// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp kabi exposure`: what modules use that nobody has promised.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::PathBuf;

use kmp_core::abi::Module;
use kmp_core::abi::name::module_name;
use kmp_core::inventory::parse_module;
use kmp_core::printable;
use kmp_core::targets::Targets;
use kmp_core::unpack::MODULE_LIMIT;
use kmp_kabi::{Exposed, Standing, exposure};

use super::document::{ExposedModule, ExposedSymbol, Exposure, Rule};
use super::sides::{Exports, Side};
use crate::args::kabi::Exposure as Args;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::count::{counted, number};
use crate::output::json::{self, VERSION};
use crate::output::terminal::{Colour, Page};

pub fn run(context: &Context, args: &Args, quiet: bool) -> Result<Outcome, String> {
    if args.rules.files.is_empty() {
        return Err("without rules nothing is known of what is promised; add --rules FILE".into());
    }
    let rules = super::rules(&args.rules)?;
    let kernel = args.kernel.as_deref().map(|word| Side::read(context, word)).transpose()?;
    let kernel = match kernel.as_ref().map(|side| &side.exports) {
        None => None,
        Some(Exports::Symbols(table)) => Some(table),
        Some(Exports::Symtypes(_)) => return Err("--kernel: symtypes do not say who exports a symbol".into()),
    };
    let modules = modules(context, &args.names)?;
    let offered: HashSet<&str> =
        modules.iter().flat_map(|(_, module)| module.offers.iter().map(|offer| &*offer.symbol)).collect();
    let exposed: Vec<(&PathBuf, &Module, Vec<Exposed<'_>>)> = modules
        .iter()
        .map(|(path, module)| {
            (path, module, exposure(module, kernel, &rules, |symbol| offered.contains(symbol)))
        })
        .collect();
    let all: HashMap<&str, Standing> = exposed
        .iter()
        .flat_map(|(_, _, all)| all)
        .map(|exposed| (exposed.symbol, exposed.standing))
        .collect();
    let mut counts: BTreeMap<Standing, usize> = BTreeMap::new();
    all.values().for_each(|standing| *counts.entry(*standing).or_default() += 1);
    let is_exposed = counts.contains_key(&Standing::Tolerated) || counts.contains_key(&Standing::Unknown);
    let rule = |exposed: &Exposed<'_>| Rule::of(&rules, &args.rules.files, exposed.rule?);
    if args.json {
        let symbol = |exposed: &Exposed<'_>| ExposedSymbol {
            symbol: exposed.symbol.into(),
            standing: exposed.standing.word(),
            rule: rule(exposed),
        };
        let modules = exposed.iter().map(|(path, module, all)| ExposedModule {
            name: module.name.to_string(),
            path: printable(path.as_os_str()),
            symbols: all.iter().map(symbol).collect(),
        });
        let counts = counts.iter().map(|(standing, count)| (standing.word(), *count)).collect();
        json::print(&Exposure { version: VERSION, counts, modules: modules.collect() })?;
    } else if !quiet {
        let mut page = Page::new();
        for (path, module, all) in &exposed {
            let head = page.paint(Colour::Bold, printable(module.name.as_ref().as_ref()));
            page.wrapped_behind(
                0,
                2,
                &format!("{head}  {}: uses {}", printable(path.as_os_str()), counted(all.len(), "symbol")),
            );
            for exposed in all {
                let (colour, what) = match exposed.standing {
                    Standing::Tolerated => (Colour::Red, "may change at any time"),
                    Standing::Unknown => (Colour::Yellow, "not known"),
                    Standing::Promised if args.all => (Colour::Green, "promised"),
                    Standing::Own if args.all => (Colour::Dim, "exported by another of these modules"),
                    Standing::Promised | Standing::Own => continue,
                };
                let by = match rule(exposed) {
                    Some(rule) => format!(", by {}", rule.line()),
                    None if exposed.standing == Standing::Tolerated => ", on no list".into(),
                    None => String::new(),
                };
                let symbol = printable(exposed.symbol.as_ref());
                page.wrapped_behind(2, 4, &format!("{symbol:32}  {}{by}", page.paint(colour, what)));
            }
        }
        let of = |standing| number(counts.get(&standing).copied().unwrap_or(0));
        page.wrapped_behind(
            0,
            2,
            &format!(
                "{}: {} promised, {} that may change at any time, {} not known",
                counted(all.len(), "symbol"),
                of(Standing::Promised),
                of(Standing::Tolerated),
                of(Standing::Unknown)
            ),
        );
        page.print()?;
    }
    Ok(if is_exposed { Outcome::Found } else { Outcome::Good })
}

/// Those of files, directories and packages.
pub fn modules(context: &Context, names: &[std::ffi::OsString]) -> Result<Vec<(PathBuf, Module)>, String> {
    let loader = context.loader();
    let targets = Targets::read(&loader, names).map_err(|e| e.to_string())?;
    if let Some(name) = targets.packages.first() {
        return Err(format!("there is no file {}", printable(name.as_ref())));
    }
    let mut modules = Vec::new();
    for file in targets.files {
        let module = file.module.map_err(|e| format!("{}: {e}", printable(file.path.as_os_str())))?;
        modules.push((file.path, module));
    }
    for file in &targets.package_files {
        let rpm = context.rpm().map_err(|e| format!("package files cannot be read: {e}"))?;
        let mut package = rpm.open_package(file).map_err(|e| e.to_string())?;
        let before = modules.len();
        let mut wrong = None;
        let wanted = |path: &std::path::Path| path.file_name().and_then(module_name).is_some();
        let read = package.read_files(&wanted, MODULE_LIMIT, &mut |paths, bytes| {
            let Some(path) = paths.first() else { return ControlFlow::Continue(()) };
            match parse_module(&bytes, path) {
                Ok(module) => modules.push((path.clone(), module)),
                Err(e) => {
                    wrong = Some(format!(
                        "{} in {}: {e}",
                        printable(path.as_os_str()),
                        printable(file.as_os_str())
                    ))
                }
            }
            ControlFlow::Continue(())
        });
        read.map_err(|e| e.to_string())?;
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        if modules.len() == before {
            return Err(format!("there is no module in {}", printable(file.as_os_str())));
        }
    }
    Ok(modules)
}
