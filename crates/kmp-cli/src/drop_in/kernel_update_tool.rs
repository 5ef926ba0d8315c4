// SPDX-License-Identifier: LGPL-2.1-or-later
//! The drop-in for `kernel-update-tool` of SUSE Linux Enterprise 9, which a kernel's installation called: fetches builds of drivers that
//! the kernel lacks from their providers. What arguments the original took is not known.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Command, CommandFactory, Parser};
use clap_complete::ArgValueCandidates;

use crate::args::Update;
use crate::completion;
use crate::context::{Context, running_kernel};
use crate::outcome::Outcome;
use crate::output::messages;
use crate::verbs::update;

/// Fetches the drivers that a kernel lacks from their providers.
///
/// Exit status: 0 every driver has a version for the kernel; 1 one has none; 2 failure.
#[derive(Debug, Parser)]
#[command(name = "kernel-update-tool")]
struct Args {
    /// Work on the system below this directory
    #[arg(long, default_value = "/", value_name = "DIR")]
    root: PathBuf,
    /// A kernel that is installed, or in a repository: its release, its version, or its package; the default is the running one
    #[arg(value_name = "KERNEL", add = ArgValueCandidates::new(completion::kernels))]
    kernel: Option<String>,
}

/// The command line's definition.
pub fn command() -> Command {
    Args::command()
}

pub fn main() -> ExitCode {
    let args = Args::parse();
    messages::init("kernel-update-tool", 0);
    let run = || {
        let context = Context::open(&args.root)?;
        let kernel = match &args.kernel {
            Some(kernel) => kernel.clone(),
            None => running_kernel(&context.root)?,
        };
        update::run(&context, &Update::of_kernel(kernel), false)
    };
    match run() {
        Ok(outcome) => outcome.into(),
        Err(message) => {
            log::error!("{message}");
            Outcome::Failed.into()
        }
    }
}
