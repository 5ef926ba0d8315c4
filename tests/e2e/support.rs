// SPDX-License-Identifier: LGPL-2.1-or-later
//! A root, the command, and what the tests ask of both.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
pub use testkit::same_tree;
use testkit::{KernelBuilder, ModuleBuilder, Output, Package, PackageBuilder, TestRoot, run};

/// The command under test.
pub const KMP: &str = env!("CARGO_BIN_EXE_kmp");

/// The kernels of most tests: the second takes what was built for the first, the third does not.
pub const OLD: &str = "6.4.0-1-default";
pub const SAME: &str = "6.4.0-2-default";
pub const OTHER: &str = "6.4.0-3-default";

/// `kmp --root ROOT ARGS`.
pub fn command(root: &TestRoot, args: &[&str]) -> Command {
    let mut command = root.command(KMP);
    command.arg("--root").arg(root.path()).args(args);
    command
}

pub fn kmp(root: &TestRoot, args: &[&str]) -> Output {
    run(&mut command(root, args))
}

/// `kmp ARGS`, which exits with 0.
#[track_caller]
pub fn good(root: &TestRoot, args: &[&str]) -> Output {
    kmp(root, args).expect_success()
}

/// `kmp ARGS`, which exits with `status`.
#[track_caller]
pub fn ends(root: &TestRoot, args: &[&str], status: i32) -> Output {
    let output = kmp(root, args);
    assert_eq!(output.status, Some(status), "{output}");
    output
}

/// What `kmp ARGS --json` prints, whatever its exit status.
#[track_caller]
pub fn json(root: &TestRoot, args: &[&str]) -> Value {
    let output = kmp(root, &[args, &["--json"]].concat());
    let value: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output}"));
    assert_eq!(value["version"], 3, "{output}");
    value
}

/// `weak-modules2 --root ROOT ARGS`: the same binary by another name, with nothing on stdin.
pub fn wm2_command(root: &TestRoot, args: &[&str]) -> Command {
    let mut command = root.command(KMP);
    command.arg0("weak-modules2").arg("--root").arg(root.path()).args(args).stdin(Stdio::null());
    command
}

#[track_caller]
pub fn wm2(root: &TestRoot, args: &[&str]) -> Output {
    run(&mut wm2_command(root, args)).expect_success()
}

/// Kernels of Red Hat's kind, as [`OLD`], [`SAME`] and [`OTHER`] are of SUSE's; the first is what drivers are built for.
pub const EL_OLD: &str = "5.14.0-70.el9.x86_64";
pub const EL_SAME: &str = "5.14.0-162.el9.x86_64";
pub const EL_OTHER: &str = "5.14.0-284.el9.x86_64";

/// A root that says it is Red Hat's.
pub fn red_hat() -> TestRoot {
    let root = TestRoot::new();
    root.write("etc/os-release", "NAME=\"AlmaLinux\"\nID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\n");
    root
}

/// [`EL_OLD`], [`EL_SAME`] and [`EL_OTHER`], written.
pub fn el_kernels(root: &TestRoot) -> [KernelBuilder; 3] {
    let kernels = [kernel(EL_OLD, 7), kernel(EL_SAME, 7), kernel(EL_OTHER, 8)];
    kernels.iter().for_each(|k| write(k, root));
    kernels
}

/// A package `kmod-BASE` with these modules, which use what `kernel` exports.
pub fn kmod(base: &str, version: &str, kernel: &KernelBuilder, modules: &[(&str, ModuleBuilder)]) -> Package {
    let files = modules.iter().map(|(name, module)| (format!("{name}.ko"), module.build()));
    PackageBuilder::kmod(base, version, kernel.krel(), files).build()
}

/// `kmod-BASE` with one module `BASE.ko`.
pub fn kmod_one(base: &str, version: &str, kernel: &KernelBuilder, crc: u32) -> Package {
    kmod(base, version, kernel, &[(base, driver(base, kernel, crc))])
}

/// The links that a kernel gets for modules in `extra/DIRECTORY/` of other kernels, in Red Hat's dialect.
pub fn el_linked(modules: &[(&str, &str)]) -> Vec<String> {
    let link = |(path, origin): &(&str, &str)| {
        format!("weak-updates/{path}.ko -> /lib/modules/{origin}/extra/{path}.ko")
    };
    modules.iter().map(link).collect()
}

/// `weak-modules --basedir ROOT --no-initramfs ARGS` with a list on stdin.
pub fn wm_command(root: &TestRoot, args: &[&str], list: &str) -> Command {
    let mut command = root.command(KMP);
    command.arg0("weak-modules").arg("--basedir").arg(root.path()).arg("--no-initramfs").args(args);
    command.stdin(piped(list));
    command
}

#[track_caller]
pub fn wm(root: &TestRoot, args: &[&str], list: &str) -> Output {
    run(&mut wm_command(root, args, list)).expect_success()
}

/// Some symbols that every kernel of these tests exports.
pub fn kernel(krel: &str, crc: u32) -> KernelBuilder {
    KernelBuilder::new(krel).export("printk", 0x1000_0001).export("changing", crc)
}

pub fn write(kernel: &KernelBuilder, root: &TestRoot) {
    kernel.write(&root.path());
}

pub fn write_all(root: &TestRoot, kernels: &[&KernelBuilder]) {
    kernels.iter().for_each(|k| write(k, root));
}

/// [`OLD`], [`SAME`] and [`OTHER`], written.
pub fn three_kernels(root: &TestRoot) -> [KernelBuilder; 3] {
    let kernels = [kernel(OLD, 7), kernel(SAME, 7), kernel(OTHER, 8)];
    kernels.iter().for_each(|k| write(k, root));
    kernels
}

/// A module that uses what `kernel` exports.
pub fn driver(name: &str, kernel: &KernelBuilder, crc: u32) -> ModuleBuilder {
    kernel.driver(name).need("printk", 0x1000_0001).need("changing", crc)
}

/// A KMP with one module `NAME.ko` that uses what `kernel` exports.
pub fn one_module(base: &str, version: &str, kernel: &KernelBuilder, crc: u32) -> Package {
    package(base, version, kernel, &[(base, driver(base, kernel, crc))])
}

pub fn package(
    base: &str,
    version: &str,
    kernel: &KernelBuilder,
    modules: &[(&str, ModuleBuilder)],
) -> Package {
    let files = modules.iter().map(|(name, module)| (format!("{name}.ko"), module.build()));
    PackageBuilder::kmp(base, "default", version, kernel.krel(), files).build()
}

/// A KMP `acme` that exports a symbol with this CRC, and a KMP `acme_net` that uses it; both fit `kernel`.
pub fn pair(version: &str, kernel: &KernelBuilder, crc: u32, exported: u32) -> [Package; 2] {
    let acme = driver("acme", kernel, crc).export("acme_open", exported);
    let user = driver("acme_net", kernel, crc).need("acme_open", exported);
    [
        package("acme", version, kernel, &[("acme", acme)]),
        package("acme_net", version, kernel, &[("acme_net", user)]),
    ]
}

pub fn links(root: &TestRoot, krel: &str) -> Vec<String> {
    root.weak_updates(krel)
        .into_iter()
        .map(|(link, target)| format!("{} -> {}", link.display(), target.display()))
        .collect()
}

/// The links that a kernel gets for modules in `updates/` of other kernels.
pub fn linked(modules: &[(&str, &str)]) -> Vec<String> {
    let link = |(name, origin): &(&str, &str)| {
        format!("weak-updates/updates/{name}.ko -> /usr/lib/modules/{origin}/updates/{name}.ko")
    };
    modules.iter().map(link).collect()
}

/// What `modules.dep` of a kernel lists outside `kernel/`.
pub fn indexed(root: &TestRoot, krel: &str) -> Vec<String> {
    let text = root.read(format!("usr/lib/modules/{krel}/modules.dep"));
    let mut paths: Vec<String> = text
        .lines()
        .filter_map(|line| line.split(':').next())
        .filter(|path| !path.starts_with("kernel/"))
        .map(Into::into)
        .collect();
    paths.sort();
    paths
}

/// The root, kmp's run-time files and what holds them aside.
pub fn tree(root: &TestRoot) -> BTreeMap<PathBuf, String> {
    let mut tree = root.tree();
    tree.retain(|path, _| !path.starts_with("run/kmp"));
    tree
}

/// `rpm -i` also of what is older than what is there.
#[track_caller]
pub fn install(root: &TestRoot, packages: &[&Package]) {
    let options = ["-i", "--oldpackage", "--noscripts", "--nodeps"].map(OsStr::new);
    root.rpm(options.into_iter().chain(packages.iter().map(|p| p.path().as_os_str()))).expect_success();
}

/// `rpm -e` of a kernel. A real one owns depmod's index as %ghost files, which go with it.
#[track_caller]
pub fn erase_kernel(root: &TestRoot, krel: &str, package: &Package) {
    root.erase(&[package.nvr()]);
    let dir = root.join("usr/lib/modules").join(krel);
    for entry in std::fs::read_dir(&dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("modules.") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let _ = std::fs::remove_dir(dir);
}

/// The command does this, and writes nothing at all.
#[track_caller]
pub fn writes_nothing<T>(root: &TestRoot, run: impl FnOnce() -> T) -> T {
    let before = root.tree_with_times();
    let result = run();
    same_tree(&root.tree_with_times(), &before, "something was written");
    result
}

/// Makes a program of these lines. Not by this process: a script that is open for writing in a child of another test cannot
/// be run.
pub fn install_script(program: &std::path::Path, text: &str) {
    let made =
        Command::new("install").args(["-m", "755", "/dev/stdin"]).arg(program).stdin(piped(text)).status();
    assert!(made.unwrap().success());
}

/// A depmod that takes note of the kernels it runs for, and then calls the real one.
pub struct DepmodLog {
    program: PathBuf,
    log: PathBuf,
}

impl DepmodLog {
    pub fn new(root: &TestRoot) -> Self {
        Self::ending(root, "exec depmod \"$@\"")
    }

    /// One that fails for this kernel.
    pub fn failing_for(root: &TestRoot, krel: &str) -> Self {
        Self::ending(
            root,
            &format!("[ \"$krel\" = {krel} ] && {{ echo broken >&2; exit 3; }}\nexec depmod \"$@\""),
        )
    }

    fn ending(root: &TestRoot, end: &str) -> Self {
        let (program, log) = (root.home().join("depmod"), root.home().join("depmod.log"));
        let text = format!("#!/bin/sh\nfor krel; do :; done\necho \"$krel\" >> '{}'\n{end}\n", log.display());
        install_script(&program, &text);
        Self { program, log }
    }

    /// `kmp ARGS` with it.
    pub fn kmp(&self, root: &TestRoot, args: &[&str]) -> Output {
        run(command(root, args).env("DEPMOD", &self.program).env("KMP_INDEX", "depmod"))
    }

    /// `weak-modules2 ARGS` with it.
    pub fn wm2(&self, root: &TestRoot, args: &[&str]) -> Output {
        run(wm2_command(root, args).env("DEPMOD", &self.program).env("KMP_INDEX", "depmod"))
    }

    /// The program.
    pub fn program(&self) -> &std::path::Path {
        &self.program
    }

    /// The kernels that it ran for since it was asked last, sorted.
    pub fn runs(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let _ = std::fs::remove_file(&self.log);
        let mut runs: Vec<String> = text.lines().map(Into::into).collect();
        runs.sort();
        runs
    }
}

/// Text as a child's stdin.
pub fn piped(text: &str) -> Stdio {
    use std::io::{Seek, Write};
    let mut file = tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    file.into()
}

fn tempfile() -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    const O_TMPFILE: i32 = 0o20_200_000;
    std::fs::OpenOptions::new().read(true).write(true).custom_flags(O_TMPFILE).open(std::env::temp_dir())
}
