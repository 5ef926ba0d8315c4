// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp kabi`: what the distributor of a kernel asks, and the vendor of a driver.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Subcommand, ValueHint};
use clap_complete::ArgValueCandidates;

use crate::completion;

#[derive(Debug, clap::Args)]
pub struct Kabi {
    #[command(subcommand)]
    pub verb: KabiVerb,
}

#[derive(Debug, Subcommand)]
pub enum KabiVerb {
    /// Compare what two kernels export: which modules of others stop loading, whether that is tolerated, and why
    Diff(Diff),
    /// Show which of the symbols that modules use are promised, and which may change at any time
    Exposure(Exposure),
}

#[derive(Debug, clap::Args)]
pub struct Rules {
    /// What is tolerated (SUSE's severities) or promised (Red Hat's stablelist); may be given more than once, and the first rule
    /// that matches counts
    #[arg(long = "rules", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
}

/// Where reasons are looked for.
#[derive(Debug, clap::Args)]
pub struct Why {
    /// Do not look for reasons in the kernels' types
    #[arg(long)]
    pub no_why: bool,
    /// The old kernel's image, for reasons, where OLD is a list of symbols
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub old_image: Option<PathBuf>,
    /// The new kernel's image
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub new_image: Option<PathBuf>,
    /// The types that the old kernel's CRCs were made of (symtypes, consolidated or not): the exact reasons
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "new_symtypes")]
    pub old_symtypes: Option<PathBuf>,
    /// The same of the new kernel
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "old_symtypes")]
    pub new_symtypes: Option<PathBuf>,
}

/// How a comparison is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For a commit message
    Short,
    /// For a browser: a page of its own, without script
    Html,
}

#[derive(Debug, clap::Args)]
pub struct Diff {
    #[command(flatten)]
    pub rules: Rules,
    /// Text for people, a short one for a commit message, or a page for a browser
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Print every symbol and every type, however many lines that takes
    #[arg(short, long)]
    pub all: bool,
    #[command(flatten)]
    pub why: Why,
    /// A registry of drivers (kmp registry): also say which of them are concerned
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub registry: Option<PathBuf>,
    /// Print JSON
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// A kernel: its release, if it is installed; its package file, or a directory with all its package files; a list of symbols
    /// (Module.symvers, plain or compressed); or symtypes
    #[arg(value_name = "OLD", value_hint = ValueHint::AnyPath, add = ArgValueCandidates::new(completion::kernels))]
    pub old: OsString,
    /// The kernel that comes after it
    #[arg(value_name = "NEW", value_hint = ValueHint::AnyPath, add = ArgValueCandidates::new(completion::kernels))]
    pub new: OsString,
}

#[derive(Debug, clap::Args)]
pub struct Exposure {
    #[command(flatten)]
    pub rules: Rules,
    /// The kernel that the modules are for, as for `kmp kabi diff`: without it rules for exporters and namespaces say nothing
    #[arg(long, value_name = "KERNEL", value_hint = ValueHint::AnyPath, add = ArgValueCandidates::new(completion::kernels))]
    pub kernel: Option<OsString>,
    /// Also print the symbols that are promised
    #[arg(short, long)]
    pub all: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Module files, directories of them, or package files
    #[arg(value_name = "FILE.ko|DIR|FILE.rpm", value_hint = ValueHint::AnyPath, required = true)]
    pub names: Vec<OsString>,
}
