// SPDX-License-Identifier: LGPL-2.1-or-later
//! weak-modules and initramfs: for which kernels dracut runs, where, and what the exit status is about.

use std::process::Command;

use testkit::{TestRoot, makes_empty_initrds, run};

use crate::support::*;

const FOO: &str = "/lib/modules/5.14.0-70.el9.x86_64/extra/foo/foo.ko\n";

/// A root whose kernels have an image and, but for the last, an initramfs with nothing in it; its dracut takes notes.
fn bootable() -> TestRoot {
    let root = red_hat();
    root.add_program("/bin/sh", "/bin/sh");
    root.write("etc/fstab", "");
    executable(&root, "usr/bin/dracut", &noting(""));
    let old = kernel(EL_OLD, 7);
    for krel in [EL_OLD, EL_SAME, LATER] {
        write(&kernel(krel, 7).file("vmlinuz", "image"), &root);
    }
    for krel in [EL_OLD, EL_SAME] {
        pack(&root, krel, None);
    }
    root.install(&[&kmod_one("foo", "1", &old, 7)]);
    root
}

const LATER: &str = "5.14.0-170.el9.x86_64";

/// A dracut that takes notes, and makes an initramfs with nothing in it.
fn noting(name: &str) -> String {
    format!("#!/bin/sh\necho {name}\"$@\" >> /dracut.log\n{}", makes_empty_initrds())
}

fn executable(root: &TestRoot, path: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    root.write(path, text);
    std::fs::set_permissions(root.join(path), std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// An initramfs of a kernel, with one module of it.
fn pack(root: &TestRoot, krel: &str, module: Option<(&str, &[u8])>) {
    let dir = root.home().join("initramfs");
    let modules = dir.join("usr/lib/modules").join(krel);
    std::fs::create_dir_all(&modules).unwrap();
    if let Some((path, bytes)) = module {
        let path = modules.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let image = root.join(format!("boot/initramfs-{krel}.img"));
    let script = "cd \"$0\" && find . | cpio --quiet -o -H newc > \"$1\"";
    run(root.command("sh").args(["-c", script]).arg(&dir).arg(image)).expect_success();
    std::fs::remove_dir_all(dir).unwrap();
}

fn wm_with_initramfs(root: &TestRoot, args: &[&str], list: &str) -> testkit::Output {
    run(&mut wm_with_initramfs_command(root, args, list))
}

fn wm_with_initramfs_command(root: &TestRoot, args: &[&str], list: &str) -> Command {
    let mut command = wm_below(root);
    command.arg("--run-in-root").args(args).stdin(piped(list));
    command
}

/// `weak-modules --basedir ROOT`, as image builds call it.
fn wm_below(root: &TestRoot) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = root.command(KMP);
    command.arg0("weak-modules").arg("--basedir").arg(root.path());
    command
}

/// The kernels that dracut ran for since it was asked last, sorted.
fn dracuts(root: &TestRoot) -> Vec<String> {
    let mut runs = root.take_lines("dracut.log");
    runs.sort();
    runs
}

fn made(krel: &str) -> String {
    format!("-f /boot/initramfs-{krel}.img {krel}")
}

/// As the original: where modules changed, and where there is an initramfs; dracut decides what gets in.
#[test]
fn initramfs_of_kernels_whose_modules_changed() {
    let root = bootable();
    wm_with_initramfs(&root, &["--add-modules", "--no-initramfs"], FOO).expect_success();
    assert!(dracuts(&root).is_empty());
    root.rpm(["-e", "--noscripts", "kmod-foo"]).expect_success();
    wm_with_initramfs(&root, &["--remove-modules", "--no-initramfs"], FOO).expect_success();
    root.install(&[&kmod_one("foo", "1", &kernel(EL_OLD, 7), 7)]);
    let dry = wm_with_initramfs(&root, &["--add-modules", "--verbose", "--dry-run"], FOO).expect_success();
    assert!(dry.stdout.contains(&format!("Kernel {EL_SAME}: a new initrd is needed")), "{dry}");
    assert!(dracuts(&root).is_empty());
    // The kernel that the module was built for got it, the other the link; the third has no initramfs.
    wm_with_initramfs(&root, &["--add-modules"], FOO).expect_success();
    assert_eq!(dracuts(&root), [made(EL_SAME), made(EL_OLD)]);
    // Nothing changes: those that have the very module in them need no new one.
    let module = std::fs::read(root.join(FOO.trim())).unwrap();
    pack(&root, EL_OLD, Some(("extra/foo/foo.ko", &module)));
    wm_with_initramfs(&root, &["--add-modules"], FOO).expect_success();
    assert!(dracuts(&root).is_empty());
}

#[test]
fn another_dracut_and_another_check() {
    let root = bootable();
    executable(&root, "opt/dracut", &noting("other "));
    wm_with_initramfs(&root, &["--add-modules", "--dracut", "/opt/dracut"], FOO).expect_success();
    assert_eq!(dracuts(&root), [made(EL_SAME), made(EL_OLD)].map(|line| format!("other {line}")));
    let root = bootable();
    let log = root.join("dracut.log");
    executable(&root, "opt/check", &format!("#!/bin/sh\necho check \"$@\" >> '{}'\n", log.display()));
    let check = root.join("opt/check").display().to_string();
    let args = ["--add-modules", "--dracut", "/nowhere", "--check-initramfs-prog", &check];
    wm_with_initramfs(&root, &args, FOO).expect_success();
    assert_eq!(dracuts(&root), [EL_SAME, LATER, EL_OLD].map(|krel| format!("check {krel}")));
    executable(&root, "opt/check", "#!/bin/sh\necho no >&2\nexit 3\n");
    let output = wm_with_initramfs(&root, &args, FOO);
    assert_eq!(output.status, Some(1), "{output}");
    assert!(output.stderr.contains("is not checked"), "{output}");
}

/// What another check has failed for, or a killed run has not come to, is for the next run.
#[test]
fn another_check_is_asked_again() {
    let root = bootable();
    let log = root.join("dracut.log");
    let check = root.join("opt/check").display().to_string();
    let args = ["--add-modules", "--check-initramfs-prog", &check];
    executable(&root, "opt/check", "#!/bin/sh\nexit 3\n");
    assert_eq!(wm_with_initramfs(&root, &args, FOO).status, Some(1));
    executable(&root, "opt/check", &format!("#!/bin/sh\necho check \"$@\" >> '{}'\n", log.display()));
    wm_with_initramfs(&root, &args, "").expect_success();
    assert_eq!(dracuts(&root), [EL_SAME, LATER, EL_OLD].map(|krel| format!("check {krel}")));
    wm_with_initramfs(&root, &args, "").expect_success();
    assert!(dracuts(&root).is_empty());
}

/// Below another root an initramfs is made by that root's dracut, as by the original; where others can change what would be
/// run, only if that was said. Otherwise it is requested, and the links are made.
#[test]
fn nothing_that_others_can_change_is_run_without_leave() {
    use std::os::unix::fs::{PermissionsExt, chown};
    if !testkit::has_other_users() {
        return;
    }
    let guarded = bootable();
    run(wm_below(&guarded).arg("--add-modules").stdin(piped(FOO))).expect_success();
    assert_eq!(dracuts(&guarded), [made(EL_SAME), made(EL_OLD)]);

    let writable = |root: &TestRoot| {
        std::fs::set_permissions(root.join("usr/bin"), std::fs::Permissions::from_mode(0o777)).unwrap();
    };
    let of_others = |root: &TestRoot| chown(root.join("usr"), Some(65534), None).unwrap();
    let cases: [&dyn Fn(&TestRoot); 2] = [&writable, &of_others];
    for spoil in cases {
        let root = bootable();
        spoil(&root);
        requested_only(&root);
    }
}

fn requested_only(root: &TestRoot) {
    let output = run(wm_below(root).arg("--add-modules").stdin(piped(FOO))).expect_success();
    assert!(output.stderr.contains("only with --run-in-root") && dracuts(root).is_empty(), "{output}");
    assert_eq!(links(root, EL_SAME), el_linked(&[("foo/foo", EL_OLD)]));
    for krel in [EL_OLD, EL_SAME] {
        assert!(root.exists(format!("run/regenerate-initrd/{krel}")), "{krel}: {output}");
    }
}

/// As the original, which looks for neither: ostree's hosts and images have no fstab, and their initramfs is the kernel's file.
#[test]
fn an_image_needs_no_fstab() {
    let nothing_else = |_: &TestRoot| {};
    let a_build_root = |root: &TestRoot| root.write(".buildenv", "");
    let beside_the_kernel = |root: &TestRoot| {
        for krel in [EL_OLD, EL_SAME] {
            let boot = root.join(format!("boot/initramfs-{krel}.img"));
            std::fs::rename(boot, root.join(format!("usr/lib/modules/{krel}/initramfs.img"))).unwrap();
        }
    };
    let images: [&dyn Fn(&TestRoot); 3] = [&nothing_else, &a_build_root, &beside_the_kernel];
    for make_it_so in images {
        let root = bootable();
        std::fs::remove_file(root.join("etc/fstab")).unwrap();
        make_it_so(&root);
        wm_with_initramfs(&root, &["--add-modules"], FOO).expect_success();
        let runs = dracuts(&root);
        assert_eq!(runs.len(), 2, "{runs:?}");
        for (line, krel) in runs.iter().zip([EL_SAME, EL_OLD]) {
            let image = line.rsplit(' ').nth(1).unwrap();
            assert!(root.exists(image.trim_start_matches('/')) && line.ends_with(krel), "{line}");
        }
        // A request serves as well as the command.
        let marker = format!("run/regenerate-initrd/{EL_SAME}");
        root.write(&marker, "");
        good(&root, &["--run-in-root", "initrd", "--kernel", EL_SAME]);
        assert_eq!(dracuts(&root).len(), 1);
        assert!(!root.exists(&marker));
    }
}

/// Breaks something of a kernel; a depmod to be used, where it is that.
type Fault<'f> = &'f dyn Fn(&TestRoot, &str) -> Option<DepmodLog>;

/// A kernel's package stops where its call of weak-modules fails: before its initramfs and boot entry, or before it is erased.
/// So that is about this kernel, whatever goes wrong with another.
#[test]
fn the_status_of_a_kernel_is_its_own() {
    let dracut_fails = |root: &TestRoot, krel: &str| {
        let text = format!("#!/bin/sh\ncase \"$*\" in *{krel}*) echo full >&2; exit 1;; esac\n");
        executable(root, "usr/bin/dracut", &text);
        None
    };
    let depmod_fails = |root: &TestRoot, krel: &str| Some(DepmodLog::failing_for(root, krel));
    let no_directory = |root: &TestRoot, krel: &str| {
        root.write(format!("usr/lib/modules/{krel}/weak-updates"), "");
        None
    };
    let faults: [Fault<'_>; 3] = [&dracut_fails, &depmod_fails, &no_directory];
    for (n, fault) in faults.into_iter().enumerate() {
        // (what is called, for which kernel, and whose trouble it is)
        for (option, krel, faulty, status) in [
            ("--add-kernel", LATER, EL_SAME, 0),
            ("--add-kernel", EL_SAME, EL_SAME, 1),
            ("--remove-kernel", LATER, EL_SAME, 0),
        ] {
            let root = bootable();
            let depmod = fault(&root, faulty);
            let mut command = wm_with_initramfs_command(&root, &[option, krel], "");
            if let Some(depmod) = &depmod {
                command.env("DEPMOD", depmod.program());
            }
            let output = run(&mut command);
            assert_eq!(output.status, Some(status), "fault {n}, {option} {krel}: {output}");
            assert!(output.stderr.contains(faulty), "fault {n}, {option} {krel}: {output}");
            if (option, krel) == ("--add-kernel", LATER) {
                assert_eq!(links(&root, LATER), el_linked(&[("foo/foo", EL_OLD)]), "{output}");
            }
        }
    }
    // Another check is asked for every kernel.
    for (krel, status) in [(LATER, 0), (EL_SAME, 1)] {
        let root = bootable();
        executable(&root, "opt/check", &format!("#!/bin/sh\n[ $1 != {EL_SAME} ]\n"));
        let check = root.join("opt/check").display().to_string();
        let output = wm_with_initramfs(&root, &["--check-initramfs-prog", &check, "--add-kernel", krel], "");
        assert_eq!(output.status, Some(status), "{output}");
    }
    // One that is not there has no links.
    let output = wm_with_initramfs(&bootable(), &["--add-kernel", "5.14.0-1.el9.x86_64"], "");
    assert_eq!(output.status, Some(1), "{output}");
}
