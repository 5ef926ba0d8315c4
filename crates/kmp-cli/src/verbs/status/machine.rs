// SPDX-License-Identifier: LGPL-2.1-or-later
//! What kmp goes by on a machine: the plugin, the dialect, the policy, the library.

use std::path::Path;

use kmp_core::abi::signature::KeyTrust;
use kmp_core::abi::{Kernel, Verdict};
use kmp_core::history::{Entry, last};
use kmp_core::initrd::boot::boots_next;
use kmp_core::printable;
use kmp_core::survey::Survey;
use serde::Serialize;

use crate::context::{Context, running_kernel};
use crate::verbs::history;

/// rpm loads the plugin if this file is there.
const PLUGIN: &str = "/usr/lib/rpm/macros.d/macros.transaction_kmp";

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Machine {
    /// The kernel that runs. Null: another root's, or not known.
    pub running: Option<String>,
    /// The kernel that the boot loader boots next, if nobody chooses another. Null: nothing says it; most boot loaders then
    /// take the newest.
    pub boots_next: Option<String>,
    /// Is rpm's plugin on, so that transactions are judged?
    pub plugin: bool,
    /// Whose conventions are used. Null: neither kmp.conf nor os-release says so, and no link is changed.
    #[cfg_attr(test, schemars(extend("enum" = ["suse", "redhat", null])))]
    pub dialect: Option<&'static str>,
    /// What is done about a transaction that would lose a driver (`on-lost-driver` outside any section).
    #[cfg_attr(test, schemars(extend("enum" = ["abort", "warn", "off"])))]
    pub policy: &'static str,
    /// The library that reads packages, with its version.
    pub librpm: Option<String>,
    /// The last run that changed something, or failed (`kmp history`). Null: there was none yet.
    pub last_run: Option<LastRun>,
}

/// Why a kernel takes signed modules only, as far as is known that it does.
pub fn enforced(kernel: &Kernel) -> Option<String> {
    let by_build =
        kernel.config.signatures_enforced.then(|| "it was built so (CONFIG_MODULE_SIG_FORCE)".into());
    by_build.or_else(|| kernel.signing.enforced.map(|why| why.to_string()))
}

/// Of the keys that signed the modules of a driver, the one of which the kernel knows least.
pub fn least_known(verdicts: &[Verdict]) -> Option<&KeyTrust> {
    let rank = |key: &&KeyTrust| match key {
        KeyTrust::Trusted(_) => 3,
        KeyTrust::Unknown(_) => 2,
        KeyTrust::AfterEnrolment => 1,
        KeyTrust::NotTrusted(_) | KeyTrust::Revoked => 0,
    };
    verdicts.iter().filter_map(|verdict| verdict.key.as_ref()).min_by_key(rank)
}

/// For people: who knows the keys of which drivers.
pub fn keys(survey: &Survey) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for kernel in &survey.kernels {
        let release = &kernel.kernel.release;
        lines.push(match enforced(&kernel.kernel) {
            Some(why) => format!("{release} takes only modules signed with a key that it knows: {why}"),
            None => format!("{release} takes modules whoever signed them, as far as is known"),
        });
        for (id, kmp) in survey.inventory.kmps.each() {
            if let Some(key) = least_known(&kernel.plan.verdicts[id]) {
                let key = printable(format!("{}: {key}", key.word()).as_ref());
                lines.push(format!("  {}: {key}", kmp.package.nvr()));
            }
        }
    }
    lines
}

/// The last run in the history.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LastRun {
    /// Its number.
    run: u64,
    /// When it ended (RFC 3339).
    time: String,
    /// Who has called it: a command line, or a program.
    by: String,
    /// How it ended. `stopped`: the transaction was stopped, as it would have lost a driver.
    #[cfg_attr(test, schemars(extend("enum" = ["done", "failed", "stopped"])))]
    outcome: &'static str,
    /// To the minute, for people.
    #[serde(skip)]
    minute: String,
}

impl LastRun {
    fn of(entry: &Entry) -> Self {
        Self {
            run: entry.run,
            time: history::rfc3339(entry.time),
            by: history::by(entry),
            outcome: entry.outcome.word(),
            minute: history::minute(entry.time),
        }
    }

    /// For people.
    pub fn line(&self) -> String {
        let Self { run, by, outcome, minute, .. } = self;
        format!("Last run: {minute}, {by}: {outcome} (kmp history {run})")
    }
}

impl Machine {
    pub fn look(context: &Context, survey: &Survey) -> Self {
        let conventions = &survey.inventory.conventions;
        let releases: Vec<&str> = survey.inventory.kernels().map(|k| k.release.as_str()).collect();
        let rpm = context.rpm().ok();
        Self {
            running: running_kernel(&context.root).ok(),
            boots_next: boots_next(&context.root, &releases).map(Into::into),
            plugin: context.root.try_exists(Path::new(PLUGIN)).unwrap_or(false),
            dialect: conventions.distribution_unknown.is_none().then(|| conventions.dialect.as_str()),
            policy: conventions.config.policy.as_str(),
            librpm: rpm.map(|rpm| match rpm.version() {
                Some(version) => format!("{} ({version})", rpm.soname()),
                None => rpm.soname().to_string(),
            }),
            last_run: last(&context.root).as_ref().map(LastRun::of),
        }
    }

    /// For people: a line each.
    pub fn lines(&self) -> Vec<String> {
        let plugin = match self.plugin {
            true => format!("on; a driver that would be lost: {}", self.policy),
            false => "off: transactions are not judged; rpm-plugin-kmp has it".into(),
        };
        let dialect = self.dialect.unwrap_or("unknown; set it in /etc/kmp.conf: dialect = suse, or redhat");
        let next = self.boots_next.as_deref().unwrap_or("not known; most boot loaders take the newest");
        [
            ("rpm's plugin", plugin.as_str()),
            ("dialect", dialect),
            ("librpm", self.librpm.as_deref().unwrap_or("none")),
            ("boots next", next),
        ]
        .iter()
        .map(|(what, text)| format!("{what:<14}{text}"))
        .collect()
    }
}
