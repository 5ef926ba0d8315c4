// SPDX-License-Identifier: LGPL-2.1-or-later
//! Before an update: which kernels may come, and what would become of each driver in use.
//!
//! The judge is the guard of kmp-core, asked once for each kernel as if its packages, by what metadata says of them, were a
//! transaction: what is missing here is exactly what rpm's plugin would stop the transaction for. Where something is missing it
//! is asked again with all builds of the driver that repositories have, and chooses among them as it does among those that
//! are installed.

mod coming;
mod files;
mod installed;
mod judge;
mod kernels;
mod lists;
mod locks;
mod offers;
mod package;
mod pushed;
mod rules;
mod settle;
mod signing;
mod vendor;

use kmp_core::last_update::Advisory;

pub use files::{Fetch, Files, Part};
pub use installed::{Installed, Line};
pub(crate) use judge::By;
pub use judge::Judge;
pub use kernels::Kernels;
pub use locks::{is_locked, locks};
pub(crate) use offers::Unit;
pub use offers::{Offer, Offers, Source};
pub(crate) use package::{build, modules, only_for, release_of};
pub use rules::{rules, without_installed};
pub use settle::settle;
pub use signing::Signing;
pub use vendor::AtHand;

/// What becomes of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelVerdict {
    /// It may come: with all drivers in use, or without some that need not be kept.
    Comes,
    /// It has to stay away: a driver in use would be lost.
    Held,
    /// It is installed.
    Installed,
    /// Metadata does not say.
    Unknown,
}

impl KernelVerdict {
    /// The word for it in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Comes => "comes",
            Self::Held => "held",
            Self::Installed => "installed",
            Self::Unknown => "unknown",
        }
    }
}

/// What becomes of a driver in a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriverVerdict {
    /// What is installed works there, or the kernel has the driver itself, or it is built on this machine.
    Stays,
    /// A build in a repository works there.
    ComesAlong,
    /// No build does.
    Missing,
    /// Metadata does not say.
    Unknown,
}

impl DriverVerdict {
    /// The word for it in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stays => "stays",
            Self::ComesAlong => "comes-along",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }
}

/// A package in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// name-\[epoch:\]version-release.arch.
    pub nevra: String,
    /// Its name.
    pub name: String,
    /// `[epoch:]version-release`.
    pub evr: String,
    /// The repository's short name.
    pub repository: String,
    /// Who made it; `None` if it does not say.
    pub vendor: Option<String>,
    /// Who built it; `None` if it does not say.
    pub packager: Option<String>,
    /// Who signed it, or why that is not known; `None`: nobody has asked ([`Judge::sign`]).
    pub signing: Option<Result<Signing, String>>,
}

/// A kernel that may come, or is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelFate {
    /// The name of its package, which the kernels of a line have in common.
    pub line: String,
    /// Its package. The repository of one that is installed is empty.
    pub package: Named,
    /// As `uname -r` prints it, where that is known.
    pub krel: Option<String>,
    /// The same, or what it is most likely to be.
    pub release: String,
    /// What becomes of it.
    pub verdict: KernelVerdict,
    /// Since when a driver that has to be kept is missing in it, in seconds since 1970.
    pub held_since: Option<u64>,
    /// Is it let come, though one is?
    pub is_let: bool,
    /// Why, in a line.
    pub reason: String,
    /// All packages that were built with it (name-\[epoch:\]version-release.arch), and are in a repository.
    pub packages: Vec<String>,
    /// The drivers in use.
    pub drivers: Vec<DriverFate>,
    /// The security advisories that it brings; of one that is held back those that no other kernel brings which may come.
    pub advisories: Vec<Advisory>,
}

/// A driver in such a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverFate {
    /// The name of the installed package.
    pub driver: String,
    /// What becomes of it.
    pub verdict: DriverVerdict,
    /// The build that comes along.
    pub build: Option<Named>,
    /// In a line.
    pub why: String,
    /// Would rpm's plugin stop a transaction for it?
    pub stops: bool,
    /// Where it is missing: would a rebuild not help, as its source has to change?
    pub needs_source: bool,
    /// Is the build an update as package managers see it: of the same name and vendor, with a higher version? Then it comes without
    /// being asked for.
    pub is_update: bool,
}

impl KernelFate {
    /// The builds that a package manager would not bring with it by itself.
    pub fn not_by_itself(&self) -> impl Iterator<Item = &Named> {
        let comes = matches!(self.verdict, KernelVerdict::Comes | KernelVerdict::Unknown);
        let builds = self.drivers.iter().filter(move |driver| comes && !driver.is_update);
        builds.filter_map(|driver| driver.build.as_ref())
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// Line by line; those that are installed first, then those that may come, the newest first.
    pub kernels: Vec<KernelFate>,
    /// Repositories that could not be read, each in a line.
    pub problems: Vec<String>,
}

impl Update {
    /// The kernel that the next update brings of each line: the newest that may come.
    pub fn next(&self) -> impl Iterator<Item = &KernelFate> {
        let comes = |k: &&KernelFate| matches!(k.verdict, KernelVerdict::Comes | KernelVerdict::Unknown);
        let mut seen: Vec<&str> = Vec::new();
        self.kernels.iter().filter(comes).filter(move |k| {
            let is_new = !seen.contains(&k.line.as_str());
            seen.push(&k.line);
            is_new
        })
    }

    /// The kernels that are held back.
    pub fn held(&self) -> impl Iterator<Item = &KernelFate> {
        self.kernels.iter().filter(|k| k.verdict == KernelVerdict::Held)
    }
}
