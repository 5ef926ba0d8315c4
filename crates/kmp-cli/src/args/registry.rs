// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp registry`: drivers of others, and what becomes of them in a kernel that comes.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Subcommand, ValueHint};
use clap_complete::ArgValueCandidates;

use super::kabi::Why;
use crate::completion;

#[derive(Debug, clap::Args)]
pub struct Registry {
    #[command(subcommand)]
    pub verb: RegistryVerb,
}

#[derive(Debug, Subcommand)]
pub enum RegistryVerb {
    /// Register packages, or new builds of them
    Add(Add),
    /// Judge every registered package for a kernel that comes, and write what its provider is to be sent
    Check(Check),
    /// Show what is wrong with the files of the registry
    Lint(Lint),
    /// Register the newest builds in a provider's repository
    Refresh(Refresh),
}

#[derive(Debug, clap::Args)]
pub struct Place {
    /// The directory of the registry
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, default_value = "registry")]
    pub registry: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct Add {
    #[command(flatten)]
    pub place: Place,
    /// Who makes the packages: a directory of the registry. Registered packages keep theirs
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// The address of a role at the provider
    #[arg(long, value_name = "ADDRESS")]
    pub contact: Option<String>,
    /// The distributor may rebuild the packages without asking
    #[arg(long)]
    pub rebuild_without_asking: bool,
    /// Package files
    #[arg(value_name = "KMP.rpm", value_hint = ValueHint::FilePath, required = true)]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct Check {
    #[command(flatten)]
    pub place: Place,
    /// The kernel before, as for `kmp kabi diff`
    #[arg(long, value_name = "OLD", value_hint = ValueHint::AnyPath, add = ArgValueCandidates::new(completion::kernels))]
    pub old: OsString,
    /// The kernel that comes
    #[arg(long, value_name = "NEW", value_hint = ValueHint::AnyPath, add = ArgValueCandidates::new(completion::kernels))]
    pub new: OsString,
    /// What people call the new kernel; the default is its release, or the name of its file
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// When it is released
    #[arg(long, value_name = "DATE")]
    pub due: Option<String>,
    /// Who sends the messages
    #[arg(long, value_name = "ADDRESS", default_value = "kmp registry <kmp-registry@localhost>")]
    pub from: String,
    #[command(flatten)]
    pub why: Why,
    /// Where reports and messages are written, and found the next time
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct Lint {
    #[command(flatten)]
    pub place: Place,
}

#[derive(Debug, clap::Args)]
pub struct Refresh {
    #[command(flatten)]
    pub place: Place,
    /// A directory with package files, such as a repository on disk; may be given more than once
    #[arg(long = "repo", value_name = "DIR", value_hint = ValueHint::DirPath, required = true)]
    pub repos: Vec<PathBuf>,
}
