// SPDX-License-Identifier: LGPL-2.1-or-later
//! Roots of both dialects, with three kernels that can be booted, and a generator of initrds.

use std::fs;
use std::path::PathBuf;

use testkit::disturb::{Run, Scenario, add_generator};
use testkit::{KernelBuilder, ModuleBuilder, PackageBuilder, TestRoot, run};

use crate::support::{KMP, good, kernel, kmod, one_module, package, red_hat, write};

pub const A: &str = "6.4.0-1-default";
pub const B: &str = "6.4.0-2-default";
pub const C: &str = "6.4.0-3-default";

/// Kernels of Red Hat's kind.
pub const EL_A: &str = "5.14.0-70.el9.x86_64";
pub const EL_B: &str = "5.14.0-162.el9.x86_64";
pub const EL_C: &str = "5.14.0-284.el9.x86_64";

/// `kmp --root ROOT ARGS`.
pub fn kmp(root: &TestRoot, args: &[&str]) -> Run {
    named("kmp", root, "--root", args)
}

/// The command by another name, with the option for the root that it has there.
pub fn named(name: &str, root: &TestRoot, option: &str, args: &[&str]) -> Run {
    let program = root.home().join(name);
    if !program.exists() {
        std::os::unix::fs::symlink(KMP, &program).unwrap();
    }
    let path = root.path().display().to_string();
    Run::new(program, [option, &path, "--run-in-root"].iter().chain(args))
}

/// `kmp sync`, made up for by the same.
pub fn synchronised(name: &'static str, root: TestRoot) -> Scenario {
    let sync = kmp(&root, &["sync"]);
    let kernels = if root.exists("etc/os-release") { [EL_A, EL_B, EL_C] } else { [A, B, C] };
    Scenario::new(name, root, &kernels, sync.clone(), sync)
}

/// Makes the initrds of these kernels, of what they have now.
pub fn make_initrds(root: &TestRoot, kernels: &[&str]) {
    for krel in kernels {
        let image = match root.exists("etc/os-release") {
            true => format!("/boot/initramfs-{krel}.img"),
            false => format!("/boot/initrd-{krel}"),
        };
        let mut command = root.command("chroot");
        run(command.arg(root.path()).args(["/usr/bin/dracut", "-f", &image, krel])).expect_success();
    }
}

fn three_kernels(root: &TestRoot, [a, b, c]: [&str; 3]) {
    for krel in [a, b] {
        let kernel = kernel(krel, 7).builtin("kernel/lib/built.ko");
        let in_tree = kernel.driver("in_tree").need("printk", 0x1000_0001);
        write(&kernel.module("drivers/net", in_tree), root);
    }
    // This one has everything built in.
    write(&kernel(c, 7).builtin("kernel/lib/built.ko"), root);
    add_generator(root);
    for krel in [a, b, c] {
        root.write(format!("usr/lib/modules/{krel}/vmlinuz"), "image");
    }
    good(root, &["sync", "--no-initrd"]);
    make_initrds(root, &[a, b, c]);
}

fn with_softdep(base: &str, kernel: &KernelBuilder) -> ModuleBuilder {
    kernel
        .driver(base)
        .need("printk", 0x1000_0001)
        .need("changing", 7)
        .add_info("softdep", "pre: built")
        .alias("pci:v1d2")
}

/// Two KMPs have come; dracut's configuration wants the module of one in all initrds, and no initrd has any yet.
pub fn first_links() -> TestRoot {
    let root = TestRoot::new();
    three_kernels(&root, [A, B, C]);
    let a = kernel(A, 7);
    let two = package(
        "foo",
        "1.0",
        &a,
        &[("foo", with_softdep("foo", &a)), ("foo_more", with_softdep("foo_more", &a))],
    );
    root.install(&[&two, &one_module("bar", "1.0", &a, 7)]);
    root.write("etc/dracut.conf.d/foo.conf", "add_drivers+=\" foo \"\n");
    root
}

/// All links are made. The initrds of all kernels but the last have the modules, and dracut's configuration wants none.
pub fn linked() -> TestRoot {
    let root = first_links();
    fs::remove_file(root.join("etc/dracut.conf.d/foo.conf")).unwrap();
    good(&root, &["sync", "--no-initrd"]);
    make_initrds(&root, &[A, B]);
    root
}

/// Files of others in B's `weak-updates`.
pub fn add_foreign(root: &TestRoot) {
    let top = PathBuf::from("usr/lib/modules").join(B).join("weak-updates");
    root.write(top.join("foreign.txt"), b"mine");
    root.write(top.join("updates/foreign.ko"), b"mine, too");
    root.write(top.join("foreign/deep/er/own.ko"), b"\x7fELF not really");
    root.write("opt/foreign/else.ko", b"else");
    root.symlink(top.join("updates/foreign-link.ko"), "/opt/foreign/else.ko");
    good(root, &["sync", "--no-initrd"]);
    make_initrds(root, &[A, B]);
}

/// Another version of a KMP has come.
pub fn replacing() -> TestRoot {
    let root = linked();
    add_foreign(&root);
    root.install(&[&one_module("foo", "2.0", &kernel(C, 7), 7)]);
    root
}

/// Of a kernel that goes all is gone but what depmod and kmp have written.
pub fn without_kernel() -> TestRoot {
    let root = linked();
    let dir = root.join("usr/lib/modules").join(B);
    fs::remove_dir_all(dir.join("kernel")).unwrap();
    for entry in fs::read_dir(&dir).unwrap().map(|e| e.unwrap()) {
        if entry.path().is_dir() {
            assert_eq!(entry.file_name(), "weak-updates");
            continue;
        }
        let name = entry.file_name().into_string().unwrap();
        let stays = name.starts_with("modules.")
            && !["modules.order", "modules.builtin", "modules.builtin.modinfo"].contains(&&*name);
        if !stays {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    root
}

/// The same as a system of its own, with the command in it.
pub fn running_system() -> TestRoot {
    let root = first_links();
    for (program, to) in [(KMP, "usr/bin/kmp"), ("/usr/sbin/depmod", "usr/sbin/depmod")] {
        root.add_program(program, to);
    }
    root.add_librpm();
    root.mkdir("dev");
    root.write("dev/null", b"");
    root
}

/// Red Hat's: a driver was there, and another has come.
pub fn red_hat_adding() -> TestRoot {
    let root = red_hat();
    three_kernels(&root, [EL_A, EL_B, EL_C]);
    let a = kernel(EL_A, 7);
    let one = |base: &str, version: &str| kmod(base, version, &a, &[(base, with_softdep(base, &a))]);
    root.install(&[&one("bar", "1.0")]);
    good(&root, &["sync", "--no-initrd"]);
    make_initrds(&root, &[EL_A, EL_B, EL_C]);
    root.install(&[&one("foo", "1.0")]);
    root
}

/// Red Hat's: a newer build of a driver has come, for a newer kernel.
pub fn red_hat_replacing() -> TestRoot {
    let root = red_hat_adding();
    good(&root, &["sync", "--no-initrd"]);
    make_initrds(&root, &[EL_A, EL_B, EL_C]);
    let c = kernel(EL_C, 7);
    let files = [("foo.ko".to_string(), with_softdep("foo", &c).info("version", "2").build())];
    root.install(&[&PackageBuilder::kmod("foo", "2.0", c.krel(), files).build()]);
    root
}
