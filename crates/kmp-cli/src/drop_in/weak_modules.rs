// SPDX-License-Identifier: LGPL-2.1-or-later
//! The drop-in for Red Hat's weak-modules: its command line and its exit codes, on kmp's engine.
//!
//! Whose links are made is for the root's dialect to decide, not the name: see [`kmp_core::config::dialect`].

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Command, CommandFactory, Parser};
use clap_complete::ArgValueCandidates;
use kmp_core::apply::{self, Depmod, Generator};
use kmp_core::history::About;
use kmp_core::ids::KmpId;
use kmp_core::initrd::{NoGenerator, Request, Settings, Tool};
use kmp_core::inventory::InstalledKmp;
use kmp_core::plan::Decision;
use kmp_core::printable;
use kmp_core::run_dir::{self, transaction};
use kmp_core::survey::Selection;
use kmp_core::sync::{NotLinked, Options, SyncReport};
use kmp_core::tree;

use crate::completion;
use crate::context::{Context, running_kernel};
use crate::drop_in::{self, Speaker, listed_on_stdin};
use crate::host::deferred;
use crate::output::initrd_lines;
use crate::verbs::sync::{below_release, reconcile};

/// Makes kernel modules that were built for one kernel available to the others that they fit.
#[derive(Debug, Parser)]
#[command(name = "weak-modules", infer_long_args = true, args_override_self = true)]
struct Args {
    /// Modules were installed; their paths are on stdin
    #[arg(long)]
    add_modules: bool,
    /// Modules were removed; their paths are on stdin
    #[arg(long)]
    remove_modules: bool,
    /// A kernel was installed; its release may follow
    #[arg(long)]
    add_kernel: bool,
    /// A kernel is being removed; its release may follow
    #[arg(long)]
    remove_kernel: bool,
    /// Do not build an initramfs
    #[arg(long)]
    no_initramfs: bool,
    /// Change nothing; print what would be done
    #[arg(long)]
    dry_run: bool,
    /// Print what is done
    #[arg(long)]
    verbose: bool,
    /// Accepted without effect
    #[arg(long)]
    delete_modules: bool,
    /// Work on the system below this directory
    #[arg(long, value_name = "DIR", default_value = "/")]
    basedir: PathBuf,
    /// Allow programs of the system below --basedir to make an initramfs; they are run inside it, with chroot.
    /// Without this option they are if nobody but root can write where they are
    #[arg(long)]
    run_in_root: bool,
    /// The program that builds an initramfs
    #[arg(long, value_name = "FILE")]
    dracut: Option<PathBuf>,
    /// The program to run for each kernel that may need a new initramfs, instead of the built-in check
    #[arg(long, value_name = "FILE")]
    check_initramfs_prog: Option<PathBuf>,
    /// A kernel release; the default is the running kernel
    #[arg(add = ArgValueCandidates::new(completion::kernels))]
    kernel: Option<String>,
    /// Ignored, as by the original
    #[arg(hide = true)]
    more: Vec<String>,
}

/// The command line's definition.
pub fn command() -> Command {
    Args::command()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    AddModules,
    RemoveModules,
    AddKernel,
    RemoveKernel,
}

impl Mode {
    fn option(self) -> &'static str {
        match self {
            Mode::AddModules => "--add-modules",
            Mode::RemoveModules => "--remove-modules",
            Mode::AddKernel => "--add-kernel",
            Mode::RemoveKernel => "--remove-kernel",
        }
    }
}

impl Args {
    /// Of several the first in this order counts, as with the original.
    fn mode(&self) -> Option<Mode> {
        [
            (self.add_modules, Mode::AddModules),
            (self.remove_modules, Mode::RemoveModules),
            (self.add_kernel, Mode::AddKernel),
            (self.remove_kernel, Mode::RemoveKernel),
        ]
        .into_iter()
        .find_map(|(given, mode)| given.then_some(mode))
    }
}

pub fn main() -> ExitCode {
    drop_in::main("weak-modules", |_: &Args| 0, run)
}

fn run(args: &Args) -> Result<bool, String> {
    let Some(mode) = args.mode() else {
        let usage = Args::command().render_usage();
        return Err(format!("say what was done to which: --add-modules, --add-kernel, ...\n{usage}"));
    };
    if args.delete_modules {
        log::warn!("--delete-modules has no effect any more");
    }
    let listed = match mode {
        Mode::AddModules | Mode::RemoveModules => inside(&args.basedir, listed_on_stdin())?,
        _ => Vec::new(),
    };
    // A module that is linked for the asking only is nothing that the transaction would find by itself.
    let is_found = |path: &PathBuf| below_release(path).is_some_and(|below| below.starts_with("extra"));
    let can_wait = !args.dry_run && (mode != Mode::AddModules || listed.iter().all(is_found));
    let named = args.kernel.as_deref().unwrap_or_default();
    let touched: Vec<String> = listed.iter().filter_map(|path| release_of(path)).collect();
    let noted = if args.no_initramfs { &[][..] } else { &touched };
    let mut request = vec!["weak-modules", mode.option(), named];
    request.extend(args.no_initramfs.then_some(transaction::NO_INITRD));
    if can_wait && deferred::note(&args.basedir, &request, None, noted) {
        return Ok(false);
    }
    let run_in_root = args.run_in_root || (!args.dry_run && are_roots_programs(&args.basedir));
    let context = Context::open(&args.basedir)?.with_programs(run_in_root);
    let environment = Settings::from_environment();
    let mut programs = environment.programs.clone();
    programs.extend(args.dracut.clone().map(|named| (Tool::Dracut, named.into())));
    let settings = Settings { programs, run_in_root, ..environment };
    find_dracut(args, &context, &settings)?;
    let kernel = match (mode, &args.kernel) {
        (Mode::AddModules | Mode::RemoveModules, _) => String::new(),
        (_, Some(kernel)) => kernel.clone(),
        (_, None) => running_kernel(&context.root)?,
    };
    let selection = Selection {
        kernels: Vec::new(),
        going: (mode == Mode::RemoveKernel).then(|| kernel.clone()),
        asked: if mode == Mode::AddModules { listed.clone() } else { Vec::new() },
        ..Selection::default()
    };
    let by_caller = args.check_initramfs_prog.is_some();
    let request = Request { settings, touched, by_caller, ..Request::default() };
    let options = Options {
        selection,
        dry_run: args.dry_run,
        no_depmod: false,
        depmod: Depmod::from_environment(),
        initrd: (!args.no_initramfs).then_some(request),
        named: (mode == Mode::AddKernel).then(|| kernel.clone()),
    };
    let about = if mode == Mode::AddKernel { About::Kernel(&kernel) } else { About::Nothing };
    let report = reconcile(&context, &options, about)?;
    let mut speaker = Speaker { verbose: args.verbose, log: None };
    print_report(&mut speaker, &report, mode, &kernel, &listed);
    // A package of a kernel stops where this fails: before its initramfs and boot entry, or instead of going. So the status is
    // about that kernel; what went wrong with others has been reported.
    let counts = |release: &str| !matches!(mode, Mode::AddKernel | Mode::RemoveKernel) || release == kernel;
    let mut failed = if counts("") { report.failed() } else { report.failed_for(&kernel) };
    if mode == Mode::AddKernel {
        context.known(&report.survey, std::slice::from_ref(&kernel))?;
    }
    if let Some(program) =
        args.check_initramfs_prog.as_deref().filter(|_| !args.no_initramfs && !args.dry_run)
    {
        failed |= check_with(&context, program, &report).into_iter().any(|release| counts(&release));
    }
    Ok(failed)
}

/// Runs the program for each kernel whose modules changed, now or in a run that was cut short. Returns the kernels for which
/// it failed.
fn check_with(context: &Context, program: &Path, report: &SyncReport) -> Vec<String> {
    let mut failed = Vec::new();
    for kernel in &report.kernels {
        let Some(to_check) = &kernel.to_check else { continue };
        if to_check.links_changed {
            match apply::check_with(program, &kernel.release) {
                Ok(said) => said.lines().for_each(|line| log::info!("{line}")),
                Err(why) => {
                    log::error!("the initramfs of kernel {} is not checked: {why}", kernel.release);
                    failed.push(kernel.release.clone());
                    continue;
                }
            }
        }
        if let Some(note) = &to_check.note {
            run_dir::settle_check(&context.root, note);
        }
    }
    failed
}

/// The release in whose directory a listed module is.
fn release_of(path: &Path) -> Option<String> {
    tree::parts(path)?.release.to_str().map(Into::into)
}

/// Can nobody but root change what would be run below `basedir`? The original runs that root's dracut whenever it is asked to
/// work there, and who calls it builds an image. A directory that others can write in is left alone.
fn are_roots_programs(basedir: &Path) -> bool {
    ["", "usr", "usr/bin", "usr/sbin", "bin", "sbin"].into_iter().all(
        |place| match std::fs::symlink_metadata(basedir.join(place)) {
            Ok(found) if found.is_symlink() => true,
            Ok(found) => found.uid() == 0 && found.mode() & 0o022 == 0,
            Err(e) => e.kind() == std::io::ErrorKind::NotFound,
        },
    )
}

/// The original does nothing without a dracut that can be run. Neither does this, where it may be needed. Below a root whose
/// programs are not to be run an initramfs is requested, and the links are made all the same.
fn find_dracut(args: &Args, context: &Context, settings: &Settings) -> Result<(), String> {
    if args.no_initramfs || args.check_initramfs_prog.is_some() {
        return Ok(());
    }
    match Generator::find(&context.root, settings, args.dry_run) {
        Ok(_) | Err(NoGenerator::OfOtherRoot(_)) => Ok(()),
        Err(why) => Err(format!("{why}; name another with --dracut, or say --no-initramfs")),
    }
}

/// Listed paths as they are inside the root: relative ones are below the working directory, and those that begin with
/// `basedir` lose it.
fn inside(basedir: &Path, listed: Vec<PathBuf>) -> Result<Vec<PathBuf>, String> {
    let absolute =
        |path: &Path| std::path::absolute(path).map_err(|e| format!("{}: {e}", printable(path.as_os_str())));
    let base = absolute(basedir)?;
    let mut paths = Vec::with_capacity(listed.len());
    for path in listed {
        let path = absolute(&path)?;
        paths.push(match path.strip_prefix(&base) {
            Ok(below) => Path::new("/").join(below),
            Err(_) => path,
        });
    }
    Ok(paths)
}

fn print_report(speaker: &mut Speaker, report: &SyncReport, mode: Mode, kernel: &str, listed: &[PathBuf]) {
    let survey = &report.survey;
    for path in listed.iter().filter(|p| survey.inventory.dirs.canonical(p).is_none()) {
        let path = printable(path.as_os_str());
        speaker.say(&format!("{path} is in no kernel's directory of modules; it is left out"));
    }
    let canonical = |path: &PathBuf| survey.inventory.dirs.canonical(path);
    let named: Vec<KmpId> =
        listed.iter().filter_map(canonical).filter_map(|p| survey.inventory.owner(&p)).collect();
    let concerns = |kmp: KmpId| match mode {
        Mode::AddModules => named.contains(&kmp),
        Mode::AddKernel => true,
        Mode::RemoveModules | Mode::RemoveKernel => false,
    };
    for done in &report.kernels {
        let release = &done.release;
        for change in &done.changes {
            speaker.say_if_verbose(&format!("Kernel {release}: {change}"));
        }
        if let Some(line) = done.initrd.as_ref().and_then(|fate| initrd_lines::line(release, fate)) {
            speaker.say_if_verbose(&format!("Kernel {line}"));
        }
        let Some(surveyed) = survey.kernels.iter().find(|k| k.kernel.release == *release) else { continue };
        if mode == Mode::AddKernel && release != kernel {
            continue;
        }
        for (index, decision) in surveyed.plan.decisions.each() {
            if *decision == Decision::Link && concerns(index) {
                for module in modules(&survey.inventory.kmps[index]) {
                    speaker.say_if_verbose(&format!("Module {module} is compatible with kernel {release}"));
                }
            }
        }
        for NotLinked { id, kmp, detail, .. } in report.not_linked(release) {
            if concerns(id) {
                let names: Vec<String> = modules(kmp).collect();
                speaker.say(&format!("{} not linked in kernel {release}: {detail}", names.join(", ")));
            }
        }
    }
}

/// File names, with the kernel that they were built for.
fn modules(kmp: &InstalledKmp) -> impl Iterator<Item = String> {
    let file = |m: &kmp_core::inventory::FoundModule| printable(m.below.file_name().unwrap_or_default());
    kmp.modules.iter().map(move |m| format!("{} of {}", file(m), kmp.origin))
}
