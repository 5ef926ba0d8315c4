// SPDX-License-Identifier: LGPL-2.1-or-later
//! Disks and programs that are not as they should be: told of, and the transaction goes on.

use testkit::Package;

use crate::packages::{NEW, OLD, kernel_package, kmp};
use crate::site::{REGENERATE, SHELLS, Site, WEAK_MODULES, boot_with, in_spite_of_a_scriptlet};
use crate::support::kernel;

fn package(krel: &str) -> Package {
    kernel_package(&kernel(krel, 7)).build()
}

const FAILED_POST: &str = "warning: %post(kernel-default-6.4.0-1.x86_64) scriptlet failed, exit status";
const FAILED_POSTTRANS: &str =
    "warning: %posttrans(kernel-default-6.4.0-1.x86_64) scriptlet failed, exit status";

#[test]
fn across_file_systems_boot_has_copies() {
    for shell in SHELLS {
        for coreutils in [false, true] {
            let site = Site::new(shell);
            let site = if coreutils { site.with_coreutils() } else { site };
            let mounts = "mount --rbind /proc $R/proc && mount -t tmpfs tmpfs $R/boot";
            let output = site.rpm_between(mounts, "cp -a $R/boot $R/seen", &["-i"], &[&package(OLD)]);
            assert_eq!(output.expect_success().stderr, "");
            assert_eq!(site.root.read(format!("seen/vmlinuz-{OLD}")), format!("image of {OLD}"));
            assert_eq!(site.root.read(format!("seen/.vmlinuz-{OLD}.hmac")), format!("hmac of {OLD}"));
            for name in ["vmlinuz", "System.map", "config", "sysctl.conf"] {
                let path = site.root.join(format!("seen/{name}-{OLD}"));
                assert!(path.symlink_metadata().unwrap().is_file(), "{name}");
            }
            assert_eq!(site.root.read("seen/vmlinuz"), format!("image of {OLD}"));
            let left = std::fs::read_dir(site.root.join("seen")).unwrap().count();
            assert_eq!(left, boot_with(&[OLD]).len());
        }
    }
}

/// boo#1194501: what is there from before is an older build's.
#[test]
fn an_older_copy_is_replaced() {
    let site = Site::new(SHELLS[0]);
    let mounts = format!(
        "mount --rbind /proc $R/proc && mount -t tmpfs tmpfs $R/boot && echo older > $R/boot/vmlinuz-{OLD}"
    );
    site.rpm_between(&mounts, "cp -a $R/boot $R/seen", &["-i"], &[&package(OLD)]).expect_success();
    assert_eq!(site.root.read(format!("seen/vmlinuz-{OLD}")), format!("image of {OLD}"));
}

/// Where nothing tells of file systems, a copy is right in any case.
#[test]
fn without_proc_boot_has_copies() {
    let site = Site::new(SHELLS[0]);
    site.without("proc/self/mountinfo").good(&["-i"], &[&package(OLD)]);
    assert!(site.root.join(format!("boot/vmlinuz-{OLD}")).symlink_metadata().unwrap().is_file());
}

#[test]
fn a_read_only_boot_stops_nothing_else() {
    for shell in SHELLS {
        for coreutils in [false, true] {
            let site = Site::new(shell);
            let site = if coreutils { site.with_coreutils() } else { site };
            site.root.write(format!("boot/initrd-{OLD}"), "");
            site.root.write(format!("boot/initrd-{NEW}"), "");
            let old = kernel(OLD, 7);
            let frozen = "mount --bind $R/boot $R/boot && mount -o remount,ro,bind $R/boot";
            let packages = [package(OLD), kmp("foo", "1", &old), package(NEW)];
            let before = site.boot();
            // rpm counts no space of what cannot be written to.
            let install = ["-i", "--ignoresize"];
            let output = site.rpm_between(frozen, "true", &install, &packages.iter().collect::<Vec<_>>());
            assert!(output.stderr.contains(FAILED_POST), "{output}");
            assert_eq!(site.boot(), before);
            assert_eq!(site.linked(NEW), ["foo.ko"]);
            // Once more if rpm, whose order it is, puts the driver after the kernel.
            assert!((1..=2).contains(&site.depmods(NEW)));
            let calls = site.calls();
            assert_eq!(calls.iter().filter(|c| c.starts_with("weak-modules2 [--add-kernel]")).count(), 2);
            assert_eq!(calls.iter().filter(|c| c.starts_with("bootloader_entry [add]")).count(), 2);
            // Away with it again.
            let erased = site.rpm_between(frozen, "true", &["-e", packages[2].nvr()], &[]);
            assert!(erased.success(), "{erased}");
            assert_eq!(site.linked(NEW), [""; 0]);
        }
    }
}

/// bsc#1234308: the status of the programs is the scriptlet's; rpm tells of it.
#[test]
fn what_failed_is_the_exit_status() {
    for shell in SHELLS {
        for (program, status, told) in [
            ("usr/lib/bootloader/bootloader_entry", 7, FAILED_POST),
            (REGENERATE, 5, FAILED_POSTTRANS),
            (WEAK_MODULES, 3, FAILED_POST),
        ] {
            let site = Site::new(shell);
            site.root.write(format!("boot/initrd-{OLD}"), "");
            site.stand_in(program, &format!("exit {status}"));
            let output = in_spite_of_a_scriptlet(site.rpm(&["-i"], &[&package(OLD)]));
            assert_eq!(output.stderr, format!("{told} {status}\n"), "{program}");
            // The other steps were taken.
            let mut calls = site.calls();
            calls.retain(|call| !call.starts_with("dracut"));
            assert_eq!(calls.len(), 3, "{calls:?}");
            assert_eq!(site.boot(), boot_with(&[OLD]));
        }
    }
}

#[test]
fn without_weak_modules2_the_kernel_is_not_made_usable() {
    for shell in SHELLS {
        let site = Site::new(shell);
        site.without(WEAK_MODULES);
        site.without(REGENERATE);
        let old = kernel(OLD, 7);
        let driver = kmp("foo", "1", &old);
        let output = in_spite_of_a_scriptlet(site.rpm(&["-i"], &[&package(OLD), &driver]));
        let advice = "rpm-post: there is no /usr/lib/module-init-tools/weak-modules2; run depmod and make the \
                      initrd yourself\n";
        assert!(output.stderr.starts_with(advice), "{output}");
        assert!(output.stderr.ends_with(&format!("{FAILED_POST} 1\n")), "{output}");
        site.good(&["-e", driver.name()], &[]);
        site.rpm(&["-e", "kernel-default"], &[]).expect_success();
        assert_eq!(site.root.installed(), [""; 0]);
        assert_eq!(site.left_in_run(), [""; 0]);
    }
}

#[test]
fn a_name_that_is_none_ends_with_255() {
    for shell in SHELLS {
        let site = Site::new(shell);
        for name in ["rpm-verify", "post", "kmp-", "foo-post", "cert-trans"] {
            site.root.symlink(format!("usr/lib/module-init-tools/kernel-scriptlets/{name}"), "scriptlet");
            let output = site.scriptlet(&[], name, &["--name", "foo", "1"]);
            assert_eq!(
                (output.status, &*output.stderr),
                (Some(255), &*format!("{name}: there is no such scriptlet\n"))
            );
        }
    }
}

#[test]
fn options_may_be_missing_or_without_a_value() {
    for shell in SHELLS {
        let site = Site::new(shell);
        for args in [&[][..], &["--name"], &["--kernelrelease", "6.4.0-1", "--flavor"], &["--certs", "", "x"]]
        {
            for name in ["rpm-pre", "rpm-preun", "kmp-pre", "cert-post"] {
                assert_eq!(site.scriptlet(&[], name, args).status, Some(0), "{name} {args:?}");
            }
        }
    }
}

#[test]
fn debug_and_trace_tell_what_is_done() {
    for shell in SHELLS {
        let site = Site::new(shell);
        site.root.write(format!("usr/lib/modules/{OLD}/System.map"), "");
        let args = ["--kernelrelease", "6.4.0-1", "--flavor", "default", "--image", "vmlinuz", "1"];
        let quiet = site.scriptlet(&[], "rpm-post", &args);
        let debug = site.scriptlet(&[("KERNEL_PACKAGE_SCRIPT_DEBUG", "1")], "rpm-post", &args);
        let trace = site.scriptlet(&[("KERNEL_PACKAGE_SCRIPT_TRACE", "1")], "rpm-post", &args);
        assert!(!quiet.stderr.contains("weak-modules2 --add-kernel"), "{quiet}");
        assert!(debug.stderr.contains(&format!("rpm-post: weak-modules2 --add-kernel {OLD}\n")), "{debug}");
        assert!(debug.stderr.contains("kernel 6.4.0-1, flavour default"), "{debug}");
        assert!(
            trace.stderr.lines().any(|line| line.starts_with("+ ") && line.contains("--add-kernel")),
            "{trace}"
        );
    }
}
