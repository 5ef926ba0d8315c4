// SPDX-License-Identifier: LGPL-2.1-or-later
//! The words of the verbs for those who build packages: `kmp new` and `kmp deps`.

use std::path::PathBuf;

use clap::ValueHint;
use clap_complete::ArgValueCandidates;
use kmp_core::dialect::Dialect;

use crate::completion;

#[derive(Debug, clap::Args)]
pub struct New {
    /// In SUSE's form: NAME-kmp-FLAVOR; the default form comes from kmp.conf and os-release
    #[arg(long, conflicts_with = "redhat")]
    pub suse: bool,
    /// In Red Hat's form: kmod-NAME
    #[arg(long)]
    pub redhat: bool,
    /// Package what is in this directory, by the dkms.conf in it
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub from_dkms: Option<PathBuf>,
    /// The package's name; with --from-dkms, the default is the one in dkms.conf
    #[arg(required_unless_present = "from_dkms")]
    pub name: Option<String>,
    /// Print JSON
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
    /// Print the table of symbol sets (lines of RELEASE/CRC/SYMBOL, set and hash) from the archives in the list
    /// or, if it has none, from those in the directory of --symset-dir
    #[arg(long, group = "which")]
    pub symsets: bool,
    /// Use the syntax of suse or redhat; the default comes from kmp.conf and os-release
    #[arg(long, value_name = "DIALECT", value_parser = dialect)]
    pub dialect: Option<Dialect>,
    /// The name of the package: a kernel's own packages do not require what they provide themselves
    #[arg(long, value_name = "NAME")]
    pub package: Option<String>,
    /// The directory below which the package's files are installed; the default is RPM_BUILD_ROOT
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub build_root: Option<PathBuf>,
    /// The kernel flavour in the dependencies; the default comes from each module's kernel release
    #[arg(long, value_name = "FLAVOR")]
    pub flavor: Option<String>,
    /// The kernel release; the default is the one that each module was built for
    #[arg(long, value_name = "KERNEL", add = ArgValueCandidates::new(completion::kernels))]
    pub krel: Option<String>,
    /// What the kernel exports (Module.symvers, plain or compressed), or a directory with
    /// KERNEL/Module.symvers (Red Hat)
    #[arg(long, value_name = "FILE|DIR", default_value = "/usr/src/kernels", value_hint = ValueHint::AnyPath)]
    pub symvers: PathBuf,
    /// The directory with archives of symbol sets, symsets-KERNEL.tar.gz (SUSE)
    #[arg(long, value_name = "DIR", default_value = "/boot", value_hint = ValueHint::DirPath)]
    pub symset_dir: PathBuf,
    /// Leave out Requires that the package's own modules provide
    #[arg(long)]
    pub without_own: bool,
    /// Leave out this kind of dependencies: kmod (modules by their names), ksym (symbols) or modalias (hardware);
    /// may be given more than once
    #[arg(long, value_name = "KIND", value_enum)]
    pub without: Vec<DependencyKind>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A kind of dependencies, which a spec file may have another generator for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DependencyKind {
    Kmod,
    Ksym,
    Modalias,
}

impl DependencyKind {
    /// What a dependency of this kind begins with.
    pub fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Kmod => &["kmod("],
            Self::Ksym => &["ksym(", "kernel("],
            Self::Modalias => &["modalias("],
        }
    }
}

fn dialect(word: &str) -> Result<Dialect, String> {
    Dialect::parse(word).ok_or_else(|| "neither suse nor redhat".into())
}
