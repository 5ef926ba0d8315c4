// SPDX-License-Identifier: LGPL-2.1-or-later
//! Roots in which rpm loads the plugin.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use testkit::{KernelBuilder, Output, Package, PackageBuilder, TestRoot, run, run_rpm, xtask};

pub const OLD: &str = "6.4.0-1-default";
pub const NEW: &str = "6.4.0-3-default";
const MODULES: &str = "/usr/lib/modules";

/// Libraries that have to be in rpm before all else, where the plugin was built with sanitizers: their runtime.
pub const PRELOAD: &str = "KMP_PLUGIN_PRELOAD";

/// Has them loaded. What rpm itself leaks would be told too, so leaks are left to valgrind, which knows whose they are.
fn preload(command: &mut Command) {
    if let Some(libraries) = std::env::var_os(PRELOAD) {
        command.env("LD_PRELOAD", libraries).env("ASAN_OPTIONS", "detect_leaks=0:exitcode=99");
        command.env("UBSAN_OPTIONS", "print_stacktrace=1");
    }
}

/// The plugin, built for tests: it can be told to fail by its environment. `KMP_PLUGIN` names one that is built already.
pub fn plugin() -> &'static Path {
    static PLUGIN: OnceLock<PathBuf> = OnceLock::new();
    PLUGIN.get_or_init(|| {
        if let Some(built) = std::env::var_os("KMP_PLUGIN") {
            return built.into();
        }
        let output = run(xtask().args(["plugin", "--faults", "--debug"])).expect_success();
        output.stdout.trim().into()
    })
}

/// A root with an old kernel, and drivers for it: `foo`, which needs what the new kernel changes, and `bar`, which does not.
/// rpm loads the plugin in it.
pub fn site() -> TestRoot {
    let root = bare();
    let old = kernel(OLD, 7);
    let kmps = [kmp("foo", "1.0", &old, 7).build(), plain_kmp("bar", "1.0", &old).build()];
    root.install(&[&PackageBuilder::kernel(&old).build(), &kmps[0], &kmps[1]]);
    turn_on(&root);
    root
}

/// A root in which scripts and depmod run.
pub fn bare() -> TestRoot {
    let root = TestRoot::new();
    root.add_program("/bin/sh", "/usr/bin/sh");
    root.add_program("/sbin/depmod", "/usr/libexec/depmod");
    root.write("usr/sbin/depmod", "#!/bin/sh\necho \"$@\" >> /depmod.log\nexec /usr/libexec/depmod \"$@\"\n");
    make_executable(&root.join("usr/sbin/depmod"));
    // The same for depmod outside of it, which is used where nothing is chrooted.
    let outside = root.home().join("bin/depmod");
    std::fs::create_dir(root.home().join("bin")).unwrap();
    let log = root.join("depmod.log");
    std::fs::write(
        &outside,
        format!("#!/bin/sh\necho \"$@\" >> {}\nexec /sbin/depmod \"$@\"\n", log.display()),
    )
    .unwrap();
    make_executable(&outside);
    // By that path it is named in either.
    root.symlink(&outside, "/usr/sbin/depmod");
    root.write("dev/null", "");
    root
}

pub fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

pub fn turn_on(root: &TestRoot) {
    root.set_macro("__plugindir", &plugin().parent().unwrap().display().to_string());
    root.set_macro("__transaction_kmp", "%{__plugindir}/kmp.so");
}

pub fn turn_off(root: &TestRoot) {
    root.set_macro("__transaction_kmp", "%{nil}");
}

/// `rpm --root ROOT ARGS` with variables.
pub fn rpm_with<S: AsRef<OsStr>>(
    root: &TestRoot,
    variables: &[(&str, &str)],
    args: impl IntoIterator<Item = S>,
) -> Output {
    let mut command = root.command("rpm");
    command.env("DEPMOD", root.home().join("bin/depmod")).env("KMP_INDEX", "depmod");
    command.envs(variables.iter().copied()).arg("--root").arg(root.path());
    preload(&mut command);
    run_rpm(command.args(args))
}

/// `rpm OPTIONS --nodeps --ignorearch FILES`.
pub fn rpm(root: &TestRoot, options: &[&str], packages: &[&Package]) -> Output {
    rpm_env(root, &[], options, packages)
}

pub fn rpm_env(root: &TestRoot, env: &[(&str, &str)], options: &[&str], packages: &[&Package]) -> Output {
    let options = options.iter().chain(&["--nodeps"]).map(OsStr::new);
    rpm_with(root, env, options.chain(packages.iter().map(|p| p.path().as_os_str())))
}

pub fn kernel(krel: &str, crc: u32) -> KernelBuilder {
    KernelBuilder::new(krel).export("printk", 0x1000_0001).export("changing", crc)
}

/// A kernel's package that tells its symbols by its Provides.
pub fn telling(kernel: &KernelBuilder) -> PackageBuilder {
    PackageBuilder::kernel(kernel).ksyms("default", &kernel.full_symvers())
}

/// A KMP that needs what kernels change.
pub fn kmp(base: &str, version: &str, kernel: &KernelBuilder, crc: u32) -> PackageBuilder {
    let module = kernel.driver(base).need("printk", 0x1000_0001).need("changing", crc);
    PackageBuilder::kmp(base, "default", version, kernel.krel(), [(format!("{base}.ko"), module.build())])
}

/// A KMP that works with every kernel here.
pub fn plain_kmp(base: &str, version: &str, kernel: &KernelBuilder) -> PackageBuilder {
    let module = kernel.driver(base).need("printk", 0x1000_0001);
    PackageBuilder::kmp(base, "default", version, kernel.krel(), [(format!("{base}.ko"), module.build())])
}

pub fn link(krel: &str, base: &str) -> String {
    format!("{MODULES}/{krel}/weak-updates/updates/{base}.ko")
}

/// Lines for files, the database's files, and the names of packages.
pub type State = (BTreeMap<PathBuf, String>, BTreeMap<PathBuf, Vec<u8>>, Vec<String>);

/// Everything on the disk, with the database's files byte for byte, and what rpm says is installed.
pub fn state(root: &TestRoot) -> State {
    let installed = root.installed();
    let files = std::fs::read_dir(root.join("var/lib/rpm")).unwrap().map(|e| e.unwrap().path());
    let database = files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    (root.tree(), database, installed)
}

/// How often depmod ran for each kernel since the log was last read.
pub fn depmods(root: &TestRoot) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    if root.exists("depmod.log") {
        for line in root.read("depmod.log").lines() {
            let release = line.split(' ').next_back().unwrap_or_default();
            *counts.entry(release.to_string()).or_default() += 1;
        }
        std::fs::remove_file(root.join("depmod.log")).unwrap();
    }
    counts
}
