// SPDX-License-Identifier: LGPL-2.1-or-later
//! A kernel comes and goes.

use crate::packages::{NEW, OLD, kernel_files, kernel_lines, kernel_package, kmp};
use crate::site::{SHELLS, Site, boot_with, dracut, entry};
use crate::support::kernel;

const REGENERATE: &str = "regenerate-initrd-posttrans";

fn add(krel: &str) -> String {
    format!("weak-modules2 [--add-kernel] [{krel}]")
}

fn remove(krel: &str) -> String {
    format!("weak-modules2 [--remove-kernel] [{krel}]")
}

#[test]
fn from_the_first_installation_to_removal() {
    for shell in SHELLS {
        for coreutils in [false, true] {
            let site = Site::new(shell);
            let site = if coreutils { site.with_coreutils() } else { site };
            let (old, new) = (kernel(OLD, 7), kernel(NEW, 7));
            // First: no flag for purge-kernels.
            let first = kernel_package(&old).build();
            site.good(&["-i"], &[&first]);
            assert_eq!(
                site.calls(),
                [add(OLD), dracut(OLD), entry("add", OLD), REGENERATE.into()],
                "{shell:?}"
            );
            assert_eq!(site.boot(), boot_with(&[OLD]));
            assert_eq!(site.depmods(OLD), 1);
            site.good(&["-i"], &[&kmp("foo", "1", &old)]);
            site.calls();
            site.depmods(OLD);
            // A second beside it.
            let second = kernel_package(&new).build();
            site.good(&["-i"], &[&second]);
            assert_eq!(site.calls(), [add(NEW), dracut(NEW), entry("add", NEW), REGENERATE.into()]);
            let mut both = boot_with(&[OLD, NEW]);
            both.push("do_purge_kernels".into());
            both.sort();
            assert_eq!(site.boot(), both);
            assert_eq!(site.linked(NEW), ["foo.ko"]);
            assert_eq!((site.depmods(NEW), site.depmods(OLD)), (1, 0));
            // It goes, and the links lead to the first again.
            site.good(&["-e", second.nvr()], &[]);
            assert_eq!(site.calls(), [remove(NEW), entry("remove", NEW)]);
            assert_eq!(site.boot(), boot_with(&[OLD]));
            assert!(!site.root.exists(format!("usr/lib/modules/{NEW}")));
            assert_eq!(site.left_in_run(), [""; 0]);
            // The last.
            let output = site.rpm(&["-e", first.nvr()], &[]).expect_success();
            assert_eq!(output.stderr, "rpm-postun: no kernel with an initrd is left in /boot\n");
            assert_eq!(site.calls(), [remove(OLD), entry("remove", OLD)]);
            assert_eq!(site.boot(), [""; 0]);
        }
    }
}

#[test]
fn an_update_takes_the_old_away() {
    for shell in SHELLS {
        let site = Site::new(shell);
        let packages = [OLD, NEW].map(|krel| kernel_package(&kernel(krel, 7)).build());
        site.good(&["-i"], &[&packages[0], &kmp("foo", "1", &kernel(OLD, 7))]);
        site.calls();
        site.good(&["-U"], &[&packages[1]]);
        let expected =
            [add(NEW), dracut(NEW), entry("add", NEW), remove(OLD), entry("remove", OLD), REGENERATE.into()];
        assert_eq!(site.calls(), expected);
        assert_eq!(site.boot(), boot_with(&[NEW]));
        assert_eq!(site.linked(NEW), ["foo.ko"]);
    }
}

/// bnc#533766: the old one's postun comes when the files are the new one's.
#[test]
fn a_reinstalled_or_rebuilt_kernel_keeps_everything() {
    for shell in SHELLS {
        let site = Site::new(shell);
        let (old, new) = (kernel(OLD, 7), kernel(NEW, 7));
        let package = kernel_package(&new).build();
        site.good(&["-i"], &[&kernel_package(&old).build(), &package, &kmp("foo", "1", &old)]);
        site.calls();
        site.depmods(NEW);
        let rebuilt = kernel_package(&new.clone().file("rebuilt", "")).build();
        for (options, package) in [(["-U", "--reinstall"], &package), (["-U", "--force"], &rebuilt)] {
            site.good(&options[..], &[package]);
            assert_eq!(site.calls()[..3], [add(NEW), dracut(NEW), entry("add", NEW)]);
            let mut names = boot_with(&[OLD, NEW]);
            if options[1] == "--force" {
                names = boot_with(&[NEW]);
            }
            assert_eq!(site.boot(), names);
            assert_eq!(site.depmods(NEW), 1);
        }
    }
}

#[test]
fn a_kernel_and_its_kmp_go_together() {
    for shell in SHELLS {
        let site = Site::new(shell);
        let (old, new) = (kernel(OLD, 7), kernel(NEW, 7));
        let packages = [kernel_package(&old).build(), kmp("foo", "1", &old), kernel_package(&new).build()];
        site.good(&["-i"], &packages.iter().collect::<Vec<_>>());
        assert_eq!(site.linked(NEW), ["foo.ko"]);
        site.calls();
        site.good(&["-e", packages[0].nvr(), packages[1].nvr()], &[]);
        let mut calls = site.calls();
        calls.sort();
        let gone = format!("weak-modules2 [--remove-kmp] [{}]", packages[1].nvr());
        let list = format!("  < /usr/lib/modules/{OLD}/updates/foo.ko");
        let mut expected = [list, entry("remove", OLD), remove(OLD), gone];
        expected.sort();
        assert_eq!(calls, expected);
        assert_eq!(site.linked(NEW), [""; 0]);
        assert!(!site.root.exists(format!("usr/lib/modules/{OLD}")));
        assert_eq!(site.boot(), boot_with(&[NEW]));
        assert_eq!(site.left_in_run(), [""; 0]);
    }
}

/// The links and the boot entry come when the initrd is there.
#[test]
fn boo_1213822_an_initrd_in_posttrans_comes_before_the_boot_entry() {
    for shell in SHELLS {
        let site = Site::new(shell);
        let package = kernel_package(&kernel(OLD, 7)).build();
        let output = site.rpm_env(&[("INITRD_IN_POSTTRANS", "1")], &["-i"], &[&package]).expect_success();
        assert_eq!(output.stderr, "");
        assert_eq!(site.calls(), [add(OLD), REGENERATE.into(), dracut(OLD), entry("add", OLD)]);
        assert_eq!(site.boot(), boot_with(&[OLD]));
        assert_eq!(site.left_in_run(), [""; 0]);
    }
}

/// As on systems that are not usr-merged: the package itself brings the names in /boot.
#[test]
fn a_kernel_that_brings_its_own_files_in_boot() {
    for shell in SHELLS {
        let site = Site::new(shell);
        let old = kernel(OLD, 7).symvers_place(testkit::SymversPlace::Boot);
        let package = testkit::PackageBuilder::kernel(&old)
            .file(format!("boot/vmlinuz-{OLD}"), "image")
            .directory(format!("usr/lib/modules/{OLD}/kernel"))
            .ghost(format!("boot/initrd-{OLD}"));
        let package = kernel_lines(package, OLD, "").build();
        site.good(&["-i"], &[&package]);
        assert_eq!(site.calls(), [add(OLD), dracut(OLD), entry("add", OLD), REGENERATE.into()]);
        site.good(&["-U", "--reinstall"], &[&package]);
        assert_eq!(site.calls(), [add(OLD), dracut(OLD), entry("add", OLD), REGENERATE.into()]);
        let names = ["vmlinuz", "initrd"].map(|name| format!("{name} -> {name}-{OLD}"));
        assert!(names.iter().all(|name| site.boot().contains(name)), "{:?}", site.boot());
    }
}

#[test]
fn without_scriptlets_nothing_is_called() {
    let site = Site::new(SHELLS[0]);
    let package = kernel_package(&kernel(OLD, 7)).build();
    site.good(&["-i", "--noscripts"], &[&package]);
    site.good(&["-e", "--noscripts", package.name()], &[]);
    assert_eq!(site.calls(), [""; 0]);
}

/// What a package names becomes part of paths; what is no name does nothing, and fails nothing.
#[test]
fn hostile_names_lead_nowhere() {
    for shell in SHELLS {
        for krel in ["../../etc-default", "--help-default", "..-default"] {
            let site = Site::new(shell);
            site.root.write("etc/vmlinuz", "");
            let package = kernel_lines(kernel_files(&kernel(OLD, 7)), krel, "").build();
            let output = site.rpm(&["-i"], &[&package]).expect_success();
            assert!(output.stderr.contains("cannot be part of a name"), "{output}");
            assert!(!output.stderr.contains("scriptlet failed"), "{output}");
            site.rpm(&["-e", package.name()], &[]).expect_success();
            assert_eq!(site.calls(), [""; 0]);
            assert_eq!(site.boot(), [""; 0]);
        }
    }
}
