// SPDX-License-Identifier: LGPL-2.1-or-later
//! A symbol of a module needs that module loaded, and so loadable.

use testkit::{KernelBuilder, ModuleBuilder};

use super::{KREL, judge, kernel, rules};
use crate::Rule;

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

#[test]
fn a_cycle_holds_or_falls_together() {
    let cycle = |crc| {
        [driver("a").need("b", 1).need("printk", crc).export("a", 1), driver("b").need("a", 1).export("b", 1)]
    };
    let kernel = kernel(&builder());
    assert_eq!(rules(&judge(&kernel, &cycle(1))), [[], []]);
    assert_eq!(rules(&judge(&kernel, &cycle(2))), [vec![Rule::Crc, Rule::Depends], vec![Rule::Depends]]);
    // A module that needs its own symbol depends on nobody.
    let own = driver("own").need("f", 1).need("printk", 9).export("f", 1);
    assert_eq!(rules(&judge(&kernel, &[own])), [[Rule::Crc]]);
}

#[test]
fn one_reason_for_each_module_needed_not_for_each_symbol() {
    let provider = driver("p").need("absent", 1).export("f", 1).export("g", 1);
    let user = driver("u").need("f", 1).need("g", 1);
    let verdicts = judge(&kernel(&builder()), &[provider, user]);
    assert_eq!(rules(&verdicts), [vec![Rule::UnknownSymbol], vec![Rule::Depends]]);
}
