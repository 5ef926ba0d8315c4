// SPDX-License-Identifier: LGPL-2.1-or-later
//! Where below a root the rpm database lies. Nothing here follows a symbolic link out of the root.

use std::ffi::{CStr, OsString};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::Error;

/// Tried after the host's own `%_dbpath`: SUSE and Fedora, rpm-ostree, and all before them.
pub(crate) const USUAL: [&str; 3] = ["/usr/lib/sysimage/rpm", "/usr/share/rpm", "/var/lib/rpm"];

/// As many symbolic links in one path as Linux follows.
const MAX_LINKS: usize = 40;

/// A database format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Sqlite,
    Ndb,
    Bdb,
}

impl Format {
    pub(crate) const ALL: [Format; 3] = [Format::Sqlite, Format::Ndb, Format::Bdb];

    /// The file that makes a directory a database.
    fn file(self) -> &'static str {
        match self {
            Format::Sqlite => "rpmdb.sqlite",
            Format::Ndb => "Packages.db",
            Format::Bdb => "Packages",
        }
    }

    /// rpm's name for it, in `%_db_backend`.
    pub(crate) fn backend(self) -> &'static CStr {
        match self {
            Format::Sqlite => c"sqlite",
            Format::Ndb => c"ndb",
            Format::Bdb => c"bdb",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::Sqlite => "sqlite",
            Format::Ndb => "ndb",
            Format::Bdb => "bdb",
        }
    }
}

/// A database that was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Location {
    /// Its directory, seen from the host, free of symbolic links below the root.
    pub(crate) dir: PathBuf,
    /// Its main file.
    pub(crate) file: PathBuf,
    pub(crate) format: Format,
}

/// Is there an rpm database below `root`, in a place where distributions have it? It works without librpm.
pub fn has_database(root: &Path) -> bool {
    !matches!(locate(root, &USUAL.map(PathBuf::from), None), Err(Error::NoDatabase { .. }))
}

/// The first of `candidates` (absolute paths below `root`) that holds a database; in it, `preferred` if it is there.
pub(crate) fn locate(
    root: &Path,
    candidates: &[PathBuf],
    preferred: Option<Format>,
) -> Result<Location, Error> {
    let mut tried = Vec::new();
    for candidate in candidates {
        let seen = root.join(candidate.strip_prefix("/").unwrap_or(candidate));
        if tried.contains(&seen) {
            continue;
        }
        let unreadable = |path: &Path, source| Error::Unreadable { path: path.to_owned(), source };
        let dir = match resolve(root, candidate) {
            Ok(dir) => dir,
            Err(error) if is_absent(&error) => {
                tried.push(seen);
                continue;
            }
            Err(error) => return Err(unreadable(&seen, error)),
        };
        for format in preferred.into_iter().chain(Format::ALL) {
            let file = dir.join(format.file());
            match fs::symlink_metadata(&file) {
                Ok(data) if data.is_file() => return Ok(Location { dir, file, format }),
                Ok(_) => return Err(unreadable(&file, io::Error::other("it is not a regular file"))),
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(unreadable(&file, error)),
            }
        }
        tried.push(seen);
    }
    Err(Error::NoDatabase { root: root.to_owned(), tried })
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Follows `path` as a process chrooted to `root` would: absolute links start at the root, `..` stops there.
fn resolve(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut done = PathBuf::new();
    let mut left = parts_reversed(path);
    let mut links = 0;
    while let Some(part) = left.pop() {
        if part == ".." {
            done.pop();
            continue;
        }
        let here = root.join(&done).join(&part);
        if !fs::symlink_metadata(&here)?.is_symlink() {
            done.push(part);
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(io::Error::from_raw_os_error(libc::ELOOP));
        }
        let target = fs::read_link(&here)?;
        if target.is_absolute() {
            done.clear();
        }
        left.extend(parts_reversed(&target));
    }
    Ok(root.join(done))
}

/// The names and `..` of a path, last first.
fn parts_reversed(path: &Path) -> Vec<OsString> {
    let named = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn root_with(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        root
    }

    fn candidates() -> Vec<PathBuf> {
        USUAL.map(PathBuf::from).to_vec()
    }

    #[test]
    fn the_newer_place_wins_and_the_preferred_format() {
        let root = root_with(&[
            "var/lib/rpm/Packages",
            "usr/lib/sysimage/rpm/Packages.db",
            "usr/lib/sysimage/rpm/rpmdb.sqlite",
        ]);
        let found = locate(root.path(), &candidates(), None).unwrap();
        assert_eq!(found.file, root.path().join("usr/lib/sysimage/rpm/rpmdb.sqlite"));
        let found = locate(root.path(), &candidates(), Some(Format::Ndb)).unwrap();
        assert_eq!(found.format, Format::Ndb);
        let asked = [PathBuf::from("/var/lib/rpm")];
        assert_eq!(locate(root.path(), &asked, Some(Format::Ndb)).unwrap().format, Format::Bdb);
    }

    #[test]
    fn links_stay_below_the_root() {
        let root = root_with(&["usr/lib/sysimage/other/rpmdb.sqlite"]);
        fs::create_dir_all(root.path().join("var/lib")).unwrap();
        symlink("/usr/lib/sysimage/../../../../usr/lib/sysimage/other", root.path().join("var/lib/rpm"))
            .unwrap();
        let found = locate(root.path(), &candidates(), None).unwrap();
        assert_eq!(found.dir, root.path().join("usr/lib/sysimage/other"));

        symlink("loop", root.path().join("usr/lib/sysimage/loop")).unwrap();
        let error = locate(root.path(), &["/usr/lib/sysimage/loop".into()], None).unwrap_err();
        assert!(matches!(error, Error::Unreadable { .. }), "{error}");
    }

    #[test]
    fn absence_names_what_was_looked_at() {
        let root = root_with(&["var/lib/rpm/unrelated"]);
        let Err(Error::NoDatabase { tried, .. }) = locate(root.path(), &candidates(), None) else {
            panic!("found a database where there is none")
        };
        assert_eq!(tried.len(), 3);
    }
}
