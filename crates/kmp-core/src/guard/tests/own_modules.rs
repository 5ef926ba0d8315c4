// SPDX-License-Identifier: LGPL-2.1-or-later
//! A kernel that comes has the driver itself.

use testkit::{KernelBuilder, ModuleBuilder, PackageBuilder, TestRoot};

use super::packages::*;
use crate::guard::{Remedy, Use};

const PCI: &str = "pci:v00001000d00000097sv*sd*bc*sc*i*";
const OTHER: &str = "pci:v00001000d00000098sv*sd*bc*sc*i*";

/// A KMP with the module foo for these devices.
fn with_aliases(aliases: &[&str]) -> testkit::Package {
    let module = kernel(OLD, 7).driver("foo").need("printk", 1).need("changing", 7);
    let module = aliases.iter().fold(module, |m: ModuleBuilder, alias| m.alias(alias));
    PackageBuilder::kmp("foo", "default", "1", OLD, [("foo.ko", module.build())]).build()
}

fn comes(root: &TestRoot, new: &KernelBuilder) -> Vec<String> {
    lost(root, None, |t| t.comes(&PackageBuilder::kernel(new).build()))
}

#[test]
fn a_module_of_that_name_in_its_tree_or_built_in() {
    let root = root(&[(OLD, 7)], &[&kmp("foo", "1", OLD, 7)]);
    let new = kernel(NEW, 8);
    let in_tree = new.driver("foo").need("printk", 1);
    let itself = [format!("(has foo itself) {FOO} {NEW} crc")];
    assert_eq!(comes(&root, &new.clone().module("drivers/scsi", in_tree)), itself);
    assert_eq!(comes(&root, &new.clone().builtin("kernel/drivers/scsi/foo.ko")), itself);
    assert_eq!(comes(&root, &new), [format!("{FOO} {NEW} crc")]);
}

#[test]
fn modules_that_claim_the_same_devices() {
    let root = root(&[(OLD, 7)], &[&with_aliases(&[PCI, OTHER])]);
    let new = kernel(NEW, 8);
    let claiming = |aliases: &[&str]| {
        let module = aliases.iter().fold(new.driver("in_tree_foo"), |m: ModuleBuilder, alias| m.alias(alias));
        new.clone().module("drivers/scsi", module)
    };
    let itself = [format!("(has in_tree_foo itself) {FOO} {NEW} crc")];
    assert_eq!(comes(&root, &claiming(&[PCI, OTHER])), itself);
    // By one pattern for all of them.
    let all = claiming(&["pci:v00001000d*sv*sd*bc*sc*i*"]);
    assert_eq!(comes(&root, &all), itself);
    // Some of its devices only.
    assert_eq!(comes(&root, &claiming(&[PCI])), [format!("(kept in {OLD}) {FOO} {NEW} crc")]);
    assert_eq!(comes(&root, &claiming(&["pci:v0000FFFFd*"])), [format!("{FOO} {NEW} crc")]);
    // nouveau claims what nvidia does, and is kept from it.
    root.write("usr/lib/modprobe.d/foo.conf", "blacklist in-tree-foo\n");
    assert_eq!(comes(&root, &all), [format!("{FOO} {NEW} crc")]);
}

#[test]
fn a_package_of_another_name_that_comes_along() {
    let root = root(&[(OLD, 7)], &[&kmp("foo", "1", OLD, 7)]);
    let new = PackageBuilder::kernel(&kernel(NEW, 8)).build();
    let along = |other: &testkit::Package| {
        lost(&root, None, |t| {
            t.comes(&new);
            t.comes(other);
        })
    };
    assert!(along(&kmp("foo-next", "1", NEW, 8)).is_empty());
    assert_eq!(along(&kmp("foo-next", "1", NEW, 9)), [format!("{FOO} {NEW} crc")]);
    // What cannot be judged yet is unknown, not missing.
    let unread = lost(&root, None, |t| {
        t.comes(&new);
        let file = format!("/usr/lib/modules/{NEW}/updates/foo.ko");
        t.elements.add_package(described("foo-next", &file, Vec::new()), &[], None).unwrap();
    });
    assert!(unread.is_empty(), "{unread:?}");
}

#[test]
fn what_helps_depends_on_the_reason() {
    let remedy = |root: &TestRoot, new: &KernelBuilder| {
        let new = PackageBuilder::kernel(new).build();
        let found = findings(root, None, &|_| Use::default(), |t| t.comes(&new));
        found.into_iter().next().unwrap().lost.remedy
    };
    let install = |old: &KernelBuilder, module: ModuleBuilder| {
        let root = TestRoot::new();
        let kmp = PackageBuilder::kmp("foo", "default", "1", OLD, [("foo.ko", module.build())]).build();
        root.install(&[&PackageBuilder::kernel(old).build(), &kmp]);
        root
    };
    // The exporter is in a package of the kernel that does not come.
    let exported = |krel| {
        let kernel = kernel(krel, 7);
        let symvers = kernel.full_symvers().module("drivers/acpi/video", "video_edid", 5);
        kernel.symvers(symvers)
    };
    let old = exported(OLD);
    let video = old.driver("video").export("video_edid", 5);
    let old = old.module("drivers/acpi", video);
    let root = install(&old, old.driver("foo").need("video_edid", 5));
    let other = exported(NEW);
    let other = other.clone().module("drivers/net", other.driver("other"));
    let expected = Remedy::KernelPackage {
        exporter: "drivers/acpi/video".into(),
        package: Some("kernel-default".into()),
    };
    assert_eq!(remedy(&root, &other), expected);
    // The new kernel exports it no more.
    let expected = Remedy::NewerSource { symbol: "video_edid".into(), exporter: "drivers/acpi/video".into() };
    assert_eq!(remedy(&root, &kernel(NEW, 7)), expected);
    // For modules of a licence compatible with the GPL only.
    let old = kernel(OLD, 7);
    let root = install(&old, old.driver("foo").license("Proprietary").need("changing", 7));
    let gpl = KernelBuilder::new(NEW).export("printk", 1).export_gpl("changing", 7);
    assert_eq!(remedy(&root, &gpl), Remedy::Licence { symbol: "changing".into() });
    assert_eq!(remedy(&root, &kernel(NEW, 8)), Remedy::Rebuild);
}
