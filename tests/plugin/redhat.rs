// SPDX-License-Identifier: LGPL-2.1-or-later
//! The same in Red Hat's dialect: dependencies in its syntax, drivers below extra/, requests of `weak-modules`.

use testkit::{KernelBuilder, Package, PackageBuilder, TestRoot};

use crate::command::add_command;
use crate::support::{bare, depmods, kernel, rpm, state, turn_on};

pub const OLD: &str = "5.14.0-70.el9.x86_64";
pub const NEW: &str = "5.14.0-162.el9.x86_64";

/// A kernel's package that tells its symbols as Red Hat's do.
pub fn core(kernel: &KernelBuilder) -> PackageBuilder {
    let krel = kernel.krel();
    let (version, rest) = krel.split_once('-').unwrap();
    let release = rest.replace(".x86_64", "").replace('+', "_");
    let mut package = PackageBuilder::new("kernel-core", version, &release);
    for (path, bytes) in kernel.files() {
        package = package.file(path, bytes);
    }
    for symbol in ["module_layout", "printk", "changing"] {
        let crc = kernel.full_symvers().crc(symbol).unwrap();
        package = package.provides(&format!("kernel({symbol}) = {crc:#010x}"));
    }
    package
}

/// A driver with the requirements that its generator writes.
pub fn kmod(base: &str, version: &str, kernel: &KernelBuilder, crc: u32) -> PackageBuilder {
    let module = kernel.driver(base).need("printk", 0x1000_0001).need("changing", crc);
    PackageBuilder::kmod(base, version, kernel.krel(), [(format!("{base}.ko"), module.build())])
        .requires("kernel(printk) = 0x10000001")
        .requires(&format!("kernel(changing) = {crc:#010x}"))
}

/// A library for drivers and its user, which need nothing that changes.
fn pair(kernel: &KernelBuilder) -> [Package; 2] {
    let library = kernel.driver("library").need("printk", 0x1000_0001).export("library_open", 5);
    let user = kernel.driver("user").need("printk", 0x1000_0001).need("library_open", 5);
    let krel = kernel.krel();
    [
        PackageBuilder::kmod("library", "1.0", krel, [("library.ko", library.build())])
            .provides("ksym(library_open) = 0x00000005")
            .build(),
        PackageBuilder::kmod("user", "1.0", krel, [("user.ko", user.build())])
            .requires("ksym(library_open) = 0x00000005")
            .build(),
    ]
}

fn site() -> TestRoot {
    let root = bare();
    root.write("etc/os-release", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n");
    let old = kernel(OLD, 7);
    let [library, user] = pair(&old);
    root.install(&[&core(&old).build(), &kmod("foo", "1.0", &old, 7).build(), &library, &user]);
    turn_on(&root);
    root
}

fn link(krel: &str, path: &str) -> String {
    format!("/usr/lib/modules/{krel}/weak-updates/{path}.ko")
}

#[test]
fn a_kernel_without_the_driver_is_stopped() {
    let root = site();
    let before = state(&root);
    let output = rpm(&root, &["-i"], &[&core(&kernel(NEW, 8)).build()]);
    assert!(!output.success(), "{output}");
    for part in ["error: kmp: kmod-foo-1.0-1 (foo)", NEW, "changing was 0x00000007", "0x00000008"] {
        assert!(output.stderr.contains(part), "{part}: {output}");
    }
    // What needs only what has not changed is not lost.
    assert!(!output.stderr.contains("library") && !output.stderr.contains("user"), "{output}");
    assert_eq!(state(&root), before);
}

#[test]
fn with_the_driver_it_goes_on_and_links_are_made_once() {
    let root = site();
    let new = kernel(NEW, 8);
    let packages = [core(&new).build(), kmod("foo", "2.0", &new, 8).build()];
    rpm(&root, &["-i"], &[&packages[0], &packages[1]]).expect_success();
    assert!(root.exists(link(NEW, "library/library")) && root.exists(link(NEW, "user/user")));
    assert!(!root.exists(link(NEW, "foo/foo")));
    assert_eq!(depmods(&root).get(NEW), Some(&1));
}

#[test]
fn a_user_whose_library_goes_is_lost() {
    let root = site();
    let gone = PackageBuilder::new("other", "1", "1").tag("Obsoletes", "kmod-library").file("etc/other", "x");
    let output = rpm(&root, &["-U"], &[&gone.build()]);
    assert!(!output.success(), "{output}");
    assert!(output.stderr.contains("kmod-user-1.0-1 (user)"), "{output}");
}

#[test]
fn a_debug_kernel_that_no_driver_was_ever_built_for_takes_nothing_away() {
    let root = site();
    rpm(&root, &["-i"], &[&core(&kernel("5.14.0-162.el9.x86_64+debug", 8)).build()]).expect_success();
}

#[test]
fn what_dkms_built_is_built_anew_and_no_loss() {
    let root = site();
    root.install(&[&kmod("extra", "1", &kernel(OLD, 7), 7).build()]);
    root.erase(&["kmod-foo", "kmod-extra"]);
    let old = kernel(OLD, 7);
    let module = old.driver("dkms").need("changing", 7);
    root.write(format!("usr/lib/modules/{OLD}/extra/dkms.ko"), module.build());
    rpm(&root, &["-i"], &[&core(&kernel(NEW, 8)).build()]).expect_success();
    assert!(!root.exists(link(NEW, "dkms")));
}

/// A package with the sources of what dkms builds owns the module, too: who will build it is said, and nothing stopped.
#[test]
fn who_makes_a_driver_on_the_machine_is_said() {
    let root = site();
    root.erase(&["kmod-foo"]);
    let module = kernel(OLD, 7).driver("built").need("changing", 7).build();
    let package = PackageBuilder::new("built-dkms", "1", "1").file("usr/src/built-1/dkms.conf", "x");
    let path = format!("usr/lib/modules/{OLD}/extra/built.ko");
    root.install(&[&package.ghost(&path).build()]);
    root.write(&path, module);
    let output = rpm(&root, &["-i"], &[&core(&kernel(NEW, 8)).build()]).expect_success();
    let said = format!(
        "built-dkms-1-1 (built) is built on this machine by dkms: the new kernel {NEW} has it once that is done"
    );
    assert!(output.stderr.contains(&said) || output.stdout.contains(&said), "{output}");
}

#[test]
fn a_package_of_sources_takes_the_place_of_the_driver_that_it_obsoletes() {
    let successor = |file: &str| {
        let package =
            PackageBuilder::new("foo-sources", "1", "1").tag("Obsoletes", "kmod-foo").file(file, "x");
        rpm(&site(), &["-U"], &[&package.build()])
    };
    for file in ["usr/src/foo-1.0/dkms.conf", "usr/src/akmods/foo-kmod-1.0-1.src.rpm"] {
        successor(file).expect_success();
    }
    for file in ["usr/src/foo-1.0/Makefile", "etc/dkms.conf"] {
        let output = successor(file);
        assert!(!output.success() && output.stderr.contains("kmod-foo-1.0-1"), "{file}: {output}");
    }
}

#[test]
fn requests_of_weak_modules_are_noted_only() {
    let root = site();
    add_command(&root);
    root.symlink("usr/bin/weak-modules", "kmp");
    let old = kernel(OLD, 7);
    let (list, look) = (format!("/lib/modules/{OLD}/extra/bar/bar.ko"), link(NEW, "bar/bar"));
    let look = format!("if [ -f {look} ]; then echo there; else echo missing; fi >> /looked");
    let bar = kmod("bar", "1.0", &old, 7)
        .scriptlet(
            "post",
            &format!("echo {list} | weak-modules --add-modules || echo FAILED >> /looked; {look}"),
        )
        .scriptlet("posttrans", &look);
    let new = core(&kernel(NEW, 7)).scriptlet(
        "posttrans",
        &format!("weak-modules --add-kernel {NEW} || echo FAILED >> /looked; {look}"),
    );
    rpm(&root, &["-i"], &[&bar.build(), &new.build()]).expect_success();
    assert_eq!(root.read("looked"), "missing\nthere\nthere\n");
    assert_eq!(depmods(&root).get(NEW), Some(&1));
}
