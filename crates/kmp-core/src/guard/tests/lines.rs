// SPDX-License-Identifier: LGPL-2.1-or-later
//! A driver is missed in kernels of its line only.

use super::*;

const EL_OLD: &str = "5.14.0-70.el9.x86_64";
const EL_NEW: &str = "5.14.0-162.el9.x86_64";

/// A kernel's package by a name of Red Hat's.
fn core(name: &'static str, krel: &str, crc: u32) -> Made {
    Made::kernel(krel, crc).in_package(name)
}

fn red_hat(installed: &[Made]) -> World {
    World::new(Dialect::RedHat, installed)
}

#[test]
fn a_kernel_of_another_package_is_one_more() {
    let world = red_hat(&[core("kernel-core", EL_OLD, 7), kmod(EL_OLD, 7)]);
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
        assert_eq!(lost(&world, None, |t| t.comes(&new)).len(), expected, "{name}");
    }
    let debug = core("kernel-core", "5.14.0-162.el9.x86_64+debug", 8);
    assert!(lost(&world, None, |t| t.comes(&debug)).is_empty());
}

#[test]
fn within_each_line_what_works_there_counts() {
    // It works with the UEK kernel, but not with the newer one of the distribution's line.
    let uek = core("kernel-uek-core", EL_OLD, 7);
    let world = red_hat(&[uek, core("kernel-core", "5.14.0-99.el9.x86_64", 9), kmod(EL_OLD, 7)]);
    let new = |name| core(name, EL_NEW, 8);
    assert_eq!(lost(&world, None, |t| t.comes(&new("kernel-uek-core"))).len(), 1);
    assert!(lost(&world, None, |t| t.comes(&new("kernel-core"))).is_empty());
    // The running kernel counts in its own line only.
    assert!(lost(&world, Some(EL_OLD), |t| t.comes(&new("kernel-core"))).is_empty());
}

#[test]
fn of_a_kernel_that_no_package_has_it_is_not_sure() {
    let world = red_hat(&[Made::kernel(EL_OLD, 7).in_no_package(), kmod(EL_OLD, 7)]);
    let found = world.findings(None, &|_| Use::default(), |t| t.comes(&core("kernel-core", EL_NEW, 8)));
    assert_eq!(found.iter().map(|f| f.action).collect::<Vec<_>>(), [Action::Warn]);
}

#[test]
fn suse_names_lines_by_their_flavours() {
    let both = |krel: &str| {
        let world = world(&[(OLD, 7)], &[kmp("foo", "1", OLD, 7)]);
        lost(&world, None, |t| t.comes(&Made::kernel(krel, 8))).len()
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
