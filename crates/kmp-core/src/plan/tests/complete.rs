// SPDX-License-Identifier: LGPL-2.1-or-later
//! No driver is left out that another choice of versions would keep.

use std::collections::BTreeMap;

use testkit::{KernelBuilder, ModuleBuilder};

use super::random::{place, world};
use super::{Decision, Installed, Place, id, kmps, linked, rules};
use super::{KREL, parse};
use crate::abi::{Rule, Verdict, Warning};
use crate::ids::{KmpId, List};
use crate::plan::{Kmp, Site};
use testkit::Noise;

/// What a choice is worth, less is better: packages not served, versions behind the newest, and these by package.
type Cost = (usize, usize, Vec<usize>);

/// No set can have both.
fn has_a_name_twice(kmp: &Kmp<'_>) -> bool {
    kmp.modules.iter().enumerate().any(|(i, m)| kmp.modules[..i].iter().any(|o| o.name == m.name))
}

/// The worth of what is planned and of the best choice, where these are not the same.
fn worse_than_best(place: &Place, installed: &mut [Installed]) -> Option<(Cost, Cost)> {
    installed.sort_by(|a, b| a.package.cmp(b.package).then(b.version.cmp(&a.version)));
    let (all, site) = (kmps(installed), place.site());
    let (planned, best) = (cost_of(&site, &all), best_of_all(&site, &all));
    (planned != best).then_some((planned, best))
}

/// The best of all choices there are, each tried.
fn best_of_all(site: &Site<'_>, all: &List<KmpId, Kmp<'_>>) -> Cost {
    let mut versions: BTreeMap<&str, Vec<KmpId>> = BTreeMap::new();
    for (k, kmp) in all.each() {
        if !has_a_name_twice(kmp) {
            versions.entry(kmp.package).or_default().push(k);
        }
    }
    let lists: Vec<Vec<KmpId>> = versions.into_values().collect();
    let mut best = None;
    let mut at = vec![0; lists.len()];
    loop {
        let chosen: Vec<KmpId> =
            at.iter().zip(&lists).filter_map(|(i, list)| list.get(*i).copied()).collect();
        let each: Vec<usize> =
            at.iter().zip(&lists).map(|(i, list)| if *i < list.len() { *i } else { usize::MAX }).collect();
        let cost = (lists.len() - chosen.len(), each.iter().filter(|i| **i != usize::MAX).sum(), each);
        if best.as_ref().is_none_or(|b| cost < *b) && is_possible(site, all, &chosen) {
            best = Some(cost);
        }
        let Some(next) = (0..at.len()).find(|i| at[*i] < lists[*i].len()) else { break };
        at[..next].fill(0);
        at[next] += 1;
    }
    best.unwrap_or_default()
}

/// Has each module a name of its own, and does each fit beside the others? What the kernel has itself need not fit.
fn is_possible(site: &Site<'_>, all: &List<KmpId, Kmp<'_>>, chosen: &[KmpId]) -> bool {
    let modules = || chosen.iter().flat_map(|k| &all[*k].modules).map(|m| (m.name, m.module));
    let own = site.natives.iter().map(|n| (n.name, n.module));
    let mut names: Vec<&str> = modules().map(|(name, _)| name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    let breaks = |v: &Verdict| v.warnings.iter().any(|w| matches!(w, Warning::Breaks { .. }));
    let may_be_linked = |v: &Verdict| v.fits() && !(site.spares_in_tree && breaks(v));
    names.len() == count
        && site.judge_modules(own.chain(modules()))[site.natives.len()..].iter().all(may_be_linked)
}

/// The same of what was planned.
fn cost_of(site: &Site<'_>, all: &List<KmpId, Kmp<'_>>) -> Cost {
    let plan = site.plan(all);
    let mut versions: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (k, kmp) in all.each() {
        if has_a_name_twice(kmp) {
            continue;
        }
        let (seen, at) = versions.entry(kmp.package).or_insert((0, usize::MAX));
        if plan.decisions[k] == Decision::Link {
            *at = *seen;
        }
        *seen += 1;
    }
    let each: Vec<usize> = versions.into_values().map(|(_, at)| at).collect();
    let served = each.iter().filter(|i| **i != usize::MAX);
    (each.iter().filter(|i| **i == usize::MAX).count(), served.sum(), each.clone())
}

#[test]
fn the_plan_is_the_best_of_all_in_2000_random_worlds() {
    let site = place();
    let mut worse = Vec::new();
    for seed in 0..2_000 {
        let mut numbers = Noise::new(seed);
        let mut installed = world(&mut numbers, seed % 2 == 0);
        worse.extend(worse_than_best(&site, &mut installed).map(|costs| (seed, costs)));
    }
    assert_eq!(worse, []);
}

/// With a module of the kernel's own between packages, and an in-tree module that a package replaces and another one uses.
#[test]
fn the_plan_is_the_best_beside_native_and_replaced_modules() {
    let mut worse = Vec::new();
    for seed in 0..60 {
        let mut numbers = Noise::new(seed + 10_000);
        let sub = || ModuleBuilder::new("sub").need("bus_f", 1).export("sub_f", 1);
        let builder = KernelBuilder::new(KREL)
            .export("printk", 1)
            .export_gpl("gpl_only", 1)
            .module("drivers", ModuleBuilder::new("bus").export("bus_f", 1))
            .module("drivers", sub());
        let mut site = Place::new(builder);
        site.spares_in_tree = seed % 3 == 0;
        let native = site.driver("native").need("m00_f0", 1 + numbers.below(2) as u32).export("native_f", 1);
        site.native("native", &native, None);
        site.users.push(("bus", "sub", parse(&site.driver("sub").need("bus_f", 1).export("sub_f", 1))));
        let mut installed = world(&mut numbers, seed % 2 == 0);
        installed.push(Installed::new("u-kmp-default", 1, &[site.driver("user").need("native_f", 1)]));
        for version in 1..=2 {
            let bus = site.driver("bus").export("bus_f", 1 + numbers.below(2) as u32).need("m10_f0", version);
            installed.push(Installed::new("bus-kmp-default", version, &[bus]));
            let above = site.driver("above").need("sub_f", 1).need("bus_f", version);
            installed.push(Installed::new("above-kmp-default", version, &[above]));
        }
        worse.extend(worse_than_best(&site, &mut installed).map(|costs| (seed, costs)));
    }
    assert_eq!(worse, []);
}

fn module(site: &Place, name: &str, export: Option<u32>, need: Option<(&str, u32)>) -> ModuleBuilder {
    let mut module = site.driver(name).need("printk", 1);
    if let Some(crc) = export {
        module = module.export(format!("{name}_f"), crc);
    }
    if let Some((symbol, crc)) = need {
        module = module.need(symbol, crc);
    }
    module
}

/// The exporter's newest version fits, but its user was built for the older one.
#[test]
fn an_exporter_steps_down_for_a_user_that_would_be_lost() {
    let site = place();
    let exporter =
        |version| Installed::new("p-kmp-default", version, &[module(&site, "p", Some(version), None)]);
    let user = Installed::new("u-kmp-default", 1, &[module(&site, "u", None, Some(("p_f", 1)))]);
    let mut kmps = [exporter(2), exporter(1), user];
    let plan = site.plan(&mut kmps);
    assert_eq!(linked(&plan, &kmps), [("p-kmp-default", 1), ("u-kmp-default", 1)]);
    assert_eq!(plan.decisions[id(0)], Decision::Superseded(id(1)));
    assert_eq!(rules(&plan.verdicts[id(0)]), [[]]);
}

/// Two users of the newest exporter count for more than one of the older.
#[test]
fn more_drivers_count_for_more() {
    let site = place();
    let exporter =
        |version| Installed::new("p-kmp-default", version, &[module(&site, "p", Some(version), None)]);
    let user = |package, name: &str, crc| {
        Installed::new(package, 1, &[module(&site, name, None, Some(("p_f", crc)))])
    };
    let mut kmps = [
        exporter(2),
        exporter(1),
        user("u-kmp-default", "u", 1),
        user("v-kmp-default", "v", 2),
        user("w-kmp-default", "w", 2),
    ];
    let plan = site.plan(&mut kmps);
    assert_eq!(linked(&plan, &kmps), [("p-kmp-default", 2), ("v-kmp-default", 1), ("w-kmp-default", 1)]);
    assert_eq!(rules(&plan.verdicts[id(2)]), [[Rule::Crc]]);
}

/// `a` takes the names of two others' modules; the two are more drivers than the one.
#[test]
fn what_keeps_others_out_gives_way_and_says_whose_name_it_has() {
    let site = place();
    let plain = |name: &str| module(&site, name, None, None);
    let mut kmps = [
        Installed::new("a-kmp-default", 1, &[plain("m"), plain("n")]),
        Installed::new("b-kmp-default", 1, &[plain("m")]),
        Installed::new("c-kmp-default", 1, &[plain("n")]),
    ];
    let plan = site.plan(&mut kmps);
    assert_eq!(linked(&plan, &kmps), [("b-kmp-default", 1), ("c-kmp-default", 1)]);
    assert_eq!(
        plan.decisions[id(0)],
        Decision::Clash { module: "m".into(), with: "package b-kmp-default".into() }
    );
}

/// Past the bound the greedy choice stands: many packages that each could need each other.
#[test]
fn a_group_past_the_bound_keeps_a_choice_that_fits() {
    let site = place();
    let names: Vec<String> = (0..24).map(|n| format!("m{n:02}")).collect();
    let packages: Vec<&'static str> =
        names.iter().map(|n| &*Box::leak(format!("{n}-kmp-default").into_boxed_str())).collect();
    let mut installed = Vec::new();
    for (n, name) in names.iter().enumerate() {
        let next = format!("{}_f", names[(n + 1) % names.len()]);
        for version in 1..=3 {
            // Built for the next one's next version: round the circle no choice fits.
            let need = 1 + version % 3;
            let module = module(&site, name, Some(version), Some((&next, need)));
            installed.push(Installed::new(packages[n], version, &[module]));
        }
    }
    installed.push(Installed::new("z-kmp-default", 1, &[module(&site, "z", None, None)]));
    installed.sort_by(|a, b| a.package.cmp(b.package).then(b.version.cmp(&a.version)));
    let (all, of_site) = (kmps(&installed), site.site());
    let plan = of_site.plan(&all);
    let chosen = plan.chosen();
    let modules = chosen.iter().flat_map(|k| &all[*k].modules).map(|m| (m.name, m.module));
    assert!(of_site.judge_modules(modules).iter().all(Verdict::fits));
    assert!(linked(&plan, &installed).contains(&("z-kmp-default", 1)));
}
