// SPDX-License-Identifier: LGPL-2.1-or-later
//! How spec files in use call the macros, in their shortest form: LINBIT's, OpenZFS', ELRepo's, Mellanox',
//! Lustre's, NVIDIA's, and packages of openSUSE's. What comes out of Red Hat's own macros for the same is compared where
//! `KMP_PEER_REDHAT_SCRIPTS` names a directory with its `macros.kmp` and `kmodtool`.

use std::process::Command;

use testkit::{KernelBuilder, Output, run_rpm};

use crate::build::Workshop;

const EL: &str = "5.14.0-503.11.1.el9_5.x86_64";

/// A spec file's shape: its call, other sources, and what has to be among the expanded lines.
struct Shape {
    whose: &'static str,
    dialect: &'static str,
    call: &'static str,
    sources: &'static [(&'static str, &'static str)],
    expect: &'static [&'static str],
}

#[rustfmt::skip]
const SHAPES: &[Shape] = &[
    Shape { whose: "plain", dialect: "redhat", call: "%kernel_module_package", sources: &[],
        expect: &["%package -n kmod-acme", "Provides: kernel-modules >= EL", "/lib/modules/EL"] },
    Shape { whose: "drbd", dialect: "redhat",
        call: "%global _this_kmp_version %{version}_%(echo EL | sed -r 'y/-/_/; s/\\.el[0-9_]+\\.x86_64$//')\n\
               %kernel_module_package -n drbd -v %_this_kmp_version -f files",
        sources: &[("files", "%defattr(644,root,root,755)\n/lib/modules/%verrel%dotvariant\n%config /etc/depmod.d/drbd.conf\n")],
        expect: &["%package -n kmod-drbd", "Version: 2.0_5.14.0_503.11.1", "/lib/modules/EL", "%config /etc/depmod.d/drbd.conf"] },
    Shape { whose: "drbd's variants", dialect: "redhat",
        call: "%define lb_flavors default rt\n%kernel_module_package -n drbd -f files %{?lb_flavors}",
        sources: &[("files", "/lib/modules/%2%dotvariant/extra\n/etc/depmod.d/drbd%dashvariant.conf\n")],
        expect: &["%package -n kmod-drbd", "%package -n kmod-drbd-rt", "/lib/modules/EL+rt/extra",
            "/etc/depmod.d/drbd-rt.conf", "/etc/depmod.d/drbd.conf"] },
    Shape { whose: "zfs", dialect: "redhat", call: "%{?kernel_module_package:%kernel_module_package -n %{name} -p %{S:10}}",
        sources: &[("kmod-preamble", "Requires: zfs = 2.0\nConflicts: zfs-dkms\n")],
        expect: &["%package -n kmod-acme", "Requires: zfs = 2.0", "Conflicts: zfs-dkms"] },
    Shape { whose: "lustre", dialect: "redhat",
        call: "%if %{defined suse_kernel_module_package}\n%global kmoddir updates\n%else\n%global kmoddir extra\n%endif\n\
               URL: %{kmoddir}\n%kernel_module_package -f files default",
        sources: &[("files", "%defattr(-,root,root)\n/lib/modules/%2-%1/%{kmoddir}/lustre\n")],
        expect: &["URL: extra", "%package -n kmod-acme", "/lib/modules/EL/extra/lustre"] },
    Shape { whose: "lustre on SUSE", dialect: "suse",
        call: "%if %{defined suse_kernel_module_package}\n%global kmoddir updates\n%else\n%global kmoddir extra\n%endif\n\
               URL: %{kmoddir}\n%kernel_module_package -f files default",
        sources: &[("files", "%defattr(-,root,root)\n/lib/modules/%2-%1/%{kmoddir}/lustre\n")],
        expect: &["URL: updates", "%package -n acme-kmp-default", "/lib/modules/6.4.0-1-default/updates/lustre"] },
    Shape { whose: "mlnx-ofa", dialect: "redhat",
        call: "%kernel_module_package -f files -p preamble\n%global K_SRC %{kernel_source default}\nURL: %{K_SRC}",
        sources: &[("files", "%defattr(644,root,root,755)\n/lib/modules/%2-%1\n"), ("preamble", "Obsoletes: ofed-kmod\n")],
        expect: &["%package -n kmod-acme", "Obsoletes: ofed-kmod", "/lib/modules/EL", "URL: TOP/EL"] },
    Shape { whose: "a kernel that is named", dialect: "redhat",
        call: "%define kernel_version 5.14.0-427.el9.x86_64\n%kernel_module_package -x debug", sources: &[],
        expect: &["Provides: kernel-modules >= 5.14.0-427.el9.x86_64"] },
    Shape { whose: "gpfs", dialect: "redhat",
        call: "%kernel_module_package -n gpfs -f files\nURL: %{kverrel}",
        sources: &[("files", "%defattr (-,root,root)\n/lib/modules/%2.%1\n")],
        expect: &["%package -n kmod-gpfs", "/lib/modules/EL", "URL: EL"] },
    Shape { whose: "moktest", dialect: "redhat",
        call: "%kernel_module_package default\nURL: %kernel_module_package_moddir/%{name}", sources: &[],
        expect: &["URL: extra/acme"] },
    Shape { whose: "moktest on SUSE", dialect: "suse",
        call: "%kernel_module_package default\nURL: %kernel_module_package_moddir/%{name}", sources: &[],
        expect: &["URL: updates/acme"] },
    Shape { whose: "drbd's directory", dialect: "suse",
        call: "%kernel_module_package -n drbd\nURL: %{kernel_module_package_moddir drbd}", sources: &[],
        expect: &["URL: updates", "%package -n drbd-kmp-default", "%package -n drbd-kmp-rt"] },
    Shape { whose: "xpadneo", dialect: "suse",
        call: "%kernel_module_package -n %{name} -x debug -x trace -p %{_sourcedir}/preamble",
        sources: &[("preamble", "Requires: %{-n*} = %{version}\n")],
        expect: &["%package -n acme-kmp-default", "Requires: acme = 2.0"] },
    Shape { whose: "hdjmod", dialect: "suse", call: "%suse_kernel_module_package -p%{_sourcedir}/preamble",
        sources: &[("preamble", "Enhances: kernel-%1\n")],
        expect: &["%package -n acme-kmp-default", "%package -n acme-kmp-rt", "Enhances: kernel-rt"] },
    Shape { whose: "corefreq", dialect: "suse", call: "%kernel_module_package -p preamble -x preempt 64kb rt",
        sources: &[("preamble", "Requires: acme\n")], expect: &["%package -n acme-kmp-default", "Requires: acme"] },
    Shape { whose: "blksnap", dialect: "suse",
        call: "%kernel_module_package -n %{name} -p %{_sourcedir}/preamble -t %{_sourcedir}/kernel-module-subpackage",
        sources: &[("preamble", "Requires: modutils\n"), ("kernel-module-subpackage", TEMPLATE)],
        expect: &["%package -n acme-kmp-default", "Version: 2.0_k6.4.0_1", "Requires: modutils", "echo own 6.4.0-1 default"] },
    Shape { whose: "NVIDIA's open driver", dialect: "suse",
        call: "%(cat %kmp_template_name > %_builddir/nvidia-kmp-template)\n\
               %(echo \"%triggerin -p /bin/bash -n %%{-n*}-kmp-%1 -- common = %{version}\" >> %_builddir/nvidia-kmp-template)\n\
               %(echo \"echo %2-%1\" >> %_builddir/nvidia-kmp-template)\n\
               %kernel_module_package -n %{name} -t %_builddir/nvidia-kmp-template -f %_sourcedir/files -p %_sourcedir/preamble\n\
               %{expand:%(for f in %{flavors_to_build}; do echo \"%package -n %{name}-${f}-devel\"; echo \"Summary: x\"; \
               echo \"%description -n %{name}-${f}-devel\"; echo x; done)}",
        sources: &[("preamble", "Requires: x\n"), ("files", "/usr/lib/modules/%2-%1\n"), ("theirs", TEMPLATE)],
        expect: &["%package -n acme-kmp-default", "%triggerin -p /bin/bash -n acme-kmp-default -- common = 2.0",
            "echo 6.4.0-1-default", "%package -n acme-default-devel", "%package -n acme-rt-devel"] },
    Shape { whose: "NVIDIA's scripts", dialect: "suse",
        call: "%(sed -e '/^%%post\\>/ r %_sourcedir/kmp-post.sh' -e '/^Provides: multiversion(kernel)/d' \
               %kmp_template_name >%_builddir/nvidia-kmp-template)\n\
               %kernel_module_package -t %_builddir/nvidia-kmp-template -p %_sourcedir/preamble -x rt",
        sources: &[("preamble", "Requires: x\n"), ("kmp-post.sh", "flavor=%1\nmake -C /usr/src/linux-obj/x86_64/$flavor\n"),
            ("theirs", TEMPLATE)],
        expect: &["%package -n acme-kmp-default", "flavor=default", "make -C /usr/src/linux-obj/x86_64/$flavor"] },
    Shape { whose: "two at once", dialect: "suse",
        call: "%kernel_module_package -n one -f files default\n%kernel_module_package -n two -f more default",
        sources: &[("files", "/usr/lib/modules/%2-%1/updates/one.ko\n"), ("more", "/usr/lib/modules/%2-%1/updates/two.ko\n")],
        expect: &["%package -n one-kmp-default", "%package -n two-kmp-default",
            "/usr/lib/modules/6.4.0-1-default/updates/one.ko", "/usr/lib/modules/6.4.0-1-default/updates/two.ko"] },
    Shape { whose: "bugondriver", dialect: "suse", call: "%kernel_module_package", sources: &[],
        expect: &["%package -n acme-kmp-default", "Version: 2.0_k6.4.0_1", "Requires: suse-kernel-rpm-scriptlets"] },
];

/// In the form of the template that SUSE's kernel-macros have.
const TEMPLATE: &str = "%package -n %{-n*}-kmp-%1\nVersion: %{-v*}_k%(echo %2 | sed -r 'y/-/_/')\nRelease: %{-r*}\n\
    Summary: x\nProvides: multiversion(kernel)\n%{-p:%{expand:%(cd %_sourcedir; cat %{-p*})}}\n\
    %description -n %{-n*}-kmp-%1\nx\n%post -n %{-n*}-kmp-%1\necho own %2 %1\n%files -n %{-n*}-kmp-%1\n\
    %{-f:%{expand:%(cd %_sourcedir; cat %{-f*})}}\n%{!-f:/usr/lib/modules/%2-%1}\n";

impl Shape {
    fn workshop(&self) -> Workshop {
        let workshop = Workshop::new(self.dialect);
        let trees: &[&str] = match self.dialect {
            "suse" => &["default", "rt"],
            _ => &["5.14.0-427.el9.x86_64", EL, "5.14.0-503.11.1.el9_5.x86_64+rt"],
        };
        for tree in trees {
            let krel = if self.dialect == "suse" { format!("6.4.0-1-{tree}") } else { (*tree).to_owned() };
            workshop.kernel_tree(tree, KernelBuilder::new(&krel).krel(), "acme", b"");
        }
        for (name, text) in self.sources {
            workshop.source(name, text);
        }
        std::fs::create_dir_all(workshop.path("BUILD")).unwrap();
        workshop
    }

    fn spec(&self, workshop: &Workshop) -> String {
        let template = workshop.path("SOURCES/theirs");
        // rpm 4.20 and later do not know %_builddir yet where these use it.
        let build = workshop.path("BUILD");
        std::fs::create_dir_all(&build).unwrap();
        format!(
            "%define kmp_template_name {}\nName: acme\nVersion: 2.0\nRelease: 4\nSummary: Drivers\n\
             License: GPL-2.0-only\nSource10: kmod-preamble\n{}\n%description\nDrivers.\n",
            template.display(),
            self.call.replace("EL", EL).replace("%_builddir", build.to_str().unwrap())
        )
    }
}

#[test]
fn spec_files_in_use() {
    assert!(SHAPES.len() >= 20);
    for shape in SHAPES {
        let workshop = shape.workshop();
        let output = workshop.expanded(&shape.spec(&workshop));
        assert!(output.success(), "{}: {output}", shape.whose);
        let top = workshop.path("kernels").display().to_string();
        for line in shape.expect {
            let line = line.replace("EL", EL).replace("TOP", &top);
            assert!(output.stdout.lines().any(|l| l.trim() == line), "{}: {line}\n{output}", shape.whose);
        }
    }
}

/// What matters of expanded subpackages: their names, tags and files, without scriptlets and descriptions.
fn essence(output: &Output) -> Vec<String> {
    let mut kept = Vec::new();
    let mut section = String::new();
    for line in output.stdout.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")) {
        if let Some(word) = line.strip_prefix('%').and_then(|l| l.split(' ').next())
            && ["package", "description", "post", "preun", "postun", "files"].contains(&word)
        {
            section = word.to_owned();
        }
        let is_text =
            ["Summary:", "Group:", "Requires(", "BuildRequires:"].iter().any(|t| line.starts_with(t));
        // The original leaves the look-up to the shell here, too.
        let is_source = line.starts_with("URL: ") && line.contains("/kernels/");
        if !line.is_empty() && !is_text && !is_source && ["package", "files"].contains(&&*section) {
            kept.push(line);
        }
    }
    kept.sort();
    kept
}

/// The original takes `sh` for bash.
const BASH_AS_SH: &str = r#"mount --bind "$(command -v bash)" "$(readlink -f /bin/sh)" && exec "$@""#;

#[test]
#[ignore = "needs Red Hat's macros.kmp and kmodtool, in the directory KMP_PEER_REDHAT_SCRIPTS"]
fn as_red_hat_s_macros() {
    let scripts = std::path::PathBuf::from(
        std::env::var_os("KMP_PEER_REDHAT_SCRIPTS").expect("KMP_PEER_REDHAT_SCRIPTS"),
    );
    let mut compared = 0;
    for shape in SHAPES.iter().filter(|s| s.dialect == "redhat") {
        let workshop = shape.workshop();
        let spec = shape.spec(&workshop);
        let ours = workshop.expanded(&spec).expect_success();
        let top = workshop.path("kernels").display().to_string();
        let mut macros = std::fs::read_to_string(scripts.join("macros.kmp")).unwrap();
        macros =
            macros.replace("/usr/lib/rpm/redhat/kmodtool", &workshop.path("kmodtool").display().to_string());
        macros = macros.replace("/usr/src/kernels", &top);
        let tool =
            std::fs::read_to_string(scripts.join("kmodtool")).unwrap().replace("/usr/src/kernels", &top);
        std::fs::write(workshop.path("kmodtool"), tool).unwrap();
        testkit::run(Command::new("chmod").arg("755").arg(workshop.path("kmodtool"))).expect_success();
        workshop.further_macros(&macros);
        let file = workshop.path("SPECS/test.spec");
        // The original asks rpm for the newest kernel-devel; here it is named, and files are looked up from the sources.
        let named = if spec.contains("kernel_version") {
            spec
        } else {
            format!("%define kernel_version {EL}\n{spec}")
        };
        std::fs::write(&file, named).unwrap();
        let mut rpmspec = workshop.command("unshare");
        rpmspec.args(["-m", "bash", "-c", BASH_AS_SH, "bash", "rpmspec", "-P"]).arg(&file);
        let theirs = run_rpm(rpmspec.current_dir(workshop.path("SOURCES"))).expect_success();
        assert_eq!(essence(&ours), essence(&theirs), "{}: {ours}\n{theirs}", shape.whose);
        assert!(essence(&ours).len() > 3, "{}: {ours}", shape.whose);
        compared += 1;
    }
    println!("{compared} spec files: the same packages, tags and files");
}
