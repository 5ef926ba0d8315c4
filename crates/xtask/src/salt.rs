// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask salt`: what is shipped for Salt, run by the real `salt-call`, and by a master with a minion on this machine. Salt is in no archive of Debian 12, so it is taken from
//! Python's package index into a directory of its own, and this is a chore and no test.

use std::process::Command;

use testkit::packages::Use;

use crate::judge::run::{self, Result};
use crate::{install, run as chores};

/// Run what is shipped for Salt by the real salt-call, and by a master and a minion; Salt is fetched.
#[derive(clap::Args)]
pub struct Arguments {
    /// The version to fetch.
    #[arg(long, value_name = "VERSION", default_value = "3008.4")]
    version: String,
}

pub fn run(arguments: &Arguments) -> std::result::Result<(), String> {
    install::ensure(&[Use::Demo, Use::Test])?;
    test(arguments).map_err(|e| e.to_string())
}

fn test(arguments: &Arguments) -> Result<()> {
    let place = install::target().join("salt").join(&arguments.version);
    let salt = place.join("bin/salt-call");
    if !salt.exists() {
        println!("Fetching Salt {} ...", arguments.version);
        // Whatever Python is first in PATH: it needs one that can make such directories.
        run::output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place))?;
        let package = format!("salt=={}", arguments.version);
        run::output(Command::new(place.join("bin/pip")).args(["install", "--quiet", &package]))?;
    }
    let words = ["test", "--locked", "--quiet", "-p", "kmp-cli", "--test", "e2e", "--", "--ignored", "salt_"];
    let salt = salt.to_str().ok_or("the path of the project is not UTF-8")?;
    Ok(chores::cargo(&[], &words, &[("KMP_TEST_SALT_CALL", salt)])?)
}
