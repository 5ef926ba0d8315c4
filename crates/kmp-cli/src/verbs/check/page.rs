// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp check` for people: what it comes to, each verdict with every reason, and where there is more.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use kmp_core::check::Line;
use kmp_core::ids::{KernelId, List};
use kmp_core::inventory::{Apart, Kind};
use kmp_core::printable;
use kmp_core::state::State;

use crate::output::count::counted;
use crate::output::terminal::{Colour, Page};
use crate::output::verdict_lines;
use crate::verbs::sync::package_name;

/// How many modules a line names.
const NAMED: usize = 3;

/// `why`: why versions of symbols changed, where that is known. `by_symbols`: it is no kernel that is judged for, but a list of symbols.
pub fn print(
    releases: &List<KernelId, String>,
    lines: &[Line],
    apart: &[Apart],
    why: &HashMap<*const Line, String>,
    by_symbols: bool,
) -> Result<(), String> {
    let mut page = Page::new();
    if !lines.is_empty() {
        summary(&mut page, releases, lines, by_symbols);
    }
    let width = releases.iter().map(String::len).max().unwrap_or(0);
    let mut order: Vec<&Line> = lines.iter().collect();
    // The sort is stable: kernels stay in their order within a module.
    order.sort_by_key(|l| (&l.package, &l.path));
    let mut last = None;
    for line in order {
        if last != Some(&line.path) {
            page.line("");
            heading(&mut page, &line.name, &line.path, line.package.as_deref());
            last = Some(&line.path);
        }
        let release = format!("{:width$}", releases[line.kernel]);
        verdict_lines::draw(&mut page, &format!("  {release}  "), &line.verdict);
        if let Some(why) = why.get(&std::ptr::from_ref(line)) {
            verdict_lines::note(&mut page, "why", why);
        }
    }
    for apart in apart.iter().filter(|a| a.kind == Kind::LivePatch && releases.contains(&a.release)) {
        heading(&mut page, &apart.module.name, &apart.module.path, apart.package.as_deref());
        page.line(format!("  {:width$}  a live patch, for this kernel alone", apart.release));
    }
    if lines.is_empty() {
        page.line("no third-party modules to judge");
    }
    let newest = |line: &&Line| !by_symbols && line.verdict.loads() == Some(false);
    if let Some(line) = lines.iter().filter(newest).max_by_key(|line| line.kernel) {
        page.line("");
        let (name, release) = (name_of(line), &releases[line.kernel]);
        page.wrapped(0, &format!("kmp explain {name} --kernel {release} shows each symbol."));
    }
    page.print()
}

/// How many modules stand how, and what the newest kernel does not load.
fn summary(page: &mut Page, releases: &List<KernelId, String>, lines: &[Line], by_symbols: bool) {
    let modules: BTreeSet<&Path> = lines.iter().map(|line| line.path.as_path()).collect();
    let kernels: BTreeSet<KernelId> = lines.iter().map(|line| line.kernel).collect();
    let of = if by_symbols { "list of symbols" } else { "kernel" };
    let head = format!("Check: {}, {}", counted(modules.len(), "module"), counted(kernels.len(), of));
    let wrong = State::ALL.iter().filter(|state| **state != State::Compatible).filter_map(|state| {
        let of_state = lines.iter().filter(|line| State::of(&line.verdict) == *state);
        let count = of_state.map(|line| line.path.as_path()).collect::<BTreeSet<_>>().len();
        (count > 0).then(|| format!("{count} {state}"))
    });
    let wrong: Vec<String> = wrong.collect();
    if wrong.is_empty() {
        page.wrapped_in(Colour::Green, &format!("{head}: all compatible"));
        return;
    }
    page.wrapped_in(Colour::Bold, &format!("{head}: {}", wrong.join(", ")));
    let Some(newest) = kernels.last().filter(|_| !by_symbols) else { return };
    let refuses = |line: &&Line| line.kernel == *newest && line.verdict.loads() == Some(false);
    let names: BTreeSet<String> =
        lines.iter().filter(refuses).map(|line| printable(line.name.as_ref())).collect();
    let first: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    let release = &releases[*newest];
    let which = if kernels.len() > 1 { ", the newest," } else { "" };
    page.wrapped(
        0,
        &match names.len() {
            0 => format!("Kernel {release}{which} loads all of them."),
            n if n <= NAMED => format!("Kernel {release}{which} does not load {}.", first.join(", ")),
            n => {
                format!("Kernel {release}{which} does not load {} and {} more.", first.join(", "), n - NAMED)
            }
        },
    );
}

fn heading(page: &mut Page, name: &str, path: &Path, package: Option<&str>) {
    let name = page.paint(Colour::Bold, printable(name.as_ref()));
    let package = package.map(|p| format!("  ({p})")).unwrap_or_default();
    page.wrapped_behind(0, 2, &format!("{name}  {}{package}", printable(path.as_os_str())));
}

/// What `kmp explain` knows the module by: a package file, a file, or the package's name.
fn name_of(line: &Line) -> String {
    let is_package = |path: &&Path| path.extension().is_some_and(|e| e == "rpm");
    let file = line.path.ancestors().skip(1).find(is_package).map(PathBuf::from);
    match (file, &line.package) {
        (Some(file), _) => printable(file.as_os_str()),
        (None, Some(nvr)) => package_name(nvr).to_string(),
        (None, None) => printable(line.path.as_os_str()),
    }
}
