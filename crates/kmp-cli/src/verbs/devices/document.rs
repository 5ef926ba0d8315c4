// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp devices --json`.

use kmp_drivers::devices::word;
use serde::Serialize;

use super::Row;
use crate::output::json;

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
    /// What the machine needs it for now: `root` (the root file system is on it), `network` (without it there is no default route).
    #[cfg_attr(test, schemars(extend("items" = {"enum": ["root", "network"]})))]
    needed_for: Vec<&'static str>,
    /// Modules of the kernels' own that claim it.
    modules: Vec<Module>,
    /// Installed KMPs that claim it.
    kmps: Vec<Kmp>,
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
        needed_for: [(row.needed_for.root, "root"), (row.needed_for.network, "network")]
            .into_iter()
            .filter_map(|(is_needed, word)| is_needed.then_some(word))
            .collect(),
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
    };
    Devices { version: json::VERSION, running, newest, devices: rows.iter().map(device).collect() }
}
