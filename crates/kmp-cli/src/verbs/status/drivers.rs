// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is shown of drivers: a row each, with all its builds, what is wrong, and what mends it. Pure.

use std::collections::BTreeSet;
use std::path::Path;

use kmp_core::abi::{Verdict, Warning};
use kmp_core::dialect::Dialect;
use kmp_core::ids::{KmpId, List};
use kmp_core::inventory::{InstalledKmp, Kind};
use kmp_core::printable;
use kmp_core::state::State;
use kmp_core::survey::{Place, Standing, Survey, SurveyedKernel};

use super::chosen::Chosen;

/// How one KMP stands with one kernel, and what it does to others, though nothing is wrong with itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub standing: Standing,
    pub notes: Vec<String>,
}

/// Those of all KMPs in a kernel; `None`: for kernels of another flavour.
pub type Standings = List<KmpId, Option<Shown>>;

/// A third-party module that no package owns.
#[derive(Debug)]
pub struct Loose<'s> {
    pub path: &'s Path,
    pub name: &'s str,
    pub verdict: &'s Verdict,
}

/// A row of the table: how it stands in each kernel, the oldest first.
#[derive(Debug)]
pub struct Row<'s> {
    pub name: String,
    pub cells: Vec<Option<&'s Standing>>,
    /// Something is to be said of it below the table.
    pub is_wrong: bool,
}

/// Something that is wrong, or to be known, of a build in some kernels.
#[derive(Debug)]
pub struct Fault<'s> {
    pub kmp: KmpId,
    pub shown: &'s Shown,
    /// Places in the list of kernels.
    pub kernels: Vec<usize>,
}

/// The standings in a kernel.
pub fn standings(survey: &Survey, kernel: &SurveyedKernel) -> Standings {
    let with_notes = |(k, standing): (KmpId, Option<Standing>)| {
        let standing = standing?;
        let notes = if standing.is_wanted() { notes(&kernel.plan.verdicts[k]) } else { Vec::new() };
        Some(Shown { standing, notes })
    };
    let all = survey.standings(kernel);
    all.ids().zip(all.iter().cloned()).map(with_notes).collect()
}

/// What a KMP that is there does to others.
fn notes(verdicts: &[Verdict]) -> Vec<String> {
    let warnings = || verdicts.iter().flat_map(|v| &v.warnings);
    let broken: BTreeSet<&str> =
        warnings().filter(|w| matches!(w, Warning::Breaks { .. })).filter_map(Warning::module).collect();
    let breaks = (!broken.is_empty()).then(|| {
        let names: Vec<String> = broken.iter().map(|name| printable(name.as_ref())).collect();
        format!("breaks: {} (in-tree; no longer loads beside it)", names.join(", "))
    });
    let others = verdicts
        .iter()
        .flat_map(Verdict::notes)
        .filter(|w| !matches!(w, Warning::Breaks { .. }))
        .map(ToString::to_string);
    breaks.into_iter().chain(others.map(|text| printable(text.as_ref()))).collect()
}

/// The modules of a kernel that no package owns.
pub fn loose<'s>(survey: &'s Survey, kernel: &'s SurveyedKernel, chosen: &Chosen) -> Vec<Loose<'s>> {
    let modules = survey.unpackaged_in(kernel);
    let modules = modules.map(|(m, verdict)| Loose { path: &m.path, name: &m.name, verdict });
    modules.filter(|module| chosen.has_loose(module)).collect()
}

/// The names of modules that no package owns, each once.
pub fn names<'s>(loose: &[Vec<Loose<'s>>]) -> BTreeSet<&'s str> {
    loose.iter().flatten().map(|module| module.name).collect()
}

/// A row for each driver. What works counts before what does not, among builds of one driver in one kernel.
pub fn rows<'s>(kmps: &List<KmpId, InstalledKmp>, all: &'s [Standings], chosen: &Chosen) -> Vec<Row<'s>> {
    let mut rows: Vec<Row<'s>> = Vec::new();
    let mut last = None;
    let rank = |standing: &Standing| (!standing.state.works(), !standing.is_fault, standing.state);
    for (index, kmp) in kmps.each().filter(|(index, _)| chosen.has(*index)) {
        if last != Some(&kmp.driver.name) {
            rows.push(Row { name: kmp.driver.name.clone(), cells: vec![None; all.len()], is_wrong: false });
            last = Some(&kmp.driver.name);
        }
        let Some(row) = rows.last_mut() else { continue };
        for (cell, of_kernel) in row.cells.iter_mut().zip(all) {
            let Some(shown) = &of_kernel[index] else { continue };
            row.is_wrong |= is_to_be_said(shown);
            if cell.is_none_or(|other| rank(&shown.standing) < rank(other)) {
                *cell = Some(&shown.standing);
            }
        }
    }
    rows.iter_mut().for_each(|row| row.is_wrong |= row.cells.iter().all(Option::is_none));
    rows
}

/// A row for each build.
pub fn builds<'s>(kmps: &List<KmpId, InstalledKmp>, all: &'s [Standings], chosen: &Chosen) -> Vec<Row<'s>> {
    let row = |(index, kmp): (KmpId, &InstalledKmp)| Row {
        name: kmp.package.nvr(),
        cells: all.iter().map(|of_kernel| of_kernel[index].as_ref().map(|s| &s.standing)).collect(),
        is_wrong: all.iter().filter_map(|of_kernel| of_kernel[index].as_ref()).any(is_to_be_said),
    };
    kmps.each().filter(|(index, _)| chosen.has(*index)).map(row).collect()
}

fn is_to_be_said(shown: &Shown) -> bool {
    shown.standing.is_fault || !shown.notes.is_empty()
}

/// What is wrong, build by build; kernels of which the same is to be said go together.
pub fn faults<'s>(kmps: &List<KmpId, InstalledKmp>, all: &'s [Standings], chosen: &Chosen) -> Vec<Fault<'s>> {
    let mut faults: Vec<Fault<'s>> = Vec::new();
    for index in kmps.ids().filter(|index| chosen.has(*index)) {
        let first = faults.len();
        for (at, of_kernel) in all.iter().enumerate() {
            let Some(shown) = of_kernel[index].as_ref().filter(|s| is_to_be_said(s)) else { continue };
            match faults[first..].iter_mut().find(|fault| fault.shown == shown) {
                Some(fault) => fault.kernels.push(at),
                None => faults.push(Fault { kmp: index, shown, kernels: vec![at] }),
            }
        }
    }
    faults
}

impl Shown {
    /// The state in a few words.
    pub fn words(&self) -> String {
        let place = match self.standing.place {
            Place::Own if self.standing.state != State::Native => ", though built for it",
            Place::Links | Place::SomeLinks if self.standing.is_linked_wrongly() => ", but linked",
            _ => "",
        };
        format!("{}{place}", self.standing.state)
    }
}

/// What to do about what is wrong, each with the line to type at its end; nothing where nothing helps.
pub fn ways_out(kmps: &List<KmpId, InstalledKmp>, faults: &[Fault<'_>], dialect: Dialect) -> Vec<String> {
    /// More than these are updated with all else.
    const NAMED: usize = 3;
    let (update, reinstall) = match dialect {
        Dialect::Suse => ("zypper update", "zypper install --force"),
        Dialect::RedHat => ("dnf upgrade", "dnf reinstall"),
    };
    let by_sync = |standing: &Standing| standing.state == State::Unlinked || standing.is_linked_wrongly();
    let sync = faults.iter().any(|fault| by_sync(&fault.shown.standing));
    let names = |wanted: &[State]| -> Vec<&str> {
        let of_state = faults.iter().filter(|f| {
            f.shown.standing.is_fault
                && !f.shown.standing.lacks_key
                && wanted.contains(&f.shown.standing.state)
        });
        let shipped = of_state.map(|f| &kmps[f.kmp]).filter(|k| k.is_packaged() && k.kind == Kind::Shipped);
        let names: BTreeSet<&str> = shipped.map(|kmp| kmp.package.name.as_str()).collect();
        names.into_iter().collect()
    };
    let mut ways = Vec::new();
    ways.extend(sync.then(|| "To mend it: kmp sync".to_string()));
    // kmp does not know whether there is one.
    let unfit = names(&[State::Refused, State::Breaks]);
    match unfit.as_slice() {
        [] => {}
        [one] => ways.push(format!("If there is a newer build: {update} {one}")),
        some if some.len() <= NAMED => {
            ways.push(format!("If there are newer builds: {update} {}", some.join(" ")));
        }
        _ => ways.push(format!("If there are newer builds: {update}")),
    }
    let broken = names(&[State::Broken]);
    ways.extend((!broken.is_empty()).then(|| format!("To mend it: {reinstall} {}", broken.join(" "))));
    ways
}
