// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which in-tree modules use modules that are replaced.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::in_tree;
use crate::abi::name;
use crate::index::listed;
use crate::inventory::kernels::{FoundModule, Release};
use crate::problem::Problem;
use crate::root::Root;
use crate::workers::Workers;

/// Name and path of an in-tree module that uses another.
pub(super) type User = (Box<str>, PathBuf);
/// For a name of `replaced`: who uses it.
pub(super) type Users = HashMap<Box<str>, Vec<User>>;

/// By modules.dep, whose text is `text`.
pub(super) fn by_modules_dep(release: &Release, text: &[u8], replaced: &[Box<str>]) -> Users {
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

/// By the modules themselves. With them one that could not be read, if there is one.
pub(super) fn by_modules(
    root: &Root,
    workers: &dyn Workers,
    release: &Release,
    replaced: &[Box<str>],
) -> (Users, Option<Problem>) {
    let users = Mutex::new(Users::new());
    let replaced: HashSet<&str> = replaced.iter().map(|r| &**r).collect();
    let unread = in_tree::each(root, workers, release, |found, module| {
        let used: HashSet<&str> = module.depends.iter().map(|d| &**d).collect();
        for name in used.into_iter().filter(|d| replaced.contains(d)) {
            if let Ok(mut users) = users.lock() {
                users.entry(name.into()).or_default().push((found.name.clone(), found.path.clone()));
            }
        }
    });
    (users.into_inner().unwrap_or_default(), unread)
}
