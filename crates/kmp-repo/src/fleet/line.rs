// SPDX-License-Identifier: LGPL-2.1-or-later
//! A machine's line: what it says, and what of it can be a machine. Pure.

use std::collections::{BTreeMap, BTreeSet};

use kmp_core::dialect::Dialect;
use serde::Deserialize;

use super::machine::{DriverFacts, Machine, Packages};
use super::nevra::Nevra;
use super::release::suse_flavour;

/// The most drivers, or kernels, of a machine.
const MOST_PACKAGES: usize = 1_000;

/// The most bytes of a machine's name.
const MOST_NAME: usize = 256;

/// The most bytes of a line.
pub(super) const LINE_LIMIT: usize = 1 << 20;

/// A package, alone or with more that is known of it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    Plain(String),
    Kernel {
        #[serde(default)]
        packages: Vec<String>,
        release: String,
    },
    Package {
        package: String,
        #[serde(default)]
        modules: Vec<Module>,
    },
}

/// A module of a driver.
#[derive(Debug, Deserialize)]
struct Module {
    #[serde(default)]
    loaded: bool,
    #[serde(default)]
    holds_root: bool,
    #[serde(default)]
    holds_network: bool,
}

/// A machine's line.
#[derive(Debug, Deserialize)]
struct Line {
    machine: String,
    #[serde(default)]
    dialect: Option<String>,
    #[serde(default)]
    kernels: Vec<Entry>,
    #[serde(default)]
    kmps: Vec<Entry>,
    #[serde(default)]
    packages: Vec<String>,
}

/// Reads one.
pub(super) fn parse(line: &[u8]) -> Result<Machine, String> {
    if line.len() > LINE_LIMIT {
        return Err(format!("it has more than {LINE_LIMIT} bytes"));
    }
    let line: Line = serde_json::from_slice(line).map_err(|e| format!("it is no machine: {e}"))?;
    machine(line)
}

fn machine(line: Line) -> Result<Machine, String> {
    let name = checked_name(&line.machine)?;
    let is_complete = !line.packages.is_empty();
    let mut kernels = BTreeSet::new();
    let mut drivers = BTreeSet::new();
    let mut facts: BTreeMap<String, DriverFacts> = BTreeMap::new();
    let parsed =
        |text: &str| Nevra::parse(text).ok_or_else(|| format!("{text:?} is no NAME-VERSION-RELEASE.ARCH"));
    for entry in line.kernels {
        let (packages, release) = match entry {
            Entry::Plain(package) | Entry::Package { package, .. } => (vec![package], None),
            Entry::Kernel { packages, release } => (packages, Some(release)),
        };
        if release.as_deref().is_some_and(|release| !is_release(release)) {
            return Err("a kernel's release is none".into());
        }
        for package in packages {
            kernels.insert((parsed(&package)?, release.clone()));
        }
    }
    for entry in line.kmps {
        let (package, modules) = match entry {
            Entry::Plain(package) => (package, Vec::new()),
            Entry::Package { package, modules } => (package, modules),
            Entry::Kernel { .. } => return Err("a driver's package has a kernel's release".into()),
        };
        let package = parsed(&package)?;
        if !modules.is_empty() {
            let of = facts.entry(package.name.clone()).or_default();
            of.is_loaded |= modules.iter().any(|m| m.loaded);
            of.holds_root |= modules.iter().any(|m| m.holds_root);
            of.holds_network |= modules.iter().any(|m| m.holds_network);
        }
        drivers.insert(package);
    }
    // Of all that is installed, whatever that is called.
    for package in line.packages.iter().filter_map(|text| Nevra::parse(text)) {
        sort(package, &mut kernels, &mut drivers);
    }
    if kernels.len() > MOST_PACKAGES || drivers.len() > MOST_PACKAGES {
        return Err(format!("it has more than {MOST_PACKAGES} kernels or drivers"));
    }
    let is_suse = match line.dialect.as_deref().map(Dialect::parse) {
        Some(dialect) => dialect.ok_or("its dialect is neither suse nor redhat")? == Dialect::Suse,
        None => looks_like_suse(&kernels, &drivers),
    };
    Ok(Machine { name, packages: Packages { is_suse, kernels, drivers, is_complete }, facts })
}

/// A machine of which only its packages are known.
///
/// # Errors
/// Its name cannot be one.
pub(super) fn of_packages(name: &str, packages: impl Iterator<Item = Nevra>) -> Result<Machine, String> {
    let name = checked_name(name)?;
    let (mut kernels, mut drivers) = (BTreeSet::new(), BTreeSet::new());
    packages.for_each(|package| sort(package, &mut kernels, &mut drivers));
    if kernels.len() > MOST_PACKAGES || drivers.len() > MOST_PACKAGES {
        return Err(format!("{name} has more than {MOST_PACKAGES} kernels or drivers"));
    }
    let is_suse = looks_like_suse(&kernels, &drivers);
    Ok(Machine {
        name,
        packages: Packages { is_suse, kernels, drivers, is_complete: true },
        facts: BTreeMap::new(),
    })
}

fn checked_name(name: &str) -> Result<String, String> {
    if name.is_empty() || name.len() > MOST_NAME || name.chars().any(char::is_control) {
        return Err(format!("its name is empty, has control characters, or more than {MOST_NAME} bytes"));
    }
    Ok(name.to_owned())
}

fn sort(package: Nevra, kernels: &mut BTreeSet<(Nevra, Option<String>)>, drivers: &mut BTreeSet<Nevra>) {
    if package.arch == "src" {
    } else if rpm_meta::is_named_for_drivers(&package.name) {
        drivers.insert(package);
    } else if package.name == "kernel" || package.name.starts_with("kernel-") {
        kernels.insert((package, None));
    }
}

/// As `uname -r` prints it: it becomes a directory's name.
fn is_release(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.+~".contains(c);
    !text.is_empty() && text.len() < 200 && !text.starts_with('.') && text.chars().all(is_plain)
}

/// By the names of packages: only SUSE's kernels have flavours, and only SUSE's drivers are called after them.
fn looks_like_suse(kernels: &BTreeSet<(Nevra, Option<String>)>, drivers: &BTreeSet<Nevra>) -> bool {
    drivers.iter().any(|driver| driver.name.contains("-kmp-"))
        || kernels.iter().any(|(kernel, _)| suse_flavour(&kernel.name).is_some())
}
