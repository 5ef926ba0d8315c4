// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which programs are run, how long they may take, and what depmod is given of another root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use testkit::{Compression, Output, TestRoot, compress, run};

use crate::support::*;

/// Kernels with modules of their own, a KMP, and something to do.
fn with_foo() -> TestRoot {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    for krel in [OLD, SAME, OTHER] {
        let module =
            kernel(krel, 7).driver("own").need("printk", 0x1000_0001).info("alias", "pci:own").build();
        let packed = compress(&module, Compression::Zst);
        root.write(format!("usr/lib/modules/{krel}/kernel/net/own.ko.zst"), packed);
        root.write(format!("usr/lib/modules/{krel}/modules.order"), "kernel/net/own.ko\n");
    }
    root.install(&[&one_module("foo", "1", &old, 7)]);
    root
}

/// A script of that name in the home directory.
fn script(root: &TestRoot, name: &str, text: &str) -> String {
    let path = root.home().join(name);
    let made = Command::new("install")
        .args(["-m", "755", "/dev/stdin"])
        .arg(&path)
        .stdin(piped(&format!("#!/bin/sh\n{text}\n")))
        .status();
    assert!(made.unwrap().success());
    path.display().to_string()
}

/// A kernel's index: the files by name.
fn index(root: &TestRoot, krel: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(root.join("usr/lib/modules").join(krel)).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> = entries
        .filter(|path| path.is_file() && path.file_name().unwrap().to_str().unwrap().starts_with("modules."))
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_string(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_program_is_named_by_a_plain_name_or_an_absolute_path() {
    let root = with_foo();
    let other = script(&root, "depmod", "exit 9");
    let sync = |depmod: Option<&str>, path: &str| {
        let mut command = command(&root, &["-v", "sync"]);
        command.env("PATH", path).envs(depmod.map(|depmod| ("DEPMOD", depmod)));
        run(command.current_dir(root.home()))
    };
    for relative in ["./depmod", "home/depmod", "../home/depmod"] {
        let output = sync(Some(relative), "/usr/sbin");
        assert_eq!(output.status, Some(2), "{output}");
        let why =
            format!("{relative} cannot be run: a program is named by a plain name or by an absolute path");
        assert!(output.stderr.contains(&why), "{output}");
    }
    let output = sync(Some(&other), "/usr/sbin");
    assert!(output.status == Some(2) && output.stderr.contains("exit status: 9"), "{output}");
    assert!(output.stderr.contains(&format!("running {other}")), "{output}");
    // Neither PATH nor the working directory leads to another one.
    let output = sync(None, &format!("{}:.:", root.home().display())).expect_success();
    assert!(output.stderr.contains("running /usr/sbin/depmod"), "{output}");
    assert_eq!(indexed(&root, SAME), ["weak-updates/updates/foo.ko"]);
}

/// A command that has more rights than who called it, by its file, does not do what the caller's environment says.
#[test]
fn a_set_user_id_command_does_not_heed_the_environment() {
    if !testkit::has_other_users() {
        return;
    }
    let root = with_foo();
    let command = root.home().join("kmp");
    testkit::copy_program(KMP.as_ref(), &command);
    fs::set_permissions(&command, PermissionsExt::from_mode(0o4755)).unwrap();
    for directory in [root.home(), root.home().parent().unwrap().to_path_buf()] {
        fs::set_permissions(directory, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let called = root.home().join("called");
    let other = script(&root, "other", &format!("touch '{}'", called.display()));
    let output = run(root
        .command("setpriv")
        .args(["--reuid=65534", "--clear-groups"])
        .arg(command)
        .arg("--root")
        .arg(root.path())
        .args(["-v", "sync", "--no-initrd"])
        .env("DEPMOD", other));
    assert!(output.stderr.contains("DEPMOD is ignored"), "{output}");
    assert!(!called.exists() && output.stderr.contains("running /usr/sbin/depmod"), "{output}");
}

#[test]
fn a_depmod_that_does_not_end_is_ended_and_leaves_no_lock() {
    let root = with_foo();
    let fifo = root.home().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let waits = script(&root, "depmod", &format!("echo working >&2; cat '{}'", fifo.display()));
    let output = run(command(&root, &["sync"]).env("DEPMOD", waits).env("KMP_PROGRAM_TIMEOUT", "1"));
    assert_eq!(output.status, Some(2), "{output}");
    for words in
        ["was not done after 1 seconds and was ended", "FIFO", "KMP_PROGRAM_TIMEOUT", "working", SAME]
    {
        assert!(output.stderr.contains(words), "{words}: {output}");
    }
    good(&root, &["sync"]);
    assert_eq!(indexed(&root, SAME), ["weak-updates/updates/foo.ko"]);
}

/// On the system itself depmod reads its configuration where it is: here a FIFO, in a chroot.
#[test]
fn a_fifo_in_the_systems_depmod_d() {
    let root = crate::scriptlets::live();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    root.mkdir("etc/depmod.d");
    let fifo = root.join("etc/depmod.d/local.conf");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let kmp = || {
        let mut command = root.command("chroot");
        run(command.arg(root.path()).args(["/usr/sbin/kmp", "sync"]).env("KMP_PROGRAM_TIMEOUT", "1"))
    };
    let output = kmp();
    assert_eq!(output.status, Some(2), "{output}");
    assert!(output.stderr.contains("was not done after 1 seconds"), "{output}");
    fs::remove_file(fifo).unwrap();
    kmp().expect_success();
    assert_eq!(indexed(&root, SAME), ["weak-updates/updates/foo.ko"]);
}

/// Below another root depmod gets regular files only.
#[test]
fn a_fifo_in_another_roots_depmod_d_is_left_out() {
    let root = with_foo();
    root.mkdir("etc/depmod.d");
    let make = |name: &str| nix::unistd::mkfifo(&root.join(name), nix::sys::stat::Mode::S_IRWXU).unwrap();
    make("etc/depmod.d/local.conf");
    make(&format!("usr/lib/modules/{SAME}/updates.ko"));
    make(&format!("usr/lib/modules/{SAME}/kernel/net/pipe.ko"));
    root.symlink(format!("usr/lib/modules/{SAME}/kernel/net/link.ko"), "pipe.ko");
    root.symlink(format!("usr/lib/modules/{SAME}/kernel/net/device.ko"), "/dev/zero");
    let output = good(&root, &["-v", "sync"]);
    assert!(
        output.stderr.contains("etc/depmod.d/local.conf is left out: it is not a regular file"),
        "{output}"
    );
    assert_eq!(indexed(&root, SAME), ["weak-updates/updates/foo.ko"]);
}

/// With a driver, and the index that kmp has depmod make for [`OLD`].
fn indexed_root() -> (TestRoot, Vec<(String, Vec<u8>)>) {
    let root = with_foo();
    root.write("etc/depmod.d/order.conf", "search updates built-in weak-updates\n");
    root.write("usr/lib/depmod.d/order.conf", "# search built-in\n");
    good(&root, &["sync"]);
    let expected = index(&root, OLD);
    assert!(expected.len() >= 9, "{expected:?}");
    let is_dep = |(name, bytes): &&(String, Vec<u8>)| name == "modules.dep" && !bytes.is_empty();
    assert!(expected.iter().any(|file| is_dep(&file)), "{expected:?}");
    (root, expected)
}

/// This makes the same index once more.
#[track_caller]
fn anew((root, expected): &(TestRoot, Vec<(String, Vec<u8>)>), mut command: Command) {
    fs::remove_file(root.join(format!("usr/lib/modules/{OLD}/modules.dep"))).unwrap();
    let output: Output = run(&mut command);
    assert_eq!(output.status, Some(0), "{output}");
    assert_eq!(&index(root, OLD), expected, "{output}");
}

/// What depmod writes there is what it writes without all this, whoever runs it.
#[test]
fn the_index_of_another_root() {
    let indexed = indexed_root();
    let (root, expected) = &indexed;
    // The kernel's own modules and its KMP: no link leads out, so depmod can be shown all of it.
    root.depmod(OLD, &["-C".to_string(), root.join("etc/depmod.d").display().to_string()]).expect_success();
    assert_eq!(&index(root, OLD), expected);
    let shell = |text: &str| {
        let mut command = root.command("sh");
        command.args(["-c", text, "sh"]).arg(KMP).arg("--root").arg(root.path()).arg("sync");
        command
    };
    // Too few open files for the modules; no /proc; a caller that hears nothing of its children.
    anew(&indexed, shell("ulimit -n 72; exec \"$@\""));
    anew(&indexed, shell("exec env --ignore-signal=CHLD \"$@\""));
    if !testkit::has_the_machines_root() {
        testkit::skip(
            "in a user namespace without root's own user nobody knows without /proc whose directories are safe",
        );
        return;
    }
    let mut hidden = root.command("unshare");
    let hide = "mount -t tmpfs none /proc && exec \"$@\"";
    hidden.args(["-m", "sh", "-c", hide, "sh"]).arg(KMP).arg("--root").arg(root.path()).arg("sync");
    anew(&indexed, hidden);
}

/// The root is his.
#[test]
fn the_index_of_another_root_by_an_ordinary_user() {
    if !testkit::has_other_users() {
        return;
    }
    let indexed = indexed_root();
    let (root, _) = &indexed;
    run(root.command("chown").arg("-R").arg("65534:65534").arg(root.path())).expect_success();
    fs::set_permissions(root.path().parent().unwrap(), PermissionsExt::from_mode(0o755)).unwrap();
    // The build's own directory may not be nobody's to look into.
    let program = root.join("kmp");
    testkit::copy_program(KMP.as_ref(), &program);
    let mut user = root.command("setpriv");
    user.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    user.arg(program).arg("--root").arg(root.path()).arg("sync").env("TMPDIR", root.join("tmp"));
    anew(&indexed, user);
}

/// Thousands of modules are neither copied nor opened at once by kmp.
#[test]
fn thousands_of_modules_with_few_open_files() {
    let root = with_foo();
    for number in 0..1500 {
        let name = format!("many{number}");
        let module = kernel(SAME, 7).driver(&name).build();
        root.write(format!("usr/lib/modules/{SAME}/kernel/many/{name}.ko"), module);
    }
    let mut command = root.command("sh");
    let text = "ulimit -Sn 256; exec \"$@\"";
    command.args(["-c", text, "sh"]).arg(KMP).arg("--root").arg(root.path()).args(["sync", "--no-initrd"]);
    let output = run(&mut command).expect_success();
    assert!(output.stderr.is_empty(), "{output}");
    let dep = root.read(format!("usr/lib/modules/{SAME}/modules.dep"));
    assert_eq!(dep.lines().filter(|line| line.starts_with("kernel/many/many")).count(), 1500);
}
