// SPDX-License-Identifier: LGPL-2.1-or-later
//! The packages of a repository that concern drivers: kernels and kernel module packages.

use kmod_abi::capability::SymbolCapability;
use rpm_meta::{is_named_for_drivers, is_uname_r};

use crate::rpmmd::{Listed, Role, Wanted};

/// What a package is to drivers, as far as its metadata shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// A kernel, or a part of one: it has a release, or exports symbols as only a kernel does.
    Kernel,
    /// Drivers.
    Driver,
    /// Neither.
    Nothing,
}

impl Concern {
    /// Goes by what the generators of SUSE, Red Hat and kmp write: kernels provide `kernel-uname-r` (and its like for parts
    /// of them) or a kernel's own symbols; packages of drivers provide `kmod(NAME.ko)`, ask for symbols, or are wanted by hardware
    /// through a kernel (`modalias(kernel-default:...)`). A name of drivers' packages counts too (`-kmp-`, `kmod-`): older
    /// ones have no such capability.
    pub fn of(package: &Listed) -> Self {
        let mut exports = false;
        let mut has_modules = false;
        for capability in package.capabilities(Role::Provides) {
            if is_uname_r(capability.name) {
                return Self::Kernel;
            }
            exports |= SymbolCapability::parse(capability.name, capability.evr).is_some();
            has_modules |= capability.name.starts_with("kmod(");
        }
        let name = package.name();
        let (is_named_kernel, is_named_driver) = (is_named_kernel(name), is_named_for_drivers(name));
        if exports && is_named_kernel && !is_named_driver {
            return Self::Kernel;
        }
        let concerns_modules = || {
            has_modules
                || needs(package).next().is_some()
                || package.capabilities(Role::Supplements).any(|c| c.name.contains("modalias(kernel"))
        };
        // A kernel's own modules in a package of their own (kernel-default-extra) are no drivers that an update looks for.
        if is_named_driver || (!is_named_kernel && concerns_modules()) { Self::Driver } else { Self::Nothing }
    }
}

/// The packages that [`Concern::of`] may take for a kernel's or for one of drivers.
pub const CONCERNED: Wanted<'static> = Wanted {
    name: &is_named_for_drivers,
    capability: &is_of_modules,
    source: &is_of_kernels,
    words: &["kernel", "ksym(", "kmod", "kmp", "dkms"],
};

/// A kernel is held back with all packages that were built with it.
fn is_of_kernels(source: &str) -> bool {
    source.starts_with("kernel-")
}

fn is_named_kernel(name: &str) -> bool {
    name == "kernel" || name.starts_with("kernel-")
}

fn is_of_modules(role: Role, name: &str) -> bool {
    match role {
        Role::Provides | Role::Requires => {
            ["ksym(", "kernel(", "kmod("].iter().any(|kind| name.starts_with(kind)) || is_uname_r(name)
        }
        Role::Supplements => name.contains("modalias(kernel"),
        Role::Obsoletes | Role::Conflicts => false,
    }
}

/// The symbols that a package asks for.
pub fn needs(package: &Listed) -> impl Iterator<Item = SymbolCapability<'_>> {
    named_symbols(package, Role::Requires)
}

/// The symbols that a package provides.
pub fn symbols(package: &Listed) -> impl Iterator<Item = SymbolCapability<'_>> {
    named_symbols(package, Role::Provides)
}

fn named_symbols(package: &Listed, role: Role) -> impl Iterator<Item = SymbolCapability<'_>> {
    package.capabilities(role).filter_map(|c| SymbolCapability::parse(c.name, c.evr))
}

/// The release of the kernel that a package has, as `uname -r` prints it: the version of `kernel-uname-r`.
pub fn release(package: &Listed) -> Option<&str> {
    package.capabilities(Role::Provides).find(|c| c.name == "kernel-uname-r").map(|c| c.evr)
}
