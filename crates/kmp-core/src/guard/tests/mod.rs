// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which drivers a transaction loses: in worlds made by hand; `packages.rs` and `own_modules.rs` with real packages and rpm, for
//! what is read of them.

mod kernel_parts;
mod lines;
mod own_modules;
mod packages;
mod staying;
mod words;
mod world;

use super::*;
use crate::abi::Enforced;
use crate::abi::signature::Keys;
use crate::config::Config;
use crate::dialect::Dialect;
use world::{Coming, FOO, Made, NEW, OLD, World, kmod, kmp, lost, world};

/// "PACKAGE KERNEL RULES" of each driver that a kernel would be without, with what it is where it is no loss before it.
fn said(findings: &[Finding]) -> Vec<String> {
    let line = |finding: &Finding| {
        let lost = &finding.lost;
        let rules: Vec<&str> = lost.reasons.iter().map(|r| r.rule.as_str()).collect();
        let weight = match lost.weight {
            Weight::Loss => String::new(),
            Weight::Warning => format!("(kept in {}) ", lost.kept_in.as_deref().unwrap_or("none")),
            Weight::None => match lost.made_by {
                Some(maker) => format!("(made by {}) ", maker.word()),
                None => format!("(has {} itself) ", lost.instead.join(", ")),
            },
        };
        format!("{weight}{} {} {}", lost.nvr, lost.kernel, rules.join(",")).trim_end().to_string()
    };
    findings.iter().map(line).collect()
}

#[test]
fn a_new_kernel_loses_a_driver_unless_its_kmp_comes_with_it() {
    let world = world(&[(OLD, 7)], &[kmp("foo", "1", OLD, 7)]);
    let (same, other) = (Made::kernel(NEW, 7), Made::kernel(NEW, 8));
    assert!(lost(&world, None, |t| t.comes(&same)).is_empty());
    assert_eq!(lost(&world, None, |t| t.comes(&other)), [format!("{FOO} {NEW} crc")]);
    let built_for_it = lost(&world, None, |t| {
        t.comes(&other);
        t.comes(&kmp("foo", "2", NEW, 8));
    });
    assert!(built_for_it.is_empty(), "{built_for_it:?}");
    let built_for_another = lost(&world, None, |t| {
        t.comes(&other);
        t.comes(&kmp("foo", "2", NEW, 9));
    });
    assert_eq!(built_for_another, [format!("{FOO} {NEW} crc")]);
}

/// The modules of this world are signed. What is not known to be missing is not lost.
#[test]
fn a_kernel_loses_a_driver_whose_key_it_is_known_not_to_have() {
    let world = world(&[(OLD, 7)], &[kmp("foo", "1", OLD, 7)]);
    let of_keys = |is_machine_complete: bool| {
        lost(&world, None, |t| {
            t.comes(&Made::kernel(NEW, 7));
            t.kernels(|kernel| {
                kernel.config.signatures = true;
                kernel.signing.enforced = Some(Enforced::SecureBoot);
                kernel.signing.keys = Keys { image: Some([].into()), is_machine_complete, ..Keys::default() };
            });
        })
    };
    assert!(of_keys(false).is_empty());
    assert_eq!(of_keys(true), [format!("{FOO} {NEW} signature")]);
}

#[test]
fn an_update_or_a_downgrade_must_not_take_the_only_version_that_works() {
    let world = world(&[(OLD, 7)], &[kmp("foo", "1", OLD, 7)]);
    for version in ["2", "0.5"] {
        let replaced = |fits: u32| {
            lost(&world, None, |t| {
                t.comes(&kmp("foo", version, NEW, fits));
                t.goes("foo-kmp-default", Removal::Replaced);
            })
        };
        assert_eq!(replaced(8), [format!("{FOO} {OLD} crc")], "{version}");
        assert!(replaced(7).is_empty(), "{version}");
    }
    // Beside the old version, a new one takes nothing away.
    assert!(lost(&world, None, |t| t.comes(&kmp("foo", "2", NEW, 8))).is_empty());
}

#[test]
fn what_somebody_removes_is_not_lost_but_what_is_obsoleted_is() {
    let world = world(&[(OLD, 7)], &[kmp("foo", "1", OLD, 7)]);
    assert!(lost(&world, None, |t| t.goes("foo-kmp-default", Removal::Erased)).is_empty());
    assert_eq!(
        lost(&world, None, |t| t.goes("foo-kmp-default", Removal::Replaced)),
        [format!("{FOO} {OLD}")]
    );
    // Whoever brings the module brings the driver.
    let successor = lost(&world, None, |t| {
        t.comes(&kmp("bar", "1", OLD, 7));
        t.goes("foo-kmp-default", Removal::Replaced);
    });
    assert!(successor.is_empty(), "{successor:?}");
    // A kernel that goes with its driver loses nothing.
    let both = lost(&world, None, |t| {
        t.kernel_goes(OLD, Removal::Named);
        t.goes("foo-kmp-default", Removal::Replaced);
    });
    assert!(both.is_empty(), "{both:?}");
}

#[test]
fn what_works_now_counts_by_the_newest_kernel_or_the_running_one() {
    // The driver works with the old kernel, but not with the newest: only who runs the old one would miss it.
    let world = world(&[(OLD, 7), (NEW, 8)], &[kmp("foo", "1", OLD, 7)]);
    let third = Made::kernel("6.4.0-3-default", 8);
    assert!(lost(&world, Some(NEW), |t| t.comes(&third)).is_empty());
    assert!(lost(&world, Some("another"), |t| t.comes(&third)).is_empty());
    // Where it is not known which one runs, it may be any.
    for running in [Some(OLD), None] {
        assert_eq!(lost(&world, running, |t| t.comes(&third)), [format!("{FOO} 6.4.0-3-default crc")]);
    }
}

#[test]
fn a_kernel_of_another_flavour_asks_for_nothing() {
    let world = world(&[(OLD, 7)], &[kmp("foo", "1", OLD, 7)]);
    let rt = Made::kernel("6.4.0-2-rt", 8);
    assert!(lost(&world, None, |t| t.comes(&rt)).is_empty());
}
