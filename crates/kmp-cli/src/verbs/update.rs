// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp update`: before an update, which kernels may come with all drivers in use, and which are held back.

mod bring;
mod html;
mod json;
mod look;
mod page;
mod register;
pub mod sources;
mod write;

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use kmp_core::apply;
use kmp_core::dialect::Dialect;
use kmp_core::printable;
use kmp_repo::update::{DriverFate, DriverVerdict, KernelFate};

use crate::args;
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::terminal::print_text;

pub use bring::write as write_repository;
#[cfg(test)]
pub use json::Document;
pub use look::{Asked, look};
pub use register::register;
pub use write::{forget_installed, write};

use write::{clear, uses_locks};

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
    let has_repositories = args.changes() && !(args.offline || args.hook) && context.root.is_system();
    if has_repositories && let Some(dialect) = context.dialect() {
        // What was fetched before is judged all the same.
        if let Err(why) = apply::fetch_metadata(dialect) {
            log::warn!("repositories are not refreshed: {why}");
        }
    }
    // What is fetched is for the system, whatever else is only looked at.
    let may_fetch = !args.dry_run && args.repositories.is_empty();
    let fetches = match () {
        () if !may_fetch => None,
        () if args.hook => Some(bring::IN_HOOK),
        () if args.offline => None,
        () => Some(bring::AT_LEISURE),
    };
    let asked = Asked {
        kernel: args.kernel.as_deref(),
        repositories: &args.repositories,
        keeps: args.changes(),
        fetches,
        looks_into: args.fetch,
    };
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
        page::print(update, args.changes(), args.changes() && uses_locks(&found))?;
    }
    if args.apply {
        // Another program takes this one's place.
        context.end_run();
        return Err(apply_by(found.dialect));
    }
    let asked: Vec<&KernelFate> = match &args.kernel {
        Some(name) => update.kernels.iter().filter(|kernel| is_called(kernel, name)).collect(),
        None => Vec::new(),
    };
    if let Some(name) = args.kernel.as_ref().filter(|_| asked.is_empty()) {
        return Err(format!("no kernel {} is installed, or in a repository", printable(name.as_ref())));
    }
    let lacks = |driver: &DriverFate| driver.verdict == DriverVerdict::Missing;
    Ok(match () {
        () if asked.iter().any(|kernel| kernel.drivers.iter().any(lacks)) => Outcome::Found,
        () if !update.problems.is_empty() => Outcome::Failed,
        () if update.held().next().is_some() => Outcome::Found,
        () => Outcome::Good,
    })
}

/// Is it the one that somebody names: by its release, its version, or its package?
fn is_called(kernel: &KernelFate, name: &str) -> bool {
    let nvra = kernel.package.nevra.as_str();
    let nvr = nvra.rsplit_once('.').map_or(nvra, |(nvr, _)| nvr);
    [kernel.release.as_str(), kernel.package.evr.as_str(), nvra, nvr].contains(&name)
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
