// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp plan`: what rpm's plugin would say of a transaction, and of a kernel that is to run, without rpm.

mod json;
mod page;

use std::ffi::OsString;
use std::path::PathBuf;

use kmp_core::guard::{self, Elements, Fate, Finding, Outlook, Planned, Prospect, Question};

use crate::args;
use crate::context::{Context, running_kernel};
use crate::outcome::Outcome;

#[cfg(test)]
pub use json::Plan;

pub fn run(context: &Context, args: &args::Plan, quiet: bool, verbose: bool) -> Result<Outcome, String> {
    let question = Question::of_names(&args.names).map_err(|e| e.to_string())?;
    let running = running_kernel(&context.root).ok();
    let planned =
        guard::plan(&context.root, context.rpm(), &mut context.loader(), &question, running.as_deref());
    context.done();
    let planned = planned.map_err(|e| e.to_string())?;
    answer(&planned, args.json, quiet, args.all || verbose)
}

/// What `kmp check` is asked where nothing but package files are named.
pub enum OfFiles {
    /// A kernel comes.
    Kernel(Planned),
    /// What was read of the files, if they could be.
    Other(Option<Box<Elements>>),
}

/// Reads package files, and plans if a kernel is in them.
pub fn of_files(context: &Context, names: &[OsString]) -> Result<OfFiles, String> {
    let files: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
    let is_package = |file: &PathBuf| file.extension().is_some_and(|e| e == "rpm") && !file.is_dir();
    let root = &context.root;
    let rpm = context.rpm().ok().filter(|_| !files.is_empty() && files.iter().all(is_package));
    let read = rpm.and_then(|rpm| Some((rpm, guard::read_files(root, rpm, &files).ok()?)));
    match read {
        Some((rpm, elements)) if elements.brings_a_kernel() => {
            let question = Question { files, ..Question::default() };
            let running = running_kernel(root).ok();
            let mut loader = context.loader();
            let planned = guard::plan_read(root, rpm, &mut loader, &question, elements, running.as_deref());
            context.done();
            planned.map(OfFiles::Kernel).map_err(|e| e.to_string())
        }
        read => Ok(OfFiles::Other(read.map(|(_, elements)| Box::new(elements)))),
    }
}

/// Prints it: for people, or as JSON.
pub fn answer(planned: &Planned, as_json: bool, quiet: bool, is_all: bool) -> Result<Outcome, String> {
    planned.problems.iter().for_each(|problem| log::warn!("{problem}"));
    if as_json {
        json::print(planned)?;
    } else if !quiet {
        page::print(planned, is_all)?;
    }
    Ok(outcome(planned))
}

/// 1 where a driver is lost, or one that comes works with no kernel.
fn outcome(planned: &Planned) -> Outcome {
    match () {
        () if planned.problems.iter().any(|p| p.is_unread) => Outcome::Failed,
        () if planned.judged.has_loss() => Outcome::Found,
        () => Outcome::Good,
    }
}

/// What rpm's plugin would do about a driver, if something.
fn finding<'p>(planned: &'p Planned, kernel: &Outlook, driver: &Prospect) -> Option<&'p Finding> {
    let is_it = |f: &&Finding| f.lost.kernel == kernel.release && f.lost.package == driver.package;
    planned.judged.findings.iter().find(is_it)
}

/// Has a new initrd to be made?
fn initrd(kernel: &Outlook) -> Initrd {
    use kmp_core::guard::Role;
    let changes = kernel
        .drivers
        .iter()
        .any(|d| matches!(d.fate, Fate::Comes(_) | Fate::Goes) || d.is_lost() && kernel.role == Role::Stays);
    match kernel.role {
        Role::Comes => Initrd::Made,
        Role::Stays if changes => Initrd::Checked,
        Role::Asked | Role::Stays | Role::Goes => Initrd::Kept,
    }
}

/// What becomes of a kernel's initrd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Initrd {
    /// The kernel comes, and gets one.
    Made,
    /// Modules change: where one of them is in it, it is made anew.
    Checked,
    /// Nothing changes.
    Kept,
}
