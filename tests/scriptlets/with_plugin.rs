// SPDX-License-Identifier: LGPL-2.1-or-later
//! The scriptlets inside of transactions that rpm's plugin looks after: what they ask for is noted, and done once.

use testkit::PackageBuilder;

use crate::packages::{NEW, OLD, kernel_package, kmp};
use crate::site::{SHELLS, Shell, Site, boot_with, dracut, entry};
use crate::support::{kernel, turn_on};

fn site(shell: Shell) -> Site {
    let site = Site::new(shell);
    turn_on(&site.root);
    site
}

fn add(krel: &str) -> String {
    format!("weak-modules2 [--add-kernel] [{krel}]")
}

#[test]
fn a_kernel_and_its_kmps_come_are_updated_and_go() {
    for shell in SHELLS {
        let site = site(shell);
        let (old, new) = (kernel(OLD, 7), kernel(NEW, 7));
        let kernels = PackageBuilder::build_all(&[OLD, NEW].map(|krel| kernel_package(&kernel(krel, 7))));
        let drivers = ["foo", "bar"].map(|base| kmp(base, "1", &old));
        site.rpm(&["-i"], &[&kernels[0], &drivers[0], &drivers[1]]).expect_success();
        let calls = site.calls();
        // Each request once; the initrd before the boot entry, both in posttrans.
        assert_eq!(calls.iter().filter(|call| call.starts_with("weak-modules2")).count(), 3, "{calls:?}");
        let at = |what: &str| {
            calls.iter().position(|call| call == what).unwrap_or_else(|| panic!("{what}: {calls:?}"))
        };
        assert!(at(&add(OLD)) < at(&dracut(OLD)) && at(&dracut(OLD)) < at(&entry("add", OLD)), "{calls:?}");
        assert_eq!(calls.iter().filter(|call| call.starts_with("dracut")).count(), 1, "{calls:?}");
        assert_eq!(site.depmods(OLD), 1);
        assert_eq!(site.boot(), boot_with(&[OLD]));
        assert_eq!(site.left_in_run(), [""; 0]);
        // A kernel beside it.
        site.rpm(&["-i"], &[&kernels[1]]).expect_success();
        assert_eq!(
            site.calls(),
            [add(NEW), "regenerate-initrd-posttrans".into(), dracut(NEW), entry("add", NEW)]
        );
        assert_eq!((site.linked(NEW), site.depmods(NEW)), (vec!["bar.ko".into(), "foo.ko".into()], 1));
        // bsc#1257055
        site.rpm(&["-U", "--reinstall"], &[&drivers[0]]).expect_success();
        assert_eq!((site.linked(NEW), site.depmods(NEW)), (vec!["bar.ko".into(), "foo.ko".into()], 1));
        let second = kmp("foo", "2", &new);
        site.calls();
        site.rpm(&["-U"], &[&second]).expect_success();
        assert_eq!(site.linked(NEW), ["bar.ko"]);
        assert_eq!((site.depmods(NEW), site.root.weak_updates(OLD).len()), (1, 1));
        // The old kernel goes with what was built for it.
        site.calls();
        site.rpm(&["-e", kernels[0].nvr(), drivers[1].nvr()], &[]).expect_success();
        let calls = site.calls();
        for call in [format!("weak-modules2 [--remove-kernel] [{OLD}]"), entry("remove", OLD)] {
            assert_eq!(calls.iter().filter(|c| **c == call).count(), 1, "{calls:?}");
        }
        assert_eq!((site.linked(NEW), site.depmods(NEW)), (vec![], 1));
        assert_eq!(site.root.weak_updates(OLD).len(), 0);
        assert_eq!(site.left_in_run(), [""; 0]);
    }
}

/// libzypp's classic mode has the posttrans run later, where nothing tells of the plugin any more.
#[test]
fn a_boot_entry_that_was_put_off_is_made_in_another_environment() {
    for shell in SHELLS {
        let site = site(shell);
        let package = kernel_package(&kernel(OLD, 7)).build();
        site.rpm(&["-i", "--noposttrans"], &[&package]).expect_success();
        assert_eq!(site.calls(), [add(OLD)]);
        assert_eq!(site.left_in_run(), ["regenerate-initrd".to_string(), format!("rpm-{OLD}-boot-entry")]);
        assert_eq!(site.depmods(OLD), 1);
        let args = ["--kernelrelease", "6.4.0-1", "--flavor", "default", "--image", "vmlinuz", "1"];
        let output = site.scriptlet(&[], "rpm-posttrans", &args);
        assert_eq!((output.status, &*output.stderr), (Some(0), ""));
        assert_eq!(site.calls(), ["regenerate-initrd-posttrans".into(), dracut(OLD), entry("add", OLD)]);
        assert_eq!(site.boot(), boot_with(&[OLD]));
        assert_eq!(site.left_in_run(), [""; 0]);
        // Once only.
        site.scriptlet(&[], "rpm-posttrans", &args).expect_success();
        assert_eq!(site.calls(), ["regenerate-initrd-posttrans"]);
    }
}
