// SPDX-License-Identifier: LGPL-2.1-or-later
//! The transaction file triggers: KMPs and kernels without any scriptlet, and what the triggers cost.

use testkit::{Package, PackageBuilder};

use crate::packages::{NEW, OLD, kernel_files, kernel_package, kmp};
use crate::site::{REGENERATE, SHELLS, Shell, Site, dracut, in_spite_of_a_scriptlet};
use crate::support::{kernel, kmp as choosy_kmp, plain_kmp, turn_on};

const LOOK: &str = "kmp [sync] [--dry-run] [--quiet]";
const SYNC: &str = "kmp [sync]";

/// What brings the triggers, with the body as it is in the repository.
fn triggers() -> Package {
    let body = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scriptlets/transfiletrigger");
    let body = std::fs::read_to_string(body).unwrap();
    PackageBuilder::new("kmp-scriptlets", "1", "1")
        .file_trigger("transfiletriggerin", &["/usr/lib/modules", "/lib/modules"], &body)
        .file_trigger("transfiletriggerpostun", &["/usr/lib/modules"], &body)
        .file_trigger("transfiletriggerpostun", &["/lib/modules"], &body)
        .build()
}

/// The triggers and two kernels; calls of kmp are noted.
fn site(shell: Shell) -> Site {
    let site = Site::new(shell);
    let kernels = [OLD, NEW].map(|krel| kernel_files(&kernel(krel, 7)).build());
    site.rpm(&["-i"], &[&triggers(), &kernels[0], &kernels[1]]).expect_success();
    site.note_kmp();
    site.calls();
    site.depmods(OLD);
    site
}

#[test]
fn a_kmp_without_scriptlets_comes_is_updated_and_goes() {
    for shell in SHELLS {
        let site = site(shell);
        let old = kernel(OLD, 7);
        let [first, second] = ["1", "2"].map(|version| plain_kmp("foo", version, &old).build());
        let output = site.rpm(&["-i"], &[&first]).expect_success();
        assert_eq!(output.stdout, format!("{NEW}: {} added\n", first.nvr()));
        assert_eq!(site.calls(), [LOOK, SYNC]);
        assert_eq!((site.linked(NEW), site.depmods(NEW)), (vec!["foo.ko".into()], 1));
        // Its file is another: depmod runs, once. The old one's trigger finds nothing to do.
        site.rpm(&["-U"], &[&second]).expect_success();
        assert_eq!(site.calls().iter().filter(|call| *call == SYNC).count(), 1);
        assert_eq!((site.linked(NEW), site.depmods(NEW)), (vec!["foo.ko".into()], 1));
        // When this runs, the files are gone, and rpm names none.
        site.rpm(&["-e", second.name()], &[]).expect_success();
        assert_eq!(site.calls(), [LOOK, SYNC]);
        assert_eq!((site.linked(NEW), site.depmods(NEW)), (vec![], 1));
    }
}

#[test]
fn below_lib_modules_it_is_the_same() {
    let site = site(SHELLS[0]);
    let module = kernel(OLD, 7).driver("foo").build();
    let package = PackageBuilder::new("foo-kmp-default", "1", "1")
        .file(format!("lib/modules/{OLD}/updates/foo.ko"), module)
        .build();
    site.rpm(&["-i"], &[&package]).expect_success();
    assert_eq!(site.linked(NEW), ["foo.ko"]);
    site.calls();
    site.rpm(&["-e", package.name()], &[]).expect_success();
    assert_eq!(site.linked(NEW), [""; 0]);
    assert_eq!(site.calls(), [LOOK, SYNC]);
}

#[test]
fn a_kmp_that_fits_nowhere_is_told_of_once() {
    let site = site(SHELLS[0]);
    let package = choosy_kmp("foo", "1", &kernel(OLD, 7), 8).build();
    let output = site.rpm(&["-i"], &[&package]).expect_success();
    assert!(output.stdout.contains(&format!("{NEW}: {} not linked", package.nvr())), "{output}");
    // Not by another's.
    let other = kmp("bar", "1", &kernel(OLD, 7));
    let later = site.rpm(&["-i"], &[&other]).expect_success();
    assert!(!later.stdout.contains(package.nvr()), "{later}");
}

#[test]
fn a_kernel_without_scriptlets_gets_its_links_and_its_index() {
    let site = site(SHELLS[0]);
    site.rpm(&["-i"], &[&plain_kmp("foo", "1", &kernel(OLD, 7)).build()]).expect_success();
    let krel = "6.4.0-5-default";
    site.calls();
    site.rpm(&["-i"], &[&kernel_files(&kernel(krel, 7)).build()]).expect_success();
    assert_eq!((site.linked(krel), site.depmods(krel)), (vec!["foo.ko".into()], 1));
}

#[test]
fn what_has_no_modules_costs_nothing() {
    let site = site(SHELLS[0]);
    let package = PackageBuilder::new("plain", "1", "1").file("usr/lib/plain/modules.conf", "").build();
    site.good(&["-i"], &[&package]);
    site.good(&["-U", "--reinstall"], &[&package]);
    site.good(&["-e", "plain"], &[]);
    assert_eq!(site.calls(), [""; 0]);
}

#[test]
fn what_scriptlets_did_is_not_done_again() {
    for shell in SHELLS {
        let site = site(shell);
        let package = kmp("foo", "1", &kernel(OLD, 7));
        site.rpm(&["-i"], &[&package]).expect_success();
        let calls = site.calls();
        assert_eq!(calls.last().map(String::as_str), Some(LOOK), "{calls:?}");
        assert!(!calls.iter().any(|call| call == SYNC), "{calls:?}");
        assert_eq!(site.depmods(NEW), 1);
        site.rpm(&["-e", package.name()], &[]).expect_success();
        assert_eq!(site.calls().last().map(String::as_str), Some(LOOK));
        assert_eq!(site.depmods(NEW), 1);
        assert_eq!(site.linked(NEW), [""; 0]);
    }
}

#[test]
fn initrds_that_were_asked_for_are_made() {
    for shell in SHELLS {
        let site = site(shell);
        let package = plain_kmp("foo", "1", &kernel(OLD, 7)).build();
        site.root.write(format!("run/regenerate-initrd/{NEW}"), "");
        site.rpm(&["-i"], &[&package]).expect_success();
        let mut calls = site.calls();
        calls.retain(|call| !call.starts_with("kmp"));
        assert_eq!(calls, ["regenerate-initrd-posttrans".to_string(), dracut(NEW)]);
        assert_eq!(site.left_in_run(), [""; 0]);
        // bsc#1234308: one that fails is told of.
        site.root.write(format!("run/regenerate-initrd/{NEW}"), "");
        site.stand_in(REGENERATE, "exit 6");
        let output = in_spite_of_a_scriptlet(site.rpm(&["-e", package.name()], &[]));
        let told =
            "warning: %transfiletriggerpostun(kmp-scriptlets-1-1.x86_64) scriptlet failed, exit status 6\n";
        assert_eq!(output.stderr, told);
        assert_eq!(site.linked(NEW), [""; 0]);
    }
}

#[test]
fn without_kmp_or_the_generator_nothing_fails() {
    for shell in SHELLS {
        let site = site(shell);
        site.without("usr/bin/kmp").without(REGENERATE);
        site.root.write(format!("run/regenerate-initrd/{NEW}"), "");
        let package = plain_kmp("foo", "1", &kernel(OLD, 7)).build();
        site.good(&["-i"], &[&package]);
        site.good(&["-e", package.name()], &[]);
    }
}

/// What is there already when they come is looked after.
#[test]
fn they_also_run_when_they_are_installed() {
    let site = Site::new(SHELLS[0]);
    let packages = [
        kernel_files(&kernel(OLD, 7)).build(),
        kernel_files(&kernel(NEW, 7)).build(),
        plain_kmp("foo", "1", &kernel(OLD, 7)).build(),
    ];
    site.good(&["-i"], &packages.each_ref());
    assert_eq!(site.linked(NEW), [""; 0]);
    site.rpm(&["-i"], &[&triggers()]).expect_success();
    assert_eq!(site.linked(NEW), ["foo.ko"]);
    assert_eq!(site.depmods(NEW), 1);
}

/// With the plugin on, depmod still runs once, and the trigger leaves nothing undone for an initrd.
#[test]
fn beside_the_plugin_nothing_is_done_twice() {
    for scriptlets in [false, true] {
        let site = site(SHELLS[0]);
        turn_on(&site.root);
        let old = kernel(OLD, 7);
        let package = if scriptlets { kmp("foo", "1", &old) } else { plain_kmp("foo", "1", &old).build() };
        site.rpm(&["-i"], &[&package]).expect_success();
        let calls = site.calls();
        // The plugin was there before the trigger.
        assert!(!calls.contains(&SYNC.to_string()), "{calls:?}");
        assert_eq!((site.linked(NEW), site.depmods(NEW)), (vec!["foo.ko".into()], 1));
        let third = kernel_package(&kernel("6.4.0-5-default", 7)).build();
        site.rpm(&["-i"], &[&third]).expect_success();
        assert_eq!(site.depmods("6.4.0-5-default"), 1);
        assert_eq!(site.linked("6.4.0-5-default"), ["foo.ko"]);
        site.rpm(&["-e", package.name()], &[]).expect_success();
        assert_eq!((site.linked(NEW), site.depmods(NEW)), (vec![], 1));
        assert_eq!(site.left_in_run(), [""; 0]);
    }
}
