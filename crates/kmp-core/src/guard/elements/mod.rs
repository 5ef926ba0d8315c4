// SPDX-License-Identifier: LGPL-2.1-or-later
//! An rpm transaction, collected package by package, for the guard. Reads packages that come: `payload.rs`, `kernel_parts.rs`, `in_tree.rs`.

mod contents;
pub(super) mod in_tree;
mod kernel_parts;
mod payload;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use librpm_rt::{Database, Librpm, PackageFile};
use rpm_meta::Dependency;

use super::incoming::Asked;
use super::{IncomingKernel, IncomingKmp, IncomingModule, Removal, Transaction};
use crate::abi::capability::{self, SymbolCapability};
use crate::abi::signature::Known;
use crate::abi::{Kernel, KernelConfig, Module, ModuleFault, SymbolTable, Traits};
use crate::budget::Budget;
use crate::inventory::kind::{self, Around};
use crate::inventory::{Kind, MachinePolicy, ModulesDirs, Package, SymversError, parse_symvers};
use crate::tree;

/// What a package provides of which several versions may be installed: libzypp's `multiversion`, dnf's `installonlypkgs`.
const BESIDE: &[&str] = &["multiversion(kernel)", "installonlypkg(kernel)", "installonlypkg(kernel-module)"];

/// Gathers what a transaction brings and takes away.
#[derive(Debug)]
pub struct Elements {
    dirs: ModulesDirs,
    kernels: BTreeMap<String, Parts>,
    /// Kernels that come, and were read before.
    known: Vec<Arc<IncomingKernel>>,
    kmps: Vec<IncomingKmp>,
    removed: BTreeMap<u32, Removal>,
    /// Kernels' own modules outside `kernel/`: release and name.
    own: Vec<(String, Box<str>)>,
    removed_kernels: BTreeMap<String, Removal>,
    /// What packages that come obsolete.
    obsoletes: HashSet<String>,
    /// Package files with a kernel's own modules, by the kernel's release.
    kernel_files: Vec<(String, PackageFile)>,
    /// What may be kept of all packages that come.
    budget: Budget,
    /// What goes because of packages that come as updates: a name, with versions where only some do.
    updated: Vec<Dependency>,
    /// What the machine asks of modules.
    policy: MachinePolicy,
    asked: Asked,
}

/// What the packages of one kernel say of it.
#[derive(Debug, Default)]
struct Parts {
    capabilities: Vec<(String, String)>,
    symvers: Option<SymbolTable>,
    config: Option<KernelConfig>,
    traits: Traits,
    builtin: Option<HashSet<Box<str>>>,
    /// The certificates in its image.
    keys: Option<Arc<[Known]>>,
    in_tree: HashSet<Box<str>>,
    packages: BTreeSet<String>,
    is_whole: bool,
    /// Source packages that they were built from.
    sources: HashSet<String>,
    file: Option<PathBuf>,
}

impl Elements {
    /// Nothing yet. `dirs` says how modules' paths are spelled in the root concerned.
    pub fn new(dirs: ModulesDirs) -> Self {
        Self {
            dirs,
            kernels: BTreeMap::new(),
            known: Vec::new(),
            kmps: Vec::new(),
            removed: BTreeMap::new(),
            own: Vec::new(),
            removed_kernels: BTreeMap::new(),
            obsoletes: HashSet::new(),
            kernel_files: Vec::new(),
            budget: Budget::transaction(),
            updated: Vec::new(),
            policy: MachinePolicy::default(),
            asked: Asked::default(),
        }
    }

    /// Might a package with a file or directory of that name concern us? For a first look at file lists.
    pub fn concerns(path: &Path) -> bool {
        tree::DIRECTORIES.iter().any(|dir| path.starts_with(dir))
    }

    /// A package file that comes. Its payload is read as far as it has to be: modules of a KMP, and of a
    /// kernel symvers and configuration where its Provides do not list its symbols.
    ///
    /// # Errors
    /// librpm's, which name the file. The package is left out then.
    pub fn add_file(&mut self, rpm: &Librpm, path: &Path) -> Result<(), librpm_rt::Error> {
        self.add_opened(rpm.open_package(path)?)
    }

    /// The same of a file that is open already.
    ///
    /// # Errors
    /// As with [`add_file`](Self::add_file).
    pub fn add_opened(&mut self, mut file: PackageFile) -> Result<(), librpm_rt::Error> {
        if file.is_source() {
            return Ok(());
        }
        let contents = file.contents(&Self::concerns_bytes)?;
        self.obsoletes.extend(contents.obsoletes.into_iter().map(|o| o.name));
        let added = self.add_package(contents.package, &contents.requires, Some(&mut file))?;
        if let Some(release) = added {
            let parts = self.kernels.entry(release.clone()).or_default();
            parts.file.get_or_insert_with(|| file.path().to_path_buf());
            self.kernel_files.push((release, file));
        }
        Ok(())
    }

    /// A package file that comes as with `rpm -U`: what is installed of its name goes, and what it obsoletes.
    /// [`take_updated`](Self::take_updated) looks that up.
    ///
    /// # Errors
    /// As [`add_file`](Self::add_file).
    pub fn update_file(&mut self, rpm: &Librpm, path: &Path) -> Result<(), librpm_rt::Error> {
        self.update_opened(rpm.open_package(path)?)
    }

    fn update_opened(&mut self, file: PackageFile) -> Result<(), librpm_rt::Error> {
        if file.is_source() {
            return Ok(());
        }
        let name = file.package(&|_| false)?.name;
        self.updated.push(Dependency::on(name));
        self.updated.extend(file.obsoletes()?);
        self.add_opened(file)
    }

    /// A package file that comes as package managers would have it: a kernel, and what says that it may be installed more than
    /// once, beside what is there; else in its place.
    ///
    /// # Errors
    /// As [`add_file`](Self::add_file).
    pub fn install_file(&mut self, rpm: &Librpm, path: &Path) -> Result<(), librpm_rt::Error> {
        let file = rpm.open_package(path)?;
        let package = file.package(&Self::concerns_bytes)?;
        let is_kernel = !contents::sort(&self.dirs, &package).kernels.is_empty();
        if is_kernel || package.provides.iter().any(|p| BESIDE.contains(&p.name.as_str())) {
            // The same once more comes in its own place.
            self.updated.push(Dependency {
                flags: Dependency::EQUAL,
                evr: package.evr.to_string(),
                ..Dependency::on(package.name)
            });
            return self.add_opened(file);
        }
        self.update_opened(file)
    }

    /// Does a kernel come, and not only modules of it?
    pub fn brings_a_kernel(&self) -> bool {
        self.kernels.values().any(|parts| parts.is_whole)
    }

    /// Installed kernels of which somebody asks what it would be like to run them.
    pub fn ask(&mut self, asked: Asked) {
        self.asked = asked;
    }

    pub(super) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Is there something for [`take_updated`](Self::take_updated) to look up?
    pub fn has_updates(&self) -> bool {
        !self.updated.is_empty()
    }

    /// Takes away what goes because of [updates](Self::update_file).
    ///
    /// # Errors
    /// librpm's: the database or a package in it cannot be read.
    pub fn take_updated(&mut self, database: &Database) -> Result<(), librpm_rt::Error> {
        for old in std::mem::take(&mut self.updated) {
            for instance in database.by_name(&old.name)? {
                let package = database.package(instance, &Self::concerns_bytes)?;
                if !package.files.is_empty() && old.allows(&package.evr) {
                    self.remove(&package, Removal::Replaced);
                }
            }
        }
        Ok(())
    }

    pub(super) fn concerns_bytes(path: &[u8]) -> bool {
        Self::concerns(Path::new(OsStr::from_bytes(path)))
    }

    /// A package that comes, with its file if that can be read. Without it, what a KMP's modules need is
    /// taken from the package's Requires, where they name symbols. Returns the release of which it has the kernel's own modules.
    ///
    /// # Errors
    /// What is wrong with the file's payload. The package's modules are left out then.
    pub fn add_package(
        &mut self,
        package: Package,
        requires: &[Dependency],
        file: Option<&mut PackageFile>,
    ) -> Result<Option<String>, librpm_rt::Error> {
        let contents = contents::sort(&self.dirs, &package);
        let ghosts: HashSet<&Path> = package.ghosts.iter().map(PathBuf::as_path).collect();
        let has_ghosts = contents.modules.iter().any(|(_, path, _)| ghosts.contains(path.as_path()));
        let kind = kind::of_package(&package, has_ghosts, &Around::default());
        for (release, is_whole) in &contents.kernels {
            let parts = self.kernels.entry(release.clone()).or_default();
            parts.is_whole |= is_whole;
            parts.packages.insert(package.name.clone());
            if !package.source.is_empty() {
                parts.sources.insert(package.source.clone());
            }
            let symbols =
                package.provides.iter().filter(|p| SymbolCapability::parse(&p.name, &p.evr).is_some());
            parts.capabilities.extend(symbols.map(|p| (p.name.clone(), p.evr.clone())));
        }
        for (release, name) in &contents.in_tree {
            self.kernels.entry(release.clone()).or_default().in_tree.insert(name.clone());
        }
        // A kernel's package may bring modules beside its own, too; those are not a KMP's.
        let is_kernels = kind == Kind::InTree || !contents.in_tree.is_empty();
        let third_party: &[_] = if is_kernels { &[] } else { &contents.modules };
        if is_kernels {
            self.own
                .extend(contents.modules.iter().map(|(release, _, name)| (release.clone(), name.clone())));
        }
        let package_file = file.as_ref().map(|f| f.path().to_path_buf());
        let mut modules = match file {
            Some(file) => self.read_payload(file, &contents, third_party)?,
            None => HashMap::new(),
        };
        let mut declared = if package_file.is_none() { declared(&package, requires) } else { None };
        let mut releases: BTreeMap<&str, Vec<IncomingModule>> = BTreeMap::new();
        for (release, path, name) in third_party {
            let module = match (modules.remove(path), &mut declared) {
                (Some(module), _) => module,
                (None, Some(module)) => Arc::new(Ok(std::mem::replace(module, Module::declared([], [])))),
                (None, None) => Arc::new(Err(ModuleFault::Unread("not read before it is installed".into()))),
            };
            let module = IncomingModule { name: name.clone(), path: path.clone(), module };
            if (*module.module).as_ref().is_ok_and(|m| m.is_live_patch) {
                continue;
            }
            releases.entry(release).or_default().push(module);
        }
        for (origin, modules) in releases {
            if kind::are_in_tree(Some(&package.name), modules.iter().map(|m| (*m.module).as_ref().ok())) {
                self.own.extend(modules.into_iter().map(|m| (origin.to_string(), m.name)));
                continue;
            }
            let (package, file) = (package.identity(), package_file.clone());
            self.kmps.push(IncomingKmp { package, file, origin: origin.into(), modules, kind });
        }
        Ok(contents.kernels.into_keys().next())
    }

    /// The files of the packages that a kernel which comes is in, for [`in_tree::read`].
    pub(super) fn take_kernel_files(&mut self) -> Vec<(String, PackageFile)> {
        std::mem::take(&mut self.kernel_files)
    }

    /// A kernel that comes, as it was once [finished](Self::finish).
    pub fn add_kernel(&mut self, kernel: Arc<IncomingKernel>) {
        self.known.push(kernel);
    }

    /// What a coming kernel exports, as the bytes of its symvers. Without them, or where they cannot be
    /// read, it is taken from the Provides of its packages.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn set_symvers(&mut self, release: &str, bytes: &[u8]) -> Result<(), SymversError> {
        let table = parse_symvers(bytes)?;
        self.kernels.entry(release.into()).or_default().symvers = Some(table);
        Ok(())
    }

    /// A package that goes. That it is replaced is taken from files that come, too: libzypp erases what others obsolete
    /// as if somebody had asked for it.
    pub fn remove(&mut self, package: &Package, removal: Removal) {
        let removal = if self.obsoletes.contains(&package.name) { Removal::Replaced } else { removal };
        if let Some(instance) = package.instance {
            self.remove_unread(instance, removal);
        }
        let kernels = contents::sort(&self.dirs, package).kernels.into_iter();
        for (release, _) in kernels.filter(|(_, is_whole)| *is_whole) {
            self.removed_kernel(&release, removal);
        }
    }

    /// A package that goes and whose header cannot be read.
    pub fn remove_unread(&mut self, instance: u32, removal: Removal) {
        // What is said twice, of which one is vague: libzypp's list and rpm's.
        let known = self.removed.entry(instance).or_insert(removal);
        *known = removal.max(*known);
    }

    /// A kernel that goes. It is asked for where one of its packages is.
    pub fn removed_kernel(&mut self, release: &str, removal: Removal) {
        let known = self.removed_kernels.entry(release.into()).or_insert(removal);
        *known = removal.max(*known);
    }

    /// Is there anything that the guard should look at?
    pub fn is_empty(&self) -> bool {
        self.kernels.is_empty() && self.known.is_empty() && self.kmps.is_empty() && self.removed.is_empty()
    }

    /// The releases of the kernels that come.
    pub fn kernels(&self) -> impl Iterator<Item = &str> {
        let known = self.known.iter().map(|known| known.kernel.release.as_str());
        self.kernels.keys().map(String::as_str).chain(known)
    }

    /// The transaction as the guard takes it.
    pub fn finish(mut self) -> Transaction {
        let is_kernels = |kmp: &IncomingKmp| {
            kind::may_be_kernels_source(&kmp.package.source)
                && self
                    .kernels
                    .get(&kmp.origin)
                    .is_some_and(|parts| parts.sources.contains(&kmp.package.source))
        };
        let (own, kmps): (Vec<_>, Vec<_>) = self.kmps.drain(..).partition(is_kernels);
        self.kmps = kmps;
        let modules = own
            .into_iter()
            .flat_map(|kmp| kmp.modules.into_iter().map(move |m| (kmp.origin.clone(), m.name)));
        for (release, name) in self.own.drain(..).chain(modules) {
            if let Some(parts) = self.kernels.get_mut(&release) {
                parts.in_tree.insert(name);
            }
        }
        let kernels = self.kernels.into_iter().map(|(release, parts)| {
            let capabilities = parts.capabilities.iter();
            let symbols = parts.symvers.unwrap_or_else(|| {
                capability::table(capabilities.filter_map(|(n, v)| SymbolCapability::parse(n, v)))
            });
            let config = parts.config.unwrap_or_default();
            // For the guard what is built in is no loss, and looked at where one is feared (`in_tree.rs`).
            let builtin = parts.builtin.unwrap_or_default();
            let Parts { in_tree, packages, is_whole, traits, file, keys, .. } = parts;
            let mut kernel = Kernel { config, traits, builtin, ..Kernel::of_symbols(release, symbols) };
            self.policy.complete(&mut kernel);
            kernel.signing.keys.image = keys;
            Arc::new(IncomingKernel { kernel, in_tree, packages, is_whole, file })
        });
        let known = self.known.into_iter().map(|mut known| {
            if self.policy != MachinePolicy::default() {
                let kernel = &mut Arc::make_mut(&mut known).kernel;
                let keys = std::mem::take(&mut kernel.signing.keys.image);
                self.policy.complete(kernel);
                kernel.signing.keys.image = keys;
            }
            known
        });
        Transaction {
            kernels: kernels.chain(known).collect(),
            kmps: self.kmps.into(),
            removed: self.removed,
            removed_kernels: self.removed_kernels,
            asked: BTreeSet::new(),
        }
    }
}

/// One module that stands for all of a package's, as its Requires and Provides say; `None` where its
/// Requires name no symbol.
fn declared(package: &Package, requires: &[Dependency]) -> Option<Module> {
    let symbols = |list: &'_ [Dependency]| -> Vec<(Box<str>, u32)> {
        let parsed = list.iter().filter_map(|d| SymbolCapability::parse(&d.name, &d.evr));
        parsed.map(|c| (c.symbol.into(), c.crc)).collect()
    };
    let needs = symbols(requires);
    (!needs.is_empty()).then(|| Module::declared(needs, symbols(&package.provides)))
}

#[cfg(test)]
mod tests;
