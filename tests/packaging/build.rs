// SPDX-License-Identifier: LGPL-2.1-or-later
//! Real rpmbuild on a spec file, with the project's macros and dependency generators, and kernels to build
//! for whose build system hands out a module that is there already.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use testkit::{KernelBuilder, Output, run, run_rpm};

use crate::corpus::KMP;

/// The workspace's directory for what is packaged.
pub fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging").canonicalize().unwrap()
}

pub struct Workshop {
    dir: TempDir,
    dialect: &'static str,
}

impl Workshop {
    pub fn new(dialect: &'static str) -> Self {
        let workshop = Self { dir: tempfile::tempdir().unwrap(), dialect };
        for dir in ["SOURCES", "SPECS", "kernels", "home", "tmp"] {
            std::fs::create_dir(workshop.path(dir)).unwrap();
        }
        workshop
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub fn source(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path("SOURCES").join(name), bytes).unwrap();
    }

    /// Macros that rpm reads after all others.
    pub fn further_macros(&self, text: &str) {
        std::fs::write(self.path("macros"), text).unwrap();
    }

    /// The tree to build modules for a kernel in: `make modules` makes `NAME.ko` of these bytes.
    pub fn kernel_tree(&self, directory: &str, krel: &str, name: &str, module: &[u8]) {
        let tree = self.path("kernels").join(directory);
        std::fs::create_dir_all(tree.join("include/config")).unwrap();
        std::fs::write(tree.join("include/config/kernel.release"), format!("{krel}\n")).unwrap();
        std::fs::write(tree.join("built.ko"), module).unwrap();
        let makefile = format!("modules:\n\ttest -f $(M)/Kbuild\n\tcp built.ko $(M)/{name}.ko\n");
        std::fs::write(tree.join("Makefile"), makefile).unwrap();
    }

    /// What the kernel exports, as its development package has it.
    pub fn symvers(&self, directory: &str, kernel: &KernelBuilder) {
        let path = self.path("kernels").join(directory).join("Module.symvers");
        std::fs::write(path, kernel.full_symvers().to_text()).unwrap();
    }

    /// A command of rpm's that knows the macros and generators as if they were installed.
    pub fn command(&self, program: &str) -> Command {
        let kernels = self.path("kernels").display().to_string();
        let mut macros = std::fs::read_to_string(packaging().join("macros.kmp")).unwrap();
        if self.dialect == "suse" {
            macros.push_str(&std::fs::read_to_string(packaging().join("macros.kmp-suse")).unwrap());
        }
        for attr in std::fs::read_dir(packaging().join("fileattrs")).unwrap() {
            macros.push_str(&std::fs::read_to_string(attr.unwrap().path()).unwrap());
        }
        for (name, value) in [
            ("_topdir", self.dir.path().display().to_string()),
            ("_tmppath", self.path("tmp").display().to_string()),
            ("_dbpath", self.path("db").display().to_string()),
            ("_fileattrsdir", packaging().join("fileattrs").display().to_string()),
            ("_kmp_dialect", self.dialect.into()),
            ("_kmp_command", KMP.into()),
            ("_kmp_kernels_suse", kernels.clone()),
            ("_kmp_kernels_redhat", kernels),
            ("_kmp_template", "/nonexistent".into()),
            ("debug_package", "%{nil}".into()),
        ] {
            macros.push_str(&format!("%{name} {value}\n"));
        }
        macros.push_str(&std::fs::read_to_string(self.path("macros")).unwrap_or_default());
        std::fs::write(self.path("home/.rpmmacros"), macros).unwrap();
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
        command.env("HOME", self.path("home")).current_dir(self.dir.path());
        command
    }

    /// What the spec file is after its macros were expanded.
    pub fn expanded(&self, spec: &str) -> Output {
        let file = self.path("SPECS/test.spec");
        std::fs::write(&file, spec).unwrap();
        run_rpm(self.command("rpmspec").arg("-P").arg(file))
    }

    /// Builds a spec file and returns the packages.
    #[track_caller]
    pub fn build(&self, spec: &Path) -> Vec<PathBuf> {
        let mut rpmbuild = self.command("rpmbuild");
        rpmbuild.args(["-bb", "--nodeps", "--target", "x86_64"]).arg(spec);
        run_rpm(&mut rpmbuild).expect_success();
        let found = run(Command::new("find").arg(self.path("RPMS")).args(["-name", "*.rpm"]));
        let mut files: Vec<PathBuf> = found.lines().into_iter().map(PathBuf::from).collect();
        files.sort();
        files
    }
}

/// `rpm -qp ARGS FILE`, line by line without duplicates and what rpm adds of its own.
pub fn query(file: &Path, what: &str) -> Vec<String> {
    let output = run_rpm(Command::new("rpm").args(["-qp", "--nosignature", what]).arg(file)).expect_success();
    let mut lines: Vec<String> =
        output.lines().into_iter().map(Into::into).filter(|l: &String| !l.starts_with("rpmlib(")).collect();
    lines.sort();
    lines.dedup();
    lines
}

/// The texts of a package's scriptlets, by name.
pub fn scriptlets(file: &Path) -> Vec<(String, String)> {
    let names = ["prein", "postin", "preun", "postun", "posttrans"];
    let scriptlet = |name: &str| {
        let format = format!("%{{{name}}}");
        let mut rpm = Command::new("rpm");
        rpm.args(["-qp", "--nosignature", "--qf", &format]).arg(file);
        (name.to_owned(), run_rpm(&mut rpm).expect_success().stdout)
    };
    names.iter().map(|name| scriptlet(name)).filter(|(_, text)| text != "(none)").collect()
}
