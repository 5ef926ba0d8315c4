// SPDX-License-Identifier: LGPL-2.1-or-later
//! What repositories have: newer kernels of the lines that are installed, and builds of the drivers that are.

use std::path::PathBuf;

use kmp_core::root::Root;

use super::installed::Installed;
use super::package::{modules, release_of};
use crate::kept::{Cache, Writer};
use crate::offer::{self, CONCERNED, Concern};
use crate::repository::{MetadataDir, RepositoryError};
use crate::rpmmd::{Advisory, Listed, Repomd, Role};

/// A repository to be read.
#[derive(Debug)]
pub struct Source<'r> {
    /// Its short name.
    pub id: String,
    /// Of equal packages that with the smaller number counts.
    pub priority: u32,
    /// Where `dir` is.
    pub root: &'r Root,
    /// The directory that has `repodata/`.
    pub dir: PathBuf,
}

/// A package in a repository.
#[derive(Debug)]
pub struct Offer {
    /// As metadata has it.
    pub package: Listed,
    /// The repository's short name.
    pub repository: String,
}

/// What repositories have.
#[derive(Debug, Default)]
pub struct Offers {
    /// Kernels that are newer than what is installed of their line, and parts of them that are installed for others.
    pub kernels: Vec<Offer>,
    /// Builds of drivers that are installed, and what exports symbols for them. The newest first.
    pub drivers: Vec<Offer>,
    /// Security advisories that bring newer kernels of the lines that are installed.
    pub advisories: Vec<Advisory>,
    /// Packages that were built with kernels: source and name-\[epoch:\]version-release.arch.
    beside: Vec<(String, String)>,
    /// Repositories that could not be read.
    pub problems: Vec<String>,
}

/// The most packages that are kept of all repositories together.
const MOST: usize = 20_000;

impl Offers {
    /// Reads repositories, or what is kept of them. One that cannot be read is left out, with a line about it.
    pub fn read(mut sources: Vec<Source<'_>>, installed: &Installed, cache: &Cache<'_>) -> Self {
        sources.sort_by_key(|source| source.priority);
        let mut offers = Self::default();
        for source in &sources {
            // What a list said counts once its checksum agreed.
            let mut own = Self::default();
            match own.read_one(source, installed, cache) {
                Ok(()) => {
                    offers.kernels.append(&mut own.kernels);
                    offers.drivers.append(&mut own.drivers);
                    offers.beside.append(&mut own.beside);
                    offers.advisories.append(&mut own.advisories);
                }
                Err(e) => offers.problems.push(format!("repository {} is left out: {e}", source.id)),
            }
        }
        cache.forget_others();
        offers.advisories.sort_by(|a, b| a.id.cmp(&b.id));
        offers.advisories.dedup();
        for list in [&mut offers.kernels, &mut offers.drivers] {
            // Stable: of the same package that of the repository with the better priority comes first.
            list.sort_by(|a, b| {
                let (a, b) = (&a.package, &b.package);
                a.name()
                    .cmp(b.name())
                    .then_with(|| b.evr().compare(&a.evr()))
                    .then_with(|| a.arch().cmp(b.arch()))
            });
            list.dedup_by(|a, b| a.package.nevra() == b.package.nevra());
        }
        offers.beside.sort();
        offers.beside.dedup();
        offers
    }

    fn read_one(
        &mut self,
        source: &Source<'_>,
        installed: &Installed,
        cache: &Cache<'_>,
    ) -> Result<(), RepositoryError> {
        let dir = MetadataDir::new(source.root, &source.dir);
        let (repomd, key) = dir.summed_repomd()?;
        let mut advisories = Vec::new();
        let kept =
            cache.load(&key, &mut |package| self.take(package, &source.id, installed), &mut |advisory| {
                advisories.push(advisory)
            });
        if kept.is_none() {
            *self = Self::default();
            let mut writer = Writer::default();
            dir.packages(&repomd, &CONCERNED, &mut |package| {
                self.take(package, &source.id, installed);
                writer.package(package);
            })?;
            advisories = match of_kernels(&dir, &repomd) {
                Ok(advisories) => {
                    advisories.iter().for_each(|advisory| writer.advisory(advisory));
                    cache.keep(&key, writer);
                    advisories
                }
                Err(e) => {
                    // All is judged without it.
                    let what = "which security updates a held kernel keeps back is not known";
                    log::warn!("repository {}: {e}; {what}", source.id);
                    Vec::new()
                }
            };
        }
        self.advisories = advisories;
        self.advisories.retain(|advisory| {
            let is_newer = |(name, evr, _): &(String, String, String)| {
                let newest = installed.line(name).map(|line| &line.newest);
                newest.is_some_and(|newest| rpm_meta::Evr::parse(evr).compare(newest).is_gt())
            };
            advisory.kernels.iter().any(is_newer)
        });
        Ok(())
    }

    fn take(&mut self, package: &Listed, repository: &str, installed: &Installed) {
        let is_full = self.kernels.len() + self.drivers.len() + self.beside.len() >= MOST;
        if is_full || matches!(package.arch(), "src" | "nosrc") {
            return;
        }
        let offer = || {
            let mut package = package.clone();
            package.shrink();
            Offer { package, repository: repository.to_owned() }
        };
        match Concern::of(package) {
            Concern::Driver if supplies(package, installed) || offer::symbols(package).next().is_some() => {
                self.drivers.push(offer());
            }
            Concern::Driver => {}
            concern => {
                let name = package.name();
                // Older ones of SUSE's kernels do not say what they are.
                if concern == Concern::Kernel || installed.line(name).is_some() {
                    let is_newer = |evr: rpm_meta::Evr| package.evr().compare(&evr).is_gt();
                    if installed.version(name).is_some_and(is_newer) {
                        self.kernels.push(offer());
                    }
                }
                if package.source().starts_with("kernel-") {
                    self.beside.push((package.source().to_owned(), package.nevra()));
                }
            }
        }
    }

    /// The kernels that may come, the newest of each line first.
    pub(super) fn units<'o>(&'o self, installed: &Installed) -> Vec<Unit<'o>> {
        let mains = self.kernels.iter().filter_map(|main| {
            let line = installed.line(main.package.name())?;
            (main.package.arch() == line.arch).then_some(main)
        });
        mains
            .map(|main| {
                let (release, is_known) = release_of(&main.package);
                let is_part = |part: &&Offer| {
                    let (main, part) = (&main.package, &part.package);
                    part.name() != main.name()
                        && part.arch() == main.arch()
                        && part.evr() == main.evr()
                        && (!main.source().is_empty() && part.source() == main.source())
                        // A kernel of another line, of the same source.
                        && installed.line(part.name()).is_none()
                        && release_of_part(part).is_none_or(|of_part| of_part == release)
                };
                let parts = self.kernels.iter().filter(is_part).collect();
                let source = main.package.source();
                let beside = self.beside.iter().filter(|(of, _)| !source.is_empty() && of == source);
                let mut packages: Vec<String> = beside.map(|(_, nevra)| nevra.clone()).collect();
                if packages.is_empty() {
                    packages.push(main.package.nevra());
                }
                Unit { main, parts, release, is_known, packages }
            })
            .collect()
    }
}

/// The most advisories that are kept of one repository.
const MOST_ADVISORIES: usize = 5000;

/// The security advisories about kernels that a repository has.
fn of_kernels(dir: &MetadataDir<'_>, repomd: &Repomd) -> Result<Vec<Advisory>, RepositoryError> {
    let mut found = Vec::new();
    dir.advisories(repomd, &mut |advisory| {
        if found.len() < MOST_ADVISORIES {
            found.push(advisory);
        }
    })?;
    Ok(found)
}

/// Has it a driver that is installed?
fn supplies(package: &Listed, installed: &Installed) -> bool {
    installed.drivers.contains(package.name())
        || modules(package).any(|name| installed.modules.contains_key(&name))
        || package.capabilities(Role::Obsoletes).any(|o| installed.drivers.contains(o.name))
}

/// The release that a part of a kernel is of.
fn release_of_part(part: &Listed) -> Option<&str> {
    part.capabilities(Role::Provides).find(|c| rpm_meta::is_uname_r(c.name)).map(|c| c.evr)
}

/// A kernel that may come, with its parts.
#[derive(Debug)]
pub(super) struct Unit<'o> {
    pub main: &'o Offer,
    parts: Vec<&'o Offer>,
    /// As `uname -r` prints it.
    pub release: String,
    /// Does metadata say that?
    pub is_known: bool,
    /// All packages that were built with it.
    pub packages: Vec<String>,
}

impl<'o> Unit<'o> {
    pub fn packages(&self) -> impl Iterator<Item = &'o Offer> + '_ {
        std::iter::once(self.main).chain(self.parts.iter().copied())
    }

    /// Is it the one that somebody names: by its release, its version, or its package?
    pub fn is_called(&self, name: &str) -> bool {
        let package = &self.main.package;
        name == self.release
            || name == package.nevra()
            || name == package.nvr()
            || name == package.evr().to_string()
    }
}
