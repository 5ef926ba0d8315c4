// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask judge`: verdicts proved by booting real kernels.
//!
//! Takes kernels from the distribution's archive, builds modules for every rule of the loader against
//! each, loads each of them in each kernel under qemu, and compares what the kernel said with what
//! `kmp check` says.

mod archive;
pub mod boot;
pub mod build;
pub mod cases;
mod compare;
mod edit;
mod elf;
pub mod fetch;
mod fleet;
pub mod own;
mod registry;
pub mod run;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use testkit::packages::Use;

use crate::run::cargo;
use fetch::{Fetched, Places};
use run::Result;

/// Boot real kernels and compare what they load with what kmp says.
///
/// Takes kernels and third-party sources from Debian's archive; what is downloaded and built is kept in downloads/.
#[derive(clap::Args)]
pub struct Arguments {
    /// For work on the judge itself: our own modules and a few others, nothing in-tree.
    #[arg(long)]
    quick: bool,
    /// Build small kernels and judge on them instead: those that the tests take, all, or some by name.
    #[arg(long, value_name = "KERNEL", num_args = 0.., conflicts_with = "quick")]
    own: Option<Vec<String>>,
}

/// How much is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// For work on the judge itself.
    Quick,
    /// What each run of the tests takes: other projects' modules built for the first kernel alone, and in-tree modules on their
    /// own kernel and on the next older one. Nor is time spent on what takes minutes to build ([`archive::LARGEST_SAMPLE`]).
    Sample,
    All,
}

pub fn run(arguments: &Arguments) -> std::result::Result<(), String> {
    let ended = match &arguments.own {
        None => check(if arguments.quick { Extent::Quick } else { Extent::All })?,
        Some(names) => check_own(&own::choose(names)?)?,
    };
    match ended {
        None => Ok(()),
        Some(why) => Err(format!("not run: {why}")),
    }
}

/// Runs the judge. Gives why it was not run: outside CI, where there is no archive to take kernels from.
pub fn check(extent: Extent) -> std::result::Result<Option<String>, String> {
    match cannot() {
        Some(why) if in_ci() => Err(format!("{why}; in CI it must not be skipped")),
        Some(why) => Ok(Some(why)),
        None => match archive::judge(extent) {
            Ok(true) => Ok(None),
            Ok(false) => Err("kmp and the kernel do not agree; see the table above".into()),
            Err(e) => Err(e.to_string()),
        },
    }
}

/// Judges on small kernels that are built here; gives why some or all were not.
pub fn check_own(variants: &[&'static own::Variant]) -> std::result::Result<Option<String>, String> {
    crate::install::ensure(&[Use::Judge])?;
    match own::judge(variants) {
        Ok((true, missing)) => Ok(missing),
        Ok((false, _)) => Err("kmp and a kernel do not agree; see the table above".into()),
        Err(e) => Err(e.to_string()),
    }
}

/// The same, on those that each run of the tests takes.
pub fn check_small() -> std::result::Result<Option<String>, String> {
    check_own(&own::choose(&[])?)
}

/// Builds these kernels; gives why some were not.
pub fn build_small() -> std::result::Result<Option<String>, String> {
    let (_, missing) = own::provide(&own::choose(&[])?).map_err(|e| e.to_string())?;
    Ok((!missing.is_empty()).then(|| missing.join("; ")))
}

/// Downloads what the judge needs.
pub fn fetch() -> std::result::Result<Option<String>, String> {
    match cannot() {
        Some(why) => Ok(Some(why)),
        None => {
            let kernels = Places::find().and_then(|places| kernels(&places));
            kernels.map(|_| None).map_err(|e| e.to_string())
        }
    }
}

/// The kernels to compare with, unpacked.
fn kernels(places: &Places) -> Result<Vec<Fetched>> {
    let releases = fetch::choose()?;
    fetch::tools(&fetch::compilers(&releases)?)?;
    all(releases.iter().map(|r| fetch::kernel(places, r)).collect())
}

fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|v| v == "true")
}

fn cannot() -> Option<String> {
    if !run::has("apt-get") || !run::has("dpkg-deb") {
        return Some("this is no Debian: there is no apt-get".into());
    }
    let mut update = Command::new("apt-get");
    let update = run::output(update.args(["-o", crate::install::BEHIND, "update", "-q", "--error-on=any"]));
    // A source of the machine's own that fails is no matter, as long as kernels can be had.
    let found = fetch::choose();
    match (update, found) {
        (_, Ok(releases)) => {
            let probe = format!("linux-headers-{}", releases[0]);
            let dir = std::env::temp_dir();
            let uris = run::output(
                Command::new("apt-get").args(["download", "-q", "--print-uris", &probe]).current_dir(dir),
            );
            uris.err().map(|e| format!("the archive cannot be asked: {e}"))
        }
        (Err(update), Err(e)) => {
            let said = update.to_string();
            let why = said.lines().find(|line| line.starts_with("E: ")).unwrap_or(&said);
            Some(format!("{e}; its lists could not be brought up to date: {why}"))
        }
        (Ok(_), Err(e)) => Some(e.to_string()),
    }
}

/// Says what is being done, and how long the judge has been at it.
struct Clock(Instant);

impl Clock {
    fn say(&self, what: &str) {
        eprintln!("judge [{:>4} s] {what}", self.0.elapsed().as_secs());
    }
}

fn all<T>(results: Vec<Result<T>>) -> Result<Vec<T>> {
    results.into_iter().collect()
}

/// The program with the tests of packaging, and with it the command.
const PACKAGING: &[&str] = &["test", "--workspace", "--locked", "--quiet", "--test", "packaging"];

/// kmp, built as with the tests: asked for alone, it and all below it would be built once more, with other features of theirs.
fn kmp_program() -> Result<PathBuf> {
    cargo(&[], &[PACKAGING, &["--no-run"]].concat(), &[])?;
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    Ok(workspace.join(target).join("debug/kmp"))
}
