// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which repositories are looked at: those that the package manager has, as it has cached them, or directories that are named.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use kmp_core::dialect::Dialect;
use kmp_core::printable;
use kmp_core::root::Root;
use kmp_repo::found::{self, Found, Manager, Repository};
use kmp_repo::rpmmd::Location;
use kmp_repo::update::{Part, Source};
use kmp_sources::fetch::Fetcher;
use kmp_sources::own::{self, OwnRepository};
use kmp_sources::url::Url;

/// A directory that was named, with its repository's short name.
pub struct Given {
    id: String,
    root: Root,
}

impl Given {
    /// The repository's short name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The directory, as a root of its own.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// As a repository with this priority.
    pub fn source(&self, priority: u32) -> Source<'_> {
        let dir = PathBuf::from("/");
        Source { id: self.id.clone(), priority, root: &self.root, dir: dir.clone(), packages: vec![dir] }
    }
}

/// Repositories, and what is wrong with others.
pub struct Sources<'r> {
    pub sources: Vec<Source<'r>>,
    /// URLs of repositories, by their short names.
    pub urls: HashMap<String, Vec<String>>,
    pub problems: Vec<String>,
}

/// `ID=DIR`, or `DIR`.
pub fn given(named: &[String]) -> Result<Vec<Given>, String> {
    let one = |name: &String| {
        let (id, dir) = name.split_once('=').unwrap_or((name, name));
        let root = Root::open(Path::new(dir)).map_err(|e| format!("repository {id}: {e}"))?;
        Ok(Given { id: id.to_owned(), root })
    };
    named.iter().map(one).collect()
}

/// Those that were named; where none was, the package manager's.
pub fn sources<'r>(root: &'r Root, dialect: Dialect, given: &'r [Given]) -> Sources<'r> {
    if !given.is_empty() {
        let sources = given.iter().map(|given| given.source(99)).collect();
        return Sources { sources, urls: HashMap::new(), problems: Vec::new() };
    }
    let Found { repositories, unread } = match dialect {
        Dialect::Suse => found::zypp(root),
        Dialect::RedHat => dnf(root),
    };
    let mut problems: Vec<String> = unread.iter().map(ToString::to_string).collect();
    let (mut sources, mut by_id) = (Vec::new(), HashMap::new());
    let own = match dialect {
        Dialect::Suse => OWN,
        Dialect::RedHat => OWN_OF_DNF,
    };
    // Ours is read where it is made: the package manager may have an older state of it.
    if OwnRepository::of(root).is_there() {
        let dir = PathBuf::from(own::DIR);
        sources.push(Source {
            id: own.to_owned(),
            priority: 99,
            root,
            dir: dir.clone(),
            packages: vec![dir],
        });
    }
    for repository in repositories.into_iter().filter(|r| r.alias != own) {
        match repository.metadata {
            Some(dir) => {
                let Repository { alias: id, priority, packages, urls, .. } = repository;
                by_id.insert(id.clone(), urls);
                sources.push(Source { id, priority, root, dir, packages });
            }
            None => problems.push(format!(
                "repository {} was never refreshed, and is left out: {}",
                printable(repository.alias.as_ref()),
                match repository.manager {
                    Manager::Zypp => "zypper refresh",
                    Manager::Dnf4 => "dnf makecache",
                    Manager::Dnf5 => "dnf5 makecache",
                }
            )),
        }
    }
    Sources { sources, urls: by_id, problems }
}

/// The repository by which zypper calls kmp, and from which it has what kmp has fetched.
pub const OWN: &str = "~kmp";

/// The same of dnf's.
pub const OWN_OF_DNF: &str = "kmp-drivers";

/// That of the two that was refreshed last.
fn dnf(root: &Root) -> Found {
    let newest = |found: &Found| {
        let dirs = found.repositories.iter().filter_map(|r| r.metadata.as_ref());
        dirs.filter_map(|dir| Some(root.metadata(&dir.join("repodata/repomd.xml")).ok()?.mtime_ns)).max()
    };
    let (four, five) = (found::dnf(root, Manager::Dnf4), found::dnf(root, Manager::Dnf5));
    if newest(&five) > newest(&four) { five } else { four }
}

/// Fetches a package's file, or its beginning, to be gone with what opened it.
pub fn fetch(
    fetcher: &Fetcher,
    urls: &HashMap<String, Vec<String>>,
    id: &str,
    location: &Location,
    part: Part,
) -> Result<File, String> {
    let mut why = format!("no URL of repository {} is known", printable(id.as_ref()));
    for url in urls.get(id).into_iter().flatten() {
        let url = format!("{}/{}", url.trim_end_matches('/'), location.as_str());
        let fetched = Url::parse(&url).map_err(|e| format!("{url} {e}")).and_then(|url| {
            // Kernels are large, and /tmp may be memory.
            let mut file = tempfile::tempfile_in("/var/tmp").map_err(|e| format!("/var/tmp: {e}"))?;
            match part {
                Part::Whole(limit) => fetcher.save(&url, &mut file, limit).map(drop),
                Part::Beginning(len) => {
                    let bytes = fetcher.beginning(&url, len).map_err(|e| e.to_string())?;
                    return file.write_all(&bytes).map(|()| file).map_err(|e| format!("/var/tmp: {e}"));
                }
            }
            .map_err(|e| e.to_string())?;
            Ok(file)
        });
        match fetched {
            Ok(file) => return Ok(file),
            Err(e) => why = e,
        }
    }
    Err(why)
}
