// SPDX-License-Identifier: LGPL-2.1-or-later
//! What needs a process of its own: what reaches stderr, other libraries, life as a guest.

#![allow(
    unsafe_code,
    clippy::multiple_unsafe_ops_per_block,
    reason = "one test plays the program that librpm belongs to"
)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use librpm_rt::{Error, Librpm};

use crate::package_file::package;
use crate::root::{Root, UPDATES, run};

/// Runs `child` below in a process of its own; gives its stderr.
pub fn child(case: &str, root: &Path, variables: &[(&str, &str)]) -> String {
    String::from_utf8(run(&mut child_command(case, root, variables)).stderr).unwrap()
}

fn child_command(case: &str, root: &Path, variables: &[(&str, &str)]) -> Command {
    program_command(&std::env::current_exe().unwrap(), case, root, variables)
}

fn program_command(program: &Path, case: &str, root: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    command.args(["--exact", "guest::in_a_child", "--ignored", "--nocapture"]);
    command.env("CASE", case).env("ROOT", root).envs(variables.iter().copied());
    command
}

#[test]
#[ignore = "a part of the other tests, which start it"]
fn in_a_child() {
    let Some(case) = std::env::var_os("CASE") else { return };
    let root = std::env::var_os("ROOT").unwrap();
    let root = Path::new(&root);
    match case.to_str().unwrap() {
        "damaged" => {
            Librpm::load().unwrap().open(root).unwrap_err();
        }
        "no symbol" => {
            let error = Librpm::load().unwrap_err();
            assert!(matches!(error, Error::MissingSymbol { .. }), "{error}");
            assert!(error.to_string().contains("librpm.so.10 has no function rpm"), "{error}");
        }
        "not loaded" => {
            let error = Librpm::loaded().unwrap_err();
            assert!(matches!(error, Error::NotLoaded { .. }), "{error}");
            let own = Librpm::load().unwrap();
            assert!(!own.is_guest());
            assert_eq!(Librpm::loaded().unwrap().soname(), own.soname());
        }
        "guest" => {
            let rpm = Librpm::loaded().unwrap();
            assert!(rpm.is_guest());
            assert_eq!(rpm.open(root).unwrap().all().unwrap().len(), 3);
        }
        "damaged guest" => {
            let error = Librpm::loaded().unwrap().open(root).unwrap_err();
            assert!(matches!(error, Error::Open { .. }), "{error}");
        }
        "package" => {
            let rpm = Librpm::load().unwrap();
            let mut package = rpm.open_package(root).unwrap();
            assert_eq!(package.package(&|_| true).unwrap().name, "drv-kmp-default");
            package.read_files(&|_| true, 1 << 20, &mut |_, _| ControlFlow::Continue(())).unwrap();
            rpm.open_package(&std::env::current_exe().unwrap()).unwrap_err();
        }
        "unreadable package" => {
            let error = Librpm::load().unwrap().open_package(root).unwrap_err();
            assert!(error.to_string().contains("Permission denied"), "{error}");
        }
        "handed over" => handed_over(Librpm::loaded().unwrap(), root),
        other => panic!("no such case: {other}"),
    }
}

fn damaged() -> Root {
    let root = Root::new();
    root.without_wal();
    File::create(root.file()).unwrap();
    root
}

#[test]
fn nothing_of_librpm_reaches_stderr() {
    assert_eq!(child("damaged", damaged().path(), &[]), "");
}

#[test]
fn a_library_without_a_function_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("empty.c");
    fs::write(&source, "int nothing;\n").unwrap();
    run(Command::new("cc").args(["-shared", "-o"]).arg(dir.path().join("librpm.so.10")).arg(&source));
    child("no symbol", dir.path(), &[("LD_LIBRARY_PATH", dir.path().to_str().unwrap())]);
}

#[test]
fn only_a_library_that_is_there_makes_a_guest() {
    let root = Root::new();
    child("not loaded", root.path(), &[]);
    let rpm = Librpm::load().unwrap();
    child("guest", root.path(), &[("LD_PRELOAD", rpm.soname())]);
    child("damaged guest", damaged().path(), &[("LD_PRELOAD", rpm.soname())]);
}

#[test]
fn an_unreadable_package_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = dir.path().join("secret.rpm");
    fs::copy(package("w6.gzdio"), &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let mut command = child_command("unreadable package", &path, &[]);
    // Root may read everything.
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        if !testkit::has_other_users() {
            return;
        }
        // Where the tests were built may be nobody's to look into.
        let program = dir.path().join("tests");
        // By another process, for what is open for writing in this one cannot be run.
        run(Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program));
        command = program_command(&program, "unreadable package", &path, &[]);
        command.uid(65534).gid(65534);
    }
    run(&mut command);
}

#[test]
fn a_host_hands_over_headers_and_open_files() {
    let rpm = Librpm::load().unwrap();
    let stderr = child("handed over", &package("w3.zstdio"), &[("LD_PRELOAD", rpm.soname())]);
    assert_eq!(stderr, "");
}

/// Looks up a function of the librpm in this process.
fn host<F: Copy>(rpm: Librpm, name: &CStr) -> F {
    let soname = CString::new(rpm.soname()).unwrap();
    // SAFETY: both names end in NUL; the library is there already, and stays.
    let symbol = unsafe {
        let handle = libc::dlopen(soname.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD);
        assert!(!handle.is_null());
        libc::dlsym(handle, name.as_ptr())
    };
    assert!(!symbol.is_null(), "{name:?}");
    // SAFETY: the caller names the function's type.
    unsafe { std::mem::transmute_copy(&symbol) }
}

/// Plays the host: opens the package itself, after something else in the same file.
fn handed_over(rpm: Librpm, path: &Path) {
    assert!(rpm.is_guest());
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("long");
    fs::write(&long, [b"x".repeat(1000), fs::read(path).unwrap()].concat()).unwrap();
    let name = CString::new(long.as_os_str().as_bytes()).unwrap();
    let fopen: unsafe extern "C" fn(*const c_char, *const c_char) -> *mut c_void = host(rpm, c"Fopen");
    let fclose: unsafe extern "C" fn(*mut c_void) -> c_int = host(rpm, c"Fclose");
    let fileno: unsafe extern "C" fn(*mut c_void) -> c_int = host(rpm, c"Fileno");
    let create: unsafe extern "C" fn() -> *mut c_void = host(rpm, c"rpmtsCreate");
    let free: unsafe extern "C" fn(*mut c_void) -> *mut c_void = host(rpm, c"rpmtsFree");
    let set_flags: unsafe extern "C" fn(*mut c_void, u32) -> u32 = host(rpm, c"rpmtsSetVSFlags");
    let header_free: unsafe extern "C" fn(*mut c_void) -> *mut c_void = host(rpm, c"headerFree");
    type ReadPackage =
        unsafe extern "C" fn(*mut c_void, *mut c_void, *const c_char, *mut *mut c_void) -> c_int;
    let read_package: ReadPackage = host(rpm, c"rpmReadPackageFile");
    let updates = |dir: &[u8]| dir == UPDATES;
    let everything: &dyn Fn(&Path) -> bool = &|_| true;
    let go_on: &mut librpm_rt::TakeFile<'_> = &mut |_, _| ControlFlow::Continue(());

    // SAFETY: librpm's functions, called as its own programs call them.
    unsafe {
        let fd = fopen(name.as_ptr(), c"r.ufdio".as_ptr());
        let position = || libc::lseek(fileno(fd), 0, libc::SEEK_CUR);
        assert_eq!(libc::lseek(fileno(fd), 1000, libc::SEEK_SET), 1000);
        let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
        let before = descriptors();
        let mut package = rpm.package_from_fd(BorrowedFd::borrow_raw(fileno(fd))).unwrap();
        assert_eq!(position(), 1000);
        assert_eq!(package.path(), long);
        let contents = package.contents(&updates).unwrap();
        assert_eq!(contents.package.provides.len(), 2001);
        for _ in 0..2 {
            let mut found = 0;
            package
                .read_files(everything, 1 << 20, &mut |paths, _| {
                    found += paths.len();
                    ControlFlow::Continue(())
                })
                .unwrap();
            assert_eq!(found, 57);
            assert_eq!(position(), 1000);
        }
        drop(package);
        assert_eq!(descriptors(), before);

        // The host goes on as if nothing had been.
        let ts = create();
        set_flags(ts, 0x000f_ff00);
        let mut header = std::ptr::null_mut();
        assert_eq!(read_package(ts, fd, name.as_ptr(), &raw mut header), 0);
        assert_eq!(rpm.borrowed_header(header, &updates).unwrap(), contents);
        header_free(header);
        free(ts);

        // Ours outlives the host's, and reads from where it was.
        assert_eq!(libc::lseek(fileno(fd), 1000, libc::SEEK_SET), 1000);
        let mut package = rpm.package_from_fd(BorrowedFd::borrow_raw(fileno(fd))).unwrap();
        assert_eq!(fclose(fd), 0);
        package.read_files(everything, 1 << 20, go_on).unwrap();

        let error = rpm.borrowed_header(std::ptr::null_mut(), &updates).unwrap_err();
        assert!(matches!(error, Error::Header { .. }), "{error}");
    }
}
