// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a package's files are, by their paths. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::abi::name;
use crate::inventory::{ModulesDirs, Package};
use crate::tree::{self, CONFIG, IN_TREE, WEAK_UPDATES};

/// What a package's files are, by their paths.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Releases of which it brings (a part of) the kernel, and whether that is more than modules.
    pub kernels: BTreeMap<String, bool>,
    /// In-tree modules: release and name.
    pub in_tree: Vec<(String, Box<str>)>,
    /// Third-party modules: release, path in the package, and name.
    pub modules: Vec<(String, PathBuf, Box<str>)>,
    /// Symvers and configuration: release and path in the package.
    pub symvers: Vec<(String, PathBuf)>,
    pub configs: Vec<(String, PathBuf)>,
}

/// Sorts a package's files. `dirs` knows how modules' paths are spelled in the root concerned.
pub(super) fn sort(dirs: &ModulesDirs, package: &Package) -> Contents {
    let mut contents = Contents::default();
    for file in &package.files {
        let Some(path) = dirs.canonical(file) else { continue };
        let Some((release, below)) = dirs.split(&path) else { continue };
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
