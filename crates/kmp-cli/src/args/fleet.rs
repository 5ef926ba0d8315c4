// SPDX-License-Identifier: LGPL-2.1-or-later
//! The arguments of verbs about many packages, and about many machines.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueHint;
use clap_complete::ArgValueCandidates;

use crate::completion;

/// Who is to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// Names of projects and packages, for `osc rebuild`
    Obs,
    /// Names in groups, for `koji chain-build` and `fedpkg chain-build`
    Koji,
    /// Names, for `copr-cli build-package --name`
    Copr,
    /// Files of source packages, for `mock --chain`
    Mock,
    /// Names of source packages
    Plain,
}

#[derive(Debug, clap::Args)]
pub struct RebuildList {
    /// Print what this takes
    #[arg(long = "for", value_name = "ENGINE", value_enum)]
    pub engine: Engine,
    /// The directory of the registry whose packages are judged
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, default_value = "registry")]
    pub registry: PathBuf,
    /// Judge the newest drivers of this repository, a directory that has repodata, and not those of a registry; may be given more
    /// than once
    #[arg(long = "repo", value_name = "[ID=]DIR", value_hint = ValueHint::DirPath, conflicts_with = "registry")]
    pub repositories: Vec<String>,
    /// The kernel that comes, as for `kmp kabi diff`
    #[arg(long, value_name = "NEW", value_hint = ValueHint::AnyPath, add = ArgValueCandidates::new(completion::kernels))]
    pub new: OsString,
    /// The project of packages that do not say in which they were built (obs)
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,
    /// The directory in which the source packages are (mock)
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub sources: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct Facts {
    /// What the machine is called; the default is its host name
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Who knows the machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Server {
    /// Uyuni, SUSE Multi-Linux Manager
    Uyuni,
    /// Katello, Satellite
    Katello,
}

#[derive(Debug, clap::Args)]
pub struct Fleet {
    /// The machines, a line of JSON each (`kmp facts --json` prints one), or a directory of such files; may be given more than once
    #[arg(long, value_name = "FILE|DIR", value_hint = ValueHint::AnyPath, required = true)]
    pub machines: Vec<PathBuf>,
    /// The files have a server's answers, and not lines
    #[arg(long, value_name = "SERVER", value_enum)]
    pub from: Option<Server>,
    /// A repository of the machines, a directory that has repodata; may be given more than once
    #[arg(long = "repo", value_name = "[ID=]DIR", value_hint = ValueHint::DirPath)]
    pub repositories: Vec<String>,
    /// The kernel that comes: a repository or package files. May be given more than once; the default is all newer kernels in
    /// the repositories
    #[arg(long, value_name = "REPO|FILE.rpm", value_hint = ValueHint::AnyPath)]
    pub kernel_from: Vec<String>,
    /// Print the name of every machine
    #[arg(short, long)]
    pub all: bool,
    /// Print a page for a browser, without script
    #[arg(long, conflicts_with = "json")]
    pub html: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
