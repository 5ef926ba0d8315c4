// SPDX-License-Identifier: LGPL-2.1-or-later
//! Modules that would be there twice.

use testkit::{KernelBuilder, ModuleBuilder};

use super::KREL;
use super::{Decision, Installed, Place, id, linked, place};

fn driver(name: &str) -> testkit::ModuleBuilder {
    place().driver(name).need("printk", 1)
}

fn clash_with(decision: &Decision) -> &str {
    match decision {
        Decision::Clash { with, .. } => with,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_ours_is_not_overridden() {
    let mut site = place();
    site.foreign = vec!["foo".into()];
    let mut kmps = [
        Installed::new("bar-kmp-default", 1, &[driver("bar")]),
        Installed::new("foo-kmp-default", 1, &[driver("foo"), driver("foo2")]),
    ];
    let plan = site.plan(&mut kmps);
    assert_eq!(linked(&plan, &kmps), [("bar-kmp-default", 1)]);
    assert!(clash_with(&plan.decisions[id(1)]).contains("not kmp's"));
}

#[test]
fn of_two_packages_with_one_module_the_first_by_name_has_it() {
    for turn in [false, true] {
        let mut kmps = [
            Installed::new("b-kmp-default", 9, &[driver("foo"), driver("b")]),
            Installed::new("a-kmp-default", 1, &[driver("foo"), driver("a")]),
        ];
        if turn {
            kmps.reverse();
        }
        let plan = place().plan(&mut kmps);
        assert_eq!(linked(&plan, &kmps), [("a-kmp-default", 1)]);
        assert_eq!(clash_with(&plan.decisions[id(1)]), "package a-kmp-default");
        assert_eq!(plan.links.len(), 2);
    }
}

#[test]
fn the_second_has_it_where_the_first_does_not_fit() {
    let mut kmps = [
        Installed::new("a-kmp-default", 1, &[driver("foo").need("absent", 1)]),
        Installed::new("b-kmp-default", 1, &[driver("foo")]),
    ];
    let plan = place().plan(&mut kmps);
    assert_eq!(plan.decisions, [Decision::DoesNotFit, Decision::Link]);
}

/// An older version without the module in question is no worse a choice than none.
#[test]
fn a_version_that_does_not_clash_is_linked_in_place_of_one_that_does() {
    let mut kmps = [
        Installed::new("a-kmp-default", 1, &[driver("foo")]),
        Installed::new("b-kmp-default", 2, &[driver("foo"), driver("b")]),
        Installed::new("b-kmp-default", 1, &[driver("b")]),
    ];
    let plan = place().plan(&mut kmps);
    assert_eq!(linked(&plan, &kmps), [("a-kmp-default", 1), ("b-kmp-default", 1)]);
    assert_eq!(clash_with(&plan.decisions[id(1)]), "package a-kmp-default");
}

#[test]
fn a_package_with_one_module_twice_is_not_linked() {
    let mut twice = Installed::new("foo-kmp-default", 1, &[driver("foo"), driver("foo")]);
    twice.modules[1].0 = "foo.ko.xz".into();
    let mut kmps = [twice];
    let plan = place().plan(&mut kmps);
    assert_eq!(clash_with(&plan.decisions[id(0)]), "another of the same package");
}

/// Each loads without the other. A user gets what the first by name exports.
#[test]
fn two_packages_with_one_export_are_both_linked() {
    for turn in [false, true] {
        let mut kmps = [
            Installed::new("b-kmp-default", 1, &[driver("b").export("f", 1)]),
            Installed::new("a-kmp-default", 1, &[driver("a").export("f", 2)]),
            Installed::new("of-a-kmp-default", 1, &[driver("of_a").need("f", 2)]),
            Installed::new("of-b-kmp-default", 1, &[driver("of_b").need("f", 1)]),
        ];
        if turn {
            kmps.reverse();
        }
        let plan = place().plan(&mut kmps);
        let expected = ["a-kmp-default", "b-kmp-default", "of-a-kmp-default"].map(|name| (name, 1));
        assert_eq!(linked(&plan, &kmps), expected);
    }
}

/// Red Hat's dialect without an override: a linked module is judged, but the in-tree one of its name serves others.
#[test]
fn an_inert_module_is_linked_and_serves_nobody() {
    let library = |crc: u32| ModuleBuilder::new("library").need("printk", 1).export("open", crc);
    let builder = KernelBuilder::new(KREL).export("printk", 1);
    let mut site = Place::new(builder.module("lib", library(1)));
    site.in_tree = Some(["library".into()].into());
    let user = |name: &'static str, crc| Installed::new(name, 1, &[site.driver(name).need("open", crc)]);
    let mut kmps = vec![
        Installed::new("library", 1, &[site.driver("library").need("printk", 1).export("open", 2)]),
        user("of_in_tree", 1),
        user("of_linked", 2),
    ];
    let names = |site: &Place, kmps: &mut Vec<Installed>| -> Vec<&str> {
        let plan = site.plan(kmps);
        linked(&plan, kmps).into_iter().map(|(name, _)| name).collect()
    };
    // It takes the in-tree module's place.
    assert_eq!(names(&site, &mut kmps), ["library", "of_linked"]);
    site.inert = vec!["library"];
    assert_eq!(names(&site, &mut kmps), ["library", "of_in_tree"]);
    // In the kernel's own extra/ it is loaded all the same.
    kmps.remove(0);
    site.native("library", &library(2), None);
    assert_eq!(names(&site, &mut kmps), ["of_linked"]);
}
