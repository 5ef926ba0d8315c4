// SPDX-License-Identifier: LGPL-2.1-or-later
//! Every option of `%kernel_module_package`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use testkit::{KernelBuilder, PackageBuilder, run, run_rpm};

use crate::build::{Workshop, packaging, query, scriptlets};

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

fn write_program(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
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
    // One that is not there is named; it is a fault where nothing is left to build for.
    let with = |call: &str| workshop.expanded(&format!("{HEAD}{call}\n%description\nDrivers.\n"));
    let there = "; there is debug, default, rt";
    let none = with("%kernel_module_package xen");
    assert!(!none.success() && none.stderr.contains("no kernel of flavour xen to build for in "), "{none}");
    assert!(none.stderr.contains(&format!("{there}; install kernel-syms")), "{none}");
    let some = with("%kernel_module_package default xen pae").expect_success();
    assert_eq!(packages(&some.stdout), ["acme-kmp-default"]);
    assert!(some.stderr.contains("no kernel of flavour xen, pae to build for in "), "{some}");
    let without = with("%kernel_module_package -x xen debug").expect_success();
    assert!(without.stderr.is_empty(), "{without}");
}

/// What a spec file needs can be asked for before it is there: the macros, and a kernel.
#[test]
fn requirements_are_read_before_they_are_installed() {
    for (dialect, spec, needs) in
        [("suse", "kmp-hello.spec", "kernel-syms"), ("redhat", "kmod-kmp-hello.spec", "kernel-devel")]
    {
        let spec = packaging().join("examples").join(spec);
        let workshop = Workshop::new(dialect);
        let asks = |command: &mut Command| {
            let output = run_rpm(command.args(["-q", "--buildrequires"]).arg(&spec)).expect_success();
            for wanted in ["kmp-rpm-macros", needs, "gcc"] {
                assert!(output.stdout.lines().any(|line| line == wanted), "{dialect}: {wanted}: {output}");
            }
        };
        // Without the macros, with a home that has none.
        let home = tempfile::tempdir().unwrap();
        asks(workshop.command("rpmspec").env("HOME", home.path()));
        // With them, without a kernel.
        asks(&mut workshop.command("rpmspec"));
        // That cannot be built, and why.
        let bare = run_rpm(
            workshop.command("rpmbuild").env("HOME", home.path()).args(["-bp", "--nodeps"]).arg(&spec),
        );
        assert!(!bare.success() && bare.stderr.contains("install kmp-rpm-macros"), "{bare}");
        for source in ["kmp_hello.c", "Kbuild"] {
            workshop.source(source, "");
        }
        let none = run_rpm(workshop.command("rpmbuild").args(["-bb", "--nodeps"]).arg(&spec));
        let said =
            format!("no kernel to build for in {}; install {needs}", workshop.path("kernels").display());
        assert!(!none.success() && none.stderr.contains(&said), "{none}");
    }
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
    assert!(output.stderr.contains("no kernel of flavour debug to build for in "), "{output}");
    for line in ["/lib/modules/6.12.0-10.el10.x86_64.debug", "/etc/acme-debug", "/etc/acme"] {
        assert!(output.stdout.lines().any(|l| l == line), "{line}: {output}");
    }
}

/// Which kernel a variant is built for, and where.
#[track_caller]
fn is_built_for(workshop: &Workshop, call: &str, expect: &[(&str, &str)]) {
    let loop_ =
        "%prep\nfor flavor in %{flavors_to_build}; do\necho \"$flavor %{kernel_source $flavor}\"\ndone\n";
    let spec = workshop.path("SPECS/acme.spec");
    std::fs::write(&spec, format!("{HEAD}{call}\n%description\nDrivers.\n{loop_}")).unwrap();
    let mut rpmbuild = workshop.command("rpmbuild");
    let output = run_rpm(rpmbuild.args(["-bp", "--nodeps", "--target", "x86_64"]).arg(spec)).expect_success();
    let found: Vec<&str> = output.stdout.lines().filter(|l| l.contains("/kernels/")).collect();
    let top = workshop.path("kernels");
    let lines: Vec<String> =
        expect.iter().map(|(flavor, tree)| format!("{flavor} {}/{tree}", top.display())).collect();
    assert_eq!(found, lines, "{call}: {output}");
}

#[test]
fn red_hat_builds_for_the_kernel_of_the_variant_that_is_asked_for() {
    let workshop = Workshop::new("redhat");
    const EL: &str = "5.14.0-503.11.1.el9_5.x86_64";
    for tree in [
        "5.14.0-427.13.1.el9_4.x86_64",
        EL,
        "5.14.0-503.11.1.el9_5.x86_64+rt",
        "5.14.0-503.11.1.el9_5.x86_64+rt-debug",
        "5.14.0-570.1.1.el9_6.x86_64+64k",
        "5.15.0-302.167.6.el9uek.x86_64",
        "6.11.3-1.el9.elrepo.x86_64",
    ] {
        workshop.kernel_tree(tree, tree, "acme", b"");
    }
    is_built_for(&workshop, "%kernel_module_package", &[("default", EL)]);
    is_built_for(
        &workshop,
        "%kernel_module_package default rt rt-debug",
        &[("default", EL), ("rt", &format!("{EL}+rt")), ("rt-debug", &format!("{EL}+rt-debug"))],
    );
    is_built_for(&workshop, "%kernel_module_package 64k", &[("64k", "5.14.0-570.1.1.el9_6.x86_64+64k")]);
    is_built_for(&workshop, "%kernel_module_package uek", &[("uek", "5.15.0-302.167.6.el9uek.x86_64")]);
    is_built_for(&workshop, "%kernel_module_package ml", &[("ml", "6.11.3-1.el9.elrepo.x86_64")]);
    is_built_for(
        &workshop,
        "%define kernel_version 5.14.0-427.13.1.el9_4.x86_64\n%kernel_module_package",
        &[("default", "5.14.0-427.13.1.el9_4.x86_64")],
    );
}

#[test]
fn red_hat_builds_for_what_the_packages_of_kernels_say() {
    let workshop = Workshop::new("redhat");
    for (package, version, release, tree) in [
        ("kernel-devel", "5.14.0", "503.el9", "5.14.0-503.el9.x86_64"),
        // Another vendor's, with a name like the distribution's.
        ("kernel-acme-devel", "6.6.0", "1.el9", "6.6.0-1.el9.x86_64"),
        ("kernel-rt-debug-devel", "5.14.0", "503.el9", "5.14.0-503.el9.x86_64+rt-debug"),
    ] {
        workshop.kernel_tree(tree, tree, "acme", b"");
        let built = PackageBuilder::new(package, version, release).build();
        let mut rpm = workshop.command("rpm");
        run_rpm(rpm.args(["-i", "--nodeps", "--justdb"]).arg(built.path())).expect_success();
    }
    is_built_for(&workshop, "%kernel_module_package", &[("default", "5.14.0-503.el9.x86_64")]);
    is_built_for(&workshop, "%kernel_module_package acme", &[("acme", "6.6.0-1.el9.x86_64")]);
    let call = "%kernel_module_package rt-debug";
    is_built_for(&workshop, call, &[("rt-debug", "5.14.0-503.el9.x86_64+rt-debug")]);
    let output = workshop.expanded(&format!("{HEAD}{call}\n%description\nDrivers.\n")).expect_success();
    for line in [
        // With the variant there would be two dashes, which rpm refuses in a version.
        "Provides: kernel-modules >= 5.14.0-503.el9.x86_64",
        "Provides: kernel-rt-debug-modules >= 5.14.0-503.el9.x86_64",
    ] {
        assert!(output.stdout.lines().any(|l| l == line), "{line}: {output}");
    }
}

#[test]
fn red_hat_takes_a_script_in_place_of_kmodtool() {
    let workshop = Workshop::new("redhat");
    workshop.kernel_tree("6.12.0-10.el10.x86_64", "6.12.0-10.el10.x86_64", "acme", b"");
    let script = workshop.path("SOURCES/own-kmodtool");
    let text = "#!/bin/sh\necho \"%package -n own-$2-$4\"\necho \"Summary: $1 $3 $override_filelist $kmod_version\"\n\
                echo \"%description -n own-$2-$4\"\necho Own.\n";
    write_program(&script, text);
    let call = "%kernel_module_package -n drv -s %{_sourcedir}/own-kmodtool -f drv.files default";
    let output = workshop.expanded(&format!("{HEAD}{call}\n%description\nDrivers.\n")).expect_success();
    assert_eq!(packages(&output.stdout), ["own-drv-default"]);
    assert!(output.stdout.contains("Summary: rpmtemplate 6.12.0-10.el10.x86_64 drv.files 2.0\n"), "{output}");
}

#[test]
fn what_the_distribution_has_is_not_redefined() {
    // As rpm reads the files of macros.d: by name.
    let names = ["macros.kernel-kmp", "macros.kernel-kmp-suse", "macros.kernel-source", "macros.kmp"];
    assert!(names.is_sorted());
    for (dialect, defined) in [("suse", "true"), ("redhat", "false")] {
        let workshop = workshop(dialect);
        let ask = "%{lua:print((rpm.isdefined('suse_kernel_module_package')))}";
        let output = run_rpm(workshop.command("rpm").args(["--eval", ask])).expect_success();
        assert_eq!(output.stdout.trim(), defined, "{dialect}: {output}");
    }
    let workshop = workshop("suse");
    workshop.further_macros("%kernel_module_package() URL: https://theirs\n");
    let output = workshop
        .expanded(&format!("{HEAD}%kernel_module_package\n%kmp_module_package rt\n%description\nDrivers.\n"))
        .expect_success();
    assert!(output.stdout.contains("URL: https://theirs\n"), "{output}");
    assert_eq!(packages(&output.stdout), ["acme-kmp-rt"]);
}

#[test]
fn the_distributions_template_is_taken_from_its_place() {
    let workshop = workshop("suse");
    let template = workshop.path("kernel-module-subpackage");
    std::fs::write(
        &template,
        "%package -n %{-n*}-theirs-%1\nSummary: x\n%description -n %{-n*}-theirs-%1\nx\n",
    )
    .unwrap();
    workshop.further_macros(&format!("%_kmp_template {}\n", template.display()));
    let output = workshop
        .expanded(&format!("{HEAD}%kernel_module_package rt\n%description\nDrivers.\n"))
        .expect_success();
    assert_eq!(packages(&output.stdout), ["acme-theirs-rt"]);
}

#[test]
fn the_distributions_generators_are_not_asked_once_more() {
    let workshop = workshop("suse");
    let call = "%define __kmp_path somewhere\n%kernel_module_package default\n%define found <%{?__kmp_path}>";
    let spec = format!("{HEAD}{call}\nURL: %{{found}}\n%description\nDrivers.\n");
    let output = workshop.expanded(&spec).expect_success();
    assert!(output.stdout.contains("URL: <>\n"), "{output}");
}

#[test]
fn the_distributions_generators_count_where_kmps_were_not_asked_for() {
    let workshop = workshop("suse");
    let attrs = workshop.path("attrs");
    std::fs::create_dir(&attrs).unwrap();
    for attr in std::fs::read_dir(packaging().join("fileattrs")).unwrap() {
        let path = attr.unwrap().path();
        std::fs::copy(&path, attrs.join(path.file_name().unwrap())).unwrap();
    }
    std::fs::write(attrs.join("kmp.attr"), "").unwrap();
    let theirs = workshop.path("find-provides.ksyms");
    write_program(&theirs, "#!/bin/sh\ncat >/dev/null\necho theirs\n");
    workshop.further_macros(&format!(
        "%_fileattrsdir {}\n%__kmp_provides {} %name\n%__kmp_path [.]ko$\n",
        attrs.display(),
        theirs.display()
    ));
    let files = "%files\n/usr/lib/modules\n";
    for (call, expect) in [
        (
            "%define flavors_to_build rt\n%define kernel_source() %_kmp_kernels_suse/%{1}\n\
          %define kernel_module_package_moddir() updates",
            "theirs",
        ),
        ("%kmp_module_package rt", "kmod(acme.ko)"),
    ] {
        let spec = workshop.path("SPECS/acme.spec");
        let rest = if call.starts_with("%define") { format!("{REST}{files}") } else { REST.to_owned() };
        std::fs::write(&spec, format!("{HEAD}{call}\n{rest}")).unwrap();
        let built = workshop.build(&spec);
        let provides = query(built.last().unwrap(), "--provides");
        let found: Vec<&String> =
            provides.iter().filter(|p| *p == "theirs" || *p == "kmod(acme.ko)").collect();
        assert_eq!(found, [expect], "{call}: {provides:?}");
        std::fs::remove_dir_all(workshop.path("RPMS")).unwrap();
    }
}

/// What a spec file says of the distribution's generators holds for kmp's.
#[test]
fn generators_obey_the_spec_file() {
    let dependencies = |dialect: &'static str, head: &str| {
        let workshop = workshop(dialect);
        let own = workshop.path("SOURCES/own");
        write_program(&own, "#!/bin/sh\ncat >/dev/null\necho 'modalias(own)'\n");
        let directory = if dialect == "suse" { "rt" } else { "6.4.0-1.x86_64" };
        let kernel = KernelBuilder::new("6.4.0-1-rt");
        let module = kernel.driver("acme").export_gpl("acme_open", 7).alias("pci:v1d*").build();
        workshop.kernel_tree(directory, "6.4.0-1-rt", "acme", &module);
        let spec = workshop.path("SPECS/acme.spec");
        let flavor = if dialect == "suse" { "rt" } else { "default" };
        let call = format!("{head}\n%kernel_module_package -n acme -f files {flavor}");
        workshop.source("files", "/usr/lib/modules/6.4.0-1-rt\n");
        std::fs::write(&spec, format!("{HEAD}{call}\n{REST}")).unwrap();
        let built = workshop.build(&spec);
        let mut found = query(&built[0], "--provides");
        for more in ["--requires", "--supplements"] {
            found.extend(query(&built[0], more));
        }
        let kinds = ["kmod(", "ksym(", "modalias(", "kernel("];
        found.retain(|line| kinds.iter().any(|kind| line.starts_with(kind)));
        found
    };
    let suse = [
        "kmod(acme.ko)",
        "ksym(rt:acme_open) = 7",
        "ksym(rt:module_layout) = f7940c2b",
        "modalias(kernel-rt:pci:v1d*)",
    ];
    assert_eq!(dependencies("suse", ""), suse);
    assert_eq!(dependencies("suse", "%define __kmp_requires %{nil}"), [suse[0], suse[1], suse[3]]);
    let supplements = dependencies("suse", "%define __kmp_supplements %{_sourcedir}/own");
    assert_eq!(supplements, [suse[0], suse[1], suse[2], "modalias(own)"]);
    let provides = dependencies("suse", "%define __kmp_provides /usr/lib/rpm/find-provides.ksyms %name");
    assert_eq!(provides, suse, "the distribution's own definition");
    let excluded = dependencies("suse", "%define __requires_exclude ^ksym.*layout");
    assert_eq!(excluded, [suse[0], suse[1], suse[3]]);
    let excluded = dependencies("suse", "%define __provides_exclude_from .*/acme[.]ko$");
    assert_eq!(excluded, suse[2..]);

    let redhat = [
        "kmod(acme.ko)",
        "ksym(acme_open) = 0x00000007",
        "modalias(pci:v1d*)",
        "ksym(module_layout) = 0xf7940c2b",
    ];
    assert_eq!(dependencies("redhat", ""), redhat);
    let without =
        dependencies("redhat", "%define __modalias_provides %{nil}\n%define __kmod_provides %{nil}");
    assert_eq!(without, [redhat[1], redhat[3]]);
    assert_eq!(dependencies("redhat", "%define __required_ksyms_requires %{nil}"), redhat[..3]);
    let theirs = "%define __provided_ksyms_provides /usr/lib/rpm/redhat/find-provides.ksyms\n\
                  %define __kmod_provides() %{lua:print('x')}";
    assert_eq!(dependencies("redhat", theirs), redhat);
}
