// SPDX-License-Identifier: LGPL-2.1-or-later
use std::collections::HashSet;
use std::sync::Arc;

use testkit::{Compression, KernelBuilder, ModuleBuilder, SymversPlace, TestRoot};

use super::{open, take};
use crate::abi::Kernel;
use crate::ids::Id;
use crate::inventory::Loader;
use crate::problem::Problem;
use crate::workers::Serial;

fn builder() -> KernelBuilder {
    KernelBuilder::new("6.4.0-1-default")
        .export("printk", 1)
        .module("drivers", ModuleBuilder::new("bus").need("printk", 1).export("bus_add", 2))
        .module("drivers", ModuleBuilder::new("sub").need("bus_add", 2).depends("bus"))
}

fn load(files: &TestRoot) -> (Arc<Kernel>, Vec<Problem>) {
    let root = open(files);
    let inventory = take(&root);
    let mut loader = Loader::new(&root, &Serial, None);
    let kernel = loader.load_kernels(&[&inventory.releases[Id::at(0)]]).remove(0);
    (kernel.kernel, loader.take_problems())
}

#[test]
fn symvers_is_found_in_either_place_and_in_every_compression() {
    for place in [SymversPlace::Modules, SymversPlace::Boot] {
        for compression in [Compression::Plain, Compression::Gz, Compression::Xz, Compression::Zst] {
            let files = TestRoot::new();
            builder().symvers_place(place).symvers_compression(compression).write(&files.path());
            let (kernel, problems) = load(&files);
            assert_eq!(problems, [], "{place:?} {compression:?}");
            assert!(kernel.symbols.is_complete());
            assert_eq!(kernel.symbols.get("bus_add").unwrap().exporter, "drivers/bus");
            assert_eq!(kernel.traits.struct_size, Some(testkit::STRUCT_MODULE_SIZE as u64));
            assert_eq!(kernel.config.extended_versions, Some(false));
        }
    }
}

#[test]
fn without_symvers_or_with_a_bad_one_the_kernels_modules_tell() {
    let files = TestRoot::new();
    builder().symvers_place(SymversPlace::Nowhere).write(&files.path());
    let (kernel, problems) = load(&files);
    assert_eq!((problems.len(), kernel.symbols.is_complete()), (0, false));
    assert_eq!(kernel.symbols.get("printk").unwrap().crc, Some(1));

    let files = TestRoot::new();
    let dir = builder().write(&files.path());
    std::fs::write(dir.join("symvers.gz"), b"\x1f\x8bgarbage").unwrap();
    let (kernel, problems) = load(&files);
    assert_eq!(kernel.symbols.get("printk").unwrap().crc, Some(1));
    assert!(problems.iter().any(|p| p.what.contains("using the kernel's own modules")), "{problems:?}");
}

#[test]
fn in_tree_users_of_a_replaced_module_are_found_with_and_without_an_index() {
    for index in [None, Some("kernel/drivers/sub.ko: kernel/drivers/bus.ko\nkernel/drivers/bus.ko:\n")] {
        let files = TestRoot::new();
        let dir = builder().write(&files.path());
        if let Some(index) = index {
            std::fs::write(dir.join("modules.dep"), index).unwrap();
        }
        let root = open(&files);
        let inventory = take(&root);
        let mut loader = Loader::new(&root, &Serial, None);
        let (users, unread) =
            loader.load_users(&inventory.releases[Id::at(0)], &HashSet::from(["bus", "no_such"]));
        let names: Vec<&str> = users["bus"].iter().map(|(name, _)| &**name).collect();
        assert_eq!((users.len(), names, unread), (1, vec!["sub"], None));
    }
}

#[test]
fn a_broken_module_is_a_problem_of_its_own() {
    let files = TestRoot::new();
    builder().write(&files.path());
    files.write("usr/lib/modules/6.4.0-1-default/updates/bad.ko.xz", b"not xz");
    files.write("usr/lib/modules/6.4.0-1-default/updates/good.ko", builder().driver("good").build());
    let root = open(&files);
    let inventory = take(&root);
    let paths: Vec<_> = inventory.releases[Id::at(0)].third_party.iter().map(|m| m.path.clone()).collect();
    let mut loader = Loader::new(&root, &Serial, None);
    loader.load_modules(paths.clone(), &|_| None);
    let good: Vec<bool> = paths.iter().map(|p| loader.module(p).unwrap().is_ok()).collect();
    assert_eq!(good, [false, true]);
    let problems = loader.take_problems();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].path.ends_with("updates/bad.ko.xz"), "{}", problems[0]);
}
