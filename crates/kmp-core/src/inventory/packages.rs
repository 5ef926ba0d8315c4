//! The packages that own third-party modules.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use librpm_rt::Librpm;

use super::kernels::{FoundModule, Release};
use super::{ModulesDirs, module_name};
use crate::dialect::{IN_TREE, KMP_IN_KERNEL, Suse, WEAK_UPDATES};
use crate::root::Root;

pub use librpm_rt::Package;

/// Why the installed packages are not known.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PackageError(String);

/// The modules that an installed package has for one kernel release.
#[derive(Clone, Debug)]
pub struct InstalledKmp {
    /// The package.
    pub package: Package,
    /// The release in whose directory the modules are.
    pub origin: String,
    /// The flavour that it serves.
    pub flavour: Option<String>,
    /// Those of its modules that are on disk.
    pub modules: Vec<FoundModule>,
    /// Why it cannot be linked, if so.
    pub broken: Option<String>,
}

/// Finds the KMPs. Only directories that hold third-party modules are asked for, by rpm's index of
/// directory names; no other package's header is read.
pub(super) fn find(
    root: &Root,
    rpm: Result<&Librpm, &librpm_rt::Error>,
    dirs: &ModulesDirs,
    releases: &[Release],
) -> Result<Vec<InstalledKmp>, PackageError> {
    let on_disk: HashMap<&Path, &FoundModule> =
        releases.iter().flat_map(|r| &r.third_party).map(|m| (m.path.as_path(), m)).collect();
    let asked: BTreeSet<&Path> = on_disk.keys().filter_map(|p| p.parent()).collect();
    // Links may be left of packages that are gone: then too it must be known that nobody owns anything.
    let links = releases.iter().any(|r| r.weak_updates.as_ref().is_some_and(|items| !items.is_empty()));
    if asked.is_empty() && !links {
        return Ok(Vec::new());
    }
    let failed = |e: &librpm_rt::Error| PackageError(e.to_string());
    let rpm = match rpm {
        Ok(rpm) => rpm,
        // Where rpm was never used there is nobody to own a module.
        Err(_) if !librpm_rt::has_database(root.path()) => return Ok(Vec::new()),
        Err(e) => return Err(failed(e)),
    };
    let database = match rpm.open(root.path()) {
        Ok(database) => database,
        Err(librpm_rt::Error::NoDatabase { .. }) => return Ok(Vec::new()),
        Err(e) => return Err(failed(&e)),
    };
    let mut instances = BTreeSet::new();
    for dir in asked {
        for spelling in dirs.spellings(dir) {
            let mut key = spelling.into_os_string();
            key.push("/");
            instances.extend(database.owners_of_dir(key.as_bytes()).map_err(|e| failed(&e))?);
        }
    }
    let below_modules = |dir: &[u8]| dirs.canonical(Path::new(OsStr::from_bytes(dir))).is_some();
    let mut kmps = Vec::new();
    for instance in instances {
        let package = database.package(instance, &below_modules).map_err(|e| failed(&e))?;
        kmps.extend(of_package(dirs, &on_disk, package));
    }
    kmps.sort_by(|a, b| {
        let name = a.package.name.cmp(&b.package.name);
        let newest = || rpm.compare_evr(&b.package.evr, &a.package.evr);
        let origin = || rpm.vercmp(&b.origin, &a.origin);
        name.then_with(newest).then_with(origin).then_with(|| a.package.arch.cmp(&b.package.arch))
    });
    debug_assert!(kmps.is_sorted_by(|a, b| a.package.name.cmp(&b.package.name) != Ordering::Greater));
    Ok(kmps)
}

/// One KMP for each release that the package has modules for; none for a package of the kernel itself.
fn of_package(
    dirs: &ModulesDirs,
    on_disk: &HashMap<&Path, &FoundModule>,
    package: Package,
) -> Vec<InstalledKmp> {
    if package.provides.iter().any(|p| p.name == KMP_IN_KERNEL) {
        return Vec::new();
    }
    let mut by_origin: BTreeMap<String, (Vec<FoundModule>, Option<String>)> = BTreeMap::new();
    for file in &package.files {
        let Some(path) = dirs.canonical(file) else { continue };
        let Some((origin, below)) = dirs.split(&path) else { continue };
        let first = below.iter().next().unwrap_or_default();
        if path.file_name().and_then(module_name).is_none() || first == WEAK_UPDATES {
            continue;
        }
        if first == IN_TREE {
            return Vec::new();
        }
        let (modules, broken) = by_origin.entry(origin).or_default();
        if !below.as_os_str().is_ascii() {
            let name = crate::report::printable(below.as_os_str());
            broken.get_or_insert_with(|| {
                format!("its module {name} has a name that depmod cannot take (not ASCII)")
            });
        }
        match on_disk.get(path.as_path()) {
            Some(module) => modules.push((*module).clone()),
            None => {
                let name = crate::report::printable(below.as_os_str());
                broken.get_or_insert_with(|| format!("its module {name} is not on disk"));
            }
        }
    }
    let kmp = |(origin, (mut modules, broken)): (String, (Vec<FoundModule>, Option<String>))| {
        modules.sort_by(|a, b| a.below.cmp(&b.below));
        modules.dedup();
        let flavour = Suse.flavour(&package.name, &origin).map(String::from);
        InstalledKmp { package: package.clone(), origin, flavour, modules, broken }
    };
    // What has no module on disk at all is being removed.
    by_origin.into_iter().filter(|(_, (modules, _))| !modules.is_empty()).map(kmp).collect()
}
