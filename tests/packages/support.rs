// SPDX-License-Identifier: LGPL-2.1-or-later
//! The packages, built once, and roots to put them in.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use testkit::{Output, Package, PackageBuilder, TestRoot, run, run_rpm};

use crate::updates::site::Mode;

/// All that are to be installed; the debug information and the sources are not.
pub const NAMES: &[&str] = &[
    "kmp",
    "kmp-rpm-macros",
    "kmp-scriptlets",
    "kmp-weak-modules",
    "kmp-weak-modules2",
    "libkmp-devel",
    "libkmp1",
    "python3-kmp",
    "rpm-plugin-kmp",
];

/// Directories that every distribution's own packages have.
const DIRECTORIES: &[&str] = &[
    "usr/include",
    "usr/lib/rpm/fileattrs",
    "usr/lib/rpm/macros.d",
    "usr/lib/tmpfiles.d",
    "usr/share/doc",
    "usr/share/licenses",
    "usr/share/man/man3",
    "usr/share/man/man5",
    "usr/share/man/man7",
    "usr/share/man/man8",
    "usr/share/man",
    "usr/share",
];

/// All that rpmbuild made with this release. `KMP_PACKAGES` names a directory that has release 1 already, `KMP_PACKAGES_2`
/// one that has release 2.
pub fn all_of(release: u8) -> &'static [PathBuf] {
    static BUILT: [OnceLock<Vec<PathBuf>>; 2] = [const { OnceLock::new() }; 2];
    // Both by the first that asks: they are built in one place.
    static ORDER: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _order = ORDER.lock();
    BUILT[usize::from(release) - 1].get_or_init(|| {
        let variable = if release == 1 { "KMP_PACKAGES" } else { "KMP_PACKAGES_2" };
        if let Some(built) = std::env::var_os(variable) {
            let entries = std::fs::read_dir(built).unwrap();
            return entries.map(|entry| entry.unwrap().path()).collect();
        }
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("packages-{release}"));
        let _ = std::fs::remove_dir_all(&out);
        let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
        xtask.args(["rpm", "--release", &release.to_string(), "--out"]).arg(&out);
        run(&mut xtask).expect_success().lines().into_iter().map(PathBuf::from).collect()
    })
}

/// One package of a release.
pub fn package(name: &str, release: u8) -> &'static Path {
    let start = format!("{name}-{}-{release}.", env!("CARGO_PKG_VERSION"));
    let is_it = |p: &&PathBuf| {
        let file = p.file_name().unwrap().to_str().unwrap();
        file.starts_with(&start) && !file.ends_with(".src.rpm")
    };
    all_of(release)
        .iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("there is no {start}*: {:?}", all_of(release)))
}

/// One of those that rpmbuild makes as for EL; `KMP_PACKAGES_REDHAT` names a directory that has them already.
pub fn red_hat(name: &str) -> &'static Path {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        if let Some(built) = std::env::var_os("KMP_PACKAGES_REDHAT") {
            return std::fs::read_dir(built).unwrap().map(|entry| entry.unwrap().path()).collect();
        }
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages-redhat");
        let _ = std::fs::remove_dir_all(&out);
        let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
        xtask.args(["rpm", "--dialect", "redhat", "--out"]).arg(&out);
        run(&mut xtask).expect_success().lines().into_iter().map(PathBuf::from).collect()
    });
    let start = format!("{name}-{}-1.el9.", env!("CARGO_PKG_VERSION"));
    let is_it = |p: &&PathBuf| {
        let file = p.file_name().unwrap().to_str().unwrap();
        file.starts_with(&start) && !file.ends_with(".src.rpm")
    };
    built.iter().find(is_it).unwrap_or_else(|| panic!("there is no {start}*: {built:?}"))
}

pub fn packages(release: u8) -> Vec<&'static Path> {
    NAMES.iter().map(|name| package(name, release)).collect()
}

/// `rpm -qp`: what a query format makes of a package file, line by line.
pub fn query(package: &Path, format: &str) -> Vec<String> {
    let output = run_rpm(Command::new("rpm").args(["-qp", "--qf", format]).arg(package)).expect_success();
    output.lines().into_iter().map(Into::into).collect()
}

pub fn libdir() -> String {
    run(Command::new("rpm").args(["--eval", "%{_libdir}"])).stdout.trim().into()
}

/// Where rpm looks for its plugins. Not below [`libdir`] on every distribution.
pub fn plugindir() -> String {
    run(Command::new("rpm").args(["--eval", "%{__plugindir}"])).stdout.trim().into()
}

pub fn docdir() -> String {
    run(Command::new("rpm").args(["--eval", "%{_defaultdocdir}"])).stdout.trim().into()
}

/// Where Python looks for modules of packages: as the distribution's macro says; else as the spec file does.
pub fn pythondir() -> String {
    let macros = run(Command::new("rpm").args(["--eval", "%{?python3_sitelib}"])).stdout;
    if !macros.trim().is_empty() {
        return macros.trim().into();
    }
    let ask = r#"import sysconfig; print(sysconfig.get_path("purelib", "posix_prefix", {"base": "/usr"}))"#;
    run(Command::new("python3").args(["-c", ask])).expect_success().stdout.trim().into()
}

/// What all our packages ask of others; dependencies among ours are left to rpm.
pub fn wanted() -> Vec<String> {
    wanted_of(&packages(1))
}

/// The same for some packages.
pub fn wanted_of(packages: &[&Path]) -> Vec<String> {
    let all = |format: &str| packages.iter().flat_map(|p| query(p, format)).collect::<Vec<String>>();
    let provided = all("[%{PROVIDENAME}\n]");
    let mut wanted = all("[%{REQUIRENAME}\n]");
    wanted.sort();
    wanted.dedup();
    wanted.retain(|name| !provided.contains(name) && !name.starts_with("rpmlib("));
    assert!(wanted.contains(&"kmod".to_string()), "{wanted:?}");
    wanted
}

/// A package with all of that.
pub fn base() -> &'static Package {
    static BASE: OnceLock<Package> = OnceLock::new();
    BASE.get_or_init(|| {
        let mut package = PackageBuilder::new("base", "1", "1");
        for directory in DIRECTORIES {
            package = package.directory(directory);
        }
        package = package.directory(format!("{}/pkgconfig", libdir().trim_start_matches('/')));
        package = package.directory(pythondir().trim_start_matches('/'));
        for name in wanted() {
            package = match name.starts_with('/') {
                // A file is provided by its package.
                true => {
                    package.file(name.trim_start_matches('/'), "stands for a program of the distribution\n")
                }
                false => package.provides(&name),
            };
        }
        package.build()
    })
}

/// A root with a shell, ldconfig, rpm and depmod, in which rpm runs chrooted as on a machine.
pub fn root() -> TestRoot {
    let root = TestRoot::new();
    root.add_program("/usr/bin/rpm", "/usr/bin/rpm");
    root.add_librpm();
    let macros = std::fs::read_to_string("/usr/lib/rpm/macros").unwrap();
    root.write("usr/lib/rpm/macros", macros + "\n%_dbpath /var/lib/rpm\n");
    run(Command::new("cp").args(["-r", "/usr/lib/rpm/platform"]).arg(root.join("usr/lib/rpm")))
        .expect_success();
    root.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
    root.write("etc/group", "root:x:0:\n");
    for dir in ["proc", "dev", "root", "packages", "var/cache"] {
        root.mkdir(dir);
    }
    // What the distribution's packages have is there before ours come, and owned.
    let file = base().path().to_path_buf();
    root.rpm([OsStr::new("-i"), OsStr::new("--ignorearch"), file.as_os_str()]).expect_success();
    root.add_program("/bin/sh", "/bin/sh");
    root.add_program("/usr/bin/rm", "/usr/bin/rm");
    root.add_program("/sbin/ldconfig", "/sbin/ldconfig");
    root.add_program("/sbin/depmod", "/sbin/depmod");
    root.add_library("libgcc_s.so.1");
    root.write("dev/null", "");
    rpm(&root, &["--version"], &[]).expect_success();
    root
}

/// A program of the root, chrooted, with /proc and /dev/null, as on a machine; in namespaces of its own.
pub fn inside(root: &TestRoot, program: &str, args: &[OsString]) -> Output {
    let mut command = root.command("unshare");
    command.env("HOME", "/root").args(["--mount", "--pid", "--fork", "sh", "-ec"]);
    let enter = r#"mount -t proc proc "$1/proc"; mount --bind /dev/null "$1/dev/null"; exec chroot "$@""#;
    command.arg(enter).arg("sh").arg(root.path()).arg(program);
    run_rpm(command.args(args))
}

/// `rpm OPTIONS FILES`, inside, with the files put in first.
pub fn rpm(root: &TestRoot, options: &[&str], files: &[&Path]) -> Output {
    let mut args: Vec<OsString> = options.iter().map(OsString::from).collect();
    for file in files {
        let name = Path::new("/packages").join(file.file_name().unwrap());
        if !root.exists(&name) {
            root.write(&name, std::fs::read(file).unwrap());
        }
        args.push(name.into());
    }
    let output = inside(root, "/usr/bin/rpm", &args);
    std::fs::remove_dir_all(root.join("packages")).unwrap();
    root.mkdir("packages");
    output
}

/// rpm's plugin is where the rpm looks that our packages were built by; here it may be another, which takes no plugin from anywhere
/// else.
pub fn turn_on(root: &TestRoot, plugin: &Path) {
    let files = query(plugin, "[%{FILENAMES}\n]");
    let (dir, _) =
        files.iter().find_map(|file| file.rsplit_once('/').filter(|(_, n)| *n == "kmp.so")).unwrap();
    if dir != plugindir() {
        let macros = root.read("etc/rpm/macros");
        root.write("etc/rpm/macros", format!("{macros}%__plugindir {dir}\n"));
    }
}

/// Does zypper get to the end of packages as large as ours, which are built without optimisation? libzypp 17.38.16 now and then waits
/// for the end of a script, while its zypp-rpm waits to write of its progress more than a pipe holds. The test that asks is skipped
/// if not.
pub fn takes_large_packages() -> bool {
    // One that has no classic mode is that new.
    let takes = Mode::any() == Mode::Classic;
    if !takes {
        testkit::skip(
            "this libzypp now and then waits for its own zypp-rpm for ever, where packages are large (17.38)",
        );
    }
    takes
}
