// SPDX-License-Identifier: LGPL-2.1-or-later
//! Red Hat's initramfs with the plugin: made at the transaction's end, once for each kernel, where packages count on
//! weak-modules for it.

use std::process::Command;

use testkit::{Package, PackageBuilder, TestRoot, makes_empty_initrds, run};

use crate::command::add_command;
use crate::redhat::{NEW, OLD, core, kmod};
use crate::support::{bare, kernel, make_executable, rpm, turn_on};

/// The one that has no initramfs.
const BARE: &str = "5.14.0-170.el9.x86_64";

/// dracut takes notes, and makes an initramfs with nothing in it.
const DRACUT: &str = "#!/bin/sh\necho \"$@\" >>/dracut.log\n";

fn installed_kernel(krel: &str) -> Package {
    core(&kernel(krel, 7).file("vmlinuz", "image")).build()
}

fn image(krel: &str) -> String {
    format!("boot/initramfs-{krel}.img")
}

/// Three kernels, two of them with an initramfs.
fn site() -> TestRoot {
    let root = bare();
    root.write("etc/os-release", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n");
    add_command(&root);
    root.symlink("usr/sbin/weak-modules", "../bin/kmp");
    root.write("usr/bin/dracut", format!("{DRACUT}{}", makes_empty_initrds()));
    make_executable(&root.join("usr/bin/dracut"));
    root.install(&[&installed_kernel(OLD), &installed_kernel(NEW), &installed_kernel(BARE)]);
    let empty = "printf 'TRAILER!!!' | cpio --quiet -o -H newc 2>/dev/null </dev/null > \"$0\"";
    for krel in [OLD, NEW] {
        run(Command::new("sh").args(["-c", empty]).arg(root.join(image(krel)))).expect_success();
    }
    turn_on(&root);
    root
}

/// What dracut was asked for since the last look, sorted.
fn dracuts(root: &TestRoot) -> Vec<String> {
    let mut runs = root.take_lines("dracut.log");
    runs.sort();
    runs
}

fn made(krel: &str) -> String {
    format!("-f /boot/initramfs-{krel}.img {krel}")
}

fn markers(root: &TestRoot) -> usize {
    std::fs::read_dir(root.join("run/regenerate-initrd")).map_or(0, Iterator::count)
}

/// As Red Hat's macros write it.
fn reporting(base: &str, options: &str) -> PackageBuilder {
    let list = format!("/lib/modules/{OLD}/extra/{base}/{base}.ko");
    let call = |mode: &str| format!("echo {list} | /usr/sbin/weak-modules {mode} {options}");
    let package = kmod(base, "1.0", &kernel(OLD, 7), 7);
    package.scriptlet("post", &call("--add-modules")).scriptlet("postun", &call("--remove-modules"))
}

#[test]
fn it_is_made_in_the_transaction_once_for_each_kernel() {
    let root = site();
    let packages = ["foo", "bar", "baz"].map(|base| reporting(base, "").build());
    rpm(&root, &["-i"], &[&packages[0], &packages[1], &packages[2]]).expect_success();
    // The third kernel has none, and gets its own from kernel-install.
    assert_eq!(dracuts(&root), [made(NEW), made(OLD)]);
    assert_eq!(markers(&root), 0);
    assert!(root.exists(format!("usr/lib/modules/{BARE}/weak-updates/foo/foo.ko")));
    crate::support::rpm_with(&root, &[], ["-e", "kmod-foo", "kmod-bar"]).expect_success();
    assert_eq!(dracuts(&root), [made(NEW), made(OLD)]);
    assert_eq!(markers(&root), 0);
}

/// The package of a driver need not report it, as the plugin sees it anyway.
#[test]
fn it_is_made_for_packages_that_call_nothing() {
    let root = site();
    let silent = kmod("foo", "1.0", &kernel(OLD, 7), 7).build();
    rpm(&root, &["-i"], &[&silent]).expect_success();
    assert_eq!(dracuts(&root), [made(NEW)]);
    assert_eq!(markers(&root), 0);
}

#[test]
fn who_says_no_initramfs_gets_none() {
    let root = site();
    rpm(&root, &["-i"], &[&reporting("foo", "--no-initramfs").build()]).expect_success();
    assert_eq!((dracuts(&root), markers(&root)), (vec![], 0));
    assert!(root.exists(format!("usr/lib/modules/{NEW}/weak-updates/foo/foo.ko")));
    // One of several is enough.
    let packages = [reporting("bar", "--no-initramfs").build(), reporting("baz", "").build()];
    rpm(&root, &["-i"], &[&packages[0], &packages[1]]).expect_success();
    assert_eq!(dracuts(&root), [made(NEW), made(OLD)]);
}

/// Where no scripts are run, no program of the root is. The request stays.
#[test]
fn without_scripts_it_is_requested() {
    let root = site();
    rpm(&root, &["-i", "--noscripts"], &[&reporting("foo", "").build()]).expect_success();
    assert_eq!((dracuts(&root), markers(&root)), (vec![], 1));
    // It is not the next transaction's.
    rpm(&root, &["-i"], &[&reporting("bar", "--no-initramfs").build()]).expect_success();
    assert_eq!((dracuts(&root), markers(&root)), (vec![], 1));
}

/// A kernel's own %posttrans makes it, too, and a package that knows that it is needed.
#[test]
fn what_somebody_has_made_meanwhile_is_not_made_again() {
    let root = site();
    let makes = |krel: &str| format!("/usr/bin/dracut -f /{} {krel}", image(krel));
    let again = core(&kernel(NEW, 7).file("vmlinuz", "image"))
        .scriptlet("posttrans", &format!("weak-modules --add-kernel {NEW} || exit 1; {}", makes(NEW)));
    let packages = [again.build(), reporting("foo", "").build()];
    rpm(&root, &["-U", "--replacepkgs", "--oldpackage"], &[&packages[0], &packages[1]]).expect_success();
    let runs = dracuts(&root);
    assert_eq!(runs.iter().filter(|run| **run == made(NEW)).count(), 1, "{runs:?}");
    assert_eq!(markers(&root), 0);
}

#[test]
fn a_failure_is_a_warning_and_stays_requested() {
    let root = site();
    root.write("usr/bin/dracut", format!("{DRACUT}echo no space >&2\nexit 1\n"));
    make_executable(&root.join("usr/bin/dracut"));
    let output = rpm(&root, &["-i"], &[&reporting("foo", "").build()]).expect_success();
    let said = format!("warning: kmp: kernel {NEW} needs a new initrd, but /usr/bin/dracut could not make");
    assert!(output.stderr.contains(&said) && output.stderr.contains("no space"), "{output}");
    assert_eq!(markers(&root), 2);
    std::fs::remove_file(root.join("usr/bin/dracut")).unwrap();
    dracuts(&root);
    let output = rpm(&root, &["-i"], &[&reporting("bar", "").build()]).expect_success();
    assert!(output.stderr.contains("dracut is not installed"), "{output}");
}

/// SUSE's packages have it made in their %posttrans.
#[test]
fn in_suses_dialect_it_is_left_to_posttrans() {
    let root = site();
    root.write("etc/os-release", "ID=opensuse-leap\nID_LIKE=suse\n");
    root.write("etc/fstab", "");
    for krel in [crate::support::OLD, crate::support::NEW] {
        kernel(krel, 7).file("vmlinuz", "image").write(&root.path());
        root.write(format!("boot/initrd-{krel}"), "");
    }
    let driver = crate::support::kmp("foo", "1.0", &kernel(crate::support::OLD, 7), 7).build();
    rpm(&root, &["-i"], &[&driver]).expect_success();
    assert_eq!(dracuts(&root), [""; 0]);
    assert!(markers(&root) > 0);
}
