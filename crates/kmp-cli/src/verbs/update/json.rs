// SPDX-License-Identifier: LGPL-2.1-or-later
//! The form of `kmp update --json`, which dnf's plugin reads as well.

use kmp_repo::update::{DriverFate, DriverVerdict, KernelFate, KernelVerdict, Named, Update};
use serde::Serialize;

use crate::output::advisory::{Advisory, advisories};
use crate::output::signatures::OfPackage;
use crate::output::{json, when};

/// Of this form. It changes when a field changes its meaning or goes.
const VERSION: u32 = 1;

/// What `kmp update --json` prints, on one line.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// The newest installed kernel of each line, and those in repositories that are newer: line by line, the newest first.
    kernels: Vec<Kernel>,
    /// Packages that are not to come, as a kernel that is held back is among them or was built with them.
    exclude: Vec<String>,
    /// Builds of drivers that come along with the newest kernel of each line that may come.
    install: Vec<String>,
    /// Names of packages whose drivers work now, and that no transaction should remove by the way.
    protect: Vec<String>,
    /// What was left out, each in a line.
    problems: Vec<String>,
}

/// A kernel.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Kernel {
    /// The name of its package, which all kernels of its line have.
    line: String,
    /// The package: `NAME-[EPOCH:]VERSION-RELEASE.ARCH`.
    package: String,
    /// Its release (`uname -r`), if that is known.
    krel: Option<String>,
    /// The short name of the repository that has it; of one that is installed, empty.
    repository: String,
    /// Who made it.
    vendor: Option<String>,
    /// Is it installed?
    installed: bool,
    /// `comes`: it may be installed. `held`: a driver in use would be lost, so it is kept back. `installed`: it is. `unknown`: the
    /// repositories do not say what it exports; it may be installed.
    #[cfg_attr(test, schemars(extend("enum" = ["comes", "held", "installed", "unknown"])))]
    verdict: &'static str,
    /// Why, in words.
    reason: String,
    /// Since when it is held back, in RFC 3339's form.
    held_since: Option<String>,
    /// All packages in the repositories that were built with it.
    packages: Vec<String>,
    /// The drivers in use.
    drivers: Vec<Driver>,
    /// The security advisories that it brings; of one that is held back those that it keeps back, which no other kernel brings.
    advisories: Vec<Advisory>,
}

/// A driver in a kernel.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Driver {
    /// The name of the installed package.
    driver: String,
    /// `stays`: what is installed works, or the kernel has the driver itself, or it is built on this machine. `comes-along`: a
    /// build in a repository works. `missing`: none does. `unknown`: the repositories do not say.
    #[cfg_attr(test, schemars(extend("enum" = ["stays", "comes-along", "missing", "unknown"])))]
    verdict: &'static str,
    /// The package that comes along: `NAME-[EPOCH:]VERSION-RELEASE.ARCH`.
    build: Option<String>,
    /// The short name of the repository that has it.
    repository: Option<String>,
    /// Who made it.
    vendor: Option<String>,
    /// Who built it.
    packager: Option<String>,
    /// Who signed it and who supports it. Null: no build comes along.
    signature: Option<OfPackage>,
    /// In words.
    why: String,
}

pub fn print(found: &Update) -> Result<(), String> {
    json::print(&document(found))
}

fn document(found: &Update) -> Document {
    let mut exclude: Vec<String> = found.held().flat_map(|k| k.packages.iter().cloned()).collect();
    exclude.sort();
    exclude.dedup();
    let builds = found.next().flat_map(|k| &k.drivers).filter_map(|d| d.build.as_ref());
    let mut install: Vec<String> = builds.map(|build| build.nevra.clone()).collect();
    install.sort();
    install.dedup();
    let installed = found.kernels.iter().filter(|k| k.verdict == KernelVerdict::Installed);
    let works = |d: &&DriverFate| d.verdict == DriverVerdict::Stays;
    let mut protect: Vec<String> =
        installed.flat_map(|k| k.drivers.iter().filter(works)).map(|d| d.driver.clone()).collect();
    protect.sort();
    protect.dedup();
    Document {
        version: VERSION,
        kernels: found.kernels.iter().map(kernel).collect(),
        exclude,
        install,
        protect,
        problems: found.problems.clone(),
    }
}

fn kernel(kernel: &KernelFate) -> Kernel {
    Kernel {
        line: kernel.line.clone(),
        package: kernel.package.nevra.clone(),
        krel: kernel.krel.clone(),
        repository: kernel.package.repository.clone(),
        vendor: kernel.package.vendor.clone(),
        installed: kernel.verdict == KernelVerdict::Installed,
        verdict: kernel.verdict.as_str(),
        reason: kernel.reason.clone(),
        held_since: kernel.held_since.map(when::exact),
        packages: kernel.packages.clone(),
        drivers: kernel.drivers.iter().map(driver).collect(),
        advisories: advisories(&kernel.advisories),
    }
}

fn driver(driver: &DriverFate) -> Driver {
    let of = |part: fn(&Named) -> Option<String>| driver.build.as_ref().and_then(part);
    Driver {
        driver: driver.driver.clone(),
        verdict: driver.verdict.as_str(),
        build: of(|build| Some(build.nevra.clone())),
        repository: of(|build| Some(build.repository.clone())),
        vendor: of(|build| build.vendor.clone()),
        packager: of(|build| build.packager.clone()),
        signature: driver.build.as_ref().and_then(|build| build.signing.as_ref()).map(OfPackage::from),
        why: driver.why.clone(),
    }
}
