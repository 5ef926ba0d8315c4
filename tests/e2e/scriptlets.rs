// SPDX-License-Identifier: LGPL-2.1-or-later
//! Real scriptlets, run by rpm in a real chroot, in rpm's own order.

use std::ffi::OsStr;
use std::path::Path;

use testkit::{KernelBuilder, Output, Package, PackageBuilder, TestRoot};

use crate::support::*;

/// A root in which scriptlets run: a shell, kmp under both names, librpm and depmod.
pub fn live() -> TestRoot {
    let root = TestRoot::new();
    root.add_program("/bin/sh", "/bin/sh");
    root.add_program("/sbin/depmod", "/usr/sbin/depmod");
    root.add_program(KMP, "/usr/sbin/kmp");
    // A plain file does for what is only read.
    root.write("dev/null", "");
    root.symlink("usr/sbin/weak-modules2", "kmp");
    let librpm = ["librpm.so.10", "librpm.so.9", "librpm.so.8"];
    let known = testkit::run(std::process::Command::new("/sbin/ldconfig").arg("-p")).stdout;
    let librpm = librpm.iter().find(|name| known.contains(&format!("{name} "))).unwrap();
    root.add_library(librpm);
    for file in ["rpmrc", "macros"] {
        root.write(format!("usr/lib/rpm/{file}"), std::fs::read(format!("/usr/lib/rpm/{file}")).unwrap());
    }
    root.write("etc/rpm/macros", "%_dbpath /var/lib/rpm\n");
    root
}

/// The scriptlets of a KMP, as SUSE's: what is there is told after it came, and after it went.
fn with_scriptlets(package: PackageBuilder, own_command: bool) -> PackageBuilder {
    let nevra = package.nevra();
    let nvr = nevra.rsplit_once('.').unwrap().0;
    let (add, remove) = match own_command {
        true => (format!("kmp add-kmp {nvr}"), format!("kmp remove-kmp {nvr}")),
        false => (
            format!("weak-modules2 -v --add-kmp {nvr}"),
            format!("echo /lib/modules/{OLD}/updates/foo.ko | weak-modules2 -v --remove-kmp {nvr}"),
        ),
    };
    let line = |text: &str| format!("echo \"# $1\" >> /log; {text} >> /log 2>&1 || echo FAILED $? >> /log");
    package.scriptlet("post", &line(&add)).scriptlet("postun", &line(&remove))
}

fn foo(version: &str, kernel: &KernelBuilder, own_command: bool) -> Package {
    let files = [("foo.ko", driver("foo", kernel, 7).build())];
    with_scriptlets(PackageBuilder::kmp("foo", "default", version, kernel.krel(), files), own_command).build()
}

fn kernel_package(kernel: &KernelBuilder) -> PackageBuilder {
    let krel = kernel.krel();
    PackageBuilder::kernel(kernel)
        .scriptlet(
            "posttrans",
            &format!("weak-modules2 --add-kernel {krel} >> /log 2>&1 || echo FAILED >> /log"),
        )
        .scriptlet(
            "postun",
            &format!("weak-modules2 --remove-kernel {krel} >> /log 2>&1 || echo FAILED >> /log"),
        )
}

/// rpm with its scriptlets; none of them failed.
#[track_caller]
pub fn rpm(root: &TestRoot, options: &[&str], packages: &[&Package]) -> Output {
    let files = packages.iter().map(|p| p.path().as_os_str());
    let options = options.iter().map(OsStr::new);
    let output = root.rpm(options.chain(["--nodeps".as_ref()]).chain(files)).expect_success();
    assert_eq!(output.stderr, "");
    if root.exists("log") {
        assert!(!root.read("log").contains("FAILED"), "{}", root.read("log"));
    }
    output
}

fn erase(root: &TestRoot, name: &str) {
    rpm(root, &["-e", name], &[]);
}

fn three(root: &TestRoot) -> [KernelBuilder; 3] {
    root.write("etc/depmod.d/00-system.conf", "search updates extra weak-updates kgraft built-in\n");
    three_kernels(root)
}

#[test]
fn a_kmp_comes_and_goes() {
    for own_command in [true, false] {
        let root = live();
        let [old, ..] = three(&root);
        let package = foo("1", &old, own_command);
        rpm(&root, &["-i"], &[&package]);
        assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]), "{}", root.read("log"));
        assert_eq!(indexed(&root, SAME), ["weak-updates/updates/foo.ko"]);
        erase(&root, package.name());
        assert!(links(&root, SAME).is_empty(), "{}", root.read("log"));
        assert!(indexed(&root, SAME).is_empty());
        if own_command {
            let log = root.read("log");
            assert!(log.contains(&format!("{SAME}: {} removed\n", package.nvr())), "{log}");
        } else {
            let log = root.read("log");
            assert!(log.contains(&format!("Package {} added to kernel {SAME}\n", package.nvr())), "{log}");
            assert!(
                log.contains(&format!("Package {} removed from kernel {SAME}\n", package.nvr())),
                "{log}"
            );
            let none =
                format!("Weak-updates symlinks to no other {} package could be created\n", package.name());
            assert!(log.contains(&none), "{log}");
        }
    }
}

/// `rpm --reinstall`: the old one's %postun runs after the new one's %post.
#[test]
fn bsc_1257055_reinstall_keeps_links() {
    let root = live();
    let [old, ..] = three(&root);
    let package = foo("1", &old, false);
    rpm(&root, &["-i"], &[&package]);
    root.write("log", "");
    rpm(&root, &["-U", "--reinstall"], &[&package]);
    let log = root.read("log");
    let order: Vec<&str> = log.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(order, ["# 2", "# 1"], "{log}");
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    assert_eq!(indexed(&root, SAME), ["weak-updates/updates/foo.ko"]);
    assert!(!log.contains("removed from"), "{log}");
}

#[test]
fn an_update_relinks() {
    let root = live();
    let [old, same, _] = three(&root);
    write(&kernel("6.4.0-4-default", 7), &root);
    let (first, second) = (foo("1", &old, false), foo("2", &same, false));
    rpm(&root, &["-i"], &[&first]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    rpm(&root, &["-U"], &[&second]);
    assert!(links(&root, SAME).is_empty());
    for krel in [OLD, "6.4.0-4-default"] {
        assert_eq!(links(&root, krel), linked(&[("foo", SAME)]));
        assert_eq!(indexed(&root, krel), ["weak-updates/updates/foo.ko"]);
    }
    assert!(!root.exists(format!("usr/lib/modules/{OLD}/updates")));
    let replaced =
        format!("Package {} replaced by package {} in kernel 6.4.0-4-default\n", first.nvr(), second.nvr());
    assert!(root.read("log").contains(&replaced), "{}", root.read("log"));
}

/// Halfway through the transaction the newer provider is beside the older user.
#[test]
fn a_pair_is_updated_in_one_transaction() {
    let root = live();
    let [old, same, _] = three(&root);
    write(&kernel("6.4.0-4-default", 7), &root);
    let pair = |version: &str, kernel: &KernelBuilder, exported: u32| {
        let build = |base: &str, module: testkit::ModuleBuilder| {
            let files = [(format!("{base}.ko"), module.build())];
            let package = PackageBuilder::kmp(base, "default", version, kernel.krel(), files);
            with_scriptlets(package, true).build()
        };
        let user = driver("acme_net", kernel, 7).need("acme_open", exported);
        [build("acme", driver("acme", kernel, 7).export("acme_open", exported)), build("acme_net", user)]
    };
    let (first, second) = (pair("1", &old, 1), pair("2", &same, 2));
    rpm(&root, &["-i"], &[&first[1], &first[0]]);
    assert_eq!(links(&root, "6.4.0-4-default"), linked(&[("acme", OLD), ("acme_net", OLD)]));
    rpm(&root, &["-U"], &[&second[0], &second[1]]);
    assert_eq!(links(&root, "6.4.0-4-default"), linked(&[("acme", SAME), ("acme_net", SAME)]));
    assert_eq!(links(&root, OLD), linked(&[("acme", SAME), ("acme_net", SAME)]));
    assert!(links(&root, SAME).is_empty(), "{}", root.read("log"));
    good(&root, &["sync", "--dry-run"]);
}

/// Both versions have the same path: after the update the file is the new one's, and the link stays.
#[test]
fn an_update_in_place_leaves_the_link() {
    let root = live();
    let [old, ..] = three(&root);
    rpm(&root, &["-i"], &[&foo("1", &old, false)]);
    root.write("log", "");
    rpm(&root, &["-U"], &[&foo("2", &old, false)]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    assert!(!root.read("log").contains("removed from"), "{}", root.read("log"));
}

#[test]
fn kernels_come_and_go() {
    let root = live();
    let (old, same) = (kernel(OLD, 7), kernel(SAME, 7));
    let packages = PackageBuilder::build_all(&[kernel_package(&old), kernel_package(&same)]);
    rpm(&root, &["-i"], &[&packages[0], &foo("1", &old, true)]);
    let before = root.tree();
    rpm(&root, &["-i"], &[&packages[1]]);
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]));
    let index: Vec<String> = std::fs::read_dir(root.join(format!("usr/lib/modules/{SAME}")))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("modules."))
        .collect();
    assert!(index.len() > 4, "{index:?}");
    erase(&root, packages[1].nvr());
    assert!(!root.exists(format!("usr/lib/modules/{SAME}")));
    let mut after = root.tree();
    after.remove(Path::new("log"));
    let mut before = before;
    before.remove(Path::new("log"));
    same_tree(&after, &before, "the kernel left something");
}

/// A kernel rebuilt with the same release: the old one's %postun runs while the new one's files are there.
#[test]
fn bnc_533766_boo_1194501_rebuild_of_a_kernel_keeps_files_and_links() {
    let root = live();
    let (old, same) = (kernel(OLD, 7), kernel(SAME, 7));
    let packages = PackageBuilder::build_all(&[kernel_package(&old), kernel_package(&same)]);
    rpm(&root, &["-i"], &[&packages[0], &packages[1], &foo("1", &old, false)]);
    let rebuilt = kernel_package(&same.clone().file("rebuilt", "yes")).build();
    rpm(&root, &["-U", "--force"], &[&rebuilt]);
    assert!(root.exists(format!("usr/lib/modules/{SAME}/rebuilt")));
    assert!(root.exists(format!("usr/lib/modules/{SAME}/symvers.gz")));
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]), "{}", root.read("log"));
    assert_eq!(indexed(&root, SAME), ["weak-updates/updates/foo.ko"]);
}

/// Nothing but kmp, librpm and depmod is in the root when a scriptlet without a shell runs it.
#[test]
fn boo_1217979_a_scriptlet_needs_no_other_program() {
    let root = live();
    let [old, ..] = three(&root);
    std::fs::remove_file(root.join("usr/bin/sh")).unwrap();
    let files = [("foo.ko", driver("foo", &old, 7).build())];
    // rpm 6.1 has no posix.fork any more; this has been there since 4.17.
    let run = "rpm.execute('/usr/sbin/kmp', 'add-kmp', 'foo-kmp-default-1-1')";
    let package = PackageBuilder::kmp("foo", "default", "1", OLD, files).lua_scriptlet("post", run).build();
    let output = root.rpm([OsStr::new("-i"), "--nodeps".as_ref(), package.path().as_os_str()]);
    assert!(output.success(), "{output}");
    assert_eq!(links(&root, SAME), linked(&[("foo", OLD)]), "{output}");
    assert_eq!(indexed(&root, SAME), ["weak-updates/updates/foo.ko"]);
}
