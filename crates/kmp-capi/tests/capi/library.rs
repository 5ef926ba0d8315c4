// SPDX-License-Identifier: LGPL-2.1-or-later
//! The shared library itself, linked once as `cargo xtask install` does, and programs that use it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;
use testkit::{TestRoot, run};

#[path = "../../link.rs"]
mod link;

pub const SOURCE: &str = env!("CARGO_MANIFEST_DIR");

/// A directory with libkmp.so.1, libkmp.so, and the C program of the cases.
pub fn built() -> &'static Path {
    static BUILT: OnceLock<TempDir> = OnceLock::new();
    let dir = BUILT.get_or_init(|| {
        let dir = TempDir::with_prefix("kmp-capi-").unwrap();
        let library = dir.path().join(link::SONAME);
        link::link(Path::new(SOURCE), &archive(), &library).unwrap();
        std::os::unix::fs::symlink(link::SONAME, dir.path().join("libkmp.so")).unwrap();
        let mut cc = Command::new("cc");
        cc.args(["-std=c99", "-g", "-Wall", "-Wextra", "-Werror", "-pedantic"]);
        cc.arg(format!("-I{SOURCE}/include")).arg("-o").arg(dir.path().join("cases"));
        cc.arg(format!("{SOURCE}/tests/capi/cases.c"));
        cc.arg("-L").arg(dir.path()).arg("-lkmp");
        run(&mut cc).expect_success();
        dir
    });
    dir.path()
}

/// The static library that cargo made beside this test; of several (older builds) the newest.
fn archive() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let deps = program.parent().unwrap();
    let found =
        [deps, deps.parent().unwrap()].into_iter().flat_map(|dir| fs::read_dir(dir).unwrap().flatten());
    found
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("libkmp_capi") && name.ends_with(".a")
        })
        .max_by_key(|path| path.metadata().unwrap().modified().unwrap())
        .expect("cargo builds libkmp_capi.a for this test")
}

/// The C program of the cases, run on a root.
pub fn c_program(root: &TestRoot, args: &[&str]) -> Command {
    let mut command = root.command(built().join("cases"));
    command.env("LD_LIBRARY_PATH", built()).arg(root.path()).args(args);
    command
}

#[test]
fn exactly_the_reviewed_symbols_are_exported() {
    let list = fs::read_to_string(format!("{SOURCE}/exports.txt")).unwrap();
    let shown = run(Command::new("nm").args(["-D", "--defined-only"]).arg(built().join(link::SONAME)));
    let shown = shown.expect_success();
    let mut exported: Vec<&str> = shown
        .stdout
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2))
        .filter(|name| !name.starts_with("KMP_"))
        .collect();
    exported.sort_unstable();
    assert_eq!(exported, list.lines().collect::<Vec<_>>());
}

/// A caller that ignores SIGCHLD, such as rpm by request of who started it, hears of depmod's success and failure.
#[test]
fn a_caller_that_ignores_its_children() {
    let (root, ..) = crate::both::root_with_two_kernels();
    let ignoring = |root: &TestRoot| {
        let mut command = root.command("env");
        command.arg("--ignore-signal=CHLD");
        command
    };
    let sync = |depmod: &str| {
        let program = c_program(&root, &["sync"]);
        let mut ignoring = ignoring(&root);
        ignoring.arg(program.get_program()).args(program.get_args()).env("LD_LIBRARY_PATH", built());
        run(ignoring.env("DEPMOD", depmod))
    };
    let shown = run(ignoring(&root).args(["grep", "SigIgn", "/proc/self/status"])).expect_success().stdout;
    let ignored = shown.trim().rsplit('\t').next().unwrap();
    // The bit of signal 17.
    assert_ne!(u64::from_str_radix(ignored, 16).unwrap() & 1 << 16, 0, "{shown}");
    let failed = sync("/bin/false");
    assert!(failed.stdout.contains("exit status: 1"), "{failed}");
    let good = sync("depmod");
    assert!(good.stdout.contains("depmod ran") && !good.stdout.contains("failed"), "{good}");
    assert!(sync("depmod").stdout.lines().all(|line| !line.contains("depmod")));
}

#[test]
fn it_is_never_unloaded_and_needs_no_librpm() {
    let shown = run(Command::new("readelf").arg("-d").arg(built().join(link::SONAME))).expect_success();
    assert!(shown.stdout.contains("NODELETE"), "{shown}");
    assert!(shown.stdout.contains("soname: [libkmp.so.1]"), "{shown}");
    assert!(!shown.stdout.contains("librpm"), "{shown}");
}

#[test]
fn the_manual_has_that_program() {
    let manual = fs::read_to_string(format!("{SOURCE}/doc/libkmp.3")).unwrap();
    let program = fs::read_to_string(format!("{SOURCE}/doc/check.py")).unwrap();
    let (licence, program) = program.split_once('\n').unwrap();
    assert!(licence.starts_with("# SPDX-License-Identifier: ") && manual.contains(program.trim_end()));
    for line in fs::read_to_string(format!("{SOURCE}/exports.txt")).unwrap().lines() {
        let name = line.split('@').next().unwrap();
        assert!(manual.contains(&format!("{name}(")), "{name} is not in libkmp(3)");
    }
}

#[test]
fn a_guest_loads_no_librpm() {
    let program = "import ctypes; kmp = ctypes.CDLL('libkmp.so.1'); out = ctypes.c_void_p()\n\
                   print(kmp.kmp_open(None, 1, ctypes.byref(out)), out.value, 'librpm' in open('/proc/self/maps').read())";
    let mut python = Command::new("python3");
    let said = run(python.env("LD_LIBRARY_PATH", built()).args(["-c", program])).expect_success();
    assert_eq!(said.stdout, "200 None False\n", "{said}");
}

#[test]
fn valgrind_finds_nothing() {
    let (root, new, _) = crate::both::root_with_two_kernels();
    let item = format!("+{}", new.path().display());
    for args in [
        &["check"][..],
        &["check", "nobody"],
        &["check", new.path().to_str().unwrap()],
        &["sync", "no-depmod"],
        &["judge", "-", &item],
    ] {
        let program = c_program(&root, args);
        let mut valgrind = root.command("valgrind");
        valgrind.args(["-q", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible"]);
        valgrind.arg("--error-exitcode=99").arg(format!("--suppressions={SOURCE}/tests/capi/valgrind.supp"));
        valgrind.env("LD_LIBRARY_PATH", built()).arg(program.get_program()).args(program.get_args());
        let said = run(&mut valgrind);
        assert!(!said.stderr.contains("=="), "{said}");
        assert!(said.status != Some(99), "{said}");
    }
}
