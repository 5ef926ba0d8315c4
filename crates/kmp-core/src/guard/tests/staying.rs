// SPDX-License-Identifier: LGPL-2.1-or-later
//! Kernels that stay: what they lose matters by what is booted instead; and what is erased.

use super::*;
use crate::config::Policy;

const THIRD: &str = "6.4.0-3-default";

fn new_kernel(krel: &str, crc: u32) -> Made {
    Made::kernel(krel, crc)
}

#[test]
fn a_rebuild_for_the_next_kernel_takes_the_old_kernels_build() {
    let old = world(&[(OLD, 7)], &[kmp("foo", "1", OLD, 7)]);
    let (new, rebuilt) = (new_kernel(NEW, 8), kmp("foo", "2", NEW, 8));
    let update = |t: &mut Coming<'_>| {
        t.comes(&rebuilt);
        t.goes("foo-kmp-default", Removal::Replaced);
    };
    // The kernel alone, the driver alone, both, and the driver with both kernels there.
    assert_eq!(lost(&old, None, |t| t.comes(&new)), [format!("{FOO} {NEW} crc")]);
    assert_eq!(lost(&old, None, update), [format!("{FOO} {OLD} crc")]);
    let both = |t: &mut Coming<'_>| {
        t.comes(&new);
        update(t);
    };
    assert_eq!(lost(&old, None, both), [format!("(kept in {NEW}) {FOO} {OLD} crc")]);
    let there = world(&[(OLD, 7), (NEW, 8)], &[kmp("foo", "1", OLD, 7)]);
    assert_eq!(lost(&there, None, update), [format!("(kept in {NEW}) {FOO} {OLD} crc")]);
    // The version that does not work is named, with its own reasons.
    let found = there.findings(None, &|_| Use::default(), update);
    assert_eq!(found[0].lost.failing.as_deref(), Some("foo-kmp-default-2_k6.4.0_2-1"));
}

#[test]
fn the_kernel_that_is_booted_next_must_keep_what_it_has() {
    let world = world(&[(OLD, 7), (NEW, 8)], &[kmp("foo", "2", NEW, 8)]);
    let downgrade = |t: &mut Coming<'_>| {
        t.comes(&kmp("foo", "1", OLD, 7));
        t.goes("foo-kmp-default", Removal::Replaced);
    };
    assert_eq!(lost(&world, None, downgrade), [format!("foo-kmp-default-2_k6.4.0_2-1 {NEW} crc")]);
}

#[test]
fn the_running_kernel_must_keep_what_the_machine_needs_to_go_on() {
    let world = world(&[(OLD, 7), (NEW, 8)], &[kmp("foo", "1", OLD, 7)]);
    let rebuilt = kmp("foo", "2", NEW, 8);
    let weight = |running: Option<&str>, needed: Use| {
        let use_of = |module: &str| if module == "foo" { needed } else { Use::default() };
        let found = world.findings(running, &use_of, |t| {
            t.comes(&rebuilt);
            t.goes("foo-kmp-default", Removal::Replaced);
        });
        assert_eq!(found.len(), 1);
        found[0].lost.weight
    };
    let loaded = Use { is_loaded: true, ..Use::default() };
    let (disk, network) = (Use { holds_root: true, ..loaded }, Use { holds_network: true, ..loaded });
    assert_eq!(weight(Some(OLD), loaded), Weight::Warning);
    assert_eq!(weight(Some(OLD), disk), Weight::Loss);
    assert_eq!(weight(Some(OLD), network), Weight::Loss);
    assert_eq!(weight(Some(NEW), disk), Weight::Warning);
}

/// dnf erases a kmod with the kernel that it depends on; the others lose it, too.
#[test]
fn what_is_erased_while_kernels_come_or_go_is_a_wish_where_somebody_named_it() {
    let world = world(&[(OLD, 7), (NEW, 7)], &[kmp("foo", "1", OLD, 7)]);
    let third = new_kernel(THIRD, 7);
    let erased = |removal, with: &dyn Fn(&mut Coming<'_>)| {
        lost(&world, None, |t| {
            with(t);
            t.goes("foo-kmp-default", removal);
        })
    };
    let old_goes = |t: &mut Coming<'_>| t.kernel_goes(OLD, Removal::Erased);
    let third_comes = |t: &mut Coming<'_>| t.comes(&third);
    assert_eq!(erased(Removal::Erased, &old_goes), [format!("{FOO} {NEW}")]);
    let both = erased(Removal::Erased, &third_comes);
    assert_eq!(both.last(), Some(&format!("{FOO} {THIRD}")), "{both:?}");
    for with in [&old_goes as &dyn Fn(&mut Coming<'_>), &third_comes, &|_| {}] {
        assert!(erased(Removal::Named, with).is_empty());
    }
    assert!(erased(Removal::Erased, &|_| {}).is_empty());
    // With the last kernel that it works with it may go.
    let all_go = |t: &mut Coming<'_>| [OLD, NEW].iter().for_each(|k| t.kernel_goes(k, Removal::Erased));
    assert!(erased(Removal::Erased, &all_go).is_empty());
}

/// dnf's installonly_limit pushes out the only kernel that a kmod fits, and dnf erases the kmod with it.
#[test]
fn a_driver_goes_with_the_only_kernel_that_it_fits() {
    let world = world(&[(OLD, 7), (NEW, 8)], &[kmp("foo", "1", OLD, 7)]);
    let third = new_kernel(THIRD, 8);
    let found = |kernel: Removal, driver: Removal, comes: Option<&Made>| {
        let found = world.findings(Some(NEW), &|_| Use::default(), |t| {
            comes.into_iter().for_each(|package| t.comes(package));
            t.kernel_goes(OLD, kernel);
            t.goes("foo-kmp-default", driver);
        });
        let each = found.iter().map(|f| (f.lost.kernel.clone(), f.action, f.lost.remedy.clone()));
        each.collect::<Vec<_>>()
    };
    let pushed_out = |kernels| Remedy::KeepKernel { kernel: OLD.into(), kernels };
    let stops = |kernels| [(OLD.to_string(), Action::Stop, pushed_out(kernels))];
    assert_eq!(found(Removal::Erased, Removal::Erased, Some(&third)), stops(3));
    // Without a kernel that comes: there were too many before.
    assert_eq!(found(Removal::Erased, Removal::Erased, None), stops(2));
    // Whoever names the kernel hears of it; whoever names the driver wants it.
    let warned = [(OLD.to_string(), Action::Warn, Remedy::Keep)];
    assert_eq!(found(Removal::Named, Removal::Erased, None), warned);
    assert!(found(Removal::Erased, Removal::Named, Some(&third)).is_empty());
    // A build for another kernel that comes instead, and a kernel that it fits.
    assert!(found(Removal::Erased, Removal::Replaced, Some(&kmp("foo", "2", NEW, 8))).is_empty());
    let fits = new_kernel(THIRD, 7);
    let with_it = found(Removal::Erased, Removal::Erased, Some(&fits));
    assert_eq!(with_it, [(OLD.to_string(), Action::Stop, pushed_out(3))]);
    // The running kernel's driver, which the one that comes would be asked for as well: said once.
    let running = world.findings(Some(OLD), &|_| Use::default(), |t| {
        t.comes(&third);
        t.kernel_goes(OLD, Removal::Erased);
        t.goes("foo-kmp-default", Removal::Erased);
    });
    assert_eq!(said(&running), [format!("{FOO} {OLD}")]);
}

#[test]
fn the_same_again_loses_nothing() {
    let world = World::new(Dialect::Suse, &[new_kernel(OLD, 7), kmp("foo", "1", OLD, 7)]);
    // rpm --reinstall, of both or one of them; a kernel rebuilt under its release, with and without a change.
    for (kernel, driver, expected) in [
        (Some(7), Some(7), 0),
        (Some(7), None, 0),
        (None, Some(7), 0),
        (Some(8), None, 1),
        (Some(8), Some(8), 0),
    ] {
        let found = lost(&world, None, |t| {
            if let Some(crc) = kernel {
                t.comes(&new_kernel(OLD, crc));
                t.goes("kernel-default", Removal::Replaced);
            }
            if let Some(crc) = driver {
                t.comes(&kmp("foo", "1", OLD, crc));
                t.goes("foo-kmp-default", Removal::Replaced);
            }
        });
        assert_eq!(found.len(), expected, "{kernel:?} {driver:?}: {found:?}");
    }
}

/// zypper dup: another kernel, and drivers under their old names, under new ones, or not at all.
#[test]
fn across_releases_a_driver_may_come_under_another_name() {
    let (next, world) = ("6.12.0-1-default", world(&[(OLD, 7)], &[kmp("foo", "1", OLD, 7)]));
    let dup = |comes: &[&Made]| {
        lost(&world, None, |t| {
            t.comes(&new_kernel(next, 9));
            comes.iter().for_each(|p| t.comes(p));
            t.kernel_goes(OLD, Removal::Erased);
            t.goes("foo-kmp-default", Removal::Replaced);
        })
    };
    assert!(dup(&[&kmp("foo", "2", next, 9)]).is_empty());
    assert!(dup(&[&kmp("foo-open", "2", next, 9)]).is_empty());
    assert_eq!(dup(&[]), [format!("{FOO} {next}")]);
}

#[test]
fn where_nothing_boots_there_are_warnings_only() {
    let lost = words::lost("foo", "a", Weight::Loss);
    let config = Config::default();
    let action = |nothing_boots, policy| {
        let orders = Orders { config: &config, policy, nothing_boots, last: None };
        orders.decide(vec![lost.clone()]).first().map(|f| f.action)
    };
    assert_eq!(action(false, None), Some(Action::Stop));
    assert_eq!(action(true, None), Some(Action::Warn));
    assert_eq!(action(false, Some(Policy::Warn)), Some(Action::Warn));
    assert_eq!(action(false, Some(Policy::Off)), None);
}
