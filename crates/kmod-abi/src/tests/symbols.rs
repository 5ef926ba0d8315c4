// SPDX-License-Identifier: LGPL-2.1-or-later
//! Who may use which symbol: missing, weak, GPL-only, namespaces, taint.

use testkit::{Export, KernelBuilder, ModuleBuilder};

use super::{KREL, broken, judge, kernel, reasons, rules};
use crate::{Rule, SymbolTable};

fn builder() -> KernelBuilder {
    KernelBuilder::new(KREL).export("printk", 1).export_gpl("gpl_only", 2).export_ns("in_ns", 3, "NS")
}

fn driver() -> ModuleBuilder {
    builder().driver("foo")
}

/// `simplify_symbols`: ENOENT.
#[test]
fn a_symbol_that_nobody_exports_is_missing() {
    let reasons = reasons(&kernel(&builder()), &driver().need("absent", 5).need_without_crc("absent_too"));
    let symbols: Vec<_> = reasons.iter().map(|r| (r.rule, r.symbol.as_deref(), r.wanted)).collect();
    let expected =
        [(Rule::UnknownSymbol, Some("absent"), Some(5)), (Rule::UnknownSymbol, Some("absent_too"), None)];
    assert_eq!(symbols, expected);
}

/// `simplify_symbols`: "Ok if weak". Only *missing* is: ERR_PTR(-EINVAL) of `resolve_symbol` is not.
#[test]
fn a_weak_symbol_may_be_missing_but_not_wrong() {
    let kernel = kernel(&builder());
    assert_eq!(broken(&kernel, &driver().need_weak("absent", Some(5))), []);
    assert_eq!(broken(&kernel, &driver().need_weak("absent", None)), []);
    assert_eq!(broken(&kernel, &driver().need_weak("printk", Some(1))), []);
    assert_eq!(broken(&kernel, &driver().need_weak("printk", Some(9))), [Rule::Crc]);
    assert_eq!(broken(&kernel, &driver().need_weak("in_ns", Some(3))), [Rule::Namespace]);
    // A GPL-only symbol is not shown to a proprietary module: it is missing, which is fine.
    assert_eq!(broken(&kernel, &driver().license("MIT").need_weak("gpl_only", Some(2))), []);
}

/// `find_exported_symbol_in_section`: without `gplok`, GPL-only symbols are not there.
#[test]
fn gpl_only_symbols_are_for_gpl_compatible_licences() {
    let kernel = kernel(&builder());
    let with = |license: &str| broken(&kernel, &driver().license(license).need("gpl_only", 2));
    for license in
        ["GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"]
    {
        assert_eq!(with(license), [], "{license}");
    }
    for license in ["Proprietary", "MIT", "BSD", "GPLv2", "GPL v3", ""] {
        assert_eq!(with(license), [Rule::License], "{license}");
    }
    assert_eq!(broken(&kernel, &driver().without("license").need("gpl_only", 2)), [Rule::License]);
    assert_eq!(broken(&kernel, &driver().license("Proprietary").need("printk", 1)), []);
    // A module's GPL-only export likewise.
    let provider = builder().driver("provider").export_gpl("f", 1);
    let user = |license| builder().driver("user").license(license).need("f", 1);
    assert_eq!(rules(&judge(&kernel, &[provider.clone(), user("GPL")])), [[], []]);
    assert_eq!(rules(&judge(&kernel, &[provider, user("MIT")])), [vec![], vec![Rule::License]]);
}

/// `inherit_taint`, since 5.9: who uses a proprietary module's symbols may not use GPL-only ones,
/// whichever it meets first.
#[test]
fn users_of_a_proprietary_module_are_proprietary_themselves() {
    let set = |builder: &KernelBuilder| {
        let provider = builder.driver("provider").license("Proprietary").export("f", 1);
        let middle = builder.driver("middle").need("f", 1).export("g", 1);
        let far = builder.driver("far").need("gpl_only", 2).need("g", 1);
        let near = builder.driver("near").need("f", 1).need("gpl_only", 2);
        let apart = builder.driver("apart").need("gpl_only", 2);
        [far, near, middle, provider, apart]
    };
    let of = |release: &str| {
        let builder = KernelBuilder::new(release).export_gpl("gpl_only", 2);
        rules(&judge(&kernel(&builder), &set(&builder)))
    };
    assert_eq!(of("5.9.0-1-default"), [vec![Rule::License], vec![Rule::License], vec![], vec![], vec![]]);
    assert_eq!(of("5.8.0-1-default"), [[], [], [], [], []]);
}

/// What may do without a symbol does, and what it has got until then counts: a weak symbol is looked up like any other.
#[test]
fn the_order_of_the_symbol_table_and_weak_uses_count() {
    let builder = KernelBuilder::new("6.4.0-1-default").export_gpl("gpl_only", 2);
    let kernel = kernel(&builder);
    let provider = || builder.driver("provider").license("Proprietary").export("f", 1);
    let of = |user: ModuleBuilder| rules(&judge(&kernel, &[provider(), user])).remove(1);
    let user = || builder.driver("user");
    // Proprietary by then, it does not see the GPL-only symbol: only a weak one may be missing.
    assert_eq!(of(user().need("f", 1).need("gpl_only", 2)), [Rule::License]);
    assert_eq!(of(user().need("f", 1).need_weak("gpl_only", Some(2))), []);
    assert_eq!(of(user().need_weak("f", Some(1)).need("gpl_only", 2)), [Rule::License]);
    // With a GPL-only symbol it does not get the proprietary module's.
    assert_eq!(of(user().need("gpl_only", 2).need("f", 1)), [Rule::License]);
    assert_eq!(of(user().need("gpl_only", 2).need_weak("f", Some(1))), []);
    assert_eq!(of(user().need_weak("gpl_only", Some(2)).need("f", 1)), [Rule::License]);
    let verdicts = judge(&kernel, &[provider(), user().need("gpl_only", 2).need("f", 1)]);
    let reason = &verdicts[1].reasons[0];
    assert_eq!((reason.symbol.as_deref(), reason.exporter.as_deref()), (Some("f"), Some("provider")));
}

/// `verify_namespace_is_imported`.
#[test]
fn a_symbols_namespace_must_be_imported() {
    let mut kernel = kernel(&builder());
    let user = driver().need("in_ns", 3);
    let found = reasons(&kernel, &user);
    assert_eq!((found.len(), found[0].rule), (1, Rule::Namespace));
    assert!(found[0].detail.contains("NS"), "{}", found[0]);
    assert_eq!(broken(&kernel, &user.clone().import_ns("OTHER").import_ns("NS")), []);
    assert_eq!(broken(&kernel, &user.clone().import_ns("N").import_ns("NS2")), [Rule::Namespace,]);
    kernel.config.missing_namespaces_allowed = true;
    assert_eq!(broken(&kernel, &user), []);
}

/// The same for what a module exports.
#[test]
fn a_modules_namespace_must_be_imported() {
    let kernel = kernel(&builder());
    let provider = builder().driver("provider").export_with(Export::new("f").crc(1).namespace("P"));
    let user = builder().driver("user").need("f", 1);
    let verdicts = judge(&kernel, &[provider.clone(), user.clone()]);
    assert_eq!(rules(&verdicts), [vec![], vec![Rule::Namespace]]);
    assert_eq!(rules(&judge(&kernel, &[provider, user.import_ns("P")])), [[], []]);
}

/// `module_augment_kernel_taints`: some modules say that they are free, and the kernel knows better.
#[test]
fn some_modules_are_proprietary_by_their_names() {
    let builder = KernelBuilder::new(KREL).export_gpl("gpl_only", 2);
    let with = |name| broken(&kernel(&builder), &builder.driver(name).license("GPL").need("gpl_only", 2));
    assert_eq!((with("driverloader"), with("lve")), (vec![Rule::License], vec![Rule::License]));
    // ndiswrapper taints the kernel, not itself.
    assert_eq!((with("ndiswrapper"), with("lve2")), (vec![], vec![]));
}

/// `verify_module_namespace`, since 6.16: `module:` and names or globs, `-` as `_`; no import helps, and
/// importing one is EPERM.
#[test]
fn module_namespaces_name_who_may_use_them() {
    let of = |release: &str, namespace: &str, module: &str, import: Option<&str>| {
        let builder = KernelBuilder::new(release).export_ns("f", 1, namespace);
        let driver = builder.driver(module).need("f", 1);
        broken(&kernel(&builder), &import.into_iter().fold(driver, ModuleBuilder::import_ns))
    };
    let today = |namespace, module| of("6.16.0-1-default", namespace, module, None);
    assert_eq!(today("module:foo", "foo"), []);
    assert_eq!(today("module:foo", "fo"), [Rule::Namespace]);
    assert_eq!(today("module:foo", "food"), [Rule::Namespace]);
    assert_eq!(today("module:bar,kvm-*", "kvm_intel"), []);
    assert_eq!(today("module:bar,kvm-*", "bar"), []);
    assert_eq!(today("module:bar,kvm-*", "kvm"), [Rule::Namespace]);
    assert_eq!(today("module:*", "anything"), []);
    let import = Some("module:foo");
    assert_eq!(of("6.16.0-1-default", "module:foo", "foo", import), [Rule::Namespace]);
    // A kernel that exports to modules by their names knows what they mean, whatever its release.
    assert_eq!(of("6.12.0-160000.5-default", "module:foo", "foo", None), []);
    // To others it is a namespace like any other.
    let builder = KernelBuilder::new("6.15.0-1-default");
    let namespaced = testkit::Export::new("f").crc(1).namespace("module:foo");
    let provider = builder.driver("provider").export_with(namespaced);
    let user = builder.driver("foo").need("f", 1);
    let set = [provider.clone(), user.clone().import_ns("module:foo")];
    assert_eq!(rules(&judge(&kernel(&builder), &set)), [[], []]);
    assert_eq!(rules(&judge(&kernel(&builder), &[provider, user])), [vec![], vec![Rule::Namespace]]);
}

/// `find_symbol` looks in the kernel image first.
#[test]
fn vmlinux_wins_over_modules() {
    let kernel = kernel(&builder());
    let rival = builder().driver("rival").export("printk", 9);
    let verdicts = judge(&kernel, &[rival, driver().need("printk", 1), driver().need("printk", 9)]);
    assert_eq!(rules(&verdicts), [vec![Rule::DuplicateExport], vec![], vec![Rule::Crc]]);
}

/// A table that was cut does not say what is not there.
#[test]
fn what_an_incomplete_table_lacks_is_unknown() {
    let mut kernel = kernel(&builder());
    let text =
        b"0x1\tprintk\tvmlinux\tEXPORT_SYMBOL\n0xf7940c2b\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\n0x2\tgpl_o";
    kernel.symbols = SymbolTable::parse(text.to_vec()).unwrap();
    assert_eq!(broken(&kernel, &driver().need("printk", 1)), []);
    assert_eq!(broken(&kernel, &driver().need("gpl_only", 2)), [Rule::UnknownCrc]);
    kernel.symbols = SymbolTable::unknown();
    assert_eq!(broken(&kernel, &driver()), [Rule::UnknownCrc]);
}

/// What is explained is what is judged.
#[test]
fn explanation_and_verdict_agree() {
    use crate::{Candidate, Role, World};
    let kernel = kernel(&builder());
    let module = super::parse(
        &driver()
            .module_layout(Some(1))
            .need("printk", 2)
            .need("absent", 1)
            .need("in_ns", 3)
            .need_weak("w", None),
    );
    let world =
        World::new(&kernel, None, vec![Candidate { name: "foo", module: &module, role: Role::Judged }]);
    let lines = world.explain(0);
    let symbols: Vec<&str> = lines.iter().map(|l| &*l.symbol).collect();
    assert_eq!(symbols, ["module_layout", "printk", "absent", "in_ns", "w"]);
    let reasons: Vec<_> = lines.iter().filter_map(|l| l.reason.clone()).collect();
    assert_eq!(reasons, world.judge()[0].reasons);
    assert_eq!(
        (lines[1].wanted, lines[1].offered, lines[1].exporter.as_deref()),
        (Some(2), Some(1), Some("vmlinux"))
    );
    assert_eq!((lines[3].gpl_only, lines[3].namespace.as_deref()), (true, Some("NS")));
    assert_eq!((lines[2].exporter.as_deref(), lines[4].weak), (None, true));
}
