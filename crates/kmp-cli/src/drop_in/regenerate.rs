// SPDX-License-Identifier: LGPL-2.1-or-later
//! The drop-in for SUSE's `regenerate-initrd-posttrans`: makes the initrds that markers in `/run/regenerate-initrd/` ask for.
//!
//! A marker is named for a kernel's release (older packages: for its image, `vmlinuz-RELEASE`), or `all`. It goes when its
//! initrd is made, and stays when that failed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Command, CommandFactory, Parser};
use kmp_core::apply::{self, Generator, GeneratorError};
use kmp_core::dialect::Dialect;
use kmp_core::history::of_request;
use kmp_core::initrd::{NoGenerator, Snapshot, System, places};
use kmp_core::inventory::Release;
use kmp_core::printable;
use kmp_core::run_dir::Note;

use crate::context::Context;
use crate::output::messages;
use crate::verbs::initrd;

/// Makes the initrds that are requested in /run/regenerate-initrd.
#[derive(Debug, Parser)]
#[command(name = "regenerate-initrd-posttrans")]
struct Args {
    /// Print what is done
    #[arg(short, long)]
    verbose: bool,
    /// Work on the system below this directory
    #[arg(long, default_value = "/", value_name = "DIR")]
    root: PathBuf,
    /// Allow programs of the system below --root to make initrds; they are run inside it, with chroot. Without
    /// this option none is run
    #[arg(long)]
    run_in_root: bool,
}

/// The command line's definition.
pub fn command() -> Command {
    Args::command()
}

pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(e) => {
            // There is no way left to say that stdout or stderr is closed.
            let _ = e.print();
            return ExitCode::from(u8::from(e.kind() != ErrorKind::DisplayHelp));
        }
    };
    messages::init("regenerate-initrd-posttrans", i16::from(args.verbose));
    let context = Context::open(&args.root);
    let context = context.map(|context| context.with_programs(args.run_in_root));
    match context.and_then(|context| serve(&context)) {
        Ok(status) => ExitCode::from(status),
        Err(message) => {
            log::error!("{message}");
            ExitCode::from(1)
        }
    }
}

/// Makes the initrds that markers ask for. Returns the generator's exit status.
pub fn serve(context: &Context) -> Result<u8, String> {
    let settings = context.settings();
    initrd::ask_noted(context, &settings)?;
    let markers = apply::markers(&context.root).map_err(|problem| problem.to_string())?;
    let generator = match Generator::find(&context.root, &settings, false) {
        // What is configured wrongly is reported without a request, too.
        Ok(_) if markers.is_empty() => return Ok(0),
        Ok(generator) => generator,
        Err(NoGenerator::OfOtherRoot(_)) if markers.is_empty() => return Ok(0),
        Err(fault) if fault.is_configuration() || fault.is_unread() => return Err(fault.to_string()),
        Err(_) if markers.is_empty() => return Ok(0),
        Err(fault) => {
            log::warn!("no initrd is made: {fault}");
            return Ok(0);
        }
    };
    if settings.transactional && generator.makes_boot_entries() {
        log::info!("initrd requests are served at the end of the transaction");
        return Ok(0);
    }
    let which =
        kmp_core::config::dialect(&context.root, &mut Vec::new()).map_err(|problem| problem.to_string())?;
    let dialect = which.for_reading();
    let fault = System::fault(&context.root, dialect).map_err(|problem| problem.to_string())?;
    if let Some(why) = fault {
        log::warn!("{why}");
        markers.iter().for_each(|marker| apply::unmark(&context.root, marker));
        return Ok(0);
    }
    let (_, releases) = context.releases()?;
    if let Some(problem) = releases.iter().find_map(|r| r.unread.as_ref()) {
        return Err(format!(
            "the installed kernels cannot be listed, so all initrd requests stay: {problem}"
        ));
    }
    let kernels: Vec<&Release> = releases.iter().filter(|r| r.is_kernel).collect();
    let unmark = |markers: &[&Note]| markers.iter().for_each(|marker| apply::unmark(&context.root, marker));
    let mut markers: Vec<&Note> = markers.iter().collect();
    if settings.skip_all {
        let (all, single) = markers.into_iter().partition::<Vec<_>, _>(|m| m.name == apply::ALL);
        unmark(&all);
        markers = single;
    }
    let is_all = markers.iter().any(|m| m.name == apply::ALL);
    // A generator that makes all of them chooses the places, too.
    let at_once = is_all && !dialect.replaces_initrds_in_place();
    let made_for: Vec<(&str, &Path)> = match at_once {
        true => packed(context, &kernels)?,
        false => Vec::new(),
    };
    let make_all = || generator.make_all(&context.root, dialect, &made_for);
    let (status, has_made) = match at_once.then(make_all).flatten() {
        Some(built) => {
            let failed = built.as_ref().err().map(ToString::to_string);
            for (release, _) in &made_for {
                context.record(of_request(release, failed.as_deref()));
            }
            let status = status_of(built);
            if status == 0 {
                unmark(&markers);
            }
            (status, status == 0)
        }
        None => serve_each(context, dialect, &generator, &kernels, &markers),
    };
    if has_made && let Err(why) = apply::refresh(&context.root) {
        log::warn!("{why}");
    }
    Ok(status)
}

/// Those of which a generator makes the initrds when it makes all: they have an image and depmod's index, and are not kdump's.
fn packed<'k>(context: &Context, kernels: &[&'k Release]) -> Result<Vec<(&'k str, &'k Path)>, String> {
    let mut packed = Vec::new();
    for kernel in kernels.iter().filter(|kernel| !kernel.release.contains("kdump")) {
        let has_image = places::has_image(&context.root, &kernel.release, &kernel.dir);
        let has_index = context.root.try_exists(&kernel.dir.join("modules.dep"));
        if has_image.map_err(|problem| problem.to_string())? && has_index.unwrap_or(false) {
            packed.push((kernel.release.as_str(), kernel.dir.as_path()));
        }
    }
    Ok(packed)
}

/// Makes the initrds one by one. Returns the exit status of the last generator that failed, and whether an initrd was made.
fn serve_each(
    context: &Context,
    dialect: Dialect,
    generator: &Generator,
    kernels: &[&Release],
    markers: &[&Note],
) -> (u8, bool) {
    // Several markers may mean one kernel, and one of them all kernels.
    let mut wanted: BTreeMap<&str, (&Release, Vec<&Note>)> = BTreeMap::new();
    for marker in markers {
        let meant: Vec<&&Release> =
            kernels.iter().filter(|k| marker.name == apply::ALL || means(&marker.name, &k.release)).collect();
        if meant.is_empty() {
            let name = printable(marker.name.as_ref());
            log::warn!("{}/{name}: there is no such kernel; the request is removed", apply::MARKERS);
            apply::unmark(&context.root, marker);
        }
        for kernel in meant {
            wanted.entry(&kernel.release).or_insert((kernel, Vec::new())).1.push(marker);
        }
    }
    let (mut status, mut has_made) = (0, false);
    let mut kept: Vec<&Note> = Vec::new();
    for (release, (kernel, asking)) in &wanted {
        let place = (*release, kernel.dir.as_path());
        let built = generator.make(&context.root, dialect, place, Snapshot::Default);
        context.record(of_request(release, built.as_ref().err().map(ToString::to_string).as_deref()));
        match status_of(built) {
            0 => has_made = true,
            failed => {
                status = failed;
                kept.extend(asking);
            }
        }
    }
    for marker in wanted.values().flat_map(|(_, asking)| asking).filter(|m| !kept.contains(m)) {
        apply::unmark(&context.root, marker);
    }
    (status, has_made)
}

/// Is a marker of that name for this kernel?
fn means(marker: &str, release: &str) -> bool {
    marker == release || marker.strip_suffix(release).is_some_and(places::is_image_prefix)
}

/// Passes on what a generator said; its exit status. As for the original its word counts, where a scriptlet waits for it: a request
/// that stayed would have it run again in every transaction. That it made nothing is said, and `kmp initrd` goes by the initrd.
fn status_of(built: Result<String, GeneratorError>) -> u8 {
    let failed = match built {
        Ok(said) => {
            said.lines().for_each(|line| log::info!("{line}"));
            return 0;
        }
        Err(failed) => failed,
    };
    log::error!("{failed}");
    if failed.status == Some(0) {
        log::error!("to look at it, and have it made again: kmp initrd");
    }
    failed.status.map_or(1, |status| u8::try_from(status).unwrap_or(1))
}
