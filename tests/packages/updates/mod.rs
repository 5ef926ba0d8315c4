// SPDX-License-Identifier: LGPL-2.1-or-later
//! From a fresh root to a kernel's removal, with our packages and the distribution's rpm and zypper: what is linked, what is
//! in depmod's index, and which programs are called in which order.

#[path = "../../scriptlets/calls.rs"]
#[allow(dead_code, reason = "shared with the scriptlets' tests, which use the rest")]
mod calls;
#[path = "../../scriptlets/packages.rs"]
#[allow(dead_code, reason = "shared with the scriptlets' tests, which use the rest")]
mod lines;
pub mod machine;
mod of_kmp;
#[path = "../../plugin/support.rs"]
#[allow(dead_code, clippy::type_complexity, reason = "shared with the plugin's tests, which use the rest")]
pub mod packages;
#[path = "../../zypper/support.rs"]
#[allow(dead_code, reason = "shared with zypper's tests, which use the rest")]
pub mod site;
#[path = "../../zypper/system.rs"]
#[allow(dead_code, reason = "shared with zypper's tests, which use the rest")]
pub mod system;

use testkit::PackageBuilder;

use self::packages as support;
use crate::support::takes_large_packages;
use calls::{dracut, entry};
use machine::{FIRST, LINKED, Machine, OWN, SECOND, THIRD, packaged};
use packages::plain_kmp;
use site::Mode;

fn depmod(krel: &str) -> String {
    format!("depmod [--] [{krel}]")
}

#[test]
fn classic() {
    if site::has_classic_mode() {
        with(Mode::Classic, true);
    }
}

#[test]
fn classic_without_the_plugin() {
    if site::has_classic_mode() {
        with(Mode::Classic, false);
    }
}

#[test]
fn single() {
    if site::has_single_mode() && takes_large_packages() {
        with(Mode::Single, true);
    }
}

#[test]
fn single_without_the_plugin() {
    if site::has_single_mode() && takes_large_packages() {
        with(Mode::Single, false);
    }
}

/// The packages that a system has of ours.
fn ours(plugin: bool) -> Vec<&'static str> {
    let plugin = plugin.then_some("rpm-plugin-kmp");
    ["kmp", "kmp-rpm-macros", "kmp-scriptlets", "kmp-weak-modules2"].into_iter().chain(plugin).collect()
}

/// A machine with ours, [`FIRST`] and a driver for it.
fn with_kernel_and_driver(mode: Mode, ours: &[&str], version: &str) -> Machine {
    let machine = Machine::new(mode);
    machine.offer_ours(ours, 1);
    machine.site.offer(&[packaged(FIRST)]);
    // All of it together, where there was nothing.
    machine.does(&[&["install", "kernel-default"], ours].concat(), &new_kernel(FIRST, &[]));
    machine.offer_sample(version, FIRST);
    machine
        .does(&["install", "kmp-hello-kmp-default"], &[vec![depmod(FIRST)], initrd(FIRST, &[OWN])].concat());
    machine
}

/// Without the plugin scriptlets do their work at once; in libzypp's classic mode triggers, too, run after each package.
fn with(mode: Mode, plugin: bool) {
    let machine = with_kernel_and_driver(mode, &ours(plugin), "1.0");
    let at_once = plugin || mode == Mode::Single;

    // A kernel that the driver fits.
    machine.site.offer(&[packaged(SECOND)]);
    machine.does(&["dup"], &new_kernel(SECOND, &[LINKED]));
    assert_eq!((machine.links(SECOND), machine.indexed(SECOND)), (vec![LINKED.into()], vec![LINKED.into()]));
    assert_eq!(machine.indexed(FIRST), [OWN]);

    // The driver for the first kernel, in another version.
    machine.offer_sample("1.1", FIRST);
    let both =
        [vec![depmod(FIRST), depmod(SECOND)], initrd(FIRST, &[OWN]), initrd(SECOND, &[LINKED])].concat();
    // For zypper that is a removal and an installation.
    let none = [vec![depmod(FIRST), depmod(SECOND)], initrd(FIRST, &[]), initrd(SECOND, &[])].concat();
    let calls = if at_once { both } else { [none, both].concat() };
    machine.does(&["install", "--force-resolution", "kmp-hello-kmp-default"], &calls);
    assert_eq!((machine.links(SECOND), machine.indexed(SECOND)), (vec![LINKED.into()], vec![LINKED.into()]));

    // A kernel that it does not fit: not without a driver for it.
    machine.site.offer(&[packaged(THIRD)]);
    if plugin {
        machine.is_stopped(&["dup"]);
    }
    machine.offer_sample("1.2", THIRD);
    let by_and_by = [new_kernel(THIRD, &[]), vec![depmod(THIRD)], initrd(THIRD, &[OWN])].concat();
    machine.does(&["dup"], &if plugin { new_kernel(THIRD, &[OWN]) } else { by_and_by });
    assert_eq!((machine.links(THIRD).len(), machine.indexed(THIRD)), (0, vec![OWN.into()]));
    assert_eq!((machine.links(SECOND), machine.indexed(SECOND)), (vec![LINKED.into()], vec![LINKED.into()]));

    drivers_without_scriptlets(&machine, at_once);

    // The first kernel goes, and what was built for it stays.
    machine.does(&["remove", "kernel-default-6.4.0-1"], &[entry("remove", FIRST)]);
    let mut left = machine.names(format!("usr/lib/modules/{FIRST}"));
    // Of depmod's newer files the kernel's package does not know.
    left.retain(|name| name != "modules.weakdep");
    assert_eq!(left, ["updates"]);
    assert_eq!(machine.indexed(SECOND), [LINKED]);

    let gone = |krel| [vec![depmod(krel)], initrd(krel, &[])].concat();
    let calls = match (plugin, mode) {
        (true, _) => {
            [[SECOND, THIRD].map(depmod).into(), [SECOND, THIRD].map(|krel| initrd(krel, &[])).concat()]
                .concat()
        }
        (false, Mode::Classic) => [gone(SECOND), gone(THIRD)].concat(),
        (false, Mode::Single) => [gone(THIRD), gone(SECOND)].concat(),
    };
    machine.does(&["remove", "kmp-hello-kmp-default"], &calls);
    assert_eq!((machine.links(SECOND), machine.indexed(SECOND)), (vec![], vec![]));
    assert_eq!(machine.indexed(THIRD), [""; 0]);
    assert_eq!(machine.names("usr/lib/modules"), [SECOND, THIRD]);

    machine.does(&["remove", "kernel-default-6.4.0-3"], &[entry("remove", SECOND)]);
    assert_eq!(machine.names("usr/lib/modules"), [THIRD]);
    let boot = machine.names("boot");
    assert!(
        boot.contains(&format!("initrd-{THIRD}")) && !boot.iter().any(|n| n.contains(SECOND)),
        "{boot:?}"
    );
    assert_eq!(machine.names("run/regenerate-initrd"), [""; 0]);
    let mut left = machine.names("run/kmp");
    left.retain(|name| !["lock", "history", "needs-initrd", "check-initrd"].contains(&name.as_str()));
    left.extend(["needs-initrd", "check-initrd"].iter().flat_map(|d| machine.names(format!("run/kmp/{d}"))));
    assert_eq!(left, [""; 0]);
}

/// Two of them, and a package after them that does not concern us.
fn drivers_without_scriptlets(machine: &Machine, at_once: bool) {
    let last = PackageBuilder::new("last", "1", "1").requires("bar-kmp-default").requires("baz-kmp-default");
    let [bar, baz] = ["bar", "baz"].map(|name| plain_kmp(name, "1.0", &machine::kernel(FIRST)));
    machine.site.offer(&[bar, baz, last]);
    let all: Vec<String> = [FIRST, SECOND, THIRD].map(depmod).into();
    let hello = [(FIRST, OWN), (SECOND, LINKED), (THIRD, OWN)];
    let with = |names: &[&str]| {
        hello
            .iter()
            .flat_map(|(krel, own)| {
                let place = if *krel == FIRST { "updates" } else { "weak-updates/updates" };
                let mut modules: Vec<String> =
                    names.iter().map(|name| format!("{place}/{name}.ko")).collect();
                modules.push(own.to_string());
                modules.sort();
                initrd(krel, &modules.iter().map(String::as_str).collect::<Vec<_>>())
            })
            .collect::<Vec<String>>()
    };
    let come = match at_once {
        true => [all.clone(), with(&["bar", "baz"])].concat(),
        // dracut's configuration names the first only.
        false => [all.clone(), with(&["bar"]), all.clone()].concat(),
    };
    machine.does(&["install", "last"], &come);
    let links = ["bar", "baz"].map(|name| format!("weak-updates/updates/{name}.ko"));
    assert_eq!(machine.links(THIRD), links);
    let go = match at_once {
        true => [all, with(&[])].concat(),
        false => [all.clone(), all, with(&[])].concat(),
    };
    machine.does(&["remove", "bar-kmp-default", "baz-kmp-default"], &go);
    assert_eq!(machine.links(THIRD), [""; 0]);
}

/// The calls for an initrd with these drivers in it.
fn initrd(krel: &str, modules: &[&str]) -> Vec<String> {
    [dracut(krel)].into_iter().chain(modules.iter().map(|module| format!("  {module}"))).collect()
}

/// Those for a kernel that comes: what boots it comes last.
fn new_kernel(krel: &str, modules: &[&str]) -> Vec<String> {
    [vec![depmod(krel)], initrd(krel, modules), vec![entry("add", krel)]].concat()
}
