// SPDX-License-Identifier: LGPL-2.1-or-later
//! A kernel without symvers: its table is put together from its modules and System.map.

use testkit::{Export, KernelBuilder, ModuleBuilder, Versions};

use super::{KREL, broken, judge, kernel, parse, rules};
use crate::{Kernel, Licensing, Rebuild, Rule};

fn builder() -> KernelBuilder {
    KernelBuilder::new(KREL)
}

fn rebuilt() -> Kernel {
    let mut rebuild = Rebuild::default();
    let bus = builder()
        .driver("bus")
        .need("printk", 1)
        .export_gpl("bus_add", 2)
        .export_with(Export::new("bus_ns").crc(3).namespace("BUS"))
        .export_with(Export::new("bus_bare").gpl());
    rebuild.add("drivers/bus/bus", &parse(&bus));
    let user = builder().driver("user").need("bus_add", 2).need("kmalloc", 4).need_without_crc("kfree");
    rebuild.add("drivers/user", &parse(&user));
    rebuild.add_system_map(
        b"ffffffff81000000 T _text\nffffffff82000000 r __ksymtab_kfree\nffffffff82000010 r __ksymtab_printk\nrubbish\n",
    );
    Kernel { symbols: rebuild.finish(), ..kernel(&builder()) }
}

#[test]
fn what_modules_use_and_export_is_known() {
    let table = rebuilt().symbols;
    assert!(!table.is_complete());
    assert_eq!(table.bad_lines(), 0);
    let printk = table.get("printk").unwrap();
    assert_eq!((printk.crc, printk.crc_known, printk.is_builtin()), (Some(1), true, true));
    assert_eq!(printk.licensing, Licensing::Unknown);
    let add = table.get("bus_add").unwrap();
    assert_eq!((add.crc, add.exporter, add.licensing), (Some(2), "drivers/bus/bus", Licensing::GplOnly));
    let ns = table.get("bus_ns").unwrap();
    assert_eq!((ns.namespace, ns.licensing), ("BUS", Licensing::Any));
    let kfree = table.get("kfree").unwrap();
    assert_eq!((kfree.crc, kfree.crc_known, kfree.is_builtin()), (None, false, true));
    assert_eq!(table.get("module_layout").unwrap().crc, Some(testkit::MODULE_LAYOUT_CRC));
    assert!(table.get("absent").is_none());
}

#[test]
fn a_module_is_judged_by_what_is_known() {
    let kernel = rebuilt();
    let driver = || builder().driver("foo");
    assert_eq!(broken(&kernel, &driver().need("printk", 1).need("kmalloc", 4).need("bus_add", 2)), []);
    assert_eq!(broken(&kernel, &driver().need("kmalloc", 5)), [Rule::Crc]);
    assert_eq!(broken(&kernel, &driver().need("absent", 5)), [Rule::UnknownCrc]);
    assert_eq!(broken(&kernel, &driver().need("kfree", 5)), [Rule::UnknownCrc]);
    // System.map says that it is there, which is enough where no version is recorded.
    assert_eq!(broken(&kernel, &driver().need_without_crc("kfree")), []);
    assert_eq!(broken(&kernel, &driver().need_weak("absent", None)), []);
    // The licensing of what the image exports is not known; that of modules is.
    assert_eq!(broken(&kernel, &driver().license("MIT").need("printk", 1)), []);
    assert_eq!(broken(&kernel, &driver().license("MIT").need("bus_add", 2)), [Rule::License]);
    assert_eq!(broken(&kernel, &driver().need("bus_ns", 3)), [Rule::Namespace]);
}

#[test]
fn exports_of_its_modules_may_clash_or_be_replaced() {
    let kernel = rebuilt();
    let verdicts = judge(&kernel, &[builder().driver("foo").export("bus_add", 2)]);
    assert_eq!((rules(&verdicts), verdicts[0].warnings.len()), (vec![vec![]], 1));
    assert_eq!(rules(&judge(&kernel, &[builder().driver("bus").export("bus_add", 9)])), [[]]);
}

#[test]
fn without_modversions_nothing_is_known_but_names() {
    let flags = builder().vermagic_flags("SMP mod_unload ");
    let mut rebuild = Rebuild::default();
    rebuild.add("a", &parse(&flags.driver("a").versions(Versions::None).need("printk", 1)));
    rebuild.add_system_map(b"ffffffff82000010 r __ksymtab_printk\n");
    let kernel = Kernel { symbols: rebuild.finish(), ..kernel(&flags) };
    let driver = flags.driver("foo").versions(Versions::None);
    assert_eq!(broken(&kernel, &driver.clone().need("printk", 1)), []);
    assert_eq!(broken(&kernel, &driver.need("absent", 1)), [Rule::UnknownCrc]);
}

/// Extended versions are the better ones where both are there.
#[test]
fn extended_versions_are_taken() {
    let long = "a_name_that_is_longer_than_the_fifty_five_bytes_of_a_record_of_versions";
    for versions in [Versions::Extended, Versions::Both] {
        let mut rebuild = Rebuild::default();
        rebuild.add("a", &parse(&ModuleBuilder::new("a").versions(versions).need(long, 6)));
        assert_eq!(rebuild.finish().get(long).unwrap().crc, Some(6));
    }
}
