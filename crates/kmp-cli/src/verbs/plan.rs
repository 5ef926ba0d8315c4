// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp plan`: what rpm's plugin would say of a transaction, and of a kernel that is to run, without rpm.

mod json;
mod page;

use std::cell::OnceCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use kmp_core::config::Config;
use kmp_core::guard::{self, Fate, Finding, Judged, Orders, Outlook, Planned, Prospect, Question, Running};
use kmp_core::in_use::InUse;
use kmp_core::inventory;
use kmp_core::last_update::LastUpdate;

use crate::args;
use crate::context::{Context, running_kernel};
use crate::outcome::Outcome;

#[cfg(test)]
pub use json::Plan;

pub fn run(context: &Context, args: &args::Plan, quiet: bool) -> Result<Outcome, String> {
    let planned = plan(context, &question(&args.names)?)?;
    answer(&planned, args.json, quiet)
}

/// What `kmp check` is asked where nothing but package files are named, and a kernel is in them; `None`: it is something else, or
/// cannot be read.
pub fn of_a_kernel(context: &Context, names: &[OsString]) -> Option<Result<Planned, String>> {
    let files: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
    let is_package = |file: &PathBuf| file.extension().is_some_and(|e| e == "rpm") && !file.is_dir();
    let rpm = context.rpm().ok()?;
    if files.is_empty()
        || !files.iter().all(is_package)
        || !guard::brings_a_kernel(&context.root, rpm, &files)
    {
        return None;
    }
    Some(plan(context, &Question { files, ..Question::default() }))
}

/// Prints it: for people, or as JSON.
pub fn answer(planned: &Planned, as_json: bool, quiet: bool) -> Result<Outcome, String> {
    planned.problems.iter().for_each(|problem| log::warn!("{problem}"));
    if as_json {
        json::print(planned)?;
    } else if !quiet {
        page::print(planned)?;
    }
    Ok(outcome(planned))
}

/// Asks the guard.
pub fn plan(context: &Context, question: &Question) -> Result<Planned, String> {
    let root = &context.root;
    let mut problems = Vec::new();
    let config = Config::load(root, &mut problems);
    let running = running_kernel(root).ok();
    let nothing_boots =
        inventory::nothing_boots(root, &mut problems) || root.is_system() && inventory::is_offline();
    // What is loaded here is loaded for no other root.
    let in_use = OnceCell::new();
    let load = || if running.is_some() { InUse::load(root) } else { InUse::default() };
    let use_of = |module: &str| in_use.get_or_init(load).of(module);
    let running = Running { release: running.as_deref(), use_of: &use_of };
    let last = LastUpdate::load(root);
    let orders = Orders { config: &config, policy: None, nothing_boots, last: last.as_ref() };
    let planned = guard::plan(root, context.rpm(), &mut context.loader(), question, &running, &orders);
    context.done();
    let mut planned = planned.map_err(|e| e.to_string())?;
    planned.problems.splice(0..0, problems);
    Ok(planned)
}

/// What is named: a package file by a `/` in its name or `.rpm` at its end, a KMP by `@` before it, else a kernel.
fn question(names: &[OsString]) -> Result<Question, String> {
    let mut question = Question::default();
    for name in names {
        let path = Path::new(name);
        let is_file = path.extension().is_some_and(|e| e == "rpm") || path.components().count() > 1;
        match name.to_str() {
            Some(text) if text.strip_prefix('@').is_some_and(|kmp| !kmp.is_empty()) && !is_file => {
                question.erased.push(text[1..].into());
            }
            _ if is_file => question.files.push(PathBuf::from(name)),
            Some(release) => {
                question.kernels.insert(release.into());
            }
            None => {
                return Err(format!(
                    "{} is neither a package file nor a kernel; a package file needs a / in its name or ends in .rpm",
                    kmp_core::printable(name)
                ));
            }
        }
    }
    Ok(question)
}

/// 1 where a driver is lost, or one that comes works with no kernel.
pub fn outcome(planned: &Planned) -> Outcome {
    let Judged { kernels, .. } = &planned.judged;
    let fails = |d: &Prospect| matches!(d.fate, Fate::Fails(_));
    let works = |nvr: &str| {
        kernels.iter().flat_map(|k| &k.drivers).any(|d| d.nvr == nvr && matches!(d.fate, Fate::Comes(_)))
    };
    let mut drivers = kernels.iter().flat_map(|k| &k.drivers);
    match () {
        () if planned.problems.iter().any(|p| p.is_unread) => Outcome::Failed,
        () if kernels.iter().any(|k| k.lost().next().is_some()) => Outcome::Found,
        () if drivers.any(|d| fails(d) && !works(&d.nvr)) => Outcome::Found,
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
        Role::Asked | Role::Stays => Initrd::Kept,
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
