// SPDX-License-Identifier: LGPL-2.1-or-later
//! `verify_exported_symbols`: no symbol is exported twice.

use testkit::{Arch, Export, KernelBuilder, ModuleBuilder, Strip};

use super::{KREL, judge, judge_beside, kernel, parse, rules};
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

/// Each loads without the other; only what needs the other one is never without it.
#[test]
fn of_two_modules_each_may_export_unless_it_needs_the_other() {
    let a = builder().driver("a").export("f", 1).export("g", 2);
    let b = || builder().driver("b").export("f", 1);
    let verdicts = judge(&kernel(&builder()), &[a.clone(), b()]);
    assert_eq!(rules(&verdicts), [[], []]);
    assert_eq!(verdicts[1].warnings, [Warning::MayClash { with: "a".into(), symbol: "f".into() }]);
    let verdicts = judge(&kernel(&builder()), &[a.clone(), b().need("g", 2)]);
    assert_eq!(rules(&verdicts), [vec![], vec![Rule::DuplicateExport]]);
    assert_eq!(verdicts[1].reasons[0].exporter.as_deref(), Some("a"));
    // What is refused is not there.
    let refused = a.need("nobodys", 1);
    assert_eq!(rules(&judge(&kernel(&builder()), &[refused, b()])), [vec![Rule::UnknownSymbol], vec![]]);
}

/// Of two files with one name depmod knows the first only: what the other exports is not there.
#[test]
fn a_shadowed_module_offers_nothing() {
    let shadowed = builder().driver("foo").export("f", 1).export("g", 1);
    let set = [builder().driver("foo").export("f", 1), shadowed, builder().driver("user").need("g", 1)];
    let verdicts = judge(&kernel(&builder()), &set);
    assert_eq!(rules(&verdicts), [vec![], vec![], vec![Rule::UnknownSymbol]]);
}

/// The form of exports since 7.1: flags in `__kflagstab`, and `__ksymtab_gpl` is not looked at (`find_module_sections`,
/// `check_export_symbol_sections`).
#[test]
fn since_7_1_gpl_only_is_a_flag() {
    let of = |release: &str| {
        let builder = KernelBuilder::new(release).export("printk", 1);
        let kernel = kernel(&builder);
        let judged = |flags: bool, gpl: bool, license: &str| {
            let exported = Export::new("f").crc(1);
            let exported = if gpl { exported.gpl() } else { exported };
            let provider = builder.driver("p").export_with(exported).export_flags(flags);
            rules(&judge(&kernel, &[provider, builder.driver("u").license(license).need("f", 1)]))
        };
        [
            judged(true, true, "MIT"),
            judged(true, false, "MIT"),
            judged(false, true, "GPL"),
            judged(false, false, "GPL"),
        ]
    };
    let fits = || vec![vec![], vec![]];
    let expected = [
        vec![vec![], vec![Rule::License]],
        fits(),
        // Nobody sees the export.
        vec![vec![], vec![Rule::UnknownSymbol]],
        vec![vec![Rule::ExportForm], vec![Rule::Depends]],
    ];
    assert_eq!(of("7.1.0-1-default"), expected);
    // Before, the flags are not looked at, and everything in __ksymtab is for everybody.
    assert_eq!(of("7.0.9-1-default"), [fits(), fits(), fits(), fits()]);
}

#[test]
fn flags_are_read_with_and_without_local_symbols() {
    for arch in Arch::ALL {
        for strip in [Strip::Nothing, Strip::Unneeded, Strip::Locals] {
            let builder = ModuleBuilder::new("m").arch(arch).strip(strip).export_flags(true);
            let module = parse(&builder.export("c", 3).export_gpl("b", 2).export("a", 1).export_gpl("d", 4));
            let found: Vec<_> = module.offers.iter().map(|o| (&*o.symbol, o.crc, o.gpl)).collect();
            let expected =
                [("a", Some(1), false), ("b", Some(2), true), ("c", Some(3), false), ("d", Some(4), true)];
            assert_eq!(found, expected, "{arch:?} {strip:?}");
            assert!(module.has_export_flags && !module.lacks_export_crcs);
        }
    }
}
