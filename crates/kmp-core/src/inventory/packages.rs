//! The packages that own third-party modules.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use librpm_rt::Librpm;

use super::kernels::{FoundModule, Release};
use super::{Conventions, ModulesDirs, Problem, module_name};
use crate::dialect::{EXTRA, IN_TREE, KMP_IN_KERNEL, WEAK_UPDATES};
use crate::report::printable;
use crate::root::Root;

pub use librpm_rt::Package;

/// Why the installed packages are not known.
#[derive(Debug, thiserror::Error)]
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
}

impl InstalledKmp {
    /// Does a package own these modules?
    pub fn is_packaged(&self) -> bool {
        self.package.instance != 0
    }
}

/// depmod cannot take a module of such a name.
pub(super) fn name_fault(below: &Path) -> Option<String> {
    let name = || printable(below.as_os_str());
    (!below.as_os_str().is_ascii())
        .then(|| format!("its module {} has a name that depmod cannot take (not ASCII)", name()))
}

/// Finds the KMPs. Only directories that hold third-party modules are asked for, by rpm's index of
/// directory names; no other package's header is read.
pub(super) fn find(
    root: &Root,
    rpm: Result<&Librpm, &librpm_rt::Error>,
    dirs: &ModulesDirs,
    releases: &[Release],
    conventions: &Conventions,
    problems: &mut Vec<Problem>,
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
        for (kmp, is_fault) in of_package(dirs, &on_disk, package, conventions) {
            if let (true, Some(what)) = (is_fault, &kmp.broken) {
                problems.push(Problem {
                    path: root.display(&dirs.path().join(&kmp.origin)),
                    what: format!("package {}: {what}", kmp.package.nvra()),
                });
            }
            kmps.push(kmp);
        }
    }
    Ok(kmps)
}

/// Sorts by name, the newest version first. Without rpm there are no versions but releases, and they are compared
/// as text.
pub(super) fn sort(kmps: &mut [InstalledKmp], rpm: Result<&Librpm, &librpm_rt::Error>) {
    kmps.sort_by(|a, b| {
        let name = a.package.name.cmp(&b.package.name);
        let version = || rpm.map_or(Ordering::Equal, |rpm| rpm.compare_evr(&b.package.evr, &a.package.evr));
        let origin = || rpm.map_or_else(|_| b.origin.cmp(&a.origin), |rpm| rpm.vercmp(&b.origin, &a.origin));
        name.then_with(version).then_with(origin).then_with(|| a.package.arch.cmp(&b.package.arch))
    });
}

/// What a package has for one release.
#[derive(Default)]
struct Contents {
    modules: Vec<FoundModule>,
    broken: Option<String>,
    /// Modules that are never linked, by the dialect.
    others: Vec<FoundModule>,
}

/// One KMP for each release that the package has modules for, and whether what breaks it is a fault; none for a
/// package of the kernel itself.
fn of_package(
    dirs: &ModulesDirs,
    on_disk: &HashMap<&Path, &FoundModule>,
    package: Package,
    conventions: &Conventions,
) -> Vec<(InstalledKmp, bool)> {
    if package.provides.iter().any(|p| p.name == KMP_IN_KERNEL) {
        return Vec::new();
    }
    let mut by_origin: BTreeMap<String, Contents> = BTreeMap::new();
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
        let contents = by_origin.entry(origin).or_default();
        let found = on_disk.get(path.as_path()).map(|module| (*module).clone());
        if !conventions.may_link(&path, &below) {
            contents.others.extend(found);
            continue;
        }
        let missing = || {
            let name = printable(below.as_os_str());
            found.is_none().then(|| format!("its module {name} is not on disk"))
        };
        contents.broken = contents.broken.take().or_else(|| name_fault(&below)).or_else(missing);
        contents.modules.extend(found);
    }
    let kmp = |(origin, contents): (String, Contents)| {
        let Contents { mut modules, mut broken, others } = contents;
        let is_fault = !modules.is_empty();
        if let (false, Some(other)) = (is_fault, others.first()) {
            let name = printable(other.below.as_os_str());
            broken =
                Some(format!("its module {name} is not below {EXTRA}/, and only what is there is linked"));
            modules = others;
        }
        modules.sort_by(|a, b| a.below.cmp(&b.below));
        modules.dedup();
        let flavour = conventions.dialect.flavour(&package.name, &origin).map(String::from);
        (InstalledKmp { package: package.clone(), origin, flavour, modules, broken }, is_fault)
    };
    // What has no module on disk at all is being removed.
    by_origin.into_iter().map(kmp).filter(|(kmp, _)| !kmp.modules.is_empty()).collect()
}
