// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which version of a package is linked.

use std::path::Path;

use testkit::{KernelBuilder, ModuleBuilder};

use super::KREL;
use super::{Decision, Installed, ORIGIN, Place, id, linked, place, rules};
use crate::abi::Rule;

fn needs(crc: u32) -> ModuleBuilder {
    place().driver("foo").need("printk", crc)
}

#[test]
fn the_newest_version_wins() {
    let mut kmps = [
        Installed::new("foo-kmp-default", 1, &[needs(1)]),
        Installed::new("foo-kmp-default", 2, &[needs(1)]),
    ];
    let plan = place().plan(&mut kmps);
    assert_eq!(plan.decisions, [Decision::Link, Decision::Superseded(id(0))]);
    let (link, (target, kmp)) = plan.links.first_key_value().unwrap();
    assert_eq!((plan.links.len(), link.as_path(), *kmp), (1, Path::new("updates/foo.ko"), id(0)));
    assert_eq!(target, &Path::new("/usr/lib/modules").join(ORIGIN).join("updates/foo.ko"));
    // The one that is not linked is judged all the same, in the other's place.
    assert_eq!(rules(&plan.verdicts[id(1)]), [[]]);
}

/// rhbz#1643299
#[test]
fn where_the_newest_fails_an_older_one_is_linked() {
    let mut kmps = [
        Installed::new("foo-kmp-default", 3, &[needs(3)]),
        Installed::new("foo-kmp-default", 2, &[needs(2)]),
        Installed::new("foo-kmp-default", 1, &[needs(1)]),
    ];
    let plan = place().plan(&mut kmps);
    assert_eq!(plan.decisions, [Decision::DoesNotFit, Decision::DoesNotFit, Decision::Link]);
    assert_eq!(rules(&plan.verdicts[id(0)]), [[Rule::Crc]]);
}

#[test]
fn where_all_fail_nothing_is_linked_and_all_reasons_are_told() {
    let mut kmps = [
        Installed::new("foo-kmp-default", 2, &[needs(2)]),
        Installed::new("foo-kmp-default", 1, &[needs(3)]),
    ];
    let plan = place().plan(&mut kmps);
    assert_eq!(plan.decisions, [Decision::DoesNotFit, Decision::DoesNotFit]);
    assert!(plan.links.is_empty());
    assert_eq!([rules(&plan.verdicts[id(0)]), rules(&plan.verdicts[id(1)])], [[[Rule::Crc]], [[Rule::Crc]]]);
}

#[test]
fn a_package_is_linked_whole_or_not_at_all() {
    let good = place().driver("good").need("printk", 1);
    let mut kmps = [Installed::new("foo-kmp-default", 1, &[good.clone(), needs(9)])];
    let plan = place().plan(&mut kmps);
    assert_eq!(plan.decisions, [Decision::DoesNotFit]);
    assert!(plan.links.is_empty());
    assert_eq!(rules(&plan.verdicts[id(0)]), [vec![], vec![Rule::Crc]]);
    let mut kmps = [Installed::new("foo-kmp-default", 1, &[good, needs(1)])];
    assert_eq!(place().plan(&mut kmps).links.len(), 2);
}

#[test]
fn one_broken_package_does_not_hinder_another() {
    let mut kmps = [
        Installed::new("a-kmp-default", 1, &[]).unreadable("a.ko"),
        Installed {
            broken: Some("its module b.ko is not on disk"),
            ..Installed::new("b-kmp-default", 1, &[needs(1)])
        },
        Installed::new("c-kmp-default", 1, &[place().driver("c").need("absent", 1)]),
        Installed::new("d-kmp-default", 1, &[]),
        Installed::new("foo-kmp-default", 1, &[needs(1)]),
    ];
    let plan = place().plan(&mut kmps);
    let fails = Decision::DoesNotFit;
    assert_eq!(plan.decisions, [fails.clone(), Decision::Broken, fails.clone(), fails, Decision::Link]);
    assert_eq!(rules(&plan.verdicts[id(0)]), [[Rule::Malformed]]);
}

#[test]
fn an_unreadable_module_holds_back_its_package_and_an_older_version_is_taken() {
    let mut kmps = [
        Installed::new("foo-kmp-default", 2, &[needs(1)]).unreadable("bar.ko"),
        Installed::new("foo-kmp-default", 1, &[needs(1)]),
    ];
    let plan = place().plan(&mut kmps);
    assert_eq!(plan.decisions, [Decision::DoesNotFit, Decision::Link]);
    assert_eq!(rules(&plan.verdicts[id(0)]), [vec![], vec![Rule::Malformed]]);
}

#[test]
fn a_package_serves_kernels_of_its_flavour() {
    let mut kmps = [
        Installed::new("foo-kmp-default", 1, &[needs(1)]),
        Installed::new("foo-kmp-rt", 1, &[needs(1)]).flavour("rt"),
    ];
    let plan = place().plan(&mut kmps);
    assert_eq!(plan.decisions, [Decision::Link, Decision::OtherFlavour]);
    assert!(plan.verdicts[id(1)].is_empty());
    let mut kmps = [Installed { flavour: None, ..Installed::new("kmod-foo", 1, &[needs(1)]) }];
    assert_eq!(place().plan(&mut kmps).decisions, [Decision::Link]);
}

/// dkms#140, and what a package has for the kernel itself.
#[test]
fn native_modules_win() {
    let mut kmps = [
        Installed::new("foo-kmp-default", 2, &[needs(1)]),
        Installed::new("foo-kmp-default", 1, &[needs(1)]).origin(KREL),
    ];
    let mut site = place();
    site.native("foo", &needs(1), Some(id(1)));
    let plan = site.plan(&mut kmps);
    assert_eq!(plan.decisions, [Decision::Superseded(id(1)), Decision::Native]);
    assert!(plan.links.is_empty());
    assert_eq!((rules(&plan.natives), rules(&plan.verdicts[id(1)])), (vec![vec![]], vec![vec![]]));

    // Built by dkms: nobody's.
    let mut site = place();
    site.native("foo", &needs(1), None);
    let mut kmps = [Installed::new("foo-kmp-default", 2, &[needs(1)])];
    let plan = site.plan(&mut kmps);
    assert!(matches!(&plan.decisions[id(0)], Decision::Clash { module, .. } if &**module == "foo"));
}

#[test]
fn a_broken_native_module_hinders_nobody_who_does_not_need_it() {
    let mut site = place();
    site.native("sick", &site.driver("sick").need("absent", 1).export("f", 1), None);
    let mut kmps = [
        Installed::new("foo-kmp-default", 1, &[needs(1)]),
        Installed::new("user-kmp-default", 1, &[site.driver("user").need("f", 1)]),
    ];
    let plan = site.plan(&mut kmps);
    assert_eq!(plan.decisions, [Decision::Link, Decision::DoesNotFit]);
    assert_eq!(rules(&plan.natives), [[Rule::UnknownSymbol]]);
    assert_eq!(rules(&plan.verdicts[id(1)]), [[Rule::Depends]]);
}

#[test]
fn a_linked_module_may_use_a_native_one() {
    let mut site = place();
    site.native("provider", &site.driver("provider").export("f", 1), None);
    let mut kmps = [
        Installed::new("user-kmp-default", 1, &[site.driver("user").need("f", 1)]),
        Installed::new("user-kmp-default", 2, &[site.driver("user").need("f", 2)]),
    ];
    let plan = site.plan(&mut kmps);
    assert_eq!(linked(&plan, &kmps), [("user-kmp-default", 1)]);
}

#[test]
fn a_kernel_without_packages_has_an_empty_plan() {
    let plan = Place::new(KernelBuilder::new(KREL)).plan(&mut []);
    assert!(plan.links.is_empty() && plan.decisions.is_empty() && plan.verdicts.is_empty());
}
