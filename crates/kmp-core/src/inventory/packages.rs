// SPDX-License-Identifier: LGPL-2.1-or-later
//! The packages that own third-party modules.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use librpm_rt::{Database, Librpm};

use super::driver::{self, Driver, Member};
use super::kernels::{FoundModule, Release};
use super::kind::{self, Around, Kind};
use super::{Conventions, ModulesDirs, module_name};
use crate::config::Wish;
use crate::printable;
use crate::problem::Problem;
use crate::root::Root;
use crate::tree::{self, EXTRA, IN_TREE, WEAK_UPDATES};

pub use rpm_meta::Package;

/// Why the installed packages are not known.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct PackageError(String);

/// The modules that an installed package has for one kernel release; in Red Hat's dialect also modules that no
/// package owns (see `unpackaged.rs`).
#[derive(Clone, Debug)]
pub struct InstalledKmp {
    /// The package. For unpackaged modules a made-up one that is not from a database: `NAME.ko` of the first
    /// of them, with their release as its version.
    pub package: Package,
    /// The release in whose directory the modules are.
    pub origin: String,
    /// The flavour that it serves.
    pub flavour: Option<String>,
    /// Those of its modules that are on disk.
    pub modules: Vec<FoundModule>,
    /// Why it cannot be linked, if so.
    pub broken: Option<String>,
    /// Why it is not known whether it can be, if so: something could not be read.
    pub unread: Option<String>,
    /// What it is: a driver, shipped or made here.
    pub kind: Kind,
    /// Which driver it is a version of.
    pub driver: Driver,
    /// Into which kernels it is to be linked.
    pub wish: Wish,
}

impl InstalledKmp {
    /// Does a package own these modules?
    pub fn is_packaged(&self) -> bool {
        self.package.instance.is_some()
    }

    pub(crate) fn member(&self) -> Member<'_> {
        Member {
            package: &self.package.name,
            origin: &self.origin,
            modules: self.modules.iter().map(|m| &*m.name).collect(),
        }
    }
}

/// depmod cannot take a module of such a name.
pub(super) fn name_fault(below: &Path) -> Option<String> {
    let name = || printable(below.as_os_str());
    (!below.as_os_str().is_ascii())
        .then(|| format!("its module {} has a name that depmod cannot take (not ASCII)", name()))
}

/// What packages own.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// KMPs.
    pub kmps: Vec<InstalledKmp>,
    /// Modules on disk that are no drivers: their paths, what they are, and NAME-VERSION-RELEASE of the owner.
    pub apart: Vec<(PathBuf, Kind, String)>,
}

/// Finds the owners of third-party modules. Only directories that hold such modules are asked for, by rpm's index of
/// directory names; no other package's header is read, but those of kernels that the source package of an owner looks
/// like.
pub(super) fn find(
    root: &Root,
    rpm: Result<&Librpm, &librpm_rt::Error>,
    dirs: &ModulesDirs,
    releases: &[Release],
    conventions: &Conventions,
    problems: &mut Vec<Problem>,
) -> Result<Found, PackageError> {
    let on_disk: HashMap<&Path, &FoundModule> =
        releases.iter().flat_map(|r| &r.third_party).map(|m| (m.path.as_path(), m)).collect();
    let asked: BTreeSet<&Path> = on_disk.keys().filter_map(|p| p.parent()).collect();
    // Links may be left of packages that are gone: then too it must be known that nobody owns anything.
    let links = releases.iter().any(|r| r.weak_updates.as_ref().is_some_and(|items| !items.is_empty()));
    if asked.is_empty() && !links {
        return Ok(Found::default());
    }
    let rpm = match rpm {
        Ok(rpm) => rpm,
        // Where rpm was never used there is nobody to own a module.
        Err(_) if !librpm_rt::has_database(root.path()) => return Ok(Found::default()),
        Err(e) => return Err(failed(e)),
    };
    let database = match rpm.open(root.path()) {
        Ok(database) => database,
        Err(librpm_rt::Error::NoDatabase { .. }) => return Ok(Found::default()),
        Err(e) => return Err(failed(&e)),
    };
    let mut packages = owners(&database, dirs, asked)?;
    // Who owns what could not be listed.
    let mut known: HashSet<u32> = packages.iter().filter_map(|p| p.instance).collect();
    for release in releases.iter().filter(|r| r.unread.is_some()) {
        let below: Vec<PathBuf> = dirs.spellings(&release.dir);
        let is_below = |dir: &[u8]| below.iter().any(|b| Path::new(OsStr::from_bytes(dir)).starts_with(b));
        let listed = database.dirs(&is_below).map_err(|e| failed(&e))?;
        let listed: Vec<PathBuf> =
            listed.iter().map(|dir| PathBuf::from(OsStr::from_bytes(&dir.name))).collect();
        let more = owners(
            &database,
            dirs,
            listed.iter().filter_map(|d| d.to_str()).map(|d| Path::new(d.trim_end_matches('/'))),
        )?;
        packages.extend(more.into_iter().filter(|p| p.instance.is_some_and(|i| known.insert(i))));
    }
    let around = around(&database, dirs, releases, &packages)?;
    let unread: HashMap<&str, &Problem> =
        releases.iter().filter_map(|r| Some((r.release.as_str(), r.unread.as_ref()?))).collect();
    let mut found = Found::default();
    for package in packages {
        let nvr = package.nvr();
        let (kmps, apart) = of_package(dirs, &on_disk, package, conventions, &around, &unread);
        found.apart.extend(apart.into_iter().map(|(path, kind)| (path, kind, nvr.clone())));
        for (kmp, is_fault) in kmps {
            if let (true, Some(what)) = (is_fault, &kmp.broken) {
                let path = root.display(&dirs.path().join(&kmp.origin));
                problems.push(Problem::new(path, format!("package {}: {what}", kmp.package.nvra())));
            }
            found.kmps.push(kmp);
        }
    }
    Ok(found)
}

fn failed(e: &librpm_rt::Error) -> PackageError {
    PackageError(e.to_string())
}

/// The packages that own something directly in one of these directories.
fn owners<'d>(
    database: &Database,
    dirs: &ModulesDirs,
    asked: impl IntoIterator<Item = &'d Path>,
) -> Result<Vec<Package>, PackageError> {
    let mut instances = BTreeSet::new();
    for dir in asked {
        for spelling in dirs.spellings(dir) {
            let mut key = spelling.into_os_string();
            key.push("/");
            instances.extend(database.owners_of_dir(key.as_bytes()).map_err(|e| failed(&e))?);
        }
    }
    let keep = |dir: &[u8]| {
        let dir = Path::new(OsStr::from_bytes(dir));
        dirs.canonical(dir).is_some() || dir.parent() == Some(Path::new(kind::SOURCES))
    };
    let package = |instance| database.package(instance, &keep).map_err(|e| failed(&e));
    instances.into_iter().map(package).collect()
}

/// What of other packages decides what the owners of third-party modules are. Asked for only where it may matter.
fn around(
    database: &Database,
    dirs: &ModulesDirs,
    releases: &[Release],
    packages: &[Package],
) -> Result<Around, PackageError> {
    let mut around = Around::default();
    if packages.is_empty() {
        return Ok(around);
    }
    for file in owners(database, dirs, [Path::new(kind::AKMODS)])?.iter().flat_map(|p| &p.files) {
        let name = file.file_name().and_then(OsStr::to_str).and_then(kind::source_name);
        around.akmods_sources.extend(name.map(String::from));
    }
    if packages.iter().any(|p| kind::may_be_kernels_source(&p.source)) {
        let kernels = releases.iter().filter(|r| r.is_kernel && !r.third_party.is_empty());
        let places: Vec<PathBuf> = kernels.flat_map(|r| [r.dir.clone(), r.dir.join(IN_TREE)]).collect();
        for package in owners(database, dirs, places.iter().map(PathBuf::as_path))? {
            let below = package.files.iter().filter_map(|f| Some(dirs.split(&dirs.canonical(f)?)?.1));
            if below.into_iter().any(|below| tree::makes_a_kernel(&below)) {
                around.kernel_sources.insert(package.source);
            }
        }
        around.kernel_sources.remove("");
    }
    Ok(around)
}

/// Finds out which are versions of one driver, and sorts by that, the one first that is tried first.
pub(super) fn sort(kmps: &mut [InstalledKmp]) {
    let members: Vec<Member<'_>> = kmps.iter().map(InstalledKmp::member).collect();
    let drivers = driver::drivers(&members);
    for (kmp, driver) in kmps.iter_mut().zip(drivers) {
        kmp.driver = driver;
    }
    kmps.sort_by(|a, b| {
        driver::order((&a.driver, &a.package.evr, &a.origin), (&b.driver, &b.package.evr, &b.origin))
            .then_with(|| a.package.name.cmp(&b.package.name))
            .then_with(|| a.package.arch.cmp(&b.package.arch))
    });
}

/// What a package has for one release.
#[derive(Default)]
struct Contents {
    modules: Vec<FoundModule>,
    broken: Option<String>,
    unread: Option<String>,
    /// Modules that are never linked, by the dialect.
    others: Vec<FoundModule>,
    has_ghosts: bool,
}

/// KMPs of a package, each with whether what breaks it is a fault, and its modules that are no drivers.
type OfPackage = (Vec<(InstalledKmp, bool)>, Vec<(PathBuf, Kind)>);

/// One KMP for each release that the package has modules for; none for a package of the kernel itself.
fn of_package(
    dirs: &ModulesDirs,
    on_disk: &HashMap<&Path, &FoundModule>,
    package: Package,
    conventions: &Conventions,
    around: &Around,
    unread: &HashMap<&str, &Problem>,
) -> OfPackage {
    let mut by_origin: BTreeMap<String, Contents> = BTreeMap::new();
    let mut live_patches = Vec::new();
    let mut is_in_tree = false;
    let ghosts: HashSet<&Path> = package.ghosts.iter().map(PathBuf::as_path).collect();
    for file in &package.files {
        let Some(path) = dirs.canonical(file) else { continue };
        let Some((origin, below)) = dirs.split(&path) else { continue };
        let first = below.iter().next().unwrap_or_default();
        if path.file_name().and_then(module_name).is_none() || first == WEAK_UPDATES {
            continue;
        }
        if first == IN_TREE {
            is_in_tree = true;
            continue;
        }
        let found = on_disk.get(path.as_path()).map(|module| (*module).clone());
        if tree::is_live_patch(&below) {
            live_patches.extend(found.map(|m| (m.path, Kind::LivePatch)));
            continue;
        }
        let why_unseen = unread.get(origin.as_str());
        let contents = by_origin.entry(origin).or_default();
        let is_ghost = ghosts.contains(file.as_path());
        contents.has_ghosts |= is_ghost;
        if !conventions.may_link(&path, &below) {
            contents.others.extend(found);
            continue;
        }
        // A ghost that was not made is none that is missing.
        let missing = || {
            let name = printable(below.as_os_str());
            (found.is_none() && !is_ghost).then(|| format!("its module {name} is not on disk"))
        };
        match why_unseen {
            // It may be in the directory that could not be read.
            Some(why) if found.is_none() => {
                contents.unread = Some(why.to_string());
                let name = module_name(path.file_name().unwrap_or_default()).unwrap_or_default();
                contents.modules.push(FoundModule { path: path.clone(), below: below.clone(), name });
            }
            _ => {
                contents.broken = contents.broken.take().or_else(|| name_fault(&below)).or_else(missing);
            }
        }
        contents.modules.extend(found);
    }
    // What a package is depends on its files: there may be as many releases as files.
    let kinds = [OnceCell::new(), OnceCell::new()];
    let kind_of = |contents: &Contents| match is_in_tree {
        true => Kind::InTree,
        false => *kinds[usize::from(contents.has_ghosts)]
            .get_or_init(|| kind::of_package(&package, contents.has_ghosts, around)),
    };
    let (mut kmps, mut apart) = (Vec::new(), live_patches);
    let wish = conventions.wish(&package);
    for (origin, contents) in by_origin {
        let kind = kind_of(&contents);
        let Contents { mut modules, mut broken, unread, others, .. } = contents;
        if !kind.is_driver() {
            apart.extend(modules.into_iter().chain(others).map(|m| (m.path, kind)));
            continue;
        }
        let is_fault = !modules.is_empty();
        if let (false, Some(other)) = (is_fault, others.first()) {
            let name = printable(other.below.as_os_str());
            broken =
                Some(format!("its module {name} is not below {EXTRA}/, and only what is there is linked"));
            modules = others;
        }
        // What has no module on disk at all is being removed.
        if modules.is_empty() {
            continue;
        }
        modules.sort_by(|a, b| a.below.cmp(&b.below));
        modules.dedup();
        let flavour = conventions.dialect.flavour(&package.name, &origin).map(String::from);
        kmps.push((
            InstalledKmp {
                package: package.identity(),
                origin,
                flavour,
                modules,
                broken,
                unread,
                kind,
                driver: Driver::default(),
                wish: wish.clone(),
            },
            is_fault,
        ));
    }
    (kmps, apart)
}
