// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reads modules and kernels from disk, each file once.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::Stamp;
use super::kernels::{FoundModule, Release};
use super::machine_keys::{self, signature_of};
use super::machine_policy::MachinePolicy;
use crate::abi::signature::Signature;
use crate::abi::{
    Kernel, KernelConfig, Malformed, Module, ModuleFault, NotSymvers, Rebuild, SymbolTable, Traits,
    builtin_names, name,
};
use crate::budget::{Budget, Exceeded};
use crate::index::listed;
use crate::printable;
use crate::problem::Problem;
use crate::root::{FileType, Root, is_fault};
use crate::tree::{self, BUILD_SYMVERS, CONFIG, IN_TREE, MODULES_BUILTIN, MODULES_DEP, SYSTEM_MAP};
use crate::unpack::{DecompressError, MODULE_LIMIT, inflate};
use crate::workers::{self, Workers};

/// A module as read from disk, or why it could not be.
pub type LoadedModule = Arc<Result<Module, ModuleFault>>;

/// A kernel as read from disk.
#[derive(Clone, Debug)]
pub struct LoadedKernel {
    /// The kernel, as far as it was read.
    pub kernel: Arc<Kernel>,
    /// What of it could not be read, if something: then nothing can be said of what fits it.
    pub unread: Option<Problem>,
}

/// For the name of an in-tree module that is replaced: the in-tree modules that use it.
pub type LoadedUsers = HashMap<Box<str>, Vec<(Box<str>, LoadedModule)>>;

/// Symvers of real kernels have 2 MiB, a `.config` 300 KiB, System.map 10 MiB.
const TEXT_LIMIT: u64 = 64 << 20;

/// How many in-tree modules are tried before a kernel's own properties are given up.
pub(crate) const SAMPLES: usize = 5;

/// Reads modules and kernels, and keeps what it has read for as long as the files stay the same.
pub struct Loader<'a> {
    root: &'a Root,
    workers: &'a dyn Workers,
    modules: HashMap<PathBuf, (Option<Stamp>, LoadedModule)>,
    kernels: HashMap<PathBuf, (Option<Stamp>, LoadedKernel)>,
    /// For a release directory and the name of an in-tree module: its users.
    users: HashMap<(PathBuf, Box<str>), Vec<User>>,
    /// What the machine says of signatures, once it was looked at.
    policy: Option<MachinePolicy>,
    progress: Option<&'a (dyn Fn(&str) + Sync)>,
    problems: Vec<Problem>,
    has_raced: bool,
}

impl std::fmt::Debug for Loader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader").field("modules", &self.modules.len()).finish_non_exhaustive()
    }
}

impl<'a> Loader<'a> {
    /// A loader that has read nothing yet. `progress` is called with what is being read.
    pub fn new(
        root: &'a Root,
        workers: &'a dyn Workers,
        progress: Option<&'a (dyn Fn(&str) + Sync)>,
    ) -> Self {
        Self {
            root,
            workers,
            modules: HashMap::new(),
            kernels: HashMap::new(),
            users: HashMap::new(),
            policy: None,
            progress,
            problems: Vec::new(),
            has_raced: false,
        }
    }

    /// Who runs the loader's jobs.
    pub fn workers(&self) -> &'a dyn Workers {
        self.workers
    }

    /// Takes what was left out since the last call.
    pub fn take_problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    /// Was a file gone, since the last call, that had been there when stock was taken?
    pub fn take_race(&mut self) -> bool {
        std::mem::take(&mut self.has_raced)
    }

    /// Reads those of `paths` (inside the root) that are not read yet, or have changed. What is kept of all those that have one
    /// owner (a package's number) is bounded.
    pub fn load_modules(
        &mut self,
        paths: impl IntoIterator<Item = PathBuf>,
        owner: &(dyn Fn(&Path) -> Option<u32> + Sync),
    ) {
        let mut seen = HashSet::new();
        let mut wanted: Vec<(PathBuf, Option<Stamp>)> = Vec::new();
        // Files with several names are read once.
        let mut files: HashMap<(u64, u64), usize> = HashMap::new();
        let mut others: Vec<(PathBuf, Option<Stamp>, usize)> = Vec::new();
        for path in paths {
            if !seen.insert(path.clone()) {
                continue;
            }
            let stamp = self.root.metadata(&path).ok().map(Stamp);
            let known = self.modules.get(&path).is_some_and(|(s, module)| {
                s.is_some() && *s == stamp && !(**module).as_ref().is_err_and(ModuleFault::is_unread)
            });
            if known {
                continue;
            }
            let first = stamp.map(|Stamp(s)| *files.entry((s.dev, s.ino)).or_insert(wanted.len()));
            match first {
                Some(first) if wanted.get(first).is_some_and(|(_, same)| *same == stamp) => {
                    others.push((path, stamp, first));
                }
                _ => wanted.push((path, stamp)),
            }
        }
        let budgets: Mutex<HashMap<u32, Budget>> = Mutex::default();
        let pay = |path: &Path, amount| match (owner(path), budgets.lock()) {
            (Some(owner), Ok(mut budgets)) => {
                budgets.entry(owner).or_insert_with(|| Budget::package(0)).keep(amount)
            }
            _ => Ok(()),
        };
        let read = workers::map(self.workers, &wanted, |(path, _)| {
            self.show(path);
            paid(read_module(self.root, path), &|amount| pay(path, amount))
        });
        let other = |(path, stamp, first): (PathBuf, Option<Stamp>, usize)| {
            let module = read.get(first)?;
            Some(((path.clone(), stamp), by_other_name(module, &path, &|amount| pay(&path, amount))))
        };
        let others: Vec<_> = others.into_iter().filter_map(other).collect();
        for ((path, stamp), module) in wanted.into_iter().zip(read).chain(others) {
            if let Err(why) = &*module {
                let problem = Problem::new(self.root.display(&path), why.to_string());
                let is_gone =
                    || self.root.symlink_metadata(&path).is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
                self.has_raced |= why.is_unread() && is_gone();
                self.problems.push(Problem { is_unread: why.is_unread(), ..problem });
            }
            self.modules.insert(path, (stamp, module));
        }
    }

    /// A module that was read by [`Self::load_modules`].
    pub fn module(&self, path: &Path) -> Option<&LoadedModule> {
        self.modules.get(path).map(|(_, module)| module)
    }

    /// Reads kernels: exports, configuration, and what their modules say of them.
    pub fn load_kernels(&mut self, releases: &[&Release]) -> Vec<LoadedKernel> {
        // Without a stamp it is read anew: that is all that comes of a fault here.
        let stamps: Vec<Option<Stamp>> = releases
            .iter()
            .map(|r| {
                let file = find_symvers(self.root, r).ok()?.unwrap_or_else(|| r.dir.join(IN_TREE));
                self.root.metadata(&file).ok().map(Stamp)
            })
            .collect();
        let wanted: Vec<(&Release, Option<Stamp>)> = releases
            .iter()
            .zip(&stamps)
            .filter(|(r, stamp)| {
                let known = self.kernels.get(&r.dir);
                !known.is_some_and(|(s, k)| s.is_some() && s == *stamp && k.unread.is_none())
            })
            .map(|(r, stamp)| (*r, *stamp))
            .collect();
        let read = workers::map(self.workers, &wanted, |(release, _)| {
            self.show(&release.dir);
            read_kernel(self.root, self.workers, release)
        });
        let policy = self.policy.get_or_insert_with(|| MachinePolicy::load(self.root));
        for ((release, stamp), (mut kernel, problems)) in wanted.into_iter().zip(read) {
            policy.complete(&mut kernel);
            let unread = problems.iter().find(|p| p.is_unread).cloned();
            self.problems.extend(problems);
            let loaded = LoadedKernel { kernel: Arc::new(kernel), unread };
            self.kernels.insert(release.dir.clone(), (stamp, loaded));
        }
        releases.iter().filter_map(|r| self.kernels.get(&r.dir).map(|(_, k)| k.clone())).collect()
    }

    /// Reads which keys are in the images of kernels that take signed modules only, where somebody has signed one of the modules that
    /// were read, or made one of `more` signatures, whose key is not known to be among them: that takes a moment.
    pub fn load_keys(&mut self, releases: &[&Release], kernels: &mut [LoadedKernel], more: &[Signature]) {
        let modules = self.modules.values().filter_map(|(_, module)| signature_of(module));
        let signatures: Vec<Signature> = modules.chain(more).cloned().collect();
        for (release, loaded) in releases.iter().zip(kernels) {
            let Some(own) = machine_keys::undecided(&loaded.kernel, &signatures) else { continue };
            self.show(&release.dir);
            let image = machine_keys::of_installed(self.root, release, own);
            Arc::make_mut(&mut loaded.kernel).signing.keys.image = image;
            if let Some((_, known)) = self.kernels.get_mut(&release.dir) {
                *known = loaded.clone();
            }
        }
    }

    /// The in-tree modules of `release` that use exports of the in-tree modules named in `replaced`:
    /// each with the module that it uses. They are read, too. By modules.dep, or, where there is none
    /// yet, by the modules themselves. With them what could not be read, if something: then there may be more.
    pub fn load_users(
        &mut self,
        release: &Release,
        replaced: &HashSet<&str>,
    ) -> (LoadedUsers, Option<Problem>) {
        let there: Vec<Box<str>> =
            replaced.iter().filter(|n| release.in_tree_names.contains(**n)).map(|n| (*n).into()).collect();
        let unknown: Vec<Box<str>> = there
            .iter()
            .filter(|n| !self.users.contains_key(&(release.dir.clone(), (*n).clone())))
            .cloned()
            .collect();
        if !unknown.is_empty() {
            // Where it cannot be read the modules themselves say as much.
            let (mut found, problem) = match self.root.read(&release.dir.join(MODULES_DEP), TEXT_LIMIT) {
                Ok(text) => (users_by_modules_dep(release, &text, &unknown), None),
                Err(_) => users_by_modules(self.root, self.workers, release, &unknown),
            };
            if let Some(problem) = problem {
                self.problems.push(problem.clone());
                return (LoadedUsers::new(), Some(problem));
            }
            for name in unknown {
                let users = found.remove(&name).unwrap_or_default();
                self.users.insert((release.dir.clone(), name), users);
            }
        }
        let mut result = LoadedUsers::new();
        let mut unread = None;
        for name in there {
            let users = self.users.get(&(release.dir.clone(), name.clone())).cloned().unwrap_or_default();
            self.load_modules(users.iter().map(|(_, path)| path.clone()), &|_| None);
            let loaded = users.into_iter().filter_map(|(user, path)| {
                let module = self.module(&path)?.clone();
                if let Err(fault) = &*module
                    && fault.is_unread()
                {
                    let problem = Problem::new(self.root.display(&path), fault.to_string());
                    unread = Some(Problem { is_unread: true, ..problem });
                }
                Some((user, module))
            });
            let loaded = loaded.collect();
            result.insert(name, loaded);
        }
        (result, unread)
    }

    fn show(&self, path: &Path) {
        if let Some(progress) = self.progress {
            progress(&printable(path.as_os_str()));
        }
    }
}

/// A module that was read, paid for; malformed where that is too much.
pub(crate) fn paid(
    read: Result<Module, ModuleFault>,
    pay: &dyn Fn(u64) -> Result<(), Exceeded>,
) -> LoadedModule {
    Arc::new(read.and_then(|module| {
        pay(module.memory()).map_err(Malformed::from)?;
        Ok(module)
    }))
}

/// What `module` is by the name of another file with the same contents. A copy, which is paid for, only where the name matters.
pub(crate) fn by_other_name(
    module: &LoadedModule,
    path: &Path,
    pay: &dyn Fn(u64) -> Result<(), Exceeded>,
) -> LoadedModule {
    match &**module {
        Ok(known) if known.is_named_by_file && *known.name != *name_by_file(path) => {
            paid(Ok(Module { name: name_by_file(path).into(), ..known.clone() }), pay)
        }
        _ => module.clone(),
    }
}

fn name_by_file(path: &Path) -> String {
    let file = path.file_name().unwrap_or_default();
    name::module_name(file).unwrap_or_else(|| name::normalized(&file.to_string_lossy()))
}

/// Reads and parses one module of `root`.
fn read_module(root: &Root, path: &Path) -> Result<Module, ModuleFault> {
    // Whether it can be read shows when it is.
    let size = root.metadata(path).map_or(0, |s| s.size);
    let _alone = (size > LARGE).then(|| ONE_LARGE.lock());
    let bytes = root.read(path, MODULE_LIMIT).map_err(|e| {
        let what = format!("cannot be read: {e}");
        // It was there a moment ago; only of a link it is known that it leads nowhere.
        let is_link = || root.symlink_metadata(path).is_ok_and(|s| s.kind() == FileType::Symlink);
        let has_vanished = e.kind() == io::ErrorKind::NotFound && !is_link();
        if is_fault(&e) || has_vanished { ModuleFault::Unread(what) } else { Malformed::File(what).into() }
    })?;
    let parsed =
        if size > LARGE { parse_up_to(MODULE_LIMIT, &bytes, path)? } else { parse_module(&bytes, path) };
    Ok(parsed?)
}

/// Modules that are larger, which no sound one is, are read one after the other: so that the memory taken is
/// that of one, however many cores there are and however many files somebody has made to fill it.
const LARGE: u64 = 64 << 20;

static ONE_LARGE: Mutex<()> = Mutex::new(());

/// Parses a module from a file's bytes, compressed or not. `path` is for its name only.
///
/// # Errors
/// [`Malformed`]: cannot be inflated, or is no module.
pub fn parse_module(bytes: &[u8], path: &Path) -> Result<Module, Malformed> {
    match parse_up_to(LARGE, bytes, path) {
        Ok(done) => done,
        Err(_) => {
            let _alone = ONE_LARGE.lock();
            parse_up_to(MODULE_LIMIT, bytes, path)?
        }
    }
}

/// The outer error: larger than `limit` when unpacked.
fn parse_up_to(limit: u64, bytes: &[u8], path: &Path) -> Result<Result<Module, Malformed>, Malformed> {
    let inflated = match inflate(bytes, limit) {
        Ok(inflated) => inflated,
        Err(e @ DecompressError::TooBig { .. }) => return Err(Malformed::File(e.to_string())),
        Err(e) => return Ok(Err(Malformed::File(e.to_string()))),
    };
    Ok(Module::parse(&inflated, &name_by_file(path)))
}

/// Why a file is no symvers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SymversError {
    /// It cannot be decompressed.
    #[error(transparent)]
    Decompress(#[from] DecompressError),
    /// Its text is no list of symbol versions.
    #[error(transparent)]
    Text(#[from] NotSymvers),
}

/// Reads symvers, plain or compressed.
///
/// # Errors
/// What is wrong with it.
pub fn parse_symvers(bytes: &[u8]) -> Result<SymbolTable, SymversError> {
    let text = inflate(bytes, TEXT_LIMIT)?;
    Ok(SymbolTable::parse(text.into_owned())?)
}

/// Where a kernel's symvers may be: in its directory, in `/boot`, or with its headers.
fn find_symvers(root: &Root, release: &Release) -> Result<Option<PathBuf>, Problem> {
    let mut places = tree::symvers_places(&release.dir, &release.release);
    places.push(release.dir.join(BUILD_SYMVERS));
    for path in places {
        match root.metadata(&path) {
            Ok(stat) if stat.kind() == FileType::File => return Ok(Some(path)),
            Err(e) if is_fault(&e) => return Err(Problem::unreadable(root.display(&path), &e)),
            _ => {}
        }
    }
    Ok(None)
}

/// The first of a kernel's files `name` that there is.
fn read_kernel_file(root: &Root, release: &Release, name: &str) -> Result<Option<Vec<u8>>, Problem> {
    for path in tree::places(&release.dir, &release.release, name) {
        match root.read_if_there(&path, TEXT_LIMIT) {
            Ok(None) => {}
            Ok(found) => return Ok(found),
            Err(e) => return Err(Problem::unreadable(root.display(&path), &e)),
        }
    }
    Ok(None)
}

fn read_kernel(root: &Root, workers: &dyn Workers, release: &Release) -> (Kernel, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut symbols = None;
    let found = find_symvers(root, release).unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    if let Some(path) = found {
        let read = root.read(&path, TEXT_LIMIT).map_err(|e| Problem::unreadable(root.display(&path), &e));
        let wrong = |what: String| Problem::new(root.display(&path), what);
        match read.and_then(|bytes| parse_symvers(&bytes).map_err(|e| wrong(e.to_string()))) {
            Ok(table) => {
                if table.bad_lines() > 0 {
                    let what = match table.is_complete() {
                        true => format!("{} lines are not symbol versions; ignored", table.bad_lines()),
                        false => "the last line is cut: symbols that are not listed count as unknown".into(),
                    };
                    problems.push(wrong(what));
                }
                symbols = Some(table);
            }
            Err(mut problem) => {
                if !problem.is_unread {
                    problem.what.push_str("; using the kernel's own modules instead");
                }
                problems.push(problem);
            }
        }
    }
    let is_unread = problems.iter().any(|p| p.is_unread);
    let symbols = symbols.unwrap_or_else(|| {
        if is_unread {
            return Rebuild::default().finish();
        }
        let (table, over) = rebuild(root, workers, release, &mut problems);
        let what = |over: Exceeded| format!("{over}; what is left out counts as unknown");
        problems.extend(over.map(|over| Problem::new(root.display(&release.dir), what(over))));
        table
    });

    let candidates = release.in_tree.iter().take(SAMPLES).chain(release.third_party.iter().take(SAMPLES));
    let mut traits = Traits::default();
    let mut faults: Vec<Problem> = Vec::new();
    for sample in candidates {
        match read_module(root, &sample.path) {
            Ok(module) => {
                traits = Traits::of(&module);
                // Any module of the kernel's own says as much as those that could not be read.
                if sample.below.starts_with(IN_TREE) {
                    faults.iter_mut().for_each(|p| p.is_unread = false);
                }
                break;
            }
            Err(why) => {
                let problem = Problem::new(root.display(&sample.path), why.to_string());
                faults.push(Problem { is_unread: why.is_unread(), ..problem });
            }
        }
    }
    problems.append(&mut faults);
    let config = match read_kernel_file(root, release, CONFIG) {
        Ok(text) => text.map_or_else(KernelConfig::default, |text| KernelConfig::parse(&text)),
        Err(problem) => {
            problems.push(problem);
            KernelConfig::default()
        }
    };
    let builtin = match read_kernel_file(root, release, MODULES_BUILTIN) {
        Ok(text) => text.map_or_else(HashSet::new, |text| builtin_names(&text)),
        Err(problem) => {
            problems.push(problem);
            HashSet::new()
        }
    };
    let kernel = Kernel { traits, config, builtin, ..Kernel::of_symbols(release.release.clone(), symbols) };
    (kernel, problems)
}

fn rebuild(
    root: &Root,
    workers: &dyn Workers,
    release: &Release,
    problems: &mut Vec<Problem>,
) -> (SymbolTable, Option<Exceeded>) {
    let rebuild = Mutex::new(Rebuild::default());
    let unread = each_in_tree(root, workers, release, |found, module| {
        if let Ok(mut rebuild) = rebuild.lock() {
            rebuild.add(&exporter(found), module);
        }
    });
    let mut rebuild = rebuild.into_inner().unwrap_or_default();
    problems.extend(unread);
    match read_kernel_file(root, release, SYSTEM_MAP) {
        Ok(Some(map)) => rebuild.add_system_map(&map),
        Ok(None) => {}
        Err(problem) => problems.push(problem),
    }
    let over = rebuild.over().cloned();
    (rebuild.finish(), over)
}

/// Reads every in-tree module; what is broken is passed over. Returns one that could not be read, if there is one.
fn each_in_tree(
    root: &Root,
    workers: &dyn Workers,
    release: &Release,
    job: impl Fn(&FoundModule, &Module) + Sync,
) -> Option<Problem> {
    let unread = Mutex::new(None);
    workers.run(release.in_tree.len(), &|i| {
        let found = &release.in_tree[i];
        match read_module(root, &found.path) {
            Ok(module) => job(found, &module),
            Err(fault) if fault.is_unread() => {
                let problem = Problem::new(root.display(&found.path), fault.to_string());
                if let Ok(mut unread) = unread.lock() {
                    *unread = Some(Problem { is_unread: true, ..problem });
                }
            }
            Err(_) => {}
        }
    });
    unread.into_inner().unwrap_or_default()
}

/// An in-tree module's name in symvers: its path below `kernel/`, without `.ko` and what follows.
fn exporter(found: &FoundModule) -> String {
    let below = found.below.strip_prefix(IN_TREE).unwrap_or(&found.below);
    let text = below.to_string_lossy();
    text.rfind(".ko").map_or(&*text, |end| &text[..end]).to_string()
}

/// Name and path of an in-tree module that uses another.
type User = (Box<str>, PathBuf);
type Users = HashMap<Box<str>, Vec<User>>;

fn users_by_modules_dep(release: &Release, text: &[u8], replaced: &[Box<str>]) -> Users {
    let mut users = Users::new();
    let replaced: HashSet<&str> = replaced.iter().map(|r| &**r).collect();
    let in_tree: HashMap<&str, &FoundModule> = release.in_tree.iter().map(|m| (&*m.name, m)).collect();
    let name_of = |path: &[u8]| name::module_name(Path::new(OsStr::from_bytes(path)).file_name()?);
    for line in listed::lines(text) {
        let mut used = line.needs().filter_map(name_of).filter_map(|name| replaced.get(&*name)).peekable();
        if used.peek().is_none() {
            continue;
        }
        let Some(found) = line.path().and_then(name_of).and_then(|user| in_tree.get(&*user)) else {
            continue;
        };
        for name in used.filter(|name| ***name != *found.name) {
            users.entry((*name).into()).or_default().push((found.name.clone(), found.path.clone()));
        }
    }
    users
}

fn users_by_modules(
    root: &Root,
    workers: &dyn Workers,
    release: &Release,
    replaced: &[Box<str>],
) -> (Users, Option<Problem>) {
    let users = Mutex::new(Users::new());
    let replaced: HashSet<&str> = replaced.iter().map(|r| &**r).collect();
    let unread = each_in_tree(root, workers, release, |found, module| {
        let used: HashSet<&str> = module.depends.iter().map(|d| &**d).collect();
        for name in used.into_iter().filter(|d| replaced.contains(d)) {
            if let Ok(mut users) = users.lock() {
                users.entry(name.into()).or_default().push((found.name.clone(), found.path.clone()));
            }
        }
    });
    (users.into_inner().unwrap_or_default(), unread)
}

/// Reads a module file from outside any root, for example one named on the command line.
///
/// # Errors
/// [`ModuleFault`]: cannot be read, cannot be inflated, or is no module.
pub fn read_module_file(path: &Path) -> Result<Module, ModuleFault> {
    let cannot = |e: io::Error| ModuleFault::Unread(format!("cannot be read: {e}"));
    let root = Root::open(Path::new("/")).map_err(|e| ModuleFault::Unread(e.to_string()))?;
    let path = std::path::absolute(path).map_err(cannot)?;
    read_module(&root, &path)
}
