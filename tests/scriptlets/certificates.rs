// SPDX-License-Identifier: LGPL-2.1-or-later
//! Keys for Secure Boot are asked for, and given back, through mokutil.

use crate::packages::{OLD, certificate_package, kernel_files, kernel_lines};
use crate::site::{SHELLS, Shell, Site};
use crate::support::kernel;

const PROBE: &str = "mokutil [--sb-state]";

fn site(shell: Shell, options: &str) -> Site {
    let site = Site::new(shell);
    site.with_uefi(options);
    site
}

fn calls(site: &Site) -> Vec<String> {
    let mut calls = site.calls();
    calls.retain(|call| call.starts_with("mokutil"));
    calls
}

fn import(cert: &str, options: &str) -> String {
    format!("mokutil [--import] [/etc/uefi/certs/{cert}.crt] [--root-pw]{options}")
}

fn delete(cert: &str) -> String {
    format!("mokutil [--delete] [/etc/uefi/certs/{cert}.crt.delete] [--root-pw]")
}

fn certificates(site: &Site) -> Vec<String> {
    let entries = std::fs::read_dir(site.root.join("etc/uefi/certs"));
    let entries = entries.map(|dir| dir.map(|e| e.unwrap().file_name().into_string().unwrap()).collect());
    let mut names: Vec<String> = entries.unwrap_or_default();
    names.sort();
    names
}

#[test]
fn a_kmps_certificate_comes_and_goes() {
    for shell in SHELLS {
        for coreutils in [false, true] {
            let site = site(shell, "--ca-check --ignore-keyring");
            let site = if coreutils { site.with_coreutils() } else { site };
            let package = certificate_package("foo-ueficert", "0123abcd").build();
            site.good(&["-i"], &[&package]);
            assert_eq!(calls(&site), [PROBE, &import("0123abcd", "")]);
            site.good(&["-U", "--reinstall"], &[&package]);
            assert_eq!(calls(&site), [PROBE, &import("0123abcd", ""), PROBE, PROBE]);
            assert_eq!(certificates(&site), ["0123abcd.crt"]);
            site.good(&["-e", package.name()], &[]);
            assert_eq!(calls(&site), [PROBE, PROBE, &delete("0123abcd")]);
            assert_eq!(certificates(&site), [""; 0]);
        }
    }
}

/// Two packages with one certificate: it goes with the last.
#[test]
fn a_certificate_that_others_need_stays() {
    for shell in SHELLS {
        let site = site(shell, "");
        let packages = ["foo", "bar"].map(|name| certificate_package(name, "0123abcd").build());
        site.good(&["-i"], &packages.each_ref());
        calls(&site);
        site.good(&["-e", "foo"], &[]);
        assert_eq!(calls(&site), [PROBE, PROBE]);
        assert_eq!(certificates(&site), ["0123abcd.crt"]);
        site.good(&["-e", "bar"], &[]);
        assert_eq!(calls(&site), [PROBE, PROBE, &delete("0123abcd")]);
    }
}

/// bsc#1173115, bsc#1191480: options that only a kernel's keys get, where mokutil knows them.
#[test]
fn a_kernels_certificates_are_checked_against_the_ca() {
    for shell in SHELLS {
        for (knows, options) in [
            ("--ca-check --ignore-keyring", " [--ca-check] [--ignore-keyring]"),
            ("--ca-check", " [--ca-check]"),
            ("", ""),
        ] {
            let site = site(shell, knows);
            let mut package = kernel_lines(kernel_files(&kernel(OLD, 7)), OLD, "AAAA BBBB");
            for cert in ["AAAA", "BBBB"] {
                package = package.file(format!("etc/uefi/certs/{cert}.crt"), cert);
            }
            let package = package.build();
            site.good(&["-i"], &[&package]);
            let expected = [PROBE, "mokutil [-h]", &import("AAAA", options), &import("BBBB", options)];
            assert_eq!(calls(&site), expected);
            // The old one's postun finds all still there.
            site.good(&["-U", "--reinstall"], &[&package]);
            assert_eq!(calls(&site)[4..], [PROBE, PROBE]);
            assert_eq!(certificates(&site), ["AAAA.crt", "BBBB.crt"]);
            site.rpm(&["-e", package.name()], &[]).expect_success();
            assert_eq!(calls(&site), [PROBE, PROBE, &delete("AAAA"), &delete("BBBB")]);
            assert_eq!(certificates(&site), [""; 0]);
        }
    }
}

#[test]
fn without_mokutil_or_uefi_nothing_is_done() {
    for shell in SHELLS {
        for probe in [None, Some("exit 1")] {
            let site = Site::new(shell);
            if let Some(probe) = probe {
                site.stand_in("usr/bin/mokutil", probe);
            }
            let package = certificate_package("foo", "0123abcd").build();
            site.good(&["-i"], &[&package]);
            site.good(&["-e", package.name()], &[]);
            assert_eq!(calls(&site), vec![PROBE; if probe.is_some() { 3 } else { 0 }]);
            assert_eq!(certificates(&site), [""; 0]);
        }
    }
}

/// bsc#1201066: told once until the next boot.
#[test]
fn efivars_that_cannot_be_written_are_told_of_once() {
    for shell in SHELLS {
        let site = site(shell, "");
        let frozen = "E=$R/sys/firmware/efi/efivars && mount --bind $E $E && mount -o remount,ro,bind $E";
        let packages = ["foo", "bar"].map(|name| certificate_package(name, name).build());
        let output = site.rpm_between(frozen, "true", &["-i"], &packages.each_ref()).expect_success();
        let told = "cert-post: /sys/firmware/efi/efivars cannot be written to, nothing is done about keys\n";
        // Its `[ -w ]` asks for the mode only: there mokutil is left to fail.
        let is_blind = shell == Shell::Busybox;
        assert_eq!(output.stderr, if is_blind { "" } else { told });
        let called = if is_blind { 4 } else { 2 };
        assert_eq!(calls(&site).len(), called);
    }
}

#[test]
fn an_import_that_fails_is_told_and_the_next_is_tried() {
    for shell in SHELLS {
        let site = site(shell, "");
        site.stand_in("usr/bin/mokutil", "case $* in *AAAA*) exit 9 ;; esac");
        let output = site.scriptlet(&[], "cert-post", &["--certs", "AAAA BBBB ../CCCC *", "1"]);
        assert_eq!(output.status, Some(9));
        assert_eq!(
            output.stderr,
            "cert-post: /etc/uefi/certs/AAAA.crt cannot be imported\n\
             cert-post: a certificate is named by a path, it is left out\n"
        );
        assert_eq!(calls(&site), [PROBE, &import("AAAA", ""), &import("BBBB", ""), &import("*", "")]);
    }
}
