// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp initrd`: which kernels need a new initrd, and why; and what the other verbs ask of initrds.

use kmp_core::apply::{self, Asked, Done, InitrdMaker};
use kmp_core::dialect::Dialect;
use kmp_core::history::of_initrd;
use kmp_core::initrd::{PACKAGE, Request, Settings, Snapshot, System, compare};
use kmp_core::inventory::Release;
use kmp_core::problem::Problem;
use kmp_core::run_dir::{self, Check, Lock, Note};
use serde::Serialize;

use crate::args::Initrd;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::initrd_lines::{Json, line, report};
use crate::output::json::Document;
use crate::output::terminal::Page;
use crate::verbs::sync::waiting;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Kernel {
    /// The kernel's release.
    release: String,
    #[serde(flatten)]
    fate: Json,
}

/// What is asked for where nothing special is named.
pub fn request(context: &Context) -> Request {
    Request { settings: context.settings(), ..Request::default() }
}

/// What runs that were cut short have noted of initrds.
struct Noted {
    checks: Vec<Check>,
    wishes: Vec<Note>,
}

impl Noted {
    fn read(context: &Context) -> Result<Self, Problem> {
        Ok(Self { checks: run_dir::checks(&context.root)?, wishes: run_dir::wishes(&context.root)? })
    }

    fn check(&self, release: &Release) -> Option<&Check> {
        self.checks.iter().find(|check| check.note.name == release.release)
    }

    fn wish(&self, release: &Release) -> Option<&Note> {
        self.wishes.iter().find(|wish| wish.name == release.release)
    }

    /// Decides about a kernel's initrd, and leaves the marker for it. What was noted is done with then.
    fn ask(
        &self,
        context: &Context,
        dialect: Dialect,
        (system, maker): (&System<'_>, &InitrdMaker<'_>),
        release: &Release,
        forced: Option<&str>,
        dry_run: bool,
    ) -> Asked {
        let (check, wish) = (self.check(release), self.wish(release));
        let modules = compare::on_disk(dialect, release);
        let links_changed = check.is_some_and(|check| check.links_changed);
        let reason = system.assess(release, &modules, wish.is_some(), links_changed, forced);
        let asked = maker.ask(release, reason, dry_run);
        if !dry_run && asked.is_settled() {
            check.into_iter().for_each(|check| run_dir::settle_check(&context.root, check));
            wish.into_iter().for_each(|wish| run_dir::settle_wish(&context.root, wish));
        }
        asked
    }
}

/// Leaves markers for what runs that were cut short have not come to. A run that is at work now will come to it.
///
/// # Errors
/// What could not be read, in words.
pub fn ask_noted(context: &Context, settings: &Settings) -> Result<(), String> {
    let Ok(Some(_lock)) = Lock::take(&context.root, false, None) else { return Ok(()) };
    let noted = Noted::read(context).map_err(|p| p.to_string())?;
    if noted.checks.is_empty() && noted.wishes.is_empty() {
        return Ok(());
    }
    let which = kmp_core::config::dialect(&context.root, &mut Vec::new()).map_err(|p| p.to_string())?;
    let dialect = which.for_reading();
    let maker = InitrdMaker::find(&context.root, settings, dialect, false);
    let system = System::look(&context.root, dialect, which.unknown(), maker.missing());
    let ask = |release: &str| maker.entry(release);
    let system = system.asking(&ask);
    let (_, releases) = context.releases()?;
    let is_there = |r: &Release| r.is_kernel || r.unread.is_some();
    let is_noted = |r: &&Release| is_there(r) && (noted.check(r).is_some() || noted.wish(r).is_some());
    for release in releases.iter().filter(is_noted) {
        noted.ask(context, dialect, (&system, &maker), release, None, false);
    }
    Ok(())
}

/// The kernels whose initrds are not what they should be, whether a run has noted that or not, each with the reason. Nothing is
/// written.
///
/// # Errors
/// What could not be read, in words.
pub fn stale(context: &Context) -> Result<Vec<(String, String)>, String> {
    let which = kmp_core::config::dialect(&context.root, &mut Vec::new()).map_err(|p| p.to_string())?;
    let Ok(dialect) = which.known() else { return Ok(Vec::new()) };
    let noted = Noted::read(context).map_err(|p| p.to_string())?;
    let settings = context.settings();
    let maker = InitrdMaker::find(&context.root, &settings, dialect, true);
    let system = System::look(&context.root, dialect, None, maker.missing());
    let ask = |release: &str| maker.entry(release);
    let system = system.asking(&ask);
    let (_, releases) = context.releases()?;
    let fates = releases.iter().filter(|release| release.is_kernel).map(|release| {
        let asked = noted.ask(context, dialect, (&system, &maker), release, None, true);
        (release.release.clone(), maker.serve(release, asked, Snapshot::Running))
    });
    let due = fates.filter(|(_, fate)| fate.done == Done::Due);
    Ok(due.map(|(release, fate)| (release, fate.reason.to_string())).collect())
}

pub fn run(context: &Context, args: &Initrd, quiet: bool) -> Result<Outcome, String> {
    // What another run is about to change is looked at by that run.
    let lock = match args.dry_run {
        true => None,
        false => Lock::take(&context.root, false, Some(&|| waiting(context))).map_err(|e| e.to_string())?,
    };
    let (dirs, releases) = context.releases()?;
    let wanted = &args.kernels.kernels;
    kmp_core::inventory::has_kernels(&dirs, &releases, wanted).map_err(|e| e.to_string())?;
    let settings = context.settings();
    let mut problems = Vec::new();
    let which = kmp_core::config::dialect(&context.root, &mut problems).map_err(|p| p.to_string())?;
    let dialect = which.known().map_err(|unknown| unknown.to_string())?;
    let maker = InitrdMaker::find(&context.root, &settings, dialect, args.dry_run);
    // Who types it says by that that the system is complete. Scriptlets do not know.
    let put_off = match args.requested {
        true => System::fault(&context.root, dialect).map_err(|problem| problem.to_string())?,
        false => None,
    };
    let system = System::look(&context.root, dialect, None, maker.missing()).taken_for_complete();
    let ask = |release: &str| maker.entry(release);
    let system = system.asking(&ask);
    problems.iter().chain(&system.problems).for_each(|problem| log::warn!("{problem}"));
    let markers = apply::markers(&context.root).map_err(|p| p.to_string())?;
    let noted = Noted::read(context).map_err(|p| p.to_string())?;
    let mut asked = Vec::new();
    for release in releases.iter().filter(|r| r.is_kernel || r.unread.is_some()) {
        if !wanted.is_empty() && !wanted.contains(&release.release) {
            continue;
        }
        let marker = markers.iter().any(|m| m.name == release.release || m.name == apply::ALL);
        if args.requested && !marker {
            continue;
        }
        let forced = match (settings.forced, marker) {
            (true, _) => Some(PACKAGE),
            (_, true) => Some("a request in /run/regenerate-initrd"),
            _ => None,
        };
        let snapshot = if marker { Snapshot::Default } else { Snapshot::Running };
        asked.push((
            release,
            snapshot,
            noted.ask(context, dialect, (&system, &maker), release, forced, args.dry_run),
        ));
    }
    drop(lock);
    let fates: Vec<_> = asked
        .into_iter()
        .map(|(release, snapshot, asked)| {
            let fate = match &put_off {
                Some(_) => asked.leave(),
                None => maker.serve(release, asked, snapshot),
            };
            (release.release.as_str(), fate)
        })
        .collect();
    let is_good = fates.iter().all(|(_, fate)| !matches!(fate.done, Done::Failed(_) | Done::Marked));
    if !args.dry_run && wanted.is_empty() && is_good {
        let for_all = markers.iter().filter(|marker| marker.name == apply::ALL);
        for_all.for_each(|marker| apply::unmark(&context.root, marker));
    }
    put_off.into_iter().filter(|_| !fates.is_empty()).for_each(|why| log::warn!("{why}"));
    let is_due = || fates.iter().any(|(_, fate)| fate.done == Done::Due);
    let missing = maker.missing().filter(|missing| !missing.is_unread() && is_due());
    missing.into_iter().for_each(|why| log::warn!("no initrd can be made: {why}"));
    maker.finish().into_iter().for_each(|why| log::warn!("{why}"));
    context.done();
    let all = || fates.iter().map(|(release, fate)| (*release, fate));
    if args.json {
        Document::print(
            all().map(|(release, fate)| Kernel { release: release.into(), fate: fate.into() }).collect(),
        )?;
    } else if !quiet {
        let mut page = Page::new();
        all().filter_map(|(release, fate)| line(release, fate)).for_each(|line| page.wrapped(0, &line));
        page.print()?;
    }
    all().for_each(|(release, fate)| context.record(of_initrd(release, fate)));
    report(context, all());
    Ok(match () {
        () if all().any(|(_, fate)| matches!(fate.done, Done::Failed(_)) || fate.reason.is_unknown()) => {
            Outcome::Failed
        }
        () if all().any(|(_, fate)| fate.done == Done::Due) => Outcome::Found,
        () => Outcome::Good,
    })
}
