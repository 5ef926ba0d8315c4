// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reads modules and kernels from disk, each file once.

mod in_tree;
mod kernel;
mod keys;
mod module;
mod users;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::Stamp;
use super::kernels::Release;
use super::machine_policy::MachinePolicy;
use crate::abi::{Kernel, Module, ModuleFault};
use crate::budget::Budget;
use crate::printable;
use crate::problem::Problem;
use crate::root::Root;
use crate::tree::{IN_TREE, MODULES_DEP};
use crate::workers::{self, Workers};
use users::User;

pub(crate) use kernel::SAMPLES;
pub use kernel::{SymversError, parse_symvers};
pub(crate) use module::{by_other_name, paid};
pub use module::{parse_module, read_module_file};

/// The most of a text file of a kernel that is read: symvers of real kernels have 2 MiB, a `.config` 300 KiB, System.map 10 MiB.
const TEXT_LIMIT: u64 = 64 << 20;

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
            paid(module::read_module(self.root, path), &|amount| pay(path, amount))
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
                let file = kernel::find_symvers(self.root, r).ok()?.unwrap_or_else(|| r.dir.join(IN_TREE));
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
            kernel::read_kernel(self.root, self.workers, release)
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
                Ok(text) => (users::by_modules_dep(release, &text, &unknown), None),
                Err(_) => users::by_modules(self.root, self.workers, release, &unknown),
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
