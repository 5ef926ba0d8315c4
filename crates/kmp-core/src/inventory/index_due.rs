// SPDX-License-Identifier: LGPL-2.1-or-later
//! Is depmod's index of a kernel older than the modules that it lists?

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::kernels::Release;
use crate::index::listed::{self, Line};
use crate::printable;
use crate::root::{Root, Stat, is_fault};
use crate::tree::{self, IN_TREE, MODULES_BUILTIN, MODULES_DEP, SYSTEM_MAP, WEAK_UPDATES, Writer};

/// An index has some megabytes.
const LIMIT: u64 = 256 << 20;

/// How far a file server's clock may be from ours, in nanoseconds.
const SKEW: i128 = 2_000_000_000;

/// Why depmod has to run for a kernel, if it has: there is no index; it names a third-party module that
/// is gone; or one of them, a directory of modules, or the kernel's own list of modules was changed after
/// it was written, by the change time, which cannot be set. Where that cannot be seen it is made anew: that is right in any case.
pub fn stale(root: &Root, release: &Release) -> Option<String> {
    let items = release.weak_updates.as_deref().unwrap_or_default();
    let indexed = !release.in_tree.is_empty()
        || !release.third_party.is_empty()
        || !release.live_patches.is_empty()
        || items.iter().any(|item| item.name.is_some());
    let mut unseen: Option<String> = None;
    let mut written = |name: &str| {
        let path = release.dir.join(name);
        root.metadata(&path).map_err(|e| unseen = unseen.take().or(unreadable(&path, &e))).ok()
    };
    // Of what depmod writes the oldest counts, so that a depmod that was killed half-way is noticed.
    let always: Vec<&str> = tree::written_by(&[Writer::Depmod]).collect();
    let names = || always.iter().copied().chain(tree::written_by(&[Writer::DepmodIfThere]));
    let stats: Vec<Option<Stat>> = names().map(&mut written).collect();
    if unseen.is_some() {
        return unseen;
    }
    if stats[0].is_none() {
        return indexed.then(|| format!("there is no {MODULES_DEP}"));
    }
    if let Some((missing, _)) = always.iter().zip(&stats).find(|(_, stat)| stat.is_none()) {
        return indexed.then(|| format!("there is no {missing}, depmod was interrupted"));
    }
    // Nothing would ever be newer than such an index.
    let is_ahead = |stat: &Stat| stat.mtime_ns > stat.ctime_ns.min(now()) + SKEW;
    if let Some((ahead, _)) = names().zip(&stats).find(|(_, stat)| stat.as_ref().is_some_and(is_ahead)) {
        return Some(format!("{ahead} is dated in the future"));
    }
    let index = stats.iter().flatten().map(|stat| stat.mtime_ns).min()?;

    let links: Vec<PathBuf> = items.iter().map(|item| Path::new(WEAK_UPDATES).join(&item.below)).collect();
    let own = release.in_tree.iter().filter(|m| !m.below.starts_with(IN_TREE));
    let there: HashSet<&Path> = release
        .third_party
        .iter()
        .chain(&release.live_patches)
        .chain(own)
        .map(|m| m.below.as_path())
        .chain(links.iter().map(PathBuf::as_path))
        .collect();
    let list = release.dir.join(MODULES_DEP);
    match root.read(&list, LIMIT) {
        Ok(text) => {
            let mut lines = third_party_lines(&text);
            if let Some(gone) = lines.find(|line| !line.paths().any(|own| there.contains(path(own)))) {
                let gone = gone.path().map_or(Path::new(""), path);
                return Some(format!("{MODULES_DEP} lists {}, which is gone", printable(gone.as_os_str())));
            }
        }
        Err(e) if is_fault(&e) => return unreadable(&list, &e),
        Err(_) => {}
    }

    // In-tree modules may come in packages of their own: kernel-default-extra.
    if release.in_tree_changed_ns > index {
        return Some(format!("{IN_TREE}/ is newer than {MODULES_DEP}"));
    }
    let mut watched: BTreeSet<PathBuf> = BTreeSet::new();
    for below in &there {
        // A new directory on the way is a change, too; the release directory itself changes with depmod.
        watched.extend(below.ancestors().filter(|p| !p.as_os_str().is_empty()).map(|p| release.dir.join(p)));
    }
    let lists = ["modules.order", MODULES_BUILTIN, SYSTEM_MAP].into_iter().map(String::from);
    watched.extend(lists.chain(tree::symvers_names()).map(|name| release.dir.join(name)));
    // Of a link, both the link and the module that it leads to.
    watched.iter().find_map(|path| {
        [root.symlink_metadata(path), root.metadata(path)].into_iter().find_map(|stat| match stat {
            Ok(stat) if stat.ctime_ns > index => {
                Some(format!("{} is newer than {MODULES_DEP}", printable(path.as_os_str())))
            }
            Ok(_) => None,
            Err(e) => unreadable(path, &e),
        })
    })
}

/// It was not to be seen whether the index is old, if the error says so.
fn unreadable(path: &Path, error: &io::Error) -> Option<String> {
    is_fault(error).then(|| format!("{} cannot be read: {error}", printable(path.as_os_str())))
}

/// The time, in nanoseconds since 1970.
fn now() -> i128 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i128::try_from(since.as_nanos()).unwrap_or(i128::MAX))
}

/// The lines of `modules.dep` about modules below the release directory and outside `kernel/`.
fn third_party_lines(text: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let others = listed::lines(text).filter(|line| !line.starts_with(b"kernel/"));
    others.filter(|line| {
        let below = line.path().map(path);
        below.is_some_and(|below| below.is_relative() && !below.starts_with(IN_TREE))
    })
}

fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_outside_the_kernels_own_tree_counts() {
        let text =
            b"kernel/a/b.ko: kernel/c.ko\nupdates/x.ko:\nweak-updates/updates/y.ko: updates/x.ko\n/abs.ko:\n";
        let lines: Vec<_> = third_party_lines(text).filter_map(|line| line.path().map(path)).collect();
        assert_eq!(lines, ["updates/x.ko", "weak-updates/updates/y.ko"].map(Path::new));
    }
}
