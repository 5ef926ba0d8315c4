// SPDX-License-Identifier: LGPL-2.1-or-later
//! Packages that need each other: who falls back, and who need not.

use testkit::{KernelBuilder, ModuleBuilder};

use super::{Installed, Place, id, linked, place, rules};
use super::{KREL, parse};
use crate::abi::Rule;

/// A module that fits the kernel (or not), exports and needs.
fn module(name: &str, fits: bool, export: Option<u32>, need: Option<(&str, u32)>) -> ModuleBuilder {
    let mut module = place().driver(name).need("printk", if fits { 1 } else { 9 });
    if let Some(crc) = export {
        module = module.export(format!("{name}_f"), crc);
    }
    if let Some((symbol, crc)) = need {
        module = module.need(symbol, crc);
    }
    module
}

fn provider(version: u32, fits: bool, crc: u32) -> Installed {
    Installed::new("p-kmp-default", version, &[module("p", fits, Some(crc), None)])
}

fn user(version: u32, crc: u32) -> Installed {
    Installed::new("u-kmp-default", version, &[module("u", true, None, Some(("p_f", crc)))])
}

fn links(mut kmps: Vec<Installed>) -> Vec<(&'static str, u32)> {
    let plan = place().plan(&mut kmps);
    let names = linked(&plan, &kmps);
    names.into_iter().map(|(name, version)| (name.split('-').next().unwrap_or(name), version)).collect()
}

#[test]
fn a_user_of_a_missing_provider_is_not_linked() {
    assert_eq!(links(vec![user(1, 1)]), []);
    assert_eq!(links(vec![user(1, 1), provider(1, true, 1)]), [("p", 1), ("u", 1)]);
}

/// rhbz#1649211, rhbz#1778889: provider and user, each in a build for the one and for the other kernel.
#[test]
fn builds_of_users_and_providers_go_together_to_the_right_kernels() {
    let kernels = [("6.4.0-1-default", 1), ("6.4.0-2-default", 2)];
    for (release, crc) in kernels {
        let site = Place::new(KernelBuilder::new(release).export("printk", crc));
        let build = |version: u32| {
            let p = site.driver("p").need("printk", version).export("p_f", 100 + version);
            let u = site.driver("u").need("printk", version).need("p_f", 100 + version);
            [Installed::new("p-kmp-default", version, &[p]), Installed::new("u-kmp-default", version, &[u])]
        };
        let mut kmps: Vec<Installed> = build(1).into_iter().chain(build(2)).collect();
        let plan = site.plan(&mut kmps);
        assert_eq!(linked(&plan, &kmps), [("p-kmp-default", crc), ("u-kmp-default", crc)]);
    }
}

#[test]
fn a_user_falls_back_with_its_provider_only_where_it_has_to() {
    // It fits beside the older provider: it stays.
    assert_eq!(
        links(vec![provider(2, false, 1), provider(1, true, 1), user(2, 1), user(1, 1)]),
        [("p", 1), ("u", 2)]
    );
    // It does not: it falls back, too.
    assert_eq!(
        links(vec![provider(2, false, 2), provider(1, true, 1), user(2, 2), user(1, 1)]),
        [("p", 1), ("u", 1)]
    );
    // It was built for the older provider all along.
    assert_eq!(links(vec![provider(2, false, 2), provider(1, true, 1), user(1, 1)]), [("p", 1), ("u", 1)]);
    // Neither provider fits.
    assert_eq!(links(vec![provider(2, false, 1), provider(1, false, 1), user(2, 1), user(1, 1)]), []);
}

#[test]
fn a_user_of_a_symbol_that_only_the_older_provider_has_waits_for_it() {
    let newer = Installed::new("p-kmp-default", 2, &[module("p", false, None, None)]);
    assert_eq!(links(vec![newer, provider(1, true, 1), user(1, 1)]), [("p", 1), ("u", 1)]);
}

#[test]
fn a_chain_of_three_falls_back_link_by_link() {
    let middle = |version, crc| {
        let m = module("m", true, Some(1), Some(("p_f", crc)));
        Installed::new("m-kmp-default", version, &[m])
    };
    let far = || Installed::new("far-kmp-default", 1, &[module("far", true, None, Some(("m_f", 1)))]);
    assert_eq!(
        links(vec![provider(2, false, 2), provider(1, true, 1), middle(2, 2), middle(1, 1), far()]),
        [("far", 1), ("m", 1), ("p", 1)]
    );
}

/// a needs b, b needs c, c needs b: where b and c cannot agree, a still gets the b that is left.
#[test]
fn who_waits_for_a_quarrel_does_not_pay_for_it() {
    let kmp = |name, version, modules: &[ModuleBuilder]| Installed::new(name, version, modules);
    let b = |crc| module("b", true, Some(1), Some(("c_f", crc)));
    let b_alone = module("b", true, Some(2), None);
    let c = module("c", true, Some(7), Some(("b_f", 5)));
    let a = module("a", true, None, Some(("b_f", 2)));
    let kmps = vec![
        kmp("b-kmp-default", 2, &[b(8)]),
        kmp("b-kmp-default", 1, &[b_alone]),
        kmp("c-kmp-default", 1, &[c]),
        kmp("a-kmp-default", 1, &[a]),
    ];
    assert_eq!(links(kmps), [("a", 1), ("b", 1)]);
}

/// In-tree `bus` exports what `u` needs; a package's `bus` lacks it, but does not fit anyway.
#[test]
fn an_in_tree_module_that_comes_back_serves_its_users() {
    let bus = ModuleBuilder::new("bus").export("p_f", 1);
    let site = Place::new(KernelBuilder::new(KREL).export("printk", 1).module("drivers", bus));
    let mut kmps =
        [Installed::new("bus-kmp-default", 1, &[site.driver("bus").need("printk", 9)]), user(1, 1)];
    let plan = site.plan(&mut kmps);
    assert_eq!(linked(&plan, &kmps), [("u-kmp-default", 1)]);
}

/// In-tree `sub` uses in-tree `bus`. A `bus` that breaks `sub` loads, but what needs `sub` does not: for its sake the
/// older `bus` is linked.
#[test]
fn what_breaks_an_in_tree_module_gives_way_only_for_a_driver_that_needs_it() {
    let builder = KernelBuilder::new(KREL)
        .export("printk", 1)
        .module("drivers", ModuleBuilder::new("bus").export("bus_f", 1))
        .module("drivers", ModuleBuilder::new("sub").need("bus_f", 1).export("p_f", 1));
    let mut site = Place::new(builder);
    site.users.push(("bus", "sub", parse(&site.driver("sub").need("bus_f", 1).export("p_f", 1))));
    let bus = |crc, other| site.driver("bus").export("bus_f", crc).export("bus_new", other);
    let uses_bus =
        |version, crc| Installed::new("w-kmp-default", version, &[site.driver("w").need("bus_new", crc)]);
    let buses = || [(2, 2), (1, 1)].map(|(v, crc)| Installed::new("bus-kmp-default", v, &[bus(crc, 5)]));

    let mut kmps: Vec<Installed> = buses().into_iter().chain([uses_bus(2, 5), uses_bus(1, 5)]).collect();
    let plan = site.plan(&mut kmps);
    assert_eq!(linked(&plan, &kmps), [("bus-kmp-default", 2), ("w-kmp-default", 2)]);
    assert_eq!(rules(&plan.verdicts[id(0)]), [[]]);
    assert_eq!(plan.verdicts[id(0)][0].warnings[0].module(), Some("sub"));

    // Where in-tree modules are spared, it is not linked at all.
    site.spares_in_tree = true;
    let plan = site.plan(&mut kmps);
    assert_eq!(linked(&plan, &kmps), [("bus-kmp-default", 1), ("w-kmp-default", 2)]);
    assert_eq!(rules(&plan.verdicts[id(0)]), [[Rule::Breaks]]);

    site.spares_in_tree = false;
    kmps.push(user(1, 1));
    let plan = site.plan(&mut kmps);
    let expected = [("bus-kmp-default", 1), ("u-kmp-default", 1), ("w-kmp-default", 2)];
    assert_eq!(linked(&plan, &kmps), expected);
}

/// A proprietary provider's older version was GPL.
#[test]
fn a_taint_that_goes_is_no_reason() {
    let site = Place::new(KernelBuilder::new("6.4.0-1-default").export("printk", 1).export_gpl("g", 1));
    let p = |license, crc| site.driver("p").license(license).need("printk", crc).export("p_f", 1);
    let mut kmps = [
        Installed::new("p-kmp-default", 2, &[p("Proprietary", 9)]),
        Installed::new("p-kmp-default", 1, &[p("GPL", 1)]),
        Installed::new("u-kmp-default", 1, &[site.driver("u").need("g", 1).need("p_f", 1)]),
    ];
    let plan = site.plan(&mut kmps);
    assert_eq!(linked(&plan, &kmps), [("p-kmp-default", 1), ("u-kmp-default", 1)]);
}

/// `u` gives way to `p` 2, which fits then; but when `a` falls back, `p` has to as well, and `p` 1 is
/// what `u` was built for.
#[test]
fn who_gave_way_to_what_has_given_way_since_is_tried_again() {
    let a = |version, fits, symbol: &str| {
        let module = module("a", fits, None, None).export(symbol, 1);
        Installed::new("a-kmp-default", version, &[module])
    };
    let p = Installed::new("p-kmp-default", 2, &[module("p", true, Some(2), None).export("shared", 1)]);
    let kmps = vec![a(2, false, "own"), a(1, true, "shared"), p, provider(1, true, 1), user(1, 1)];
    assert_eq!(links(kmps), [("a", 1), ("p", 1), ("u", 1)]);
}
