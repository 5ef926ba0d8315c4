// SPDX-License-Identifier: LGPL-2.1-or-later
//! With nothing but our packages and the distribution's own zypper or dnf: a plain update brings a kernel together with its driver,
//! keeps one back that has none while all else is updated, and lets it come on the day the driver is there.

#[path = "../../zypper/managers.rs"]
#[allow(dead_code, reason = "shared with zypper's tests, which use the rest")]
mod managers;
#[path = "../../zypper/before/offers.rs"]
#[allow(dead_code, reason = "shared with zypper's tests, which use the rest")]
mod offers;

use std::path::Path;

use testkit::{Output, PackageBuilder};

use self::managers::{Machine, Manager, said};
use self::offers::{driver, offered};
use crate::support::{package, query, red_hat, takes_large_packages, turn_on, wanted_of};
use crate::updates::site::{self, Mode, Site, goes_through};
use crate::updates::{packages, system};

/// What the distribution has of all that these packages ask for.
fn distribution(files: &[&Path]) -> PackageBuilder {
    let package = PackageBuilder::new("distribution", "1", "1");
    wanted_of(files).iter().fold(package, |package, name| package.provides(name))
}

fn tool(version: &str) -> PackageBuilder {
    PackageBuilder::new("tool", version, "1")
}

#[track_caller]
fn has(site: &Site, names: &[&str], output: &Output) {
    for name in names {
        assert!(site.has(name), "{name}: {}", said(output));
    }
}

#[test]
fn by_zypper() {
    if !takes_large_packages() {
        return;
    }
    let is_new = site::knows_rules();
    let site = Site::on(system::System::new(&[]), if is_new { Mode::Single } else { Mode::Classic });
    let ours = ["kmp", "rpm-plugin-kmp"].map(|name| package(name, 1));
    let libzypp = PackageBuilder::new("libzypp", if is_new { "17.38.0" } else { "17.25.7" }, "1");
    site.install(&[&distribution(&ours).build(), &libzypp.build()]);
    let conf = "[main]\nmultiversion = provides:multiversion(kernel)\nrepo.refresh.delay = 0\n";
    site.root().write("etc/zypp/zypp.conf", conf);
    site.root().write("etc/zypp/zypp.conf.d/test.conf", "[main]\nrepo.refresh.delay = 0\n");
    let lock = "\ntype: package\nmatch_type: exact\ncase_sensitive: on\nsolvable_name: bar\n\n";
    site.root().write("etc/zypp/locks", lock);
    let offer = |packages: &[PackageBuilder]| site.offer(packages);
    site.offer_files(ours);
    turn_on(site.root(), ours[1]);
    offer(&[offered(0)]);
    offer(&[driver("1.0", 0, "One"), tool("1")]);
    let names = ["install", "kernel-default", "foo-kmp-default", "tool", "kmp", "rpm-plugin-kmp"];
    goes_through(site.zypper(&names));

    // A driver of another vendor, which only rules bring; and a kernel that there is none for.
    offer(&[offered(1)]);
    offer(&[driver("1.2", 1, if is_new { "Two" } else { "One" })]);
    offer(&[offered(2), tool("2")]);
    let output = goes_through(site.zypper(&["update"]));
    has(&site, &["kernel-default-6.4.0-2", "foo-kmp-default-1.2_k6.4.0_2", "tool-2"], &output);
    assert!(!site.has("kernel-default-6.4.0-3"), "{output}");
    let status = site.sh("kmp status").stdout;
    assert!(status.contains("kernels that are held back") && status.contains("6.4.0-3"), "{status}");
    assert!(site.sh("kmp hold").stdout.contains("foo-kmp-default"));
    // The day has come.
    offer(&[driver("1.3", 2, if is_new { "Two" } else { "One" })]);
    let output = goes_through(site.zypper(&["update"]));
    has(&site, &["kernel-default-6.4.0-3", "foo-kmp-default-1.3_k6.4.0_3"], &output);

    // Held again, so that there is something to take away: the rules, or the locks beside the user's own; nothing stays behind.
    let last = packages::telling(&packages::kernel("6.4.0-4-default", 10));
    offer(&[last, tool("3")]);
    let output = goes_through(site.zypper(&["update"]));
    assert!(!site.has("kernel-default-6.4.0-4"), "{output}");
    let rules = || site.root().exists("etc/zypp/systemCheck.d/kmp.check");
    let locks = || site.root().read("etc/zypp/locks");
    assert!(if is_new { rules() } else { locks().contains("kmp-hold") }, "{output}");
    goes_through(site.zypper(&["remove", "rpm-plugin-kmp", "kmp"]));
    assert!(!rules() && locks().trim() == lock.trim(), "{}", locks());
    for left in ["var/cache/kmp", "etc/zypp/repos.d/kmp.repo", "usr/lib/zypp/plugins/urlresolver/kmp"] {
        assert!(!site.root().exists(left), "{left}");
    }
    let output = goes_through(site.zypper(&["update"]));
    has(&site, &["kernel-default-6.4.0-4"], &output);
}

#[test]
fn by_dnf() {
    by_dnf_of(Manager::Dnf, "dnf", "python3-dnf-plugin-kmp");
}

#[test]
fn by_dnf5() {
    if Manager::Dnf5.is_there() {
        by_dnf_of(Manager::Dnf5, "dnf5", "libdnf5-plugin-kmp");
    }
}

fn by_dnf_of(by: Manager, dnf: &str, plugin: &'static str) {
    let machine = Machine::on(by, system::System::new(&[]));
    let (site, root) = (&machine.site, machine.root());
    let names = ["kmp", "rpm-plugin-kmp", "kmp-weak-modules", plugin];
    let ours = names.map(red_hat);
    let conf = root.read("etc/dnf/dnf.conf").replace("plugins=0", "plugins=1");
    // Ours, and none of this machine's.
    let file = query(ours[3], "[%{FILENAMES}\n]")
        .into_iter()
        .find(|f| f.ends_with("/kmp.py") || f.ends_with("/kmp.so"));
    let place = Path::new(&file.unwrap()).parent().unwrap().display().to_string();
    root.write("etc/dnf/dnf.conf", format!("{conf}pluginpath={place}\n"));
    // Where it is in that directory, it does not work without a file that is not here.
    root.write("etc/dnf/plugins/versionlock.conf", "[main]\nenabled=0\n");
    machine.install(&[distribution(&ours), tool("1")]);
    turn_on(root, ours[1]);
    site.offer_files(ours);
    site.offer(&[by.offered_kernel(0, 7), by.offered_driver("1.0", 0, 7).tag("Vendor", "One")]);
    let ask = |words: &str| goes_through(site.sh(&format!("{dnf} --assumeyes --refresh {words}")));
    // kmp first: the driver's scriptlet calls weak-modules, as those of old drivers do, and does not ask for it.
    ask(&format!("install {}", names.join(" ")));
    ask("install kernel-core kmod-foo");

    site.offer(&[by.offered_kernel(1, 8), by.offered_driver("1.1", 1, 8).tag("Vendor", "Two"), tool("2")]);
    site.offer(&[by.offered_kernel(2, 9)]);
    let output = ask("upgrade");
    let held = "kmp: kernel-core-5.14.0-284.el9.x86_64 is held back: no build for it in any repository";
    assert!(said(&output).contains(held), "{output}");
    has(site, &["kernel-core-5.14.0-162.el9", "kmod-foo-1.1", "tool-2"], &output);
    assert_eq!(machine.count(), (2, 1), "{output}");
    let status = site.sh("kmp status").stdout;
    assert!(status.contains("kernels that are held back") && status.contains("5.14.0-284"), "{status}");
    site.offer(&[by.offered_driver("1.2", 2, 9)]);
    let output = ask("upgrade");
    has(site, &["kernel-core-5.14.0-284.el9", "kmod-foo-1.2"], &output);

    // Without our packages it is as if they had never been there.
    ask(&format!("remove {}", names.join(" ")));
    for left in ["var/cache/kmp", "usr/bin/kmp", &file_of(&place)] {
        assert!(!root.exists(left), "{left}");
    }
    goes_through(site.sh(&format!("{dnf} --assumeyes install --refresh tool")));
}

fn file_of(place: &str) -> String {
    format!("{}/kmp.py", place.trim_start_matches('/'))
}
