// SPDX-License-Identifier: LGPL-2.1-or-later
//! vermagic, versions at all, module_layout, the CRC of each symbol.

use testkit::{Export, KernelBuilder, ModuleBuilder, Versions};

use super::{KREL, broken, judge, kernel, reasons, rules};
use crate::{Kernel, Rule};

fn builder() -> KernelBuilder {
    KernelBuilder::new(KREL).export("printk", 1)
}

/// A kernel of a time when extended versions are read.
fn today() -> (KernelBuilder, Kernel) {
    let builder = KernelBuilder::new("6.14.0-1-default").export("printk", 1);
    let kernel = kernel(&builder);
    (builder, kernel)
}

#[test]
fn what_was_built_with_the_kernel_fits() {
    let kernel = kernel(&builder());
    assert_eq!(broken(&kernel, &builder().driver("foo").need("printk", 1)), []);
}

/// `same_magic` with versions: all that follows the release.
#[test]
fn with_versions_the_release_in_vermagic_does_not_count_but_the_flags_do() {
    let kernel = kernel(&builder());
    let with = |magic: &str| broken(&kernel, &builder().driver("foo").vermagic(magic));
    assert_eq!(with("5.3.18-22-default SMP preempt mod_unload modversions "), []);
    assert_eq!(with("6.4.0-1-default SMP mod_unload modversions "), [Rule::Vermagic]);
    assert_eq!(with("6.4.0-1-default SMP preempt mod_unload modversions"), [Rule::Vermagic]);
    assert_eq!(with("6.4.0-1-default"), [Rule::Vermagic]);
}

/// `same_magic` without versions: the whole string. A kernel that takes modules by force is lenient
/// about versions, not about vermagic.
#[test]
fn without_versions_the_whole_vermagic_counts() {
    let mut kernel = kernel(&builder());
    kernel.config.force_load = true;
    let with =
        |magic: &str| broken(&kernel, &builder().driver("foo").versions(Versions::None).vermagic(magic));
    assert_eq!(with("6.4.0-1-default SMP preempt mod_unload modversions "), []);
    assert_eq!(with("6.4.0-2-default SMP preempt mod_unload modversions "), [Rule::Vermagic]);
}

/// `check_modinfo` passes `info->index.vers`, which is `__versions` alone.
#[test]
fn extended_versions_alone_do_not_excuse_another_release() {
    let (builder, kernel) = today();
    let with = |versions, krel| broken(&kernel, &builder.driver("foo").versions(versions).built_for(krel));
    assert_eq!(with(Versions::Extended, "6.14.0-1-default"), []);
    assert_eq!(with(Versions::Extended, "6.14.0-2-default"), [Rule::Vermagic]);
    assert_eq!(with(Versions::Both, "6.14.0-2-default"), []);
}

/// `try_to_force_load(mod, "bad vermagic")`.
#[test]
fn no_vermagic_is_for_kernels_that_take_modules_by_force() {
    let mut kernel = kernel(&builder());
    let bare = builder().driver("foo").without("vermagic");
    assert_eq!(broken(&kernel, &bare), [Rule::Vermagic]);
    kernel.config.force_load = true;
    assert_eq!(broken(&kernel, &bare), []);
}

/// `check_version`: "No versions at all? modprobe --force does this."
#[test]
fn no_versions_at_all_are_for_kernels_that_take_modules_by_force() {
    let mut kernel = kernel(&builder());
    let bare = builder().driver("foo").versions(Versions::None).need("printk", 99);
    assert_eq!(broken(&kernel, &bare), [Rule::NoVersion]);
    kernel.config.force_load = true;
    assert_eq!(broken(&kernel, &bare), []);
    // An empty section is one.
    kernel.config.force_load = false;
    assert_eq!(broken(&kernel, &builder().driver("foo").no_needs()), []);
}

/// A kernel before 6.14 knows `__versions` only.
#[test]
fn extended_versions_are_none_to_a_kernel_that_does_not_know_them() {
    let mut kernel = kernel(&builder());
    let alone = builder().driver("foo").versions(Versions::Extended).need("printk", 1);
    assert_eq!(broken(&kernel, &alone), [Rule::NoVersion]);
    kernel.config.extended_versions = Some(true);
    assert_eq!(broken(&kernel, &alone), []);
}

/// `check_version`: "If we have extended version info, rely on it".
#[test]
fn extended_versions_count_where_both_are_there() {
    let (builder, today) = today();
    let old = kernel(&super::versions::builder());
    let of = |versions| builder.driver("foo").built_for(KREL).versions(versions);
    // One symbol more in the extended section than fits the basic one: its CRC is known to new kernels.
    let long = "a_name_that_is_longer_than_the_fifty_five_bytes_of_a_record_of_versions";
    let table = builder.clone().export(long, 5);
    let exports_long = kernel(&table);
    assert_eq!(broken(&exports_long, &of(Versions::Both).need(long, 5)), []);
    assert_eq!(broken(&exports_long, &of(Versions::Both).need(long, 6)), [Rule::Crc]);
    // What the old kernel finds no entry for it accepts.
    let mut old_with_long = kernel(&super::versions::builder().export(long, 5));
    assert_eq!(broken(&old_with_long, &of(Versions::Both).need(long, 6)), []);
    old_with_long.config.extended_versions = Some(true);
    assert_eq!(broken(&old_with_long, &of(Versions::Both).need(long, 6)), [Rule::Crc]);
    // No entry in the extended section, though a wrong one in the basic section: accepted.
    let both = of(Versions::Basic)
        .need("printk", 99)
        .section("__version_ext_crcs", [])
        .section("__version_ext_names", []);
    assert_eq!(broken(&today, &both), []);
    assert_eq!(broken(&old, &both), [Rule::Crc]);
}

/// `check_modstruct_version`.
#[test]
fn module_layout_must_be_the_kernels() {
    let kernel = kernel(&builder());
    let reasons = reasons(&kernel, &builder().driver("foo").module_layout(Some(7)));
    assert_eq!(reasons.len(), 1);
    let reason = &reasons[0];
    assert_eq!((reason.rule, reason.symbol.as_deref()), (Rule::ModuleLayout, Some("module_layout")));
    assert_eq!((reason.wanted, reason.offered), (Some(7), Some(testkit::MODULE_LAYOUT_CRC)));
    // Without an entry the loader warns and goes on.
    assert_eq!(broken(&kernel, &builder().driver("foo").module_layout(None)), []);
}

/// `check_version`: a symbol's CRC is the exporter's.
#[test]
fn a_symbol_must_have_the_version_recorded() {
    let kernel = kernel(&builder());
    let reasons = reasons(&kernel, &builder().driver("foo").need("printk", 2));
    let reason = &reasons[0];
    assert_eq!((reason.rule, reason.symbol.as_deref()), (Rule::Crc, Some("printk")));
    assert_eq!((reason.wanted, reason.offered), (Some(2), Some(1)));
    assert_eq!(reason.exporter.as_deref(), Some("vmlinux"));
    assert_eq!(reasons.len(), 1);
}

/// `check_version`: "Broken toolchain. Warn once, then let it go."
#[test]
fn a_symbol_without_an_entry_among_others_is_accepted() {
    let kernel = kernel(&builder());
    assert_eq!(broken(&kernel, &builder().driver("foo").need_without_crc("printk")), []);
}

/// `check_version`: "Exporting module didn't supply crcs? OK, we're already tainted." Only a kernel that takes modules by force
/// takes such an exporter (`check_export_symbol_versions`: "no versions for exported symbols").
#[test]
fn an_exporter_without_versions_is_for_kernels_that_take_modules_by_force() {
    let mut kernel = kernel(&builder());
    let provider = builder().driver("provider").export_with(Export::new("f"));
    let user = builder().driver("user").need("f", 12345);
    let set = [provider, user];
    assert_eq!(rules(&judge(&kernel, &set)), [[Rule::ExportForm], [Rule::Depends]]);
    kernel.config.force_load = true;
    assert!(judge(&kernel, &set).iter().all(|v| v.fits()));
}

/// Without CONFIG_MODVERSIONS `check_version` accepts all and `same_magic` compares all.
#[test]
fn a_kernel_without_modversions_compares_no_version_but_the_whole_vermagic() {
    let builder = builder().vermagic_flags("SMP preempt mod_unload ");
    let kernel = kernel(&builder);
    let bare = builder.driver("foo").need("printk", 99).module_layout(Some(7));
    assert_eq!(broken(&kernel, &bare), []);
    assert_eq!(broken(&kernel, &bare.clone().versions(Versions::None)), []);
    let other = bare.vermagic("6.4.0-2-default SMP preempt mod_unload ");
    assert_eq!(broken(&kernel, &other), [Rule::Vermagic]);
    // A module with versions for a kernel without is another configuration.
    assert_eq!(broken(&kernel, &ModuleBuilder::new("foo")), [Rule::Vermagic]);
}

#[test]
fn all_reasons_are_given_and_those_of_the_whole_module_come_first() {
    let kernel = kernel(&builder().export_ns("ns", 3, "NS").export_gpl("gpl", 4));
    let module = ModuleBuilder::new("foo")
        .vermagic("1 UP ")
        .struct_module_size(Some(64))
        .module_layout(Some(1))
        .license("MIT")
        .need("printk", 2)
        .need("absent", 2)
        .need("gpl", 4)
        .need("other_absent", 2)
        .export("printk", 1);
    let expected = [
        Rule::Vermagic,
        Rule::StructSize,
        Rule::ModuleLayout,
        Rule::Crc,
        Rule::UnknownSymbol,
        Rule::License,
        Rule::UnknownSymbol,
        Rule::DuplicateExport,
    ];
    let verdicts = judge(&kernel, &[module]);
    assert_eq!(rules(&verdicts), [expected.to_vec()]);
    assert!(verdicts[0].reasons.iter().all(|r| !r.detail.is_empty() && r.to_string() == r.detail));
}
