// SPDX-License-Identifier: LGPL-2.1-or-later
//! The command `kmp`, and, under their names, `weak-modules2`, `weak-modules`,
//! `regenerate-initrd-posttrans` and `kernel-update-tool`.
#![forbid(unsafe_code)]

mod args;
mod completion;
mod context;
mod drop_in;
mod host;
mod kernel_types;
#[cfg(test)]
mod man_pages;
mod outcome;
mod output;
mod privilege;
mod verbs;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::FromArgMatches;
use kmp_core::apply;
use kmp_core::initrd::Settings;

use crate::args::{Args, Verb};
use crate::context::Context;
use crate::drop_in::{kernel_update_tool, regenerate, weak_modules, weak_modules2};
use crate::host::{deferred, zypp};
use crate::outcome::Outcome;
use crate::output::{json, messages};
use crate::verbs::{
    catalogue, check, deps, devices, divert, doctor, explain, facts, fleet, history, hold, initrd, kabi, key,
    medium, new, plan, rebuild_list, registry, sources, status, sync, update,
};

fn main() -> ExitCode {
    let name = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&name).file_name().map(OsString::from).unwrap_or_default();
    let command = match name.to_str() {
        Some("weak-modules") => weak_modules::command,
        Some("weak-modules2") => weak_modules2::command,
        Some("regenerate-initrd-posttrans") => regenerate::command,
        Some("kernel-update-tool") => kernel_update_tool::command,
        _ => args::help::command,
    };
    match completion::answer(&name, command) {
        Ok(false) => {}
        Ok(true) => return Outcome::Good.into(),
        Err(message) => {
            eprintln!("{message}");
            return Outcome::Failed.into();
        }
    }
    match name.to_str() {
        Some("weak-modules") => return weak_modules::main(),
        Some("weak-modules2") => return weak_modules2::main(),
        Some("regenerate-initrd-posttrans") => return regenerate::main(),
        Some("kernel-update-tool") => return kernel_update_tool::main(),
        _ => {}
    }
    let matches = args::help::command().get_matches();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    anstream::ColorChoice::from(args.color).write_global();
    if args.pretty {
        json::be_pretty();
    }
    messages::init("kmp", i16::from(args.verbose) - i16::from(args.quiet));
    match run(&args) {
        Ok(outcome) => {
            log::info!("{}", outcome.meaning());
            outcome.into()
        }
        Err(message) => {
            log::error!("{message}");
            Outcome::Failed.into()
        }
    }
}

fn run(args: &Args) -> Result<Outcome, String> {
    privilege::needed(args)?;
    let request = match &args.verb {
        Verb::AddKernel { kernel, .. } => Some(["add-kernel", kernel.as_deref().unwrap_or_default()]),
        Verb::RemoveKernel { kernel, .. } => Some(["remove-kernel", kernel.as_deref().unwrap_or_default()]),
        Verb::AddKmp { nvr, .. } => Some(["add-kmp", nvr]),
        Verb::RemoveKmp { nvr, .. } => Some(["remove-kmp", nvr]),
        _ => None,
    };
    let wish = match &args.verb {
        Verb::AddKernel { kernel, .. } => kernel.as_deref(),
        Verb::AddKmp { nvr, .. } if Settings::from_environment().forced => Some(nvr.as_str()),
        _ => None,
    };
    if request.is_some_and(|request| deferred::note(&args.root, &request, wish, &[])) {
        // Nothing was done here: the plugin will.
        if matches!(
            args.verb,
            Verb::AddKernel { json: true, .. }
                | Verb::RemoveKernel { json: true, .. }
                | Verb::AddKmp { json: true, .. }
                | Verb::RemoveKmp { json: true, .. }
        ) {
            json::Document::print(Vec::<sync::Kernel>::new())?;
        }
        return Ok(Outcome::Good);
    }
    // Needs no root: the files of a package that is being built are outside any.
    if let Verb::Deps(what) = &args.verb {
        return deps::run(&args.root, what);
    }
    if let Verb::New(new) = &args.verb {
        return new::run(&args.root, new, args.quiet > 0);
    }
    let context = Context::open(&args.root)?.with_programs(args.run_in_root);
    let quiet = args.quiet > 0;
    match &args.verb {
        Verb::Status(status) => status::run(&context, status, quiet, args.verbose > 0),
        Verb::Check(check) => check::run(&context, check, quiet, args.verbose > 0),
        Verb::Plan(plan) => plan::run(&context, plan, quiet, args.verbose > 0),
        Verb::Hold(hold) => hold::run(&context, hold, quiet),
        Verb::Update(update) => update::run(&context, update, quiet),
        Verb::Explain(explain) => explain::run(&context, explain, quiet),
        Verb::Sync(sync) => sync::run(&context, sync, quiet),
        Verb::Initrd(initrd) => initrd::run(&context, initrd, quiet),
        Verb::History(history) => history::run(&context, history, quiet, args.verbose > 0),
        Verb::Devices(devices) => devices::run(&context, devices, quiet),
        Verb::Doctor(doctor) => doctor::run(&context, doctor, quiet, args.verbose > 0),
        Verb::Key(key) => key::run(&context, key, quiet),
        Verb::Sources(what) => sources::run(&context, what, quiet),
        Verb::Medium(what) => medium::run(&context, what, quiet),
        Verb::Catalogue(what) => catalogue::run(what, quiet),
        Verb::AddKernel { kernel, json } => {
            sync::kernel(&context, kernel.as_deref(), sync::Event::Added, sync::Shown::of(*json, quiet))
        }
        Verb::RemoveKernel { kernel, json } => {
            sync::kernel(&context, kernel.as_deref(), sync::Event::Removed, sync::Shown::of(*json, quiet))
        }
        Verb::AddKmp { nvr, json } => {
            sync::kmp(&context, nvr, sync::Event::Added, sync::Shown::of(*json, quiet))
        }
        Verb::RemoveKmp { nvr, json } => {
            sync::kmp(&context, nvr, sync::Event::Removed, sync::Shown::of(*json, quiet))
        }
        Verb::Kabi(what) => kabi::run(&context, what, quiet),
        Verb::Registry(what) => registry::run(&context, what, quiet),
        Verb::Facts(what) => facts::run(&context, what, quiet),
        Verb::Fleet(what) => fleet::run(&context, what, quiet),
        Verb::RebuildList(what) => rebuild_list::run(&context, what, quiet),
        Verb::Deps(what) => deps::run(&args.root, what),
        Verb::New(new) => new::run(&args.root, new, quiet),
        Verb::Divert(what) => divert::run(&context, what),
        Verb::ZyppCommitPlugin => {
            // Those that were there before are for their makers, or have failed already.
            let markers = || apply::markers(&context.root).map_err(|problem| problem.to_string());
            let before = markers();
            zypp::run(&args.root, || {
                update::forget_installed(&context);
                sync::all(&context)?;
                let before = before.clone()?;
                let is_new = markers()?.iter().any(|marker| !before.contains(marker));
                let served = if is_new { regenerate::serve(&context).map(drop) } else { Ok(()) };
                context.end_run();
                served
            })
        }
    }
}
