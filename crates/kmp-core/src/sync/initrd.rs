// SPDX-License-Identifier: LGPL-2.1-or-later
//! Asks for the initrds of kernels whose modules change.
//!
//! The order is what makes a kill harmless: notes ([`run_dir`]), links and index, markers for the initrds that are needed,
//! the notes go; up to here under the lock. Then initrds are made, and each marker goes.

use std::io;
use std::path::Path;

use crate::apply::InitrdMaker;
use crate::initrd::{self, Request, Snapshot, System, compare};
use crate::inventory::{Ownership, Release};
use crate::plan::Decision;
use crate::printable;
use crate::problem::Problem;
use crate::root::Root;
use crate::run_dir::{self, Check, Lock, Note};
use crate::survey::Survey;
use crate::tree::{BOOT, WEAK_UPDATES};

use super::{Index, KernelReport, ToCheck};

/// What is asked for, and what earlier runs have left to be done.
pub(super) struct Initrds<'s> {
    root: &'s Root,
    survey: &'s Survey,
    request: &'s Request,
    noted: Noted,
}

/// What is noted in `/run/kmp`.
pub(super) struct Noted {
    checks: Vec<Check>,
    wishes: Vec<Note>,
    /// They could not be read. So they stay, and a later run comes to them.
    unread: Option<Problem>,
}

impl Noted {
    /// To be read before stock is taken: what is noted later may be about what is not seen then.
    pub(super) fn read(root: &Root) -> Self {
        let read = run_dir::checks(root).and_then(|checks| Ok((checks, run_dir::wishes(root)?)));
        match read {
            Ok((checks, wishes)) => Self { checks, wishes, unread: None },
            Err(problem) => Self { checks: Vec::new(), wishes: Vec::new(), unread: Some(problem) },
        }
    }
}

impl<'s> Initrds<'s> {
    pub(super) fn new(root: &'s Root, survey: &'s Survey, request: &'s Request, noted: Noted) -> Self {
        Self { root, survey, request, noted }
    }

    /// Has no earlier run left anything?
    pub(super) fn is_idle(&self) -> bool {
        self.noted.checks.is_empty() && self.noted.wishes.is_empty()
    }

    /// Notes which initrds have to be looked at, before anything is changed. `changing`: releases of which links or index
    /// are about to change, and whether links are. Returns what could not be noted.
    pub(super) fn note<'r>(&mut self, changing: impl Iterator<Item = (&'r Release, bool)>) -> Vec<Problem> {
        let changing: Vec<_> = changing.collect();
        let Request { settings, kernel, package, touched, .. } = self.request;
        let (mut checks, mut wishes, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        for release in self.survey.inventory.kernels() {
            let name = &release.release;
            let links_change = changing.iter().find(|(r, _)| r.release == *name).map(|(_, change)| *change);
            let is_touched = touched.contains(name);
            if links_change.is_some() || is_touched {
                let links_change = is_touched || links_change == Some(true);
                match run_dir::check(self.root, name, links_change) {
                    Ok(check) => checks.push(check),
                    Err(e) => failures.push((format!("the initrd of kernel {name} has to be looked at"), e)),
                }
            }
            if kernel.as_ref() == Some(name) || (settings.forced && links_change.is_some()) {
                wishes.push(name);
            }
        }
        wishes.extend(package.as_ref().filter(|_| settings.forced));
        // What the caller does by itself nobody else is to do.
        for name in wishes.into_iter().filter(|_| !self.request.by_caller) {
            match run_dir::wish(self.root, name) {
                Ok(wish) => {
                    self.noted.wishes.retain(|w| w.name != wish.name);
                    self.noted.wishes.push(wish);
                }
                Err(e) => failures.push((format!("{} asks for a new initrd", printable(name.as_ref())), e)),
            }
        }
        self.noted.checks.retain(|old| checks.iter().all(|check| check.note.name != old.note.name));
        self.noted.checks.append(&mut checks);
        let problem = |(what, e): (String, io::Error)| {
            let what =
                format!("it cannot be recorded that {what}; if this run is interrupted, that is lost: {e}");
            Problem::new(self.root.display(Path::new(run_dir::DIRECTORY)), what)
        };
        failures.into_iter().map(problem).collect()
    }

    /// Asks for the initrds of kernels whose modules changed, and of those that were asked for; makes them when `lock` is
    /// given up, as they take their time. `all`: no kernel was left out. Returns what was not taken into account.
    pub(super) fn look_after(
        self,
        reports: &mut [KernelReport],
        all: bool,
        dry_run: bool,
        lock: Option<Lock>,
    ) -> Vec<Problem> {
        let Self { root, survey, request, .. } = self;
        let failed = reports.iter().any(KernelReport::links_failed);
        if request.by_caller {
            for report in reports.iter_mut().filter(|report| !report.links_failed()) {
                let note = self.noted.checks.iter().find(|check| check.note.name == report.release);
                report.to_check = self
                    .choose(report)
                    .map(|chosen| ToCheck { links_changed: chosen.links_changed, note: note.cloned() });
            }
            return Vec::new();
        }
        let chosen: Vec<_> = reports
            .iter_mut()
            .filter(|report| !report.links_failed())
            .filter_map(|report| Some((self.choose(report)?, report)))
            .collect();
        let (mut asked, mut problems) = (Vec::new(), Vec::from_iter(self.noted.unread.clone()));
        let dialect = survey.inventory.conventions.dialect;
        let maker =
            (!chosen.is_empty()).then(|| InitrdMaker::find(root, &request.settings, dialect, dry_run));
        let distribution = survey.inventory.conventions.distribution_unknown.as_ref();
        let system = maker.as_ref().map(|maker| System::look(root, dialect, distribution, maker.missing()));
        let ask = |release: &str| maker.as_ref().and_then(|maker| maker.entry(release));
        let system = system.map(|system| system.asking(&ask));
        for (chosen, report) in chosen {
            let (Some(maker), Some(system)) = (&maker, &system) else { break };
            let release = chosen.release;
            // What is there now is not what was there before links were changed.
            let (release, modules) = if dry_run {
                (release.clone(), planned_modules(survey, release))
            } else {
                let (release, _) = Release::scan(root, &release.release, &release.dir);
                let modules = compare::on_disk(dialect, &release);
                (release, modules)
            };
            let reason = system.assess(&release, &modules, chosen.whole, chosen.links_changed, chosen.forced);
            asked.push((maker.ask(&release, reason, dry_run), release, report));
        }
        if !dry_run {
            let settled = asked.iter().filter(|(asked, ..)| asked.is_settled());
            let settled: Vec<&str> = settled.map(|(_, release, _)| release.release.as_str()).collect();
            self.settle(&settled, all && !failed && settled.len() == asked.len());
        }
        drop(lock);
        for (asked, release, report) in asked {
            report.initrd = maker.as_ref().map(|maker| maker.serve(&release, asked, Snapshot::Running));
        }
        let stale = maker.as_ref().and_then(InitrdMaker::finish);
        problems.extend(stale.map(|why| Problem::new(root.display(Path::new(BOOT)), why)));
        problems.extend(system.into_iter().flat_map(|system| system.problems));
        problems
    }

    /// Does this kernel's initrd have to be looked at?
    fn choose(&self, report: &KernelReport) -> Option<Chosen<'s>> {
        let Self { survey, request, .. } = *self;
        let name = &report.release;
        let release = survey.inventory.kernels().find(|r| r.release == *name)?;
        let check = self.noted.checks.iter().find(|check| check.note.name == *name);
        let wishes = || self.noted.wishes.iter().map(|wish| wish.name.as_str());
        let has = |nvr: &str| has_package(survey, name, nvr);
        let whole = request.kernel.as_ref() == Some(name) || wishes().any(|wish| wish == name);
        let wished = wishes().any(has);
        let named = request.package.as_deref().is_some_and(has);
        let links_changed = request.touched.contains(name)
            || !report.changes.is_empty()
            || check.is_some_and(|check| check.links_changed);
        let is_changed = links_changed || check.is_some() || report.index != Index::UpToDate;
        (is_changed || whole || wished || named).then(|| Chosen {
            release,
            whole,
            links_changed,
            forced: (wished || request.settings.forced).then_some(initrd::PACKAGE),
        })
    }

    /// Takes away what was noted of kernels that are served. `all`: these are all that there are; then what was noted of
    /// packages, and of kernels that are gone, is done with, too.
    fn settle(&self, served: &[&str], all: bool) {
        let is_kernel = |name: &str| self.survey.inventory.kernels().any(|kernel| kernel.release == name);
        let is_done = |name: &str| served.contains(&name) || (all && !is_kernel(name));
        for check in self.noted.checks.iter().filter(|check| is_done(&check.note.name)) {
            run_dir::settle_check(self.root, check);
        }
        for wish in self.noted.wishes.iter().filter(|wish| is_done(&wish.name)) {
            run_dir::settle_wish(self.root, wish);
        }
    }
}

/// A kernel whose initrd is looked at, and why.
struct Chosen<'s> {
    release: &'s Release,
    whole: bool,
    links_changed: bool,
    forced: Option<&'static str>,
}

fn planned_modules(survey: &Survey, release: &Release) -> compare::Modules {
    let kernel = survey.kernels.iter().find(|k| k.kernel.release == release.release);
    let links = kernel.into_iter().flat_map(|k| &k.plan.links);
    let links = links.map(|(link, (target, _))| (link.clone(), target.clone()));
    let items = release.weak_updates.as_deref().unwrap_or_default();
    let foreign = items.iter().filter(|item| item.ownership == Ownership::Foreign);
    let foreign = foreign.map(|item| (item.below.clone(), release.dir.join(WEAK_UPDATES).join(&item.below)));
    let all: Vec<_> = links.chain(foreign).collect();
    let dialect = survey.inventory.conventions.dialect;
    compare::planned(dialect, release, all.iter().map(|(link, target)| (link.as_path(), target.as_path())))
}

/// Does a kernel have this KMP, linked or as its own?
fn has_package(survey: &Survey, release: &str, nvr: &str) -> bool {
    let Some(kernel) = survey.kernels.iter().find(|k| k.kernel.release == release) else { return false };
    let decisions = kernel.plan.decisions.iter().zip(&survey.inventory.kmps);
    decisions
        .into_iter()
        .any(|(d, kmp)| matches!(d, Decision::Link | Decision::Native) && kmp.package.nvr() == nvr)
}
