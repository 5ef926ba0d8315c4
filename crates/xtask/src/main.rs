// SPDX-License-Identifier: LGPL-2.1-or-later
//! Chores of the project: `cargo xtask CHORE`.
#![forbid(unsafe_code)]

mod bench;
mod browser;
mod campaign;
mod demo;
mod fuzz;
mod header;
mod house;
mod index;
mod install;
mod install_tree;
mod judge;
mod kabi;
mod kmps;
mod libdnf5;
mod linked;
mod packagekit;
mod plugin;
mod privilege;
mod releases;
mod rpm;
mod run;
mod salt;
mod secure_boot;
mod sources;
mod test;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chores of the project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    Demo(demo::Arguments),
    Test(test::Arguments),
    Judge(judge::Arguments),
    SecureBoot(secure_boot::Arguments),
    Kmps(kmps::Arguments),
    Salt(salt::Arguments),
    Packagekit(packagekit::Arguments),
    Campaign(campaign::Options),
    Fuzz(fuzz::Arguments),
    Index(index::Arguments),
    Releases(releases::Arguments),
    Fresh(releases::fresh::Arguments),
    Plugin(plugin::Arguments),
    Bench(bench::Arguments),
    Install(install_tree::Tree),
    /// Write kmp.h from the items and comments of libkmp's sources.
    Header,
    Rpm(rpm::Arguments),
    /// Write into kmp.spec, and into a list, what is linked into each package, and its licence.
    Spec,
    /// Run a program, and print what it took: for the benchmark.
    #[command(name = "_measure", hide = true)]
    Measure {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
    /// In the root of a release: run its tests.
    #[command(name = "_inside", hide = true)]
    Inside {
        name: String,
        #[arg(long)]
        all: bool,
    },
    /// Read a repository's list of packages once: as `kmp update` does, or only inflate and tokenize it, for the benchmark.
    #[command(name = "_packages", hide = true)]
    Packages {
        repository: PathBuf,
        #[arg(long)]
        tokenize: bool,
    },
    /// Inflate the files of a list: the benchmark's baseline.
    #[command(name = "_inflate", hide = true)]
    Inflate {
        list: PathBuf,
    },
}

impl Chore {
    /// Does it, and returns what went wrong, in words.
    fn run(&self) -> Result<(), String> {
        match self {
            Self::Demo(arguments) => demo::run(arguments),
            Self::Test(arguments) => test::run(arguments),
            Self::Judge(arguments) => judge::run(arguments),
            Self::SecureBoot(arguments) => secure_boot::run(arguments),
            Self::Kmps(arguments) => kmps::run(arguments),
            Self::Salt(arguments) => salt::run(arguments),
            Self::Packagekit(arguments) => packagekit::run(arguments),
            Self::Campaign(options) => campaign::run(options),
            Self::Fuzz(arguments) => fuzz::run(arguments),
            Self::Index(arguments) => index::run(arguments),
            Self::Releases(arguments) => releases::run(arguments),
            Self::Fresh(arguments) => releases::fresh::run(arguments),
            Self::Inside { name, all } => releases::inside::run(name, *all),
            Self::Plugin(arguments) => plugin::run(arguments),
            Self::Bench(arguments) => bench::run(arguments),
            Self::Install(tree) => install_tree::run(tree),
            Self::Header => header::run(),
            Self::Rpm(arguments) => rpm::run(arguments),
            Self::Spec => linked::run(),
            Self::Measure { words } => bench::measure::run(words),
            Self::Packages { repository, tokenize } => bench::update::read(repository, *tokenize),
            Self::Inflate { list } => bench::measure::inflate(list),
        }
    }
}

fn main() -> ExitCode {
    let result = if bench::is_depmod() {
        let words: Vec<OsString> = std::env::args_os().skip(1).collect();
        bench::measure::depmod(&words)
    } else {
        CommandLine::parse().chore.run()
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("cargo xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_one() {
        super::CommandLine::command().debug_assert();
    }

    #[test]
    fn every_chore_says_what_it_does_and_help_starts_nothing() {
        for chore in super::CommandLine::command().get_subcommands() {
            let name = chore.get_name();
            assert!(chore.get_about().is_some(), "{name} does not say what it does");
            let words = ["cargo xtask", name, "--help"];
            let asked = super::CommandLine::command().try_get_matches_from(words).unwrap_err();
            assert_eq!(asked.kind(), clap::error::ErrorKind::DisplayHelp, "{name}");
        }
    }
}
