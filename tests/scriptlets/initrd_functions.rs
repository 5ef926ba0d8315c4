// SPDX-License-Identifier: LGPL-2.1-or-later
//! dracut-posttrans and mkosi-initrd-posttrans: read by the original, or called.

use std::path::Path;

use testkit::{Output, run};

use crate::packages::OLD;
use crate::site::{SHELLS, Shell, Site, dracut};
use crate::support::kernel;

const TOOLS: &str = "usr/lib/module-init-tools";

/// A kernel with an image, and both generators.
fn site(shell: Shell) -> Site {
    let site = Site::new(shell).with_coreutils();
    site.root.add_program("/bin/mkdir", "/usr/bin/mkdir");
    kernel(OLD, 7).write(&site.root.path());
    site.root.write(format!("boot/vmlinuz-{OLD}"), "image\n");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scriptlets/initrd-functions");
    site.root.write(format!("{TOOLS}/initrd-functions"), std::fs::read(file).unwrap());
    crate::support::make_executable(&site.root.join(format!("{TOOLS}/initrd-functions")));
    for name in ["dracut-posttrans", "mkosi-initrd-posttrans"] {
        site.root.symlink(format!("{TOOLS}/{name}"), "initrd-functions");
    }
    site.root.symlink("usr/lib/kmp/regenerate-initrd-posttrans", "/usr/lib/real/kmp");
    site.stand_in("usr/bin/mkosi-initrd", &testkit::makes_empty_initrds());
    site
}

fn sh(site: &Site, line: &str) -> Output {
    let mut command = site.root.command("chroot");
    run(command.arg(site.root.path()).args(["/usr/bin/sh", "-c", line]))
}

#[test]
fn the_original_that_reads_them_has_initrds_made_by_kmp() {
    for shell in SHELLS {
        let site = site(shell);
        sh(&site, &format!(". /{TOOLS}/dracut-posttrans; initrd_regenerate {OLD}")).expect_success();
        assert_eq!(site.calls(), [dracut(OLD)], "{shell:?}");
        let all = format!(
            "INITRD_GENERATOR=mkosi-initrd; . /{TOOLS}/mkosi-initrd-posttrans; initrd_regenerate_all"
        );
        sh(&site, &all).expect_success();
        let calls = site.calls();
        assert!(
            calls.len() == 1 && calls[0].starts_with("mkosi-initrd ") && calls[0].contains(OLD),
            "{calls:?}"
        );
        let output =
            sh(&site, &format!(". /{TOOLS}/dracut-posttrans; initrd_warn_chroot_build")).expect_success();
        assert!(output.stderr.contains("kmp initrd"), "{output}");
        assert_eq!(site.left_in_run(), [""; 0]);
    }
}

#[test]
fn called_they_serve_requests_by_their_generator() {
    for shell in SHELLS {
        let site = site(shell);
        for (name, program) in [("dracut-posttrans", "dracut "), ("mkosi-initrd-posttrans", "mkosi-initrd ")]
        {
            // Without a request there is nothing to do.
            sh(&site, &format!("/{TOOLS}/{name}")).expect_success();
            assert_eq!(site.calls(), [""; 0]);
            site.root.write(format!("run/regenerate-initrd/{OLD}"), "");
            sh(&site, &format!("/{TOOLS}/{name}")).expect_success();
            let calls = site.calls();
            assert!(calls.len() == 1 && calls[0].starts_with(program), "{name}: {calls:?}");
            assert_eq!(site.left_in_run(), [""; 0]);
        }
    }
}
