// SPDX-License-Identifier: LGPL-2.1-or-later
//! A kernel that comes is judged as it will be once it is installed.

use testkit::{Compression, KernelBuilder, PackageBuilder};

use super::packages::{FOO, NEW, OLD, kernel, kmp, lost, root};
use crate::guard::Elements;
use crate::inventory::ModulesDirs;

/// What the guard says when this kernel comes beside a driver that fits the old one.
fn lost_by(new: KernelBuilder) -> Vec<String> {
    let root = root(&[(OLD, 7)], &[&kmp("foo", "1", OLD, 7)]);
    let symvers = new.full_symvers();
    let new = PackageBuilder::kernel(&new).ksyms("default", &symvers).build();
    lost(&root, None, |t| t.comes(&new))
}

fn new() -> KernelBuilder {
    with_own(kernel(NEW, 7))
}

/// The kernel with a module of its own that was built with it.
fn with_own(kernel: KernelBuilder) -> KernelBuilder {
    let own = kernel.driver("own");
    kernel.module("drivers/own", own)
}

#[test]
fn vermagic_size_and_configuration_are_read_from_its_package() {
    assert!(lost_by(new()).is_empty());
    let of = |rule: &str| [format!("{FOO} {NEW} {rule}")];
    let flags = with_own(kernel(NEW, 7).vermagic_flags("SMP mod_unload modversions "));
    assert_eq!(lost_by(flags), of("vermagic"));
    assert_eq!(lost_by(with_own(kernel(NEW, 7).struct_module_size(1344))), of("struct-size"));
    let enforcing = "CONFIG_MODVERSIONS=y\nCONFIG_MODULE_SIG=y\nCONFIG_MODULE_SIG_FORCE=y\n";
    assert_eq!(lost_by(new().config(Some(enforcing))), of("signature"));
    // Modules may be packed, and the first ones broken.
    let packed = kernel(NEW, 7).struct_module_size(1344).module_compression(Compression::Xz);
    let broken = format!("usr/lib/modules/{NEW}/kernel/a.ko.xz");
    assert_eq!(lost_by(with_own(packed).file(broken, b"no module".to_vec())), of("struct-size"));
}

#[test]
fn what_is_built_in_is_read_where_it_is_asked_for() {
    let new = new().builtin("kernel/drivers/foo.ko");
    let package = PackageBuilder::kernel(&new).ksyms("default", &new.full_symvers()).build();
    let directory = testkit::TestRoot::new();
    let root = crate::root::Root::open(&directory.path()).unwrap();
    let rpm = librpm_rt::Librpm::load().unwrap();
    for (with_builtin, expected) in [(false, false), (true, true)] {
        let mut elements = Elements::new(ModulesDirs::default());
        elements.add_file(&rpm, package.path()).unwrap();
        elements.read_kernels(&root, with_builtin);
        let kernel = &elements.finish().kernels[0].kernel;
        assert_eq!(kernel.builtin.contains("foo"), expected);
        assert!(kernel.traits.vermagic.as_deref().unwrap().starts_with(NEW));
    }
}
