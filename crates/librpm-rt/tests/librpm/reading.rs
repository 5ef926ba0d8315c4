// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is read from a sound database.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use librpm_rt::{Error, Librpm};
use rpm_meta::Evr;

use crate::root::{Root, UPDATES};

#[test]
fn a_kmp_is_found_by_its_directory_and_read() {
    let root = Root::new();
    let database = root.open().unwrap();
    let owners = database.owners_of_dir(UPDATES).unwrap();
    assert_eq!(owners.len(), 1);
    let kmp = database.package(owners[0], &|dir| dir == UPDATES).unwrap();
    assert_eq!(kmp.instance, Some(owners[0]));
    assert_eq!(kmp.name, "drv-kmp-default");
    assert_eq!(kmp.evr, Evr { epoch: Some(2), version: "1.0_k6.4.0_1".into(), release: "3.1".into() });
    assert_eq!(kmp.nvr(), "drv-kmp-default-1.0_k6.4.0_1-3.1");
    assert_eq!(kmp.nvra(), "drv-kmp-default-1.0_k6.4.0_1-3.1.noarch");
    let updates = Path::new(OsStr::from_bytes(UPDATES));
    let files = [Path::new("drv.ko"), Path::new(OsStr::from_bytes(b"odd\xff.ko")), Path::new("sub")];
    assert_eq!(kmp.files, files.map(|file| updates.join(file)));
    let provide = kmp.provides.iter().find(|provide| provide.name == "ksym(default:drv_probe)").unwrap();
    assert_eq!((provide.flags & 0b1110, provide.evr.as_str()), (0b1000, "deadbeef"));
    let own = kmp.provides.iter().find(|provide| provide.name == kmp.name).unwrap();
    assert_eq!(Evr::parse(&own.evr), kmp.evr);
}

#[test]
fn lookups_give_what_rpm_gives() {
    let root = Root::new();
    let database = root.open().unwrap();
    let name = |instance: u32| database.package(instance, &|_| false).unwrap().name;
    let names = |found: Vec<u32>| found.into_iter().map(name).collect::<Vec<_>>();
    assert_eq!(names(database.by_name("tool").unwrap()), ["tool"]);
    assert_eq!(names(database.by_provide("ksym(default:drv_probe)").unwrap()), ["drv-kmp-default"]);
    assert_eq!(names(database.owners_of_dir(b"/usr/bin/").unwrap()), ["tool"]);
    assert!(database.owners_of_dir(b"/usr/bin").unwrap().is_empty());
    assert!(database.owners_of_dir(b"").unwrap().is_empty());
    assert!(database.by_name("absent").unwrap().is_empty());
    let mut all = names(database.all().unwrap());
    all.sort();
    assert_eq!(all, ["big", "drv-kmp-default", "tool"]);
    assert!(database.package(4711, &|_| true).unwrap_err().to_string().contains("4711"));
}

#[test]
fn directories_come_sorted_with_their_owners() {
    let root = Root::new();
    let database = root.open().unwrap();
    let dirs = database.dirs_below(b"/usr/lib/modules/").unwrap();
    let names: Vec<_> = dirs.iter().map(|dir| dir.name.clone()).collect();
    assert_eq!(
        names.iter().map(|name| String::from_utf8_lossy(name)).collect::<Vec<_>>(),
        [
            "/usr/lib/modules/6.4.0-1-default/",
            "/usr/lib/modules/6.4.0-1-default/updates/",
            "/usr/lib/modules/6.4.0-1-default/updates/sub/"
        ]
    );
    for dir in &dirs {
        assert_eq!(dir.owners, database.owners_of_dir(&dir.name).unwrap());
    }
    assert_eq!(names, database.dir_names(&|dir| dir.starts_with(b"/usr/lib/modules/")).unwrap());
}

#[test]
fn files_are_those_of_the_directories_asked_for() {
    let root = Root::new();
    let database = root.open().unwrap();
    let big = database.by_name("big").unwrap()[0];
    assert!(database.package(big, &|_| false).unwrap().files.is_empty());
    assert_eq!(database.package(big, &|_| true).unwrap().files.len(), 1 + 200 + 2000);
    let one = database.package(big, &|dir| dir == b"/usr/share/big/7/").unwrap();
    assert_eq!(one.files.len(), 10);
    assert_eq!(one.files[0], PathBuf::from("/usr/share/big/7/a_rather_long_name_of_a_file_7.1"));
}

#[test]
fn reading_leaves_the_root_as_it_was() {
    let root = Root::new();
    let before = root.snapshot();
    let database = root.open().unwrap();
    for instance in database.all().unwrap() {
        database.package(instance, &|_| true).unwrap();
    }
    drop(database);
    let mut after = root.snapshot();
    // sqlite notes its readers there.
    let shm = root.file().with_extension("sqlite-shm");
    after.insert(shm.clone(), before[&shm].clone());
    assert!(before == after, "{:?}", after.keys());
}

#[test]
fn a_database_without_its_log_is_read() {
    let root = Root::new();
    root.without_wal();
    assert_eq!(root.open().unwrap().all().unwrap().len(), 3);
}

#[test]
fn signals_are_left_alone() {
    let caught = || {
        // Of this thread: another one blocks all signals as it starts a thread or a program.
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        // Not `SigQ`, which counts the signals that are queued for all processes of the user.
        let ours = |line: &&str| ["SigBlk:", "SigIgn:", "SigCgt:"].iter().any(|name| line.starts_with(name));
        status.lines().filter(ours).map(str::to_owned).collect::<Vec<_>>()
    };
    let root = Root::new();
    let before = caught();
    let database = root.open().unwrap();
    assert_eq!(database.all().unwrap().len(), 3);
    assert_eq!(before, caught());
}

#[test]
fn several_can_be_open() {
    let (one, two) = (Root::new(), Root::new());
    let first = one.open().unwrap();
    let second = two.open().unwrap();
    let again = one.open().unwrap();
    drop(first);
    assert_eq!(second.all().unwrap(), again.all().unwrap());
    assert!(second.path().starts_with(two.path().canonicalize().unwrap()));
}

#[test]
fn the_place_is_found_below_the_root() {
    let root = Root::empty();
    root.put_database("usr/lib/sysimage/rpm");
    fs::create_dir_all(root.path().join("var/lib")).unwrap();
    symlink("/usr/lib/sysimage/rpm", root.path().join("var/lib/rpm")).unwrap();
    let rpm = Librpm::load().unwrap();
    let explicit = rpm.open_with(root.path(), Some(Path::new("/var/lib/rpm"))).unwrap();
    let found = rpm.open(root.path()).unwrap();
    assert_eq!(found.path(), explicit.path());
    assert!(found.path().ends_with("usr/lib/sysimage/rpm/rpmdb.sqlite"));
    assert_eq!(found.all().unwrap().len(), 3);

    let relative = rpm.open_with(root.path(), Some(Path::new("var/lib/rpm"))).unwrap_err();
    assert!(matches!(relative, Error::Path { .. }), "{relative}");
}
