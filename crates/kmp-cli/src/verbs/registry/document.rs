// SPDX-License-Identifier: LGPL-2.1-or-later
//! `report.json`, and what `kmp registry check --json` prints.

use kmp_kabi::registry::{Finding, Item};
use serde::Serialize;

use crate::output::json::{VERSION, crc};

/// What becomes of registered packages in a kernel that comes.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// The kernel that comes.
    kernel: String,
    /// When it is released, as it was given.
    due: Option<String>,
    /// Why versions changed, most likely, a line each.
    why: Vec<String>,
    /// Each registered package.
    items: Vec<Package>,
}

/// A registered package.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Package {
    /// Who makes it.
    provider: String,
    /// Its name.
    package: String,
    /// The build that is registered.
    build: String,
    /// The kernel that it was built for.
    built_for: String,
    /// `fits`: that build loads in the new kernel; `stops`: it loads in the old kernel, and not in the new one; `stopped-before`: it
    /// loads in neither; `unknown`.
    #[cfg_attr(test, schemars(extend("enum" = ["fits", "stops", "stopped-before", "unknown"])))]
    state: &'static str,
    /// What helps: `rebuild` of the same sources suffices, or the `source` must change. Null: nothing is wrong, or it is not known.
    #[cfg_attr(test, schemars(extend("enum" = ["rebuild", "source", null])))]
    remedy: Option<&'static str>,
    /// Every reason why it does not load in the new kernel.
    reasons: Vec<Reason>,
}

/// Why a module does not load.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Reason {
    /// The module.
    module: String,
    /// The rule of the kernel's loader that is broken.
    #[cfg_attr(test, schemars(extend("enum" = crate::output::json::schemas::rules())))]
    rule: &'static str,
    /// Does it take a change of sources?
    needs_source: bool,
    /// The symbol concerned.
    symbol: Option<String>,
    /// The version that the module was built with.
    wanted: Option<String>,
    /// The version that there is.
    offered: Option<String>,
    /// In words.
    detail: String,
}

impl From<&Finding> for Reason {
    fn from(finding: &Finding) -> Self {
        let reason = &finding.reason;
        Self {
            module: finding.module.clone(),
            rule: reason.rule.as_str(),
            needs_source: finding.needs_source(),
            symbol: reason.symbol.as_deref().map(Into::into),
            wanted: reason.wanted.map(crc),
            offered: reason.offered.map(crc),
            detail: reason.to_string(),
        }
    }
}

impl Package {
    pub fn of(item: &Item<'_>) -> Self {
        Self {
            provider: item.provider.into(),
            package: item.registration.package.name.clone(),
            build: item.registration.build.nevra.clone(),
            built_for: item.registration.build.kernel.clone(),
            state: item.state.word(),
            remedy: item.remedy().map(|remedy| remedy.word()),
            reasons: item.findings.iter().map(Reason::from).collect(),
        }
    }
}

impl Report {
    pub fn of(items: &[Item<'_>], kernel: &str, due: Option<&str>, why: &[String]) -> Self {
        Self {
            version: VERSION,
            kernel: kernel.into(),
            due: due.map(Into::into),
            why: why.to_vec(),
            items: items.iter().map(Package::of).collect(),
        }
    }
}
