// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp update`: before an update, which kernels may come with all drivers in use, and which are held back.

mod json;
mod page;
mod sources;

use std::cell::OnceCell;

use kmp_core::config::Config;
use kmp_core::guard::{Orders, Running};
use kmp_core::in_use::InUse;
use kmp_core::inventory;
use kmp_core::survey::{Selection, Survey};
use kmp_repo::update::{Installed, Judge, Offers, Update};

use crate::args;
use crate::context::{Context, running_kernel};
use crate::outcome::Outcome;

#[cfg(test)]
pub use json::Document;

pub fn run(context: &Context, args: &args::Update, quiet: bool) -> Result<Outcome, String> {
    let found = look(context, args)?;
    found.problems.iter().for_each(|problem| log::warn!("{problem}"));
    if args.json {
        json::print(&found)?;
    } else if !quiet {
        page::print(&found)?;
    }
    Ok(match () {
        () if !found.problems.is_empty() => Outcome::Failed,
        () if found.held().next().is_some() => Outcome::Found,
        () => Outcome::Good,
    })
}

/// Reads the repositories, and judges.
fn look(context: &Context, args: &args::Update) -> Result<Update, String> {
    let root = &context.root;
    let rpm = context.rpm().map_err(|e| format!("packages cannot be read: {e}"))?;
    let mut problems = Vec::new();
    let config = Config::load(root, &mut problems);
    let selection = Selection { kernel_comes: true, ..Selection::default() };
    let survey = Survey::take(root, Ok(rpm), &mut context.loader(), &selection);
    context.done();
    let survey = survey.map_err(|problem| format!("nothing can be judged: {problem}"))?;
    if let Some(unknown) = &survey.inventory.packages_unknown {
        return Err(format!("nothing can be judged: {unknown}"));
    }
    if let Some(unknown) = &survey.inventory.conventions.distribution_unknown {
        return Err(format!("nothing can be judged: {unknown}"));
    }
    problems.iter().chain(&survey.problems).for_each(|problem| log::warn!("{problem}"));
    let installed = Installed::look(root, rpm, &survey.inventory).map_err(|e| e.to_string())?;
    let given = sources::given(&args.repositories)?;
    let found = sources::sources(root, survey.inventory.conventions.dialect, &given);
    let mut offers = Offers::read(found.sources, &installed);
    offers.problems.splice(0..0, found.problems);
    let running = running_kernel(root).ok();
    let mut unread = Vec::new();
    let nothing_boots =
        inventory::nothing_boots(root, &mut unread) || root.is_system() && inventory::is_offline();
    unread.iter().for_each(|problem| log::warn!("{problem}"));
    // What is loaded here is loaded for no other root.
    let in_use = OnceCell::new();
    let load = || if running.is_some() { InUse::load(root) } else { InUse::default() };
    let use_of = |module: &str| in_use.get_or_init(load).of(module);
    let running = Running { release: running.as_deref(), use_of: &use_of };
    let orders = Orders { config: &config, policy: None, nothing_boots };
    let judge = Judge {
        root,
        rpm,
        survey: &survey,
        offers: &offers,
        installed: &installed,
        running: &running,
        orders: &orders,
    };
    Ok(judge.update(args.kernel.as_deref()))
}
