// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the guard is given about installed kernels: which packages they are in, and whether they can be booted.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use librpm_rt::{Database, Librpm};

use super::Inventory;
use crate::root::Root;
use crate::tree::{self, IN_TREE};

/// What is known of an installed kernel besides its modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledKernel {
    /// Names of the packages that have its files; empty where none has, or they are not known.
    pub packages: Vec<String>,
    /// Is there an image to boot?
    pub is_bootable: bool,
}

/// Which packages the installed kernels are in. Where the database cannot be read, nobody knows.
#[derive(Debug)]
pub struct KernelPackages<'p> {
    root: &'p Root,
    inventory: &'p Inventory,
    database: Option<Database>,
}

impl<'p> KernelPackages<'p> {
    /// Of the kernels of an inventory of `root`.
    pub fn of(root: &'p Root, rpm: &Librpm, inventory: &'p Inventory) -> Self {
        Self { root, inventory, database: rpm.open(root.path()).ok() }
    }

    /// The installed kernels, by release.
    pub fn kernels(&self) -> BTreeMap<String, InstalledKernel> {
        let mut kernels: BTreeMap<String, InstalledKernel> = BTreeMap::new();
        let goes_by_package = self.inventory.conventions.dialect.goes_by_package();
        for release in self.inventory.kernels() {
            let packages = if goes_by_package { self.of_kernel(&release.dir) } else { BTreeSet::new() };
            let images = tree::IMAGES.iter().chain([&tree::UNIFIED_IMAGE]);
            let mut places = images.flat_map(|name| tree::places(&release.dir, &release.release, name));
            // What cannot be looked at may be there.
            let is_bootable = places.any(|path| self.root.try_exists(&path).unwrap_or(true));
            let kernel = InstalledKernel { packages: packages.into_iter().collect(), is_bootable };
            kernels.insert(release.release.clone(), kernel);
        }
        // They are somewhere else, then.
        if !kernels.values().any(|k| k.is_bootable) {
            kernels.values_mut().for_each(|k| k.is_bootable = true);
        }
        kernels
    }

    /// Names of the packages that the kernel in this directory is in, but those that have nothing but modules of it.
    pub fn of_kernel(&self, dir: &Path) -> BTreeSet<String> {
        let files: Vec<PathBuf> = tree::MAKES_A_KERNEL.iter().map(|name| dir.join(name)).collect();
        self.owners(&files)
    }

    /// The name of the package that has an in-tree module of a kernel that is there, by the module's path as symvers has it.
    pub fn of_module(&self, exporter: &str) -> Option<String> {
        let is_it = |below: &Path| {
            let below = below.strip_prefix(IN_TREE).unwrap_or(below).to_string_lossy();
            below.strip_prefix(exporter).is_some_and(|rest| rest.starts_with(".ko"))
        };
        let modules = self.inventory.kernels().flat_map(|release| &release.in_tree);
        let found: Vec<PathBuf> = modules.filter(|m| is_it(&m.below)).map(|m| m.path.clone()).collect();
        self.owners(&found).pop_first()
    }

    /// Names of the packages that own one of these files.
    fn owners(&self, files: &[PathBuf]) -> BTreeSet<String> {
        let dirs = &self.inventory.dirs;
        let below_modules = |dir: &[u8]| dirs.canonical(Path::new(OsStr::from_bytes(dir))).is_some();
        let mut names = BTreeSet::new();
        let Some(database) = &self.database else { return names };
        let parents: BTreeSet<&Path> = files.iter().filter_map(|file| file.parent()).collect();
        for spelling in parents.into_iter().flat_map(|dir| dirs.spellings(dir)) {
            let mut key = spelling.into_os_string();
            key.push("/");
            for instance in database.owners_of_dir(key.as_encoded_bytes()).unwrap_or_default() {
                let Ok(package) = database.package(instance, &below_modules) else { continue };
                let owns = package.files.iter().filter_map(|f| dirs.canonical(f)).any(|f| files.contains(&f));
                if owns {
                    names.insert(package.name);
                }
            }
        }
        names
    }
}
