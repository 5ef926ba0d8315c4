// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask fuzz`: the targets of `fuzz/`, run by libFuzzer.
//!
//! libFuzzer is built from its sources by the crate `libfuzzer-sys`, and the instrumentation is asked of rustc by flags that
//! the stable one takes. So nothing has to be installed but a compiler for C++; cargo-fuzz would want a toolchain of its own.
//!
//! Without a sanitizer by default: the readers are Rust without `unsafe`, what matters in them are panics, time and memory, which
//! the targets look at themselves, and four times as many inputs are tried so. `--asan` is for the libraries in C below them
//! (xz, zstd), and librpm.

mod run;
mod seeds;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::install;
use crate::run::{cargo, cargo_command, finish};
use testkit::packages::Use;

use run::report;

/// Run the fuzz targets, some seconds each.
///
/// Where an input makes one fail, its path is printed; to try it again, run the program that is printed with it.
#[derive(clap::Args)]
pub struct Arguments {
    /// Which; all where none is named.
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// How long each runs.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How many at once, one for each core where it is not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    jobs: Option<u64>,
    /// With AddressSanitizer, the libraries in C included.
    #[arg(long)]
    asan: bool,
}

/// What libFuzzer goes by, from LLVM's SanitizerCoverage.
const COVERAGE: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// The built program, and where its files are.
pub struct Fuzzer {
    program: PathBuf,
    /// Seeds, corpora, inputs that made it fail, logs: each a directory with one for each target.
    home: PathBuf,
    /// Inputs that made a target fail once, in git.
    regressions: PathBuf,
    targets: Vec<String>,
}

pub fn run(arguments: &Arguments) -> Result<(), String> {
    install::ensure(&[Use::Demo, Use::Test])?;
    let build = if arguments.asan { Build::Sanitized } else { Build::Fast };
    run_built(arguments, &Fuzzer::build(build)?)
}

fn run_built(arguments: &Arguments, fuzzer: &Fuzzer) -> Result<(), String> {
    let targets = fuzzer.named(&arguments.targets)?;
    let outcomes = fuzzer.run(&targets, Duration::from_secs(arguments.seconds), arguments.jobs, None)?;
    report(&outcomes)
}

/// rustfmt and clippy for what is no part of the workspace.
pub fn format() -> Result<(), String> {
    cargo(&[], &["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"], &[])
}

pub fn lint() -> Result<(), String> {
    let target = install::target();
    // In the workspace's directory, where its dependencies are built; without libFuzzer itself.
    let arguments = ["clippy", "--manifest-path", "fuzz/Cargo.toml", "--no-default-features", "--target-dir"];
    let target = target.to_string_lossy();
    cargo(&[], &[&arguments[..], &[&*target, "--", "-D", "warnings"]].concat(), &[])
}

/// The quick form, for `cargo xtask test`.
pub fn check() -> Result<(), String> {
    install::ensure(&[Use::Demo, Use::Test])?;
    let all = Arguments { targets: Vec::new(), seconds: 1, jobs: None, asan: false };
    run_built(&all, &Fuzzer::build(Build::Soon)?)
}

/// At length, for `cargo xtask campaign fuzz`: all targets share the time.
pub fn campaign(seconds: u64, seed: Option<u64>, jobs: Option<u64>) -> Result<(), String> {
    install::ensure(&[Use::Demo, Use::Test])?;
    let fuzzer = Fuzzer::build(Build::Fast)?;
    let targets = fuzzer.named(&[])?;
    let at_once = jobs.unwrap_or_else(run::cores).max(1);
    let each = Duration::from_secs(seconds) * u32::try_from(at_once).unwrap_or(1)
        / u32::try_from(targets.len()).unwrap_or(1);
    let outcomes = fuzzer.run(&targets, each.max(Duration::from_secs(1)), Some(at_once), seed)?;
    report(&outcomes)
}

/// How the program is built.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Build {
    /// To try as many inputs as can be.
    Fast,
    /// To be there soon: it runs for a second.
    Soon,
    /// With AddressSanitizer.
    Sanitized,
}

impl Fuzzer {
    fn build(how: Build) -> Result<Self, String> {
        let project = install::project();
        let home = install::target().join("fuzz");
        let build = home.join(match how {
            Build::Fast => "build",
            Build::Soon => "build-soon",
            Build::Sanitized => "build-asan",
        });
        // Named even though it is this machine's own, so that build scripts are not instrumented.
        let host = host()?;
        let mut cargo = cargo_command(&[], &["build", "--release", "--target", &host]);
        cargo
            .current_dir(project.join("fuzz"))
            .env("CARGO_TARGET_DIR", &build)
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        let mut flags: Vec<String> = COVERAGE.iter().map(|flag| (*flag).into()).collect();
        flags.insert(0, std::env::var("RUSTFLAGS").unwrap_or_default());
        if how == Build::Soon {
            cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1").env("CARGO_PROFILE_RELEASE_DEBUG", "0");
        }
        if how == Build::Sanitized {
            // The stable compiler has it, too, behind a flag that is not; the runtime comes with it.
            cargo.env("RUSTC_BOOTSTRAP", "1");
            cargo.env("CFLAGS", "-fsanitize=address -fno-omit-frame-pointer");
            flags.push("-Zsanitizer=address".into());
        }
        cargo.env("RUSTFLAGS", flags.join(" ").trim());
        let shown = "cargo build --release (in fuzz/)";
        println!("$ {shown}");
        // Not `--locked`: the lock follows what the workspace's crates need. Where it has changed, git shows it.
        finish(shown, &mut cargo)?;
        let program = build.join(host).join("release/kmp-fuzz");
        let listed = Command::new(&program).stdin(Stdio::null()).output();
        let listed = listed.map_err(|e| format!("{}: {e}", program.display()))?;
        let targets: Vec<String> = String::from_utf8_lossy(&listed.stdout).lines().map(Into::into).collect();
        if targets.is_empty() {
            return Err(format!("{} lists no targets", program.display()));
        }
        seeds::write(&home.join("seeds"), &targets)?;
        Ok(Self { program, home, regressions: project.join("fuzz/regressions"), targets })
    }

    /// The targets of these names, or all.
    fn named(&self, names: &[String]) -> Result<Vec<String>, String> {
        if let Some(unknown) = names.iter().find(|name| !self.targets.contains(name)) {
            return Err(format!("there is no target {unknown}; there are: {}", self.targets.join(", ")));
        }
        Ok(if names.is_empty() { self.targets.clone() } else { names.to_vec() })
    }
}

/// The triple that rustc builds for by itself.
fn host() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|e| format!("rustc: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(Into::into).ok_or_else(|| "rustc -vV names no host".into())
}
