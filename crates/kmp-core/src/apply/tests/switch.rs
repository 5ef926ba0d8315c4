// SPDX-License-Identifier: LGPL-2.1-or-later
//! From one set of links to another, in a root of its own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use testkit::TestRoot;

use crate::apply::{Wanted, switch};
use crate::ids::Id;
use crate::inventory::{Inventory, Item};
use crate::root::Root;

const DIR: &str = "usr/lib/modules/6.4.0-1-default";

struct Disk {
    files: TestRoot,
    root: Root,
}

impl Disk {
    fn new() -> Self {
        let files = TestRoot::new();
        files.write(format!("{DIR}/kernel/a.ko"), b"");
        let root = Root::open(&files.path()).unwrap();
        Self { files, root }
    }

    fn link(&self, below: &str, target: &str) {
        let path = self.files.join(format!("{DIR}/weak-updates/{below}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// Switches to `links`; what is there and named in `ours`, and not right, is unwanted, the rest foreign.
    fn switch(&self, links: &[(&str, &str)], ours: &[&str], gone: bool) {
        let inventory = Inventory::take(
            &self.root,
            Err(&librpm_rt::Error::NoLibrary { tried: vec![] }),
            &[],
            &crate::workers::Serial,
        )
        .unwrap();
        let release = inventory.releases.iter().find(|r| DIR.ends_with(&r.release)).unwrap();
        let items = release.weak_updates.as_deref().unwrap_or_default();
        let (unwanted, foreign): (Vec<&Item>, Vec<&Item>) =
            items.iter().partition(|i| ours.iter().any(|o| Path::new(o) == i.below));
        let links: BTreeMap<_, _> = links.iter().map(|(l, t)| (Path::new(*l), Path::new(*t))).collect();
        let wanted = Wanted { links, foreign, unwanted, kernel_is_gone: gone };
        switch(&self.root, release, &wanted).unwrap();
    }

    /// Everything in `weak-updates/`: links with their targets, and directories.
    fn there(&self) -> Vec<String> {
        fn walk(dir: &Path, below: &Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let name = below.join(path.file_name().unwrap());
                let meta = fs::symlink_metadata(&path).unwrap();
                match fs::read_link(&path) {
                    Ok(target) => found.push(format!("{} -> {}", name.display(), target.display())),
                    Err(_) if meta.is_dir() => {
                        found.push(format!("{}/", name.display()));
                        walk(&path, &name, found);
                    }
                    Err(_) => found.push(name.display().to_string()),
                }
            }
        }
        let mut found = Vec::new();
        let top = self.files.join(format!("{DIR}/weak-updates"));
        if top.exists() {
            walk(&top, Path::new(""), &mut found);
        }
        found.sort();
        found
    }

    /// Nothing of our own is left behind.
    fn is_clean(&self) -> bool {
        [DIR, "usr/lib/modules"].iter().all(|dir| {
            let mut entries = fs::read_dir(self.files.join(dir)).unwrap();
            entries.all(|e| !e.unwrap().file_name().to_string_lossy().starts_with(".kmp"))
        })
    }
}

#[test]
fn links_come_change_and_go() {
    let disk = Disk::new();
    disk.switch(&[("updates/a.ko", "/x/a.ko"), ("extra/b/b.ko", "/x/b.ko")], &[], false);
    let both = ["extra/", "extra/b/", "extra/b/b.ko -> /x/b.ko", "updates/", "updates/a.ko -> /x/a.ko"];
    assert_eq!(disk.there(), both);
    disk.switch(&[("updates/a.ko", "/y/a.ko")], &["updates/a.ko", "extra/b/b.ko"], false);
    assert_eq!(disk.there(), ["updates/", "updates/a.ko -> /y/a.ko"]);
    disk.switch(&[], &["updates/a.ko"], false);
    assert_eq!(disk.there(), [""; 0]);
    assert!(disk.is_clean());
}

#[test]
fn what_is_not_ours_stays_as_it_is() {
    let disk = Disk::new();
    disk.link("updates/theirs.ko", "/elsewhere/theirs.ko");
    disk.link("old.ko", "/x/old.ko");
    let file = format!("{DIR}/weak-updates/deep/er/file.ko");
    disk.files.write(&file, b"precious");
    fs::set_permissions(disk.files.join(&file), fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(disk.files.join(&file)).unwrap();
    disk.switch(&[("updates/a.ko", "/x/a.ko")], &["old.ko"], false);
    assert_eq!(
        disk.there(),
        [
            "deep/",
            "deep/er/",
            "deep/er/file.ko",
            "updates/",
            "updates/a.ko -> /x/a.ko",
            "updates/theirs.ko -> /elsewhere/theirs.ko",
        ]
    );
    let after = fs::metadata(disk.files.join(&file)).unwrap();
    assert_eq!((after.ino(), after.mode(), after.nlink()), (before.ino(), before.mode(), 1));
    assert_eq!(fs::read(disk.files.join(&file)).unwrap(), b"precious");
}

#[test]
fn where_the_kernel_is_gone_its_empty_directories_go() {
    let disk = Disk::new();
    disk.link("updates/a.ko", "/x/a.ko");
    fs::remove_dir_all(disk.files.join(format!("{DIR}/kernel"))).unwrap();
    disk.files.write(format!("{DIR}/modules.dep"), b"");
    disk.switch(&[], &["updates/a.ko"], true);
    assert!(!disk.files.join(DIR).exists());

    let disk = Disk::new();
    disk.link("updates/a.ko", "/x/a.ko");
    disk.files.write(format!("{DIR}/mine"), b"");
    disk.switch(&[], &["updates/a.ko"], true);
    assert!(!disk.files.join(format!("{DIR}/weak-updates")).exists());
    assert!(disk.files.join(format!("{DIR}/mine")).exists());
}

/// A run that was killed leaves its preparations; the next one clears them away.
#[test]
fn what_a_killed_run_left_is_cleared_away() {
    let disk = Disk::new();
    disk.files.write("usr/lib/modules/.kmp-6.4.0-1-default/updates/half.ko", b"");
    disk.switch(&[("updates/a.ko", "/x/a.ko")], &[], false);
    assert_eq!(disk.there(), ["updates/", "updates/a.ko -> /x/a.ko"]);
    assert!(disk.is_clean());
}

#[test]
fn a_weak_updates_that_is_no_directory_is_left_alone() {
    let disk = Disk::new();
    symlink("/elsewhere", disk.files.join(format!("{DIR}/weak-updates"))).unwrap();
    let inventory = Inventory::take(
        &disk.root,
        Err(&librpm_rt::Error::NoLibrary { tried: vec![] }),
        &[],
        &crate::workers::Serial,
    )
    .unwrap();
    let links = BTreeMap::from([(Path::new("a.ko"), Path::new("/x/a.ko"))]);
    let wanted = Wanted { links, foreign: vec![], unwanted: vec![], kernel_is_gone: false };
    let error = switch(&disk.root, &inventory.releases[Id::at(0)], &wanted).unwrap_err();
    assert!(error.to_string().contains("left alone"), "{error}");
    assert_eq!(
        fs::read_link(disk.files.join(format!("{DIR}/weak-updates"))).unwrap(),
        Path::new("/elsewhere")
    );
}
