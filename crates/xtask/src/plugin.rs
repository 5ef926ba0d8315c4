// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask plugin`: links rpm's plugin from C and libkmp.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::fcntl::{Flock, FlockArg};

use crate::{install, install_tree, privilege, run};

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

/// In the C code, with the sanitizers of memory and of undefined behaviour. Their runtime has to be loaded before all else, into an
/// rpm that knows nothing of it: `LD_PRELOAD`. `FORTIFY` would take calls from their sight.
const SANITIZERS: &[&str] =
    &["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];

/// What a plugin is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To be installed.
    Plain,
    /// For tests: it fails on purpose.
    Faults,
    /// The same, with [`SANITIZERS`].
    Sanitized,
}

/// Build kmp.so, rpm's plugin, and print its path.
#[derive(clap::Args)]
pub struct Arguments {
    /// With faults on purpose, for tests.
    #[arg(long)]
    faults: bool,
    /// The same, with sanitizers.
    #[arg(long, conflicts_with = "faults")]
    sanitize: bool,
    /// Unoptimised.
    #[arg(long)]
    debug: bool,
    /// Run the tests with sanitizers instead.
    #[arg(long, conflicts_with_all = ["faults", "sanitize", "debug"])]
    check: bool,
}

pub fn run(arguments: &Arguments) -> Result<(), String> {
    if arguments.check {
        return check_sanitized().map(|why| why.iter().for_each(|why| println!("{why}")));
    }
    let kind = match (arguments.faults, arguments.sanitize) {
        (_, true) => Kind::Sanitized,
        (true, false) => Kind::Faults,
        (false, false) => Kind::Plain,
    };
    let profile = if arguments.debug { "debug" } else { "release" };
    println!("{}", build(kind, profile)?.display());
    Ok(())
}

/// The tests of the plugin that are run with sanitizers: what is stopped, what is done, libzypp's lists.
const SANITIZED: &[&str] = &["sanitized::", "veto::", "once::", "policy::", "zypp::"];

/// But for those with valgrind, which is no place for sanitizers, and two that run programs chrooted and look at all that they
/// say, which is there that they cannot load the sanitizers' runtime.
const NOT_SANITIZED: &[&str] = &[
    "--skip",
    "valgrind",
    "--skip",
    "no_list_makes_the_plugin_read_beyond_a_line",
    "--skip",
    "scriptlets_only_note_their_requests",
    "--skip",
    "a_whole_update_starts_no_depmod_where_it_has_agreed",
];

/// Runs tests of the plugin with sanitizers, and one of its transactions in valgrind. `Some`: why they were run in part.
pub fn check_sanitized() -> Result<Option<String>, String> {
    let plugin = build(Kind::Sanitized, "debug")?;
    let preload = preload(&plugin)?;
    let namespace = privilege::namespace()?;
    let tests = ["test", "--locked", "-p", "kmp-cli", "--test", "plugin", "--"];
    let cannot = cannot_load(&preload)?;
    if cannot.is_none() {
        let plugin = plugin.display().to_string();
        let with = [("KMP_PLUGIN", &*plugin), ("KMP_PLUGIN_PRELOAD", &*preload)];
        let named = [&tests[..], &["--include-ignored"], NOT_SANITIZED, SANITIZED].concat();
        run::cargo(&namespace, &named, &with)?;
    }
    run::cargo(&namespace, &[&tests[..], &["--ignored", "valgrind"]].concat(), &[])?;
    Ok(cannot)
}

/// What rpm needs for a sanitized plugin, for `LD_PRELOAD`: the runtime, and what makes glibc's translations stand still. With
/// AddressSanitizer of gcc 12 and glibc 2.36 a call of bindtextdomain() from a library's constructor (libgpg-error's) leaves
/// their lock broken, and rpm waits for it for ever.
fn preload(plugin: &Path) -> Result<String, String> {
    let output = compiler().arg("-print-file-name=libasan.so").output().map_err(|e| format!("cc: {e}"))?;
    let runtime = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    // A compiler that has it not, as clang, prints the name alone.
    if !runtime.is_absolute() {
        return Err("the compiler has no libasan.so; install gcc's libasan, or set CC to gcc".into());
    }
    let runtime = runtime.canonicalize().map_err(|e| format!("{}: {e}", runtime.display()))?;
    let untranslated = plugin.with_file_name("untranslated.so");
    let source = install::project().join("tests/plugin/untranslated.c");
    call(compiler().args(["-shared", "-fPIC", "-fno-builtin", "-O2", "-o"]).arg(&untranslated).arg(source))?;
    Ok(format!("{} {}", runtime.display(), untranslated.display()))
}

/// Why rpm does not run with the sanitizers' runtime, where it does not: one that hangs would hang every test.
fn cannot_load(preload: &str) -> Result<Option<String>, String> {
    let mut rpm = Command::new("timeout");
    rpm.args(["--signal=KILL", "60", "env"]).arg(format!("LD_PRELOAD={preload}"));
    let output = rpm.args(["ASAN_OPTIONS=detect_leaks=0", "rpm", "--version"]).output();
    let output = output.map_err(|e| format!("timeout: {e}"))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_string();
    let why = || format!("rpm does not run with AddressSanitizer here ({}) {said}", output.status);
    Ok((!output.status.success()).then(why))
}

/// Builds `kmp.so` in a profile (`release` or `debug`), and returns its path.
pub fn build(kind: Kind, profile: &str) -> Result<PathBuf, String> {
    let faults = kind != Kind::Plain;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).ok_or("no workspace")?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| source.join("target"), PathBuf::from);
    let mut cargo = run::cargo_command(&[], &[&["build", "--quiet"], install_tree::PACKAGES].concat());
    cargo.arg("--target-dir").arg(&target);
    if profile == "release" {
        cargo.arg("--release");
    }
    if faults {
        cargo.args(["--features", "kmp-capi/panic"]);
    }
    let archive = Archive::lock()?;
    call(&mut cargo)?;
    let result = link(kind, profile, source, &target)?;
    drop(archive);
    Ok(result)
}

/// Links it with a libkmp that cargo has built already.
pub fn link_built(profile: &str) -> Result<PathBuf, String> {
    let source = install::project();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| source.join("target"), PathBuf::from);
    link(Kind::Plain, profile, &source, &target)
}

fn link(kind: Kind, profile: &str, source: &Path, target: &Path) -> Result<PathBuf, String> {
    let faults = kind != Kind::Plain;
    // rpm wants the file to have the plugin's name; so the kinds have a directory each.
    let directory = target.join(profile).join(match kind {
        Kind::Plain => "rpm-plugin",
        Kind::Faults => "rpm-plugin-faults",
        Kind::Sanitized => "rpm-plugin-sanitized",
    });
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
    match kind {
        Kind::Sanitized => cc.args(SANITIZERS),
        _ => cc.args(hardening(&added[0])),
    };
    cc.args(added.iter().flat_map(|flags| flags.split_whitespace()));
    cc.arg("-I").arg(source.join("crates/kmp-capi/include"));
    for file in ["plugin.c", "elements.c", "librpm.c"] {
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

/// `libkmp_capi.a` is built with a function that panics or without, in one place: whoever builds and links it does that alone.
#[derive(Debug)]
pub struct Archive {
    _lock: Flock<File>,
}

impl Archive {
    /// Waits until nobody else has it.
    pub fn lock() -> Result<Self, String> {
        let path = install::target().join("libkmp_capi.lock");
        let wrong = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        let file = File::create(&path).map_err(|e| wrong(&e))?;
        let lock = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, e)| wrong(&e))?;
        Ok(Self { _lock: lock })
    }
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
