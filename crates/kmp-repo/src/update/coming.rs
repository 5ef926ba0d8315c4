// SPDX-License-Identifier: LGPL-2.1-or-later
//! A kernel that may come: what becomes of it, and of the drivers in use.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use kmp_core::guard::Elements;
use kmp_core::last_update::Advisory;

use super::judge::{By, Judge, named, names};
use super::offers::{Offer, Unit};
use super::vendor::AtHand;
use super::{DriverFate, DriverVerdict, KernelFate, KernelVerdict};
use crate::rpmmd;

impl Judge<'_> {
    /// By what metadata says; where that is not enough, by the files that are at hand.
    pub(super) fn comes(&self, unit: &Unit<'_>) -> KernelFate {
        let drivers = self.fates(unit, By::Metadata);
        let unknown = names(&drivers, |v| v == DriverVerdict::Unknown);
        if !self.has_files(unit, &unknown) {
            return self.fate(unit, drivers);
        }
        let named = self.release_in_file(unit).filter(|_| !unit.is_known);
        match named.map(|release| Unit { release, is_known: true, ..unit.clone() }) {
            Some(unit) => self.fate(&unit, self.fates(&unit, By::Files)),
            None => self.fate(unit, self.fates(unit, By::Files)),
        }
    }

    /// What becomes of drivers: with what is installed; then, for what is missing, with builds of it; and if that is not enough, as
    /// drivers may need each other, with builds of all.
    pub(crate) fn fates(&self, unit: &Unit<'_>, by: By) -> Vec<DriverFate> {
        let mut drivers = self.with(unit, &[], by);
        let mut missing = names(&drivers, |v| matches!(v, DriverVerdict::Missing | DriverVerdict::Unknown));
        let mut before = 0;
        while !missing.is_empty() {
            let builds = self.builds(unit, &missing);
            if builds.len() == before {
                break;
            }
            before = builds.len();
            drivers = self.with(unit, &builds, by);
            if names(&drivers, |v| v == DriverVerdict::Missing).is_empty() {
                break;
            }
            missing = names(&drivers, |_| true);
        }
        for driver in drivers.iter_mut().filter(|d| d.verdict == DriverVerdict::Missing) {
            let all = self.all_builds(unit, std::slice::from_ref(&driver.driver));
            if let Some(why) = all.into_iter().find_map(|offer| self.refuses(offer)) {
                driver.why = format!("{}; {why}", driver.why);
            }
        }
        drivers
    }

    /// Is there a file of the kernel, or of a build of one of these drivers?
    fn has_files(&self, unit: &Unit<'_>, drivers: &[String]) -> bool {
        let Some(AtHand { files, .. }) = self.at_hand.filter(|_| !drivers.is_empty()) else { return false };
        let of_kernel = || unit.packages().any(|part| files.may_have(part));
        of_kernel() || self.builds(unit, drivers).into_iter().any(|build| files.may_have(build))
    }

    /// Adds a package's file, if it is at hand and can be read.
    ///
    /// The whole file, though a list says which bytes of it are rpm's header: whether a module loads is not decided by it. What the
    /// header requires and provides the list has already (createrepo_c leaves out what is rpm's own, and what a package provides
    /// itself); what the list does not know, only the payload shows: the symbols of a kernel that does not provide them, and of modules
    /// their symbols' versions, vermagic, namespaces and licence. A range of bytes would also not have the checksum that the list
    /// names, but only one that the range itself brings, and a kernel's verdict is not to depend on what a mirror writes there. Who
    /// signed a package, which the header alone says, is asked of that range (`signing.rs`).
    pub(super) fn add_file(&self, elements: &mut Elements, offer: &Offer) -> bool {
        let Some(AtHand { files, rpm, .. }) = self.at_hand else { return false };
        let Some(file) = files.open(offer) else { return false };
        let added = rpm.package_from_fd(file.as_fd()).and_then(|package| elements.add_opened(package));
        if let Err(error) = &added {
            log::warn!("{error}; what its repository says of it counts");
        }
        added.is_ok()
    }

    /// The release of a kernel by the directory that its files are in.
    fn release_in_file(&self, unit: &Unit<'_>) -> Option<String> {
        let AtHand { files, rpm, .. } = self.at_hand?;
        unit.packages().find_map(|part| {
            let file = files.open(part)?;
            let concerns = |dir: &[u8]| Elements::concerns(Path::new(OsStr::from_bytes(dir)));
            let package = rpm.package_from_fd(file.as_fd()).ok()?.package(&concerns).ok()?;
            package.files.iter().find_map(|path| {
                let mut parts =
                    path.components().skip_while(|part| *part != Component::Normal("modules".as_ref()));
                // The directory itself says nothing.
                let (release, _) = (parts.nth(1)?, parts.next()?);
                release.as_os_str().to_str().map(str::to_owned)
            })
        })
    }

    /// What becomes of the kernel, by what becomes of drivers.
    pub(crate) fn fate(&self, unit: &Unit<'_>, mut drivers: Vec<DriverFate>) -> KernelFate {
        let is_held = drivers.iter().any(|d| d.stops);
        let pushed_out = self.add_pushed_out(unit, &mut drivers).filter(|_| !is_held);
        let stops: Vec<&str> = drivers.iter().filter(|d| d.stops).map(|d| d.driver.as_str()).collect();
        let of = |verdict| names(&drivers, |v| v == verdict).join(", ");
        let (unknown, lost) = (of(DriverVerdict::Unknown), of(DriverVerdict::Missing));
        let along: Vec<&str> = drivers.iter().filter_map(|d| Some(&*d.build.as_ref()?.name)).collect();
        let (verdict, reason) = if let Some(kernel) = pushed_out {
            let with = stops.join(", ");
            let why = format!("dnf's installonly_limit would push kernel {kernel} out, and with it {with}");
            (KernelVerdict::Held, why)
        } else if !stops.is_empty() {
            (KernelVerdict::Held, format!("no build for it in any repository: {}", stops.join(", ")))
        } else if !lost.is_empty() {
            (KernelVerdict::Comes, format!("without {lost}, which need not be kept"))
        } else if !unknown.is_empty() {
            (
                KernelVerdict::Unknown,
                format!(
                    "the repositories do not say whether it has what is needed: {unknown} (kmp update --fetch looks into \
                     packages)"
                ),
            )
        } else if !along.is_empty() {
            (KernelVerdict::Comes, format!("with a build for it: {}", along.join(", ")))
        } else if drivers.is_empty() {
            (KernelVerdict::Comes, "no third-party driver is in use".into())
        } else {
            (KernelVerdict::Comes, "every driver that is installed works with it".into())
        };
        let package = named(unit.main);
        KernelFate {
            line: package.name.clone(),
            package,
            krel: unit.is_known.then(|| unit.release.clone()),
            release: unit.release.clone(),
            verdict,
            held_since: None,
            is_let: false,
            reason,
            packages: unit.packages.clone(),
            drivers,
            advisories: self.advisories(unit),
        }
    }

    /// The security advisories that bring this kernel, or an older one that is newer than what is installed.
    fn advisories(&self, unit: &Unit<'_>) -> Vec<Advisory> {
        let package = &unit.main.package;
        let Some(line) = self.installed.line(package.name()) else { return Vec::new() };
        let (arch, evr) = (package.arch(), package.evr());
        let all = self.offers.advisories.iter();
        let brought = all.filter(|advisory| advisory.is_between(&line.name, arch, &line.newest, &evr));
        let own = |advisory: &rpmmd::Advisory| {
            let rpmmd::Advisory { id, severity, cves, .. } = advisory.clone();
            Advisory { id, severity, cves }
        };
        brought.map(own).collect()
    }
}
