// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp status --json`.

use kmp_core::ids::KmpId;
use kmp_core::inventory::Maker;
use kmp_core::last_update;
use kmp_core::state::State;
use kmp_core::survey::Survey;
use serde::Serialize;

use super::chosen::Chosen;
use super::drivers::{Loose, Shown, Standings};
use super::machine::Machine;
use crate::output::advisory::{Advisory, advisories};
use crate::output::{json, when};

/// What `kmp status --json` prints.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Status {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// Kernels, oldest first.
    kernels: Vec<Kernel>,
    /// Kernels in repositories that `kmp update` holds back.
    held: Vec<Held>,
    /// What kmp goes by on this machine.
    machine: Machine,
}

/// A kernel that is held back.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Held {
    /// Its package: `NAME-[EPOCH:]VERSION-RELEASE.ARCH`.
    package: String,
    /// Since when, in RFC 3339's form.
    since: Option<String>,
    /// Why, in words.
    reason: String,
    /// The security advisories that it keeps back.
    advisories: Vec<Advisory>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Kernel {
    /// The kernel's release.
    release: String,
    /// Why it takes only modules that are signed with a key which it knows, in words. Null: nothing says that it does.
    signatures_enforced: Option<String>,
    /// The KMPs that are for it.
    kmps: Vec<Kmp>,
    /// Its third-party modules that no package owns.
    unpackaged: Vec<json::Module>,
    /// Modules outside of `kernel/` that are no drivers.
    apart: Vec<json::Apart>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Kmp {
    /// The driver: what all its builds and versions have in common.
    driver: String,
    /// `NAME-VERSION-RELEASE`.
    package: String,
    /// The names of its modules.
    modules: Vec<String>,
    /// How its modules came to be.
    #[cfg_attr(test, schemars(extend("enum" = ["shipped", "made-here"])))]
    kind: &'static str,
    /// Who made them on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("enum" = ["trigger", "scriptlet", "dkms", "akmods", "unknown"])))]
    made_by: Option<&'static str>,
    /// How it stands in the kernel; kmp(8) says what each word means.
    #[cfg_attr(test, schemars(extend("enum" = json::schemas::states())))]
    state: &'static str,
    /// What the kernel has of it: its modules in its `own` directory, all or some of their links, or nothing.
    #[cfg_attr(test, schemars(extend("enum" = json::schemas::places())))]
    place: &'static str,
    /// Is something to be done about it, by kmp or by people?
    fault: bool,
    /// Why, where the state alone does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Every reason why a module of it would not load.
    reasons: Vec<json::Reason>,
    /// What it does to others.
    warnings: Vec<json::Warning>,
    /// Does the kernel know the key that signed its modules? That of which the least is known. Null: none is signed.
    key: Option<json::Key>,
}

/// The document of the values that the table is made of.
pub fn document(
    survey: &Survey,
    chosen: &Chosen,
    all: &[Standings],
    loose: &[Vec<Loose<'_>>],
    machine: Machine,
    held: &[last_update::Kernel],
) -> Status {
    let kmps = &survey.inventory.kmps;
    let mut kernels = Vec::new();
    for ((kernel, standings), loose) in survey.kernels.iter().zip(all).zip(loose) {
        let of_kmp = |(index, shown): (KmpId, &Option<Shown>)| {
            let Shown { standing, .. } = shown.as_ref()?;
            let verdicts = &kernel.plan.verdicts[index];
            let is_said = standing.is_wanted() || standing.state == State::Breaks;
            let warnings = verdicts.iter().filter(|_| is_said);
            Some(Kmp {
                driver: kmps[index].driver.name.clone(),
                package: kmps[index].package.nvr(),
                modules: kmps[index].modules.iter().map(|m| m.name.to_string()).collect(),
                kind: kmps[index].kind.as_str(),
                made_by: kmps[index].kind.maker().map(Maker::word),
                state: standing.state.word(),
                place: standing.place.word(),
                fault: standing.is_fault,
                detail: standing.detail.clone(),
                reasons: verdicts.iter().flat_map(json::reasons).collect(),
                warnings: warnings.flat_map(json::warnings).collect(),
                key: super::machine::least_known(verdicts).map(json::Key::from),
            })
        };
        let module = |module: &Loose<'_>| json::Module {
            name: module.name.to_string(),
            path: json::path(module.path),
            package: None,
            state: State::of(module.verdict).word(),
            fits: module.verdict.loads(),
            reasons: json::reasons(module.verdict),
            warnings: json::warnings(module.verdict),
            key: module.verdict.key.as_ref().map(json::Key::from),
        };
        kernels.push(Kernel {
            release: kernel.kernel.release.clone(),
            signatures_enforced: super::machine::enforced(&kernel.kernel),
            kmps: standings.each().filter(|(kmp, _)| chosen.has(*kmp)).filter_map(of_kmp).collect(),
            unpackaged: loose.iter().map(module).collect(),
            apart: json::apart(&survey.inventory.apart, &kernel.kernel.release),
        });
    }
    let held = held.iter().map(|kernel| Held {
        package: kernel.package.clone(),
        since: kernel.held_since.map(when::exact),
        reason: kernel.reason.clone(),
        advisories: advisories(&kernel.advisories),
    });
    Status { version: json::VERSION, kernels, held: held.collect(), machine }
}
