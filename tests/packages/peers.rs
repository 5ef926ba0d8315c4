// SPDX-License-Identifier: LGPL-2.1-or-later
//! The peers' packages are replaced.

use testkit::PackageBuilder;

use crate::support::*;

#[test]
fn suses_scriptlets_give_way() {
    let root = root();
    let peer = PackageBuilder::new("suse-module-tools-scriptlets", "16.1.6", "1")
        .provides("suse-kernel-rpm-scriptlets = 0")
        .file("usr/lib/module-init-tools/weak-modules2", "the original\n")
        .file("usr/sbin/weak-modules2", "the original\n");
    let user = PackageBuilder::new("kernel-user", "1", "1")
        .tag("Requires", "suse-kernel-rpm-scriptlets")
        .tag("Requires", "suse-module-tools-scriptlets");
    rpm(&root, &["-i"], &[peer.build().path(), user.build().path()]).expect_success();
    let output = rpm(&root, &["-U"], &packages(1)).expect_success();
    assert_eq!(output.stderr, "", "{output}");
    assert!(!root.installed().iter().any(|p| p.starts_with("suse-module-tools-scriptlets")));
    assert_eq!(std::fs::read_link(root.join("usr/sbin/weak-modules2")).unwrap().to_str(), Some("../bin/kmp"));
    let output = rpm(&root, &["-V", "kmp-weak-modules2", "kmp-scriptlets", "kernel-user"], &[]);
    assert!(output.success() && output.stdout.is_empty(), "{output}");
}

/// kmod has more than this one file: it stays, and its file gives way where that is asked for.
#[test]
fn red_hats_command_gives_way_where_that_is_asked_for() {
    let root = root();
    let peer = PackageBuilder::new("peer-kmod", "25", "1").file("usr/sbin/weak-modules", "the original\n");
    rpm(&root, &["-i"], &[peer.build().path()]).expect_success();
    let ours = [package("kmp", 1), package("kmp-weak-modules", 1)];
    let output = rpm(&root, &["-i"], &ours);
    assert!(!output.success() && output.stderr.contains("/usr/sbin/weak-modules"), "{output}");
    assert_eq!(root.read("usr/sbin/weak-modules"), "the original\n");
    rpm(&root, &["-i", "--replacefiles"], &ours).expect_success();
    assert_eq!(std::fs::read_link(root.join("usr/sbin/weak-modules")).unwrap().to_str(), Some("../bin/kmp"));
    let output = rpm(&root, &["-V", "kmp-weak-modules", "peer-kmod"], &[]);
    assert!(output.success(), "{output}");
    assert_eq!(output.stdout, ".........    /usr/sbin/weak-modules (replaced)\n");
}
