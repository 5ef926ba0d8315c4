//! Reads modules and kernels from disk, each file once.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::kernels::{FoundModule, Release, SYMVERS_SUFFIXES, kernel_files};
use super::{Problem, Stamp};
use crate::abi::{Kernel, KernelConfig, Malformed, Module, Rebuild, SymbolTable, Traits, name};
use crate::budget::{Budget, Exceeded};
use crate::decompress::{DecompressError, MODULE_LIMIT, inflate};
use crate::dialect::IN_TREE;
use crate::report::printable;
use crate::root::{FileType, Root};
use crate::workers::{self, Workers};

/// A module as read from disk, or why it could not be.
pub type LoadedModule = Arc<Result<Module, Malformed>>;

/// Symvers of real kernels have 2 MiB, a `.config` 300 KiB, System.map 10 MiB.
const TEXT_LIMIT: u64 = 64 << 20;

/// How many in-tree modules are tried before a kernel's own properties are given up.
const SAMPLES: usize = 5;

/// Reads modules and kernels, and keeps what it has read for as long as the files stay the same.
pub struct Loader<'a> {
    root: &'a Root,
    workers: &'a dyn Workers,
    modules: HashMap<PathBuf, (Option<Stamp>, LoadedModule)>,
    kernels: HashMap<PathBuf, (Option<Stamp>, Arc<Kernel>)>,
    /// For a release directory and the name of an in-tree module: its users.
    users: HashMap<(PathBuf, Box<str>), Vec<User>>,
    progress: Option<&'a (dyn Fn(&str) + Sync)>,
    problems: Vec<Problem>,
}

impl std::fmt::Debug for Loader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader").field("modules", &self.modules.len()).finish_non_exhaustive()
    }
}

impl<'a> Loader<'a> {
    /// A loader that has read nothing yet. `progress` is told what is being read.
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
            progress,
            problems: Vec::new(),
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
            let known = self.modules.get(&path).is_some_and(|(s, _)| s.is_some() && *s == stamp);
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
            self.tell(path);
            paid(read_module(self.root, path), &|amount| pay(path, amount))
        });
        let other = |(path, stamp, first): (PathBuf, Option<Stamp>, usize)| {
            let module = read.get(first)?;
            Some(((path.clone(), stamp), by_other_name(module, &path, &|amount| pay(&path, amount))))
        };
        let others: Vec<_> = others.into_iter().filter_map(other).collect();
        for ((path, stamp), module) in wanted.into_iter().zip(read).chain(others) {
            if let Err(why) = &*module {
                self.problems.push(Problem { path: self.root.display(&path), what: why.to_string() });
            }
            self.modules.insert(path, (stamp, module));
        }
    }

    /// A module that was read by [`Self::load_modules`].
    pub fn module(&self, path: &Path) -> Option<&LoadedModule> {
        self.modules.get(path).map(|(_, module)| module)
    }

    /// Reads kernels: exports, configuration, and what their modules tell of them.
    pub fn load_kernels(&mut self, releases: &[&Release]) -> Vec<Arc<Kernel>> {
        let stamps: Vec<Option<Stamp>> = releases
            .iter()
            .map(|r| {
                let file = find_symvers(self.root, r).unwrap_or_else(|| r.dir.join(IN_TREE));
                self.root.metadata(&file).ok().map(Stamp)
            })
            .collect();
        let wanted: Vec<(&Release, Option<Stamp>)> = releases
            .iter()
            .zip(&stamps)
            .filter(|(r, stamp)| {
                let known = self.kernels.get(&r.dir);
                !known.is_some_and(|(s, _)| s.is_some() && s == *stamp)
            })
            .map(|(r, stamp)| (*r, *stamp))
            .collect();
        let read = workers::map(self.workers, &wanted, |(release, _)| {
            self.tell(&release.dir);
            read_kernel(self.root, self.workers, release)
        });
        for ((release, stamp), (kernel, problems)) in wanted.into_iter().zip(read) {
            self.problems.extend(problems);
            self.kernels.insert(release.dir.clone(), (stamp, Arc::new(kernel)));
        }
        releases.iter().filter_map(|r| self.kernels.get(&r.dir).map(|(_, k)| k.clone())).collect()
    }

    /// The in-tree modules of `release` that use exports of the in-tree modules named in `replaced`:
    /// each with the module that it uses. They are read, too. By modules.dep, or, where there is none
    /// yet, by the modules themselves.
    pub fn load_users(
        &mut self,
        release: &Release,
        replaced: &HashSet<&str>,
    ) -> HashMap<Box<str>, Vec<(Box<str>, LoadedModule)>> {
        let there: Vec<Box<str>> =
            replaced.iter().filter(|n| release.in_tree_names.contains(**n)).map(|n| (*n).into()).collect();
        let unknown: Vec<Box<str>> = there
            .iter()
            .filter(|n| !self.users.contains_key(&(release.dir.clone(), (*n).clone())))
            .cloned()
            .collect();
        if !unknown.is_empty() {
            let mut found = match self.root.read(&release.dir.join("modules.dep"), TEXT_LIMIT) {
                Ok(text) => users_by_modules_dep(release, &text, &unknown),
                Err(_) => users_by_modules(self.root, self.workers, release, &unknown),
            };
            for name in unknown {
                let users = found.remove(&name).unwrap_or_default();
                self.users.insert((release.dir.clone(), name), users);
            }
        }
        let mut result: HashMap<Box<str>, Vec<(Box<str>, LoadedModule)>> = HashMap::new();
        for name in there {
            let users = self.users.get(&(release.dir.clone(), name.clone())).cloned().unwrap_or_default();
            self.load_modules(users.iter().map(|(_, path)| path.clone()), &|_| None);
            let loaded =
                users.into_iter().filter_map(|(user, path)| Some((user, self.module(&path)?.clone())));
            result.insert(name, loaded.collect());
        }
        result
    }

    fn tell(&self, path: &Path) {
        if let Some(progress) = self.progress {
            progress(&printable(path.as_os_str()));
        }
    }
}

/// A module that was read, paid for; malformed where that is too much.
pub(crate) fn paid(
    read: Result<Module, Malformed>,
    pay: &dyn Fn(u64) -> Result<(), Exceeded>,
) -> LoadedModule {
    Arc::new(read.and_then(|module| {
        pay(module.memory())?;
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
fn read_module(root: &Root, path: &Path) -> Result<Module, Malformed> {
    let size = root.metadata(path).map_or(0, |s| s.size);
    let _alone = (size > LARGE).then(|| ONE_LARGE.lock());
    let bytes = root.read(path, MODULE_LIMIT).map_err(|e| Malformed(format!("cannot be read: {e}")))?;
    if size > LARGE { parse_up_to(MODULE_LIMIT, &bytes, path)? } else { parse_module(&bytes, path) }
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
        Err(e @ DecompressError::TooBig { .. }) => return Err(Malformed(e.to_string())),
        Err(e) => return Ok(Err(Malformed(e.to_string()))),
    };
    Ok(Module::parse(&inflated, &name_by_file(path)))
}

/// Reads symvers, plain or compressed.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse_symvers(bytes: &[u8]) -> Result<SymbolTable, String> {
    let text = inflate(bytes, TEXT_LIMIT).map_err(|e| e.to_string())?;
    SymbolTable::parse(text.into_owned()).map_err(|e| e.to_string())
}

/// Where a kernel's symvers may be: in its directory, in `/boot`, or with its headers.
fn find_symvers(root: &Root, release: &Release) -> Option<PathBuf> {
    let mut places = kernel_files(&release.dir, &release.release, "symvers", SYMVERS_SUFFIXES);
    places.push(release.dir.join("build/Module.symvers"));
    places.into_iter().find(|p| root.metadata(p).is_ok_and(|s| s.kind() == FileType::File))
}

fn read_kernel(root: &Root, workers: &dyn Workers, release: &Release) -> (Kernel, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut symbols = None;
    if let Some(path) = find_symvers(root, release) {
        let read = root.read(&path, TEXT_LIMIT).map_err(|e| format!("cannot be read: {e}"));
        match read.and_then(|bytes| parse_symvers(&bytes)) {
            Ok(table) => {
                if table.bad_lines() > 0 {
                    let what = match table.is_complete() {
                        true => format!("{} lines are no symbol versions; left out", table.bad_lines()),
                        false => "the last line is cut: symbols that are not listed count as unknown".into(),
                    };
                    problems.push(Problem { path: root.display(&path), what });
                }
                symbols = Some(table);
            }
            Err(what) => {
                let what = format!("{what}; going by the kernel's own modules instead");
                problems.push(Problem { path: root.display(&path), what });
            }
        }
    }
    let symbols = symbols.unwrap_or_else(|| {
        let (table, over) = rebuild(root, workers, release);
        let what = |over: Exceeded| format!("{over}; what is left out counts as unknown");
        problems.extend(over.map(|over| Problem { path: root.display(&release.dir), what: what(over) }));
        table
    });

    let candidates = release.in_tree.iter().take(SAMPLES).chain(release.third_party.iter().take(SAMPLES));
    let mut traits = Traits::default();
    for sample in candidates {
        match read_module(root, &sample.path) {
            Ok(module) => {
                traits = Traits::of(&module);
                break;
            }
            Err(why) => {
                problems.push(Problem { path: root.display(&sample.path), what: why.to_string() });
            }
        }
    }
    let config = kernel_files(&release.dir, &release.release, "config", &[""])
        .iter()
        .find_map(|p| root.read(p, TEXT_LIMIT).ok())
        .map_or_else(KernelConfig::default, |text| KernelConfig::parse(&text));
    (Kernel { release: release.release.clone(), traits, symbols, config }, problems)
}

fn rebuild(root: &Root, workers: &dyn Workers, release: &Release) -> (SymbolTable, Option<Exceeded>) {
    let rebuild = Mutex::new(Rebuild::default());
    each_in_tree(root, workers, release, |found, module| {
        if let Ok(mut rebuild) = rebuild.lock() {
            rebuild.add(&exporter(found), module);
        }
    });
    let mut rebuild = rebuild.into_inner().unwrap_or_default();
    let map = kernel_files(&release.dir, &release.release, "System.map", &[""])
        .iter()
        .find_map(|p| root.read(p, TEXT_LIMIT).ok());
    if let Some(map) = map {
        rebuild.add_system_map(&map);
    }
    let over = rebuild.over().cloned();
    (rebuild.finish(), over)
}

/// Reads every in-tree module; what is broken is passed over.
fn each_in_tree(
    root: &Root,
    workers: &dyn Workers,
    release: &Release,
    job: impl Fn(&FoundModule, &Module) + Sync,
) {
    workers.run(release.in_tree.len(), &|i| {
        let found = &release.in_tree[i];
        if let Ok(module) = read_module(root, &found.path) {
            job(found, &module);
        }
    });
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
    let replaced: HashSet<&str> = replaced.iter().map(|name| &**name).collect();
    for (user, used) in dependencies(&String::from_utf8_lossy(text)) {
        let Some(found) = in_tree.get(user.as_str()) else { continue };
        for used in used {
            if let Some(name) = replaced.get(used.as_str()).filter(|name| **name != &*found.name) {
                users.entry((*name).into()).or_default().push((found.name.clone(), found.path.clone()));
            }
        }
    }
    users
}

/// The lines of `modules.dep`, `kernel/a/user.ko.xz: kernel/b/used.ko.xz kernel/c/other.ko.xz`, as names of modules; paths may
/// be absolute.
pub(super) fn dependencies(text: &str) -> impl Iterator<Item = (String, impl Iterator<Item = String>)> {
    let name_of = |path: &str| name::module_name(Path::new(path).file_name()?);
    text.lines().filter_map(move |line| {
        let (user, used) = line.split_once(':')?;
        Some((name_of(user)?, used.split_ascii_whitespace().filter_map(name_of)))
    })
}

fn users_by_modules(root: &Root, workers: &dyn Workers, release: &Release, replaced: &[Box<str>]) -> Users {
    let users = Mutex::new(Users::new());
    let replaced: HashSet<&str> = replaced.iter().map(|r| &**r).collect();
    each_in_tree(root, workers, release, |found, module| {
        let used: HashSet<&str> = module.depends.iter().map(|d| &**d).collect();
        for name in used.into_iter().filter(|d| replaced.contains(d)) {
            if let Ok(mut users) = users.lock() {
                users.entry(name.into()).or_default().push((found.name.clone(), found.path.clone()));
            }
        }
    });
    users.into_inner().unwrap_or_default()
}

/// Reads a module file from outside any root, for example one named on the command line.
///
/// # Errors
/// [`Malformed`]: cannot be read, cannot be inflated, or is no module.
pub fn read_module_file(path: &Path) -> Result<Module, Malformed> {
    let cannot = |e: io::Error| Malformed(format!("cannot be read: {e}"));
    let root = Root::open(Path::new("/")).map_err(|e| Malformed(e.to_string()))?;
    let path = std::path::absolute(path).map_err(cannot)?;
    read_module(&root, &path)
}
