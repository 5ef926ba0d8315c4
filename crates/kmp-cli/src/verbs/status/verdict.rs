// SPDX-License-Identifier: LGPL-2.1-or-later
//! The first lines of `kmp status`: what it comes to, what that means for the next boot, and what to type. Pure.

use kmp_core::state::State;
use kmp_core::survey::Survey;

use super::chosen::Chosen;
use super::drivers::{self, Fault, Loose, Row};
use super::machine::Machine;
use crate::output::count::counted;

/// The verdict on a machine.
pub struct Verdict {
    pub is_good: bool,
    pub lines: Vec<String>,
}

/// How many drivers are named.
const NAMED: usize = 3;

pub fn verdict(
    survey: &Survey,
    chosen: &Chosen,
    rows: &[Row<'_>],
    faults: &[Fault<'_>],
    loose: &[Vec<Loose<'_>>],
    machine: &Machine,
) -> Verdict {
    let misfits = loose.iter().flatten().filter(|module| !module.verdict.fits()).count();
    // Of those, only the ones that were named are of interest.
    let named = if chosen.is_narrow() { drivers::names(loose).len() } else { 0 };
    if survey.kernels.is_empty() || (rows.is_empty() && misfits == 0 && named == 0) {
        let what = if survey.kernels.is_empty() { "kernel" } else { "KMP" };
        return Verdict { is_good: true, lines: vec![format!("no {what} is installed")] };
    }
    let what = match rows {
        [] if named > 0 => format!("{} of no package", counted(named, "module")),
        _ => counted(rows.len(), "driver"),
    };
    let head = format!("Status: {}, {what}", counted(survey.kernels.len(), "kernel"));
    let mut wrong: Vec<String> = State::ALL
        .iter()
        .filter_map(|state| {
            let is_of = |row: &&Row<'_>| row.cells.iter().flatten().any(|s| s.is_fault && s.state == *state);
            let count = rows.iter().filter(is_of).count();
            (count > 0).then(|| format!("{count} {state}"))
        })
        .collect();
    if misfits > 0 {
        wrong.push(format!("{} of no package refused", counted(misfits, "module")));
    }
    // A build that is linked though another serves the kernel is no row's state.
    let has_faults = faults.iter().any(|fault| fault.shown.standing.is_fault);
    if wrong.is_empty() && has_faults {
        wrong.push("not all links are right".into());
    }
    if wrong.is_empty() {
        return Verdict { is_good: true, lines: vec![format!("{head}: all in place")] };
    }
    let mut lines = vec![format!("{head}: {}", wrong.join(", "))];
    lines.extend(at_next_boot(survey, rows, machine));
    let dialect = survey.inventory.conventions.dialect;
    lines.extend(drivers::ways_out(&survey.inventory.kmps, faults, dialect));
    Verdict { is_good: false, lines }
}

/// Which drivers the kernel that boots next lacks.
fn at_next_boot(survey: &Survey, rows: &[Row<'_>], machine: &Machine) -> Option<String> {
    let place = |release: &str| survey.kernels.iter().position(|k| k.kernel.release == release);
    let (at, why) = match machine.boots_next.as_deref().map(place) {
        Some(at) => (at?, "which boots next"),
        None => (survey.kernels.len().checked_sub(1)?, "the newest"),
    };
    let missing: Vec<&str> = rows
        .iter()
        .filter(|row| row.cells[at].is_some_and(|s| s.is_fault && !s.state.works()))
        .map(|row| row.name.as_str())
        .collect();
    let release = &survey.kernels[at].kernel.release;
    Some(match missing.len() {
        0 => format!("Kernel {release}, {why}, has all of them."),
        1..=NAMED => format!("Kernel {release}, {why}, lacks {}.", missing.join(", ")),
        n => {
            let first = missing[..NAMED].join(", ");
            format!("Kernel {release}, {why}, lacks {n} of them: {first} and {} more.", n - NAMED)
        }
    })
}
