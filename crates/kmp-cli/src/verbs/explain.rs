// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp explain`: symbol by symbol.

use std::ffi::OsStr;

use kmp_core::abi::{Module, ModuleFault, SymbolLine, Verdict};
use kmp_core::ids::{KmpId, ReleaseId};
use kmp_core::printable;
use kmp_core::state::State;
use kmp_core::survey::Survey;
use kmp_core::targets::Targets;
use serde::Serialize;

use crate::args::Explain;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::json::{self, Document};
use crate::output::terminal::{Colour, Page};
use crate::output::verdict_lines;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Kernel {
    /// The kernel's release.
    release: String,
    /// The modules that were asked for.
    modules: Vec<Explained>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Explained {
    #[serde(flatten)]
    module: json::Module,
    /// Every symbol that it needs.
    symbols: Vec<Symbol>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Symbol {
    /// Its name.
    symbol: String,
    /// Does the module load without it?
    weak: bool,
    /// Is it for GPL-compatible modules only?
    gpl_only: bool,
    /// The version (CRC) that the module was built with.
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<String>,
    /// The version that there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    offered: Option<String>,
    /// Who exports it: `vmlinux`, an in-tree module's path, or a module's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    exporter: Option<String>,
    /// The namespace that the module has to import for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    /// The rule that is broken, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("enum" = json::schemas::rules())))]
    rule: Option<&'static str>,
}

impl From<&SymbolLine> for Symbol {
    fn from(line: &SymbolLine) -> Self {
        Self {
            symbol: line.symbol.to_string(),
            weak: line.weak,
            gpl_only: line.gpl_only,
            wanted: line.wanted.map(json::crc),
            offered: line.offered.map(json::crc),
            exporter: line.exporter.as_deref().map(Into::into),
            namespace: line.namespace.as_deref().map(Into::into),
            rule: line.reason.as_ref().map(|r| r.rule.as_str()),
        }
    }
}

/// A module to be explained.
struct Subject<'a> {
    name: &'a str,
    path: String,
    package: Option<String>,
    module: Result<&'a Module, &'a ModuleFault>,
}

pub fn run(context: &Context, args: &Explain, quiet: bool) -> Result<Outcome, String> {
    let mut loader = context.loader();
    let release = std::slice::from_ref(&args.kernel);
    let targets = Targets::read(&loader, std::slice::from_ref(&args.name)).or_else(|e| {
        // A name that looks like no file may still be a module's.
        if args.name.as_encoded_bytes().contains(&b'/') { Err(e.to_string()) } else { Ok(Targets::default()) }
    })?;
    if !targets.package_files.is_empty() {
        return Err("kmp explain reads module files; use kmp check for a package file".into());
    }
    let survey = context.survey(&mut loader, release)?;
    let Some(kernel) = survey.kernels.first() else {
        return Err(format!("there is no kernel {}", args.kernel));
    };
    let subjects = match targets.files.is_empty() {
        false => targets
            .files
            .iter()
            .map(|f| Subject {
                name: &f.name,
                path: json::path(&f.path),
                package: None,
                module: f.module.as_ref(),
            })
            .collect(),
        true => installed(&survey, kernel.release, &args.name)?,
    };

    if let Some(problem) = &kernel.unread {
        return Err(format!("kernel {} cannot be judged: {problem}", args.kernel));
    }
    // The subjects come last, beside what is installed under other names.
    let site = survey.site_of(kernel);
    let mut modules: Vec<_> = survey
        .present_in(kernel)
        .filter(|m| subjects.iter().all(|s| s.name != &*m.name))
        .map(|m| (&*m.name, survey.module(&m.path)))
        .collect();
    let first = modules.len();
    modules.extend(subjects.iter().map(|s| (s.name, s.module)));
    let (world, places) = site.world(&modules);
    let verdicts = world.judge();
    let explained: Vec<(Subject<'_>, Verdict, Vec<SymbolLine>)> = subjects
        .into_iter()
        .zip(&places[first..])
        .map(|(subject, place)| match place {
            Some(at) => (subject, verdicts[*at].clone(), world.explain(*at)),
            None => {
                let verdict = subject.module.err().map_or_else(Verdict::default, Verdict::of_fault);
                (subject, verdict, Vec::new())
            }
        })
        .collect();
    context.done();
    let outcome = Outcome::of(explained.iter().map(|(_, v, _)| v), survey.is_unread());
    if args.json {
        let modules = explained.iter().map(|(subject, verdict, symbols)| Explained {
            module: json::Module {
                name: subject.name.into(),
                path: subject.path.clone(),
                package: subject.package.clone(),
                state: State::of(verdict).word(),
                fits: json::fits(verdict),
                reasons: json::reasons(verdict),
                warnings: json::warnings(verdict),
            },
            symbols: symbols.iter().map(Symbol::from).collect(),
        });
        Document::print(vec![Kernel { release: args.kernel.clone(), modules: modules.collect() }])?;
    } else if !quiet {
        print(&args.kernel, &explained)?;
    }
    Ok(outcome)
}

/// The modules of the KMP, or the module, of that name: the kernel's own third-party modules first.
fn installed<'s>(survey: &'s Survey, release: ReleaseId, name: &OsStr) -> Result<Vec<Subject<'s>>, String> {
    let name = name.to_string_lossy();
    let wanted = kmp_core::abi::name::normalized(&name);
    let kmps = &survey.inventory.kmps;
    let named = survey.inventory.kmps_named(&name);
    let of_kmp = |kmp: KmpId| {
        kmps[kmp].modules.iter().map(move |m| (m, Some(kmps[kmp].package.nvr()))).collect::<Vec<_>>()
    };
    let found = match named.first() {
        Some(newest) => of_kmp(*newest),
        None => {
            let own = survey.inventory.releases[release].third_party.iter();
            let own = own.map(|m| (m, survey.inventory.owner(&m.path).map(|k| kmps[k].package.nvr())));
            let packaged = kmps.ids().flat_map(of_kmp);
            own.chain(packaged).find(|(m, _)| *m.name == *wanted).into_iter().collect()
        }
    };
    if found.is_empty() {
        return Err(match &survey.inventory.packages_unknown {
            Some(unknown) => {
                format!("no module {name} was found, and the packages cannot be read: {unknown}")
            }
            None => format!("there is no KMP and no third-party module {name}"),
        });
    }
    let subject = |(module, package): (&'s kmp_core::inventory::FoundModule, Option<String>)| Subject {
        name: &module.name,
        path: json::path(&module.path),
        package,
        module: survey.module(&module.path),
    };
    Ok(found.into_iter().map(subject).collect())
}

fn print(release: &str, explained: &[(Subject<'_>, Verdict, Vec<SymbolLine>)]) -> Result<(), String> {
    let mut page = Page::new();
    for (subject, verdict, symbols) in explained {
        let package = subject.package.as_ref().map(|p| format!("  ({p})")).unwrap_or_default();
        let name = page.paint(Colour::Bold, printable(subject.name.as_ref()));
        page.line(format!("{name}  {}{package}", printable(subject.path.as_ref())));
        if !symbols.is_empty() {
            let width = symbols.iter().map(|s| s.symbol.len()).max().unwrap_or(6).clamp(6, 40);
            let head = format!("  {:width$} {:10} {:10} EXPORTER", "SYMBOL", "WANTED", "OFFERED");
            page.line(page.paint(Colour::Dim, head));
            for symbol in symbols {
                page.line(line(&page, symbol, width));
            }
        }
        verdict_lines::draw(&mut page, &format!("  {release}: "), verdict);
    }
    page.print()
}

fn line(page: &Page, symbol: &SymbolLine, width: usize) -> String {
    let crc = |crc: Option<u32>| crc.map_or_else(|| "-".to_string(), json::crc);
    let exporter = match (&symbol.exporter, symbol.weak) {
        (Some(exporter), _) => printable(exporter.as_ref().as_ref()),
        (None, true) => "nobody (weak)".into(),
        (None, false) => "nobody".into(),
    };
    let namespace = symbol.namespace.as_ref().map(|n| format!(" [{n}]")).unwrap_or_default();
    let gpl = if symbol.gpl_only { " GPL" } else { "" };
    let wrong = symbol.reason.as_ref().map(|r| format!("  {}", page.paint(Colour::Red, r.rule)));
    let name = printable(symbol.symbol.as_ref().as_ref());
    let (wanted, offered) = (crc(symbol.wanted), crc(symbol.offered));
    format!(
        "  {name:width$} {wanted:10} {offered:10} {exporter}{namespace}{gpl}{}",
        wrong.unwrap_or_default()
    )
}
