// SPDX-License-Identifier: LGPL-2.1-or-later
//! The forms of `--json`. `version` changes when a field changes its meaning or goes; new ones may come.
//!
//! The documents' JSON schemas in `docs/schema` are made of these types and their comments: after a change,
//! `KMP_TEST_WRITE_SCHEMAS=1 cargo test -p kmp-cli schemas` writes them.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use kmp_core::abi::signature::KeyTrust;
use kmp_core::abi::{self, Verdict};
use kmp_core::printable;
use serde::Serialize;

#[cfg(test)]
pub mod schemas;

pub const VERSION: u32 = 3;

/// What `kmp VERB --json` prints, on one line.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document<K> {
    /// Of this form. It changes when a field changes its meaning or goes.
    pub version: u32,
    /// Kernels, oldest first.
    pub kernels: Vec<K>,
}

impl<K: Serialize> Document<K> {
    pub fn print(kernels: Vec<K>) -> Result<(), String> {
        print(&Self { version: VERSION, kernels })
    }
}

static PRETTY: AtomicBool = AtomicBool::new(false);

/// From now on, documents are printed for people to read (`--pretty`).
pub fn be_pretty() {
    PRETTY.store(true, Ordering::Relaxed);
}

/// Prints a document: on one line, unless somebody is to read it.
pub fn print(document: &impl Serialize) -> Result<(), String> {
    let text = match PRETTY.load(Ordering::Relaxed) {
        true => serde_json::to_string_pretty(document),
        false => serde_json::to_string(document),
    };
    let mut page = crate::output::terminal::Page::new();
    page.line(text.map_err(|e| format!("cannot make JSON: {e}"))?);
    page.print()
}

/// Prints documents, each on a line of its own.
pub fn print_lines(documents: impl Iterator<Item = impl Serialize>) -> Result<(), String> {
    let mut page = crate::output::terminal::Page::new();
    for document in documents {
        page.line(serde_json::to_string(&document).map_err(|e| format!("cannot make JSON: {e}"))?);
    }
    page.print()
}

/// A kernel, and modules judged for it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Modules {
    /// The kernel's release (`uname -r`).
    pub release: String,
    /// The modules that were judged.
    pub modules: Vec<Module>,
    /// Modules outside of `kernel/` that are no drivers.
    pub apart: Vec<Apart>,
}

/// A module outside `kernel/` that is no driver.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Apart {
    /// `live-patch`, or `in-tree` for a part of the kernel.
    pub kind: &'static str,
    /// The module's name.
    pub name: String,
    /// Its path as seen inside the root.
    pub path: String,
    /// Who owns it (`NAME-VERSION-RELEASE`).
    pub package: Option<String>,
}

/// Those of a kernel.
pub fn apart(all: &[kmp_core::inventory::Apart], release: &str) -> Vec<Apart> {
    let of_kernel = all.iter().filter(|apart| apart.release == release);
    of_kernel
        .map(|apart| Apart {
            kind: apart.kind.as_str(),
            name: apart.module.name.to_string(),
            path: path(&apart.module.path),
            package: apart.package.clone(),
        })
        .collect()
}

/// A module and its verdict.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Module {
    /// Its name, as the kernel has it.
    pub name: String,
    /// Its path as seen inside the root, or a file as it was named.
    pub path: String,
    /// Who owns it (`NAME-VERSION-RELEASE`).
    pub package: Option<String>,
    /// The verdict; kmp(8) says what each word means.
    #[cfg_attr(test, schemars(extend("enum" = ["compatible", "refused", "breaks", "unread"])))]
    pub state: &'static str,
    /// Would the kernel load it, whatever it breaks? Null: something could not be read, and it is not known.
    pub fits: Option<bool>,
    /// Every reason why it would not load, or why that is not known. What it breaks is in `warnings`.
    pub reasons: Vec<Reason>,
    /// What else is to be known of it.
    pub warnings: Vec<Warning>,
    /// Does the kernel know the key that signed it? Null: it is not signed.
    pub key: Option<Key>,
}

/// Whether a kernel knows the key that signed a module. Whether it asks for that is another question (`kmp status --json`).
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Key {
    /// `trusted`: it knows it. `after-enrolment`: it will, once somebody at the console has confirmed it at the next boot (MOK).
    /// `not-trusted`: all keys that it knows are known, and it is none of them. `unknown`: that cannot be told.
    #[cfg_attr(test, schemars(extend("enum" = KeyTrust::WORDS)))]
    pub trust: &'static str,
    /// Why, as a clause.
    pub detail: String,
}

impl From<&KeyTrust> for Key {
    fn from(trust: &KeyTrust) -> Self {
        Self { trust: trust.word(), detail: printable(trust.to_string().as_ref()) }
    }
}

/// What else is to be known of a module, whether it loads or not.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Warning {
    /// `breaks`: an in-tree module no longer loads beside it. `may-clash`: another module exports the same symbol. `weak-need`:
    /// it can do without another module, which is incompatible, but modprobe loads that one first. `signer`: the
    /// kernel takes only modules that are signed with a key which it knows, and whether it knows this one is not known. `enrolment`: it will know it once somebody has
    /// confirmed it at the console. `btf`:
    /// its types for BPF programs were made for another kernel, which this one is likely to refuse. `btf-base`:
    /// they bring the types of another kernel that they use, and this one may lack some. `unsupported`: its distributor does
    /// not support it, and SUSE's modprobe is configured to load no such module.
    pub kind: &'static str,
    /// The other module, if one is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// In words.
    pub detail: String,
}

impl From<&abi::Warning> for Warning {
    fn from(warning: &abi::Warning) -> Self {
        Self { kind: warning.as_str(), module: warning.module().map(Into::into), detail: warning.to_string() }
    }
}

/// Why a module does not fit a kernel.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reason {
    /// The rule of the kernel's loader that is broken.
    #[cfg_attr(test, schemars(extend("enum" = schemas::rules())))]
    pub rule: &'static str,
    /// The symbol concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// The symbol's version (CRC) that the module was built with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// The version that there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offered: Option<String>,
    /// Who exports the symbol: `vmlinux`, an in-tree module's path, or a module's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exporter: Option<String>,
    /// In words.
    pub detail: String,
}

impl From<&abi::Reason> for Reason {
    fn from(reason: &abi::Reason) -> Self {
        Self {
            rule: reason.rule.as_str(),
            symbol: reason.symbol.as_deref().map(Into::into),
            wanted: reason.wanted.map(crc),
            offered: reason.offered.map(crc),
            exporter: reason.exporter.as_deref().map(Into::into),
            detail: reason.detail.clone(),
        }
    }
}

pub fn crc(crc: u32) -> String {
    format!("{crc:#010x}")
}

pub fn reasons(verdict: &Verdict) -> Vec<Reason> {
    verdict.refusals().map(Reason::from).collect()
}

pub fn warnings(verdict: &Verdict) -> Vec<Warning> {
    verdict.notes().map(Warning::from).collect()
}

/// A path as text; what is not UTF-8 is shown as `\xNN`.
pub fn path(path: &Path) -> String {
    match path.to_str() {
        Some(text) => text.into(),
        None => printable(path.as_os_str()),
    }
}
