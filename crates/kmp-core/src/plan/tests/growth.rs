// SPDX-License-Identifier: LGPL-2.1-or-later
//! Many packages, superseded, entangled or at odds: the work grows with their number only.

use testkit::ModuleBuilder;

use super::{Decision, Installed, Place, kmps, place};
use crate::abi::Verdict;
use crate::ids::KmpId;
use kmp_steps::{grow_linearly, steps_of};
use testkit::Noise;

fn name(base: &str, number: usize, rest: &str) -> &'static str {
    format!("{base}{number:06}{rest}").leak()
}

fn kmp(base: &str, number: usize, version: u32, module: ModuleBuilder) -> Installed {
    Installed::new(name(base, number, "-kmp-default"), version, &[module])
}

fn plan(site: &Place, mut installed: Vec<Installed>, linked: usize) {
    let plan = site.plan(&mut installed);
    assert_eq!(plan.decisions.iter().filter(|d| **d == Decision::Link).count(), linked);
}

/// A user each that waits for its provider to fall back to the older version.
fn pairs(site: &Place, count: usize) -> Vec<Installed> {
    let pair = |i: usize| {
        let symbol = name("p", i, "_f");
        let provider =
            |version: u32| site.driver(name("p", i, "")).need("printk", version).export(symbol, version);
        let user = site.driver(name("a", i, "")).need("printk", 1).need(symbol, 1);
        [kmp("p", i, 2, provider(2)), kmp("p", i, 1, provider(1)), kmp("a", i, 1, user)]
    };
    (0..count).flat_map(pair).collect()
}

#[test]
fn packages_taken_back() {
    let site = place();
    grow_linearly(3, |n| (n, pairs(&site, n)), |(n, installed)| plan(&site, installed, 2 * n));
}

#[test]
fn superseded_versions() {
    let site = place();
    let versions = |n: usize| {
        let version = |i: usize| {
            let module = || site.driver(name("m", i, "")).need("printk", 1);
            [kmp("m", i, 2, module()), kmp("m", i, 1, module())]
        };
        (0..n).flat_map(version).collect::<Vec<_>>()
    };
    grow_linearly(3, |n| (n, versions(n)), |(n, installed)| plan(&site, installed, n));
}

/// Each needs the one before it, and the first does not fit.
#[test]
fn a_chain_of_dependencies() {
    let site = place();
    let chain = |n: usize, fits: bool| {
        let link = |i: usize| {
            let module = site.driver(name("m", n - i, "")).export(name("m", i, "_f"), 1);
            match i {
                0 => module.need("printk", if fits { 1 } else { 2 }).license("Proprietary"),
                _ => module.need(name("m", i - 1, "_f"), 1),
            }
        };
        (0..n).map(|i| kmp("m", n - i, 1, link(i))).collect::<Vec<_>>()
    };
    for fits in [false, true] {
        let linked = |n| if fits { n } else { 0 };
        grow_linearly(3, |n| (n, chain(n, fits)), |(n, installed)| plan(&site, installed, linked(n)));
    }
}

/// Where so many export one symbol, each of a version that only its own user takes, that not all can be tried beside the
/// others, trying ends.
#[test]
fn a_quarrel_of_very_many_ends() {
    let site = place();
    let pair = |i: usize| {
        let version = u32::try_from(i).unwrap();
        let exporter = site.driver(name("m", i, "")).export("shared", version);
        let user = site.driver(name("u", i, "")).need("shared", version);
        Installed::new(name("m", i, "-kmp-default"), 1, &[exporter, user])
    };
    let mut installed: Vec<Installed> = (0..1000).map(pair).collect();
    installed.extend((0..1000).map(|i| kmp("n", i, 1, site.driver(name("n", i, "")).need("printk", 1))));
    let steps = steps_of(|| plan(&site, installed, 1001));
    assert!(steps < 5_000_000, "{steps}");
}

/// Judged beside what can make a difference only, a KMP gets the verdicts that it would get beside everything.
#[test]
fn what_is_near_is_enough() {
    for seed in 0..400 {
        let mut numbers = Noise::new(seed);
        let mut site = super::random::place();
        let installed = super::random::world(&mut numbers, seed % 2 == 0);
        // What the kernel has itself: some of it is replaced, or exports what the others do.
        for (i, own) in ["m00", "m10", "own"].into_iter().enumerate().filter(|(i, _)| seed >> i & 1 == 1) {
            let module = site.driver(own).export(["own_f", "m20_f0", "shared"][i], 1);
            if numbers.below(2) == 0 {
                site.native(own, &module.need("m11_f0", 1), None);
            }
        }
        let user = site.driver("user").need("m30_f0", 1).need("own_f", 1);
        site.users.push(("m30", "user", super::parse(&user)));
        let mut installed = installed;
        installed.sort_by(|a, b| a.package.cmp(b.package).then(b.version.cmp(&a.version)));
        let (all, site) = (kmps(&installed), site.site());
        let chosen = site.plan(&all).chosen();
        let beside = site.beside(&all, &chosen);
        for (index, kmp) in all.each() {
            let stays = |k: &&KmpId| {
                let other = &all[**k];
                let clashes = |name| kmp.modules.iter().any(|m| m.name == name);
                other.package != kmp.package && !other.modules.iter().any(|m| clashes(m.name))
            };
            let others = chosen.iter().filter(stays).flat_map(|k| &all[*k].modules);
            let natives = site.natives.iter().map(|n| (n.name, n.module));
            let modules = natives.chain(others.chain(&kmp.modules).map(|m| (m.name, m.module)));
            let all: Vec<Verdict> = site.judge_modules(modules);
            assert_eq!(beside.instead(index), all[all.len() - kmp.modules.len()..], "seed {seed}");
        }
    }
}
