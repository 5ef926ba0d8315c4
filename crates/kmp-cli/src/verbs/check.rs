// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp check`: verdicts with every reason.

use kmp_core::abi::{Candidate, Kernel, Role, Verdict, World};
use kmp_core::check::{Line, Request, check};
use kmp_core::ids::{KernelId, List};
use kmp_core::inventory::{Apart, Kind, parse_symvers};
use kmp_core::printable;
use kmp_core::state::State;
use kmp_core::targets::{File, Targets, judge_together};

use crate::args::Check;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::json::{self, Document};
use crate::output::terminal::{Colour, Page};
use crate::output::verdict_lines;
use crate::verbs::plan;

pub fn run(context: &Context, args: &Check, quiet: bool) -> Result<Outcome, String> {
    // Whether a kernel that comes costs a driver is a question of what is in use, not of every version.
    let is_plain = !args.all && !args.json && args.symvers.is_none() && args.kernels.kernels.is_empty();
    if is_plain && let Some(planned) = plan::of_a_kernel(context, &args.names) {
        return plan::answer(&planned?, false, quiet);
    }
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
            let checked = check(&context.root, context.rpm(), &mut loader, &request);
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
        print_json(&releases, &lines, &apart)?;
    } else if !quiet {
        print(&releases, &lines, &apart)?;
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

fn print_json(releases: &List<KernelId, String>, lines: &[Line], apart: &[Apart]) -> Result<(), String> {
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
    Document::print(releases.each().map(kernel).collect())
}

/// Module by module, kernel by kernel.
fn print(releases: &List<KernelId, String>, lines: &[Line], apart: &[Apart]) -> Result<(), String> {
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
