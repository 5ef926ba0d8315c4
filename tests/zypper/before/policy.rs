// SPDX-License-Identifier: LGPL-2.1-or-later
//! What kmp.conf says about kernels without a build of a driver, and about builds by others, is what a plain update does.

use testkit::PackageBuilder;

use super::scene::Scene;
use super::{driver, offer, offered, site};
use crate::managers::said;
use crate::support::knows_rules;

const DAY: u64 = 24 * 60 * 60;

/// What becomes of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It stays away, all else is updated.
    Held,
    /// It comes, and rpm's plugin warns.
    Comes,
    /// rpm's plugin stops the transaction that has it.
    Stopped,
}

#[test]
fn of_a_kernel_without_a_build() {
    let site = site();
    let tool = PackageBuilder::new("tool", "2", "1");
    offer(&site, &[offered(0), offered(2), driver("1.0", 0, "One"), tool]);
    site.sh("kmp --quiet update");
    let is_held_since = || {
        let hold = site.sh("kmp hold").expect_success().stdout;
        hold.lines().find(|line| line.contains(", since ")).unwrap().to_owned()
    };
    let today = is_held_since();
    // It has been held for nine days.
    let kept = site.root().read("var/cache/kmp/update");
    let held = kept.lines().find(|line| line.starts_with("kernel\t")).unwrap();
    // Not when it was looked at last: where zypper has asked kmp in between, that is later.
    let since = held.split('\t').find(|field| field.len() == 10 && field.parse::<u64>().is_ok()).unwrap();
    let earlier = (since.parse::<u64>().unwrap() - 9 * DAY).to_string();
    site.root().write("var/cache/kmp/update", kept.replace(held, &held.replace(since, &earlier)));
    assert_ne!(is_held_since(), today);
    let scene = Scene::of(&site);
    for (conf, fate) in [
        ("missing = hold\n", Fate::Held),
        ("missing = warn\n", Fate::Comes),
        ("missing = abort\n", Fate::Stopped),
        ("[kernel-default]\nmissing = warn\n", Fate::Comes),
        ("[kernel-rt]\nmissing = warn\n", Fate::Held),
        ("missing = warn\n[foo-kmp-*]\nmissing = hold\n", Fate::Held),
        ("hold-max-days = 9\n", Fate::Comes),
        ("hold-max-days = 10\n", Fate::Held),
        ("hold-max-days = 9\n[foo-kmp-default]\nhold-max-days = 0\n", Fate::Held),
    ] {
        site.root().write("etc/kmp.conf", conf);
        let output = site.zypper(&["update"]);
        let words = said(&output);
        let has_kernel = site.has("kernel-default-6.4.0-3");
        assert_eq!(has_kernel, fate == Fate::Comes, "{conf}: {words}");
        assert_eq!(output.success(), fate != Fate::Stopped, "{conf}: {words}");
        assert_eq!(words.contains("error: kmp"), fate == Fate::Stopped, "{conf}: {words}");
        assert_eq!(words.contains("warning: kmp"), fate == Fate::Comes, "{conf}: {words}");
        assert!(fate == Fate::Stopped || site.has("tool-2"), "{conf}: {words}");
        scene.again();
    }
}

#[test]
fn of_a_build_by_another_vendor() {
    let site = site();
    offer(&site, &[offered(0), offered(1), driver("1.0", 0, "One"), driver("1.2", 1, "Two")]);
    let scene = Scene::of(&site);
    for (conf, may_come) in [
        ("vendor-change = yes\n", true),
        ("vendor-change = no\n", false),
        ("vendor-change = no\n[foo-*]\nvendor-change = yes\n", true),
        ("[foo-*]\nvendor-change = no\n", false),
        // Nobody has signed it.
        ("vendor-change = same-key\n", false),
    ] {
        site.root().write("etc/kmp.conf", conf);
        let words = said(&crate::support::goes_through(site.zypper(&["update"])));
        // Without rules such a build does not come by itself, and the kernel waits for it.
        let comes = may_come && knows_rules();
        assert_eq!(site.has("kernel-default-6.4.0-2"), comes, "{conf}: {words}");
        assert_eq!(site.has("foo-kmp-default-1.2_k6.4.0_2"), comes, "{conf}: {words}");
        scene.again();
    }
}
