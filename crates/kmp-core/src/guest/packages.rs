// SPDX-License-Identifier: LGPL-2.1-or-later
//! Package files that libzypp has at hand for a commit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::root::{FileType, Root};

/// Where libzypp puts packages that it downloads, and zypper those that it is given as files.
const PLACES: &[&str] = &["/var/cache/zypp/packages", "/var/cache/zypper"];

/// The files of these packages (NAME-VERSION-RELEASE.ARCH), by that name, as seen from the host. One that is
/// not found is not there yet: libzypp can be configured to download packages only as it needs them.
pub fn find<'n>(root: &Root, wanted: &BTreeSet<&'n str>) -> BTreeMap<&'n str, PathBuf> {
    let mut found = BTreeMap::new();
    let mut directories: Vec<PathBuf> = PLACES.iter().map(PathBuf::from).collect();
    while let Some(directory) = directories.pop() {
        if found.len() == wanted.len() {
            break;
        }
        for entry in root.read_dir(&directory).unwrap_or_default() {
            let path = directory.join(&entry.name);
            if entry.kind == FileType::Dir {
                directories.push(path);
                continue;
            }
            let name = Path::new(&entry.name).to_str().and_then(|name| name.strip_suffix(".rpm"));
            if let Some(name) = name.and_then(|name| wanted.get(name)) {
                found.entry(*name).or_insert_with(|| root.display(&path));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_their_names_at_any_depth() {
        let tmp = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = tmp.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        let root = Root::open(tmp.path()).unwrap();
        let wanted = BTreeSet::from(["a-1-1.noarch", "b-1-1.noarch", "c-1-1.noarch", "d-1-1.noarch"]);
        assert!(find(&root, &wanted).is_empty());
        write("var/cache/zypp/packages/repo/noarch/a-1-1.noarch.rpm");
        write("var/cache/zypper/RPMS/b-1-1.noarch.rpm");
        write("var/cache/zypp/packages/c-1-1.noarch.rpm/file");
        write("var/cache/zypp/packages/d-1-1.noarch.RPM");
        let found = find(&root, &wanted);
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), ["a-1-1.noarch", "b-1-1.noarch"]);
        assert!(found.values().all(|path| path.is_file()));
    }
}
