// SPDX-License-Identifier: LGPL-2.1-or-later
//! A driver is missed in kernels of its line only.

use super::*;

const EL_OLD: &str = "5.14.0-70.el9.x86_64";
const EL_NEW: &str = "5.14.0-162.el9.x86_64";

/// A kernel's package by a name of Red Hat's.
fn core(name: &str, krel: &str, crc: u32) -> testkit::Package {
    let release = krel.split_once('-').unwrap().1.replace(".x86_64", "").replace('+', "_");
    PackageBuilder::kernel(&kernel(krel, crc)).renamed(name).release(&release).build()
}

fn kmod(krel: &str, crc: u32) -> testkit::Package {
    let module = kernel(krel, crc).driver("foo").need("changing", crc).build();
    PackageBuilder::kmod("foo", "1", krel, [("foo.ko", module)]).build()
}

fn red_hat(installed: &[&testkit::Package]) -> TestRoot {
    let root = root(&[], installed);
    root.write("etc/os-release", "ID=rocky\nID_LIKE=\"rhel centos fedora\"\n");
    root
}

#[test]
fn a_kernel_of_another_package_is_one_more() {
    let root = red_hat(&[&core("kernel-core", EL_OLD, 7), &kmod(EL_OLD, 7)]);
    for (name, expected) in [
        ("kernel-core", 1),
        ("kernel-uek-core", 0),
        ("kernel-ml-core", 0),
        ("kernel-rt-core", 0),
        ("kernel-debug-core", 0),
        ("kernel-64k-core", 0),
        ("kernel6.12", 0),
    ] {
        let new = core(name, EL_NEW, 8);
        assert_eq!(lost(&root, None, |t| t.comes(&new)).len(), expected, "{name}");
    }
    let debug = core("kernel-core", "5.14.0-162.el9.x86_64+debug", 8);
    assert!(lost(&root, None, |t| t.comes(&debug)).is_empty());
}

#[test]
fn within_each_line_what_works_there_counts() {
    // It works with the UEK kernel, but not with the newer one of the distribution's line.
    let uek = core("kernel-uek-core", EL_OLD, 7);
    let root = red_hat(&[&uek, &core("kernel-core", "5.14.0-99.el9.x86_64", 9), &kmod(EL_OLD, 7)]);
    let new = |name| core(name, EL_NEW, 8);
    assert_eq!(lost(&root, None, |t| t.comes(&new("kernel-uek-core"))).len(), 1);
    assert!(lost(&root, None, |t| t.comes(&new("kernel-core"))).is_empty());
    // The running kernel counts in its own line only.
    assert!(lost(&root, Some(EL_OLD), |t| t.comes(&new("kernel-core"))).is_empty());
}

#[test]
fn of_a_kernel_that_no_package_has_it_is_not_sure() {
    let root = red_hat(&[&kmod(EL_OLD, 7)]);
    kernel(EL_OLD, 7).write(&root.path());
    let found = findings(&root, None, &|_| Use::default(), |t| t.comes(&core("kernel-core", EL_NEW, 8)));
    assert_eq!(found.iter().map(|f| f.action).collect::<Vec<_>>(), [Action::Warn]);
}

#[test]
fn suse_names_lines_by_their_flavours() {
    let both = |krel: &str| {
        let root = root(&[(OLD, 7)], &[&kmp("foo", "1", OLD, 7)]);
        lost(&root, None, |t| t.comes(&PackageBuilder::kernel(&kernel(krel, 8)).build())).len()
    };
    for (krel, expected) in [
        (NEW, 1),
        ("6.12.0-1-default", 1),
        ("6.4.0-2-azure", 0),
        ("6.12.0-1-longterm", 0),
        ("6.4.0-2-64kb", 0),
    ] {
        assert_eq!(both(krel), expected, "{krel}");
    }
}

/// kernel-modules-extra for a kernel that is there, say: no kernel comes, and nothing is known less than before.
#[test]
fn more_modules_for_a_kernel_that_is_there_are_no_kernel_that_comes() {
    let root = red_hat(&[&core("kernel-core", EL_OLD, 7), &kmod(EL_OLD, 7)]);
    let path = format!("usr/lib/modules/{EL_OLD}/kernel/fs/more.ko");
    let module = kernel(EL_OLD, 7).driver("more").build();
    let more = PackageBuilder::new("kernel-modules-extra", "5.14.0", "70.el9").file(path, module);
    let more = more.provides("kernel(more_symbol) = 0x00000001").build();
    assert!(lost(&root, None, |t| t.comes(&more)).is_empty());
    // And erasing something beside it is what somebody wants.
    let erased = |t: &mut Telling<'_>| {
        t.comes(&more);
        t.goes("kmod-foo", Removal::Erased);
    };
    assert!(lost(&root, None, erased).is_empty());
}
