// SPDX-License-Identifier: LGPL-2.1-or-later
//! KMPs in repositories that are for the devices of a machine.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use kmp_core::dialect::Dialect;
use kmp_core::printable;
use kmp_core::survey::Survey;
use kmp_drivers::devices::Device;
use kmp_repo::hardware::{Drivers, Fit, Pattern};
use kmp_repo::kept::Cache;
use kmp_repo::rpmmd::Location;
use kmp_repo::update::{AtHand, Files, Part, Signing};
use kmp_sources::fetch::Fetcher;

use super::Row;
use crate::context::Context;
use crate::output::terminal::Page;
use crate::verbs::update::sources;

/// A KMP in a repository that claims a device.
#[derive(Clone)]
pub struct Offered {
    /// `NAME-[EPOCH:]VERSION-RELEASE.ARCH`.
    pub package: String,
    pub name: String,
    /// `[EPOCH:]VERSION-RELEASE`.
    pub evr: String,
    pub repository: String,
    pub priority: u32,
    pub vendor: Option<String>,
    pub packager: Option<String>,
    /// Whether it fits, kernel by kernel.
    pub kernels: Vec<(String, Fit)>,
    /// Who signed it and who supports it, or why that is not known.
    pub signing: Result<Signing, String>,
    /// Is it the one to install for this device?
    pub is_recommended: bool,
}

/// How long fetching headers may take, in all.
const FETCHING: Duration = Duration::from_secs(60);

/// The offers for each of these devices, in their order. `fetches`: are headers of packages fetched, to say who signed them?
pub fn offers(
    context: &Context,
    survey: &Survey,
    devices: &[&Device],
    named: &[String],
    fetches: bool,
) -> Result<Vec<Vec<Offered>>, String> {
    let given = sources::given(named)?;
    let mut listed = sources::sources(&context.root, survey.inventory.conventions.dialect, &given);
    let urls = std::mem::take(&mut listed.urls);
    let fetcher = fetches.then(|| Fetcher::new(&context.root, FETCHING));
    let fetch = |id: &str, location: &Location, part: Part| match &fetcher {
        Some(fetcher) => sources::fetch(fetcher, &urls, id, location, part),
        None => Err("nothing is fetched".into()),
    };
    let files = Files::of(&listed.sources, fetcher.is_some().then_some(&fetch));
    let at_hand = AtHand::new(context.rpm().map_err(ToString::to_string)?, &files);
    let keys = context.trusted_keys()?;
    let aliases: BTreeSet<&str> = devices.iter().map(|device| device.modalias.as_str()).collect();
    let has = |pattern: &Pattern| aliases.iter().any(|alias| pattern.claims(alias));
    let Drivers { drivers, problems } =
        Drivers::read(listed.sources, &Cache::new(&context.root, false), &has);
    listed.problems.iter().chain(&problems).for_each(|problem| log::warn!("{problem}"));
    let is_installed = |nvr: &str| survey.inventory.kmps.iter().any(|kmp| kmp.package.nvr() == nvr);
    let mut seen = BTreeSet::new();
    // The first of each name is the newest of the best repository.
    let drivers: Vec<_> =
        drivers.into_iter().filter(|d| seen.insert(d.offer.package.name().to_owned())).collect();
    let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut judged: BTreeMap<usize, Offered> = BTreeMap::new();
    let mut all = Vec::new();
    for device in devices {
        let mut own = Vec::new();
        for (at, driver) in drivers.iter().enumerate() {
            let package = &driver.offer.package;
            let claims = driver.patterns.iter().any(|pattern| pattern.claims(&device.modalias));
            if !claims || is_installed(&package.nvr()) {
                continue;
            }
            let offered = judged.entry(at).or_insert_with(|| Offered {
                package: package.nevra(),
                name: package.name().to_owned(),
                evr: package.evr().to_string(),
                repository: driver.offer.repository.clone(),
                priority: driver.priority,
                vendor: said(package.vendor()),
                packager: said(package.packager()),
                kernels: driver.fits(survey),
                signing: at_hand.signing(&driver.offer, &keys, &survey.inventory.dirs),
                is_recommended: false,
            });
            own.push(offered.clone());
        }
        recommend(&mut own);
        all.push(own);
    }
    Ok(all)
}

/// Exactly one is recommended, if any fits the newest kernel: that of the best repository.
fn recommend(offers: &mut [Offered]) {
    let fits = |offered: &Offered| offered.kernels.last().is_some_and(|(_, fit)| *fit == Fit::Fits);
    let best = offers.iter_mut().filter(|offered| fits(offered)).min_by_key(|o| (o.priority, o.name.clone()));
    best.into_iter().for_each(|offered| offered.is_recommended = true);
}

/// What to install: the recommended package of each device that has no driver, neither bound nor installed.
fn wanted(rows: &[Row], dialect: Dialect) -> BTreeSet<String> {
    let lacking = rows.iter().filter(|row| !row.has_driver() && !row.has_working_kmp());
    let recommended = lacking.flat_map(|row| &row.offers).filter(|offered| offered.is_recommended);
    let name = |offered: &Offered| match dialect {
        Dialect::Suse => format!("{}={}", offered.name, offered.evr),
        Dialect::RedHat => offered.package.clone(),
    };
    recommended.map(name).collect()
}

/// `--install`: prints the distribution's command, or becomes it.
pub fn install(rows: &[Row], dialect: Dialect, is_applied: bool) -> Result<(), String> {
    let packages = wanted(rows, dialect);
    let (program, words): (&str, &[&str]) = match dialect {
        Dialect::Suse => ("/usr/bin/zypper", &["install"]),
        Dialect::RedHat => ("/usr/bin/dnf", &["install"]),
    };
    let mut page = Page::new();
    if packages.is_empty() {
        page.line("no device without a driver has one in a repository that fits the newest kernel");
        return page.print();
    }
    if is_applied {
        let error = Command::new(program).args(words).args(&packages).exec();
        return Err(format!("{program} cannot be run: {error}"));
    }
    let name = program.rsplit('/').next().unwrap_or_default();
    let packages: Vec<String> = packages.into_iter().map(|name| printable(name.as_ref())).collect();
    page.line(format!("{name} {} {}", words.join(" "), packages.join(" ")));
    page.print()
}
