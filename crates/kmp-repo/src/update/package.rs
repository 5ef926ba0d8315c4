// SPDX-License-Identifier: LGPL-2.1-or-later
//! A package as the guard takes it, made of what metadata says. Pure.
//!
//! Metadata lists no modules by their paths, so these are made of `kmod(NAME.ko)`, which generators write for each module.

use std::path::{Path, PathBuf};

use kmp_core::dialect::Dialect;
use rpm_meta::{Dependency, Package};

use super::offers::{Offer, Unit};
use crate::offer;
use crate::rpmmd::{Listed, Role};

/// The names of a package's modules, `_` for `-`.
pub(crate) fn modules(listed: &Listed) -> impl Iterator<Item = String> {
    listed.capabilities(Role::Provides).filter_map(|capability| {
        let file = capability.name.strip_prefix("kmod(")?.strip_suffix(')')?;
        let name = file.strip_suffix(".ko")?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        (!name.is_empty() && name.chars().all(is_name)).then(|| name.replace('-', "_"))
    })
}

/// A kernel, with the symbols and modules of all its packages.
pub(super) fn kernel(unit: &Unit<'_>, modules_dir: &Path) -> Package {
    kernel_of(unit, &unit.release, unit.packages(), modules_dir)
}

/// The same of some of its packages, with its release.
pub(super) fn kernel_of<'o>(
    unit: &Unit<'_>,
    release: &str,
    packages: impl Iterator<Item = &'o Offer>,
    modules_dir: &Path,
) -> Package {
    let dir = modules_dir.join(release);
    let mut package = identity(&unit.main.package);
    // What makes the package a kernel's.
    package.files.push(dir.join("vmlinuz"));
    for part in packages {
        let symbols = part.package.capabilities(Role::Provides);
        let symbols =
            symbols.filter(|c| kmod_abi::capability::SymbolCapability::parse(c.name, c.evr).is_some());
        package.provides.extend(symbols.map(crate::rpmmd::Capability::to_dependency));
        package.files.extend(modules(&part.package).map(|name| dir.join(format!("kernel/{name}.ko"))));
    }
    package
}

/// A build of a driver, with what it requires. `named`: its modules, where it does not name them itself.
pub(crate) fn build(
    offer: &Offer,
    named: &[String],
    dialect: Dialect,
    modules_dir: &Path,
    kernel: &str,
) -> (Package, Vec<Dependency>) {
    let listed = &offer.package;
    let below = match dialect {
        Dialect::Suse => "updates",
        Dialect::RedHat => "extra",
    };
    // Of a kernel that is nowhere, so that it would be linked into any that it fits: which kernel it was built for metadata
    // does not say. What comes after the last `-` is a flavour.
    let dir: PathBuf = modules_dir.join(format!("0-{kernel}")).join(below);
    let mut names: Vec<String> = modules(listed).collect();
    if names.is_empty() {
        names = named.to_vec();
    }
    let mut package = identity(listed);
    package.files = names.into_iter().map(|name| dir.join(format!("{name}.ko"))).collect();
    package.provides =
        listed.capabilities(Role::Provides).map(crate::rpmmd::Capability::to_dependency).collect();
    let requires = listed.capabilities(Role::Requires).map(crate::rpmmd::Capability::to_dependency).collect();
    (package, requires)
}

fn identity(listed: &Listed) -> Package {
    Package {
        name: listed.name().to_owned(),
        evr: listed.evr(),
        arch: listed.arch().to_owned(),
        source: listed.source().to_owned(),
        ..Package::default()
    }
}

/// The only release of a kernel that a build is for, where it says so.
pub(crate) fn only_for(listed: &Listed) -> Option<&str> {
    let mut requires = listed.capabilities(Role::Requires);
    requires.find(|c| c.name == "kernel-uname-r" && c.flags == Dependency::EQUAL).map(|c| c.evr)
}

/// The release of a kernel's package: what it says itself, else what SUSE's kernels are called by: the version, the release without
/// the number of the build, the flavour.
pub(crate) fn release_of(listed: &Listed) -> (String, bool) {
    if let Some(release) = offer::release(listed) {
        return (release.to_owned(), true);
    }
    let evr = listed.evr();
    let build = evr.release.rsplit_once('.').map_or(&*evr.release, |(before, _)| before);
    let flavour = listed.name().strip_prefix("kernel-").unwrap_or("default");
    (format!("{}-{build}-{flavour}", evr.version), false)
}
