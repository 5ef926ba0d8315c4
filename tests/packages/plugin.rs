// SPDX-License-Identifier: LGPL-2.1-or-later
//! The plugin is on when its package is there, off when it is gone, and the rpm that removes it has it loaded.

use testkit::{KernelBuilder, PackageBuilder, TestRoot};

use crate::support::*;

const OLD: &str = "6.4.0-1-default";
const NEW: &str = "6.4.0-2-default";

fn kernel(release: &str, crc: u32) -> KernelBuilder {
    KernelBuilder::new(release).export("printk", 1).export("changing", crc)
}

/// With a kernel, a driver for it, and the package of a kernel that would lose it.
fn site() -> (TestRoot, testkit::Package) {
    let root = root();
    // A system that can make initrds, so that nobody is told of one that is not made.
    root.write("etc/fstab", "");
    root.add_program("/bin/true", "/usr/bin/dracut");
    let (old, new) = (kernel(OLD, 7), kernel(NEW, 8));
    let module = old.driver("foo").need("printk", 1).need("changing", 7).build();
    let kmp = PackageBuilder::kmp("foo", "default", "1", OLD, [("foo.ko", module)]);
    root.install(&[&PackageBuilder::kernel(&old).build(), &kmp.build()]);
    (root, PackageBuilder::kernel(&new).build())
}

#[test]
fn it_is_on_with_its_package_and_off_without() {
    let (root, new) = site();
    rpm(&root, &["-i"], &packages(1)).expect_success();
    let before = root.installed();
    let output = rpm(&root, &["-i", "--nodeps"], &[new.path()]);
    assert!(!output.success(), "{output}");
    assert!(output.stderr.contains("foo-kmp-default-1") && output.stderr.contains(NEW), "{output}");
    assert_eq!(root.installed(), before);

    // This rpm has loaded what it removes.
    let output = rpm(&root, &["-e", "rpm-plugin-kmp"], &[]).expect_success();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""), "{output}");
    assert!(!root.exists(format!("{}/kmp.so", plugindir())));
    let output = rpm(&root, &["-i", "--nodeps"], &[new.path()]).expect_success();
    assert_eq!(output.stderr, "", "{output}");
    assert!(root.installed().contains(&new.nevra().to_string()));
    // And again, by an rpm that upgrades it while it is loaded.
    rpm(&root, &["-e", "--nodeps", new.nevra()], &[]).expect_success();
    rpm(&root, &["-i"], &[package("rpm-plugin-kmp", 1)]).expect_success();
    let output = rpm(&root, &["-U"], &packages(2)).expect_success();
    assert_eq!(output.stderr, "", "{output}");
    assert!(!rpm(&root, &["-i", "--nodeps"], &[new.path()]).success());
}

/// A driver whose package calls nothing is looked after where the plugin is off: by the trigger of kmp-scriptlets.
#[test]
fn a_package_without_scriptlets_is_served_by_the_trigger() {
    let (root, _) = site();
    let same = kernel(NEW, 7);
    let without: Vec<_> =
        packages(1).into_iter().filter(|p| !p.to_string_lossy().contains("rpm-plugin")).collect();
    rpm(&root, &["-i"], &without).expect_success();
    let link = format!("usr/lib/modules/{NEW}/weak-updates/updates/foo.ko");
    rpm(&root, &["-i", "--nodeps"], &[PackageBuilder::kernel(&same).build().path()]).expect_success();
    assert!(root.exists(&link));
    assert!(root.read(format!("usr/lib/modules/{NEW}/modules.dep")).contains("weak-updates/updates/foo.ko"));
    rpm(&root, &["-e", "foo-kmp-default"], &[]).expect_success();
    assert!(!root.exists(&link));
    // A kmp that fails does not make rpm fail.
    root.write("usr/bin/kmp", "#!/bin/sh\nexit 2\n");
    let bar = PackageBuilder::new("bar", "1", "1")
        .file(format!("usr/lib/modules/{NEW}/updates/bar.ko"), "no module");
    rpm(&root, &["-i", "--nodeps"], &[bar.build().path()]).expect_success();
}
