// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp check`: verdicts with every reason.

use std::collections::HashMap;

use kmp_core::abi::{Candidate, Kernel, Role, Rule, Verdict, World};
use kmp_core::check::{Line, Request, check_read};
use kmp_core::ids::{KernelId, List};
use kmp_core::inventory::{Apart, Kind, Loader, parse_symvers};
use kmp_core::printable;
use kmp_core::state::State;
use kmp_core::targets::{File, Targets, judge_together};

use crate::args::Check;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::json::{self, Document};
use crate::output::signatures::{self, Signed};
use crate::output::terminal::{Colour, Page};
use crate::output::verdict_lines;
use crate::verbs::kabi::because::because;
use crate::verbs::plan::{self, OfFiles};

pub fn run(context: &Context, args: &Check, quiet: bool, verbose: bool) -> Result<Outcome, String> {
    let signed = signatures::verify(context, &args.names);
    let outcome = signatures::report(&signed, !args.json && !quiet);
    judged(context, args, &signed, quiet, verbose)
        .map(|judged| if judged == Outcome::Good { outcome } else { judged })
}

fn judged(
    context: &Context,
    args: &Check,
    signed: &[Signed],
    quiet: bool,
    verbose: bool,
) -> Result<Outcome, String> {
    // Whether a kernel that comes costs a driver is a question of what is in use, not of every version.
    let is_plain = !args.all && !args.json && args.symvers.is_none() && args.kernels.kernels.is_empty();
    let read = match is_plain {
        false => None,
        true => match plan::of_files(context, &args.names)? {
            OfFiles::Kernel(planned) => return plan::answer(&planned, false, quiet, verbose),
            OfFiles::Other(read) => read.map(|elements| *elements),
        },
    };
    let mut loader = context.loader();
    let kernels = &args.kernels.kernels;
    let table = args.symvers.as_deref().map(symvers).transpose()?;
    let mut is_unread = false;
    let (releases, lines, apart) = match (&args.symvers, &table) {
        (Some(file), Some(table)) if kernels.is_empty() => {
            let targets = Targets::read(&loader, &args.names).map_err(|e| e.to_string())?;
            let others = !(targets.packages.is_empty() && targets.package_files.is_empty());
            if others || targets.files.is_empty() {
                return Err("--symvers without --kernel judges module files; name some".into());
            }
            let kernel = Kernel::of_symbols(printable(file.as_os_str()), table.clone());
            let mut releases = List::new();
            let id = releases.push(kernel.release.clone());
            (releases, judge_alone(id, &kernel, &targets.files), Vec::new())
        }
        _ => {
            let request = Request { kernels, names: &args.names, symbols: table.as_ref() };
            let checked = check_read(&context.root, context.rpm(), &mut loader, &request, read);
            context.done();
            let checked = checked.map_err(|e| e.to_string())?;
            checked.problems.iter().for_each(|problem| log::warn!("{problem}"));
            is_unread = checked.problems.iter().any(|p| p.is_unread);
            (checked.releases, checked.lines, checked.apart)
        }
    };
    context.done();
    let outcome = Outcome::of(lines.iter().map(|l| &l.verdict), is_unread);
    if args.json {
        print_json(&releases, &lines, &apart, signed)?;
    } else if !quiet {
        let why = why(context, &mut loader, &releases, &lines);
        print(&releases, &lines, &apart, &why)?;
    }
    Ok(outcome)
}

fn symvers(file: &std::path::Path) -> Result<kmp_core::abi::SymbolTable, String> {
    let bytes =
        std::fs::read(file).map_err(|e| format!("{} cannot be read: {e}", printable(file.as_os_str())))?;
    parse_symvers(&bytes).map_err(|e| format!("{}: {e}", printable(file.as_os_str())))
}

/// Judges files by symbols alone.
fn judge_alone(id: KernelId, kernel: &Kernel, files: &[File]) -> Vec<Line> {
    let verdicts = judge_together(files, |set| {
        let candidates = set.iter().filter_map(|f| {
            let module = f.module.as_ref().ok()?;
            Some(Candidate { name: &f.name, module, role: Role::Judged })
        });
        let mut judged = World::new(kernel, None, candidates.collect()).judge().into_iter();
        set.iter()
            .map(|f| match &f.module {
                Ok(_) => judged.next().unwrap_or_default(),
                Err(why) => Verdict::of_fault(why),
            })
            .collect()
    });
    let line = |(file, verdict): (&File, Verdict)| Line {
        kernel: id,
        name: file.name.clone(),
        path: file.path.clone(),
        package: None,
        verdict,
    };
    files.iter().zip(verdicts).map(line).collect()
}

/// What was judged, and what the signatures of package files are worth.
#[derive(serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Checked {
    #[serde(flatten)]
    kernels: Document<json::Modules>,
    /// The package files that were named.
    packages: Vec<signatures::Json>,
}

fn print_json(
    releases: &List<KernelId, String>,
    lines: &[Line],
    apart: &[Apart],
    signed: &[Signed],
) -> Result<(), String> {
    let kernel = |(id, release): (KernelId, &String)| json::Modules {
        release: release.clone(),
        modules: lines
            .iter()
            .filter(|l| l.kernel == id)
            .map(|l| json::Module {
                name: l.name.clone(),
                path: json::path(&l.path),
                package: l.package.clone(),
                state: State::of(&l.verdict).word(),
                fits: l.verdict.loads(),
                reasons: json::reasons(&l.verdict),
                warnings: json::warnings(&l.verdict),
            })
            .collect(),
        apart: json::apart(apart, release),
    };
    let kernels = Document { version: json::VERSION, kernels: releases.each().map(kernel).collect() };
    json::print(&Checked { kernels, packages: signed.iter().map(signatures::Json::from).collect() })
}

/// For how many verdicts it is said why versions changed: two images are read for each, which takes about a second.
const REASONS: usize = 2;

/// Why versions of symbols changed, for the first refused module of each kernel.
fn why(
    context: &Context,
    loader: &mut Loader<'_>,
    releases: &List<KernelId, String>,
    lines: &[Line],
) -> HashMap<*const Line, String> {
    let is_refused = |line: &&Line| line.verdict.reasons.iter().any(|reason| reason.rule == Rule::Crc);
    let mut asked: Vec<&Line> = Vec::new();
    for line in lines.iter().filter(is_refused) {
        if asked.len() < REASONS && asked.iter().all(|other| other.kernel != line.kernel) {
            asked.push(line);
        }
    }
    let sentence = |line: &Line| {
        let why = because(context, loader, &releases[line.kernel], &line.verdict)?;
        Some((std::ptr::from_ref(line), why.sentence()))
    };
    let found = asked.into_iter().filter_map(sentence).collect();
    context.done();
    found
}

/// Module by module, kernel by kernel.
fn print(
    releases: &List<KernelId, String>,
    lines: &[Line],
    apart: &[Apart],
    why: &HashMap<*const Line, String>,
) -> Result<(), String> {
    let mut page = Page::new();
    let width = releases.iter().map(String::len).max().unwrap_or(0);
    let mut order: Vec<&Line> = lines.iter().collect();
    // The sort is stable: kernels stay in their order within a module.
    order.sort_by_key(|l| (&l.package, &l.path));
    let mut last = None;
    for line in order {
        if last != Some(&line.path) {
            let head = page.paint(Colour::Bold, printable(line.name.as_ref()));
            let package = line.package.as_ref().map(|p| format!("  ({p})")).unwrap_or_default();
            page.line(format!("{head}  {}{package}", printable(line.path.as_os_str())));
            last = Some(&line.path);
        }
        let release = format!("{:width$}", releases[line.kernel]);
        verdict_lines::draw(&mut page, &format!("  {release}  "), &line.verdict);
        if let Some(why) = why.get(&std::ptr::from_ref(line)) {
            verdict_lines::note(&mut page, "why", why);
        }
    }
    for apart in apart.iter().filter(|a| a.kind == Kind::LivePatch && releases.contains(&a.release)) {
        let head = page.paint(Colour::Bold, printable(apart.module.name.as_ref().as_ref()));
        let package = apart.package.as_ref().map(|p| format!("  ({p})")).unwrap_or_default();
        page.line(format!("{head}  {}{package}", printable(apart.module.path.as_os_str())));
        page.line(format!("  {:width$}  a live patch, for this kernel alone", apart.release));
    }
    if lines.is_empty() {
        page.line("no third-party modules to judge");
    }
    page.print()
}
