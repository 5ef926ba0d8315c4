// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp divert`: kmp under the names of the distribution's own commands.

use crate::args::Divert;
use crate::context::Context;
use crate::host::divert::{Change, Diverted, SUFFIX, put, restore};
use crate::outcome::Outcome;

pub fn run(context: &Context, arguments: &Divert) -> Outcome {
    let what = if arguments.commands.is_empty() { &Diverted::ALL[..] } else { &arguments.commands };
    let rpm = context.rpm().ok();
    let mut outcome = Outcome::Good;
    for what in what {
        let done =
            if arguments.restore { restore(&context.root, *what) } else { put(&context.root, rpm, *what) };
        for change in done {
            match change {
                Ok(Change::Made(path)) => log::info!("{}: made, it is kmp's", path.display()),
                Ok(Change::PutAside(path)) => {
                    log::info!("{0}: kmp's now, the distribution's is {0}{SUFFIX}", path.display());
                }
                Ok(Change::Restored(path)) => log::info!("{}: the distribution's again", path.display()),
                Ok(Change::Dropped(path)) => {
                    log::info!("{}{SUFFIX}: removed, it is no package's any more", path.display());
                }
                Err(message) => {
                    log::error!("{message}");
                    outcome = Outcome::Failed;
                }
            }
        }
    }
    outcome
}
