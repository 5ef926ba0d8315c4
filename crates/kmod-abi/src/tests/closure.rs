// SPDX-License-Identifier: LGPL-2.1-or-later
//! A symbol of a module needs that module loaded, and so loadable.

use testkit::{KernelBuilder, ModuleBuilder};

use super::{KREL, judge, kernel, parse, rules};
use crate::{Candidate, Module, Role, Rule, Verdict, Warning, World};

fn builder() -> KernelBuilder {
    KernelBuilder::new(KREL).export("printk", 1)
}

fn driver(name: &str) -> ModuleBuilder {
    builder().driver(name)
}

#[test]
fn symbols_of_the_set_are_found_in_it_whatever_the_order() {
    let provider = driver("provider").export("f", 7);
    let user = driver("user").need("f", 7);
    let kernel = kernel(&builder());
    assert_eq!(rules(&judge(&kernel, &[user.clone(), provider.clone()])), [[], []]);
    assert_eq!(rules(&judge(&kernel, &[provider, user.clone()])), [[], []]);
    assert_eq!(rules(&judge(&kernel, &[user])), [[Rule::UnknownSymbol]]);
}

#[test]
fn a_symbol_of_the_set_must_have_the_version_recorded() {
    let verdicts = judge(&kernel(&builder()), &[driver("p").export("f", 7), driver("u").need("f", 8)]);
    assert_eq!(rules(&verdicts), [vec![], vec![Rule::Crc]]);
    let reason = &verdicts[1].reasons[0];
    assert_eq!((reason.wanted, reason.offered, reason.exporter.as_deref()), (Some(8), Some(7), Some("p")));
}

#[test]
fn what_does_not_fit_takes_its_users_with_it_along_a_chain() {
    let chain = [
        driver("c").need("b", 1),
        driver("a").need("printk", 9).export("a", 1),
        driver("b").need("a", 1).export("b", 1),
        driver("apart"),
    ];
    let verdicts = judge(&kernel(&builder()), &chain);
    let expected = [vec![Rule::Depends], vec![Rule::Crc], vec![Rule::Depends], vec![]];
    assert_eq!(rules(&verdicts), expected);
    let blamed: Vec<_> = [0, 2].map(|i: usize| verdicts[i].reasons[0].exporter.as_deref()).to_vec();
    assert_eq!(blamed, [Some("b"), Some("a")]);
}

/// The kernel does without what is needed weakly only. modprobe does not: depmod lists the module all the same.
#[test]
fn a_module_that_is_refused_takes_those_not_with_it_that_can_do_without() {
    let refused = driver("p").export("f", 7).export("g", 8).need("printk", 9);
    let kernel = kernel(&builder());
    let verdicts = judge(&kernel, &[refused.clone(), driver("u").need_weak("f", Some(7))]);
    assert_eq!(rules(&verdicts), [vec![Rule::Crc], vec![]]);
    assert_eq!(verdicts[1].warnings, [Warning::WeakNeed { module: "p".into(), symbol: "f".into() }]);
    let also = driver("u").need_weak("f", Some(7)).need("g", 8);
    let verdicts = judge(&kernel, &[refused, also]);
    assert_eq!(rules(&verdicts), [vec![Rule::Crc], vec![Rule::Depends]]);
    assert_eq!(verdicts[1].reasons[0].symbol.as_deref(), Some("g"));
    // A version that differs is refused even so.
    let verdicts = judge(&kernel, &[driver("p").export("f", 7), driver("u").need_weak("f", Some(8))]);
    assert_eq!(rules(&verdicts), [vec![], vec![Rule::Crc]]);
}

/// `resolve_symbol`: of two modules that need each other neither is loaded first, and depmod writes no index at all.
#[test]
fn modules_that_need_each_other_do_not_fit() {
    let cycle = |crc| {
        [driver("a").need("b", 1).need("printk", crc).export("a", 1), driver("b").need("a", 1).export("b", 1)]
    };
    let kernel = kernel(&builder());
    let verdicts = judge(&kernel, &cycle(1));
    assert_eq!(rules(&verdicts), [[Rule::Cycle], [Rule::Cycle]]);
    let said = |v: &Verdict| v.reasons[0].exporter.clone().zip(v.reasons[0].symbol.clone()).unwrap();
    assert_eq!(said(&verdicts[0]), ("b".into(), "b".into()));
    assert_eq!(rules(&judge(&kernel, &cycle(2))), [vec![Rule::Crc, Rule::Cycle], vec![Rule::Cycle]]);
    // A module that needs its own symbol depends on nobody.
    let own = driver("own").need("f", 1).need("printk", 9).export("f", 1);
    assert_eq!(rules(&judge(&kernel, &[own])), [[Rule::Crc]]);
}

#[test]
fn users_of_a_cycle_and_what_a_cycle_uses_are_not_in_it() {
    let set = [
        driver("below").export("below", 1),
        driver("a").need("c", 1).export("a", 1),
        driver("b").need("a", 1).need("below", 1).export("b", 1),
        driver("c").need("b", 1).export("c", 1),
        driver("between").need("c", 1).export("between", 1),
        driver("x").need("y", 1).need("between", 1).export("x", 1),
        driver("y").need("x", 1).export("y", 1),
        driver("above").need("y", 1),
    ];
    let cycle = vec![Rule::Cycle];
    let expected = [
        vec![],
        cycle.clone(),
        cycle.clone(),
        cycle.clone(),
        vec![Rule::Depends],
        vec![Rule::Cycle, Rule::Depends],
        cycle,
        vec![Rule::Depends],
    ];
    assert_eq!(rules(&judge(&kernel(&builder()), &set)), expected);
}

#[test]
fn work_grows_with_the_length_of_a_cycle() {
    let kernel = kernel(&builder());
    let cycle = |n: usize| -> Vec<Module> {
        let link = |i: usize| {
            driver(&format!("m{i}")).need(format!("f{}", (i + 1) % n), 1).export(format!("f{i}"), 1)
        };
        (0..n).map(|i| parse(&link(i))).collect()
    };
    kmp_steps::grow_linearly(10, cycle, |modules| {
        let set = modules.iter().map(|m| Candidate { name: &m.name, module: m, role: Role::Judged });
        let verdicts = World::new(&kernel, None, set.collect()).judge();
        assert!(verdicts.iter().all(|v| v.reasons.len() == 1 && v.reasons[0].rule == Rule::Cycle));
    });
}

#[test]
fn one_reason_for_each_module_needed_not_for_each_symbol() {
    let provider = driver("p").need("absent", 1).export("f", 1).export("g", 1);
    let user = driver("u").need("f", 1).need("g", 1);
    let verdicts = judge(&kernel(&builder()), &[provider, user]);
    assert_eq!(rules(&verdicts), [vec![Rule::UnknownSymbol], vec![Rule::Depends]]);
}
