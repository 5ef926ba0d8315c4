// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp explain`: symbol by symbol.

use kmp_core::abi::{Rule, SymbolLine, Verdict};
use kmp_core::check::modules_of_packages;
use kmp_core::printable;
use kmp_core::state::State;
use kmp_core::survey;
use kmp_core::targets::Targets;
use serde::Serialize;

use crate::args::Explain;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::json::{self, Document};
use crate::output::terminal::{Colour, Page};
use crate::output::verdict_lines;
use crate::verbs::kabi::because::{self, Because, because};

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
    /// Why versions of symbols changed, most likely: where a kernel that has those which the module was built with is installed,
    /// and the images of both kernels have their types.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<Because>,
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

pub fn run(context: &Context, args: &Explain, quiet: bool) -> Result<Outcome, String> {
    let mut loader = context.loader();
    let mut targets = Targets::read_one(&loader, &args.name).map_err(|e| e.to_string())?;
    if !targets.package_files.is_empty() {
        let found = modules_of_packages(&context.root, context.rpm(), &targets.package_files);
        targets.files = found.map_err(|e| e.to_string())?;
    }
    let survey = context.survey(&mut loader, args.kernel.as_slice())?;
    let name = args.name.to_string_lossy();
    let explained = survey.explain_where_refused(&targets.files, &name).map_err(|e| e.to_string())?;
    let Some((kernel, explained)) = explained else {
        let dir = survey.inventory.dirs.shown().display();
        return Err(format!("there is no kernel in {dir}"));
    };
    let release = &kernel.kernel.release;
    context.done();
    let outcome = Outcome::of(explained.iter().map(|e| &e.verdict), survey.is_unread());
    let why: Vec<Option<Because>> = match args.json || !quiet {
        true => {
            let mut left = because::MOST;
            let mut why = |verdict: &Verdict| {
                let is_refused = verdict.reasons.iter().any(|reason| reason.rule == Rule::Crc);
                left = if is_refused { left.checked_sub(1)? } else { left };
                because(context, &mut loader, release, verdict)
            };
            explained.iter().map(|of| why(&of.verdict)).collect()
        }
        false => Vec::new(),
    };
    context.done();
    if args.json {
        let modules = explained.iter().zip(why).map(|(of, why)| Explained {
            module: json::Module {
                name: of.name.into(),
                path: json::path(of.path),
                package: of.package.clone(),
                state: State::of(&of.verdict).word(),
                fits: of.verdict.loads(),
                reasons: json::reasons(&of.verdict),
                warnings: json::warnings(&of.verdict),
                key: of.verdict.key.as_ref().map(json::Key::from),
            },
            symbols: of.symbols.iter().map(Symbol::from).collect(),
            why,
        });
        Document::print(vec![Kernel { release: release.clone(), modules: modules.collect() }])?;
    } else if !quiet {
        print(release, &explained, &why)?;
    }
    Ok(outcome)
}

fn print(release: &str, explained: &[survey::Explained<'_>], why: &[Option<Because>]) -> Result<(), String> {
    let mut page = Page::new();
    for (survey::Explained { name, path, package, verdict, symbols }, why) in explained.iter().zip(why) {
        let package = package.as_ref().map(|p| format!("  ({p})")).unwrap_or_default();
        let name = page.paint(Colour::Bold, printable(name.as_ref()));
        page.wrapped_behind(0, 2, &format!("{name}  {}{package}", printable(path.as_os_str())));
        if !symbols.is_empty() {
            let width = symbols.iter().map(|s| s.symbol.len()).max().unwrap_or(6).clamp(6, 40);
            let head = format!("  {:width$} {:10} {:10} EXPORTER", "SYMBOL", "WANTED", "OFFERED");
            page.line(page.paint(Colour::Dim, head));
            for symbol in symbols {
                page.wrapped_behind(2, 4, &line(&page, symbol, width));
            }
        }
        verdict_lines::draw(&mut page, &format!("  {release}: "), verdict);
        if let Some(why) = why {
            verdict_lines::note(&mut page, "why", &why.sentence());
        }
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
    format!("{name:width$} {wanted:10} {offered:10} {exporter}{namespace}{gpl}{}", wrong.unwrap_or_default())
}
