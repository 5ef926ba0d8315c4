// SPDX-License-Identifier: LGPL-2.1-or-later
//! dnf's repositories.

use std::path::{Path, PathBuf};

use kmp_fs::root::Root;

use super::{Found, Manager, enabled, repo_files, setting};

/// dnf's own directories of repositories.
const REPOS: [&str; 3] = ["/etc/yum.repos.d", "/etc/distro.repos.d", "/usr/share/dnf5/repos.d"];

/// The repositories of dnf 4 or dnf 5, whose metadata is in `/var/cache/dnf` or `/var/cache/libdnf5`, in a directory named
/// for the repository and a hash of its URLs, where `dnf.conf` names no other. If there are several for one repository, the one
/// that was refreshed last counts.
pub fn dnf(root: &Root, manager: Manager) -> Found {
    let (setting_name, default) = match manager {
        Manager::Dnf5 => ("system_cachedir", "/var/cache/libdnf5"),
        _ => ("cachedir", "/var/cache/dnf"),
    };
    let cache = setting(root, "/etc/dnf/dnf.conf", "main", setting_name);
    let cache = PathBuf::from(cache.filter(|dir| dir.starts_with('/')).unwrap_or_else(|| default.into()));
    let mut found = Found::default();
    let cached = root.read_dir_if_there(&cache).unwrap_or_default();
    let cached: Vec<String> =
        cached.iter().filter_map(|entry| entry.name.to_str().map(str::to_owned)).collect();
    for dir in REPOS {
        for section in repo_files(root, Path::new(dir), &mut found) {
            if section.name == "main" {
                continue;
            }
            let Some(mut repository) = enabled(&section, manager, true) else { continue };
            let of_this = cached.iter().filter(|name| is_cache_of(name, &repository.alias));
            let refreshed = of_this.filter_map(|name| {
                let dir = cache.join(name);
                let stat = root.metadata(&dir.join("repodata/repomd.xml")).ok()?;
                Some((stat.mtime_ns, dir))
            });
            repository.metadata = refreshed.max().map(|(_, dir)| dir);
            repository.packages.extend(repository.metadata.as_ref().map(|dir| dir.join("packages")));
            found.repositories.push(repository);
        }
    }
    found
}

/// `ID-` and sixteen hexadecimal digits.
fn is_cache_of(directory: &str, id: &str) -> bool {
    let hash = directory.strip_prefix(id).and_then(|rest| rest.strip_prefix('-'));
    hash.is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}
