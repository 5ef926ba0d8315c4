// SPDX-License-Identifier: LGPL-2.1-or-later
//! What each of zypper's commands does with a kernel that may come with a build of its driver, and with one for which there is none.

use testkit::PackageBuilder;

use super::scene::{Row, Scene};
use super::{driver, needs, offer, offered, site, site_with_rules};
use crate::support::{Site, goes_through};

const BOTH: &[&str] = &["kernel-default-6.4.0-2", "foo-kmp-default-1.2_k6.4.0_2"];
const HELD: &[&str] = &["kmp-hold(foo-kmp-default)"];

/// Kernel 2 has a build of the driver by another vendor, kernel 3 has none. Whatever is asked for by its name is there; what
/// cannot be is asked about, and the answer without a person is to cancel.
#[test]
fn every_command_brings_kernel_and_driver_together_or_neither() {
    let Some(site) = site_with_rules() else { return };
    // With what is installed in the repository, so that `dup` has no reason to ask.
    let tool = |version: &str| PackageBuilder::new("tool", version, "1");
    let new = PackageBuilder::new("new", "1", "1");
    // It fits the third kernel alone, by its dependencies: to have it, that kernel would have to come.
    let wants = needs("bar", "1.0", 2).tag("Supplements", "tool");
    let packages =
        [offered(0), offered(1), driver("1.0", 0, "One"), driver("1.2", 1, "Two"), tool("1"), tool("2")];
    offer(&site, &packages);
    site.advise("kernel-default", "6.4.0", "2");
    // For those commands that do not look at the repositories again.
    site.sh("zypper --quiet refresh").expect_success();
    let all = &[BOTH[0], BOTH[1], "tool-2"];
    each(
        &site,
        &[
            Row { words: "update", comes: all, status: 0, says: &["kernel-default"] },
            Row { words: "dup", comes: all, status: 0, says: &[] },
            Row { words: "update kernel-default", comes: BOTH, status: 0, says: &["foo-kmp-default"] },
            Row { words: "install kernel-default", comes: BOTH, status: 0, says: &["foo-kmp-default"] },
            Row { words: "patch", comes: BOTH, status: 0, says: &["KMP-1"] },
            Row { words: "update tool", comes: &["tool-2"], status: 0, says: &[] },
            Row {
                words: "update --dry-run",
                comes: &[],
                status: 0,
                says: &["kernel-default", "foo-kmp-default"],
            },
            Row { words: "--no-refresh update", comes: all, status: 0, says: &[] },
        ],
    );
    // A kernel that is held, and newer.
    offer(&site, &[offered(2), new, wants]);
    site.advise("kernel-default", "6.4.0", "3");
    each(
        &site,
        &[
            Row { words: "update", comes: all, status: 0, says: &["kernel-default-6.4.0-3"] },
            Row { words: "dup", comes: all, status: 0, says: &[] },
            Row {
                words: "install kernel-default=6.4.0-2",
                comes: BOTH,
                status: 0,
                says: &["foo-kmp-default"],
            },
            Row { words: "install new", comes: &["new-1"], status: 0, says: &[] },
            // The newest is what these two are about.
            Row { words: "update kernel-default", comes: &[], status: 4, says: HELD },
            Row { words: "install kernel-default=6.4.0-3", comes: &[], status: 4, says: HELD },
            // An advisory about it: the whole run is cancelled, as whoever runs it has to decide.
            Row { words: "patch", comes: &[], status: 4, says: HELD },
            // A driver that would bring it.
            Row { words: "install-new-recommends", comes: &[], status: 0, says: &[] },
            Row { words: "install bar-kmp-default", comes: &[], status: 4, says: HELD },
            Row { words: "verify", comes: &[], status: 0, says: &[] },
        ],
    );
}

/// Each from the same beginning.
fn each(site: &Site, rows: &[Row<'_>]) {
    let scene = Scene::of(site);
    for row in rows {
        row.check(site);
        scene.again();
    }
}
/// No rule is about a kernel that is installed: nothing asks for its removal, or for a driver that is nowhere.
#[test]
fn a_kernel_that_is_installed_already_stays() {
    let Some(site) = site_with_rules() else { return };
    site.install(&[&offered(1).build()]);
    offer(&site, &[offered(0), offered(1), driver("1.0", 0, "One"), PackageBuilder::new("tool", "1", "1")]);
    offer(&site, &[PackageBuilder::new("new", "1", "1"), PackageBuilder::new("tool", "2", "1")]);
    let scene = Scene::of(&site);
    for (words, comes) in [
        ("update", &["tool-2"][..]),
        ("dup", &["tool-2"]),
        ("verify", &[]),
        ("install new", &["new-1"]),
        ("install kernel-default", &[]),
    ] {
        let output = goes_through(site.zypper(&words.split(' ').collect::<Vec<_>>()));
        assert!(
            !output.stdout.contains("REMOVE") && !output.stdout.contains("Problem:"),
            "{words}: {output}"
        );
        for package in
            ["kernel-default-6.4.0-1", "kernel-default-6.4.0-2", "foo-kmp-default"].iter().chain(comes)
        {
            assert!(site.has(package), "{words}, {package}: {output}");
        }
        scene.again();
    }
}

/// The build that was there when kmp judged is gone: the kernel is kept back, and everything else goes on.
#[test]
fn a_rule_that_cannot_be_met_keeps_the_kernel_back() {
    let Some(site) = site_with_rules() else { return };
    offer(&site, &[offered(0), offered(1), driver("1.0", 0, "One"), driver("1.2", 1, "Two")]);
    site.sh("zypper --quiet refresh").expect_success();
    let rules = site.root().read("etc/zypp/systemCheck.d/kmp.check");
    assert!(
        rules.contains("requires:(foo-kmp-default = 1.2_k6.4.0_2-1 if (kernel-default = 6.4.0-2 and"),
        "{rules}"
    );
    std::fs::remove_file(site.root().join("repo/foo-kmp-default-1.2_k6.4.0_2-1.x86_64.rpm")).unwrap();
    offer(&site, &[PackageBuilder::new("tool", "2", "1")]);
    // Without a look by kmp.
    site.sh("rm /etc/zypp/repos.d/kmp.repo").expect_success();
    let scene = Scene::of(&site);
    for row in [
        Row { words: "update", comes: &["tool-2"], status: 0, says: &["NOT be installed"] },
        Row { words: "dup", comes: &["tool-2"], status: 0, says: &[] },
        Row { words: "install kernel-default=6.4.0-2", comes: &[], status: 4, says: &["1.2_k6.4.0_2-1"] },
    ] {
        row.check(&site);
        scene.again();
    }
}

/// What people have said to zypper themselves stays as it is, and counts.
#[test]
fn the_users_own_locks_and_rules_stay_untouched() {
    let site = site();
    let locks = "\ntype: package\nmatch_type: exact\ncase_sensitive: on\nsolvable_name: kernel-default\n\n";
    let rules = "# the administrator's\nrequires:tool\n";
    site.root().write("etc/zypp/locks", locks);
    site.root().write("etc/zypp/systemCheck.d/own.check", rules);
    offer(&site, &[offered(1), driver("1.2", 1, "One"), PackageBuilder::new("tool", "2", "1")]);
    Row { words: "update", comes: &["tool-2"], status: 0, says: &["kernel-default"] }.check(&site);
    site.sh("kmp update --clear").expect_success();
    assert_eq!(site.root().read("etc/zypp/locks").trim(), locks.trim());
    assert_eq!(site.root().read("etc/zypp/systemCheck.d/own.check"), rules);
}
