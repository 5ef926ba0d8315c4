//! `cargo xtask plugin [--faults] [--debug]`: links rpm's plugin from C and libkmp.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::install_tree;

/// The system libraries that Rust's standard library needs. The unwinder comes from gcc's archive: a plugin that cannot be
/// loaded blocks rpm, so it needs nothing that librpm does not need as well.
const LIBRARIES: &[&str] =
    &["-static-libgcc", "-lgcc_eh", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"];

/// Against what a fault in the C code could be used for: overflows of the stack and of buffers whose size is known, jumps into
/// the middle of functions (Intel's CET, Arm's BTI and PAC). Not every compiler has all of them, and older ones have fewer.
const HARDENING: &[&[&str]] = &[
    &["-fstack-protector-strong"],
    &["-fstack-clash-protection"],
    &["-fcf-protection=full"],
    &["-mbranch-protection=standard"],
    &["-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3"],
    &["-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"],
];

/// Builds `kmp.so` and prints its path. `--faults`: with faults on purpose, for tests; `--debug`: unoptimised.
pub fn run(args: &[String]) -> Result<(), String> {
    let mut faults = false;
    let mut profile = "release";
    for arg in args {
        match arg.as_str() {
            "--faults" => faults = true,
            "--debug" => profile = "debug",
            other => return Err(format!("there is no option {other}; there are --faults and --debug")),
        }
    }
    println!("{}", build(faults, profile)?.display());
    Ok(())
}

/// Builds `kmp.so` in a profile (`release` or `debug`), and returns its path.
pub fn build(faults: bool, profile: &str) -> Result<PathBuf, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).ok_or("no workspace")?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| source.join("target"), PathBuf::from);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let packages = if faults { &["--package", "kmp-capi", "--lib"] } else { install_tree::PACKAGES };
    cargo.current_dir(source).args(["build", "--quiet"]).args(packages);
    cargo.arg("--target-dir").arg(&target);
    if profile == "release" {
        cargo.arg("--release");
    }
    if faults {
        cargo.args(["--features", "panic"]);
    }
    call(&mut cargo)?;

    // rpm wants the file to have the plugin's name; so the two kinds have a directory each.
    let directory = target.join(profile).join(if faults { "rpm-plugin-faults" } else { "rpm-plugin" });
    std::fs::create_dir_all(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    let result = directory.join("kmp.so");
    let plugin = source.join("rpm-plugin");
    // Linked beside and moved into place: it may be in use.
    let unfinished = directory.join(format!(".kmp.so.{}", std::process::id()));
    let mut cc = compiler();
    cc.args(["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O2", "-g", "-fPIC", "-shared"]);
    // A panic is caught inside of libkmp; for that, and for debuggers, the stack can be unwound.
    cc.args(["-fexceptions", "-fvisibility=hidden"]);
    if faults {
        cc.arg("-DKMP_TEST_FAULTS");
    }
    // What a distribution's builds add; its flags come last and win.
    let added = ["CFLAGS", "LDFLAGS"].map(|variable| std::env::var(variable).unwrap_or_default());
    cc.args(hardening(&added[0]));
    cc.args(added.iter().flat_map(|flags| flags.split_whitespace()));
    cc.arg("-I").arg(source.join("crates/kmp-capi/include"));
    for file in ["plugin.c", "guard.c", "sync.c", "librpm.c", "log.c", "named.c", "zypp.c"] {
        cc.arg(plugin.join(file));
    }
    cc.arg(target.join(profile).join("libkmp_capi.a"));
    cc.arg(format!("-Wl,--version-script={},-soname,kmp.so", plugin.join("kmp.map").display()));
    // rpm closes plugins; code that has thread-local destructors must not go away with that.
    cc.args([
        "-Wl,-z,nodelete",
        "-Wl,-z,relro,-z,now",
        "-Wl,--no-undefined",
        "-Wl,--gc-sections",
        "-Wl,--as-needed",
    ]);
    cc.args(LIBRARIES).arg("-o").arg(&unfinished);
    call(&mut cc)?;
    std::fs::rename(&unfinished, &result).map_err(|e| format!("{}: {e}", result.display()))?;
    Ok(result)
}

fn compiler() -> Command {
    Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
}

/// Those of [`HARDENING`] that the compiler has. A macro cannot be defined twice, so `CFLAGS` that define one keep it.
fn hardening(given: &str) -> Vec<&'static str> {
    let mut flags = Vec::new();
    for candidate in HARDENING {
        let is_macro = candidate.iter().any(|flag| flag.contains("FORTIFY"));
        let has_macro = given.contains("FORTIFY") || flags.iter().any(|flag: &&str| flag.contains("FORTIFY"));
        if !(is_macro && has_macro) && has_flags(candidate) {
            flags.extend(*candidate);
        }
    }
    flags
}

/// Does the compiler take these flags without a word?
fn has_flags(flags: &[&str]) -> bool {
    let mut cc = compiler();
    cc.args(["-Werror", "-O2", "-x", "c", "-S", "-o", "/dev/null", "-include", "stdio.h"]);
    cc.args(flags).arg("/dev/null").stdout(Stdio::null()).stderr(Stdio::null());
    cc.status().is_ok_and(|status| status.success())
}

fn call(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().display().to_string();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name}: {status}")),
        Err(e) => Err(format!("{name} cannot be run: {e}")),
    }
}
