// SPDX-License-Identifier: LGPL-2.1-or-later
//! The arguments of verbs about trust, hardware and soundness.

use std::path::PathBuf;

use clap::{Subcommand, ValueHint};
use clap_complete::ArgValueCandidates;

use crate::completion;

#[derive(Debug, clap::Args)]
pub struct Devices {
    /// Show also the devices that the kernel itself drives, and those for which there is no driver anywhere; and of each where
    /// it is in sysfs, and what it calls itself
    #[arg(short, long)]
    pub all: bool,
    /// Do not look into repositories
    #[arg(long, conflicts_with_all = ["install", "repositories"])]
    pub installed: bool,
    /// Look at this directory, which has a repository's repodata, and not at what the package manager has cached; may be given
    /// more than once, and have a name before it
    #[arg(long = "repo", value_name = "[NAME=]DIR", value_hint = ValueHint::DirPath)]
    pub repositories: Vec<String>,
    /// Fetch the headers of packages in repositories that are not on this machine, to say who signed them
    #[arg(long, conflicts_with = "installed")]
    pub fetch: bool,
    /// Print the command that installs the recommended driver of each device that has none
    #[arg(long)]
    pub install: bool,
    /// Run that command
    #[arg(long, requires = "install", conflicts_with = "repositories")]
    pub apply: bool,
    /// Print JSON: all of it
    #[arg(long, conflicts_with = "install")]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct Doctor {
    /// Correct what `kmp sync` corrects: links, indexes and initrds
    #[arg(long, conflicts_with = "names")]
    pub fix: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Installed KMPs (by name or NAME-VERSION-RELEASE), or package files, which alone are looked at; the default is the system,
    /// with every installed KMP
    #[arg(
        value_name = "KMP|FILE.rpm",
        value_hint = ValueHint::AnyPath,
        add = ArgValueCandidates::new(completion::kmps)
    )]
    pub names: Vec<std::ffi::OsString>,
}

#[derive(Debug, clap::Args)]
pub struct Key {
    #[command(subcommand)]
    pub what: KeyVerb,
}

#[derive(Debug, Subcommand)]
pub enum KeyVerb {
    /// Show the keys that rpm trusts, and which installed drivers each has signed
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the keys in a file, or at a URL, with all digits
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// A file of OpenPGP public keys, as text or binary, or its URL (http, https, ftp)
        #[arg(value_name = "FILE|URL", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Show the keys in a file, or at a URL, ask, and have rpm import them
    Import {
        /// Do not ask about the key with this fingerprint (all digits); may be given more than once
        #[arg(long, value_name = "FINGERPRINT")]
        accept_key: Vec<String>,
        /// A file of OpenPGP public keys, as text or binary, or its URL (http, https, ftp)
        #[arg(value_name = "FILE|URL", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}
