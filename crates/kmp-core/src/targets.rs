// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is named to be judged: module files, directories of them, package files, installed KMPs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::abi::name::module_name;
use crate::abi::{Module, ModuleFault, Verdict};
use crate::inventory::Loader;
use crate::printable;
use crate::root::{FileType, Root, RootError, is_fault};
use crate::workers;

/// A module file that was named, or found in a directory that was.
#[derive(Debug)]
pub struct File {
    /// Where it is, as it was named.
    pub path: PathBuf,
    /// The module's name.
    pub name: String,
    /// NAME-VERSION-RELEASE of the package file that it is in, if it is in one.
    pub package: Option<String>,
    /// Its contents, or why there are none.
    pub module: Result<Module, ModuleFault>,
}

/// What was named is no target.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The root directory cannot be opened.
    #[error(transparent)]
    Root(#[from] RootError),
    /// A file that is not there.
    #[error("there is no file {}", printable(.0.as_os_str()))]
    Absent(PathBuf),
    /// A file or directory that cannot be read.
    #[error("{} cannot be read: {error}", printable(.path.as_os_str()))]
    Unreadable {
        /// As it was named.
        path: PathBuf,
        /// The system's.
        error: io::Error,
    },
    /// A name that is not UTF-8, as a package's is, and no file's.
    #[error("{} is neither a file nor the name of a package", printable(.0.as_os_str()))]
    Neither(PathBuf),
    /// A directory without modules.
    #[error("there is no module in {}", printable(.0.as_os_str()))]
    Empty(PathBuf),
}

impl TargetError {
    fn unreadable(path: &Path, error: io::Error) -> Self {
        Self::Unreadable { path: path.into(), error }
    }
}

/// What was named.
#[derive(Debug, Default)]
pub struct Targets {
    /// Module files.
    pub files: Vec<File>,
    /// Package files.
    pub package_files: Vec<PathBuf>,
    /// Names of packages, as given.
    pub packages: Vec<String>,
}

impl Targets {
    /// Sorts names into files and packages and reads the files, from outside any root. What has a `/` in
    /// it or the name of a module or package file, or is a directory here, is meant as a file.
    ///
    /// # Errors
    /// What is not there, or cannot be read.
    pub fn read(loader: &Loader<'_>, names: &[OsString]) -> Result<Self, TargetError> {
        let mut paths = Vec::new();
        let mut packages = Vec::new();
        let mut package_files = Vec::new();
        let system = Root::open(Path::new("/"))?;
        for name in names {
            let path = Path::new(name);
            // What is there is asked for once, so that a fault is not taken for an absence.
            let kind = match std::fs::metadata(path) {
                Ok(found) => Some(found.is_dir()),
                Err(e) if is_fault(&e) => return Err(TargetError::unreadable(path, e)),
                Err(_) => None,
            };
            let is_path = path.components().count() > 1 || name.as_encoded_bytes().contains(&b'/');
            if kind == Some(true) {
                find(&system, path, &mut paths)?;
            } else if is_path || is_package_file(path) || module_name(name).is_some() {
                if kind.is_none() {
                    return Err(TargetError::Absent(path.into()));
                }
                let list = if is_package_file(path) { &mut package_files } else { &mut paths };
                list.push(path.to_path_buf());
            } else if let Some(name) = name.to_str() {
                packages.push(name.to_string());
            } else {
                return Err(TargetError::Neither(path.into()));
            }
        }
        let files = workers::map(loader.workers(), &paths, |path| File {
            path: path.clone(),
            name: file_name(path),
            package: None,
            module: crate::inventory::read_module_file(path),
        });
        Ok(Self { files, package_files, packages })
    }

    /// As [`Self::read`], for what may also be the name of a module that looks like a file's: none of these without a `/` is an
    /// error.
    ///
    /// # Errors
    /// A file named by its path that is not there, or cannot be read.
    pub fn read_one(loader: &Loader<'_>, name: &OsString) -> Result<Self, TargetError> {
        match Self::read(loader, std::slice::from_ref(name)) {
            Err(_) if !name.as_encoded_bytes().contains(&b'/') => Ok(Self::default()),
            read => read,
        }
    }
}

fn is_package_file(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "rpm")
}

fn file_name(path: &Path) -> String {
    let file = path.file_name().unwrap_or_default();
    module_name(file).unwrap_or_else(|| printable(file))
}

/// Every module below a directory, in the order of paths.
fn find(system: &Root, dir: &Path, paths: &mut Vec<PathBuf>) -> Result<(), TargetError> {
    let absolute = std::path::absolute(dir).map_err(|e| TargetError::unreadable(dir, e))?;
    let before = paths.len();
    let mut pending = vec![PathBuf::new()];
    while let Some(below) = pending.pop() {
        let entries = system
            .read_dir(&absolute.join(&below))
            .map_err(|e| TargetError::unreadable(&dir.join(&below), e))?;
        for entry in entries {
            let below = below.join(&entry.name);
            match entry.kind {
                FileType::Dir => pending.push(below),
                _ if module_name(&entry.name).is_some() => paths.push(dir.join(below)),
                _ => {}
            }
        }
    }
    paths[before..].sort();
    match paths.len() - before {
        0 => Err(TargetError::Empty(dir.into())),
        _ => Ok(()),
    }
}

/// Judges files together, with `judge` as the judge of a set. Where several have one name (builds for
/// several kernels), each directory is judged by itself, with what the others have and it has not.
pub fn judge_together<'m>(files: &'m [File], judge: impl Fn(&[&'m File]) -> Vec<Verdict>) -> Vec<Verdict> {
    let mut seen = HashSet::new();
    if files.iter().all(|f| seen.insert(&f.name)) {
        return judge(&files.iter().collect::<Vec<_>>());
    }
    let mut dirs: BTreeMap<&Path, Vec<usize>> = BTreeMap::new();
    for (i, file) in files.iter().enumerate() {
        dirs.entry(file.path.parent().unwrap_or(Path::new(""))).or_default().push(i);
    }
    let mut verdicts: HashMap<usize, Verdict> = HashMap::new();
    for own in dirs.values() {
        // Within one directory foo.ko and foo.ko.xz are judged one after the other, too.
        let mut rounds: Vec<Vec<usize>> = Vec::new();
        for &i in own {
            let free = rounds.iter_mut().find(|r| r.iter().all(|o| files[*o].name != files[i].name));
            match free {
                Some(round) => round.push(i),
                None => rounds.push(vec![i]),
            }
        }
        for round in rounds {
            let mut names: HashSet<&str> = round.iter().map(|i| &*files[*i].name).collect();
            let mut set: Vec<&File> = round.iter().map(|i| &files[*i]).collect();
            set.extend(files.iter().filter(|f| names.insert(&f.name)));
            verdicts.extend(round.iter().copied().zip(judge(&set)));
        }
    }
    (0..files.len()).map(|i| verdicts.remove(&i).unwrap_or_default()).collect()
}
