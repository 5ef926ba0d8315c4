// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp doctor`: are the system, and packages of drivers, sound?

mod candidates;
mod document;
mod page;

use std::collections::BTreeSet;

use kmp_core::apply::Depmod;
use kmp_core::history::About;
use kmp_core::inventory::KernelPackages;
use kmp_core::run_dir;
use kmp_core::sync::{Options, SyncReport};
use kmp_drivers::soundness::{self, Found, OWN, Rule, Severity, System, changed};

use crate::args;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::json;
use crate::output::terminal::Page;
use crate::verbs::{initrd, sync};

#[cfg(test)]
pub use self::document::Doctor as Document;

/// What breaks rules, the worst first.
type Broken = Vec<(&'static Rule, Found)>;

pub fn run(context: &Context, args: &args::Doctor, quiet: bool, verbose: bool) -> Result<Outcome, String> {
    let mut broken = look(context, args)?;
    let mut mended = 0;
    if args.fix && broken.iter().any(|(rule, _)| rule.is_mended) {
        let before = broken.len();
        // So that sync looks at them.
        for (release, _) in initrd::stale(context)? {
            run_dir::check(&context.root, &release, true)
                .map_err(|e| format!("it cannot be noted that {release} needs a new initrd: {e}"))?;
        }
        sync::all(context)?;
        broken = look(context, args)?;
        mended = before.saturating_sub(broken.len());
    }
    if args.json {
        json::print(&document::document(&broken))?;
    } else if !quiet {
        let mut page = Page::new();
        page::draw(&mut page, &broken, mended, verbose);
        page.print()?;
    }
    let is_found = broken.iter().any(|(rule, _)| rule.severity > Severity::Note);
    Ok(if is_found { Outcome::Found } else { Outcome::Good })
}

fn look(context: &Context, args: &args::Doctor) -> Result<Broken, String> {
    let report = dry_run(context)?;
    if report.survey.is_unread() {
        return Err("not everything could be read, so that nothing is said of what is sound".into());
    }
    let mut broken = if args.names.is_empty() { of_system(context, &report)? } else { Broken::new() };
    for candidate in candidates::find(context, &report.survey, &args.names)? {
        broken.extend(soundness::of_package(&candidate));
    }
    context.done();
    // The sort is stable: rules stay in their order, and what breaks one together.
    broken.sort_by_key(|(rule, _)| std::cmp::Reverse(rule.severity));
    Ok(broken)
}

/// What `kmp sync --dry-run` finds.
fn dry_run(context: &Context) -> Result<SyncReport, String> {
    let options = Options {
        dry_run: true,
        depmod: Depmod::from_environment(),
        initrd: Some(initrd::request(context)),
        ..Options::default()
    };
    sync::reconcile(context, &options, About::Nothing)
}

fn of_system(context: &Context, report: &SyncReport) -> Result<Broken, String> {
    let (mut kernels_changed, mut kmp_changed) = (Vec::new(), Vec::new());
    if let (Ok(rpm), Some(database)) = (context.rpm(), context.database()?) {
        let packages = KernelPackages::of(&context.root, rpm, &report.survey.inventory);
        let kernels =
            report.survey.inventory.kernels().flat_map(|kernel| packages.of_kernel(&kernel.dir)).collect();
        let own: BTreeSet<String> = OWN.iter().map(ToString::to_string).collect();
        let read = |names| changed(&context.root, &database, names).map_err(|e| e.to_string());
        (kernels_changed, kmp_changed) = (read(&kernels)?, read(&own)?);
    }
    let stale_initrds = initrd::stale(context)?;
    Ok(soundness::of_system(&System { report, kernels_changed, kmp_changed, stale_initrds }))
}
