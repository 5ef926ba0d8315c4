// SPDX-License-Identifier: LGPL-2.1-or-later
//! Transactions of real packages, told to the guard element by element.

mod lines;
mod own_modules;
mod staying;
mod words;

use librpm_rt::{Database, Librpm};
use rpm_meta::{Dependency, Evr};
use testkit::{KernelBuilder, PackageBuilder, TestRoot};

use super::*;
use crate::config::Config;
use crate::inventory::{Loader, ModulesDirs, Package};
use crate::root::Root;
use crate::survey::{Selection, Survey};
use crate::workers::Serial;

const OLD: &str = "6.4.0-1-default";
const NEW: &str = "6.4.0-2-default";

fn kernel(krel: &str, crc: u32) -> KernelBuilder {
    KernelBuilder::new(krel).export("printk", 1).export("changing", crc)
}

/// A KMP with the module foo, built for a kernel.
fn kmp(name: &str, version: &str, krel: &str, crc: u32) -> testkit::Package {
    let kernel = kernel(krel, crc);
    let module = kernel.driver("foo").need("printk", 1).need("changing", crc).build();
    let flavour = krel.rsplit_once('-').unwrap().1;
    PackageBuilder::kmp(name, flavour, version, krel, [("foo.ko", module)]).build()
}

fn root(kernels: &[(&str, u32)], installed: &[&testkit::Package]) -> TestRoot {
    let root = TestRoot::new();
    for (krel, crc) in kernels {
        kernel(krel, *crc).write(&root.path());
    }
    root.install(installed);
    root
}

struct Telling<'t> {
    elements: Elements,
    rpm: Librpm,
    database: &'t Database,
}

impl Telling<'_> {
    fn comes(&mut self, package: &testkit::Package) {
        self.elements.add_file(&self.rpm, package.path()).unwrap();
    }

    fn goes(&mut self, name: &str, removal: Removal) {
        for instance in self.database.by_name(name).unwrap() {
            let package = self.database.package(instance, &|_| true).unwrap();
            self.elements.remove(&package, removal);
        }
    }
}

/// "PACKAGE KERNEL RULES" of each driver that a kernel would be without, with what it is where it is no loss before it.
fn lost(root: &TestRoot, running: Option<&str>, tell: impl FnOnce(&mut Telling<'_>)) -> Vec<String> {
    let line = |finding: &Finding| {
        let lost = &finding.lost;
        let rules: Vec<&str> = lost.reasons.iter().map(|r| r.rule.as_str()).collect();
        let weight = match lost.weight {
            Weight::Loss => String::new(),
            Weight::Warning => format!("(kept in {}) ", lost.kept_in.as_deref().unwrap_or("none")),
            Weight::None => match lost.made_by {
                Some(maker) => format!("(made by {}) ", maker.word()),
                None => format!("(has {} itself) ", lost.instead.join(", ")),
            },
        };
        format!("{weight}{} {} {}", lost.nvr, lost.kernel, rules.join(",")).trim_end().to_string()
    };
    findings(root, running, &|_| Use::default(), tell).iter().map(line).collect()
}

fn findings(
    root: &TestRoot,
    running: Option<&str>,
    use_of: &dyn Fn(&str) -> Use,
    tell: impl FnOnce(&mut Telling<'_>),
) -> Vec<Finding> {
    let opened = Root::open(&root.path()).unwrap();
    let rpm = Librpm::load().unwrap();
    let database = rpm.open(&root.path()).unwrap();
    let elements = Elements::new(ModulesDirs::find(&opened).unwrap());
    let mut telling = Telling { elements, rpm, database: &database };
    tell(&mut telling);
    let elements = telling.elements;
    let mut loader = Loader::new(&opened, &Serial, None);
    let survey = Survey::take(&opened, Ok(&rpm), &mut loader, &Selection::default()).unwrap();
    let running = Running { release: running, use_of };
    let config = Config::default();
    let orders = Orders { config: &config, policy: None, nothing_boots: false };
    judge(&opened, &rpm, &survey, elements, &running, &orders)
}

const FOO: &str = "foo-kmp-default-1_k6.4.0_1-1";

#[test]
fn a_new_kernel_loses_a_driver_unless_its_kmp_comes_with_it() {
    let root = root(&[(OLD, 7)], &[&kmp("foo", "1", OLD, 7)]);
    let (same, other) = (kernel(NEW, 7), kernel(NEW, 8));
    let (same, other) = (PackageBuilder::kernel(&same).build(), PackageBuilder::kernel(&other).build());
    assert!(lost(&root, None, |t| t.comes(&same)).is_empty());
    assert_eq!(lost(&root, None, |t| t.comes(&other)), [format!("{FOO} {NEW} crc")]);
    let built_for_it = lost(&root, None, |t| {
        t.comes(&other);
        t.comes(&kmp("foo", "2", NEW, 8));
    });
    assert!(built_for_it.is_empty(), "{built_for_it:?}");
    let built_for_another = lost(&root, None, |t| {
        t.comes(&other);
        t.comes(&kmp("foo", "2", NEW, 9));
    });
    assert_eq!(built_for_another, [format!("{FOO} {NEW} crc")]);
}

#[test]
fn an_update_or_a_downgrade_must_not_take_the_only_version_that_works() {
    let root = root(&[(OLD, 7)], &[&kmp("foo", "1", OLD, 7)]);
    for version in ["2", "0.5"] {
        let replaced = |fits: u32| {
            lost(&root, None, |t| {
                t.comes(&kmp("foo", version, NEW, fits));
                t.goes("foo-kmp-default", Removal::Replaced);
            })
        };
        assert_eq!(replaced(8), [format!("{FOO} {OLD} crc")], "{version}");
        assert!(replaced(7).is_empty(), "{version}");
    }
    // Beside the old version, a new one takes nothing away.
    assert!(lost(&root, None, |t| t.comes(&kmp("foo", "2", NEW, 8))).is_empty());
}

#[test]
fn what_somebody_removes_is_not_lost_but_what_is_obsoleted_is() {
    let root = root(&[(OLD, 7)], &[&kmp("foo", "1", OLD, 7)]);
    assert!(lost(&root, None, |t| t.goes("foo-kmp-default", Removal::Erased)).is_empty());
    assert_eq!(lost(&root, None, |t| t.goes("foo-kmp-default", Removal::Replaced)), [format!("{FOO} {OLD}")]);
    // Whoever brings the module brings the driver.
    let successor = lost(&root, None, |t| {
        t.comes(&kmp("bar", "1", OLD, 7));
        t.goes("foo-kmp-default", Removal::Replaced);
    });
    assert!(successor.is_empty(), "{successor:?}");
    // A kernel that goes with its driver loses nothing.
    let both = lost(&root, None, |t| {
        t.elements.removed_kernel(OLD);
        t.goes("foo-kmp-default", Removal::Replaced);
    });
    assert!(both.is_empty(), "{both:?}");
}

#[test]
fn what_works_now_counts_by_the_newest_kernel_or_the_running_one() {
    // The driver works with the old kernel, but not with the newest: only who runs the old one would miss it.
    let root = root(&[(OLD, 7), (NEW, 8)], &[&kmp("foo", "1", OLD, 7)]);
    let third = PackageBuilder::kernel(&kernel("6.4.0-3-default", 8)).build();
    assert!(lost(&root, Some(NEW), |t| t.comes(&third)).is_empty());
    assert!(lost(&root, Some("another"), |t| t.comes(&third)).is_empty());
    // Where it is not known which one runs, it may be any.
    for running in [Some(OLD), None] {
        assert_eq!(lost(&root, running, |t| t.comes(&third)), [format!("{FOO} 6.4.0-3-default crc")]);
    }
}

#[test]
fn a_kernel_of_another_flavour_asks_for_nothing() {
    let root = root(&[(OLD, 7)], &[&kmp("foo", "1", OLD, 7)]);
    let rt = PackageBuilder::kernel(&kernel("6.4.0-2-rt", 8)).build();
    assert!(lost(&root, None, |t| t.comes(&rt)).is_empty());
}

#[test]
fn a_kernel_tells_its_symbols_by_provides_or_by_its_payload() {
    let root = root(&[(OLD, 7)], &[&kmp("foo", "1", OLD, 7)]);
    let other = kernel(NEW, 8);
    let told = PackageBuilder::kernel(&other).ksyms("default", &other.full_symvers()).build();
    assert_eq!(lost(&root, None, |t| t.comes(&told)), [format!("{FOO} {NEW} crc")]);
    // Of a kernel that tells nothing nothing is known, and nothing is lost.
    let silent = other.symvers_place(testkit::SymversPlace::Nowhere);
    assert!(lost(&root, None, |t| t.comes(&PackageBuilder::kernel(&silent).build())).is_empty());
}

/// A package of which only dependencies and paths are known.
fn described(name: &str, file: &str, provides: Vec<Dependency>) -> Package {
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

fn symbols(list: &[(&str, u32)]) -> Vec<Dependency> {
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
    let tell = |requires: &[(&str, u32)]| {
        let requires = symbols(requires);
        lost(&root, None, |t| {
            let new =
                described("kernel-default", &format!("/usr/lib/modules/{NEW}/modules.order"), offers.clone());
            t.elements.add_package(new, &[], None).unwrap();
            let file = format!("/usr/lib/modules/{NEW}/updates/foo.ko");
            t.elements.add_package(described("foo-kmp-default", &file, Vec::new()), &requires, None).unwrap();
        })
    };
    assert!(tell(&[layout, ("printk", 1), ("changing", 8)]).is_empty());
    assert_eq!(tell(&[layout, ("changing", 9)]), [format!("{FOO} {NEW} crc")]);
    assert_eq!(tell(&[("module_layout", 5), ("changing", 8)]), [format!("{FOO} {NEW} module-layout")]);
    assert_eq!(tell(&[("nobodys", 5)]), [format!("{FOO} {NEW} unknown-symbol")]);
    // A KMP that does not tell what it needs may work.
    assert!(tell(&[]).is_empty());
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
    let tell = |provides: Vec<Dependency>| {
        lost(&root, None, |t| {
            let new =
                described("bar-kmp-default", &format!("/usr/lib/modules/{OLD}/updates/bar.ko"), provides);
            t.elements.add_package(new, &symbols(&[("printk", 1)]), None).unwrap();
            t.goes("bar-kmp-default", Removal::Replaced);
        })
    };
    assert!(tell(Vec::new()).is_empty());
    assert!(tell(symbols(&[("of_bar", 3)])).is_empty());
    assert_eq!(tell(symbols(&[("of_bar", 4)])), [format!("foo-kmp-default-1_k6.4.0_1-1 {OLD} crc")]);
}

/// A package with the module foo as a ghost, for the old kernel, with what `add` adds.
fn ghost(add: impl FnOnce(PackageBuilder) -> PackageBuilder) -> testkit::Package {
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
