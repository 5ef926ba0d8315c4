// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp devices`: which devices there are, and which drivers are for each.

mod document;
mod offers;
mod page;

use kmp_core::abi::Supported;
use kmp_core::in_use::InUse;
use kmp_core::state::State;
use kmp_core::survey::Survey;
use kmp_drivers::devices::{Claims, Device, Drivers, InTree, Names, NeededFor, devices, grouped};
use kmp_drivers::trust;

use crate::args;
use crate::context::{Context, running_kernel};
use crate::outcome::Outcome;
use crate::output::json;
use crate::output::terminal::Page;

use self::offers::Offered;

#[cfg(test)]
pub use self::document::Devices as Document;

/// Devices of one kind, and what is known of drivers for them.
struct Row {
    devices: Vec<Device>,
    name: String,
    needed_for: NeededFor,
    in_tree: Vec<InTree>,
    kmps: Vec<Kmp>,
    /// What repositories have for it.
    offers: Vec<Offered>,
}

/// An installed KMP that claims a device.
struct Kmp {
    package: String,
    modules: Vec<String>,
    kernels: Vec<(String, State)>,
    supported: Supported,
    /// Who signed it, where somebody did.
    signers: Vec<String>,
}

impl Row {
    fn device(&self) -> &Device {
        &self.devices[0]
    }

    fn has_driver(&self) -> bool {
        self.device().driver.is_some()
    }

    /// Is a driver for it installed that works in the newest kernel?
    fn has_working_kmp(&self) -> bool {
        self.kmps.iter().any(|kmp| kmp.kernels.last().is_some_and(|(_, state)| state.works()))
    }

    /// Is it of interest where not everything is asked for? Not one that the kernel itself drives, nor one that no driver is for
    /// anywhere, unless it sits in a slot.
    fn is_of_interest(&self) -> bool {
        let device = self.device();
        // A bridge needs none.
        let is_bridge = device.modalias.contains("bc06sc");
        match device.driver {
            Some(_) => device.module.is_some() || !self.kmps.is_empty() || !self.offers.is_empty(),
            None if self.in_tree.is_empty() && self.kmps.is_empty() && self.offers.is_empty() => {
                matches!(device.bus.as_str(), "pci" | "usb") && !is_bridge
            }
            None => true,
        }
    }
}

pub fn run(context: &Context, args: &args::Devices, quiet: bool) -> Result<Outcome, String> {
    let (_, releases) = context.releases()?;
    let running =
        running_kernel(&context.root).ok().filter(|running| releases.iter().any(|r| r.release == *running));
    let newest = releases.iter().rev().find(|release| release.is_kernel).map(|r| r.release.clone());
    let mut kernels: Vec<String> = running.iter().chain(&newest).cloned().collect();
    kernels.dedup();
    let mut loader = context.loader();
    let survey = context.survey(&mut loader, &kernels)?;
    let found = devices(&context.root)?;
    let mut rows = rows(context, &survey, &found)?;
    if !args.installed {
        let kinds: Vec<&Device> = rows.iter().map(Row::device).collect();
        let offers = offers::offers(context, &survey, &kinds, &args.repositories, args.fetch)?;
        rows.iter_mut().zip(offers).for_each(|(row, offers)| row.offers = offers);
    }
    context.done();
    if args.install {
        offers::install(&rows, survey.inventory.conventions.dialect, args.apply)?;
        return Ok(Outcome::Good);
    }
    if args.json {
        json::print(&document::document(&rows, running, newest))?;
    } else if !quiet {
        let mut page = Page::new();
        page::draw(&mut page, &rows, args.all, found.len());
        page.print()?;
    }
    Ok(if survey.is_unread() { Outcome::Failed } else { Outcome::Good })
}

/// Those without a driver first.
fn rows(context: &Context, survey: &Survey, found: &[Device]) -> Result<Vec<Row>, String> {
    let claims = survey.kernels.iter().map(|kernel| {
        let dir = &survey.release(kernel).dir;
        (kernel.kernel.release.as_str(), Claims::of_kernel(&context.root, dir))
    });
    let drivers = Drivers::new(survey, claims.collect());
    let names = Names::load(&context.root, found);
    let in_use = InUse::load(&context.root);
    let keys = context.trusted_keys()?;
    let database = context.database()?;
    let all: Vec<&Device> = found.iter().collect();
    let mut rows = Vec::new();
    for devices in grouped(&all) {
        let device = devices[0];
        let claimants = drivers.kmps(device);
        let in_tree = drivers.in_tree(device, &claimants);
        let mut kmps = Vec::new();
        for claimant in claimants {
            let package = &survey.inventory.kmps[claimant.kmp].package;
            let issuers = match (&database, package.instance) {
                (Some(database), Some(instance)) => database.issuers(instance).map_err(|e| e.to_string())?,
                _ => Vec::new(),
            };
            let signer = |issuer: rpm_meta::openpgp::Issuer| {
                let key = keys.of(&issuer).cloned();
                trust::signer(&librpm_rt::Signer { issuer: Some(issuer), created: None, key })
            };
            kmps.push(Kmp {
                package: package.nvr(),
                modules: claimant.modules,
                kernels: claimant.kernels,
                supported: claimant.supported,
                signers: issuers.into_iter().map(signer).collect(),
            });
        }
        rows.push(Row {
            name: names.of(device),
            needed_for: NeededFor::of(device, &in_use),
            devices: devices.into_iter().cloned().collect(),
            in_tree,
            kmps,
            offers: Vec::new(),
        });
    }
    rows.sort_by_key(Row::has_driver);
    Ok(rows)
}
