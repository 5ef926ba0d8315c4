// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp check`: verdicts with every reason.

mod page;

use std::collections::HashMap;

use kmp_core::abi::{Candidate, Kernel, Role, Rule, Verdict, World};
use kmp_core::check::{Line, Request, check_read};
use kmp_core::ids::{KernelId, List};
use kmp_core::inventory::{Apart, Loader, parse_symvers};
use kmp_core::printable;
use kmp_core::state::State;
use kmp_core::targets::{File, Targets, judge_together};

use crate::args::Check;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::json::{self, Document};
use crate::output::signatures::{self, Signed};
use crate::verbs::kabi::because::{self, because};
use crate::verbs::plan::{self, OfFiles};

pub fn run(context: &Context, args: &Check, quiet: bool, verbose: bool) -> Result<Outcome, String> {
    let signed = signatures::verify(context, &args.names);
    let outcome = signatures::report(&signed, !(args.json || args.json_lines || quiet));
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
    let is_plain = !(args.all || args.json || args.json_lines)
        && args.symvers.is_none()
        && args.kernels.kernels.is_empty();
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
    } else if args.json_lines {
        let each = lines.iter().map(|line| VerdictLine {
            version: json::VERSION,
            release: releases[line.kernel].clone(),
            module: module(line),
        });
        json::print_lines(each)?;
    } else if !quiet {
        let why = why(context, &mut loader, &releases, &lines);
        page::print(&releases, &lines, &apart, &why, table.is_some() && kernels.is_empty())?;
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

/// A line of `kmp check --json-lines`.
#[derive(serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VerdictLine {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// The kernel's release (`uname -r`).
    release: String,
    #[serde(flatten)]
    module: json::Module,
}

fn module(line: &Line) -> json::Module {
    json::Module {
        name: line.name.clone(),
        path: json::path(&line.path),
        package: line.package.clone(),
        state: State::of(&line.verdict).word(),
        fits: line.verdict.loads(),
        reasons: json::reasons(&line.verdict),
        warnings: json::warnings(&line.verdict),
        key: line.verdict.key.as_ref().map(json::Key::from),
    }
}

fn print_json(
    releases: &List<KernelId, String>,
    lines: &[Line],
    apart: &[Apart],
    signed: &[Signed],
) -> Result<(), String> {
    let kernel = |(id, release): (KernelId, &String)| json::Modules {
        release: release.clone(),
        modules: lines.iter().filter(|l| l.kernel == id).map(module).collect(),
        apart: json::apart(apart, release),
    };
    let kernels = Document { version: json::VERSION, kernels: releases.each().map(kernel).collect() };
    json::print(&Checked { kernels, packages: signed.iter().map(signatures::Json::from).collect() })
}

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
        if asked.len() < because::MOST && asked.iter().all(|other| other.kernel != line.kernel) {
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
