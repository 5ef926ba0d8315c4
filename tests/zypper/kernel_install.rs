// SPDX-License-Identifier: LGPL-2.1-or-later
//! kernel-install calls kmp's plugin, in an order in which links and depmod's index are there before an initramfs is made.

use testkit::{PackageBuilder, TestRoot};

use crate::packages::{kernel, make_executable};
use crate::system::{System, installed};

const OLD: &str = "5.14.0-70.el9.x86_64";
/// The one that comes: its package brings files, and calls nothing.
const COMES: &str = "5.14.0-162.el9.x86_64";

/// What a plugin that makes an initramfs finds, in `/log`.
const LOOK: &str = r#"#!/bin/sh
[ "$1" = add ] || { echo "${0##*/} $1 $(cd /lib/modules/$2 && find weak-updates -type l | wc -l)" >>/log; exit 0; }
found=$(grep -c '^weak-updates/foo/foo.ko:' "/lib/modules/$2/modules.dep" 2>&1)
echo "${0##*/} $1 $found" >>/log
"#;

/// An image or a host, with a driver for a kernel that was there.
fn site() -> System {
    let system = System::new(&[installed()]);
    let root = &system.root;
    root.write("etc/os-release", "ID=almalinux\nID_LIKE=\"rhel centos fedora\"\n");
    root.mkdir("boot");
    let old = kernel(OLD, 7);
    let module = old.driver("foo").need("printk", 0x1000_0001).need("changing", 7).build();
    root.install(&[&PackageBuilder::kmod("foo", "1.0", OLD, [("foo.ko", module)]).build()]);
    old.write(&root.path());
    kernel(COMES, 7).file("vmlinuz", "image").write(&root.path());
    system
}

fn plugin(root: &TestRoot, name: &str, then: &str) {
    let path = format!("usr/lib/kernel/install.d/{name}");
    root.write(&path, format!("{LOOK}{then}"));
    make_executable(&root.join(path));
}

fn kernel_install(system: &System, words: &[&str]) -> testkit::Output {
    system.run(&[], &[&["kernel-install"], words].concat())
}

fn image() -> String {
    format!("/lib/modules/{COMES}/vmlinuz")
}

#[test]
fn links_and_index_are_there_before_dracut() {
    let system = site();
    plugin(&system.root, "50-dracut.install", "");
    kernel_install(&system, &["add", COMES, &image()]).expect_success();
    assert_eq!(system.root.read("log"), "50-dracut.install add 1\n");
    assert!(!system.root.exists("run/regenerate-initrd"), "that is dracut's plugin's");
    std::fs::remove_file(system.root.join("log")).unwrap();
    kernel_install(&system, &["remove", COMES]).expect_success();
    assert_eq!(system.root.read("log"), "50-dracut.install remove 0\n");
}

/// ostree's layout: the initramfs is made by rpm-ostree's plugin, which runs no depmod and skips the rest.
#[test]
fn links_and_index_are_there_before_ostrees_plugin() {
    let system = site();
    system.root.write("usr/lib/kernel/install.conf", "layout=ostree\n");
    plugin(
        &system.root,
        "05-rpmostree.install",
        "[ \"$KERNEL_INSTALL_LAYOUT\" = ostree ] && exit 77\nexit 1\n",
    );
    plugin(&system.root, "50-dracut.install", "");
    kernel_install(&system, &["add", COMES, &image()]).expect_success();
    assert_eq!(system.root.read("log"), "05-rpmostree.install add 1\n");
}

/// A kernel gets its initramfs and its boot entry whatever is wrong with links.
#[test]
fn what_fails_is_reported_and_stops_nothing() {
    for (path, text, said) in [
        ("etc/os-release", "ID=mine\n", "dialect"),
        ("usr/lib/modules/5.14.0-162.el9.x86_64/weak-updates", "", "weak-updates"),
        ("usr/bin/kmp", "#!/bin/sh\necho broken >&2\nexit 2\n", "broken"),
    ] {
        let system = site();
        plugin(&system.root, "50-dracut.install", "");
        system.root.write(path, text);
        if path.starts_with("usr/bin") {
            make_executable(&system.root.join(path));
        }
        let output = kernel_install(&system, &["add", COMES, &image()]).expect_success();
        assert!(system.root.exists("log") && output.stderr.contains(said), "{path}: {output}");
    }
    // A kernel without modules is none of ours.
    let system = site();
    plugin(&system.root, "50-dracut.install", "");
    system.root.write("boot/other", "");
    let output = kernel_install(&system, &["add", "1-other", "/boot/other"]).expect_success();
    assert_eq!(output.stderr, "", "{output}");
}

/// In a transaction with the plugin everything is done already.
#[test]
fn nothing_is_left_to_do_where_links_were_made() {
    let system = site();
    system.run(&[], &["kmp", "sync", "--no-initrd"]).expect_success();
    let before = system.root.tree();
    plugin(&system.root, "50-depmod.install", "");
    kernel_install(&system, &["add", COMES, &image()]).expect_success();
    let mut after = system.root.tree();
    after.retain(|path, _| before.contains_key(path) || path.starts_with("usr/lib/modules"));
    assert_eq!(after, before);
}
