//! `kmp initrd`: which kernels need a new initrd, and why; and what the other verbs say of it.

use std::collections::BTreeSet;
use std::path::Path;

use kmp_core::apply;
use kmp_core::initrd::{Done, Fate, PACKAGE, Reason, Request, Settings, System, compare};
use kmp_core::report::printable;
use serde::Serialize;

use crate::Outcome;
use crate::args::Initrd;
use crate::context::Context;
use crate::json::Document;
use crate::system_log;
use crate::terminal::Page;

#[derive(Serialize)]
struct Kernel {
    release: String,
    #[serde(flatten)]
    fate: Json,
}

/// A kernel's initrd in `--json`.
#[derive(Serialize)]
pub struct Json {
    needed: bool,
    reason: String,
    modules: Vec<String>,
    done: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<&Fate> for Json {
    fn from(fate: &Fate) -> Self {
        let (done, error) = match &fate.done {
            Done::Nothing => ("nothing", None),
            Done::Due => ("due", None),
            Done::Marked => ("marked", None),
            Done::Built(_) => ("built", None),
            Done::Failed(why) => ("failed", Some(why.clone())),
        };
        Self {
            needed: fate.reason.needed(),
            reason: fate.reason.to_string(),
            modules: fate.reason.modules().into_iter().map(Into::into).collect(),
            done,
            error,
        }
    }
}

/// What is asked for where nothing special is named.
pub fn request(context: &Context) -> Request {
    Request { settings: context.settings(), ..Request::default() }
}

/// Does a kernel need a new initrd, now that modules of its own with these names came? Where that is not to be known, it does.
pub fn needed_for(root: &Path, settings: &Settings, kernel: &str, names: &[String]) -> bool {
    let Ok(context) = Context::open(root) else { return true };
    let dialect = kmp_core::config::dialect(&context.root, &mut Vec::new());
    let (_, releases) = context.releases();
    let Some(release) = releases.iter().find(|r| r.is_kernel && r.release == kernel) else { return false };
    let mut modules = compare::on_disk(dialect, release);
    compare::count(&mut modules, names);
    System::look(&context.root, dialect, settings, true)
        .assess(release, &modules, false, false, None)
        .needed()
}

/// What became of a kernel's initrd, in a line; `None` for a failure, which is told by [`tell`].
pub fn line(release: &str, Fate { reason, done }: &Fate) -> Option<String> {
    Some(match done {
        Done::Nothing => format!("{release}: no new initrd: {reason}"),
        Done::Due => format!("{release}: a new initrd is needed: {reason}"),
        Done::Marked => format!("{release}: a new initrd was asked for: {reason}"),
        Done::Built(_) => format!("{release}: a new initrd was made: {reason}"),
        Done::Failed(_) => return None,
    })
}

/// Passes on failures, what generators said, and, once, why none is made.
pub fn tell<'f>(context: &Context, fates: impl Iterator<Item = (&'f str, &'f Fate)>) {
    let mut hints = BTreeSet::new();
    let elsewhere = || {
        format!(
            "initrds are only asked for, as programs of the system below {} make them; --run-in-root lets them",
            printable(context.root.path().as_os_str())
        )
    };
    for (release, fate) in fates {
        match (&fate.done, &fate.reason) {
            (Done::Failed(why), reason) => {
                log::error!("kernel {release} needs a new initrd ({reason}), but {why}");
            }
            (Done::Built(said), _) => said.lines().for_each(|line| log::info!("{line}")),
            (Done::Marked, _)
                if !context.settings().may_run_in(&context.root) && hints.insert(elsewhere()) =>
            {
                log::warn!("{}", elsewhere());
            }
            (_, Reason::Incomplete(why)) if hints.insert(why.clone()) => log::warn!("{why}"),
            _ => {}
        }
    }
}

pub fn run(context: &Context, args: &Initrd, quiet: bool) -> Result<Outcome, String> {
    let (dirs, releases) = context.releases();
    let wanted = &args.kernels.kernels;
    kmp_core::inventory::has_kernels(&context.root, &dirs, &releases, wanted)?;
    let settings = context.settings();
    let mut problems = Vec::new();
    let dialect = kmp_core::config::dialect(&context.root, &mut problems);
    let system = System::look(&context.root, dialect, &settings, args.dry_run);
    problems.iter().chain(&system.problems).for_each(|problem| log::warn!("{problem}"));
    let markers = apply::markers(&context.root);
    let mut fates = Vec::new();
    for release in releases.iter().filter(|r| r.is_kernel) {
        if !wanted.is_empty() && !wanted.contains(&release.release) {
            continue;
        }
        let marker = markers.iter().any(|m| *m == release.release || m == apply::ALL);
        let forced = match (settings.forced, marker) {
            (true, _) => Some(PACKAGE),
            (_, true) => Some("a marker in /run/regenerate-initrd"),
            _ => None,
        };
        let reason = system.assess(release, &compare::on_disk(dialect, release), false, false, forced);
        fates.push((release.release.as_str(), system.serve(release, reason, args.dry_run)));
    }
    context.done();
    let all = || fates.iter().map(|(release, fate)| (*release, fate));
    if args.json {
        Document::print(
            all().map(|(release, fate)| Kernel { release: release.into(), fate: fate.into() }).collect(),
        )?;
    } else if !quiet {
        let mut page = Page::new();
        all().filter_map(|(release, fate)| line(release, fate)).for_each(|line| page.line(line));
        page.print()?;
    }
    system_log::tell_initrds(context, all());
    // The line says already why none is made.
    tell(context, all().filter(|(_, fate)| !matches!(fate.reason, Reason::Incomplete(_))));
    Ok(match () {
        () if all().any(|(_, fate)| matches!(fate.done, Done::Failed(_))) => Outcome::Failed,
        () if all().any(|(_, fate)| fate.done == Done::Due) => Outcome::Found,
        () => Outcome::Good,
    })
}
