// SPDX-License-Identifier: LGPL-2.1-or-later
//! What repositories have: newer kernels of the lines that are installed, and builds of the drivers that are.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use kmod_abi::capability::SymbolCapability;
use kmp_core::root::Root;

use super::installed::Installed;
use super::kernels::Kernels;
use super::lists;
use super::package::{modules, release_of};
use crate::kept::{Cache, Extract, Selection};
use crate::offer::CONCERNED;
use crate::offer::{self, Concern};
use crate::repository::MetadataDir;
use crate::rpmmd::{Advisory, Listed, Role};

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
    /// Directories where its package files may be, inside `root`.
    pub packages: Vec<PathBuf>,
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
    /// Names of packages that are kernels, or parts of them.
    parts: HashSet<String>,
    /// Packages that were built with kernels: source and name-\[epoch:\]version-release.arch.
    beside: Vec<(String, String)>,
    /// The repositories whose kernels may come; `None`: all.
    only_from: Option<BTreeSet<String>>,
    /// Repositories that could not be read.
    pub problems: Vec<String>,
}

/// The most packages that are kept of all repositories together, and about how many bytes of memory they may take.
const MOST: usize = 20_000;
const MOST_MEMORY: usize = 256 << 20;

impl Offers {
    /// Reads repositories, or what is kept of them. One that cannot be read is left out, with a line about it. `symbols`: those
    /// that installed drivers need or have; of the others in kernels only those are looked at that a build in a repository does.
    pub fn read(
        mut sources: Vec<Source<'_>>,
        installed: &Installed,
        symbols: HashSet<Box<str>>,
        cache: &Cache<'_>,
    ) -> Self {
        sources.sort_by_key(|source| source.priority);
        let mut offers = Self::default();
        let mut room = Room { packages: MOST, memory: MOST_MEMORY };
        let mut extracts = Vec::new();
        for source in sources {
            let left_out = |e: &dyn std::fmt::Display| format!("repository {} is left out: {e}", source.id);
            match lists::extract(&source, cache, &mut |extract| {
                let mut own = Self::default();
                own.take_drivers(extract, &source.id, installed, &mut room)?;
                Some(own)
            }) {
                Ok((mut own, extract)) => {
                    offers.drivers.append(&mut own.drivers);
                    offers.beside.append(&mut own.beside);
                    offers.parts.extend(own.parts);
                    offers.advisories.append(&mut own.advisories);
                    extracts.push((source.id, extract));
                }
                Err(e) => offers.problems.push(left_out(&e)),
            }
        }
        cache.forget_others();
        let (wanted, parts) = (offers.symbols(symbols), std::mem::take(&mut offers.parts));
        for (id, extract) in extracts {
            if offers.take_kernels(&extract, &id, installed, (&parts, &wanted), &mut room).is_none() {
                offers.problems.push(format!("repository {id}: not all of its kernels could be read"));
            }
        }
        if room.packages == 0 || room.memory == 0 {
            offers.problems.push("the repositories have more kernels and drivers than kmp looks at".into());
        }
        offers.advisories.sort_by(|a, b| a.id.cmp(&b.id));
        offers.advisories.dedup();
        offers.put_in_order();
        offers
    }

    /// Builds of drivers, what was built with kernels, and advisories about newer ones.
    fn take_drivers(
        &mut self,
        extract: &Extract,
        repository: &str,
        installed: &Installed,
        room: &mut Room,
    ) -> Option<()> {
        // A kernel's own package has no drivers.
        let may_have = |package: &Listed| installed.line(package.name()).is_none();
        let selection = Selection { package: &may_have, capability: &|_| true };
        extract.packages(&selection, &mut |package| {
            if is_source(package) {
                return;
            }
            let concern = if may_have(package) { Concern::of(package) } else { Concern::Kernel };
            if concern == Concern::Kernel
                && !self.parts.contains(package.name())
                && room.takes(package.name().len() + 100)
            {
                self.parts.insert(package.name().to_owned());
            }
            match concern {
                Concern::Driver
                    if supplies(package, installed) || offer::symbols(package).next().is_some() =>
                {
                    self.drivers.extend(room.offer(package, repository));
                }
                Concern::Driver => {}
                _ if package.source().starts_with("kernel-") && room.takes(package.name().len() + 100) => {
                    self.beside.push((package.source().to_owned(), package.nevra()));
                }
                _ => {}
            }
        })?;
        extract.advisories(&mut |advisory| {
            let is_newer = |(name, evr, _): &(String, String, String)| {
                let newest = installed.line(name).map(|line| &line.newest);
                newest.is_some_and(|newest| rpm_meta::Evr::parse(evr).compare(newest).is_gt())
            };
            if advisory.kernels.iter().any(is_newer) && room.takes(advisory.memory()) {
                self.advisories.push(advisory);
            }
        })
    }

    /// The symbols that kernels are asked for: those that a build needs, or has.
    fn symbols(&self, installed: HashSet<Box<str>>) -> HashSet<Box<str>> {
        let mut symbols = installed;
        // By it a list is known to be a whole one.
        symbols.insert("module_layout".into());
        for offer in &self.drivers {
            let named = offer::symbols(&offer.package).chain(offer::needs(&offer.package));
            symbols.extend(named.map(|capability| Box::from(capability.symbol)));
        }
        symbols
    }

    /// Kernels that are newer than what is installed of their line, with these symbols of theirs, and parts of them.
    fn take_kernels(
        &mut self,
        extract: &Extract,
        repository: &str,
        installed: &Installed,
        (parts, symbols): (&HashSet<String>, &HashSet<Box<str>>),
        room: &mut Room,
    ) -> Option<()> {
        let may_come = |package: &Listed| {
            let is_newer = |evr: rpm_meta::Evr| package.evr().compare(&evr).is_gt();
            !is_source(package)
                && parts.contains(package.name())
                && installed.version(package.name()).is_some_and(is_newer)
        };
        let is_wanted = |name: &str| match SymbolCapability::parse(name, "0") {
            Some(capability) => symbols.contains(capability.symbol),
            None => true,
        };
        let selection = Selection { package: &may_come, capability: &is_wanted };
        extract.packages(&selection, &mut |package| {
            if !may_come(package) {
                return;
            }
            let is_kernel = match Concern::of(package) {
                Concern::Driver => false,
                Concern::Kernel => true,
                // Older ones of SUSE's kernels do not say what they are.
                Concern::Nothing => installed.line(package.name()).is_some(),
            };
            if is_kernel {
                self.kernels.extend(room.offer(package, repository));
            }
        })
    }

    /// The kernels that may come, the newest of each line first.
    pub(crate) fn units<'o>(&'o self, installed: &Installed, kernels: &Kernels) -> Vec<Unit<'o>> {
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

fn is_source(package: &Listed) -> bool {
    matches!(package.arch(), "src" | "nosrc")
}

/// What may still be kept of all repositories.
struct Room {
    packages: usize,
    memory: usize,
}

impl Room {
    /// Is there room for so many bytes?
    fn takes(&mut self, memory: usize) -> bool {
        let left = (self.packages.checked_sub(1), self.memory.checked_sub(memory));
        let is_left = matches!(left, (Some(_), Some(_)));
        (self.packages, self.memory) = (left.0.unwrap_or(0), left.1.unwrap_or(0));
        is_left
    }

    fn offer(&mut self, package: &Listed, repository: &str) -> Option<Offer> {
        self.takes(package.memory()).then(|| {
            let mut package = package.clone();
            package.shrink();
            Offer { package, repository: repository.to_owned() }
        })
    }
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
#[derive(Debug, Clone)]
pub(crate) struct Unit<'o> {
    pub main: &'o Offer,
    pub parts: Vec<&'o Offer>,
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
