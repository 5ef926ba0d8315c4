// SPDX-License-Identifier: LGPL-2.1-or-later
//! Every option of `%kernel_module_package`.

use std::process::Command;

use testkit::{KernelBuilder, run};

use crate::build::{Workshop, query, scriptlets};

const HEAD: &str = "Name: acme\nVersion: 2.0\nRelease: 4\nSummary: Drivers\nLicense: GPL-2.0-only\n";

/// Installs an empty module for each flavour.
const REST: &str = "%description\nDrivers.\n%install\n\
    for flavor in %{flavors_to_build}; do\n\
    release=$(cat %{kernel_source \"$flavor\"}/include/config/kernel.release)\n\
    install -D -m 644 %{kernel_source \"$flavor\"}/built.ko \
    %{buildroot}/usr/lib/modules/\"$release\"/%{kernel_module_package_moddir}/acme.ko\n\
    done\n";

fn workshop(dialect: &'static str) -> Workshop {
    let workshop = Workshop::new(dialect);
    for flavor in ["debug", "default", "rt"] {
        let kernel = KernelBuilder::new(&format!("6.4.0-1-{flavor}"));
        workshop.kernel_tree(flavor, kernel.krel(), "acme", &kernel.driver("acme").build());
    }
    workshop
}

fn packages(expanded: &str) -> Vec<&str> {
    expanded.lines().filter_map(|l| l.strip_prefix("%package -n ")).collect()
}

#[test]
fn flavours_are_named_or_excluded() {
    let workshop = workshop("suse");
    for (call, expect) in [
        ("%kernel_module_package", vec!["acme-kmp-debug", "acme-kmp-default", "acme-kmp-rt"]),
        ("%kernel_module_package default rt", vec!["acme-kmp-default", "acme-kmp-rt"]),
        ("%kernel_module_package -x debug", vec!["acme-kmp-default", "acme-kmp-rt"]),
        ("%kernel_module_package -n other -x debug rt", vec!["other-kmp-default"]),
        ("%suse_kernel_module_package rt", vec!["acme-kmp-debug", "acme-kmp-default"]),
        ("%suse_kernel_module_package -x rt", vec!["acme-kmp-rt"]),
    ] {
        let output = workshop.expanded(&format!("{HEAD}{call}\n%description\nDrivers.\n")).expect_success();
        assert_eq!(packages(&output.stdout), expect, "{call}: {output}");
    }
    let none = workshop.expanded(&format!("{HEAD}%kernel_module_package xen\n%description\nDrivers.\n"));
    assert!(!none.success() && none.stderr.contains("no kernel to build for in"), "{none}");
}

#[test]
fn version_preamble_filelist_and_initrd() {
    let workshop = workshop("suse");
    workshop.source("preamble", "Requires: kernel-%1 >= %2\nProvides: acme-api(%{-n*}) = %{-v*}-%{-r*}\n");
    workshop.source(
        "files",
        "%defattr(-,root,root)\n%dir /usr/lib/modules/%2-%1\n/usr/lib/modules/%2-%1/updates\n",
    );
    let call = "%kernel_module_package -n drv -v 3.1 -r 9 -p preamble -f files -b default rt";
    let spec = workshop.path("SPECS/acme.spec");
    std::fs::write(&spec, format!("{HEAD}{call}\n{REST}")).unwrap();
    let files = workshop.build(&spec);
    let [default, rt] = &files[..] else { panic!("{files:?}") };
    assert!(default.ends_with("drv-kmp-default-3.1_k6.4.0_1-9.x86_64.rpm"), "{default:?}");
    let requires = query(rt, "--requires");
    assert!(requires.contains(&"kernel-rt >= 6.4.0-1".into()), "{requires:?}");
    assert!(requires.contains(&"ksym(rt:module_layout) = f7940c2b".into()), "{requires:?}");
    assert!(query(rt, "--provides").contains(&"acme-api(drv) = 3.1-9".into()));
    assert_eq!(query(rt, "--list").last().unwrap(), "/usr/lib/modules/6.4.0-1-rt/updates/acme.ko");
    let scriptlets = scriptlets(rt);
    assert_eq!(scriptlets.len(), 5);
    for (name, text) in scriptlets {
        assert!(text.contains("|| KMP_NEEDS_MKINITRD=1 /usr/lib/module-init-tools/"), "{name}: {text}");
    }
}

#[test]
fn a_template_of_ones_own() {
    let workshop = workshop("suse");
    workshop.source(
        "template",
        "%package -n %{-n*}-own-%1\nSummary: For %2\n%description -n %{-n*}-own-%1\nOwn.\n",
    );
    let call = "%kernel_module_package -t template -x debug";
    let output = workshop.expanded(&format!("{HEAD}{call}\n%description\nDrivers.\n")).expect_success();
    assert_eq!(packages(&output.stdout), ["acme-own-default", "acme-own-rt"]);
    assert!(output.stdout.contains("Summary: For 6.4.0-1\n"), "{output}");
}

#[test]
fn a_section_kmp_describes_the_subpackages() {
    let workshop = workshop("suse");
    let kmp = "%package KMP\nSummary: Of the modules\nGroup: Hardware/Other\n%description KMP\nWhat they do,\n\
               and for whom.\n%package tools\nSummary: None of these\n%description tools\nNot this.\n";
    let call = "%kernel_module_package default";
    std::fs::write(workshop.path("SPECS/acme.spec"), format!("{HEAD}{call}\n%description\nDrivers.\n{kmp}"))
        .unwrap();
    let output = workshop.expanded(&format!("{HEAD}{call}\n%description\nDrivers.\n{kmp}")).expect_success();
    let (_, text) = output.stdout.split_once("%package -n acme-kmp-default\n").unwrap();
    let (head, text) = text.split_once("%description -n acme-kmp-default\n").unwrap();
    assert!(head.contains("Summary: Of the modules\nGroup: Hardware/Other\n"), "{output}");
    assert!(text.starts_with("What they do,\nand for whom.\n"), "{output}");
    assert!(!text.split("%pre ").next().unwrap().contains("Not this"), "{output}");
}

#[test]
fn a_certificate_gets_a_package() {
    let workshop = workshop("suse");
    let key = workshop.path("key");
    let pem = workshop.path("SOURCES/acme.pem");
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=acme", "-keyout",
    ]);
    run(openssl.arg(&key).arg("-out").arg(&pem)).expect_success();
    let mut der = Command::new("openssl");
    der.args(["x509", "-outform", "DER", "-in"]).arg(&pem).arg("-out").arg(workshop.path("SOURCES/acme.crt"));
    run(&mut der).expect_success();
    let mut sha1 = Command::new("sha1sum");
    let hash = run(sha1.arg(workshop.path("SOURCES/acme.crt"))).expect_success().stdout[..8].to_uppercase();

    for certificate in ["acme.pem", "acme.crt"] {
        let call = format!("%kernel_module_package -c %{{_sourcedir}}/{certificate} default");
        let spec = workshop.path("SPECS/acme.spec");
        std::fs::write(&spec, format!("{HEAD}{call}\n{REST}")).unwrap();
        let files = workshop.build(&spec);
        let [kmp, cert] = &files[..] else { panic!("{files:?}") };
        assert!(query(kmp, "--requires").contains(&"acme-ueficert".into()));
        assert!(cert.ends_with("acme-ueficert-2.0-4.x86_64.rpm"), "{files:?}");
        let path = format!("/etc/uefi/certs/{hash}.crt");
        assert_eq!(query(cert, "--list"), ["/etc/uefi", "/etc/uefi/certs", &path]);
        let mut unpack = Command::new("sh");
        unpack
            .args(["-c", "rpm2cpio \"$1\" | cpio -i --quiet --to-stdout \".$2\"", "sh"])
            .arg(cert)
            .arg(&path);
        let packaged = unpack.output().unwrap().stdout;
        assert_eq!(packaged, std::fs::read(workshop.path("SOURCES/acme.crt")).unwrap(), "{certificate}");
        for (name, text) in scriptlets(cert) {
            assert_eq!(text.lines().count(), 1, "{name}: {text}");
            assert!(text.contains(&format!("--certs \"{hash}\" \"$@\"")), "{name}: {text}");
        }
    }
    let call = "%kernel_module_package -c %{_sourcedir}/none default";
    let output = workshop.expanded(&format!("{HEAD}{call}\n%description\nDrivers.\n"));
    assert!(!output.success() && output.stderr.contains("is no certificate"), "{output}");
}

#[test]
fn red_hat_variants_and_their_filelist() {
    let workshop = Workshop::new("redhat");
    workshop.kernel_tree("6.12.0-10.el10.x86_64", "6.12.0-10.el10.x86_64", "acme", b"");
    workshop.source(
        "files",
        "%defattr(644,root,root,755)\n/lib/modules/%verrel%dotvariant\n/etc/acme%dashvariant\n",
    );
    let call = "%kernel_module_package -n acme -f files default debug";
    let output = workshop.expanded(&format!("{HEAD}{call}\n%description\nDrivers.\n")).expect_success();
    assert_eq!(packages(&output.stdout), ["kmod-acme", "kmod-acme-debug"]);
    for line in ["/lib/modules/6.12.0-10.el10.x86_64.debug", "/etc/acme-debug", "/etc/acme"] {
        assert!(output.stdout.lines().any(|l| l == line), "{line}: {output}");
    }
}

#[test]
fn the_distributions_generators_are_not_asked_once_more() {
    let workshop = workshop("suse");
    let call = "%define __kmp_path somewhere\n%kernel_module_package default\n%define found <%{?__kmp_path}>";
    let spec = format!("{HEAD}{call}\nURL: %{{found}}\n%description\nDrivers.\n");
    let output = workshop.expanded(&spec).expect_success();
    assert!(output.stdout.contains("URL: <>\n"), "{output}");
}
