// SPDX-License-Identifier: LGPL-2.1-or-later
//! The command line.

mod drivers;
pub mod fleet;
pub mod help;
pub mod kabi;
mod packaging;
pub mod registry;
mod sources;
mod updates;

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueHint};
use clap_complete::ArgValueCandidates;

pub use drivers::{Devices, Doctor, Key, KeyVerb};
pub use packaging::{Deps, New};
pub use sources::{
    AddMedium, Catalogue, CatalogueVerb, MakeMedium, Medium, MediumVerb, Sources, SourcesVerb,
};
pub use updates::{Hold, Update};

use crate::completion;
use crate::host::divert::Diverted;

/// Keeps third-party kernel drivers working across kernel updates.
///
/// Judges, symbol by symbol, whether each Kernel Module Package (KMP) fits each installed kernel, and makes
/// those that fit available to it by links below /usr/lib/modules/KERNEL/weak-updates/.
#[derive(Debug, Parser)]
#[command(
    name = "kmp",
    version,
    after_help = "Exit status: 0 done or consistent; 1 refused or drift found; 2 usage or failure."
)]
pub struct Args {
    /// Work on the system below this directory
    #[arg(long, global = true, help_heading = help::GLOBAL, default_value = "/", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub root: PathBuf,
    /// Allow programs of the system below --root to make initrds; they are run inside it, with chroot. Without
    /// this option, initrds are only requested
    #[arg(long, global = true, help_heading = help::GLOBAL)]
    pub run_in_root: bool,
    /// Use colours: on terminals (auto), always or never
    #[arg(long, global = true, help_heading = help::GLOBAL, value_name = "WHEN", value_enum, default_value_t = When::Auto)]
    pub color: When,
    /// Print JSON on many lines, for people to read
    #[arg(long, global = true, help_heading = help::GLOBAL)]
    pub pretty: bool,
    /// Print more; given twice, also print each step
    #[arg(short, long, global = true, help_heading = help::GLOBAL, action = ArgAction::Count)]
    pub verbose: u8,
    /// Print only errors and warnings
    #[arg(short, long, global = true, help_heading = help::GLOBAL, action = ArgAction::Count)]
    pub quiet: u8,
    #[command(subcommand)]
    pub verb: Verb,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum When {
    Auto,
    Always,
    Never,
}

impl From<When> for anstream::ColorChoice {
    fn from(when: When) -> Self {
        match when {
            When::Auto => Self::Auto,
            When::Always => Self::Always,
            When::Never => Self::Never,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show each KMP against each kernel
    Status(Status),
    /// Judge modules against kernels, with every reason
    Check(Check),
    /// Show what installing packages, or running another kernel, would change
    Plan(Plan),
    /// Show which kernels the next update may bring with all drivers, and which are kept back
    Update(Update),
    /// Show which kernels are held back for want of a driver, or let one come
    Hold(Hold),
    /// Show, symbol by symbol, what a module imports and what a kernel exports
    Explain(Explain),
    /// Correct the links of all kernels
    Sync(Sync),
    /// Decide which kernels need a new initrd, print why, and make it
    Initrd(Initrd),
    /// Show what each run has changed, why, and who has called it
    History(History),
    /// Show the machine's devices, and which drivers are for each
    Devices(Devices),
    /// Look whether the system, and packages of drivers, are sound
    Doctor(Doctor),
    /// Show and import the keys that packages are signed with
    Key(Key),
    /// Show and choose where newer builds of drivers come from, beside the repositories
    Sources(Sources),
    /// Register a driver medium, or make one
    Medium(Medium),
    /// Make a catalogue of providers of drivers (for distributors)
    Catalogue(Catalogue),
    /// A kernel was installed (for scriptlets)
    AddKernel {
        /// Its release; the default is the running kernel
        #[arg(add = ArgValueCandidates::new(completion::kernels))]
        kernel: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// A kernel is being removed (for scriptlets)
    RemoveKernel {
        /// Its release; the default is the running kernel
        #[arg(add = ArgValueCandidates::new(completion::kernels))]
        kernel: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// A KMP was installed (for scriptlets)
    AddKmp {
        /// NAME-VERSION-RELEASE
        #[arg(add = ArgValueCandidates::new(completion::nvrs))]
        nvr: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a spec file, and what it needs, for a package of kernel modules
    New(New),
    /// Compare what kernels export, say why it changed, and what of it a driver uses (for distributors and vendors)
    Kabi(kabi::Kabi),
    /// Keep a registry of drivers, and what becomes of them in a kernel that comes (for distributors)
    Registry(registry::Registry),
    /// Print which source packages are to be built anew for a kernel that comes, and in which order (for distributors)
    RebuildList(fleet::RebuildList),
    /// Print what this machine has of kernels and drivers, and what its drivers are used for, for `kmp fleet`
    Facts(fleet::Facts),
    /// Show which of many machines a kernel that comes would cost a driver, and what helps
    Fleet(fleet::Fleet),
    /// Print the dependencies of a package, whose files are listed on standard input (for rpm's generators)
    Deps(Deps),
    /// Put kmp in the place of the distribution's own commands, beside its package (for scriptlets)
    Divert(Divert),
    /// Answer libzypp as its commit plugin
    #[command(hide = true)]
    ZyppCommitPlugin,
    /// A KMP is being removed (for scriptlets)
    RemoveKmp {
        /// NAME-VERSION-RELEASE
        #[arg(add = ArgValueCandidates::new(completion::nvrs))]
        nvr: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
pub struct Kernels {
    /// Only this kernel; may be given more than once
    #[arg(long = "kernel", value_name = "KERNEL", add = ArgValueCandidates::new(completion::kernels))]
    pub kernels: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct Status {
    #[command(flatten)]
    pub kernels: Kernels,
    /// Show every build of each driver, every reason, live patches, what is built here and what no package owns, and what kmp
    /// goes by on this machine, however many lines that takes
    #[arg(short, long)]
    pub all: bool,
    /// Show who supports each driver, and how it taints the kernel, as a support engineer wants to know it
    #[arg(long, conflicts_with = "all")]
    pub support: bool,
    /// Write a line to the system's log for each module that is in use without support, too (for kmp-support.service)
    #[arg(long, requires = "support")]
    pub log: bool,
    /// Print a page for a browser, without script
    #[arg(long, conflicts_with = "json")]
    pub html: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Only these: drivers, installed KMPs (by name or NAME-VERSION-RELEASE), or modules; the default is all
    #[arg(value_name = "KMP|MODULE", add = ArgValueCandidates::new(completion::kmps))]
    pub names: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct Check {
    #[command(flatten)]
    pub kernels: Kernels,
    /// Take symbol versions from this file (Module.symvers, plain or compressed) instead of the kernel's own;
    /// without --kernel, only symbols are judged
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub symvers: Option<PathBuf>,
    /// Of a kernel that comes, too, print every verdict on every version of every KMP, and not what `kmp plan` says
    #[arg(long)]
    pub all: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Print JSON, a line for each module and kernel
    #[arg(long, conflicts_with_all = ["json", "pretty"])]
    pub json_lines: bool,
    /// Module files, directories of them, installed KMPs (by name or NAME-VERSION-RELEASE), or package files,
    /// which are judged as if installed: a KMP against each kernel, a kernel against each KMP. The default is
    /// every installed KMP. All arguments are judged together
    #[arg(
        value_name = "FILE.ko|DIR|KMP|FILE.rpm",
        value_hint = ValueHint::AnyPath,
        add = ArgValueCandidates::new(completion::kmps)
    )]
    pub names: Vec<std::ffi::OsString>,
}

#[derive(Debug, clap::Args)]
pub struct Plan {
    /// Print a line for each driver, however many there are, and every reason
    #[arg(short, long)]
    pub all: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Package files that come, all in one transaction; installed kernels (by release) that are to run; installed KMPs
    /// (@NAME or @NAME-VERSION-RELEASE) that are erased. The default is the newest installed kernel
    #[arg(
        value_name = "FILE.rpm|KERNEL|@KMP",
        value_hint = ValueHint::AnyPath,
        add = ArgValueCandidates::new(completion::planned)
    )]
    pub names: Vec<std::ffi::OsString>,
}

#[derive(Debug, clap::Args)]
pub struct Explain {
    /// A module file, the name of an installed module, an installed KMP, or the package file of a KMP
    #[arg(
        value_name = "MODULE|KMP|FILE.rpm",
        value_hint = ValueHint::FilePath,
        add = ArgValueCandidates::new(completion::kmps)
    )]
    pub name: std::ffi::OsString,
    /// The kernel; the default is the newest that refuses the module, or else the newest
    #[arg(long, value_name = "KERNEL", add = ArgValueCandidates::new(completion::kernels))]
    pub kernel: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct Sync {
    #[command(flatten)]
    pub kernels: Kernels,
    /// Change nothing; print what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Do not run depmod
    #[arg(long)]
    pub no_depmod: bool,
    /// Do not make or request initrds
    #[arg(long)]
    pub no_initrd: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct Initrd {
    #[command(flatten)]
    pub kernels: Kernels,
    /// Look only at kernels whose initrd is requested in /run/regenerate-initrd
    #[arg(long)]
    pub requested: bool,
    /// Make nothing; print what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct History {
    /// Show this many runs, the last ones, and with 0 all; the default is 20, or all where others say which
    #[arg(short, long, value_name = "N")]
    pub number: Option<usize>,
    /// Only runs since then: a date, a date and a time, or how long ago, such as "2 days" or 3h
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Print JSON, a line a run
    #[arg(long)]
    pub json: bool,
    /// Show this run in detail
    #[arg(conflicts_with_all = ["number", "since"])]
    pub run: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub struct Divert {
    /// Put the distribution's commands back in their places
    #[arg(long)]
    pub restore: bool,
    /// Which; with --restore, the default is all
    #[arg(value_name = "COMMAND", value_enum, required_unless_present = "restore")]
    pub commands: Vec<Diverted>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
