// SPDX-License-Identifier: LGPL-2.1-or-later
//! rpm chrooted into the test's root, which is the running system to it: "/", with a log, a kernel and loaded modules.

use std::os::unix::net::UnixDatagram;
use std::path::Path;

use testkit::{Output, Package, TestRoot, run_rpm};

use crate::support::{NEW, OLD, kernel, kmp, plugin, site, telling};

/// Puts rpm and the plugin in.
pub fn furnish(root: &TestRoot) {
    root.add_librpm();
    root.add_program("/usr/bin/rpm", "/usr/bin/rpm");
    root.write("usr/lib/rpm-plugins/kmp.so", std::fs::read(plugin()).unwrap());
    let mut macros = std::fs::read_to_string("/usr/lib/rpm/macros").unwrap();
    macros.push_str("\n%_dbpath /var/lib/rpm\n%__plugindir /usr/lib/rpm-plugins\n");
    macros.push_str("%__transaction_kmp %{__plugindir}/kmp.so\n");
    root.write("usr/lib/rpm/macros", macros);
}

/// `chroot ROOT rpm OPTIONS --nodeps FILES`, with the files put in first.
pub fn rpm(root: &TestRoot, variables: &[(&str, &str)], options: &[&str], packages: &[&Package]) -> Output {
    let mut command = root.command("chroot");
    command.env("HOME", "/root").envs(variables.iter().copied());
    command.arg(root.path()).arg("/usr/bin/rpm").args(options).arg("--nodeps");
    for package in packages {
        let path = Path::new("/packages").join(package.path().file_name().unwrap());
        root.write(&path, std::fs::read(package.path()).unwrap());
        command.arg(path);
    }
    run_rpm(&mut command)
}

fn breaking() -> Package {
    telling(&kernel(NEW, 8)).build()
}

#[test]
fn the_system_log_hears_what_is_said_of_lost_drivers() {
    let root = site();
    furnish(&root);
    let socket = UnixDatagram::bind(root.join("dev/log")).unwrap();
    socket.set_nonblocking(true).unwrap();
    let output = rpm(&root, &[], &["-U"], &[&breaking()]);
    assert!(!output.success(), "{output}");
    let said: Vec<&str> = output.stderr.lines().filter_map(|l| l.strip_prefix("error: kmp: ")).collect();
    let parts = [
        "1 lost: foo-kmp-default",
        "foo-kmp-default-1.0",
        "if there is a foo-kmp-default",
        "zypper addlock",
        "KMP_POLICY=warn",
        "kmp plan ",
    ];
    assert_eq!(said.len(), parts.len(), "{output}");
    for (line, part) in said.iter().zip(parts) {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]);
        // Facility daemon (3), severity error (3), the tag.
        let (number, text) = text.strip_prefix("<27>kmp[").unwrap().split_once("]: ").unwrap();
        assert!(number.parse::<u32>().is_ok(), "{number}");
        assert_eq!(text, *line);
        assert!(line.contains(part), "{line}");
    }
    assert!(socket.recv(&mut [0; 16]).is_err(), "more than was said");
    // Where nothing is lost, it hears of links that were made, as a notice.
    let new = kernel(NEW, 8);
    rpm(&root, &[], &["-U"], &[&telling(&new).build(), &kmp("foo", "2.0", &new, 8).build()]).expect_success();
    let mut buffer = [0; 4096];
    while let Ok(length) = socket.recv(&mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..length]);
        assert!(text.starts_with("<29>kmp[") && text.contains(NEW), "{text}");
    }
}

#[test]
fn a_driver_that_is_in_use_is_said_to_be_and_can_be_all_that_is_protected() {
    let root = site();
    furnish(&root);
    root.write("etc/kmp.conf", "protect = loaded\n");
    let package = breaking();
    // Built in: there is a directory, but no state.
    root.mkdir("sys/module/foo");
    let output = rpm(&root, &[], &["-i", "--test"], &[&package]).expect_success();
    assert_eq!(output.stderr, "");
    root.write("proc/modules", "foo 16384 0 - Live 0x0000000000000000\n");
    let output = rpm(&root, &[], &["-i", "--test"], &[&package]);
    assert!(!output.success() && output.stderr.contains("(foo, loaded now)"), "{output}");
}

/// What works with the running kernel only is missed, too.
#[test]
fn the_running_kernel_counts_beside_the_newest() {
    let root = site();
    furnish(&root);
    let warned = rpm(&root, &[("KMP_POLICY", "warn")], &["-i"], &[&breaking()]).expect_success();
    assert!(warned.stderr.contains("warning: kmp: foo-kmp-default"), "{warned}");
    let later = telling(&kernel("6.4.0-4-default", 9)).build();
    // The newest is without it already.
    let output = rpm(&root, &[], &["-i", "--test"], &[&later]).expect_success();
    assert_eq!(output.stderr, "");
    root.write("proc/sys/kernel/osrelease", format!("{OLD}\n"));
    let output = rpm(&root, &[], &["-i", "--test"], &[&later]);
    assert!(!output.success() && output.stderr.contains("6.4.0-4-default"), "{output}");
}
