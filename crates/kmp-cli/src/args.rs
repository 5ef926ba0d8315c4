// SPDX-License-Identifier: LGPL-2.1-or-later
//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueHint};
use clap_complete::ArgValueCandidates;
use kmp_core::dialect::Dialect;

use crate::completion;

/// Keeps third-party kernel drivers working across kernel updates.
///
/// Judges, symbol by symbol, whether each Kernel Module Package (KMP) fits each installed kernel, and makes
/// those that fit available to it by links below /usr/lib/modules/KERNEL/weak-updates/.
#[derive(Debug, Parser)]
#[command(
    name = "kmp",
    version,
    after_help = "Exit status: 0 done or consistent; 1 incompatible or drift found; 2 usage or failure."
)]
pub struct Args {
    /// Work on the system below this directory
    #[arg(long, global = true, default_value = "/", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub root: PathBuf,
    /// Let programs of the system below --root make initrds: they are run in it by chroot. Without this nothing of
    /// it is run, and initrds are only asked for
    #[arg(long, global = true)]
    pub run_in_root: bool,
    /// Say more; twice: say what is being done
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say only what went wrong
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub quiet: u8,
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show each KMP against each kernel
    Status(Status),
    /// Judge modules against kernels, with every reason
    Check(Check),
    /// Show symbol by symbol what a module uses and what a kernel offers
    Explain(Explain),
    /// Make the links of all kernels what they should be
    Sync(Sync),
    /// Say which kernels need a new initrd, and why, and make it
    Initrd(Initrd),
    /// A kernel was installed (for scriptlets)
    AddKernel {
        /// Its release; the running kernel's where none is given
        #[arg(add = ArgValueCandidates::new(completion::kernels))]
        kernel: Option<String>,
    },
    /// A kernel is being removed (for scriptlets)
    RemoveKernel {
        /// Its release; the running kernel's where none is given
        #[arg(add = ArgValueCandidates::new(completion::kernels))]
        kernel: Option<String>,
    },
    /// A KMP was installed (for scriptlets)
    AddKmp {
        /// NAME-VERSION-RELEASE
        #[arg(add = ArgValueCandidates::new(completion::nvrs))]
        nvr: String,
    },
    /// Print a package's dependencies, from the list of its files on standard input (for rpm's generators)
    Deps(Deps),
    /// Answer libzypp as its commit plugin
    #[command(hide = true)]
    ZyppCommitPlugin,
    /// A KMP is being removed (for scriptlets)
    RemoveKmp {
        /// NAME-VERSION-RELEASE
        #[arg(add = ArgValueCandidates::new(completion::nvrs))]
        nvr: String,
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
    /// Machine-readable output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct Check {
    #[command(flatten)]
    pub kernels: Kernels,
    /// Judge by these symbol versions (Module.symvers, plain or compressed) instead of the kernel's own;
    /// without --kernel only symbols are judged
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub symvers: Option<PathBuf>,
    /// Machine-readable output
    #[arg(long)]
    pub json: bool,
    /// Module files, directories of them, installed KMPs by name or NAME-VERSION-RELEASE, or package files
    /// as if they were installed: a KMP's against each kernel, a kernel's against each KMP. Every installed
    /// KMP where nothing is named. What is named together is judged together
    #[arg(
        value_name = "FILE.ko|DIR|KMP|FILE.rpm",
        value_hint = ValueHint::AnyPath,
        add = ArgValueCandidates::new(completion::kmps)
    )]
    pub names: Vec<std::ffi::OsString>,
}

#[derive(Debug, clap::Args)]
pub struct Explain {
    /// A module file, the name of an installed module, or an installed KMP
    #[arg(
        value_name = "MODULE|KMP",
        value_hint = ValueHint::FilePath,
        add = ArgValueCandidates::new(completion::kmps)
    )]
    pub name: std::ffi::OsString,
    /// The kernel
    #[arg(long, value_name = "KERNEL", add = ArgValueCandidates::new(completion::kernels))]
    pub kernel: String,
    /// Machine-readable output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct Sync {
    #[command(flatten)]
    pub kernels: Kernels,
    /// Change nothing, only tell what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Leave depmod to somebody else
    #[arg(long)]
    pub no_depmod: bool,
    /// Leave initrds to somebody else
    #[arg(long)]
    pub no_initrd: bool,
    /// Machine-readable output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct Initrd {
    #[command(flatten)]
    pub kernels: Kernels,
    /// Make nothing, only tell
    #[arg(long)]
    pub dry_run: bool,
    /// Machine-readable output
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct Deps {
    /// Print Provides
    #[arg(long, group = "which")]
    pub provides: bool,
    /// Print Requires
    #[arg(long, group = "which")]
    pub requires: bool,
    /// Print Supplements (SUSE)
    #[arg(long, group = "which")]
    pub supplements: bool,
    /// Print the table of symbol sets: RELEASE/CRC/SYMBOL, set and hash, of the archives in the list or,
    /// where it names none, of those in the directory of --symset-dir
    #[arg(long, group = "which")]
    pub symsets: bool,
    /// Whose syntax, suse or redhat; by kmp.conf and os-release where none is given
    #[arg(long, value_name = "DIALECT", value_parser = dialect)]
    pub dialect: Option<Dialect>,
    /// The package's name: a kernel's own packages need nothing of themselves
    #[arg(long, value_name = "NAME")]
    pub package: Option<String>,
    /// Where the package's files are laid out; RPM_BUILD_ROOT where none is given
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub build_root: Option<PathBuf>,
    /// The flavour in the dependencies; by each module's kernel release where none is given
    #[arg(long, value_name = "FLAVOR")]
    pub flavor: Option<String>,
    /// The kernel release; the one that each module was built for where none is given
    #[arg(long, value_name = "KERNEL", add = ArgValueCandidates::new(completion::kernels))]
    pub krel: Option<String>,
    /// What the kernel exports (Module.symvers, plain or compressed), or a directory with
    /// KERNEL/Module.symvers (Red Hat)
    #[arg(long, value_name = "FILE|DIR", default_value = "/usr/src/kernels", value_hint = ValueHint::AnyPath)]
    pub symvers: PathBuf,
    /// Where archives of symbol sets are: symsets-KERNEL.tar.gz (SUSE)
    #[arg(long, value_name = "DIR", default_value = "/boot", value_hint = ValueHint::DirPath)]
    pub symset_dir: PathBuf,
    /// Leave out Requires that the package's own modules fulfil
    #[arg(long)]
    pub without_own: bool,
}

fn dialect(word: &str) -> Result<Dialect, String> {
    Dialect::parse(word).ok_or_else(|| "neither suse nor redhat".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
