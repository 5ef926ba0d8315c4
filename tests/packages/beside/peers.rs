// SPDX-License-Identifier: LGPL-2.1-or-later
//! The distributions' own packages of these commands: file lists, modes, links, Provides and Requires as they have them. What
//! is in the files says which package and version they are of.

use testkit::{Package, PackageBuilder};

const TOOLS: &str = "usr/lib/module-init-tools";
const INITRD: [&str; 2] = ["dracut-posttrans", "mkosi-initrd-posttrans"];
const PHASES: [&str; 5] = ["pre", "preun", "post", "posttrans", "postun"];

/// Whose packages there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Tumbleweed's and SLE 16's suse-module-tools (16.1.6), with its package of scriptlets.
    Suse,
    /// SLE 15's suse-module-tools (15.7), one package with all.
    Sle15,
    /// EL's kmod (8: 25, 9: 28, 10: 31), which has weak-modules.
    Kmod,
    /// The next suse-module-tools, by which the names are left to kmp: a line less in its list of files, one more among its
    /// Requires, and no package of scriptlets.
    SuseWithout,
    /// The next kmod of that kind.
    KmodWithout,
}

impl Peer {
    /// The packages, in a version.
    pub fn packages(self, version: &str) -> Vec<Package> {
        let all = match self {
            Self::Suse => {
                vec![suse(version).with(scripts(&["weak-modules2"]), version), suse_scriptlets(version)]
            }
            Self::Sle15 => vec![
                suse(version)
                    .provides("suse-kernel-rpm-scriptlets = 0")
                    .with(scripts(&["weak-modules2", "regenerate-initrd-posttrans"]), version)
                    .kernel_scriptlets(version),
            ],
            Self::Kmod => vec![kmod(version).with(vec!["usr/sbin/weak-modules".into()], version)],
            Self::SuseWithout => vec![
                suse(version)
                    .requires("weak-modules2")
                    .requires("suse-kernel-rpm-scriptlets")
                    .tag("Obsoletes", &format!("suse-module-tools-scriptlets < {version}")),
            ],
            Self::KmodWithout => vec![kmod(version).requires("weak-modules")],
        };
        all.iter().map(PackageBuilder::build).collect()
    }

    /// The names of the packages.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Suse => &["suse-module-tools", "suse-module-tools-scriptlets"],
            Self::Sle15 | Self::SuseWithout => &["suse-module-tools"],
            Self::Kmod | Self::KmodWithout => &["kmod"],
        }
    }

    /// Our packages that go beside them.
    pub fn ours(self) -> &'static [&'static str] {
        match self {
            Self::Kmod | Self::KmodWithout => &["kmp", "kmp-weak-modules"],
            _ => &["kmp", "kmp-weak-modules2", "kmp-scriptlets"],
        }
    }

    /// The names that packages of kernels and drivers call, and where they lead with our packages.
    pub fn called(self) -> Vec<(String, &'static str)> {
        if matches!(self, Self::Kmod | Self::KmodWithout) {
            return vec![("usr/sbin/weak-modules".into(), "../bin/kmp")];
        }
        let all = ["rpm", "kmp", "inkmp", "cert"].into_iter().flat_map(|kind| {
            PHASES.map(|phase| (format!("{TOOLS}/kernel-scriptlets/{kind}-{phase}"), "scriptlet"))
        });
        let mut all: Vec<_> = all.collect();
        if self != Self::Sle15 {
            all.extend(INITRD.map(|name| (format!("{TOOLS}/{name}"), "initrd-functions")));
        }
        let own = ["weak-modules2", "regenerate-initrd-posttrans"];
        all.extend(own.map(|name| (format!("{TOOLS}/{name}"), "../../bin/kmp")));
        all
    }
}

fn scripts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("{TOOLS}/{name}")).collect()
}

/// suse-module-tools, without what others are to have.
fn suse(version: &str) -> PackageBuilder {
    let mut package = PackageBuilder::new("suse-module-tools", version, "1")
        .arch("noarch")
        .provides("udev-extra-rules = 0.3.0")
        .provides("system-tuning-common-SUSE = 0.3.0")
        .tag("Obsoletes", "udev-extra-rules < 0.3.0")
        .requires("rpm");
    for dir in ["etc/modprobe.d", "etc/depmod.d", "usr/lib/modprobe.d", "usr/lib/depmod.d", TOOLS] {
        package = package.directory(dir);
    }
    for file in [
        "usr/lib/modprobe.d/10-unsupported-modules.conf",
        "usr/lib/modprobe.d/60-blacklist_fs-ntfs.conf",
        "usr/lib/depmod.d/00-system.conf",
        "usr/lib/dracut/dracut.conf.d/10-unblacklist.conf",
        "usr/lib/systemd/system/kernel-sysctl.service",
        "usr/lib/systemd/system/systemd-sysctl.service.d/50-kernel-uname_r.conf",
        "usr/lib/udev/rules.d/60-io-scheduler.rules",
    ] {
        package = package.file(file, "# its\n");
    }
    package
        .with(scripts(&["driver-check.sh", "unblacklist", "lsinitrd-quick", "get_dracut_drivers"]), version)
}

fn suse_scriptlets(version: &str) -> PackageBuilder {
    PackageBuilder::new("suse-module-tools-scriptlets", version, "1")
        .arch("noarch")
        .provides("suse-kernel-rpm-scriptlets = 0")
        .provides("suse-module-tools:/usr/lib/module-init-tools/kernel-scriptlets")
        .provides("sdbootutil-rpm-scriptlets = 2.0")
        .tag("Obsoletes", "sdbootutil-rpm-scriptlets < 2.0")
        .requires(&format!("suse-module-tools = {version}"))
        .with(
            scripts(&["dracut-posttrans", "mkosi-initrd-posttrans", "regenerate-initrd-posttrans"]),
            version,
        )
        .kernel_scriptlets(version)
}

fn kmod(version: &str) -> PackageBuilder {
    let mut package = PackageBuilder::new("kmod", version, "1")
        .provides("module-init-tools = 4.0-1")
        .provides("/sbin/modprobe")
        .tag("Obsoletes", "module-init-tools < 4.0-1");
    for dir in ["etc/depmod.d", "etc/modprobe.d", "usr/lib/modprobe.d"] {
        package = package.directory(dir);
    }
    for name in ["modprobe", "modinfo", "insmod", "rmmod", "lsmod"] {
        package = package.symlink(format!("usr/sbin/{name}"), "../bin/kmod");
    }
    package
        .program("usr/bin/kmod", "#!/bin/sh\n")
        .file("etc/depmod.d/dist.conf", "search updates extra built-in weak-updates\n")
}

trait Layout {
    fn with(self, programs: Vec<String>, version: &str) -> Self;
    fn kernel_scriptlets(self, version: &str) -> Self;
}

impl Layout for PackageBuilder {
    fn with(mut self, programs: Vec<String>, version: &str) -> Self {
        for path in programs {
            let text = format!("#!/bin/sh\necho {} of {version}\n", path.rsplit('/').next().unwrap());
            self = self.program(path, text);
        }
        self
    }

    /// Four scripts under twenty names.
    fn kernel_scriptlets(mut self, version: &str) -> Self {
        let dir = format!("{TOOLS}/kernel-scriptlets");
        self = self.directory(&dir);
        for kind in ["cert", "inkmp", "kmp", "rpm"] {
            self = self.with(vec![format!("{dir}/{kind}-script")], version);
            for phase in PHASES {
                self = self.symlink(format!("{dir}/{kind}-{phase}"), format!("{kind}-script"));
            }
        }
        self
    }
}
