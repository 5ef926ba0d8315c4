// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp sync`, and what scriptlets call: the same reconciliation, with messages about their kernel or package.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kmp_core::apply::{Depmod, Done};
use kmp_core::history::{self, About};
use kmp_core::initrd::Request;
use kmp_core::inventory::InstalledKmp;
use kmp_core::survey::Selection;
use kmp_core::sync::{Index, KernelReport, Options, PackageChange, SyncReport, sync};
use kmp_core::tree;
use serde::Serialize;

use crate::args::Sync;
use crate::context::{Context, running_kernel};
use crate::outcome::Outcome;
use crate::output::initrd_lines;
use crate::output::json::{self, Document};
use crate::output::terminal::Page;
use crate::verbs::initrd;

/// What a scriptlet announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Added,
    Removed,
}

/// What is printed of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Json,
    Lines,
    Nothing,
}

impl Shown {
    /// What was asked for as data is given, whatever else is quiet.
    pub fn of(json: bool, quiet: bool) -> Self {
        match (json, quiet) {
            (true, _) => Self::Json,
            (false, false) => Self::Lines,
            (false, true) => Self::Nothing,
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Kernel {
    /// The kernel's release.
    release: String,
    /// What was (with `--dry-run`: would be) changed, package by package.
    changes: Vec<Change>,
    /// What became of its index.
    #[cfg_attr(test, schemars(extend("enum" = ["up-to-date", "due", "written", "failed"])))]
    depmod: &'static str,
    /// What failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Its initrd, where that was looked into.
    #[serde(skip_serializing_if = "Option::is_none")]
    initrd: Option<initrd_lines::Json>,
    /// KMPs that it does not get.
    not_linked: Vec<NotLinked>,
}

/// What happens to one package's links in one kernel.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Change {
    /// `added`: it gets links. `replaced`: its links take the place of another version's. `removed`: its links go. `repaired`: it
    /// gets links that it lacks, or loses some that do not belong. `dangling`: a link that leads nowhere goes.
    #[cfg_attr(test, schemars(extend("enum" = ["added", "replaced", "removed", "repaired", "dangling"])))]
    change: &'static str,
    /// The package (`NAME-VERSION-RELEASE`); of a dangling link it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<String>,
    /// The version that had links, where one is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<String>,
    /// The dangling link, relative to the kernel's `weak-updates`.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

impl From<&PackageChange> for Change {
    fn from(change: &PackageChange) -> Self {
        let (change, package, old, link) = match change {
            PackageChange::Added(new) => ("added", Some(new), None, None),
            PackageChange::Replaced { old, new } => ("replaced", Some(new), Some(old), None),
            PackageChange::Removed(old) => ("removed", Some(old), None, None),
            PackageChange::Repaired(nvr) => ("repaired", Some(nvr), None, None),
            PackageChange::Dangling(link) => ("dangling", None, None, Some(json::path(link))),
        };
        Self { change, package: package.cloned(), old: old.cloned(), link }
    }
}

/// A KMP that a kernel does not get.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct NotLinked {
    /// `NAME-VERSION-RELEASE`.
    package: String,
    /// Its state there.
    #[cfg_attr(test, schemars(extend("enum" = ["refused", "breaks", "clash", "broken"])))]
    state: &'static str,
    /// Why not, in words.
    detail: String,
}

/// Says that another run has the lock.
pub fn waiting(context: &Context) {
    context.done();
    log::warn!("another run of kmp is in progress; waiting for it");
}

/// Reconciles, and passes on what was left out, and what was done to the system's log.
pub fn reconcile(context: &Context, options: &Options, about: About<'_>) -> Result<SyncReport, String> {
    let mut loader = context.loader();
    let result = sync(&context.root, context.rpm(), &mut loader, options, Some(&|| waiting(context)));
    context.done();
    let result = result.map_err(|e| e.to_string());
    if !options.dry_run {
        context.record(match &result {
            Ok(report) => history::of_sync(report, about),
            Err(why) => history::of_failure(why),
        });
    }
    let report = result?;
    for problem in &report.survey.problems {
        log::warn!("{problem}");
    }
    for kernel in &report.kernels {
        kernel.error.iter().chain(&kernel.unread).for_each(|error| log::error!("{error}"));
        for line in report.breaks(kernel) {
            log::warn!("{}: {line}", kernel.release);
        }
        match &kernel.index {
            Index::Failed(why) => log::error!("{why}"),
            Index::Written(written) => written.said.lines().for_each(|line| log::info!("depmod: {line}")),
            Index::Due | Index::UpToDate => {}
        }
    }
    let fates = report.kernels.iter().filter_map(|k| Some((k.release.as_str(), k.initrd.as_ref()?)));
    initrd_lines::report(context, fates);
    Ok(report)
}

pub fn run(context: &Context, args: &Sync, quiet: bool) -> Result<Outcome, String> {
    let options = Options {
        selection: Selection { kernels: args.kernels.kernels.clone(), ..Selection::default() },
        dry_run: args.dry_run,
        no_depmod: args.no_depmod,
        depmod: Depmod::from_environment(),
        initrd: (!args.no_initrd).then(|| initrd::request(context)),
        named: None,
    };
    let report = reconcile(context, &options, About::Nothing)?;
    // A release that is no kernel any more may be named, too: its links go.
    let gone: Vec<String> = args
        .kernels
        .kernels
        .iter()
        .filter(|k| !report.survey.inventory.releases.iter().any(|r| r.release == **k && !r.is_kernel))
        .cloned()
        .collect();
    context.known(&report.survey, &gone)?;
    if args.json {
        print_json(&report)?;
    } else if !quiet {
        print(&report, args.dry_run, true, |_| true, |_| true)?;
    }
    let is_due = |k: &KernelReport| {
        !k.changes.is_empty()
            || k.index == Index::Due
            || k.initrd.as_ref().is_some_and(|f| f.done == Done::Due)
    };
    let drift = args.dry_run && report.kernels.iter().any(is_due);
    Ok(match (report.failed(), drift) {
        (true, _) => Outcome::Failed,
        (_, true) => Outcome::Found,
        _ => Outcome::Good,
    })
}

pub fn kernel(
    context: &Context,
    kernel: Option<&str>,
    event: Event,
    shown: Shown,
) -> Result<Outcome, String> {
    let release = match kernel {
        Some(release) => release.to_string(),
        None => running_kernel(&context.root)?,
    };
    let going = (event == Event::Removed).then(|| release.clone());
    let options = Options {
        selection: Selection { going, ..Selection::default() },
        depmod: Depmod::from_environment(),
        initrd: Some(Request {
            kernel: (event == Event::Added).then(|| release.clone()),
            ..initrd::request(context)
        }),
        named: (event == Event::Added).then(|| release.clone()),
        ..Options::default()
    };
    let about = if event == Event::Added { About::Kernel(&release) } else { About::Nothing };
    let report = reconcile(context, &options, about)?;
    if event == Event::Added {
        // Links were made for those that are there; that this one is not is for people to see.
        context.known(&report.survey, std::slice::from_ref(&release))?;
    }
    match shown {
        Shown::Json => print_json(&report)?,
        Shown::Lines => print(&report, false, false, |k| k.release == release, |_| true)?,
        Shown::Nothing => {}
    }
    Ok(if report.failed() { Outcome::Failed } else { Outcome::Good })
}

pub fn kmp(context: &Context, nvr: &str, event: Event, shown: Shown) -> Result<Outcome, String> {
    let package = (event == Event::Added).then(|| nvr.to_string());
    let options = Options {
        depmod: Depmod::from_environment(),
        initrd: Some(Request { package, ..initrd::request(context) }),
        ..Options::default()
    };
    let name = package_name(nvr);
    let about = if event == Event::Added { About::Package(name) } else { About::Nothing };
    let mut report = reconcile(context, &options, about)?;
    if event == Event::Removed {
        name_gone(&mut report, nvr, &modules_of(context, nvr));
    }
    if event == Event::Added && report.survey.inventory.kmps_named(nvr).is_empty() {
        log::warn!("no package {nvr} that owns third-party modules is installed");
    }
    match shown {
        Shown::Json => print_json(&report)?,
        Shown::Lines => print(&report, false, false, |_| true, |kmp| kmp.package.name == name)?,
        Shown::Nothing => {}
    }
    Ok(if report.failed() { Outcome::Failed } else { Outcome::Good })
}

/// In %postun a package's files are gone, and its links lead nowhere. Those to `modules` (paths below a
/// release directory) were its own: they are reported as such.
pub fn name_gone(report: &mut SyncReport, nvr: &str, modules: &BTreeSet<PathBuf>) {
    for kernel in &mut report.kernels {
        let before = kernel.changes.len();
        kernel.changes.retain(|c| !matches!(c, PackageChange::Dangling(link) if modules.contains(link)));
        if kernel.changes.len() < before {
            kernel.changes.insert(0, PackageChange::Removed(nvr.into()));
        }
    }
}

/// The modules of a package, as the database has them; still in %postun. Without it only a name is missing.
fn modules_of(context: &Context, nvr: &str) -> BTreeSet<PathBuf> {
    let Some(database) = context.rpm().ok().and_then(|rpm| rpm.open(context.root.path()).ok()) else {
        return BTreeSet::new();
    };
    let instances = database.by_name(package_name(nvr)).unwrap_or_default();
    let packages = instances.into_iter().filter_map(|i| database.package(i, &|_| true).ok());
    let files = packages.filter(|p| p.nvr() == nvr).flat_map(|p| p.files);
    files.filter_map(|file| below_release(&file)).collect()
}

/// What follows the release in the path of a file below a directory of modules.
pub fn below_release(path: &Path) -> Option<PathBuf> {
    tree::parts(path).map(|parts| parts.below.to_path_buf())
}

/// Everything, with no more words than what went wrong.
pub fn all(context: &Context) -> Result<(), String> {
    let options = Options {
        depmod: Depmod::from_environment(),
        initrd: Some(initrd::request(context)),
        ..Options::default()
    };
    match reconcile(context, &options, About::Nothing)?.survey.is_unread() {
        false => Ok(()),
        true => Err("not everything could be read; run \"kmp sync\" again".into()),
    }
}

/// The name in NAME-VERSION-RELEASE.
pub fn package_name(nvr: &str) -> &str {
    nvr.rsplitn(3, '-').last().unwrap_or(nvr)
}

fn print(
    report: &SyncReport,
    dry_run: bool,
    by_hand: bool,
    of_kernel: impl Fn(&KernelReport) -> bool,
    of_kmp: impl Fn(&InstalledKmp) -> bool,
) -> Result<(), String> {
    let mut page = Page::new();
    for kernel in &report.kernels {
        // Whatever was asked for, what was changed is printed.
        for change in &kernel.changes {
            let verb = if dry_run { "would be: " } else { "" };
            page.wrapped_behind(0, 2, &format!("{}: {verb}{change}", kernel.release));
        }
        if dry_run && kernel.index == Index::Due {
            page.wrapped_behind(0, 2, &format!("{}: depmod would run", kernel.release));
        }
        let initrd = kernel.initrd.as_ref().filter(|fate| fate.reason.needed());
        if let Some(line) = initrd.and_then(|fate| initrd_lines::line(&kernel.release, fate)) {
            page.wrapped_behind(0, 2, &line);
        }
        if of_kernel(kernel) {
            for missing in report.not_linked(&kernel.release).into_iter().filter(|n| of_kmp(n.kmp)) {
                page.wrapped_behind(0, 2, &format!("{}: {missing}", kernel.release));
            }
        }
    }
    // Who has called it wants to know that it has looked; a scriptlet's output is for what was done.
    let is_idle = |k: &KernelReport| {
        let has_initrd = k.initrd.as_ref().is_some_and(|fate| fate.reason.needed());
        !k.failed() && k.changes.is_empty() && k.index == Index::UpToDate && !has_initrd
    };
    if by_hand && !report.survey.is_unread() && report.kernels.iter().all(is_idle) {
        page.line("Nothing to do.");
    }
    page.print()
}

fn print_json(report: &SyncReport) -> Result<(), String> {
    let kernel = |kernel: &KernelReport| Kernel {
        release: kernel.release.clone(),
        changes: kernel.changes.iter().map(Change::from).collect(),
        depmod: match kernel.index {
            Index::UpToDate => "up-to-date",
            Index::Due => "due",
            Index::Written(_) => "written",
            Index::Failed(_) => "failed",
        },
        error: match (kernel.error.as_ref().or(kernel.unread.first()), &kernel.index) {
            (Some(error), _) => Some(error.clone()),
            (None, Index::Failed(why)) => Some(why.clone()),
            _ => None,
        },
        initrd: kernel.initrd.as_ref().map(initrd_lines::Json::from),
        not_linked: report
            .not_linked(&kernel.release)
            .into_iter()
            .map(|n| NotLinked { package: n.kmp.package.nvr(), state: n.state.word(), detail: n.detail })
            .collect(),
    };
    Document::print(report.kernels.iter().map(kernel).collect())
}
