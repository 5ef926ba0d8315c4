// SPDX-License-Identifier: LGPL-2.1-or-later
//! A plain update brings a kernel with its drivers, or keeps it back: `kmp update`, called by zypper itself.

mod command;
mod hook;
mod lines;
pub mod offers;
mod policy;
mod rows;
mod scene;
mod snapshot;

use testkit::PackageBuilder;

use crate::managers::said;
use crate::packages;
use crate::support::{Mode, Site, goes_through, knows_rules};
use offers::{driver, needs, offered};

/// With the first kernel, the driver for it, and a package that has nothing to do with either.
pub fn site() -> Site {
    // By its own way of transactions.
    let site = Site::bare(if knows_rules() { Mode::Single } else { Mode::Classic });
    let libzypp = if knows_rules() { "17.38.0" } else { "17.25.7" };
    let packages = [
        offered(0),
        driver("1.0", 0, "One"),
        PackageBuilder::new("tool", "1", "1"),
        PackageBuilder::new("libzypp", libzypp, "1"),
    ];
    for package in packages {
        site.install(&[&package.build()]);
    }
    // The package has it; /etc is not the machine's.
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/zypp-repository/kmp.repo-suse");
    site.root().write("etc/zypp/repos.d/kmp.repo", std::fs::read(file).unwrap());
    site.root().write("etc/zypp/zypp.conf.d/test.conf", "[main]\nrepo.refresh.delay = 0\n");
    let conf = "[main]\nmultiversion = provides:multiversion(kernel)\nrepo.refresh.delay = 0\n";
    site.root().write("etc/zypp/zypp.conf", conf);
    site
}

/// The same, where libzypp knows rules; what it does by them is skipped elsewhere.
fn site_with_rules() -> Option<Site> {
    let knows = knows_rules();
    if !knows {
        testkit::skip("this libzypp knows no conditions in rules, which 17.31.9 and later have");
    }
    knows.then(site)
}

/// Adds to the repository, one at a time, as several have the same name.
pub fn offer(site: &Site, packages: &[PackageBuilder]) {
    let built: Vec<_> = packages.iter().map(PackageBuilder::build).collect();
    site.offer_files(built.iter().map(testkit::Package::path));
}

#[test]
fn a_plain_update_brings_kernel_and_driver_or_holds_the_kernel() {
    let site = site();
    offer(&site, &[offered(2), PackageBuilder::new("tool", "2", "1")]);
    // No build of the driver: the kernel stays away, all else is updated.
    let output = goes_through(site.zypper(&["update"]));
    let words = said(&output);
    assert!(site.has("tool-2") && !site.has("kernel-default-6.4.0-3"), "{words}");
    assert!(!words.contains("error: kmp"), "{words}");
    let hold = site.sh("kmp hold").expect_success().stdout;
    assert!(hold.starts_with("1 kernel is held back") && hold.contains("foo-kmp-default"), "{hold}");
    let status = site.sh("kmp status").stdout;
    assert!(status.contains("kernels that are held back"), "{status}");
    // On the day when the driver is there, it comes with it.
    offer(&site, &[driver("3.0", 2, "One")]);
    let words = said(&goes_through(site.zypper(&["update"])));
    assert!(site.has("kernel-default-6.4.0-3") && site.has("foo-kmp-default-3.0_k6.4.0_3"), "{words}");
    assert!(site.root().exists("usr/lib/modules/6.4.0-3-default/updates/foo.ko"), "{words}");
    let hold = site.sh("kmp hold").expect_success().stdout;
    assert!(hold.starts_with("No kernel is held back"), "{hold}");
}

/// What only rules with conditions do.
#[test]
fn a_build_of_another_vendor_or_a_lower_version_comes_with_its_kernel() {
    if !knows_rules() {
        testkit::skip("this libzypp knows no conditions in rules, which 17.31.9 and later have");
        return;
    }
    for (version, vendor) in [("1.2", "Two"), ("0.9", "One")] {
        let site = site();
        offer(&site, &[offered(1), offered(2), driver(version, 1, vendor)]);
        let words = said(&goes_through(site.zypper(&["update"])));
        assert!(site.has("kernel-default-6.4.0-2") && !site.has("kernel-default-6.4.0-3"), "{words}");
        assert!(site.has(&format!("foo-kmp-default-{version}_k6.4.0_2")), "{words}");
        // The rules about what is installed are gone.
        let rules = site.root().read("etc/zypp/systemCheck.d/kmp.check");
        assert!(!rules.contains("= 6.4.0-2 and") && rules.contains("= 6.4.0-3 and"), "{rules}");
    }
}

/// Whatever is asked of zypper, the kernel stays away until the driver is gone; and nothing is left of kmp's once it goes.
#[test]
fn a_held_kernel_stays_away_from_every_command() {
    let site = site();
    let users = "\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: bar\n\n";
    site.root().write("etc/zypp/locks", users);
    offer(&site, &[offered(0), offered(2), driver("1.0", 0, "One"), PackageBuilder::new("new", "1", "1")]);
    site.sh("kmp --quiet update");
    assert!(site.sh("kmp hold").stdout.starts_with("1 kernel is held back"));
    for (arguments, is_refused) in
        [("dup", false), ("install new", false), ("patch", false), ("install kernel-default=6.4.0-3", true)]
    {
        let output = site.sh(&format!("zypper --non-interactive {arguments}"));
        assert_eq!(output.success(), !is_refused, "{output}");
        assert!(!site.has("kernel-default-6.4.0-3"), "{output}");
        if is_refused && knows_rules() {
            assert!(said(&output).contains("kmp-hold(foo-kmp-default)"), "{output}");
        }
    }
    assert!(site.has("new"));
    // Let come once: rpm's plugin would only warn.
    site.sh("kmp hold --release 6.4.0-3-default").expect_success();
    assert!(site.sh("kmp hold").stdout.starts_with("No kernel is held back"));
    site.sh("rm /var/cache/kmp/update; kmp --quiet update");
    assert!(site.sh("kmp hold").stdout.starts_with("1 kernel is held back"));
    // The driver is gone: so is the reason.
    goes_through(site.zypper(&["remove", "foo-kmp-default"]));
    let words = said(&goes_through(site.zypper(&["update"])));
    assert!(site.has("kernel-default-6.4.0-3"), "{words}");
    site.sh("kmp update --clear").expect_success();
    assert!(!site.root().exists("etc/zypp/systemCheck.d/kmp.check"));
    assert!(!site.root().exists("var/cache/kmp/update"));
    let locks = site.root().read("etc/zypp/locks");
    assert!(locks.contains("solvable_name: bar") && !locks.contains("kmp-hold"), "{locks}");
}
