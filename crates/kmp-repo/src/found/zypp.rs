// SPDX-License-Identifier: LGPL-2.1-or-later
//! libzypp's repositories.

use std::path::{Path, PathBuf};

use kmp_fs::root::Root;

use super::{Found, Manager, enabled, repo_files, setting};

/// The repositories of `/etc/zypp/repos.d`, whose metadata is in `/var/cache/zypp/raw/ALIAS` where `zypp.conf` names no
/// other directory. The signature that libzypp has verified is not looked at again.
pub fn zypp(root: &Root) -> Found {
    let set =
        |name| setting(root, "/etc/zypp/zypp.conf", "main", name).filter(|value| value.starts_with('/'));
    let repos = set("reposdir").unwrap_or_else(|| "/etc/zypp/repos.d".into());
    let raw = set("metadatadir").map(PathBuf::from).unwrap_or_else(|| {
        Path::new(&set("cachedir").unwrap_or_else(|| "/var/cache/zypp".into())).join("raw")
    });
    let packages = set("packagesdir").map(PathBuf::from).unwrap_or_else(|| {
        Path::new(&set("cachedir").unwrap_or_else(|| "/var/cache/zypp".into())).join("packages")
    });
    let mut found = Found::default();
    for section in repo_files(root, Path::new(&repos), &mut found) {
        let Some(mut repository) = enabled(&section, Manager::Zypp, false) else { continue };
        // libzypp's `RepoInfo::escaped_alias`.
        let name = repository.alias.replace('/', "_");
        let dir = raw.join(&name);
        repository.packages.push(packages.join(name));
        // Where the metadata of a repository is when it is not at the URL itself.
        let dir = match section.get("path") {
            Some(path) if !path.trim_matches('/').is_empty() => {
                let path = path.trim_matches('/');
                let below: Vec<PathBuf> = repository.packages.iter().map(|dir| dir.join(path)).collect();
                repository.packages.extend(below);
                dir.join(path)
            }
            _ => dir,
        };
        let has_metadata = root.try_exists(&dir.join("repodata/repomd.xml")).unwrap_or(false);
        repository.metadata = has_metadata.then_some(dir);
        found.repositories.push(repository);
    }
    found
}
