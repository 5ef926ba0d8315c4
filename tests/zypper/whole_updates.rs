// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whole updates by each package manager, with its own repository: what is stopped, and what goes through.

use std::collections::BTreeMap;

use testkit::PackageBuilder;

use crate::managers::Manager;
use crate::managers::Operation::{
    DistroSync, Download, Install, Offline, Patch, PurgeKernels, Remove, Undo, Upgrade,
};
use crate::managers::{Machine, said};
use crate::packages::depmods;
use crate::support::{Mode, goes_through};

/// Tests by each manager, as far as it is there; what only dnf has is listed apart.
macro_rules! by_each_manager {
    ($($case:ident),* $(,)?; only dnf: $($of_dnf:ident),* $(,)?) => {
        by_each_manager!(zypper, Manager::Zypper(Mode::Classic), $($case),*);
        by_each_manager!(single, Manager::Zypper(Mode::Single), $($case),*);
        by_each_manager!(dnf, Manager::Dnf, $($case,)* $($of_dnf),*);
        by_each_manager!(dnf5, Manager::Dnf5, $($case,)* $($of_dnf),*);
    };
    ($name:ident, $manager:expr, $($case:ident),*) => {
        mod $name {
            #[allow(unused_imports, reason = "the mode is zypper's")]
            use super::{Manager, Mode};
            $(#[test]
            fn $case() {
                if $manager.is_there() {
                    super::$case($manager);
                }
            })*
        }
    };
}

by_each_manager! {
    a_kernel_without_the_driver_is_stopped,
    a_kernel_that_the_driver_fits_gets_it,
    a_kernel_comes_with_its_driver,
    a_driver_that_depends_on_a_kernel_that_goes_is_missed,
    an_older_version_that_does_not_fit_is_stopped,
    a_security_update_alone,
    old_kernels_are_purged;
    only dnf: what_was_done_is_undone,
    a_kernel_is_not_pushed_out_with_its_driver,
    an_upgrade_at_boot,
}

/// The first words of the message about the driver's version 1.0.
fn about(by: Manager) -> &'static str {
    if by.names().0 == "kernel-default" { "kmp: foo-kmp-default-1.0" } else { "kmp: kmod-foo-1.0-1" }
}

fn a_kernel_without_the_driver_is_stopped(by: Manager) {
    let machine = Machine::new(by);
    machine.site.offer(&[by.kernel(1, 8)]);
    let parts = [about(by), "(foo)", by.releases()[1], "changing was 0x00000007", "KMP_POLICY=warn"];
    for operation in [Upgrade, DistroSync, Install(by.names().0)] {
        machine.is_stopped(operation, &parts);
    }
    assert_eq!(machine.count(), (1, 1));
}

fn a_kernel_that_the_driver_fits_gets_it(by: Manager) {
    let machine = Machine::new(by);
    let [old, new, _] = by.releases();
    // By Red Hat's conventions what there is of initramfs gets the driver, each once.
    machine.root().write(format!("boot/initramfs-{old}.img"), "");
    machine.site.offer(&[by.kernel(1, 7)]);
    machine.does(Upgrade);
    assert_eq!(machine.count(), (2, 1));
    assert!(machine.root().exists(by.link(1)));
    let once: BTreeMap<String, usize> = [old, new].map(|krel| (krel.into(), 1)).into();
    assert_eq!(depmods(machine.root()), once);
    assert!(!machine.root().exists("run/kmp/transaction") && !machine.root().exists("run/kmp/commit"));
    // The same again has nothing to do.
    machine.does(Upgrade);
    assert_eq!(depmods(machine.root()), BTreeMap::new());
}

fn a_kernel_comes_with_its_driver(by: Manager) {
    let machine = Machine::new(by);
    machine.site.offer(&[by.kernel(1, 8), by.driver("2.0", 1, 8)]);
    let output = machine.ask(Upgrade);
    let said = said(&output);
    assert!(!said.contains("error: kmp"), "{said}");
    assert_eq!(machine.count().0, 2, "{said}");
    // It is the kernel's own there.
    assert!(!machine.root().exists(by.link(1)));
    let own = if by.names().0 == "kernel-default" { "updates/foo.ko" } else { "extra/foo/foo.ko" };
    assert!(machine.root().exists(format!("usr/lib/modules/{}/{own}", by.releases()[1])), "{said}");
}

/// Nobody has named the driver, and it works with the kernel that stays.
fn a_driver_that_depends_on_a_kernel_that_goes_is_missed(by: Manager) {
    let machine = Machine::bare(by);
    let (kernel, driver) = by.names();
    let [old, ..] = by.releases();
    let evr = old.trim_end_matches("-default").trim_end_matches(".x86_64");
    let bound = by.driver("1.0", 0, 7).requires(&format!("{kernel} = {evr}"));
    machine.install(&[by.kernel(0, 7), by.kernel(1, 7), bound]);
    let old_kernel = format!("{kernel}-{evr}");
    machine.is_stopped(Remove(&old_kernel), &[about(by), "would be erased", by.releases()[1]]);
    assert_eq!(machine.count(), (2, 1));
    // By its name.
    machine.does(Remove(driver));
    machine.does(Remove(&old_kernel));
    assert_eq!(machine.count(), (1, 0));
}

/// dnf's installonly_limit pushes out the only kernel that the driver fits, and with it the driver.
fn a_kernel_is_not_pushed_out_with_its_driver(by: Manager) {
    let machine = Machine::bare(by);
    let [old, ..] = by.releases();
    let old_kernel = format!("kernel-core-{}", old.trim_end_matches(".x86_64"));
    let bound = by.driver("1.0", 0, 7).requires("kernel(changing) = 0x00000007");
    machine.install(&[by.kernel(0, 7), by.kernel(1, 8), bound.clone()]);
    let conf = std::fs::read_to_string(machine.root().join("etc/dnf/dnf.conf")).unwrap();
    machine.root().write("etc/dnf/dnf.conf", conf.replace("_limit=3", "_limit=2"));
    machine.site.offer(&[by.kernel(2, 8), PackageBuilder::new("other", "1", "1")]);
    let parts = [about(by), "the last one that it works with", old, "--setopt=installonly_limit=3 "];
    for operation in [Upgrade, Install(by.names().0)] {
        machine.is_stopped(operation, &parts);
    }
    // As it is advised, all stay; then there is one too many, which dnf 5 sees to whatever is installed.
    let with_three = |words: &str| {
        let program = if by == Manager::Dnf5 { "dnf5" } else { "dnf" };
        machine.site.sh(&format!("{program} --assumeyes --setopt=installonly_limit=3 {words}"))
    };
    goes_through(with_three("upgrade"));
    assert_eq!(machine.count(), (3, 1));
    if by == Manager::Dnf5 {
        machine.is_stopped(Install("other"), &parts);
    }
    goes_through(with_three("install other"));
    assert_eq!(machine.count(), (3, 1));
    // Whoever names the kernel is warned.
    let output = goes_through(with_three(&format!("remove {old_kernel}")));
    let said = said(&output);
    assert!(said.contains(parts[1]) && !said.contains("error: kmp"), "{said}");
    assert_eq!(machine.count(), (2, 0));
    // Whoever names the driver wants it.
    let machine = Machine::bare(by);
    machine.install(&[by.kernel(0, 7), by.kernel(1, 8), bound]);
    machine.does(Remove("kmod-foo"));
}

/// What the repository has is older than what is installed.
fn an_older_version_that_does_not_fit_is_stopped(by: Manager) {
    let machine = Machine::new(by);
    // Versions do not stay beside each other.
    machine.root().write("etc/zypp/zypp.conf", "[main]\n");
    machine.site.offer(&[by.driver("0.9", 1, 8)]);
    machine.is_stopped(DistroSync, &["0.9", by.releases()[0]]);
    // One that fits takes its place.
    let machine = Machine::new(by);
    machine.root().write("etc/zypp/zypp.conf", "[main]\n");
    machine.site.offer(&[by.driver("0.9", 0, 7)]);
    machine.does(DistroSync);
    let installed = machine.installed();
    assert!(installed.iter().any(|p| p.starts_with(&format!("{}-0.9", by.names().1))), "{installed:?}");
}

/// Other updates that there are stay away.
fn a_security_update_alone(by: Manager) {
    for crc in [7, 8] {
        let machine = Machine::new(by);
        machine.install(&[PackageBuilder::new("other", "1", "1")]);
        machine.site.offer(&[by.kernel(1, crc), PackageBuilder::new("other", "2", "1")]);
        machine.advise(1);
        match crc {
            7 => {
                machine.does(Patch);
                assert!(machine.root().exists(by.link(1)));
                assert_eq!(machine.count(), (2, 1));
            }
            _ => drop(machine.is_stopped(Patch, &[about(by), by.releases()[1]])),
        }
        assert!(machine.installed().contains(&"other-1-1".into()));
    }
}

fn old_kernels_are_purged(by: Manager) {
    let machine = Machine::bare(by);
    machine.install(&[by.kernel(0, 7), by.kernel(1, 7), by.kernel(2, 7), by.driver("1.0", 0, 7)]);
    machine.site.sh("kmp sync --no-initrd").expect_success();
    machine.site.offer(&[PackageBuilder::new("other", "1", "1")]);
    let zypp = "[main]\nmultiversion = provides:multiversion(kernel)\nmultiversion.kernels = latest\n";
    machine.root().write("etc/zypp/zypp.conf", zypp);
    depmods(machine.root());
    machine.does(PurgeKernels);
    assert_eq!(machine.count(), (1, 1), "{:?}", machine.installed());
    let [old, new, newest] = by.releases();
    assert!(machine.root().exists(by.link(2)));
    // What was built for a kernel that is gone stays, and nothing is left of the one in between.
    assert!(machine.root().exists(format!("usr/lib/modules/{old}")));
    assert!(!machine.root().exists(format!("usr/lib/modules/{new}")));
    assert!(!depmods(machine.root()).contains_key(newest), "its links are as they were");
}

fn what_was_done_is_undone(by: Manager) {
    let machine = Machine::new(by);
    let [_, new, _] = by.releases();
    machine.site.offer(&[by.kernel(1, 7)]);
    machine.does(Upgrade);
    assert!(machine.root().exists(by.link(1)));
    machine.does(Undo);
    assert_eq!(machine.count(), (1, 1));
    assert!(!machine.root().exists(format!("usr/lib/modules/{new}")));
    // A driver that came instead of another goes back, unless the kernel that it was for is gone.
    let machine = Machine::new(by);
    machine.site.offer(&[by.driver("1.0", 0, 7), by.driver("2.0", 0, 7)]);
    machine.does(Upgrade);
    machine.does(Undo);
    assert!(machine.installed().contains(&"kmod-foo-1.0-1".into()), "{:?}", machine.installed());
    let machine = Machine::bare(by);
    machine.install(&[by.kernel(0, 7), by.kernel(1, 8), by.driver("1.0", 0, 7)]);
    machine.site.offer(&[by.driver("1.0", 0, 7), by.driver("2.0", 1, 8)]);
    assert!(machine.ask(Upgrade).success());
    let old_kernel = format!("kernel-core-{}", by.releases()[0].trim_end_matches(".x86_64"));
    machine.site.sh(&format!("rpm -e --nodeps --noplugins {old_kernel}")).expect_success();
    machine.is_stopped(Undo, &["kmod-foo-1.0-1", by.releases()[1]]);
}

/// By dnf's plugin for it.
#[test]
fn system_upgrade() {
    if Manager::DnfSystemUpgrade.is_there() {
        an_upgrade_at_boot(Manager::DnfSystemUpgrade);
    }
}

/// As `dnf system-upgrade` and `dnf offline-distrosync` do it: all is downloaded first, and later, when nothing else runs, the
/// transaction is carried out from there.
fn an_upgrade_at_boot(by: Manager) {
    for crc in [7, 8] {
        let machine = Machine::new(by);
        machine.site.offer(&[by.kernel(1, crc)]);
        if crc == 8 && by != Manager::Dnf {
            // What was downloaded is tried at once.
            machine.is_stopped(Download, &[about(by), by.releases()[1]]);
            continue;
        }
        machine.does(Download);
        assert_eq!(machine.count(), (1, 1));
        // Packages of a repository on the disk stay where they are.
        std::fs::rename(machine.root().join("repo/repodata"), machine.root().join("gone")).unwrap();
        match crc {
            7 => {
                machine.does(Offline);
                assert!(machine.root().exists(by.link(1)));
            }
            _ => drop(machine.is_stopped(Offline, &[about(by), by.releases()[1]])),
        }
    }
}
