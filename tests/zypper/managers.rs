// SPDX-License-Identifier: LGPL-2.1-or-later
//! The package managers, each on a system of its own distribution: what is asked of them, and by which words.

use std::path::Path;

use testkit::{KernelBuilder, Output, Package, PackageBuilder, TestRoot};

use super::packages::{self, kernel, make_executable, telling};
use super::site::{Mode, REFRESH, Site, goes_through};
use super::system::{System, installed};

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    Zypper(Mode),
    Dnf,
    /// The same, with its plugin for upgrades at boot.
    DnfSystemUpgrade,
    Dnf5,
}

/// What is asked of it.
#[derive(Clone, Copy, Debug)]
pub enum Operation<'a> {
    /// Newer versions of what is installed.
    Upgrade,
    /// The repository's versions, also where they are older.
    DistroSync,
    /// A package by its name.
    Install(&'a str),
    Remove(&'a str),
    /// What the advisory of [`Machine::advise`] is about.
    Patch,
    /// Kernels that are not the newest one.
    PurgeKernels,
    /// The last transaction is taken back.
    Undo,
    /// As [`Operation::DistroSync`]; the first downloads, the second carries it out later, without a repository.
    Download,
    Offline,
}

use Operation::{DistroSync, Download, Install, Offline, Patch, PurgeKernels, Remove, Undo, Upgrade};

impl Manager {
    /// Is it there? The test that asks is skipped if not.
    pub fn is_there(self) -> bool {
        let (file, why) = match self {
            Self::Zypper(Mode::Single) => return super::site::has_single_mode(),
            Self::Zypper(Mode::Classic) => return super::site::has_classic_mode(),
            Self::Dnf => return true,
            Self::DnfSystemUpgrade => (
                "/usr/lib/python3/dist-packages/dnf-plugins/system_upgrade.py",
                "this dnf has no system-upgrade, as that of Debian 13",
            ),
            Self::Dnf5 => ("/usr/bin/dnf5", "there is no dnf5"),
        };
        let is_there = Path::new(file).exists();
        if !is_there {
            testkit::skip(why);
        }
        is_there
    }

    fn is_zypper(self) -> bool {
        matches!(self, Self::Zypper(_))
    }

    /// The words of a command line.
    fn words(self, operation: Operation<'_>) -> Vec<&str> {
        let name = |word: &'static str, name| vec![word, name];
        match (self, operation) {
            (Self::Zypper(_), Upgrade) => vec!["update"],
            (Self::Zypper(_), DistroSync) => vec!["dup"],
            (Self::Zypper(_), Patch) => vec!["patch"],
            (Self::Zypper(_), PurgeKernels) => vec!["purge-kernels"],
            (Self::Zypper(_), Undo | Download | Offline) => panic!("zypper has no {operation:?}"),
            (_, Upgrade) => vec!["upgrade"],
            (_, DistroSync) => vec!["distro-sync"],
            (Self::DnfSystemUpgrade, Download) => vec!["offline-distrosync", "download"],
            (Self::DnfSystemUpgrade, Offline) => vec!["offline-distrosync", "upgrade"],
            (Self::Dnf, Patch) => vec!["upgrade", "--advisory=KMP-1"],
            (_, Patch) => vec!["upgrade", "--advisories=KMP-1"],
            (Self::Dnf, PurgeKernels) => vec!["remove", "--oldinstallonly"],
            (_, PurgeKernels) => vec!["remove", "--oldinstallonly", "--limit=1"],
            (_, Undo) => vec!["history", "undo", "last"],
            (Self::Dnf, Download) => vec!["distro-sync", "--downloadonly"],
            (Self::Dnf, Offline) => vec!["distro-sync", "--cacheonly"],
            (_, Download) => vec!["distro-sync", "--offline"],
            (_, Offline) => vec!["offline", "_execute"],
            (_, Install(package)) => name("install", package),
            (_, Remove(package)) => name("remove", package),
        }
    }

    /// Three kernels: the one that is installed, and what may come.
    pub fn releases(self) -> [&'static str; 3] {
        match self {
            Self::Zypper(_) => [packages::OLD, packages::NEW, "6.4.0-5-default"],
            _ => ["5.14.0-70.el9.x86_64", "5.14.0-162.el9.x86_64", "5.14.0-284.el9.x86_64"],
        }
    }

    /// The names of the kernel's package and of the driver's.
    pub fn names(self) -> (&'static str, &'static str) {
        if self.is_zypper() { ("kernel-default", "foo-kmp-default") } else { ("kernel-core", "kmod-foo") }
    }

    /// The package of the nth kernel, which exports what drivers need with this CRC.
    pub fn kernel(self, nth: usize, crc: u32) -> PackageBuilder {
        let kernel = kernel(self.releases()[nth], crc);
        if self.is_zypper() {
            return telling(&kernel);
        }
        let (version, rest) = kernel.krel().split_once('-').unwrap();
        let mut package = PackageBuilder::new("kernel-core", version, rest.trim_end_matches(".x86_64"));
        for (path, bytes) in kernel.clone().file("vmlinuz", "image").files() {
            package = package.file(path, bytes);
        }
        for symbol in ["module_layout", "printk", "changing"] {
            let crc = kernel.full_symvers().crc(symbol).unwrap();
            package = package.provides(&format!("kernel({symbol}) = {crc:#010x}"));
        }
        package
    }

    /// The driver, built for the nth kernel.
    pub fn driver(self, version: &str, nth: usize, crc: u32) -> PackageBuilder {
        let built_for: KernelBuilder = kernel(self.releases()[nth], crc);
        if self.is_zypper() {
            return packages::kmp("foo", version, &built_for, crc);
        }
        let module = built_for.driver("foo").need("printk", 0x1000_0001).need("changing", crc).build();
        let krel = built_for.krel();
        let call =
            |mode: &str| format!("echo /lib/modules/{krel}/extra/foo/foo.ko | weak-modules --{mode}-modules");
        PackageBuilder::kmod("foo", version, krel, [("foo.ko", module)])
            .scriptlet("post", &call("add"))
            .scriptlet("postun", &call("remove"))
    }

    /// The nth kernel, which says what it is, and of what source; for dnf.
    pub fn offered_kernel(self, nth: usize, crc: u32) -> PackageBuilder {
        let krel = self.releases()[nth];
        self.kernel(nth, crc)
            .provides(&format!("kernel-uname-r = {krel}"))
            .source(&format!("kernel-of-{nth}"))
    }

    /// The driver, with the dependencies that generators give it; for dnf.
    pub fn offered_driver(self, version: &str, nth: usize, crc: u32) -> PackageBuilder {
        self.driver(version, nth, crc)
            .provides("kmod(foo.ko)")
            .requires(&format!("kernel(changing) = {crc:#010x}"))
            .requires("kernel(printk) = 0x10000001")
    }

    /// The link of the driver in the nth kernel.
    pub fn link(self, nth: usize) -> String {
        let below = if self.is_zypper() { "updates" } else { "foo" };
        format!("usr/lib/modules/{}/weak-updates/{below}/foo.ko", self.releases()[nth])
    }
}

/// A system with a package manager, its repository, and kmp with its plugin.
pub struct Machine {
    pub site: Site,
    pub by: Manager,
}

impl Machine {
    /// With a kernel and the driver for it.
    pub fn new(by: Manager) -> Self {
        let machine = Self::bare(by);
        machine.install(&[by.kernel(0, 7), by.driver("1.0", 0, 7)]);
        machine
    }

    /// Without.
    pub fn bare(by: Manager) -> Self {
        Self::on(by, System::new(&[installed()]))
    }

    /// On a system that may have no kmp yet.
    pub fn on(by: Manager, system: System) -> Self {
        let mode = if let Manager::Zypper(mode) = by { mode } else { Mode::any() };
        let site = Site::on(system, mode);
        let root = site.root();
        if !by.is_zypper() {
            root.write(
                "etc/os-release",
                "ID=almalinux\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.6\"\n",
            );
            root.write(
                "etc/dnf/dnf.conf",
                "[main]\ngpgcheck=0\npkg_gpgcheck=0\nplugins=0\nbest=1\ninstallonlypkgs=kernel-core\ninstallonly_limit=3\n\
                 clean_requirements_on_remove=1\n",
            );
            root.write("etc/dnf/vars/releasever", "9\n");
            let repository = "[repo]\nname=repo\nbaseurl=file:///repo\ngpgcheck=0\n";
            root.write("etc/yum.repos.d/repo.repo", repository);
            let makes = testkit::makes_empty_initrds();
            root.write("usr/bin/dracut", format!("#!/bin/sh\necho \"$*\" >>/dracut.log\n{makes}"));
            make_executable(&root.join("usr/bin/dracut"));
        }
        root.mkdir("repo");
        Self { site, by }
    }

    pub fn root(&self) -> &TestRoot {
        self.site.root()
    }

    /// By rpm, without plugins and scriptlets.
    pub fn install(&self, packages: &[PackageBuilder]) {
        let packages = PackageBuilder::build_all(packages);
        self.site.install(&packages.iter().collect::<Vec<&Package>>());
    }

    /// The repository has an advisory about the nth kernel.
    pub fn advise(&self, nth: usize) {
        let krel = self.by.releases()[nth];
        let (name, _) = self.by.names();
        let (version, rest) = krel.split_once('-').unwrap();
        let release = rest.trim_end_matches("-default").trim_end_matches(".x86_64");
        self.site.advise(name, version, release);
    }

    /// Asks for it.
    pub fn ask(&self, operation: Operation<'_>) -> Output {
        let words = self.by.words(operation);
        match self.by {
            Manager::Zypper(_) => self.site.zypper(&words),
            Manager::Dnf => {
                self.site.system.run(&[], &[&["dnf", "--assumeyes", REFRESH], &words[..]].concat())
            }
            Manager::DnfSystemUpgrade => {
                let dnf =
                    "dnf --assumeyes --setopt=plugins=1 --disableplugin=* --enableplugin=system-upgrade";
                let line = match operation {
                    Offline => format!("{dnf} offline-distrosync reboot && {dnf} {}", words.join(" ")),
                    _ => format!("{dnf} {REFRESH} {}", words.join(" ")),
                };
                let variables = [("DNF_SYSTEM_UPGRADE_NO_REBOOT", "1")];
                self.site.system.run(&variables, &["sh", "-fc", &line])
            }
            Manager::Dnf5 => {
                let variables = [("DNF_SYSTEM_UPGRADE_NO_REBOOT", "1")];
                if matches!(operation, Offline) {
                    // What is done between the two: at the boot after it the transaction is carried out.
                    let line = "dnf5 --assumeyes offline reboot && dnf5 offline _execute";
                    return self.site.system.run(&variables, &["sh", "-c", line]);
                }
                self.site.system.run(&[], &[&["dnf5", "--assumeyes", REFRESH], &words[..]].concat())
            }
        }
    }

    /// It goes through, and kmp has nothing to say.
    #[track_caller]
    pub fn does(&self, operation: Operation<'_>) -> Output {
        let output = goes_through(self.ask(operation));
        let said = said(&output);
        // zypp-rpm prints what is done as well.
        assert!(!said.contains("error: kmp:") && !said.contains("warning: kmp:"), "{said}");
        assert!(!said.contains("scriptlet failed"), "{said}");
        output
    }

    /// It is stopped, and nothing has changed. What was said.
    #[track_caller]
    pub fn is_stopped(&self, operation: Operation<'_>, parts: &[&str]) -> String {
        let disk = || (self.site.state().0, self.installed());
        let before = disk();
        let output = self.ask(operation);
        let said = said(&output);
        assert!(!output.success(), "{operation:?}: {said}");
        for part in parts {
            assert!(said.contains(part), "{operation:?}, {part}: {said}");
        }
        assert_eq!(disk(), before, "{operation:?}: {said}");
        said
    }

    /// The packages that are there, sorted.
    pub fn installed(&self) -> Vec<String> {
        let output = self.site.sh("rpm -qa --qf '%{NAME}-%{VERSION}-%{RELEASE}\\n'").expect_success();
        let mut names: Vec<String> = output.stdout.lines().map(Into::into).collect();
        names.sort();
        names
    }

    /// How many packages of the kernel, and of the driver, there are.
    pub fn count(&self) -> (usize, usize) {
        let (kernel, driver) = self.by.names();
        let count = |name: &str| self.installed().iter().filter(|p| p.starts_with(name)).count();
        (count(kernel), count(driver))
    }
}

/// Everything that a program has printed.
pub fn said(output: &Output) -> String {
    format!("{}{}", output.stdout, output.stderr)
}
