// SPDX-License-Identifier: LGPL-2.1-or-later
//! The peers' commands, under their names; here what `weak-modules2` and `weak-modules` have in common.

pub mod kernel_update_tool;
pub mod regenerate;
pub mod weak_modules;
pub mod weak_modules2;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::output::messages;

/// Messages to stdout and, where there is one, a log file.
pub struct Speaker {
    /// Is everything to be said?
    pub verbose: bool,
    /// Written to, too.
    pub log: Option<File>,
}

impl Speaker {
    /// Said always.
    pub fn say(&mut self, message: &str) {
        let line = format!("{message}\n");
        // A closed stdout is no reason to stop; scriptlets close it.
        let _ = std::io::stdout().write_all(line.as_bytes());
        if let Some(log) = &mut self.log {
            let _ = log.write_all(line.as_bytes());
        }
    }

    /// Said at -v.
    pub fn say_if_verbose(&mut self, message: &str) {
        if self.verbose {
            self.say(message);
        }
    }
}

/// Runs a drop-in as its original ends: with 1 for wrong usage and for failures, else with 0. `verbosity` is for
/// diagnostics, `run` says whether a part of the work failed.
pub fn main<A: Parser>(
    name: &'static str,
    verbosity: impl Fn(&A) -> u8,
    run: impl Fn(&A) -> Result<bool, String>,
) -> ExitCode {
    let args = match A::try_parse() {
        Ok(args) => args,
        Err(e) => {
            // There is no way left to say that stdout or stderr is closed.
            let _ = e.print();
            let asked = matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return ExitCode::from(u8::from(!asked));
        }
    };
    messages::init(name, i16::from(verbosity(&args)));
    match run(&args) {
        Ok(failed) => ExitCode::from(u8::from(failed)),
        Err(message) => {
            log::error!("{message}");
            ExitCode::from(1)
        }
    }
}

/// The paths listed on stdin, one a line. All is taken, so that who writes it is not stopped.
pub fn listed_on_stdin() -> Vec<PathBuf> {
    let mut list = Vec::new();
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        // A list that cannot be read is no list: what is on disk decides.
        let _ = stdin.lock().take(64 << 20).read_to_end(&mut list);
    }
    let lines = list.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| Path::new(OsStr::from_bytes(line)).to_path_buf()).collect()
}
