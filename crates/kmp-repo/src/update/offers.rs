// SPDX-License-Identifier: LGPL-2.1-or-later
//! What repositories have: newer kernels of the lines that are installed, and builds of the drivers that are.

use std::collections::BTreeSet;
use std::path::PathBuf;

use kmp_core::root::Root;

use super::installed::Installed;
use super::kernels::Kernels;
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
    /// The repositories whose kernels may come; `None`: all.
    only_from: Option<BTreeSet<String>>,
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
        offers.put_in_order();
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
    pub(super) fn units<'o>(&'o self, installed: &Installed, kernels: &Kernels) -> Vec<Unit<'o>> {
        let mains = self.kernels.iter().filter(|main| {
            let package = &main.package;
            let is_of_line = |line: &super::Line| {
                package.arch() == line.arch && package.evr().compare(&line.newest).is_gt()
            };
            installed.line(package.name()).is_some_and(is_of_line)
                && self.only_from.as_ref().is_none_or(|from| from.contains(&main.repository))
        });
        mains
            .map(|main| {
                // A kernel of another line, of the same source, is no part.
                let is_had = |part: &Offer| {
                    installed.line(part.package.name()).is_none() && installed.updates(&part.package)
                };
                let mut unit = self.unit(main, &is_had, kernels);
                let source = main.package.source();
                let beside = self.beside.iter().filter(|(of, _)| !source.is_empty() && of == source);
                unit.packages.extend(beside.map(|(_, nevra)| nevra.clone()));
                if unit.packages.is_empty() {
                    unit.packages.push(main.package.nevra());
                }
                unit
            })
            .collect()
    }

    /// The kernel whose main package this is, with those of its other packages that are wanted.
    pub(crate) fn unit<'o>(
        &'o self,
        main: &'o Offer,
        is_wanted: &dyn Fn(&Offer) -> bool,
        kernels: &Kernels,
    ) -> Unit<'o> {
        let given = kernels.release(&main.package.nevra()).map(|release| (release.to_owned(), true));
        let (release, is_known) = given.unwrap_or_else(|| release_of(&main.package));
        let is_part = |part: &&Offer| {
            let (main, other) = (&main.package, &part.package);
            other.name() != main.name()
                && other.arch() == main.arch()
                && (!main.source().is_empty() && other.source() == main.source())
                && other.evr() == main.evr()
                && release_of_part(other).is_none_or(|of_part| of_part == release)
                && is_wanted(part)
        };
        let parts = self.kernels.iter().filter(is_part).collect();
        Unit { main, parts, release, is_known, packages: Vec::new() }
    }

    /// Reads all that repositories have of kernels and drivers, whoever has what installed. Of those in `only_from`, by their short
    /// names, kernels may come; of others not.
    pub fn read_all(mut sources: Vec<Source<'_>>, only_from: Option<BTreeSet<String>>) -> Self {
        sources.sort_by_key(|source| source.priority);
        let mut offers = Self { only_from, ..Self::default() };
        for source in &sources {
            let mut own = Self::default();
            let dir = MetadataDir::new(source.root, &source.dir);
            let read = dir.repomd().and_then(|repomd| {
                dir.packages(&repomd, &CONCERNED, &mut |package| own.take_any(package, &source.id))
            });
            match read {
                Ok(()) => {
                    offers.kernels.append(&mut own.kernels);
                    offers.drivers.append(&mut own.drivers);
                    offers.beside.append(&mut own.beside);
                }
                Err(e) => offers.problems.push(format!("repository {} is left out: {e}", source.id)),
            }
        }
        offers.put_in_order();
        offers
    }

    /// Adds a kernel that is in no repository but in a file, as if it were in one of this name.
    pub fn add_kernel(&mut self, package: Listed, repository: &str) {
        if let Some(only_from) = &mut self.only_from {
            only_from.insert(repository.to_owned());
        }
        self.kernels.insert(0, Offer { package, repository: repository.to_owned() });
        self.put_in_order();
    }

    fn take_any(&mut self, package: &Listed, repository: &str) {
        let is_full = self.kernels.len() + self.drivers.len() + self.beside.len() >= MOST;
        if is_full || matches!(package.arch(), "src" | "nosrc") {
            return;
        }
        let mut kept = package.clone();
        kept.shrink();
        let offer = Offer { package: kept, repository: repository.to_owned() };
        match Concern::of(package) {
            Concern::Driver => self.drivers.push(offer),
            Concern::Kernel => {
                if !package.source().is_empty() {
                    self.beside.push((package.source().to_owned(), package.nevra()));
                }
                self.kernels.push(offer);
            }
            Concern::Nothing => {}
        }
    }

    fn put_in_order(&mut self) {
        for list in [&mut self.kernels, &mut self.drivers] {
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
        self.beside.sort();
        self.beside.dedup();
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
pub(crate) struct Unit<'o> {
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
