// SPDX-License-Identifier: LGPL-2.1-or-later
//! The repositories that are enabled on a system, and where its package managers keep their metadata.

mod dnf;
mod ini;
mod limit;
mod proxy;
mod zypp;

use std::io;
use std::path::{Path, PathBuf};

use kmp_fs::root::Root;

pub use dnf::dnf;
pub use limit::installonly_limit;
pub use proxy::proxy;
pub use zypp::zypp;

/// Which package manager a repository is configured for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// libzypp: zypper, YaST, PackageKit on SUSE.
    Zypp,
    /// dnf 4.
    Dnf4,
    /// dnf 5.
    Dnf5,
}

/// A repository that is enabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its short name (zypp's alias, dnf's id).
    pub alias: String,
    /// Its long name; the short one if it has none.
    pub name: String,
    /// Of equal packages that with the smaller number counts. 99 if nothing is set, as for zypp and dnf.
    pub priority: u32,
    /// Who keeps its metadata.
    pub manager: Manager,
    /// The directory that has its `repodata/`, inside the root; `None` if it was never refreshed.
    pub metadata: Option<PathBuf>,
    /// Directories that have its packages, or may have some of them: the package manager's cache, and where it is itself if that is a
    /// directory.
    pub packages: Vec<PathBuf>,
    /// Its URLs, as far as they are named and have no variables in them.
    pub urls: Vec<String>,
}

/// A repository's file that cannot be read. The others are read all the same.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}; its repositories are left out", path.display())]
pub struct Unread {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// In the order of their files' names, and of each file.
    pub repositories: Vec<Repository>,
    /// Files that could not be read.
    pub unread: Vec<Unread>,
}

/// The largest file that configures repositories, in bytes.
const CONFIG_LIMIT: u64 = 4 << 20;

/// The `.repo` files of a directory.
fn repo_files(root: &Root, dir: &Path, found: &mut Found) -> Vec<ini::Section> {
    let mut sections = Vec::new();
    let entries = match root.read_dir_if_there(dir) {
        Ok(entries) => entries,
        Err(error) => {
            found.unread.push(Unread { path: dir.to_owned(), error });
            return sections;
        }
    };
    for entry in entries {
        let path = dir.join(&entry.name);
        if path.extension().is_some_and(|extension| extension == "repo") {
            match root.read(&path, CONFIG_LIMIT) {
                Ok(bytes) => sections.extend(ini::sections(&String::from_utf8_lossy(&bytes))),
                Err(error) => found.unread.push(Unread { path, error }),
            }
        }
    }
    sections
}

/// The value of a setting in a file that may not be there.
fn setting(root: &Root, path: &str, section: &str, name: &str) -> Option<String> {
    let bytes = root.read_if_there(Path::new(path), CONFIG_LIMIT).ok()??;
    let sections = ini::sections(&String::from_utf8_lossy(&bytes));
    let main = sections.iter().rev().filter(|s| s.name == section);
    main.filter_map(|s| s.get(name)).next().map(str::to_owned)
}

/// zypp's and dnf's words for yes.
fn is_true(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "1" | "yes" | "true" | "on" | "always" | "enabled")
}

/// What is the same for all: a repository, but where its metadata is.
fn enabled(section: &ini::Section, manager: Manager, default: bool) -> Option<Repository> {
    let alias = section.name.clone();
    // A name that would be a path of its own. None of them makes such a repository.
    if alias.is_empty() || alias.starts_with('.') || !section.get("enabled").map_or(default, is_true) {
        return None;
    }
    let name = section.get("name").unwrap_or(&alias).to_owned();
    let priority = section.get("priority").and_then(|value| value.parse().ok()).unwrap_or(99);
    let urls = section.get("baseurl").unwrap_or_default().split([' ', ',', '\n']).map(str::trim);
    let urls: Vec<String> =
        urls.filter(|url| !url.is_empty() && !url.contains('$')).map(Into::into).collect();
    let packages = urls.iter().filter_map(|url| directory(url)).collect();
    Some(Repository { alias, name, priority, manager, metadata: None, packages, urls })
}

/// The directory of a `file:` or `dir:` URL, if it is one without escapes.
fn directory(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("file:").or_else(|| url.strip_prefix("dir:"))?;
    let path = path.strip_prefix("//localhost").or_else(|| path.strip_prefix("//")).unwrap_or(path);
    (path.starts_with('/') && !path.contains(['%', '?'])).then(|| PathBuf::from(path))
}
