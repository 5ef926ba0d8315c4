// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp devices --json`.

use kmp_core::printable;
use kmp_drivers::devices::word;
use kmp_repo::hardware;
use serde::Serialize;

use super::Row;
use super::offers::Offered;
use crate::output::json;
use crate::output::signatures::OfPackage;

/// The devices of a machine, and the drivers that are for them.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Devices {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// The release of the running kernel, if it is one of this system's.
    running: Option<String>,
    /// That of the newest kernel.
    newest: Option<String>,
    /// Every device that says what it is; those without a driver first.
    devices: Vec<Device>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Device {
    /// Its directory in sysfs. Of several with the same alias and the same driver, each.
    paths: Vec<String>,
    /// What to call it.
    name: String,
    /// The bus that it is on.
    bus: String,
    /// What it calls itself, by which drivers are found.
    modalias: String,
    /// The driver that it is bound to.
    driver: Option<String>,
    /// The module of that driver; null where the kernel has it built in.
    module: Option<String>,
    /// What the machine needs it for now: `root` (the root file system is on it), `network` (without it there is no default route), `console` (without it no console is left).
    #[cfg_attr(test, schemars(extend("items" = {"enum": ["root", "network", "console"]})))]
    needed_for: Vec<&'static str>,
    /// Modules of the kernels' own that claim it.
    modules: Vec<Module>,
    /// Installed KMPs that claim it.
    kmps: Vec<Kmp>,
    /// KMPs in repositories that do, and are not installed in that version.
    offers: Vec<Offer>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Offer {
    /// `NAME-[EPOCH:]VERSION-RELEASE.ARCH`.
    package: String,
    /// The repository's short name.
    repository: String,
    /// Who made it, if it says.
    vendor: Option<String>,
    /// Who built it, if it says.
    packager: Option<String>,
    /// Who signed it and who supports it.
    signature: OfPackage,
    /// Is it the one to install for this device? One at most is: of those that fit the newest kernel that of the best repository.
    recommended: bool,
    /// Whether it fits the running and the newest kernel, if it is for kernels of their flavour.
    kernels: Vec<Fit>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Fit {
    /// The kernel's release.
    release: String,
    /// Does it fit, by the symbols that it says it needs? Null: metadata does not say.
    fits: Option<bool>,
    /// Why not, or why that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<&Offered> for Offer {
    fn from(offered: &Offered) -> Self {
        let fit = |(release, fit): &(String, hardware::Fit)| {
            let (fits, reason) = match fit {
                hardware::Fit::Fits => (Some(true), None),
                hardware::Fit::Refused(why) => (Some(false), Some(printable(why.as_ref()))),
                hardware::Fit::Unknown(why) => (None, Some(printable(why.as_ref()))),
            };
            Fit { release: release.clone(), fits, reason }
        };
        Self {
            package: offered.package.clone(),
            repository: offered.repository.clone(),
            vendor: offered.vendor.clone(),
            packager: offered.packager.clone(),
            signature: OfPackage::from(&offered.signing),
            recommended: offered.is_recommended,
            kernels: offered.kernels.iter().map(fit).collect(),
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Module {
    /// Its name.
    name: String,
    /// The kernels, of the running and the newest one, that have it.
    kernels: Vec<String>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Kmp {
    /// `NAME-VERSION-RELEASE`.
    package: String,
    /// Its modules that claim the device.
    modules: Vec<String>,
    /// How it stands in the running and the newest kernel, if it is for kernels of their flavour.
    kernels: Vec<Kernel>,
    /// Who supports it: what all its modules have (SUSE).
    #[cfg_attr(test, schemars(extend("enum" = ["yes", "external", "no"])))]
    supported: &'static str,
    /// Who signed the package, in words; empty: nobody.
    signers: Vec<String>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Kernel {
    /// The kernel's release.
    release: String,
    /// The state there.
    #[cfg_attr(test, schemars(extend("enum" = json::schemas::states())))]
    state: &'static str,
}

pub fn document(rows: &[Row], running: Option<String>, newest: Option<String>) -> Devices {
    let device = |row: &Row| Device {
        paths: row.devices.iter().map(|device| json::path(&device.path)).collect(),
        name: row.name.clone(),
        bus: row.device().bus.clone(),
        modalias: row.device().modalias.clone(),
        driver: row.device().driver.clone(),
        module: row.device().module.clone(),
        needed_for: row.needed_for.words(),
        modules: row
            .in_tree
            .iter()
            .map(|module| Module { name: module.module.clone(), kernels: module.kernels.clone() })
            .collect(),
        kmps: row
            .kmps
            .iter()
            .map(|kmp| Kmp {
                package: kmp.package.clone(),
                modules: kmp.modules.clone(),
                kernels: kmp
                    .kernels
                    .iter()
                    .map(|(release, state)| Kernel { release: release.clone(), state: state.word() })
                    .collect(),
                supported: word(kmp.supported),
                signers: kmp.signers.clone(),
            })
            .collect(),
        offers: row.offers.iter().map(Offer::from).collect(),
    };
    Devices { version: json::VERSION, running, newest, devices: rows.iter().map(device).collect() }
}
