// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the guard is given about the machine, read from it; and the guard as a whole.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use librpm_rt::{Database, Librpm};

use super::elements::Elements;
use super::given::{Given, InstalledKernel, Use};
use super::incoming::InTree;
use super::policy::{Finding, Orders};
use super::{in_tree, lost};
use crate::inventory::Blacklist;
use crate::root::Root;
use crate::survey::Survey;
use crate::tree::{self, IN_TREE};

/// The running system, as far as the root is that.
#[expect(missing_debug_implementations, reason = "it holds a function")]
pub struct Running<'r> {
    /// The running kernel's release.
    pub release: Option<&'r str>,
    /// What a module (`_` for `-`) is needed for.
    pub use_of: &'r dyn Fn(&str) -> Use,
}

/// Judges a transaction: which kernels would be without which drivers, and what is to be done about it.
pub fn judge(
    root: &Root,
    rpm: &Librpm,
    survey: &Survey,
    mut elements: Elements,
    running: &Running<'_>,
    orders: &Orders<'_>,
) -> Vec<Finding> {
    let packages = Packages::of(root, rpm, survey);
    let kernels = packages.kernels();
    let files = RefCell::new(elements.take_kernel_files());
    let read: RefCell<HashMap<String, Rc<InTree>>> = RefCell::default();
    let read_in_tree = |release: &str| {
        if let Some(known) = read.borrow().get(release) {
            return Some(Rc::clone(known));
        }
        let mut files = files.borrow_mut();
        let of_release = files.iter_mut().filter(|(of, _)| of == release).map(|(_, file)| file);
        let blacklist = Blacklist::load(root);
        let found = in_tree::read(&survey.inventory.dirs, release, of_release, &|name| blacklist.has(name));
        Some(Rc::clone(read.borrow_mut().entry(release.into()).or_insert(Rc::new(found))))
    };
    let given = Given {
        running: running.release,
        kernels: &kernels,
        in_tree: &read_in_tree,
        package_of: &|exporter: &str| packages.of_module(exporter),
        use_of: running.use_of,
    };
    orders.decide(lost(survey, &elements.finish(), &given))
}

/// Which packages the installed kernels are in. Where the database cannot be read, nobody knows.
struct Packages<'p> {
    root: &'p Root,
    survey: &'p Survey,
    database: Option<Database>,
}

impl<'p> Packages<'p> {
    fn of(root: &'p Root, rpm: &Librpm, survey: &'p Survey) -> Self {
        Self { root, survey, database: rpm.open(root.path()).ok() }
    }

    fn kernels(&self) -> BTreeMap<String, InstalledKernel> {
        let mut kernels: BTreeMap<String, InstalledKernel> = BTreeMap::new();
        let goes_by_package = self.survey.inventory.conventions.dialect.goes_by_package();
        for release in self.survey.inventory.kernels() {
            let files: Vec<PathBuf> =
                tree::MAKES_A_KERNEL.iter().map(|name| release.dir.join(name)).collect();
            let packages = if goes_by_package { self.owners(&files) } else { BTreeSet::new() };
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

    /// The package that has an in-tree module of a kernel that is there.
    fn of_module(&self, exporter: &str) -> Option<String> {
        let is_it = |below: &Path| {
            let below = below.strip_prefix(IN_TREE).unwrap_or(below).to_string_lossy();
            below.strip_prefix(exporter).is_some_and(|rest| rest.starts_with(".ko"))
        };
        let modules = self.survey.inventory.kernels().flat_map(|release| &release.in_tree);
        let found: Vec<PathBuf> = modules.filter(|m| is_it(&m.below)).map(|m| m.path.clone()).collect();
        self.owners(&found).pop_first()
    }

    /// Names of the packages that own one of these files.
    fn owners(&self, files: &[PathBuf]) -> BTreeSet<String> {
        let dirs = &self.survey.inventory.dirs;
        let below_modules = |dir: &[u8]| Elements::concerns_bytes(dir);
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
