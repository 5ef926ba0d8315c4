// SPDX-License-Identifier: LGPL-2.1-or-later
//! Chores of the project: `cargo xtask CHORE`.
#![forbid(unsafe_code)]

mod bench;
mod campaign;
mod demo;
mod fuzz;
mod header;
mod house;
mod install;
mod install_tree;
mod judge;
mod packages;
mod plugin;
mod privilege;
mod releases;
mod rpm;
mod test;

use std::process::ExitCode;

/// A chore: it returns what went wrong, in words.
type Chore = fn(&[String]) -> Result<(), String>;

/// Name, what it does, and the chore. A name with `_` in front is for the chores' own use.
const CHORES: &[(&str, &str, Chore)] = &[
    ("demo", "show the main job on real packages in a throwaway root", demo::run),
    ("test", "install what is needed, then run every check and test", test::run),
    ("judge", "boot real kernels and compare their word with kmp's", judge::run),
    ("campaign", "run tests that have a quick form at length: kills, reads, races, fuzz", campaign::run),
    ("fuzz", "run the fuzz targets, some seconds each", fuzz::run),
    ("releases", "run the tests of rpm's plugin inside of newer Debian releases", releases::run),
    ("plugin", "build kmp.so, rpm's plugin", plugin::run),
    ("bench", "measure speed and memory against their bounds", bench::run),
    ("install", "lay out everything below --destdir DIR", install_tree::run),
    ("header", "write kmp.h from the items and comments of libkmp's sources", header::run),
    ("rpm", "build the packages of packaging/kmp.spec", rpm::run),
    ("_measure", "", bench::measure::run),
    ("_inflate", "", bench::measure::inflate),
];

/// Is there a chore of this name?
fn knows(name: &str) -> bool {
    CHORES.iter().any(|(n, ..)| *n == name)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if bench::is_depmod() {
        return report("depmod", bench::measure::depmod(&args));
    }
    let chore = args.first().and_then(|name| CHORES.iter().find(|(n, ..)| n == name));
    let Some((name, _, run)) = chore else {
        eprintln!("usage: cargo xtask CHORE\n");
        for (name, about, _) in CHORES.iter().filter(|(name, ..)| !name.starts_with('_')) {
            eprintln!("  {name:8} {about}");
        }
        return ExitCode::from(2);
    };
    report(name, run(&args[1..]))
}

fn report(name: &str, result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("cargo xtask {name}: {why}");
            ExitCode::FAILURE
        }
    }
}
