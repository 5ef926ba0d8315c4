// SPDX-License-Identifier: LGPL-2.1-or-later
//! Modules that take the place of in-tree ones, and who is hurt by it.

use testkit::{KernelBuilder, ModuleBuilder};

use super::{KREL, judge, judge_beside, kernel, parse, rules};
use crate::{Candidate, Module, Reason, Role, Rule, Verdict, Warning, World};

/// In-tree `user` uses `bus_add` of in-tree `bus`.
fn builder() -> KernelBuilder {
    KernelBuilder::new(KREL)
        .export_gpl("gpl_only", 3)
        .module("drivers/bus", ModuleBuilder::new("bus").export("bus_add", 2).export("bus_del", 2))
        .module("drivers/user", ModuleBuilder::new("user").export("user_f", 4))
}

fn in_tree_user() -> ModuleBuilder {
    builder().driver("user").need("bus_add", 2).need("gpl_only", 3).export("user_f", 4)
}

fn judge_with_user(judged: &[ModuleBuilder], user: &ModuleBuilder) -> Vec<Verdict> {
    let kernel = kernel(&builder());
    let judged: Vec<Module> = judged.iter().map(parse).collect();
    let user = parse(user);
    let mut set: Vec<Candidate<'_>> =
        judged.iter().map(|m| Candidate { name: &m.name, module: m, role: Role::Judged }).collect();
    set.push(Candidate { name: "user", module: &user, role: Role::InTreeUser });
    World::new(&kernel, None, set).judge()
}

#[test]
fn the_exports_of_the_replacement_count_not_those_of_the_replaced() {
    let kernel = kernel(&builder());
    let user = |crc| builder().driver("my_user").need("bus_add", crc);
    let bus = builder().driver("bus").export("bus_add", 9);
    assert_eq!(rules(&judge(&kernel, &[user(2)])), [[]]);
    assert_eq!(rules(&judge(&kernel, &[bus.clone(), user(9)])), [[], []]);
    assert_eq!(rules(&judge(&kernel, &[bus, user(2)])), [vec![], vec![Rule::Crc]]);
}

#[test]
fn a_replacement_that_lacks_a_symbol_leaves_nobody_to_export_it() {
    let bus = builder().driver("bus").export("bus_add", 2);
    let verdicts = judge(&kernel(&builder()), &[bus, builder().driver("my_user").need("bus_del", 2)]);
    assert_eq!(rules(&verdicts), [vec![], vec![Rule::UnknownSymbol]]);
    let reason = &verdicts[1].reasons[0];
    assert_eq!(reason.exporter.as_deref(), Some("drivers/bus/bus"));
    assert!(reason.detail.contains("replaced"), "{reason}");
}

/// kernel-default-base, for example, has not all modules that symvers speaks of.
#[test]
fn an_exporter_that_is_not_installed_exports_nothing() {
    let kernel = kernel(&builder());
    let user = [builder().driver("my_user").need("bus_add", 2)];
    assert_eq!(rules(&judge_beside(&kernel, Some(&["bus"]), &user)), [[]]);
    let verdicts = judge_beside(&kernel, Some(&["other"]), &user);
    assert_eq!(rules(&verdicts), [[Rule::UnknownSymbol]]);
    assert!(verdicts[0].reasons[0].detail.contains("not installed"));
    // A weak need does without.
    let weak = [builder().driver("my_user").need_weak("bus_add", Some(2))];
    assert_eq!(rules(&judge_beside(&kernel, Some(&["other"]), &weak)), [[]]);
}

/// Which in-tree modules the first module of a set breaks, and why.
fn breaks(verdicts: &[Verdict]) -> Vec<(&str, &Reason)> {
    let warnings = verdicts[0].warnings.iter();
    warnings
        .filter_map(|w| match w {
            Warning::Breaks { user, reason } => Some((&**user, reason)),
            _ => None,
        })
        .collect()
}

/// It loads; that it breaks an in-tree user is another statement.
#[test]
fn a_replacement_that_breaks_an_in_tree_user_loads() {
    let good = builder().driver("bus").export("bus_add", 2);
    let verdicts = judge_with_user(&[good], &in_tree_user());
    assert_eq!((rules(&verdicts), breaks(&verdicts).len()), (vec![vec![], vec![]], 0));

    let other_crc = builder().driver("bus").export("bus_add", 9);
    let verdicts = judge_with_user(&[other_crc], &in_tree_user());
    assert_eq!(rules(&verdicts), [vec![], vec![Rule::Crc]]);
    let [(user, reason)] = breaks(&verdicts)[..] else { panic!("{verdicts:?}") };
    assert_eq!((user, reason.wanted, reason.offered), ("user", Some(2), Some(9)));
    assert!(verdicts[0].warnings[0].to_string().starts_with("breaks the in-tree module user: "));

    let lacking = builder().driver("bus").export("bus_del", 2);
    let verdicts = judge_with_user(&[lacking], &in_tree_user());
    assert_eq!(rules(&verdicts), [vec![], vec![Rule::UnknownSymbol]]);
    assert_eq!(breaks(&verdicts)[0].0, "user");
}

/// However many symbols the user lacks, it is named once.
#[test]
fn what_is_broken_is_named_once() {
    let user = in_tree_user().need("bus_del", 3);
    let verdicts = judge_with_user(&[builder().driver("bus").export("other", 2)], &user);
    assert_eq!(breaks(&verdicts).len(), 1, "{verdicts:?}");
}

/// `inherit_taint`: a proprietary replacement shuts its users out of GPL-only symbols.
#[test]
fn a_proprietary_replacement_breaks_users_of_gpl_only_symbols() {
    let bus = builder().driver("bus").license("Proprietary").export("bus_add", 2);
    let verdicts = judge_with_user(&[bus], &in_tree_user());
    assert_eq!(rules(&verdicts)[0], []);
    assert_eq!(breaks(&verdicts)[0].1.rule, Rule::License);
}

#[test]
fn what_is_wrong_with_an_in_tree_user_itself_is_nobodys_fault() {
    let good = builder().driver("bus").export("bus_add", 2);
    let sick = in_tree_user().need("absent", 1);
    assert_eq!(rules(&judge_with_user(&[good], &sick)), [vec![], vec![Rule::UnknownSymbol]]);
}

/// An in-tree user stays, and so do its exports: what exports them as well may clash with it.
#[test]
fn what_an_in_tree_user_exports_may_clash() {
    let bus = builder().driver("bus").export("bus_add", 2).export("user_f", 4);
    let verdicts = judge_with_user(&[bus], &in_tree_user());
    assert_eq!(rules(&verdicts)[0], []);
    let clash = Warning::MayClash { with: "user".into(), symbol: "user_f".into() };
    assert!(verdicts[0].warnings.contains(&clash), "{verdicts:?}");
}

#[test]
fn dash_and_underscore_are_the_same_in_names() {
    let builder =
        KernelBuilder::new(KREL).module("sound", ModuleBuilder::new("snd-pcm").export("snd_pcm_new", 2));
    let verdicts = judge(&kernel(&builder), &[builder.driver("snd_pcm").export("snd_pcm_new", 9)]);
    assert_eq!(rules(&verdicts), [[]]);
}
