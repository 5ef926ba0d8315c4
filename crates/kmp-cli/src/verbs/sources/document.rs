// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp sources list --json`.

use serde::Serialize;

/// Of this form. It changes when a field changes its meaning or goes.
const VERSION: u32 = 1;

/// Where newer builds of drivers come from.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// By name.
    pub sources: Vec<Listed>,
}

impl Document {
    pub fn new(sources: Vec<Listed>) -> Self {
        Self { version: VERSION, sources }
    }
}

/// A source, or a provider of a catalogue.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub label: String,
    /// Whom to ask; empty: it does not say.
    pub contact: String,
    /// `enabled`, `disabled`; of a catalogue's provider `offered`, or `other-system` where it has nothing for this one.
    pub state: &'static str,
    /// Who names it: `package NAME`, `administrator`, `catalogue of ISSUER`.
    pub from: String,
    /// Where its packages are.
    pub urls: Vec<String>,
    /// The names of the packages that it is for, as globs.
    pub packages: Vec<String>,
    /// The keys that its packages have to be signed with, one of them; none: any that rpm trusts.
    pub fingerprints: Vec<Fingerprint>,
    /// Where a provider's key is.
    pub key: Option<String>,
    /// How many devices of this machine a provider has drivers for.
    pub devices: usize,
}

/// A key.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fingerprint {
    /// In capital hexadecimal digits.
    pub digits: String,
    /// Does rpm trust it?
    pub trusted: bool,
}
