// SPDX-License-Identifier: LGPL-2.1-or-later
//! The drop-in for SUSE's weak-modules2: its command line, its exit codes and its messages, on kmp's engine.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgAction, ArgGroup, Command, CommandFactory, Parser};
use clap_complete::ArgValueCandidates;
use kmp_core::apply::Depmod;
use kmp_core::history::About;
use kmp_core::initrd::{Reason, Request, Settings};
use kmp_core::plan::Decision;
use kmp_core::survey::Selection;
use kmp_core::sync::{NotLinked, Options, PackageChange, SyncReport};

use crate::completion;
use crate::context::{Context, running_kernel};
use crate::drop_in::{self, Speaker, listed_on_stdin};
use crate::host::deferred;
use crate::output::initrd_lines;
use crate::verbs::sync::{below_release, name_gone, package_name, reconcile};

/// Where the path of a relative log file starts.
const LOG_DIRECTORY: &str = "/var/log";

/// Makes kernel module packages available to the kernels that they are compatible with.
#[derive(Debug, Parser)]
#[command(name = "weak-modules2", infer_long_args = true)]
#[command(group = ArgGroup::new("mode").required(true))]
struct Args {
    /// A KMP was installed; its NAME-VERSION-RELEASE follows
    #[arg(long, group = "mode")]
    add_kmp: bool,
    /// A KMP was removed; its NAME-VERSION-RELEASE follows, the paths of its modules are on stdin
    #[arg(long, group = "mode")]
    remove_kmp: bool,
    /// A kernel was installed; its release may follow
    #[arg(long, group = "mode")]
    add_kernel: bool,
    /// A kernel was removed; its release may follow
    #[arg(long, group = "mode")]
    remove_kernel: bool,
    /// In-tree modules were added to the kernel that follows; their paths are on stdin
    #[arg(long, group = "mode")]
    add_kernel_modules: bool,
    /// In-tree modules were removed from the kernel that follows; their paths are on stdin
    #[arg(long, group = "mode")]
    remove_kernel_modules: bool,
    /// Print what is done; may be repeated
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
    /// Change nothing; print what would be done
    #[arg(long)]
    dry_run: bool,
    /// Print everything
    #[arg(long)]
    debug: bool,
    /// Also write messages to this file; a relative path starts at /var/log
    #[arg(long, value_name = "FILE")]
    logfile: Option<PathBuf>,
    /// Show this text
    #[arg(long, action = ArgAction::Help)]
    usage: Option<bool>,
    /// Work on the system below this directory
    #[arg(long, default_value = "/", value_name = "DIR")]
    root: PathBuf,
    /// Allow programs of the system below --root to make initrds; they are run inside it, with chroot. Without
    /// this option, initrds are only requested
    #[arg(long)]
    run_in_root: bool,
    /// A kernel release or a package
    #[arg(add = ArgValueCandidates::new(completion::kernels_and_nvrs))]
    argument: Option<String>,
}

/// The command line's definition.
pub fn command() -> Command {
    Args::command()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    AddKmp,
    RemoveKmp,
    AddKernel,
    RemoveKernel,
    AddModules,
    RemoveModules,
}

impl Mode {
    fn option(self) -> &'static str {
        match self {
            Mode::AddKmp => "--add-kmp",
            Mode::RemoveKmp => "--remove-kmp",
            Mode::AddKernel => "--add-kernel",
            Mode::RemoveKernel => "--remove-kernel",
            Mode::AddModules => "--add-kernel-modules",
            Mode::RemoveModules => "--remove-kernel-modules",
        }
    }
}

impl Args {
    fn mode(&self) -> Mode {
        match (self.add_kmp, self.remove_kmp, self.add_kernel, self.remove_kernel) {
            (true, ..) => Mode::AddKmp,
            (_, true, ..) => Mode::RemoveKmp,
            (_, _, true, _) => Mode::AddKernel,
            (_, _, _, true) => Mode::RemoveKernel,
            _ if self.add_kernel_modules => Mode::AddModules,
            _ => Mode::RemoveModules,
        }
    }

    /// 0 to 3, by -v or WM2_VERBOSE.
    fn verbosity(&self) -> u8 {
        let environment = std::env::var("WM2_VERBOSE").ok().and_then(|v| v.trim().parse::<u8>().ok());
        let debug = self.debug || std::env::var_os("WM2_DEBUG").is_some_and(|v| !v.is_empty() && v != "0");
        if debug { 3 } else { self.verbose.max(environment.unwrap_or(0)).min(3) }
    }
}

pub fn main() -> ExitCode {
    drop_in::main("weak-modules2", |args: &Args| args.verbosity().saturating_sub(1), run)
}

fn run(args: &Args) -> Result<bool, String> {
    let mode = args.mode();
    let needs_argument = !matches!(mode, Mode::AddKernel | Mode::RemoveKernel);
    if needs_argument && args.argument.is_none() {
        let usage = Args::command().render_usage();
        return Err(format!("the mode needs a package or a kernel release\n{usage}"));
    }
    let mut speaker = Speaker { verbose: args.verbosity() > 0, log: log_file(args) };
    let listed = match mode {
        Mode::RemoveKmp | Mode::AddModules | Mode::RemoveModules => {
            listed_on_stdin().iter().filter_map(|path| below_release(path)).collect()
        }
        _ => BTreeSet::new(),
    };
    let settings = Settings { run_in_root: args.run_in_root, ..Settings::from_environment() };
    // Which of a kernel's own modules its initrd wants is for the generator to say: it goes by the hardware, not by what was
    // there when the initrd was made.
    let is_whole = matches!(mode, Mode::AddKernel | Mode::AddModules | Mode::RemoveModules);
    let named = args.argument.as_deref().unwrap_or_default();
    let is_wished = is_whole || (mode == Mode::AddKmp && settings.forced);
    let wish = args.argument.as_deref().filter(|_| deferred::is_asked_for() && is_wished);
    if !args.dry_run && deferred::note(&args.root, &["weak-modules2", mode.option(), named], wish, &[]) {
        return Ok(false);
    }
    let context = Context::open(&args.root)?;
    let argument = match &args.argument {
        Some(argument) => argument.clone(),
        None => running_kernel(&context.root)?,
    };
    let going = (mode == Mode::RemoveKernel).then(|| argument.clone());
    let options = Options {
        selection: Selection { going, ..Selection::default() },
        dry_run: args.dry_run,
        no_depmod: false,
        depmod: Depmod::from_environment(),
        initrd: Some(Request {
            settings,
            kernel: is_whole.then(|| argument.clone()),
            package: (mode == Mode::AddKmp).then(|| argument.clone()),
            touched: Vec::new(),
            by_caller: false,
        }),
        named: matches!(mode, Mode::AddKernel | Mode::AddModules).then(|| argument.clone()),
    };
    let about = match mode {
        Mode::AddKernel => About::Kernel(&argument),
        Mode::AddKmp => About::Package(package_name(&argument)),
        _ => About::Nothing,
    };
    let mut report = reconcile(&context, &options, about)?;
    if mode == Mode::RemoveKmp {
        name_gone(&mut report, &argument, &listed);
    }
    print_changes(&mut speaker, &report);
    match mode {
        Mode::AddKmp => print_added(&mut speaker, &report, &argument),
        Mode::RemoveKmp => print_removed(&mut speaker, &report, &argument),
        Mode::AddKernel | Mode::AddModules | Mode::RemoveModules => {
            if !report.survey.inventory.kernels().any(|r| r.release == argument) {
                speaker.say(&format!("Kernel {argument} is not installed"));
            }
        }
        Mode::RemoveKernel => {}
    }
    print_initrds(&mut speaker, &report);
    for kernel in &report.kernels {
        let is_of_kernel = matches!(mode, Mode::AddKernel | Mode::AddModules | Mode::RemoveModules);
        if is_of_kernel && kernel.release != argument {
            continue;
        }
        // Who removes a kernel does not ask how the others stand.
        let asked = mode != Mode::RemoveKernel;
        let not_linked = report.not_linked(&kernel.release).into_iter().filter(|_| asked);
        for NotLinked { kmp, detail: why, .. } in not_linked {
            let named = matches!(mode, Mode::AddKmp | Mode::RemoveKmp);
            if !named || kmp.package.name == package_name(&argument) {
                speaker.say(&format!(
                    "Package {} is incompatible with kernel {}: {why}",
                    kmp.package.nvr(),
                    kernel.release
                ));
            }
        }
    }
    Ok(report.failed())
}

fn print_changes(speaker: &mut Speaker, report: &SyncReport) {
    for kernel in &report.kernels {
        let release = &kernel.release;
        for change in &kernel.changes {
            match change {
                PackageChange::Added(nvr) | PackageChange::Repaired(nvr) => {
                    speaker.say_if_verbose(&format!("Package {nvr} added to kernel {release}"));
                }
                PackageChange::Replaced { old, new } => {
                    speaker.say_if_verbose(&format!(
                        "Package {old} replaced by package {new} in kernel {release}"
                    ));
                }
                PackageChange::Removed(nvr) => {
                    speaker.say_if_verbose(&format!("Package {nvr} removed from kernel {release}"));
                }
                PackageChange::Dangling(_) => {
                    speaker.say_if_verbose(&format!("{change} from kernel {release}"))
                }
            }
        }
    }
}

fn print_initrds(speaker: &mut Speaker, report: &SyncReport) {
    for kernel in &report.kernels {
        let Some(fate) = &kernel.initrd else { continue };
        let release = &kernel.release;
        if matches!(fate.reason, Reason::Changed(_) | Reason::Same) {
            let modules = fate.reason.modules();
            let modules = if modules.is_empty() { "none".into() } else { modules.join(" ") };
            speaker.say_if_verbose(&format!("changed initrd modules for kernel {release}: {modules}"));
        }
        if let Some(line) = initrd_lines::line(release, fate).filter(|_| fate.reason.needed()) {
            speaker.say_if_verbose(&line);
        }
    }
}

fn print_added(speaker: &mut Speaker, report: &SyncReport, nvr: &str) {
    let survey = &report.survey;
    for kmp in survey.inventory.kmps_named(nvr) {
        for kernel in &survey.kernels {
            if matches!(kernel.plan.decisions[kmp], Decision::Superseded(_)) {
                let release = &kernel.kernel.release;
                speaker
                    .say_if_verbose(&format!("Package {nvr} does not need to be added to kernel {release}"));
            }
        }
    }
}

fn print_removed(speaker: &mut Speaker, report: &SyncReport, nvr: &str) {
    let name = package_name(nvr);
    let kmps = &report.survey.inventory.kmps;
    let linked = report.survey.kernels.iter().any(|kernel| {
        let decisions = kernel.plan.decisions.iter().zip(kmps);
        decisions.into_iter().any(|(d, k)| *d == Decision::Link && k.package.name == name)
    });
    if !linked {
        speaker.say_if_verbose(&format!("Weak-updates symlinks to no other {name} package could be created"));
    }
}

fn log_file(args: &Args) -> Option<std::fs::File> {
    let named = args.logfile.clone().or_else(|| std::env::var_os("WM2_LOGFILE").map(PathBuf::from));
    let path = Path::new(LOG_DIRECTORY).join(named.filter(|p| !p.as_os_str().is_empty())?);
    match OpenOptions::new().append(true).create(true).open(&path) {
        Ok(file) => Some(file),
        Err(e) => {
            log::warn!("no messages are written to {}: {e}", path.display());
            None
        }
    }
}
