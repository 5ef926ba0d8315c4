// SPDX-License-Identifier: LGPL-2.1-or-later
//! `verify_exported_symbols`: no symbol is exported twice.

use testkit::{KernelBuilder, ModuleBuilder};

use super::{KREL, judge, judge_beside, kernel, rules};
use crate::{Rule, Warning};

fn builder() -> KernelBuilder {
    let bus = ModuleBuilder::new("bus").export("bus_add", 2);
    KernelBuilder::new(KREL).export("printk", 1).module("drivers/bus", bus)
}

#[test]
fn nothing_that_vmlinux_exports_is_exported_again() {
    let verdicts =
        judge(&kernel(&builder()), &[builder().driver("foo").export("printk", 1).export("own", 1)]);
    assert_eq!(rules(&verdicts), [[Rule::DuplicateExport]]);
    let reason = &verdicts[0].reasons[0];
    assert_eq!((reason.symbol.as_deref(), reason.exporter.as_deref()), (Some("printk"), Some("vmlinux")));
}

/// The kernel looks at what is loaded, and an in-tree module need not be.
#[test]
fn an_in_tree_exporter_of_the_same_symbol_is_a_warning_unless_it_is_replaced_or_absent() {
    let kernel = kernel(&builder());
    let rival = builder().driver("rival").export("bus_add", 2).export("own", 1);
    let verdicts = judge(&kernel, std::slice::from_ref(&rival));
    assert_eq!(rules(&verdicts), [[]]);
    assert_eq!(verdicts[0].warnings, [Warning::MayClash { with: "bus".into(), symbol: "bus_add".into() }]);
    for verdicts in [
        judge(&kernel, &[builder().driver("bus").export("bus_add", 9)]),
        judge_beside(&kernel, Some(&["other"]), std::slice::from_ref(&rival)),
    ] {
        assert_eq!((rules(&verdicts), verdicts[0].warnings.len()), (vec![vec![]], 0));
    }
}

/// A module that needs the in-tree exporter, directly or by way of another, is never loaded without it.
#[test]
fn what_is_loaded_with_a_module_may_not_export_the_same() {
    let two = ModuleBuilder::new("bus").export("bus_add", 2).export("bus_ids", 3);
    let builder = KernelBuilder::new(KREL).export("printk", 1).module("drivers/bus", two);
    let kernel = kernel(&builder);
    let rival = || builder.driver("rival").export("bus_add", 2);
    let alone = judge(&kernel, &[rival().need("bus_ids", 3)]);
    assert_eq!(rules(&alone), [[Rule::DuplicateExport]]);
    assert_eq!(alone[0].reasons[0].exporter.as_deref(), Some("drivers/bus/bus"));
    let between = builder.driver("between").need("bus_ids", 3).export("between_f", 1);
    let verdicts = judge(&kernel, &[rival().need("between_f", 1), between]);
    assert_eq!(rules(&verdicts), [vec![Rule::DuplicateExport], vec![]]);
    assert_eq!(rules(&judge(&kernel, &[rival().depends("bus")])), [[Rule::DuplicateExport]]);
    let before = rival().add_info("softdep", "post: other pre: x bus");
    assert_eq!(rules(&judge(&kernel, &[before])), [[Rule::DuplicateExport]]);
    let after = rival().add_info("softdep", "pre: x post: bus");
    assert_eq!(rules(&judge(&kernel, &[after])), [[]]);
    // A weak symbol loads nobody.
    assert_eq!(rules(&judge(&kernel, &[rival().need_weak("bus_ids", Some(3))])), [[]]);
}

#[test]
fn of_two_modules_the_first_may_export() {
    let set = [builder().driver("a").export("f", 1), builder().driver("b").export("f", 1)];
    let verdicts = judge(&kernel(&builder()), &set);
    assert_eq!(rules(&verdicts), [vec![], vec![Rule::DuplicateExport]]);
    assert_eq!(verdicts[1].reasons[0].exporter.as_deref(), Some("a"));
}

/// Of two files with one name depmod knows the first only: what the other exports is not there.
#[test]
fn a_shadowed_module_offers_nothing() {
    let shadowed = builder().driver("foo").export("f", 1).export("g", 1);
    let set = [builder().driver("foo").export("f", 1), shadowed, builder().driver("user").need("g", 1)];
    let verdicts = judge(&kernel(&builder()), &set);
    assert_eq!(rules(&verdicts), [vec![], vec![], vec![Rule::UnknownSymbol]]);
}
