// SPDX-License-Identifier: LGPL-2.1-or-later
//! Installed, upgraded, removed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use testkit::{TestRoot, same_tree};

use crate::support::*;

/// The root, without what ldconfig and rpm write for themselves.
fn tree(root: &TestRoot) -> BTreeMap<PathBuf, String> {
    let mut tree = root.tree();
    tree.retain(|path, _| {
        !["etc/ld.so.cache", "var/cache", "root", "run"].iter().any(|p| path.starts_with(p))
    });
    tree
}

fn verify(root: &TestRoot) {
    for name in NAMES {
        let output = rpm(root, &["-V", name], &[]);
        assert!(output.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output}");
    }
}

fn quiet(output: testkit::Output) {
    assert_eq!(
        (output.status, output.stdout.as_str(), output.stderr.as_str()),
        (Some(0), "", ""),
        "{output}"
    );
}

#[test]
fn installed_upgraded_and_removed_they_leave_nothing_behind() {
    let root = root();
    let before = tree(&root);
    // With rpm's own check of dependencies, scriptlets and triggers.
    quiet(rpm(&root, &["-i"], &packages(1)));
    verify(&root);
    let installed = tree(&root);
    assert!(installed.contains_key(std::path::Path::new("usr/bin/kmp")));
    let output = inside(&root, "/usr/bin/kmp", &["sync".into()]);
    assert_eq!(
        (output.status, &*output.stdout, &*output.stderr),
        (Some(0), "Nothing to do.\n", ""),
        "{output}"
    );
    quiet(inside(&root, "/usr/sbin/weak-modules2", &["--remove-kernel".into(), "6.4.0-1-default".into()]));
    assert!(inside(&root, "/usr/bin/kmp", &["status".into()]).expect_success().stdout.contains("no kernel"));

    // What the administrator has set stays, and what is kept of modules, until there is no kmp any more.
    let kept = ["var/cache/kmp/depmod/6.4.0-1-default", "var/cache/kmp/depmod/.difference"];
    kept.iter().for_each(|file| root.write(file, "kept"));
    root.write("etc/kmp.conf", "protect = loaded\n");
    quiet(rpm(&root, &["-U"], &packages(2)));
    assert_eq!(root.read("etc/kmp.conf"), "protect = loaded\n");
    assert!(!root.exists("etc/kmp.conf.rpmnew"), "the new one is the same as the old one was");
    root.write("etc/kmp.conf", std::fs::read("../../packaging/kmp.conf").unwrap());
    for name in NAMES {
        let version = rpm(&root, &["-q", "--qf", "%{RELEASE}", name], &[]).stdout;
        assert_eq!(version, "2", "{name}");
    }
    let output = rpm(&root, &["-V", "kmp", "--nomtime"], &[]);
    assert!(output.success() && output.stdout.is_empty(), "{output}");
    NAMES.iter().filter(|n| **n != "kmp").for_each(|name| {
        quiet(rpm(&root, &["-V", name], &[]));
    });
    let upgraded = tree(&root);
    // What links a program to its debug information is named by a checksum, into which some rpms take the release.
    let names = |tree: &BTreeMap<PathBuf, String>| {
        let by_name = tree.keys().filter(|path| !path.starts_with("usr/lib/.build-id"));
        by_name.cloned().collect::<Vec<_>>()
    };
    assert_eq!(names(&upgraded), names(&installed));

    assert!(kept.iter().all(|file| root.exists(file)));
    let names = [&["-e"], NAMES].concat();
    quiet(rpm(&root, &names, &[]));
    assert!(!root.exists("var/cache/kmp"), "{:?}", root.tree());
    same_tree(&tree(&root), &before, "something was left behind");
    assert_eq!(root.installed(), ["base-1-1.x86_64"]);
}

#[test]
fn each_can_be_removed_for_itself_unless_another_needs_it() {
    let root = root();
    rpm(&root, &["-i"], &packages(1)).expect_success();
    for name in ["kmp", "libkmp1", "kmp-weak-modules2"] {
        let output = rpm(&root, &["-e", name], &[]);
        assert!(!output.success() && output.stderr.contains("Failed dependencies"), "{output}");
    }
    for name in [
        "kmp-rpm-macros",
        "kmp-scriptlets",
        "kmp-weak-modules2",
        "kmp-weak-modules",
        "rpm-plugin-kmp",
        "kmp",
        "libkmp-devel",
        "python3-kmp",
    ] {
        quiet(rpm(&root, &["-e", name], &[]));
    }
    assert_eq!(
        root.installed(),
        ["base-1-1.x86_64", &format!("libkmp1-{}-1.x86_64", env!("CARGO_PKG_VERSION"))]
    );
}
