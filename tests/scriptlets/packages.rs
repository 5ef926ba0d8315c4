// SPDX-License-Identifier: LGPL-2.1-or-later
//! Packages with the scriptlets of today's SUSE kernels and KMPs: one line each.

use testkit::{KernelBuilder, Package, PackageBuilder};

use super::support::plain_kmp;

pub const OLD: &str = "6.4.0-1-default";
pub const NEW: &str = "6.4.0-3-default";
const PHASES: [&str; 5] = ["pre", "post", "preun", "postun", "posttrans"];

/// The line that a package has for a phase.
fn line(kind: &str, phase: &str, options: &[(&str, &str)]) -> String {
    let options: Vec<String> = options.iter().map(|(name, value)| format!("--{name} \"{value}\"")).collect();
    let path = "/usr/lib/module-init-tools/kernel-scriptlets";
    format!("{path}/{kind}-{phase} {} \"$@\"", options.join(" \\\n  "))
}

fn with_lines(package: PackageBuilder, kind: &str, options: &[(&str, &str)]) -> PackageBuilder {
    PHASES.iter().fold(package, |package, phase| package.scriptlet(phase, &line(kind, phase, options)))
}

/// Name, version and release of a package, for the line.
fn names(package: &PackageBuilder) -> [String; 3] {
    let nevra = package.nevra();
    let mut parts = nevra.rsplit_once('.').unwrap().0.rsplitn(3, '-').map(str::to_owned);
    let (release, version, name) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    [name, version, release]
}

/// What depmod writes. A kernel's package owns it.
const INDEX: [&str; 10] = [
    "alias",
    "alias.bin",
    "builtin.alias.bin",
    "builtin.bin",
    "dep",
    "dep.bin",
    "devname",
    "softdep",
    "symbols",
    "symbols.bin",
];

/// A kernel as packaged for a usr-merged system: image, map and configuration beside the modules, and the names in
/// /boot and depmod's index as ghosts.
pub fn kernel_files(kernel: &KernelBuilder) -> PackageBuilder {
    let krel = kernel.krel();
    let files = kernel
        .clone()
        .module("drivers", kernel.driver("in_tree_too").need("printk", 0x1000_0001))
        .file("vmlinuz", format!("image of {krel}"))
        .file(".vmlinuz.hmac", format!("hmac of {krel}"))
        .file("sysctl.conf", format!("# {krel}"));
    let names = ["vmlinuz", "System.map", "config", "sysctl.conf", "initrd"];
    let package = names
        .iter()
        .fold(PackageBuilder::kernel(&files), |package, name| package.ghost(format!("boot/{name}-{krel}")));
    let modules = format!("usr/lib/modules/{krel}/kernel");
    let package = package.directory(format!("{modules}/drivers")).directory(modules);
    let package = package.ghost(format!("boot/.vmlinuz-{krel}.hmac"));
    INDEX
        .iter()
        .fold(package, |package, name| package.ghost(format!("usr/lib/modules/{krel}/modules.{name}")))
}

/// Gives a kernel's package its scriptlets, with names of certificates.
pub fn kernel_lines(package: PackageBuilder, krel: &str, certs: &str) -> PackageBuilder {
    lines(package, "rpm", krel, &[("image", "vmlinuz"), ("certs", certs)])
}

pub fn kernel_package(kernel: &KernelBuilder) -> PackageBuilder {
    kernel_lines(kernel_files(kernel), kernel.krel(), "")
}

/// Gives a KMP its scriptlets.
pub fn kmp_lines(package: PackageBuilder, krel: &str) -> PackageBuilder {
    lines(package, "kmp", krel, &[])
}

/// The scriptlets of a kind, with the options that all have and `more`.
fn lines(package: PackageBuilder, kind: &str, krel: &str, more: &[(&str, &str)]) -> PackageBuilder {
    let [name, version, release] = names(&package);
    let (kernelrelease, flavor) = krel.rsplit_once('-').unwrap();
    let mut options = vec![
        ("name", &*name),
        ("version", &*version),
        ("release", &*release),
        ("kernelrelease", kernelrelease),
        ("flavor", flavor),
        ("variant", ""),
        ("usrmerged", "1"),
    ];
    options.extend(more);
    with_lines(package, kind, &options)
}

/// A KMP that fits every kernel of these tests.
pub fn kmp(base: &str, version: &str, kernel: &KernelBuilder) -> Package {
    kmp_lines(plain_kmp(base, version, kernel), kernel.krel()).build()
}

/// Modules of a kernel in a package of their own, such as kernel-default-extra.
pub fn extra_modules(kernel: &KernelBuilder, release: &str) -> PackageBuilder {
    let krel = kernel.krel();
    let module = kernel.driver("in_tree").need("printk", 0x1000_0001).build();
    let package = PackageBuilder::new("kernel-default-extra", "6.4.0", release)
        .file(format!("usr/lib/modules/{krel}/kernel/in_tree.ko"), module)
        .file(format!("usr/lib/modules/{krel}/kernel/README"), "no module");
    let (kernelrelease, flavor) = krel.rsplit_once('-').unwrap();
    let options = [
        ("name", "kernel-default-extra"),
        ("version", "6.4.0"),
        ("release", release),
        ("kernelrelease", kernelrelease),
        ("image", "vmlinuz"),
        ("flavor", flavor),
        ("variant", ""),
        ("usrmerged", "1"),
        ("certs", ""),
    ];
    with_lines(package, "inkmp", &options)
}

/// The certificate of a KMP, as its subpackage `-ueficert` has it.
pub fn certificate_package(name: &str, cert: &str) -> PackageBuilder {
    let package = PackageBuilder::new(name, "1", "1").file(format!("etc/uefi/certs/{cert}.crt"), cert);
    with_lines(package, "cert", &[("certs", cert)])
}
