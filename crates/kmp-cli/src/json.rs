// SPDX-License-Identifier: LGPL-2.1-or-later
//! The forms of `--json`. `version` changes when a field changes its meaning or goes; new ones may come.

use std::path::Path;

use kmp_core::abi::{self, Verdict};
use kmp_core::printable;
use serde::Serialize;

pub const VERSION: u32 = 1;

/// The outermost object.
#[derive(Debug, Serialize)]
pub struct Document<K> {
    pub version: u32,
    pub kernels: Vec<K>,
}

impl<K: Serialize> Document<K> {
    pub fn print(kernels: Vec<K>) -> Result<(), String> {
        let document = Self { version: VERSION, kernels };
        let mut page = crate::terminal::Page::new();
        page.line(serde_json::to_string(&document).map_err(|e| format!("cannot make JSON: {e}"))?);
        page.print()
    }
}

#[derive(Debug, Serialize)]
pub struct Modules {
    pub release: String,
    pub modules: Vec<Module>,
    pub apart: Vec<Apart>,
}

/// A module outside `kernel/` that is no driver.
#[derive(Debug, Serialize)]
pub struct Apart {
    pub kind: &'static str,
    pub name: String,
    pub path: String,
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

#[derive(Debug, Serialize)]
pub struct Module {
    pub name: String,
    pub path: String,
    pub package: Option<String>,
    /// Null: something could not be read, and it is not known.
    pub fits: Option<bool>,
    pub reasons: Vec<Reason>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// What else is to be known of a module: `kind` is `breaks` or `may-clash`, `module` the in-tree module concerned.
#[derive(Debug, Serialize)]
pub struct Warning {
    pub kind: &'static str,
    pub module: String,
    pub detail: String,
}

impl From<&abi::Warning> for Warning {
    fn from(warning: &abi::Warning) -> Self {
        Self { kind: warning.as_str(), module: warning.module().into(), detail: warning.to_string() }
    }
}

#[derive(Debug, Serialize)]
pub struct Reason {
    pub rule: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offered: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exporter: Option<String>,
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

pub fn fits(verdict: &Verdict) -> Option<bool> {
    (!verdict.is_unknown()).then(|| verdict.fits())
}

pub fn crc(crc: u32) -> String {
    format!("{crc:#010x}")
}

pub fn reasons(verdict: &Verdict) -> Vec<Reason> {
    verdict.reasons.iter().map(Reason::from).collect()
}

pub fn warnings(verdict: &Verdict) -> Vec<Warning> {
    verdict.warnings.iter().map(Warning::from).collect()
}

/// A path as text; what is not UTF-8 is shown as `\xNN`.
pub fn path(path: &Path) -> String {
    match path.to_str() {
        Some(text) => text.into(),
        None => printable(path.as_os_str()),
    }
}
