// SPDX-License-Identifier: LGPL-2.1-or-later
//! Transactions of real packages, read by rpm: what the guard is given of them.

use librpm_rt::{Database, Librpm};
use rpm_meta::{Dependency, Evr};
use testkit::{KernelBuilder, PackageBuilder, TestRoot};

use super::said;
use crate::config::Config;
use crate::guard::*;
use crate::inventory::{KernelPackages, Loader, ModulesDirs, Package};
use crate::root::Root;
use crate::survey::{Selection, Survey};
use crate::workers::Serial;

pub(super) const OLD: &str = "6.4.0-1-default";
pub(super) const NEW: &str = "6.4.0-2-default";

pub(super) fn kernel(krel: &str, crc: u32) -> KernelBuilder {
    KernelBuilder::new(krel).export("printk", 1).export("changing", crc)
}

/// A KMP with the module foo, built for a kernel.
pub(super) fn kmp(name: &str, version: &str, krel: &str, crc: u32) -> testkit::Package {
    let kernel = kernel(krel, crc);
    let module = kernel.driver("foo").need("printk", 1).need("changing", crc).build();
    let flavour = krel.rsplit_once('-').unwrap().1;
    PackageBuilder::kmp(name, flavour, version, krel, [("foo.ko", module)]).build()
}

pub(super) fn root(kernels: &[(&str, u32)], installed: &[&testkit::Package]) -> TestRoot {
    let root = TestRoot::new();
    for (krel, crc) in kernels {
        kernel(krel, *crc).write(&root.path());
    }
    root.install(installed);
    root
}

pub(super) struct Filling<'t> {
    pub(super) elements: Elements,
    rpm: Librpm,
    database: &'t Database,
}

impl Filling<'_> {
    pub(super) fn comes(&mut self, package: &testkit::Package) {
        self.elements.add_file(&self.rpm, package.path()).unwrap();
    }

    pub(super) fn goes(&mut self, name: &str, removal: Removal) {
        for instance in self.database.by_name(name).unwrap() {
            let package = self.database.package(instance, &|_| true).unwrap();
            self.elements.remove(&package, removal);
        }
    }
}

pub(super) fn lost(
    root: &TestRoot,
    running: Option<&str>,
    fill: impl FnOnce(&mut Filling<'_>),
) -> Vec<String> {
    said(&findings(root, running, &|_| Use::default(), fill))
}

pub(super) fn findings(
    root: &TestRoot,
    running: Option<&str>,
    use_of: &dyn Fn(&str) -> Use,
    fill: impl FnOnce(&mut Filling<'_>),
) -> Vec<Finding> {
    let opened = Root::open(&root.path()).unwrap();
    let rpm = Librpm::load().unwrap();
    let database = rpm.open(&root.path()).unwrap();
    let elements = Elements::new(ModulesDirs::find(&opened).unwrap());
    let mut filling = Filling { elements, rpm, database: &database };
    fill(&mut filling);
    let elements = filling.elements;
    let mut loader = Loader::new(&opened, &Serial, None);
    let survey = Survey::take(&opened, Ok(&rpm), &mut loader, &Selection::default()).unwrap();
    let running = Running { release: running, use_of };
    let config = Config::default();
    let orders = Orders { config: &config, policy: None, nothing_boots: false, last: None };
    judge(&opened, &rpm, &survey, elements, &running, &orders).findings
}

pub(super) const FOO: &str = "foo-kmp-default-1_k6.4.0_1-1";

#[test]
fn a_kernel_tells_its_symbols_by_provides_or_by_its_payload() {
    let root = root(&[(OLD, 7)], &[&kmp("foo", "1", OLD, 7)]);
    let other = kernel(NEW, 8);
    let listed = PackageBuilder::kernel(&other).ksyms("default", &other.full_symvers()).build();
    assert_eq!(lost(&root, None, |t| t.comes(&listed)), [format!("{FOO} {NEW} crc")]);
    // Of a kernel that says nothing nothing is known, and nothing is lost.
    let silent = other.symvers_place(testkit::SymversPlace::Nowhere);
    assert!(lost(&root, None, |t| t.comes(&PackageBuilder::kernel(&silent).build())).is_empty());
}

/// A package of which only dependencies and paths are known.
pub(super) fn described(name: &str, file: &str, provides: Vec<Dependency>) -> Package {
    Package {
        instance: None,
        name: name.into(),
        evr: Evr { epoch: None, version: "2".into(), release: "1".into() },
        arch: "x86_64".into(),
        provides,
        files: vec![file.into()],
        ..Package::default()
    }
}

pub(super) fn symbols(list: &[(&str, u32)]) -> Vec<Dependency> {
    let symbol = |(name, crc): &(&str, u32)| Dependency {
        name: format!("ksym(default:{name})"),
        flags: 8,
        evr: format!("{crc:x}"),
    };
    list.iter().map(symbol).collect()
}

#[test]
fn dependencies_stand_for_a_payload_that_cannot_be_read() {
    let root = root(&[(OLD, 7)], &[&kmp("foo", "1", OLD, 7)]);
    let layout = ("module_layout", testkit::MODULE_LAYOUT_CRC);
    let offers = symbols(&[layout, ("printk", 1), ("changing", 8)]);
    let fill = |requires: &[(&str, u32)]| {
        let requires = symbols(requires);
        lost(&root, None, |t| {
            let new =
                described("kernel-default", &format!("/usr/lib/modules/{NEW}/modules.order"), offers.clone());
            t.elements.add_package(new, &[], None).unwrap();
            let file = format!("/usr/lib/modules/{NEW}/updates/foo.ko");
            t.elements.add_package(described("foo-kmp-default", &file, Vec::new()), &requires, None).unwrap();
        })
    };
    assert!(fill(&[layout, ("printk", 1), ("changing", 8)]).is_empty());
    assert_eq!(fill(&[layout, ("changing", 9)]), [format!("{FOO} {NEW} crc")]);
    assert_eq!(fill(&[("module_layout", 5), ("changing", 8)]), [format!("{FOO} {NEW} module-layout")]);
    assert_eq!(fill(&[("nobodys", 5)]), [format!("{FOO} {NEW} unknown-symbol")]);
    // A KMP that does not say what it needs may work.
    assert!(fill(&[]).is_empty());
}

#[test]
fn what_a_described_package_offers_to_others_may_be_more_than_it_says() {
    let base = kernel(OLD, 7);
    let foo = base.driver("foo").need("of_bar", 3).build();
    let bar = base.driver("bar").export("of_bar", 3).build();
    let foo = PackageBuilder::kmp("foo", "default", "1", OLD, [("foo.ko", foo)]).build();
    let bar = PackageBuilder::kmp("bar", "default", "1", OLD, [("bar.ko", bar)]).build();
    let root = root(&[(OLD, 7)], &[&foo, &bar]);
    // bar is replaced by a version of which only Requires are known: nothing says that foo is lost by it.
    let fill = |provides: Vec<Dependency>| {
        lost(&root, None, |t| {
            let new =
                described("bar-kmp-default", &format!("/usr/lib/modules/{OLD}/updates/bar.ko"), provides);
            t.elements.add_package(new, &symbols(&[("printk", 1)]), None).unwrap();
            t.goes("bar-kmp-default", Removal::Replaced);
        })
    };
    assert!(fill(Vec::new()).is_empty());
    assert!(fill(symbols(&[("of_bar", 3)])).is_empty());
    assert_eq!(fill(symbols(&[("of_bar", 4)])), [format!("foo-kmp-default-1_k6.4.0_1-1 {OLD} crc")]);
}

const EL_OLD: &str = "5.14.0-70.el9.x86_64";

/// A kernel's package by its name of Red Hat's.
pub(super) fn core(krel: &str, crc: u32) -> testkit::Package {
    let release = krel.split_once('-').unwrap().1.replace(".x86_64", "");
    PackageBuilder::kernel(&kernel(krel, crc)).renamed("kernel-core").release(&release).build()
}

pub(super) fn kmod(krel: &str, crc: u32) -> testkit::Package {
    let module = kernel(krel, crc).driver("foo").need("changing", crc).build();
    PackageBuilder::kmod("foo", "1", krel, [("foo.ko", module)]).build()
}

pub(super) fn red_hat(installed: &[&testkit::Package]) -> TestRoot {
    let root = root(&[], installed);
    root.write("etc/os-release", "ID=rocky\nID_LIKE=\"rhel centos fedora\"\n");
    root
}

/// Which packages kernels are in, and whether they can be booted, as it is read of the machine.
#[test]
fn a_kernel_is_known_by_the_packages_that_have_its_files() {
    let root = red_hat(&[&core(EL_OLD, 7), &kmod(EL_OLD, 7)]);
    kernel("5.14.0-99.el9.x86_64", 7).write(&root.path());
    root.write("boot/vmlinuz-5.14.0-99.el9.x86_64", "");
    let opened = Root::open(&root.path()).unwrap();
    let rpm = Librpm::load().unwrap();
    let survey =
        Survey::take(&opened, Ok(&rpm), &mut Loader::new(&opened, &Serial, None), &Selection::default());
    let survey = survey.unwrap();
    let packages = KernelPackages::of(&opened, &rpm, &survey.inventory);
    let known = packages.kernels();
    let found: Vec<_> =
        known.iter().map(|(k, v)| (k.as_str(), v.packages.as_slice(), v.is_bootable)).collect();
    let core = ["kernel-core".to_string()];
    assert_eq!(found, [(EL_OLD, &core[..], false), ("5.14.0-99.el9.x86_64", &[], true)]);
}

/// kernel-modules-extra for a kernel that is there, say: no kernel comes, and nothing is known less than before.
#[test]
fn more_modules_for_a_kernel_that_is_there_are_no_kernel_that_comes() {
    let root = red_hat(&[&core(EL_OLD, 7), &kmod(EL_OLD, 7)]);
    let path = format!("usr/lib/modules/{EL_OLD}/kernel/fs/more.ko");
    let module = kernel(EL_OLD, 7).driver("more").build();
    let more = PackageBuilder::new("kernel-modules-extra", "5.14.0", "70.el9").file(path, module);
    let more = more.provides("kernel(more_symbol) = 0x00000001").build();
    assert!(lost(&root, None, |t| t.comes(&more)).is_empty());
    // And erasing something beside it is what somebody wants.
    let erased = |t: &mut Filling<'_>| {
        t.comes(&more);
        t.goes("kmod-foo", Removal::Erased);
    };
    assert!(lost(&root, None, erased).is_empty());
}

/// A package with the module foo as a ghost, for the old kernel, with what `add` adds.
pub(super) fn ghost(add: impl FnOnce(PackageBuilder) -> PackageBuilder) -> testkit::Package {
    let module = format!("usr/lib/modules/{OLD}/updates/foo.ko");
    add(PackageBuilder::new("foo-kmp-default", "1_k6.4.0_1", "1").ghost(module)).build()
}

#[test]
fn what_is_made_on_the_machine_is_made_for_a_new_kernel_too() {
    let comes = PackageBuilder::kernel(&kernel(NEW, 8)).build();
    let with = |package: &testkit::Package| {
        let root = root(&[(OLD, 7)], &[package]);
        let old = kernel(OLD, 7);
        let module = old.driver("foo").need("printk", 1).need("changing", 7).build();
        root.write(format!("usr/lib/modules/{OLD}/updates/foo.ko"), module);
        lost(&root, None, |t| t.comes(&comes))
    };
    let made = [
        ghost(|p| p.trigger("triggerin", "kernel-default-devel", "make -C /usr/src/linux")),
        ghost(|p| p.file_trigger("transfiletriggerin", &["/usr/lib/modules"], "build")),
        ghost(|p| p.scriptlet("post", "cd /usr/share/foo && ld -r -o foo.ko foo.o")),
        ghost(|p| p.file("usr/src/foo-1/dkms.conf", "PACKAGE_NAME=foo")),
    ];
    for (package, maker) in made.iter().zip(["trigger", "trigger", "scriptlet", "dkms"]) {
        let said = [format!("(made by {maker}) {FOO} {NEW}")];
        assert_eq!(with(package), said, "{}", package.path().display());
    }
    // Made once, by nobody who would do it again.
    let once = [
        ghost(|p| p),
        ghost(|p| p.trigger("triggerin", "Mesa", "make")),
        ghost(|p| p.trigger("triggerpostun", "kernel-default-devel", "rm foo.ko")),
        ghost(|p| p.scriptlet("post", "/sbin/depmod -a")),
    ];
    for package in &once {
        assert_eq!(with(package), [format!("{FOO} {NEW} crc")], "{}", package.path().display());
    }
}
