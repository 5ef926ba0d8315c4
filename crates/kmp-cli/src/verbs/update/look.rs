// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reads the repositories, and judges. Writes nothing.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::time::Duration;

use kmp_core::clock;
use kmp_core::config::{Config, Policy};
use kmp_core::dialect::Dialect;
use kmp_core::guard::{self, Elements, Orders, Running};
use kmp_core::in_use::InUse;
use kmp_core::inventory;
use kmp_core::last_update::LastUpdate;
use kmp_core::survey::{Selection, Survey};
use kmp_repo::found;
use kmp_repo::kept::Cache;
use kmp_repo::rpmmd::Location;
use kmp_repo::update::{
    AtHand, Files, Installed, Judge, Kernels, Offers, Part, Source, Update, rules, settle,
};
use kmp_sources::fetch::Fetcher;
use rpm_meta::Evr;

use super::bring::{self, Patience};
use super::{register, sources};
use crate::context::{Context, running_kernel};

/// How long fetching may take, in all.
const FETCHING: Duration = Duration::from_secs(15 * 60);

/// What is asked for.
#[derive(Default)]
pub struct Asked<'a> {
    /// Only this kernel.
    pub kernel: Option<&'a str>,
    /// These directories, and not the package manager's repositories.
    pub repositories: &'a [String],
    /// Are sources of drivers asked for what no repository has?
    pub fetches: Option<Patience>,
    /// Is what is read kept for the next time?
    pub keeps: bool,
    /// Are packages fetched where lists do not say enough?
    pub looks_into: bool,
}

/// What was found.
pub struct Found {
    pub update: Update,
    /// What was found the last time.
    pub last: Option<LastUpdate>,
    /// What is to be kept for the next time.
    pub kept: LastUpdate,
    /// Rules for libzypp.
    pub rules: Option<String>,
    pub dialect: Dialect,
    /// libzypp's version, where its package is installed.
    pub libzypp: Option<Evr>,
}

pub fn look(context: &Context, asked: &Asked<'_>) -> Result<Found, String> {
    let root = &context.root;
    let rpm = context.rpm().map_err(|e| format!("packages cannot be read: {e}"))?;
    let mut problems = Vec::new();
    let config = Config::load(root, &mut problems);
    // What to do is not known where a file that may say so could not be read: nothing is stopped then, nor held.
    let policy = problems.iter().any(|p| p.is_unread).then_some(Policy::Warn);
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
    let installed = Installed::look(root, rpm, &survey.inventory).map_err(|e| e.to_string())?;
    let dialect = survey.inventory.conventions.dialect;
    let given = sources::given(asked.repositories)?;
    let running = running_kernel(root).ok();
    let nothing_boots = inventory::nothing_boots_here(root, &mut problems);
    problems.iter().chain(&survey.problems).for_each(|problem| log::warn!("{problem}"));
    let in_use = OnceCell::new();
    let load = || InUse::of_running(root, running.is_some());
    let use_of = |module: &str| in_use.get_or_init(load).of(module);
    let running = Running { release: running.as_deref(), use_of: &use_of };
    // What was let come is decided here.
    let orders = Orders { config: &config, policy, nothing_boots, last: None };
    let limit = if dialect == Dialect::RedHat { found::installonly_limit(root) } else { None };
    let ask = |elements: Elements| guard::judge(root, rpm, &survey, elements, &running, &orders);
    let fetcher = asked.looks_into.then(|| Fetcher::new(root, FETCHING));
    // With further repositories, and without packages of them that were refused.
    let judge = |more: Vec<Source<'_>>, refused: &[(String, String)]| {
        let mut listed = sources::sources(root, dialect, &given);
        let is_all = more.is_empty();
        listed.sources.extend(more);
        let urls = std::mem::take(&mut listed.urls);
        let fetch = |id: &str, location: &Location, part: Part| match &fetcher {
            Some(fetcher) => sources::fetch(fetcher, &urls, id, location, part),
            None => Err("nothing is fetched".into()),
        };
        let files = Files::of(&listed.sources, fetcher.is_some().then_some(&fetch));
        let cache = Cache::new(root, asked.keeps);
        let mut offers = Offers::read(listed.sources, &installed, symbols(&survey), &cache);
        offers.problems.splice(0..0, listed.problems);
        offers.drivers.retain(|offer| {
            let is_it =
                |(id, nevra): &(String, String)| *id == offer.repository && *nevra == offer.package.nevra();
            !refused.iter().any(is_it)
        });
        let at_hand = AtHand::new(rpm, &files);
        let judge = Judge {
            ask: &ask,
            survey: &survey,
            offers: &offers,
            drivers: &offers.drivers.iter().collect::<Vec<_>>(),
            kernels: &Kernels::new(survey.inventory.dirs.clone()),
            installed: &installed,
            running: &running,
            orders: &orders,
            limit,
            at_hand: Some(&at_hand),
        };
        let mut update = judge.update(asked.kernel);
        // Of what sources offer, whoever fetches it asks more.
        if is_all {
            judge.sign(&mut update);
        }
        update
    };
    let mut update = judge(Vec::new(), &[]);
    if let Some(patience) = asked.fetches {
        match bring::bring(context, &config, &update, &judge, patience) {
            Ok(brought) => {
                if brought.is_new {
                    register(context)?;
                    update = judge(Vec::new(), &[]);
                }
                brought.explain(&mut update);
                brought.problems.iter().for_each(|problem| log::warn!("{problem}"));
            }
            Err(why) => log::warn!("sources of drivers are not asked: {why}"),
        }
    }
    let last = LastUpdate::load(root);
    let kept = settle(&mut update, last.as_ref(), &config, clock::now());
    let rules = rules(&update, &installed, &config);
    let libzypp = installed.version("libzypp");
    Ok(Found { update, last, kept, rules, dialect, libzypp })
}

/// The symbols that installed drivers need, or have.
fn symbols(survey: &Survey) -> HashSet<Box<str>> {
    let mut symbols = HashSet::new();
    for kmp in &survey.kmps() {
        for module in kmp.modules.iter().filter_map(|planned| planned.module.ok()) {
            symbols.extend(module.needs.iter().map(|need| need.symbol.clone()));
            symbols.extend(module.offers.iter().map(|offer| offer.symbol.clone()));
        }
    }
    symbols
}
