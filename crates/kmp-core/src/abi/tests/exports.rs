//! `verify_exported_symbols`: no symbol is exported twice.

use testkit::{KernelBuilder, ModuleBuilder};

use super::super::Rule;
use super::{KREL, judge, judge_beside, kernel, rules};

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

#[test]
fn nothing_that_an_in_tree_module_exports_is_exported_again_unless_it_is_replaced_or_absent() {
    let kernel = kernel(&builder());
    let rival = builder().driver("rival").export("bus_add", 2);
    let verdicts = judge(&kernel, std::slice::from_ref(&rival));
    assert_eq!(rules(&verdicts), [[Rule::DuplicateExport]]);
    assert_eq!(verdicts[0].reasons[0].exporter.as_deref(), Some("drivers/bus/bus"));
    assert_eq!(rules(&judge(&kernel, &[builder().driver("bus").export("bus_add", 9)])), [[]]);
    assert_eq!(rules(&judge_beside(&kernel, Some(&["other"]), &[rival])), [[]]);
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
