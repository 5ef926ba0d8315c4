// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp status`: each driver against each kernel.

mod chosen;
mod document;
mod drivers;
mod html;
mod machine;
mod page;
mod support;
mod verdict;

use std::collections::BTreeMap;

use kmp_core::inventory::{Inventory, Kind, Maker};
use kmp_core::last_update::{Kernel as Kept, LastUpdate};
use kmp_core::printable;
use kmp_core::state::State;
use kmp_core::survey::Survey;

use self::chosen::Chosen;
use self::drivers::{Fault, Loose, Row, Shown, Standings};
use self::machine::{LastRun, Machine};
use self::page::{Kernel, Paragraph, Report};
use crate::args::Status;
use crate::context::{Context, running_kernel};
use crate::outcome::Outcome;
use crate::output::terminal::{Page, print_text};
use crate::output::{json, when};

#[cfg(test)]
pub use self::document::Status as Document;
#[cfg(test)]
pub use self::support::Support;

/// How many modules that no package owns are listed, unless everything is asked for.
const LOOSE: usize = 4;

pub fn run(context: &Context, args: &Status, quiet: bool, verbose: bool) -> Result<Outcome, String> {
    let mut loader = context.loader();
    let survey = context.survey(&mut loader, &args.kernels.kernels)?;
    if let Some(unknown) = &survey.inventory.packages_unknown {
        return Err(format!("the installed KMPs cannot be listed: {unknown}"));
    }
    let chosen = Chosen::of(&survey, &args.names)?;
    if args.support {
        let support = support::Support::look(context, &survey, &chosen)?;
        if args.log {
            support.log(running_kernel(&context.root).ok().as_deref());
        }
        if args.json {
            json::print(&support)?;
        } else if args.html {
            print_text(&support.page())?;
        } else if !quiet {
            let mut page = Page::new();
            support.draw(&mut page);
            page.print()?;
        }
        return Ok(if survey.is_unread() { Outcome::Failed } else { Outcome::Good });
    }
    let all: Vec<Standings> = survey.kernels.iter().map(|k| drivers::standings(&survey, k)).collect();
    let loose: Vec<Vec<Loose<'_>>> =
        survey.kernels.iter().map(|k| drivers::loose(&survey, k, &chosen)).collect();
    let machine = Machine::look(context, &survey);
    let held = held(context, &survey);
    let is_wrong = |(kmp, shown): (_, &Option<Shown>)| {
        chosen.has(kmp) && shown.as_ref().is_some_and(|shown| shown.standing.is_fault)
    };
    let wrong = all.iter().flat_map(Standings::each).any(is_wrong)
        || loose.iter().flatten().any(|module| !module.verdict.fits());
    if args.json {
        json::print(&document::document(&survey, &chosen, &all, &loose, machine, &held))?;
    } else if args.html {
        let shown = Selection { chosen: &chosen, is_all: args.all, verbose };
        print_text(&html::page(&report(&survey, &shown, &all, &loose, &machine, &held)))?;
    } else if !quiet {
        let mut page = Page::new();
        let shown = Selection { chosen: &chosen, is_all: args.all, verbose };
        page::draw(&mut page, &report(&survey, &shown, &all, &loose, &machine, &held));
        page.print()?;
    }
    Ok(match () {
        () if survey.is_unread() => Outcome::Failed,
        () if wrong => Outcome::Found,
        () => Outcome::Good,
    })
}

/// What is asked for.
struct Selection<'c> {
    chosen: &'c Chosen,
    is_all: bool,
    verbose: bool,
}

fn report<'s>(
    survey: &'s Survey,
    Selection { chosen, is_all, verbose }: &Selection<'_>,
    all: &'s [Standings],
    loose: &[Vec<Loose<'_>>],
    machine: &Machine,
    held: &[Kept],
) -> Report<'s> {
    let is_all = *is_all;
    let kmps = &survey.inventory.kmps;
    let kernels: Vec<Kernel<'s>> =
        survey.kernels.iter().map(|k| kernel(&k.kernel.release, machine)).collect();
    let rows = drivers::rows(kmps, all, chosen);
    let faults = drivers::faults(kmps, all, chosen);
    let mut verdict = verdict::verdict(survey, chosen, &rows, &faults, loose, machine);
    verdict.lines.extend(machine.last_run.as_ref().map(LastRun::line));
    let mut lists = vec![("modules that no package owns", of_nobody(loose, is_all || chosen.is_narrow()))];
    lists.push(("kernels that are held back", held.iter().map(of_held).collect()));
    if is_all && !chosen.is_narrow() {
        lists.extend(others(&survey.inventory, survey));
    }
    if is_all || *verbose {
        lists.push(("this machine", machine.lines()));
        lists.push(("modules' signatures", machine::keys(survey)));
    }
    let paragraphs = faults.iter().map(|fault| paragraph(survey, fault)).chain(of_no_kernel(&rows));
    Report {
        is_good: verdict.is_good,
        verdict: verdict.lines,
        faults: paragraphs.collect(),
        hints: hints(survey, &faults),
        title: if is_all { "KMP" } else { "DRIVER" },
        rows: if is_all { drivers::builds(kmps, all, chosen) } else { rows },
        kernels,
        lists,
        all: is_all,
    }
}

/// The kernels in repositories that `kmp update` holds back, but those that have come since.
fn held(context: &Context, survey: &Survey) -> Vec<Kept> {
    let last = LastUpdate::load(&context.root).unwrap_or_default();
    let is_there = |kept: &Kept| survey.kernels.iter().any(|k| k.kernel.release == kept.release);
    last.held().filter(|kept| !is_there(kept)).cloned().collect()
}

fn of_held(kept: &Kept) -> String {
    let since = kept.held_since.map(|since| format!(", since {}", when::day(since))).unwrap_or_default();
    let security = match kept.advisories.len() {
        0 => String::new(),
        1 => ", with a security update".to_owned(),
        many => format!(", with {many} security updates"),
    };
    let (package, reason) = (printable(kept.package.as_ref()), printable(kept.reason.as_ref()));
    format!("{package}{since}{security}: {reason} (kmp hold)")
}

/// The machine's own kernels are marked; what another root's boot loader says is in the verdict.
fn kernel<'s>(release: &'s str, machine: &Machine) -> Kernel<'s> {
    let mut marks = Vec::new();
    if let Some(running) = &machine.running {
        marks.extend((running == release).then_some("running"));
        marks.extend((machine.boots_next.as_deref() == Some(release)).then_some("boots next"));
    }
    Kernel { release, marks }
}

fn paragraph(survey: &Survey, fault: &Fault<'_>) -> Paragraph {
    let releases: Vec<&str> =
        fault.kernels.iter().map(|at| survey.kernels[*at].kernel.release.as_str()).collect();
    let kernels = match releases.as_slice() {
        [one] => (*one).to_string(),
        [one, two] => format!("{one} and {two}"),
        _ => format!("{} kernels ({})", releases.len(), ranges(&fault.kernels)),
    };
    let kmps = &survey.inventory.kmps;
    let kmp = &kmps[fault.kmp];
    // Which build it is need be said only where there are others.
    let is_only = kmps.iter().filter(|other| other.driver.name == kmp.driver.name).count() == 1;
    let name = if is_only { kmp.package.name.clone() } else { kmp.package.nvr() };
    let words = fault.shown.words();
    let standing = &fault.shown.standing;
    Paragraph {
        head: format!("{name} in {kernels}: {words}"),
        state: Some((page::colour(standing), words)),
        text: standing.detail.iter().chain(&fault.shown.notes).cloned().collect(),
    }
}

/// Numbers of kernels as the legend has them: `1-3, 7`.
fn ranges(kernels: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for kernel in kernels {
        match ranges.last_mut().filter(|(_, last)| last + 1 == *kernel) {
            Some((_, last)) => *last = *kernel,
            None => ranges.push((*kernel, *kernel)),
        }
    }
    let text = |(first, last): &(usize, usize)| match first == last {
        true => format!("{}", first + 1),
        false => format!("{}-{}", first + 1, last + 1),
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn of_no_kernel<'r>(rows: &'r [Row<'_>]) -> impl Iterator<Item = Paragraph> + 'r {
    let of_none = rows.iter().filter(|row| !row.cells.is_empty() && row.cells.iter().all(Option::is_none));
    of_none.map(|row| Paragraph {
        head: row.name.clone(),
        state: None,
        text: vec!["no installed kernel could use it: it is for another flavour".into()],
    })
}

/// Modules that no package owns: those that are wrong, or all.
fn of_nobody(loose: &[Vec<Loose<'_>>], is_all: bool) -> Vec<String> {
    let shown: BTreeMap<_, _> = loose.iter().flatten().map(|module| (module.path, module.verdict)).collect();
    let wrong = |verdict: &kmp_core::abi::Verdict| is_all || !verdict.fits();
    let mut lines: Vec<String> = shown
        .into_iter()
        .filter(|(_, verdict)| wrong(verdict))
        .map(|(path, verdict)| {
            let why = verdict.reasons.first().map(|r| format!(": {}", printable(r.detail.as_ref())));
            format!("{}  {}{}", printable(path.as_os_str()), State::of(verdict), why.unwrap_or_default())
        })
        .collect();
    if !is_all && lines.len() > LOOSE {
        let more = lines.len() - LOOSE;
        lines.truncate(LOOSE);
        lines.push(format!("and {more} more: kmp status --all"));
    }
    lines
}

/// What else there is.
fn others(inventory: &Inventory, survey: &Survey) -> [(&'static str, Vec<String>); 2] {
    // Of what no package owns nobody knows more than that it is there.
    let made = inventory.kmps.iter();
    let made = made.filter_map(|kmp| Some((kmp, kmp.kind.maker().filter(|m| *m != Maker::Somebody)?)));
    let made = made.map(|(kmp, maker)| format!("{}  by {}", kmp.package.nvr(), maker.as_str())).collect();
    let is_shown = |release: &str| survey.kernels.iter().any(|k| k.kernel.release == release);
    let patches = inventory.apart.iter().filter(|a| a.kind == Kind::LivePatch && is_shown(&a.release));
    let patches = patches.map(|a| printable(a.module.path.as_os_str())).collect();
    [
        ("built on this machine, again for each new kernel", made),
        ("live patches, each for its kernel alone", patches),
    ]
}

/// What to type for more.
fn hints(survey: &Survey, faults: &[Fault<'_>]) -> Vec<String> {
    let refused = faults
        .iter()
        .find(|f| matches!(f.shown.standing.state, State::Refused | State::Breaks | State::Unread));
    let explained = refused.and_then(|fault| {
        let release = &survey.kernels[*fault.kernels.last()?].kernel.release;
        let package = &survey.inventory.kmps[fault.kmp].package;
        Some(format!("kmp explain {} --kernel {release} shows each symbol.", package.name))
    });
    explained.into_iter().collect()
}
