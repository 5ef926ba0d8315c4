// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp update`: before an update, which kernels may come with all drivers in use, and which are held back.

mod html;
mod json;
mod look;
mod page;
pub mod sources;
mod write;

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use kmp_core::apply;
use kmp_core::dialect::Dialect;

use crate::args;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::terminal::print_text;

#[cfg(test)]
pub use json::Document;
pub use look::{Asked, look};
pub use write::{forget_installed, write};

use write::clear;

pub fn run(context: &Context, args: &args::Update, quiet: bool) -> Result<Outcome, String> {
    if args.clear {
        clear(context)?;
        return Ok(Outcome::Good);
    }
    if args.apply && !context.root.is_system() {
        return Err(
            "the package manager of this system is not run for another root: leave out --apply".into()
        );
    }
    let has_repositories = args.changes() && !args.offline && context.root.is_system();
    if has_repositories && let Some(dialect) = context.dialect() {
        // What was fetched before is judged all the same.
        if let Err(why) = apply::fetch_metadata(dialect) {
            log::warn!("repositories are not refreshed: {why}");
        }
    }
    let asked =
        Asked { kernel: args.kernel.as_deref(), repositories: &args.repositories, keeps: args.changes() };
    let found = look(context, &asked)?;
    let update = &found.update;
    update.problems.iter().for_each(|problem| log::warn!("{problem}"));
    if args.changes() {
        write(context, &found)?;
    }
    if args.json {
        json::print(update)?;
    } else if args.html {
        print_text(&html::page(update))?;
    } else if !quiet {
        page::print(update, args.changes())?;
    }
    if args.apply {
        // Another program takes this one's place.
        context.end_run();
        return Err(apply_by(found.dialect));
    }
    Ok(match () {
        () if !update.problems.is_empty() => Outcome::Failed,
        () if update.held().next().is_some() => Outcome::Found,
        () => Outcome::Good,
    })
}

/// Becomes the distribution's own program, which updates all that there is; returns only where that cannot be run.
fn apply_by(dialect: Dialect) -> String {
    let (programs, word): (&[&str], &str) = match dialect {
        Dialect::Suse => (&["/usr/bin/zypper"], "update"),
        // Where there is dnf 5 alone, not every distribution calls it by both names.
        Dialect::RedHat => (&["/usr/bin/dnf", "/usr/bin/dnf5"], "upgrade"),
    };
    let mut failed = String::new();
    for program in programs {
        let error = Command::new(program).arg(word).exec();
        failed = format!("{program} cannot be run: {error}");
        if error.kind() != io::ErrorKind::NotFound {
            break;
        }
    }
    failed
}
