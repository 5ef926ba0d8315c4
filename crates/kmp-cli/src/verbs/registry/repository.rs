// SPDX-License-Identifier: LGPL-2.1-or-later
//! The newest builds in a provider's repository on disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kmp_core::printable;
use kmp_core::root::Root;
use kmp_repo::offer::CONCERNED;
use kmp_repo::repository::MetadataDir;
use kmp_repo::rpmmd::Listed;
use librpm_rt::Librpm;
use rpm_meta::Evr;

use super::files;

/// The newest build of each package, and its file.
pub type Newest = BTreeMap<String, (Evr, PathBuf)>;

/// Adds those of a directory, of which `is_wanted` has the names: by its list of packages (rpm-md), if it has one, else of all
/// package files below it.
///
/// # Errors
/// The list, or the directory, cannot be read.
pub fn add(
    newest: &mut Newest,
    rpm: &Librpm,
    dir: &Path,
    is_wanted: &dyn Fn(&str) -> bool,
) -> Result<(), String> {
    let mut put = |name: &str, evr: Evr, file: PathBuf| {
        if is_wanted(name) && newest.get(name).is_none_or(|(known, _)| known.compare(&evr).is_lt()) {
            newest.insert(name.into(), (evr, file));
        }
    };
    if dir.join("repodata/repomd.xml").is_file() {
        for package in listed(dir)? {
            let location = package.location().map_err(|e| format!("{}: {e}", package.nevra()))?;
            put(package.name(), package.evr(), dir.join(location.as_str()));
        }
        return Ok(());
    }
    for file in files::packages(dir)? {
        let read = rpm.open_package(&file);
        match read.and_then(|opened| Ok((opened.is_source(), opened.package(&|_| false)?))) {
            Ok((true, _)) => {}
            Ok((false, package)) => put(&package.name, package.evr, file),
            Err(e) => log::warn!("{e}"),
        }
    }
    Ok(())
}

fn listed(dir: &Path) -> Result<Vec<Listed>, String> {
    let root = Root::open(dir).map_err(|e| format!("{}: {e}", printable(dir.as_os_str())))?;
    let of = |e| format!("the repository {}: {e}", printable(dir.as_os_str()));
    let metadata = MetadataDir::new(&root, Path::new("/"));
    let repomd = metadata.repomd().map_err(of)?;
    let mut found = Vec::new();
    let mut each = |package: &Listed| {
        if !matches!(package.arch(), "src" | "nosrc") {
            found.push(package.clone());
        }
    };
    metadata.packages(&repomd, &CONCERNED, &mut each).map_err(of)?;
    Ok(found)
}
