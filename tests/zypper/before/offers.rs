// SPDX-License-Identifier: LGPL-2.1-or-later
//! Kernels and builds of drivers that a repository may have.

use testkit::{KernelBuilder, PackageBuilder};

use super::packages::{OLD, kernel, telling};

/// Kernels that need another build of the driver each.
pub const KERNELS: [(&str, u32); 3] = [(OLD, 7), ("6.4.0-2-default", 8), ("6.4.0-3-default", 9)];

/// A kernel's package that says what it exports.
pub fn offered(nth: usize) -> PackageBuilder {
    let (krel, crc) = KERNELS[nth];
    telling(&kernel(krel, crc))
}

/// The driver foo for the nth kernel.
pub fn driver(version: &str, nth: usize, vendor: &str) -> PackageBuilder {
    needs("foo", version, nth).tag("Vendor", vendor)
}

/// A driver that needs what is another in each kernel, for the nth, as generators describe it.
pub fn needs(base: &str, version: &str, nth: usize) -> PackageBuilder {
    claims(base, version, nth, &[])
}

/// The same, for devices.
pub fn claims(base: &str, version: &str, nth: usize, aliases: &[&str]) -> PackageBuilder {
    let (krel, crc) = KERNELS[nth];
    let built_for: KernelBuilder = kernel(krel, crc);
    let module = built_for.driver(base).need("printk", 0x1000_0001).need("changing", crc);
    let module = aliases.iter().fold(module, |module, alias| module.alias(alias));
    PackageBuilder::kmp(base, "default", version, krel, [(format!("{base}.ko"), module.build())])
        .provides(&format!("kmod({base}.ko)"))
        .requires(&format!("ksym(default:changing) = {crc:x}"))
}
