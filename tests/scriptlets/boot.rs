// SPDX-License-Identifier: LGPL-2.1-or-later
//! The boot entry, through the programs that the system has for it.

use testkit::{KernelBuilder, Output, Package};

use crate::packages::{NEW, OLD, kernel_files, kernel_lines, kernel_package};
use crate::site::{SHELLS, Shell, Site, WEAK_MODULES, boot_with, entry, in_spite_of_a_scriptlet};
use crate::support::kernel;

fn package(krel: &str) -> Package {
    kernel_package(&kernel(krel, 7)).build()
}

/// The calls of boot loaders' programs, but for questions, and initrds.
fn boot_calls(site: &Site) -> Vec<String> {
    let mut calls = site.calls();
    calls.retain(|call| call.starts_with("bootloader_entry") || call.starts_with("sdbootutil"));
    let others = ["[is-installed]", "[show-entry]", "[--no-reuse-initrd]"];
    calls.retain(|call| !others.iter().any(|other| call.contains(other)));
    calls
}

fn said(output: &Output) -> Vec<&str> {
    output.stderr.lines().collect()
}

fn each(test: impl Fn(Site)) {
    SHELLS.into_iter().for_each(|shell: Shell| test(Site::new(shell)));
}

#[test]
fn with_the_boot_loader_specification_sdbootutil_does_it() {
    each(|site| {
        site.with_sdbootutil("");
        let package = package(OLD);
        site.good(&["-i"], &[&package]);
        let add = format!("sdbootutil [--image=vmlinuz] [add-kernel] [{OLD}]");
        assert_eq!(boot_calls(&site), [&*add, "sdbootutil [set-default-snapshot]"]);
        // No names in /boot.
        assert_eq!(site.boot(), [""; 0]);
        site.good(&["-e", package.name()], &[]);
        let remove = format!("sdbootutil [--image=vmlinuz] [remove-kernel] [{OLD}]");
        assert_eq!(boot_calls(&site), [remove]);
        assert_eq!(site.boot(), [""; 0]);
    });
}

#[test]
fn in_a_transactional_update_the_entry_is_left_to_the_snapshot() {
    each(|site| {
        site.with_sdbootutil("");
        let package = package(OLD);
        let update = [("TRANSACTIONAL_UPDATE", "true")];
        site.rpm_env(&update, &["-i"], &[&package]).expect_success();
        site.rpm_env(&update, &["-e", package.name()], &[]).expect_success();
        assert_eq!(boot_calls(&site), [""; 0]);
    });
}

#[test]
fn sdbootutil_that_is_not_in_use_is_left_alone() {
    each(|site| {
        site.with_sdbootutil("exit 1");
        site.good(&["-i"], &[&package(OLD)]);
        assert_eq!(boot_calls(&site), [entry("add", OLD)]);
        assert_eq!(site.boot(), boot_with(&[OLD]));
    });
}

/// bsc#1234275: an image that is being built gets its initrd and its boot loader later; the links may dangle.
#[test]
fn in_an_image_that_is_built_there_are_links_only() {
    for mark in [".buildenv", "image/config.xml"] {
        each(|site| {
            site.root.write(mark, "");
            if mark != ".buildenv" {
                std::fs::remove_file(site.root.join("etc/fstab")).unwrap();
            }
            site.stand_in(WEAK_MODULES, "");
            let output = site.rpm(&["-i"], &[&package(OLD)]).expect_success();
            assert_eq!(boot_calls(&site), [""; 0]);
            let mut expected = boot_with(&[OLD]);
            expected.retain(|name| *name != format!("initrd-{OLD}"));
            assert_eq!(site.boot(), expected);
            let advice = ["rpm-post: set up your boot loader for this kernel"];
            assert_eq!(said(&output), if mark == ".buildenv" { &[][..] } else { &advice });
        });
    }
}

/// boo#1207703: links that work are not changed to ones that do not.
#[test]
fn without_an_initrd_the_links_stay() {
    each(|site| {
        site.good(&["-i"], &[&package(OLD)]);
        boot_calls(&site);
        site.stand_in(WEAK_MODULES, "exit 3");
        let output = in_spite_of_a_scriptlet(site.rpm(&["-i"], &[&package(NEW)]));
        assert_eq!(
            said(&output),
            [
                format!(
                    "rpm-post: missing: /boot/initrd-{NEW}. /boot/vmlinuz and /boot/initrd stay what they are"
                ),
                "warning: %post(kernel-default-6.4.0-3.x86_64) scriptlet failed, exit status 3".into(),
            ]
        );
        assert_eq!(boot_calls(&site), [""; 0]);
        let boot = site.boot();
        for link in ["vmlinuz", "initrd"] {
            assert!(boot.contains(&format!("{link} -> {link}-{OLD}")), "{boot:?}");
        }
    });
}

#[test]
fn without_the_boot_loaders_program_there_is_advice() {
    each(|site| {
        site.without("usr/lib/bootloader/bootloader_entry");
        let output = site.rpm(&["-i"], &[&package(OLD)]).expect_success();
        assert_eq!(said(&output), ["rpm-post: set up your boot loader for this kernel"]);
        assert_eq!(site.boot(), boot_with(&[OLD]));
    });
}

#[test]
fn a_real_time_kernel_becomes_the_default() {
    each(|site| {
        let krel = "6.4.0-1-rt";
        let package = kernel_package(&KernelBuilder::new(krel)).build();
        site.good(&["-i"], &[&package]);
        let expected =
            format!("bootloader_entry [add] [rt] [{krel}] [vmlinuz-{krel}] [initrd-{krel}] [force-default]");
        assert_eq!(boot_calls(&site), [expected]);
    });
}

/// The newest by rpm's reckoning: 21 comes after 9.
#[test]
fn after_a_removal_the_newest_kernel_has_the_links() {
    each(|site| {
        let releases = ["6.4.0-21-default", "6.4.0-3-default", "6.4.0-9-default"];
        let packages = releases.map(package);
        packages.iter().for_each(|package| site.good(&["-i", "--oldpackage"], &[package]));
        site.good(&["-e", packages[2].nvr()], &[]);
        assert_eq!(site.boot(), boot_with(&["6.4.0-3-default", "6.4.0-21-default"]));
        // One without the links takes none.
        site.good(&["-e", packages[1].nvr()], &[]);
        assert_eq!(site.boot(), boot_with(&["6.4.0-21-default"]));
    });
}

/// A 64 KiB system cannot use a 4 KiB kernel: this is the one scriptlet that refuses a package.
#[test]
fn a_kernel_with_smaller_pages_is_refused() {
    let refused = |site: &Site, env: &[(&str, &str)], krel: &str, pages: &str| {
        site.stand_in("usr/bin/uname", "printf 'aarch64\\n'");
        site.stand_in("usr/bin/zgrep", pages);
        let package = kernel_lines(kernel_files(&KernelBuilder::new(krel)), krel, "").build();
        let output = site.rpm_env(env, &["-i"], &[&package]);
        let refused = output.stderr.contains("has pages of 4 KiB");
        assert_eq!(output.success(), !refused, "{output}");
        assert_eq!(site.root.installed().is_empty(), refused);
        refused
    };
    for shell in SHELLS {
        assert!(refused(&Site::new(shell), &[], OLD, ""));
    }
    let site = || Site::new(SHELLS[0]);
    assert!(!refused(&site(), &[], OLD, "exit 1"));
    assert!(!refused(&site(), &[("FORCE_4K", "1")], OLD, ""));
    assert!(!refused(&site(), &[("YAST_IS_RUNNING", "instsys")], OLD, ""));
    assert!(!refused(&site(), &[], "6.4.0-1-64kb", ""));
}
