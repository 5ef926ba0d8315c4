// SPDX-License-Identifier: LGPL-2.1-or-later
//! `%kmp_initrd_post` and `%kmp_initrd_posttrans`: packages ask for new initrds, and each is made once.

use std::path::{Path, PathBuf};

use testkit::{KernelBuilder, TestRoot, makes_empty_initrds, run};

use crate::build::Workshop;
use crate::corpus::KMP;

const ONE: &str = "5.14.0-70.el9.x86_64";
const TWO: &str = "5.14.0-162.el9.x86_64";

/// A package that asks for the initrds of kernels.
fn package(name: &str, kernels: &str) -> PathBuf {
    let workshop = Workshop::new("redhat");
    workshop.further_macros("%_kmp_command /usr/bin/kmp\n");
    let spec = workshop.path("SPECS/test.spec");
    let text = format!(
        "Name: {name}\nVersion: 1\nRelease: 1\nSummary: x\nLicense: MIT\nBuildArch: noarch\n\
         %description\nx\n\
         %post\n%kmp_initrd_post {kernels}\n\
         %postun\n%kmp_initrd_post {kernels}\n\
         %posttrans\n%kmp_initrd_posttrans\n\
         %files\n"
    );
    std::fs::write(&spec, text).unwrap();
    let [file] = &workshop.build(&spec)[..] else { panic!("one package") };
    let kept = tempfile::Builder::new().suffix(".rpm").tempfile().unwrap().into_temp_path().keep().unwrap();
    std::fs::copy(file, &kept).unwrap();
    kept
}

/// Two kernels with initramfs, and a dracut that takes notes.
fn site() -> TestRoot {
    let root = TestRoot::new();
    for (program, path) in
        [("/bin/sh", "/bin/sh"), ("/bin/mkdir", "/usr/bin/mkdir"), ("/bin/touch", "/usr/bin/touch")]
    {
        root.add_program(program, path);
    }
    root.add_program("/bin/rm", "/usr/bin/rm");
    root.write("dev/null", "");
    root.write("etc/os-release", "ID=fedora\n");
    executable(&root, "usr/bin/dracut", &format!("echo dracut \"$@\" >>/log\n{}", makes_empty_initrds()));
    for krel in [ONE, TWO] {
        KernelBuilder::new(krel).file("vmlinuz", "image").write(&root.path());
        root.write(format!("boot/initramfs-{krel}.img"), "");
    }
    root
}

fn executable(root: &TestRoot, path: &str, line: &str) {
    use std::os::unix::fs::PermissionsExt;
    root.write(path, format!("#!/bin/sh\n{line}\n"));
    std::fs::set_permissions(root.join(path), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[track_caller]
fn installed(root: &TestRoot, files: &[PathBuf], expect: &[String]) {
    let args = [Path::new("-U"), Path::new("--nodeps")];
    root.rpm(args.into_iter().chain(files.iter().map(PathBuf::as_path))).expect_success();
    let log = std::fs::read_to_string(root.join("log")).unwrap_or_default();
    assert_eq!(log.lines().collect::<Vec<_>>(), expect);
    let left = std::fs::read_dir(root.join("run/regenerate-initrd")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn each_is_made_once_in_a_transaction() {
    let files = [package("a", ONE), package("b", &format!("{TWO} {ONE}")), package("c", ONE)];
    // By dracut alone.
    let kver = |krel| format!("dracut -f --kver {krel}");
    installed(&site(), &files, &[kver(TWO), kver(ONE)]);
    // By kmp.
    let root = site();
    root.add_program(KMP, "/usr/bin/kmp");
    root.add_librpm();
    let image = |krel| format!("dracut -f /boot/initramfs-{krel}.img {krel}");
    installed(&root, &files, &[image(ONE), image(TWO)]);
    // By SUSE's script.
    let root = site();
    let script = "echo script >>/log; rm /run/regenerate-initrd/*";
    root.mkdir("usr/lib/module-init-tools");
    executable(&root, "usr/lib/module-init-tools/regenerate-initrd-posttrans", script);
    installed(&root, &files, &["script".into()]);
    // All kernels.
    let all = [package("d", "")];
    installed(&site(), &all, &["dracut -f --regenerate-all".into()]);
    let root = site();
    root.add_program(KMP, "/usr/bin/kmp");
    root.add_librpm();
    installed(&root, &all, &[image(ONE), image(TWO)]);
    // One that was erased meanwhile.
    installed(&site(), &[package("e", "5.14.0-1.el9.x86_64")], &[]);
    for file in files.iter().chain(&all) {
        let _ = std::fs::remove_file(file);
    }
}

/// What fails stays requested, and is no failure of the package.
#[test]
fn a_failure_stays_requested() {
    let root = site();
    executable(&root, "usr/bin/dracut", "exit 1");
    let file = package("a", ONE);
    let output = root.rpm([Path::new("-U"), Path::new("--nodeps"), &file]).expect_success();
    assert!(!output.stderr.contains("scriptlet failed"), "{output}");
    assert!(root.exists(format!("run/regenerate-initrd/{ONE}")));
    let scriptlets = run(std::process::Command::new("rpm").args(["-qp", "--scripts"]).arg(&file));
    assert!(scriptlets.expect_success().stdout.contains("/run/regenerate-initrd"));
    let _ = std::fs::remove_file(file);
}
