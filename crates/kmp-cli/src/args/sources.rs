// SPDX-License-Identifier: LGPL-2.1-or-later
//! The arguments of verbs about where drivers come from.

use std::path::PathBuf;

use clap::{Subcommand, ValueHint};

#[derive(Debug, clap::Args)]
pub struct Sources {
    #[command(subcommand)]
    pub what: SourcesVerb,
}

#[derive(Debug, Subcommand)]
pub enum SourcesVerb {
    /// Show where newer builds of drivers come from, and which providers catalogues offer
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take drivers from a source, or from a provider of a catalogue
    Enable {
        /// Do not ask
        #[arg(long)]
        agree: bool,
        /// Its name
        name: String,
    },
    /// Take nothing more from a source
    Disable {
        /// Its name
        name: String,
    },
}

#[derive(Debug, clap::Args)]
pub struct Medium {
    #[command(subcommand)]
    pub what: MediumVerb,
}

#[derive(Debug, Subcommand)]
pub enum MediumVerb {
    /// Write a driver medium: packages, the key that they are signed with, and where newer ones are (for providers)
    Make(MakeMedium),
    /// Show what is on a driver medium, ask, import its key, and register its source
    Add(AddMedium),
}

#[derive(Debug, clap::Args)]
pub struct MakeMedium {
    /// The file of the key that the packages are signed with; may be given twice, while one takes the place of the other
    #[arg(long = "key", value_name = "KEY", required = true, value_hint = ValueHint::FilePath)]
    pub keys: Vec<PathBuf>,
    /// Where newer packages are (http, https, ftp); may be given more than once: the first that answers counts
    #[arg(long = "source", value_name = "URL", required = true)]
    pub sources: Vec<String>,
    /// Whose drivers they are, for people
    #[arg(long)]
    pub label: Option<String>,
    /// Whom to ask
    #[arg(long)]
    pub contact: Option<String>,
    /// The source's name; the default is that of the first package
    #[arg(long)]
    pub name: Option<String>,
    /// The directory, which is made
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    /// The packages
    #[arg(value_name = "KMP.rpm", required = true, value_hint = ValueHint::FilePath)]
    pub packages: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct AddMedium {
    /// Do not ask about the key with this fingerprint (all digits); may be given more than once
    #[arg(long, value_name = "FINGERPRINT")]
    pub accept_key: Vec<String>,
    /// Do not ask where rpm trusts all keys of the medium already
    #[arg(long)]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The medium: a directory, a device, or an image, which is mounted for this command alone
    #[arg(value_name = "PATH|DEVICE", value_hint = ValueHint::AnyPath)]
    pub medium: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct Catalogue {
    #[command(subcommand)]
    pub what: CatalogueVerb,
}

#[derive(Debug, Subcommand)]
pub enum CatalogueVerb {
    /// Write a catalogue of providers, and what makes a package of it
    Make {
        /// Who keeps it
        #[arg(long)]
        issuer: String,
        /// The directory to write to
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        /// Files of providers, each a JSON object (schema: /usr/share/kmp/schema/catalogue.json, its providers)
        #[arg(value_name = "PROVIDER.json", required = true, value_hint = ValueHint::FilePath)]
        providers: Vec<PathBuf>,
    },
}
