// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp update`: before an update, which kernels may come with all drivers in use, and which are held back.

mod json;
mod look;
mod page;
mod sources;
mod write;

use crate::args;
use crate::context::Context;
use crate::outcome::Outcome;

#[cfg(test)]
pub use json::Document;
pub use look::{Asked, look};
pub use write::{clear, forget_installed, write};

pub fn run(context: &Context, args: &args::Update, quiet: bool) -> Result<Outcome, String> {
    if args.clear {
        clear(context)?;
        return Ok(Outcome::Good);
    }
    let asked = Asked { kernel: args.kernel.as_deref(), repositories: &args.repositories };
    let found = look(context, &asked)?;
    let update = &found.update;
    update.problems.iter().for_each(|problem| log::warn!("{problem}"));
    if args.changes() {
        write(context, &found)?;
    }
    if args.json {
        json::print(update)?;
    } else if !quiet {
        page::print(update, args.changes())?;
    }
    Ok(match () {
        () if !update.problems.is_empty() => Outcome::Failed,
        () if update.held().next().is_some() => Outcome::Found,
        () => Outcome::Good,
    })
}
