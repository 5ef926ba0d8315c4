// SPDX-License-Identifier: LGPL-2.1-or-later
//! An rpm transaction, told package by package, for the guard.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use librpm_rt::{Database, Librpm, PackageFile};
use rpm_meta::Dependency;

use super::{IncomingKernel, IncomingKmp, IncomingModule, Removal, Transaction};
use crate::abi::capability::{self, SymbolCapability};
use crate::abi::{Kernel, KernelConfig, Malformed, Module, ModuleFault, SymbolTable, name};
use crate::budget::Budget;
use crate::inventory::kind::{self, Around};
use crate::inventory::{Kind, LoadedModule, ModulesDirs, Package, load, parse_module, parse_symvers};
use crate::tree::{self, CONFIG, IN_TREE, WEAK_UPDATES};
use crate::unpack::MODULE_LIMIT;

/// Gathers what a transaction brings and takes away.
#[derive(Debug)]
pub struct Elements {
    dirs: ModulesDirs,
    kernels: BTreeMap<String, Parts>,
    kmps: Vec<IncomingKmp>,
    removed: BTreeMap<u32, Removal>,
    /// Kernels' own modules outside `kernel/`: release and name.
    own: Vec<(String, Box<str>)>,
    removed_kernels: BTreeSet<String>,
    /// What packages that come obsolete.
    obsoletes: HashSet<String>,
    /// Package files with a kernel's own modules, by the kernel's release.
    kernel_files: Vec<(String, PackageFile)>,
    /// What may be kept of all packages that come.
    budget: Budget,
    /// What goes because of packages that come as updates: a name, with versions where only some do.
    updated: Vec<Dependency>,
}

/// What the packages of one kernel tell of it.
#[derive(Debug, Default)]
struct Parts {
    capabilities: Vec<(String, String)>,
    symvers: Option<SymbolTable>,
    config: Option<KernelConfig>,
    in_tree: HashSet<Box<str>>,
    packages: BTreeSet<String>,
    is_whole: bool,
    /// Source packages that they were built from.
    sources: HashSet<String>,
}

/// What a package's files are, by their paths.
#[derive(Debug, Default)]
struct Contents {
    /// Releases of which it brings (a part of) the kernel, and whether that is more than modules.
    kernels: BTreeMap<String, bool>,
    /// In-tree modules: release and name.
    in_tree: Vec<(String, Box<str>)>,
    /// Third-party modules: release, path in the package, and name.
    modules: Vec<(String, PathBuf, Box<str>)>,
    /// Symvers and configuration: release and path in the package.
    symvers: Vec<(String, PathBuf)>,
    configs: Vec<(String, PathBuf)>,
}

impl Elements {
    /// Nothing yet. `dirs` tells how modules' paths are spelled in the root concerned.
    pub fn new(dirs: ModulesDirs) -> Self {
        Self {
            dirs,
            kernels: BTreeMap::new(),
            kmps: Vec::new(),
            removed: BTreeMap::new(),
            own: Vec::new(),
            removed_kernels: BTreeSet::new(),
            obsoletes: HashSet::new(),
            kernel_files: Vec::new(),
            budget: Budget::transaction(),
            updated: Vec::new(),
        }
    }

    /// Might a package with a file or directory of that name concern us? For a first look at file lists.
    pub fn concerns(path: &Path) -> bool {
        tree::DIRECTORIES.iter().any(|dir| path.starts_with(dir))
    }

    /// A package file that comes. Its payload is read as far as it has to be: modules of a KMP, and of a
    /// kernel symvers and configuration where its Provides do not tell its symbols.
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
        self.kernel_files.extend(added.map(|release| (release, file)));
        Ok(())
    }

    /// A package file that comes as with `rpm -U`: what is installed of its name goes, and what it obsoletes.
    /// [`take_updated`](Self::take_updated) looks that up.
    ///
    /// # Errors
    /// As [`add_file`](Self::add_file).
    pub fn update_file(&mut self, rpm: &Librpm, path: &Path) -> Result<(), librpm_rt::Error> {
        let file = rpm.open_package(path)?;
        if file.is_source() {
            return Ok(());
        }
        let name = file.package(&|_| false)?.name;
        self.updated.push(Dependency::on(name));
        self.updated.extend(file.obsoletes()?);
        self.add_opened(file)
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
        let contents = self.sort(&package);
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
        let mut modules: HashMap<PathBuf, LoadedModule> = HashMap::new();
        let package_file = file.as_ref().map(|f| f.path().to_path_buf());
        if let Some(file) = file {
            let told =
                |release: &String| self.kernels.get(release).is_some_and(|p| !p.capabilities.is_empty());
            let files = |list: &[(String, PathBuf)]| -> HashMap<PathBuf, String> {
                let untold = list.iter().filter(|(release, _)| !told(release));
                untold.map(|(release, path)| (path.clone(), release.clone())).collect()
            };
            let (symvers, configs) = (files(&contents.symvers), files(&contents.configs));
            let drivers: HashSet<&Path> = third_party.iter().map(|(_, path, _)| path.as_path()).collect();
            let is_wanted = |path: &Path| {
                drivers.contains(path) || symvers.contains_key(path) || configs.contains_key(path)
            };
            let (size, mut over) = (file.size(), None);
            if !(drivers.is_empty() && symvers.is_empty() && configs.is_empty()) {
                let budget = Budget::package(size);
                file.read_files(&is_wanted, MODULE_LIMIT, &mut |paths, bytes| {
                    if let Err(why) = budget.read(bytes.len()) {
                        over = Some(why);
                        return ControlFlow::Break(());
                    }
                    let (of_driver, other): (Vec<_>, Vec<_>) =
                        paths.iter().partition(|path| drivers.contains(path.as_path()));
                    if let Some(first) = of_driver.first() {
                        let pay = |amount| budget.keep(amount).and_then(|()| self.budget.keep(amount));
                        let module = load::paid(parse_module(&bytes, first).map_err(ModuleFault::from), &pay);
                        for path in of_driver {
                            modules.insert(path.clone(), load::by_other_name(&module, path, &pay));
                        }
                    }
                    for path in other {
                        if let Some(release) = symvers.get(path) {
                            if let Err(why) = self.set_symvers(release, &bytes) {
                                log::warn!("{}: {why}", crate::printable(path.as_os_str()));
                            }
                        } else if let Some(release) = configs.get(path) {
                            let parts = self.kernels.entry(release.clone()).or_default();
                            parts.config = Some(KernelConfig::parse(&bytes));
                        }
                    }
                    ControlFlow::Continue(())
                })?;
            }
            if let Some(why) = over {
                let why: LoadedModule = Arc::new(Err(Malformed::from(why).into()));
                for path in drivers {
                    modules.entry(path.to_path_buf()).or_insert_with(|| why.clone());
                }
            }
        }
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

    /// The files of the packages that a kernel which comes is in, for [`in_tree::read`](super::in_tree::read).
    pub(super) fn take_kernel_files(&mut self) -> Vec<(String, PackageFile)> {
        std::mem::take(&mut self.kernel_files)
    }

    /// What a coming kernel exports, as the bytes of its symvers. Without them, or where they cannot be
    /// read, it is taken from the Provides of its packages.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub fn set_symvers(&mut self, release: &str, bytes: &[u8]) -> Result<(), String> {
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
        self.removed_kernels
            .extend(self.sort(package).kernels.into_iter().filter_map(|(k, whole)| whole.then_some(k)));
    }

    /// A package that goes and whose header cannot be read.
    pub fn remove_unread(&mut self, instance: u32, removal: Removal) {
        // What is said twice, of which one is vague: libzypp's list and rpm's.
        let known = self.removed.entry(instance).or_insert(removal);
        *known = removal.max(*known);
    }

    /// A kernel that goes.
    pub fn removed_kernel(&mut self, release: &str) {
        self.removed_kernels.insert(release.into());
    }

    /// Is there anything that the guard should look at?
    pub fn is_empty(&self) -> bool {
        self.kernels.is_empty() && self.kmps.is_empty() && self.removed.is_empty()
    }

    /// The releases of the kernels that come.
    pub fn kernels(&self) -> impl Iterator<Item = &str> {
        self.kernels.keys().map(String::as_str)
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
            // What it has built in is no loss, and looked at where one is feared (`in_tree.rs`).
            let kernel = Kernel { config, ..Kernel::of_symbols(release, symbols) };
            let Parts { in_tree, packages, is_whole, .. } = parts;
            IncomingKernel { kernel, in_tree, packages, is_whole }
        });
        Transaction {
            kernels: kernels.collect(),
            kmps: self.kmps.into(),
            removed: self.removed,
            removed_kernels: self.removed_kernels,
        }
    }

    fn sort(&self, package: &Package) -> Contents {
        let mut contents = Contents::default();
        for file in &package.files {
            let Some(path) = self.dirs.canonical(file) else { continue };
            let Some((release, below)) = self.dirs.split(&path) else { continue };
            let first = below.iter().next().unwrap_or_default();
            let module = path.file_name().and_then(name::module_name);
            match (module, first.to_str()) {
                (Some(name), Some(IN_TREE)) => {
                    contents.kernels.entry(release.clone()).or_default();
                    contents.in_tree.push((release, name.into()));
                }
                (_, Some(WEAK_UPDATES)) => {}
                (Some(_), _) if tree::is_live_patch(&below) => {}
                (Some(name), _) => contents.modules.push((release, file.clone(), name.into())),
                (None, Some(file_name)) if below.iter().nth(1).is_none() => {
                    let is_symvers = tree::is_symvers(file_name);
                    if is_symvers {
                        contents.symvers.push((release.clone(), file.clone()));
                    } else if file_name == CONFIG {
                        contents.configs.push((release.clone(), file.clone()));
                    }
                    if is_symvers || tree::makes_a_kernel(&below) {
                        contents.kernels.insert(release, true);
                    }
                }
                _ => {}
            }
        }
        contents
    }
}

/// One module that stands for all of a package's, as its Requires and Provides tell; `None` where its
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
mod tests {
    use rpm_meta::Evr;
    use testkit::TestRoot;

    use crate::root::Root;

    use super::*;

    fn sorted(files: &[&str]) -> Contents {
        let root = TestRoot::new();
        let elements = Elements::new(ModulesDirs::find(&Root::open(&root.path()).unwrap()).unwrap());
        elements.sort(&package(files))
    }

    fn package(files: &[&str]) -> Package {
        Package {
            instance: Some(1),
            name: "p".into(),
            evr: Evr { epoch: None, version: "1".into(), release: "1".into() },
            arch: String::new(),
            provides: Vec::new(),
            files: files.iter().map(PathBuf::from).collect(),
            ..Package::default()
        }
    }

    #[test]
    fn files_tell_what_a_package_is() {
        let kernel = sorted(&[
            "/lib/modules/1-default/symvers.gz",
            "/usr/lib/modules/1-default/config",
            "/usr/lib/modules/1-default/kernel/fs/a-b.ko.zst",
            "/usr/lib/modules/1-default/build",
        ]);
        assert_eq!(kernel.kernels, BTreeMap::from([("1-default".to_string(), true)]));
        assert_eq!(kernel.in_tree, [("1-default".to_string(), "a_b".into())]);
        assert_eq!((kernel.symvers.len(), kernel.configs.len(), kernel.modules.len()), (1, 1, 0));

        let kmp = sorted(&[
            "/usr/lib/modules/1-default/updates/x.ko",
            "/usr/lib/modules/1-default/weak-updates/updates/y.ko",
            "/usr/lib/modules/../modules/1-default/z.ko",
            "/usr/lib/modules/1-default/updates",
            "/etc/x.ko",
        ]);
        assert!(kmp.kernels.is_empty() && kmp.in_tree.is_empty());
        assert_eq!(kmp.modules.iter().map(|(.., name)| &**name).collect::<Vec<_>>(), ["x"]);

        // Files of a kernel's subdirectories (its build tree) make no kernel.
        assert!(sorted(&["/usr/lib/modules/1-default/x/System.map"]).kernels.is_empty());
    }

    #[test]
    fn live_patches_and_the_kernels_own_modules_are_no_drivers_that_come() {
        let root = TestRoot::new();
        let mut elements = Elements::new(ModulesDirs::find(&Root::open(&root.path()).unwrap()).unwrap());
        let of_source = |files: &[&str]| Package { source: "kernel-1-1.src.rpm".into(), ..package(files) };
        let come = [
            package(&["/usr/lib/modules/1-default/livepatch/p.ko", "/usr/lib/modules/1-default/kgraft/q.ko"]),
            // The order does not matter.
            of_source(&["/usr/lib/modules/1-default/extra/own.ko"]),
            of_source(&["/usr/lib/modules/1-default/kernel/a.ko"]),
            of_source(&["/usr/lib/modules/2-default/extra/others.ko"]),
        ];
        for package in come {
            elements.add_package(package, &[], None).unwrap();
        }
        let transaction = elements.finish();
        let of_kmps: Vec<&str> = transaction.kmps.iter().flat_map(|k| &k.modules).map(|m| &*m.name).collect();
        assert_eq!(of_kmps, ["others"]);
        let in_tree = &transaction.kernels[0].in_tree;
        assert!(in_tree.contains("own") && in_tree.contains("a") && in_tree.len() == 2, "{in_tree:?}");
    }

    /// Else a package with a release for each of its files would be kept as often as it has files.
    #[test]
    fn what_a_package_has_is_not_kept_for_each_release() {
        let root = TestRoot::new();
        let mut elements = Elements::new(ModulesDirs::find(&Root::open(&root.path()).unwrap()).unwrap());
        let files: Vec<String> =
            (0..50).map(|i| format!("/usr/lib/modules/{i}-default/updates/x.ko")).collect();
        let package = package(&files.iter().map(String::as_str).collect::<Vec<_>>());
        elements.add_package(package, &[], None).unwrap();
        let kmps = elements.finish().kmps;
        assert_eq!(kmps.len(), 50);
        assert!(kmps.iter().all(|k| k.package.files.is_empty() && k.package.name == "p"));
    }

    #[test]
    fn a_package_of_the_kernel_itself_brings_no_driver() {
        let root = TestRoot::new();
        let mut elements = Elements::new(ModulesDirs::find(&Root::open(&root.path()).unwrap()).unwrap());
        let mut of_kernel = package(&["/usr/lib/modules/1-default/updates/x.ko"]);
        of_kernel.provides.push(Dependency::on("kmp_in_kernel"));
        elements.add_package(of_kernel, &[], None).unwrap();
        elements.add_package(package(&["/usr/bin/x"]), &[], None).unwrap();
        assert!(elements.is_empty());
    }
}
