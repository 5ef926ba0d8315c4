// SPDX-License-Identifier: LGPL-2.1-or-later
//! A KMP comes and goes.

use testkit::PackageBuilder;

use crate::packages::{NEW, OLD, kernel_package, kmp, kmp_lines};
use crate::site::{SHELLS, Shell, Site, WEAK_MODULES, in_spite_of_a_scriptlet};
use crate::support::{kernel, kmp as choosy_kmp, plain_kmp};

const REGENERATE: &str = "regenerate-initrd-posttrans";

/// Two kernels, and nothing said about them.
fn site(shell: Shell) -> Site {
    let site = Site::new(shell);
    site.good(&["-i"], &[OLD, NEW].map(|krel| kernel_package(&kernel(krel, 7)).build()).each_ref());
    site.calls();
    site.depmods(NEW);
    site
}

fn add(nvr: &str) -> String {
    format!("weak-modules2 [--add-kmp] [{nvr}]")
}

fn remove(nvr: &str) -> String {
    format!("weak-modules2 [--remove-kmp] [{nvr}]")
}

fn listed(name: &str) -> String {
    format!("  < /usr/lib/modules/{OLD}/updates/{name}.ko")
}

#[test]
fn from_installation_by_updates_to_removal() {
    for shell in SHELLS {
        let site = site(shell);
        let old = kernel(OLD, 7);
        let (first, second) = (kmp("foo", "1", &old), kmp("foo", "2", &old));
        site.good(&["-i"], &[&first]);
        assert_eq!(site.calls(), [add(first.nvr()), REGENERATE.into()]);
        assert_eq!((site.linked(NEW), site.depmods(NEW)), (vec!["foo.ko".into()], 1));
        site.good(&["-U"], &[&second]);
        let expected = [add(second.nvr()), remove(first.nvr()), listed("foo"), REGENERATE.into()];
        assert_eq!(site.calls(), expected);
        assert_eq!(site.linked(NEW), ["foo.ko"]);
        // bsc#1257055: the old one's postun comes after the new one's post.
        site.depmods(NEW);
        site.good(&["-U", "--reinstall"], &[&second]);
        // rpm -ql tells of both.
        let expected =
            [add(second.nvr()), remove(second.nvr()), listed("foo"), listed("foo"), REGENERATE.into()];
        assert_eq!(site.calls(), expected);
        assert_eq!((site.linked(NEW), site.depmods(NEW)), (vec!["foo.ko".into()], 1));
        site.good(&["-e", second.name()], &[]);
        assert_eq!(site.calls(), [remove(second.nvr()), listed("foo")]);
        assert_eq!((site.linked(NEW), site.depmods(NEW)), (vec![], 1));
        assert_eq!(site.left_in_run(), [""; 0]);
    }
}

#[test]
fn preun_notes_the_modules_and_postun_reads_them() {
    for shell in SHELLS {
        let site = site(shell);
        let old = kernel(OLD, 7);
        let module = old.driver("foo").build();
        let files = ["a.ko", "b.ko.gz", "c.ko.xz", "d.ko.zst", "e.ko.txt", "f.conf", "kof"];
        let files = files.map(|name| (name, module.clone()));
        let package = kmp_lines(PackageBuilder::kmp("many", "default", "1", OLD, files), OLD).build();
        site.rpm(&["-i"], &[&package]).expect_success();
        site.rpm(&["-e", "--nopostun", package.name()], &[]).expect_success();
        let list = format!("run/rpm-{}-modules", package.nvr());
        let path = |name: &str| format!("/usr/lib/modules/{OLD}/updates/{name}\n");
        assert_eq!(site.root.read(&list), ["a.ko", "b.ko.gz", "c.ko.xz", "d.ko.zst"].map(path).concat());
    }
}

/// Without a list nobody knows what went; but what is there is known.
#[test]
fn without_a_list_the_links_are_right_all_the_same() {
    for shell in SHELLS {
        let old = kernel(OLD, 7);
        let package = kmp("foo", "1", &old);
        let noted = site(shell);
        noted.good(&["-i"], &[&package]);
        noted.good(&["-e", "--nopreun", package.name()], &[]);
        assert_eq!(noted.calls().last(), Some(&remove(package.nvr())));
        assert_eq!(noted.linked(NEW), [""; 0]);
        // /run cannot be written to.
        let frozen = site(shell);
        frozen.good(&["-i"], &[&package]);
        let mounts = "mount --bind $R/run $R/run && mount -o remount,ro,bind $R/run";
        let output = frozen.rpm_between(mounts, "true", &["-e", package.name()], &[]).expect_success();
        assert!(output.stderr.contains("cannot be noted"), "{output}");
        assert!(!output.stderr.contains("scriptlet failed"), "{output}");
        // There is no rpm in the root.
        let bare = site(shell);
        bare.good(&["-i"], &[&package]);
        bare.without("usr/bin/rpm");
        let output = bare.rpm(&["-e", package.name()], &[]).expect_success();
        assert!(output.stderr.contains("cannot be noted"), "{output}");
        assert_eq!(bare.linked(NEW), [""; 0]);
        assert_eq!(bare.calls().last(), Some(&remove(package.nvr())));
    }
}

#[test]
fn a_package_without_modules_is_no_kmp() {
    for shell in SHELLS {
        let site = site(shell);
        let package = PackageBuilder::new("empty-kmp-default", "1", "1").file("usr/share/empty", "");
        let package = kmp_lines(package, OLD).build();
        site.rpm(&["-i"], &[&package]).expect_success();
        site.calls();
        let output = site.rpm(&["-e", package.name()], &[]).expect_success();
        assert_eq!(output.stderr, "kmp-postun: empty-kmp-default-1-1 had no kernel modules\n");
        assert_eq!(site.calls(), [""; 0]);
        assert_eq!(site.left_in_run(), [""; 0]);
    }
}

/// Also what a package with `-b` sets.
#[test]
fn the_initrd_is_left_to_posttrans() {
    for shell in SHELLS {
        let site = site(shell);
        let note = "printf '%s\\n' \"$INITRD_IN_POSTTRANS $KMP_NEEDS_MKINITRD\" >> /calls";
        site.stand_in(WEAK_MODULES, note);
        let package = kmp("foo", "1", &kernel(OLD, 7));
        site.rpm_env(&[("KMP_NEEDS_MKINITRD", "1")], &["-i"], &[&package]).expect_success();
        assert_eq!(site.calls(), [add(package.nvr()), "1 1".into(), REGENERATE.into()]);
        // After an erasure there is no posttrans.
        site.good(&["-e", package.name()], &[]);
        assert_eq!(site.calls(), [remove(package.nvr()), " ".into()]);
    }
}

#[test]
fn a_kmp_that_fits_nowhere_is_told_of() {
    for shell in SHELLS {
        let site = site(shell);
        let package = kmp_lines(choosy_kmp("foo", "1", &kernel(OLD, 7), 8), OLD).build();
        let output = site.rpm(&["-i"], &[&package]).expect_success();
        assert!(
            output.stdout.contains(&format!("{} is incompatible with kernel {NEW}", package.nvr())),
            "{output}"
        );
        assert_eq!(site.linked(NEW), [""; 0]);
    }
}

#[test]
fn what_weak_modules2_ends_with_is_told() {
    for shell in SHELLS {
        let site = site(shell);
        site.stand_in(WEAK_MODULES, "exit 4");
        let package = kmp("foo", "1", &kernel(OLD, 7));
        let failed = |phase: &str| {
            format!("warning: %{phase}({}.x86_64) scriptlet failed, exit status 4\n", package.nvr())
        };
        let output = in_spite_of_a_scriptlet(site.rpm(&["-i"], &[&package]));
        assert_eq!(output.stderr, failed("post"));
        let output = in_spite_of_a_scriptlet(site.rpm(&["-e", package.name()], &[]));
        assert_eq!(output.stderr, failed("postun"));
        assert!(!site.root.installed().contains(&package.nevra().to_string()));
    }
}

/// File names are data. The one that is not UTF-8 goes through as it is.
#[test]
fn hostile_file_names_are_only_names() {
    use std::os::unix::ffi::OsStrExt;
    for shell in SHELLS {
        let site = site(shell);
        let module = kernel(OLD, 7).driver("foo").build();
        let names = [
            "a b.ko",
            "$(printf x > /pwned).ko",
            "`printf x > /pwned`.ko",
            "-n.ko",
            "*.ko",
            "it's.ko",
            "%s%n.ko",
        ];
        let mut package =
            PackageBuilder::kmp("odd", "default", "1", OLD, names.map(|name| (name, module.clone())));
        let bytes = [b"usr/lib/modules/", OLD.as_bytes(), b"/updates/\xff\\c.ko"].concat();
        package = package.file(std::ffi::OsStr::from_bytes(&bytes), module.clone());
        let package = kmp_lines(package, OLD).build();
        // depmod takes no such name, and the scriptlet fails; with rpm 6.1 rpm does, too.
        let output = site.rpm(&["-i"], &[&package]);
        assert!(output.success() || output.stderr.contains("%post"), "{output}");
        site.calls();
        site.rpm(&["-e", "--nopostun", package.name()], &[]).expect_success();
        let list = std::fs::read(site.root.join(format!("run/rpm-{}-modules", package.nvr()))).unwrap();
        let mut lines: Vec<&[u8]> = list.split(|b| *b == b'\n').filter(|line| !line.is_empty()).collect();
        let mut expected: Vec<Vec<u8>> =
            names.iter().map(|name| format!("/usr/lib/modules/{OLD}/updates/{name}").into_bytes()).collect();
        expected.push([b"/", &*bytes].concat());
        lines.sort_unstable();
        expected.sort_unstable();
        assert_eq!(lines, expected);
        assert!(!site.root.exists("pwned"));
    }
}

/// In `rpm -U` of a kernel with its KMP, in either order, each step is taken once.
#[test]
fn a_kernel_and_its_kmp_come_together() {
    for shell in SHELLS {
        let site = site(shell);
        let newest = "6.4.0-5-default";
        let kernels = [kernel(OLD, 7), kernel(newest, 9)];
        let first = kmp_lines(plain_kmp("foo", "1", &kernels[0]), OLD).build();
        site.good(&["-i"], &[&first]);
        site.calls();
        let packages = [kernel_package(&kernels[1]).build(), kmp("foo", "2", &kernels[1])];
        site.good(&["-i"], &[&packages[1], &packages[0]]);
        let calls = site.calls();
        for call in [add(packages[1].nvr()), format!("weak-modules2 [--add-kernel] [{newest}]")] {
            assert_eq!(calls.iter().filter(|c| **c == call).count(), 1, "{calls:?}");
        }
        assert!(site.root.weak_updates(newest).is_empty());
        assert_eq!(site.root.weak_updates(NEW).len(), 1);
    }
}
