// SPDX-License-Identifier: LGPL-2.1-or-later
use std::os::unix::fs::symlink;
use std::path::Path;

use testkit::{KernelBuilder, ModuleBuilder, TestRoot};

use super::{open, take};
use crate::ids::Id;
use crate::inventory::Ownership;
use crate::inventory::{ItemKind, Release};

fn below(release: &Release) -> Vec<&str> {
    release.third_party.iter().filter_map(|m| m.below.to_str()).collect()
}

/// d8fab38: a directory that a KMP alone has made is no kernel.
#[test]
fn a_directory_with_updates_only_is_no_kernel() {
    let files = TestRoot::new();
    KernelBuilder::new("6.4.0-2-default").write(&files.path());
    files.write("usr/lib/modules/6.4.0-1-default/updates/foo.ko", b"");
    let inventory = take(&open(&files));
    let releases: Vec<_> = inventory.releases.iter().map(|r| (&*r.release, r.is_kernel)).collect();
    assert_eq!(releases, [("6.4.0-1-default", false), ("6.4.0-2-default", true)]);
    assert_eq!(inventory.kernels().count(), 1);
}

#[test]
fn third_party_modules_are_in_depmods_order() {
    let files = TestRoot::new();
    let dir =
        KernelBuilder::new("6.4.0").module("drivers", ModuleBuilder::new("in-tree")).write(&files.path());
    for file in
        ["other/x.ko", "extra/a.ko.xz", "updates/b-c.ko", "updates/a.ko.zst", "top.ko", "updates/README"]
    {
        files.write(Path::new("usr/lib/modules/6.4.0").join(file), b"");
    }
    assert!(dir.exists());
    let inventory = take(&open(&files));
    let release = &inventory.releases[Id::at(0)];
    assert_eq!(
        below(release),
        ["updates/a.ko.zst", "updates/b-c.ko", "extra/a.ko.xz", "other/x.ko", "top.ko"]
    );
    assert_eq!(&*release.third_party[1].name, "b_c");
    assert!(release.in_tree_names.contains("in_tree"));
    assert!(release.weak_updates.is_none());
}

#[test]
fn what_weak_updates_holds_and_whose_it_is() {
    let files = TestRoot::new();
    KernelBuilder::new("6.4.0").write(&files.path());
    let weak = "usr/lib/modules/6.4.0/weak-updates";
    files.write(format!("{weak}/file.ko"), b"");
    files.write("usr/lib/modules/6.3.0/updates/there.ko", b"");
    for (link, target) in [
        ("there.ko", "/usr/lib/modules/6.3.0/updates/there.ko"),
        ("gone.ko", "/lib/modules/6.3.0/updates/gone.ko"),
        ("outside.ko", "/opt/gone.ko"),
        ("dots.ko", "/usr/lib/modules/../../../gone.ko"),
        ("no-module", "/usr/lib/modules/6.3.0/updates/gone"),
    ] {
        symlink(target, files.join(format!("{weak}/{link}"))).unwrap();
    }
    let root = open(&files);
    let mut inventory = take(&root);
    inventory.look_into(&root, &|_| None);
    let items = inventory.releases[Id::at(1)].weak_updates.as_deref().unwrap();
    let ours: Vec<_> = items
        .iter()
        .filter(|i| i.ownership == Ownership::Dangling)
        .map(|i| (i.below.to_str().unwrap(), matches!(i.kind, ItemKind::Link(_))))
        .collect();
    // Only what leads nowhere below a directory of modules, and is named like one.
    assert_eq!((items.len(), ours), (6, vec![("gone.ko", true)]));
}

#[test]
fn both_layouts_of_the_root_are_known() {
    for (files, dir) in [
        (TestRoot::new(), "/usr/lib/modules"),
        (TestRoot::without_lib_link(), "/usr/lib/modules"),
        (TestRoot::unmerged(), "/lib/modules"),
    ] {
        files.write(Path::new(dir).join("6.4.0/updates/foo.ko"), b"");
        let inventory = take(&open(&files));
        assert_eq!(inventory.dirs.path(), Path::new(dir));
        assert_eq!(
            inventory.releases[Id::at(0)].third_party[0].path,
            Path::new(dir).join("6.4.0/updates/foo.ko")
        );
    }
}
