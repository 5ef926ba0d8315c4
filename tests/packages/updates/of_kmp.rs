// SPDX-License-Identifier: LGPL-2.1-or-later
//! An update of kmp's own packages that brings a kernel as well: programs, library and plugin are replaced while they are in use.

use testkit::Output;

use super::machine::{FIRST, LINKED, Machine, OWN, SECOND, THIRD, packaged};
use super::site::{self, Mode};
use super::{new_kernel, ours, with_kernel_and_driver};
use crate::support::takes_large_packages;

#[test]
fn classic() {
    if site::has_classic_mode() {
        with_a_kernel_that_fits(Mode::Classic, true);
        with_one_that_does_not(Mode::Classic);
    }
}

#[test]
fn classic_without_the_plugin() {
    if site::has_classic_mode() {
        with_a_kernel_that_fits(Mode::Classic, false);
    }
}

#[test]
fn single() {
    if site::has_single_mode() && takes_large_packages() {
        with_a_kernel_that_fits(Mode::Single, true);
        with_one_that_does_not(Mode::Single);
    }
}

#[test]
fn single_without_the_plugin() {
    if site::has_single_mode() && takes_large_packages() {
        with_a_kernel_that_fits(Mode::Single, false);
    }
}

fn with_a_kernel_that_fits(mode: Mode, plugin: bool) {
    let ours = ours(plugin);
    let machine = with_kernel_and_driver(mode, &ours, "1.0");
    machine.offer_ours(&ours, 2);
    machine.site.offer(&[packaged(SECOND)]);
    let output = machine.does(&["dup"], &new_kernel(SECOND, &[LINKED]));
    are_new(&machine, &ours, &output);
    assert_eq!((machine.links(SECOND), machine.indexed(SECOND)), (vec![LINKED.into()], vec![LINKED.into()]));
    assert_eq!(machine.indexed(FIRST), [OWN]);
}

/// It is stopped by the plugin that is there, and comes with its driver by that one, too.
fn with_one_that_does_not(mode: Mode) {
    let ours = ours(true);
    let machine = with_kernel_and_driver(mode, &ours, "1.1");
    machine.offer_ours(&ours, 2);
    machine.site.offer(&[packaged(THIRD)]);
    machine.is_stopped(&["dup"]);
    machine.offer_sample("1.2", THIRD);
    let output = machine.does(&["dup"], &new_kernel(THIRD, &[OWN]));
    are_new(&machine, &ours, &output);
    assert_eq!((machine.links(THIRD).len(), machine.indexed(THIRD)), (0, vec![OWN.into()]));
}

#[track_caller]
fn are_new(machine: &Machine, ours: &[&str], output: &Output) {
    for name in ours {
        let package = format!("{name}-{}-2", env!("CARGO_PKG_VERSION"));
        assert!(machine.site.has(&package), "{package}: {output}");
    }
}
