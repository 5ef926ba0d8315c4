// SPDX-License-Identifier: LGPL-2.1-or-later
//! A commit plugin that is missing, broken or killed; a commit that ends early. Nothing is ever stopped in the middle of a
//! commit, and the links are right afterwards.

use testkit::{Output, PackageBuilder};

use crate::packages::{NEW, kernel, kmp, link, make_executable, telling};
use crate::support::{COMMIT_PLUGIN, Mode, Site, goes_through, has_classic_mode};

in_both_modes! {
    without_the_commit_plugin,
    without_the_rpm_plugin,
    a_package_that_fails_at_the_end,
}

fn plain(name: &str) -> PackageBuilder {
    PackageBuilder::new(name, "1", "1")
}

/// A kernel that `foo` does not work with, after another package.
fn offer_breaking(site: &Site) {
    site.offer(&[plain("a").provides("x"), telling(&kernel(NEW, 8)).requires("x")]);
}

#[track_caller]
fn warns_and_goes_on(site: &Site, output: Output) {
    let output = goes_through(output);
    assert!(output.stdout.contains("warning: kmp: foo-kmp-default-1.0"), "{output}");
    assert!(output.stdout.contains("unless another package of this update brings it"), "{output}");
    assert!(site.has("kernel-default-6.4.0-3") && site.root().exists(link(NEW, "bar")), "{output}");
}

fn without_the_commit_plugin(mode: Mode) {
    let site = Site::new(mode);
    site.sh(&format!("rm /{COMMIT_PLUGIN}")).expect_success();
    offer_breaking(&site);
    let output = site.zypper(&["install", "kernel-default"]);
    match mode {
        Mode::Classic => warns_and_goes_on(&site, output),
        Mode::Single => {
            assert!(!output.success() && output.stdout.contains("error: kmp: foo"), "{output}");
            assert!(!site.has("a"));
        }
    }
}

#[test]
fn a_commit_plugin_that_is_damaged() {
    if !has_classic_mode() {
        return;
    }
    for (text, is_executable) in [
        ("", true),
        ("\u{1}\u{2}", true),
        ("#!/bin/sh\nexit 1\n", true),
        ("#!/no\n", true),
        ("#!/bin/sh\n", false),
    ] {
        let site = Site::new(Mode::Classic);
        site.root().write(COMMIT_PLUGIN, text);
        if is_executable {
            make_executable(&site.root().join(COMMIT_PLUGIN));
        }
        offer_breaking(&site);
        warns_and_goes_on(&site, site.zypper(&["install", "kernel-default"]));
    }
}

/// The commit plugin does what is left to do.
fn without_the_rpm_plugin(mode: Mode) {
    let site = Site::new(mode);
    site.root().write("etc/rpm/macros", "%_dbpath /var/lib/rpm\n%__transaction_kmp %{nil}\n");
    offer_breaking(&site);
    goes_through(site.zypper(&["install", "kernel-default"]));
    assert!(site.root().exists(link(NEW, "bar")));
}

fn a_package_that_fails_at_the_end(mode: Mode) {
    let site = Site::new(mode);
    let last = plain("z").requires("kernel-default = 6.4.0-3").scriptlet("pre", "exit 1");
    site.offer(&[telling(&kernel(NEW, 7)), last]);
    let output = site.zypper(&["install", "z"]);
    assert!(!output.success() && !site.has("z") && site.has("kernel-default-6.4.0-3"), "{output}");
    assert!(site.root().exists(link(NEW, "foo")), "{output}");
    assert!(!site.root().exists("run/kmp/commit") && !site.root().exists("run/kmp/commit-judged"));
}

/// Kills what runs a program; `ps` and its like may not be there.
const KILL: &str =
    "for p in /proc/[0-9]*; do case $(readlink $p/exe) in */bin/kmp) kill -9 ${p#/proc/};; esac; done";

#[test]
fn a_commit_plugin_that_is_killed() {
    if !has_classic_mode() {
        return;
    }
    let site = Site::new(Mode::Classic);
    let new = kernel(NEW, 8);
    let driver = kmp("foo", "2.0", &new, 8).requires("kernel-default = 6.4.0-3");
    let look = format!("[ -f {} ] && echo linked >/looked", link(NEW, "bar"));
    site.offer(&[
        plain("a").provides("x").scriptlet("post", KILL),
        telling(&new).requires("x").scriptlet("post", &format!("weak-modules2 --add-kernel {NEW}")),
        driver.scriptlet("posttrans", &look),
    ]);
    goes_through(site.zypper(&["install", "foo-kmp-default"]));
    assert_eq!(site.root().read("looked"), "linked\n");
    // Its list is still there; nobody believes it.
    assert!(site.root().exists("run/kmp/commit"));
    let output = site.zypper(&["install", "kernel-default", "-foo-kmp-default"]);
    goes_through(output);
    assert!(!site.root().exists("run/kmp/commit") && !site.has("foo-kmp-default"));
}

#[test]
fn zypper_that_is_killed() {
    if !has_classic_mode() {
        return;
    }
    let site = Site::new(Mode::Classic);
    let last =
        plain("z").requires("kernel-default = 6.4.0-3").scriptlet("pre", "kill -9 $ZYPP_IS_RUNNING; exit 1");
    site.offer(&[telling(&kernel(NEW, 7)), last]);
    let wait = "while readlink /proc/[0-9]*/exe | grep -Eq '/(kmp|rpm)$'; do sleep 0.1; done";
    let output = site.sh(&format!("zypper --non-interactive install z; {wait}"));
    assert!(site.has("kernel-default-6.4.0-3") && site.root().exists(link(NEW, "foo")), "{output}");
}

/// What comes later is not there to be judged.
#[test]
fn packages_that_are_downloaded_one_by_one() {
    let site = Site::new(Mode::Classic);
    offer_breaking(&site);
    let output = site.zypper(&["install", "--download", "as-needed", "kernel-default"]);
    warns_and_goes_on(&site, output);
}
