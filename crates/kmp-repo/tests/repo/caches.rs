// SPDX-License-Identifier: LGPL-2.1-or-later
//! The real package managers' caches.

use std::path::Path;
use std::process::Command;

use kmp_fs::root::Root;
use kmp_repo::found::{Manager, Repository, dnf, installonly_limit, zypp};
use testkit::{TestRoot, run};

use crate::made::{CONCERNS, concerns, read, repository};

fn alias(repository: &Repository) -> (&str, &str, u32, bool) {
    let Repository { alias, name, priority, metadata, .. } = repository;
    (alias, name, *priority, metadata.is_some())
}

fn all_are_read(root: &TestRoot, repositories: &[Repository]) {
    for dir in repositories.iter().filter_map(|r| r.metadata.as_ref()) {
        assert_eq!(concerns(&read(root, dir).unwrap()), CONCERNS, "{}", dir.display());
    }
}

#[test]
fn zyppers() {
    let root = repository(&[]);
    let zypper = |arguments: &[&str]| {
        let mut zypper = Command::new("zypper");
        zypper.arg("--root").arg(root.path()).args(["--non-interactive", "--no-gpg-checks"]);
        run(zypper.args(arguments)).expect_success()
    };
    let url = format!("dir:{}", root.join("repo").display());
    zypper(&["addrepo", "--name", "The first", "--priority", "50", &url, "my-first"]);
    zypper(&["addrepo", "--disable", &url, "not-this"]);
    zypper(&["refresh"]);
    zypper(&["addrepo", &url, "not-yet"]);
    let found = zypp(&Root::open(&root.path()).unwrap());
    assert!(found.unread.is_empty());
    let found = found.repositories;
    assert_eq!(
        found.iter().map(alias).collect::<Vec<_>>(),
        [("my-first", "The first", 50, true), ("not-yet", "not-yet", 99, false)]
    );
    all_are_read(&root, &found);
}

#[test]
fn dnfs() {
    let root = repository(&[]);
    let mut seen = 0;
    for (program, manager) in [("dnf", Manager::Dnf4), ("dnf5", Manager::Dnf5)] {
        if !Path::new("/usr/bin").join(program).exists() {
            continue;
        }
        seen += 1;
        let repos = format!(
            "[my-first]\nname=The first\nbaseurl=file://{}\ngpgcheck=0\npriority=50\n\
             [off]\nname=Off\nbaseurl=file:///nowhere\nenabled=0\n",
            root.join("repo").display()
        );
        root.write("etc/yum.repos.d/a.repo", repos);
        root.write("etc/dnf/dnf.conf", "[main]\ngpgcheck=0\nplugins=0\n");
        let mut dnf_command = Command::new(program);
        dnf_command
            .arg("--assumeyes")
            .arg("--releasever=9")
            .arg(format!("--installroot={}", root.path().display()));
        run(dnf_command.arg("makecache")).expect_success();
        let found = dnf(&Root::open(&root.path()).unwrap(), manager);
        assert!(found.unread.is_empty());
        let found = found.repositories;
        let is_there = found[0].metadata.is_some();
        assert_eq!(found.iter().map(alias).collect::<Vec<_>>(), [("my-first", "The first", 50, true)]);
        assert!(is_there);
        all_are_read(&root, &found);
    }
    assert!(seen > 0, "neither dnf nor dnf5 is installed");
}

#[test]
fn the_last_that_says_how_many_kernels_dnf_keeps_counts() {
    let root = TestRoot::new();
    let opened = Root::open(&root.path()).unwrap();
    assert_eq!(installonly_limit(&opened), Some(3));
    for (path, value, expected) in [
        ("usr/share/dnf5/libdnf.conf.d/20-x.conf", "5", Some(5)),
        ("usr/share/dnf5/libdnf.conf.d/10-x.conf", "6", Some(5)),
        ("etc/dnf/libdnf5.conf.d/a.conf", "7", Some(7)),
        ("etc/dnf/libdnf5.conf.d/b.repo", "8", Some(7)),
        ("etc/dnf/dnf.conf", "2", Some(2)),
        ("etc/dnf/dnf.conf", "0", None),
        ("etc/dnf/dnf.conf", "many", Some(3)),
    ] {
        root.write(path, format!("[main]\ninstallonly_limit={value}\n"));
        assert_eq!(installonly_limit(&opened), expected, "{path} {value}");
    }
}
