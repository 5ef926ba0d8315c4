// SPDX-License-Identifier: LGPL-2.1-or-later
//! A system with zypper, a repository on disk, and kmp.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use testkit::{Output, Package, PackageBuilder, TestRoot, run, run_rpm};

use super::packages::{OLD, kernel, kmp, make_executable, plain_kmp};
use super::system::{System, installed};

/// How libzypp carries out a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A call of rpm for each package.
    Classic,
    /// All in one transaction, by `zypp-rpm`.
    Single,
}

impl Mode {
    /// One that this libzypp has: the first, as long as there is one.
    pub fn any() -> Self {
        if has_classic() { Self::Classic } else { Self::Single }
    }
}

/// Does this libzypp know the [second](Mode::Single)? The test that asks is skipped if not.
pub fn has_single_mode() -> bool {
    let has = ["/usr/libexec/zypp/zypp-rpm", "/usr/lib/zypp/zypp-rpm"].iter().any(|p| Path::new(p).exists());
    if !has {
        testkit::skip("this libzypp has no zypp-rpm, which 17.27 and later have");
    }
    has
}

/// Does this libzypp know the [first](Mode::Classic)? 17.38 works package by package only where it downloads them one by one, when it
/// needs them, so that none is there to be judged with the others. The test that asks is skipped if not.
pub fn has_classic_mode() -> bool {
    let has = has_classic();
    if !has {
        testkit::skip(
            "this libzypp has its classic mode only for packages that are downloaded as needed (17.38)",
        );
    }
    has
}

fn has_classic() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    let words = b"also selects the classic_rpmtrans backend";
    let program = || std::fs::read("/usr/bin/zypper").unwrap_or_default();
    *HAS.get_or_init(|| !program().windows(words.len()).any(|part| part == words))
}

/// Does this libzypp know conditions in rules (17.31.9)? zypper 1.14.60 came with it.
pub fn knows_rules() -> bool {
    let version = run(Command::new("zypper").arg("--version")).expect_success().stdout;
    let last = version.trim().rsplit('.').next().and_then(|n| n.parse::<u32>().ok());
    last.is_some_and(|last| last >= 60)
}

/// A system on which zypper works with the repository `/repo`.
pub struct Site {
    pub system: System,
    mode: Mode,
}

/// For dnf: look at the repository again. With `metadata_expire=0` alone, dnf 4.14 now and then takes what it has read in
/// the same second for current.
pub const REFRESH: &str = "--refresh";

/// The commit plugin, as it is installed.
pub const COMMIT_PLUGIN: &str = "usr/lib/zypp/plugins/commit/kmp";

impl Site {
    /// Nothing is installed but a package that stands for the system; kmp is there as `cargo xtask install` has it.
    pub fn bare(mode: Mode) -> Self {
        Self::on(System::new(&[installed()]), mode)
    }

    /// The same on a system of any kind, without kmp. What depmod is called for is noted.
    pub fn on(system: System, mode: Mode) -> Self {
        let site = Self { system, mode };
        let root = site.root();
        root.write("etc/zypp/zypp.conf", "[main]\nmultiversion = provides:multiversion(kernel)\n");
        let repository = "[repo]\nname=repo\nenabled=1\nautorefresh=1\nbaseurl=dir:///repo\ngpgcheck=0\n";
        root.write("etc/zypp/repos.d/repo.repo", repository);
        root.write(
            "usr/sbin/depmod",
            "#!/bin/sh\necho \"$@\" >>/depmod.log\nexec /usr/libexec/as/depmod \"$@\"\n",
        );
        make_executable(&root.join("usr/sbin/depmod"));
        root.symlink("usr/libexec/as/depmod", "/usr/bin/kmod");
        site.install(&[&PackageBuilder::new("system", "1", "1").provides("/bin/sh").build()]);
        site
    }

    /// With an old kernel, and drivers for it: `foo`, which needs what the new kernel changes, and `bar`, which does not.
    pub fn new(mode: Mode) -> Self {
        let site = Self::bare(mode);
        let old = kernel(OLD, 7);
        let packages =
            [PackageBuilder::kernel(&old), kmp("foo", "1.0", &old, 7), plain_kmp("bar", "1.0", &old)];
        site.install(&PackageBuilder::build_all(&packages).iter().collect::<Vec<_>>());
        site
    }

    pub fn root(&self) -> &TestRoot {
        &self.system.root
    }

    /// Runs a shell's line in it.
    pub fn sh(&self, line: &str) -> Output {
        self.system.run(&[], &["sh", "-c", line])
    }

    /// Puts packages there by rpm, without plugins.
    pub fn install(&self, packages: &[&Package]) {
        for package in packages {
            self.copy(package, "var/tmp");
        }
        self.sh("rpm -i --nodeps --noplugins --noscripts /var/tmp/*.rpm && rm /var/tmp/*.rpm")
            .expect_success();
    }

    /// Copies a package's file into a directory.
    pub fn copy(&self, package: &Package, directory: &str) {
        let file = package.path().file_name().unwrap().to_str().unwrap();
        self.root().write(format!("{directory}/{file}"), std::fs::read(package.path()).unwrap());
    }

    /// Adds packages to the repository.
    pub fn offer(&self, packages: &[PackageBuilder]) {
        let packages = PackageBuilder::build_all(packages);
        self.offer_files(packages.iter().map(Package::path));
    }

    /// The same for files of packages.
    pub fn offer_files<'p>(&self, files: impl IntoIterator<Item = &'p Path>) {
        for file in files {
            self.open_directories(file);
            let name = Path::new("repo").join(file.file_name().unwrap());
            self.root().write(name, std::fs::read(file).unwrap());
        }
        run(Command::new("createrepo_c").arg("--quiet").arg(self.root().join("repo"))).expect_success();
    }

    /// In a user namespace the machine's /usr belongs to a user whom the namespace does not know, and an overlay lets nobody add
    /// to such a directory. It does where the upper layer has the directory as well: makes those that a package puts files in.
    fn open_directories(&self, package: &Path) {
        if testkit::has_the_machines_root() {
            return;
        }
        let files = run_rpm(Command::new("rpm").args(["-qp", "--qf", "[%{FILENAMES}\n]"]).arg(package));
        for file in files.expect_success().lines() {
            let in_usr =
                |way: &&Path| way.starts_with("/usr") && way.symlink_metadata().is_ok_and(|at| at.is_dir());
            if let Some(way) = Path::new(file).ancestors().find(in_usr) {
                self.root().mkdir(way.strip_prefix("/").unwrap());
            }
        }
    }

    /// The repository has an advisory about this package, and no other.
    pub fn advise(&self, name: &str, version: &str, release: &str) {
        let text = format!(
            "<?xml version=\"1.0\"?><updates><update from=\"x\" status=\"stable\" type=\"security\" version=\"1\">\
             <id>KMP-1</id><title>A kernel</title><issued date=\"2026-01-01 00:00:00\"/><severity>Important</severity>\
             <description>x</description><references/><pkglist><collection short=\"x\"><name>x</name>\
             <package name=\"{name}\" epoch=\"0\" version=\"{version}\" release=\"{release}\" arch=\"x86_64\" \
             src=\"{name}.src.rpm\"><filename>{name}-{version}-{release}.x86_64.rpm</filename></package>\
             </collection></pkglist></update></updates>\n"
        );
        self.root().write("updateinfo.xml", text);
        let mut modify = Command::new("modifyrepo_c");
        modify.arg("--mdtype=updateinfo").arg(self.root().join("updateinfo.xml"));
        run(modify.arg(self.root().join("repo/repodata"))).expect_success();
    }

    /// `zypper --non-interactive ARGUMENTS`.
    pub fn zypper(&self, arguments: &[&str]) -> Output {
        self.zypper_with(&[], arguments)
    }

    /// The same, with variables.
    pub fn zypper_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
        let mut variables = variables.to_vec();
        // Which of them is the default depends on the version.
        variables.push(match self.mode {
            Mode::Classic => ("ZYPP_CLASSIC_RPMTRANS", "1"),
            Mode::Single => ("ZYPP_SINGLE_RPMTRANS", "1"),
        });
        let output = self.system.run(&variables, &[&["zypper", "--non-interactive"], arguments].concat());
        let is_single = output.stdout.contains("single_rpmtrans");
        // Without a transaction there is no word of it.
        let is_asked = output.stdout.contains("Continue? ");
        let has_mode = is_single == (self.mode == Mode::Single);
        assert!(has_mode || !is_asked, "this libzypp has no such mode: {output}");
        output
    }

    /// All of the disk that concerns us, and the database.
    pub fn state(&self) -> (BTreeMap<PathBuf, String>, Vec<u8>) {
        let mut tree = self.root().tree();
        tree.retain(|path, _| path.starts_with("usr/lib/modules") || path.starts_with("boot"));
        (tree, std::fs::read(self.root().join("var/lib/rpm/rpmdb.sqlite")).unwrap())
    }

    /// Is a package of that name and version there?
    pub fn has(&self, name: &str) -> bool {
        self.sh(&format!("rpm -q {name}")).success()
    }
}

/// Did zypper do it? It has codes of its own for what is to be restarted afterwards.
#[track_caller]
pub fn goes_through(output: Output) -> Output {
    assert!(matches!(output.status, Some(0 | 102 | 103)), "{output}");
    output
}
