// SPDX-License-Identifier: LGPL-2.1-or-later
//! What holds in every world, tried in many small random ones.

use testkit::KernelBuilder;

use super::KREL;
use super::{Decision, Installed, Place, kmps};
use crate::abi::Verdict;
use crate::ids::{Id, List};
use testkit::Noise;

pub(super) const PACKAGES: [&str; 5] =
    ["a-kmp-default", "b-kmp-default", "c-kmp-default", "d-kmp-default", "e-kmp-default"];

/// Packages in some versions, each with a module or two that use the kernel and each other, and that fit
/// more often than not.
pub(super) fn world(numbers: &mut Noise, clashes: bool) -> Vec<Installed> {
    let site = place();
    let mut installed = Vec::new();
    for (p, package) in PACKAGES.into_iter().enumerate() {
        for version in 0..1 + numbers.below(3) as u32 {
            let mut modules = Vec::new();
            for m in 0..1 + numbers.below(2) {
                let own = format!("m{p}{m}");
                let name = if clashes && numbers.below(8) == 0 { "m00".to_string() } else { own.clone() };
                let mut module = site.driver(&name);
                if numbers.below(4) == 0 {
                    module = module.need("printk", 2);
                }
                if numbers.below(10) == 0 {
                    module = module.license("Proprietary");
                }
                if numbers.below(10) == 0 {
                    module = module.need("gpl_only", 1);
                }
                for f in 0..numbers.below(3) {
                    let symbol = if clashes && numbers.below(8) == 0 {
                        "shared".into()
                    } else {
                        format!("{own}_f{f}")
                    };
                    module = module.export(symbol, 1 + numbers.below(2) as u32);
                }
                if numbers.below(2) == 0 {
                    let of = format!("m{}{}_f0", numbers.below(PACKAGES.len()), numbers.below(2));
                    if !of.starts_with(&own) {
                        module = module.need(of, 1 + numbers.below(2) as u32);
                    }
                }
                modules.push(module);
            }
            installed.push(Installed::new(package, version, &modules));
        }
    }
    installed
}

pub(super) fn place() -> Place {
    Place::new(KernelBuilder::new(KREL).export("printk", 1).export_gpl("gpl_only", 1))
}

/// Package, version, decision and verdicts, in an order of their own.
fn decided(
    installed: &[Installed],
    site: &Place,
    numbers: &mut Noise,
) -> Vec<(String, String, Vec<Verdict>)> {
    let mut order: Vec<&Installed> = installed.iter().collect();
    numbers.shuffle(&mut order);
    order.sort_by(|a, b| a.package.cmp(b.package).then(b.version.cmp(&a.version)));
    let all: List<_, _> = order.iter().flat_map(|i| kmps(std::slice::from_ref(*i))).collect();
    let plan = site.site().plan(&all);
    let decisions = plan.decisions.into_iter().zip(plan.verdicts).zip(order);
    decisions
        .map(|((d, v), i)| {
            let by = match d {
                Decision::Superseded(by) => format!("superseded by {}", all[by].package),
                d => format!("{d:?}"),
            };
            (format!("{} {}", i.package, i.version), by, v)
        })
        .collect()
}

/// The order of installation, and of any hash table, means nothing.
#[test]
fn the_plan_does_not_depend_on_the_order_of_installation() {
    let site = place();
    for seed in 0..500 {
        let mut numbers = Noise::new(seed);
        let installed = world(&mut numbers, seed % 2 == 0);
        let first = decided(&installed, &site, &mut numbers);
        for _ in 0..3 {
            assert_eq!(decided(&installed, &site, &mut numbers), first, "seed {seed}");
        }
    }
}

/// Where packages do not clash, not even the order of their names means anything.
#[test]
fn the_plan_does_not_depend_on_names_where_nothing_clashes() {
    let site = place();
    for seed in 0..500 {
        let mut numbers = Noise::new(seed);
        let mut installed = world(&mut numbers, false);
        let linked = |installed: &[Installed]| {
            let plan = site.site().plan(&kmps(installed));
            let mut linked: Vec<_> = plan
                .decisions
                .iter()
                .zip(installed)
                .filter(|(d, _)| **d == Decision::Link)
                .map(|(_, i)| (i.package, i.version))
                .collect();
            linked.sort();
            linked
        };
        let by_name = |names: &[&str], installed: &mut Vec<Installed>| {
            installed.sort_by_key(|i| (names.iter().position(|n| *n == i.package), u32::MAX - i.version));
        };
        let mut names = PACKAGES;
        by_name(&names, &mut installed);
        let first = linked(&installed);
        for _ in 0..3 {
            numbers.shuffle(&mut names);
            by_name(&names, &mut installed);
            assert_eq!(linked(&installed), first, "seed {seed}");
        }
    }
}

/// What is linked fits, judged again as a whole; its links are its modules; and no package is left out,
/// or linked in an older version, that could be added to what is linked.
#[test]
fn what_is_planned_fits_and_nothing_is_lost() {
    let site = place();
    let mut lost = Vec::new();
    for seed in 0..500 {
        let mut numbers = Noise::new(seed);
        let mut installed = world(&mut numbers, seed % 2 == 0);
        installed.sort_by(|a, b| a.package.cmp(b.package).then(b.version.cmp(&a.version)));
        let all = kmps(&installed);
        let site = site.site();
        let plan = site.plan(&all);
        let chosen = plan.chosen();
        let set = || chosen.iter().flat_map(|k| &all[*k].modules).map(|m| (m.name, m.module));
        assert!(site.judge_modules(set()).iter().all(Verdict::fits), "seed {seed}");
        assert_eq!(plan.links.len(), set().count(), "seed {seed}");
        for (k, kmp) in all.each() {
            let served = chosen.iter().any(|c| all[*c].package == kmp.package && *c <= k);
            let others = || {
                let others = chosen.iter().filter(|c| all[**c].package != kmp.package);
                others.flat_map(|c| &all[*c].modules)
            };
            let clash = kmp.modules.iter().any(|m| others().any(|o| o.name == m.name));
            let twice = kmp.modules.len() == 2 && kmp.modules[0].name == kmp.modules[1].name;
            if served || clash || twice {
                continue;
            }
            let more = others().chain(&kmp.modules).map(|m| (m.name, m.module));
            if site.judge_modules(more).iter().all(Verdict::fits) {
                let of = &installed[k.place()];
                lost.push((seed, of.package, of.version));
            }
        }
    }
    assert_eq!(lost, []);
}
