// SPDX-License-Identifier: LGPL-2.1-or-later
//! What kernels and packages are like where each of the scripts is at home.

use testkit::{KernelBuilder, ModuleBuilder, Package, PackageBuilder};

/// Describes a package by base, version, release and files.
type Build = fn(&str, &str, &str, Vec<(String, Vec<u8>)>) -> PackageBuilder;

/// A distribution's releases, packages and paths.
pub struct Distribution {
    /// The kernel that packages are built for, unless a case says otherwise.
    pub old: &'static str,
    /// One of the same symbol versions.
    pub same: &'static str,
    /// One of other versions.
    pub other: &'static str,
    /// One that comes late, of the versions of `old`, unless a case says otherwise.
    pub last: &'static str,
    /// One that comes still later, of versions that nothing is built for.
    pub next: &'static str,
    /// The first has a plus; read as a regular expression, it matches the second.
    pub plus: [&'static str; 2],
    /// A package of modules.
    build: Build,
    /// The path of a link below `weak-updates/`, by the package's base and the module's name.
    pub link: fn(&str, &str) -> String,
    /// What a link leads to: by the release that the module is built for, and the link's path.
    pub target: fn(&str, &str) -> String,
}

/// Of `weak-modules2`.
pub const SUSE: &Distribution = &Distribution {
    old: "6.4.0-1-default",
    same: "6.4.0-2-default",
    other: "6.4.0-3-default",
    last: "6.4.0-4-default",
    next: "6.4.0-5-default",
    plus: ["6.4.0-1+deb12-default", "6.4.0-11deb12-default"],
    build: |base, version, krel, files| {
        let flavour = krel.rsplit_once('-').unwrap().1;
        PackageBuilder::kmp(base, flavour, version, krel, files)
    },
    link: |_, module| format!("updates/{module}.ko"),
    target: |krel, link| format!("/usr/lib/modules/{krel}/{link}"),
};

/// Of `weak-modules`.
pub const RED_HAT: &Distribution = &Distribution {
    old: "5.14.0-70.el9.x86_64",
    same: "5.14.0-162.el9.x86_64",
    other: "5.14.0-284.el9.x86_64",
    last: "5.14.0-362.el9.x86_64",
    next: "5.14.0-427.el9.x86_64",
    plus: ["5.14.0-70+1.el9.x86_64", "5.14.0-7001.el9.x86_64"],
    build: PackageBuilder::kmod,
    link: |base, module| format!("{base}/{module}.ko"),
    target: |krel, link| format!("/lib/modules/{krel}/extra/{link}"),
};

impl Distribution {
    /// A package with these files in the place of modules.
    pub fn package_of(
        &self,
        base: &str,
        version: &str,
        kernel: &KernelBuilder,
        files: Vec<(String, Vec<u8>)>,
    ) -> Package {
        (self.build)(base, version, kernel.krel(), files).build()
    }

    /// A package with these modules.
    pub fn package(
        &self,
        base: &str,
        version: &str,
        kernel: &KernelBuilder,
        modules: &[(&str, ModuleBuilder)],
    ) -> Package {
        let files = modules.iter().map(|(name, module)| (format!("{name}.ko"), module.build())).collect();
        self.package_of(base, version, kernel, files)
    }

    /// A package with one module of its own name.
    pub fn one(&self, base: &str, version: &str, kernel: &KernelBuilder, crc: u32) -> Package {
        self.package(base, version, kernel, &[(base, driver(base, kernel, crc))])
    }
}

/// A kernel of these cases; what it exports as `changing` has this CRC.
pub fn kernel(krel: &str, crc: u32) -> KernelBuilder {
    KernelBuilder::new(krel).export("printk", 0x1000_0001).export("changing", crc).file("vmlinuz", "image")
}

/// A module that uses it.
pub fn driver(name: &str, kernel: &KernelBuilder, crc: u32) -> ModuleBuilder {
    kernel.driver(name).need("printk", 0x1000_0001).need("changing", crc)
}
