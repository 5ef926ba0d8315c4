// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp fleet`: would a kernel that comes cost one of many machines a driver?

mod document;
mod html;
mod page;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kmp_core::guard::{Elements, IncomingKernel};
use kmp_core::inventory::ModulesDirs;
use kmp_core::printable;
use kmp_repo::fleet::{self, Machines, Told};
use kmp_repo::offer;
use kmp_repo::rpmmd::Listed;
use kmp_repo::update::{Kernels, Offers};

use crate::args::fleet::{Fleet as Args, Server};
use crate::context::Context;
use crate::outcome::Outcome;
use crate::output::terminal::print_text;
use crate::verbs::update::sources;

#[cfg(test)]
pub use document::Document;

/// The most bytes of a server's answers.
const ANSWERS_LIMIT: u64 = 256 << 20;

pub fn run(context: &Context, args: &Args, quiet: bool) -> Result<Outcome, String> {
    let mut machines = Machines::default();
    for path in &args.machines {
        for file in files(path)? {
            read(&file, args.from, &mut machines)?;
        }
    }
    let (kernel_files, kernel_repositories): (Vec<&String>, Vec<&String>) =
        args.kernel_from.iter().partition(|name| name.ends_with(".rpm"));
    let given = sources::given(&args.repositories)?;
    let kernel_repositories: Vec<String> = kernel_repositories.into_iter().cloned().collect();
    let with_kernels = sources::given(&kernel_repositories)?;
    // Of a package that is in both, that of those that were named for their kernels counts.
    let all = with_kernels.iter().map(|g| g.source(0)).chain(given.iter().map(|g| g.source(99))).collect();
    let only_from = (!args.kernel_from.is_empty())
        .then(|| with_kernels.iter().map(|given| given.id().to_owned()).collect::<BTreeSet<_>>());
    let mut offers = Offers::read_all(all, only_from);
    let mut kernels = Kernels::new(ModulesDirs::default());
    if !kernel_files.is_empty() {
        add_files(context, &kernel_files, &mut offers, &mut kernels)?;
    }
    let judged = fleet::judge(&machines, &offers, &kernels);
    let problems: Vec<String> = machines.problems.iter().chain(&offers.problems).cloned().collect();
    if args.json {
        document::print(&machines, &judged, &problems)?;
    } else if args.html {
        print_text(&html::page(&machines, &judged, &problems, args.all))?;
    } else {
        problems.iter().for_each(|problem| log::warn!("{}", printable(problem.as_ref())));
        if machines.more_problems() > 0 {
            log::warn!("and {} more lines that are no machines", machines.more_problems());
        }
        if !quiet {
            page::print(&machines, &judged, args.all)?;
        }
    }
    let mut told = judged.iter().flat_map(|judged| &judged.fates).map(|fate| &fate.told);
    let is_unknown = told.clone().any(|told| matches!(told, Told::Unknown(_)));
    Ok(match () {
        () if !problems.is_empty() || is_unknown || machines.is_empty() => Outcome::Failed,
        () if told.any(|told| matches!(told, Told::Loses(_))) => Outcome::Found,
        () => Outcome::Good,
    })
}

/// A file, or those of a directory; hidden ones are left out.
fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    let unread = |e: std::io::Error| format!("{} cannot be read: {e}", printable(path.as_os_str()));
    if !std::fs::metadata(path).map_err(unread)?.is_dir() {
        return Ok(vec![path.into()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        // What is neither, such as a pipe, might be waited for.
        let is_file = std::fs::metadata(entry.path()).is_ok_and(|found| found.is_file());
        if is_file && !is_hidden {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn read(file: &Path, from: Option<Server>, machines: &mut Machines) -> Result<(), String> {
    let name = printable(file.as_os_str());
    let unread = |e: std::io::Error| format!("{name} cannot be read: {e}");
    let input = File::open(file).map_err(unread)?;
    let server = match from {
        None => return machines.add_lines(&name, input).map_err(unread),
        Some(Server::Uyuni) => fleet::Server::Uyuni,
        Some(Server::Katello) => fleet::Server::Katello,
    };
    let mut text = Vec::new();
    input.take(ANSWERS_LIMIT + 1).read_to_end(&mut text).map_err(unread)?;
    if text.len() as u64 > ANSWERS_LIMIT {
        return Err(format!("{name} has more than {ANSWERS_LIMIT} bytes; ask with several files"));
    }
    fleet::import(server, &name, &text, machines)
}

/// Adds kernels in package files, which need not list what they export.
fn add_files(
    context: &Context,
    files: &[&String],
    offers: &mut Offers,
    kernels: &mut Kernels,
) -> Result<(), String> {
    let rpm = context.rpm().map_err(|e| format!("package files cannot be read: {e}"))?;
    let mut elements = Elements::new(ModulesDirs::default());
    let mut listed = Vec::new();
    for file in files {
        let of = |e: librpm_rt::Error| e.to_string();
        let package =
            rpm.open_package(Path::new(file)).and_then(|opened| opened.package(&|_| false)).map_err(of)?;
        let name = printable(file.as_ref());
        listed.push((Listed::of_package(&package).map_err(|e| format!("{name}: {e}"))?, name));
        elements.add_file(rpm, Path::new(file)).map_err(of)?;
    }
    let found = elements.finish().kernels;
    let whole: Vec<&Arc<IncomingKernel>> = found.iter().filter(|kernel| kernel.is_whole).collect();
    if whole.is_empty() {
        let names: Vec<String> = files.iter().map(|file| printable(file.as_ref())).collect();
        return Err(format!("there is no kernel in {}", names.join(", ")));
    }
    for kernel in whole {
        // The shortest name is the kernel itself: `kernel-core` beside `kernel-modules-core`.
        let Some(name) = kernel.packages.iter().min_by_key(|name| name.len()) else { continue };
        let of_name = || listed.iter().filter(|(package, _)| package.name() == name);
        let release = &kernel.kernel.release;
        let says_so = |package: &Listed| offer::release(package) == Some(release);
        let main = of_name().find(|(package, _)| says_so(package));
        let Some((package, file)) = main.or_else(|| of_name().next()) else { continue };
        kernels.give(package.nevra(), Arc::clone(kernel));
        offers.add_kernel(package.clone(), file);
    }
    Ok(())
}
