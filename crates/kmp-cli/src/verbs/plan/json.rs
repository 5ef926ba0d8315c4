// SPDX-License-Identifier: LGPL-2.1-or-later
//! The form of `kmp plan --json`.

use kmp_core::guard::{self, Action, Fate, Outlook, Planned, Prospect, Role, Weight};
use kmp_core::state::State;
use serde::Serialize;

use super::{Initrd, finding, initrd};
use crate::output::json::{self, VERSION};

/// What `kmp plan --json` prints, on one line.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// Would rpm's plugin stop this?
    stops: bool,
    /// How many drivers are lost, of all kernels together.
    lost: usize,
    /// The kernels concerned, newest first.
    kernels: Vec<Kernel>,
    /// What helps, each piece once for all drivers that share it.
    advice: Vec<Advice>,
}

/// A piece of advice.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Advice {
    /// What to do, in words.
    text: String,
    /// The line to type for it.
    command: String,
}

/// A kernel as it would be.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Kernel {
    /// The kernel's release.
    release: String,
    /// `comes`: with these packages. `asked`: it is installed, and is to run. `stays`: it is installed.
    #[cfg_attr(test, schemars(extend("enum" = ["comes", "asked", "stays"])))]
    role: &'static str,
    /// Is it the newest of its line that can be booted?
    boots_next: bool,
    /// How many drivers stay, come and are lost, in words.
    summary: String,
    /// Its initrd: `made` for a kernel that comes; `checked` where modules change, and made anew where one of them is in it; or
    /// `kept`.
    #[cfg_attr(test, schemars(extend("enum" = ["made", "checked", "kept"])))]
    initrd: &'static str,
    /// Its drivers.
    drivers: Vec<Driver>,
}

/// A driver in a kernel.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Driver {
    /// The package's name.
    name: String,
    /// `NAME-VERSION-RELEASE` of the version that there will be; of the one that works now where there will be none.
    package: String,
    /// The names of its modules.
    modules: Vec<String>,
    /// What becomes of it. `comes`: with these packages. `goes`: it is erased, as asked for. `refused`: it comes, and would
    /// not load. `breaks`: it comes, and is not linked for what it breaks. `unread`: not known, as something could not be read. `lost`: it works now, and will not. `to-be-made`: it is built on this machine. `in-kernel`: the
    /// kernel has it itself.
    #[cfg_attr(test, schemars(extend("enum" = STATES)))]
    state: &'static str,
    /// `NAME-VERSION-RELEASE` of the version that it takes the place of.
    #[serde(skip_serializing_if = "Option::is_none")]
    instead_of: Option<String>,
    /// What rpm's plugin would do about it: `abort`, `warn`, or nothing.
    #[cfg_attr(test, schemars(extend("enum" = ["abort", "warn", null])))]
    policy: Option<&'static str>,
    /// Another kernel that one boots instead, and that has the driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_in: Option<String>,
    /// Is a module of it loaded now?
    loaded: bool,
    /// In words.
    line: String,
    /// Every reason why it does not work: that it would not load or, by the rule `breaks`, what it is not linked for.
    reasons: Vec<json::Reason>,
    /// In-tree modules that would no longer load beside it.
    breaks: Vec<Broken>,
}

/// An in-tree module that would no longer load.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Broken {
    /// Its name.
    module: String,
    /// Why, in words.
    detail: String,
}

/// The words for states.
#[cfg(test)]
const STATES: &[&str] = &[
    "stays",
    "comes",
    "goes",
    State::Unread.word(),
    State::Refused.word(),
    State::Breaks.word(),
    "lost",
    "to-be-made",
    "in-kernel",
];

pub fn print(planned: &Planned) -> Result<(), String> {
    let kernels = planned.judged.kernels.iter().filter(|k| k.is_concerned());
    let plan = Plan {
        version: VERSION,
        stops: planned.judged.findings.iter().any(|f| f.action == Action::Stop),
        lost: planned.judged.kernels.iter().map(|k| k.lost().count()).sum(),
        kernels: kernels.map(|k| kernel(planned, k)).collect(),
        advice: guard::advice(&planned.judged.findings, &planned.tools)
            .into_iter()
            .map(|advice| Advice { text: advice.text, command: advice.command })
            .collect(),
    };
    json::print(&plan)
}

fn kernel(planned: &Planned, kernel: &Outlook) -> Kernel {
    Kernel {
        release: kernel.release.clone(),
        role: match kernel.role {
            Role::Comes => "comes",
            Role::Asked => "asked",
            Role::Stays => "stays",
            Role::Goes => "goes",
        },
        boots_next: kernel.boots_next,
        summary: kernel.summary(),
        initrd: match initrd(kernel) {
            Initrd::Made => "made",
            Initrd::Checked => "checked",
            Initrd::Kept => "kept",
        },
        drivers: kernel.drivers.iter().map(|d| driver(planned, kernel, d)).collect(),
    }
}

fn driver(planned: &Planned, kernel: &Outlook, driver: &Prospect) -> Driver {
    let (lost, reasons) = match &driver.fate {
        Fate::Lost(lost) => (Some(lost), lost.reasons.as_slice()),
        Fate::Fails(reasons) => (None, reasons.as_slice()),
        _ => (None, &[][..]),
    };
    Driver {
        name: driver.package.clone(),
        package: driver.nvr.clone(),
        modules: driver.modules.clone(),
        state: state(&driver.fate),
        instead_of: match &driver.fate {
            Fate::Comes(old) => old.clone(),
            _ => None,
        },
        policy: finding(planned, kernel, driver).and_then(|f| match f.action {
            Action::Stop => Some("abort"),
            Action::Warn => Some("warn"),
            Action::Say => None,
        }),
        kept_in: lost.and_then(|lost| lost.kept_in.clone()),
        loaded: lost.is_some_and(|lost| lost.needed_for.is_loaded),
        line: driver.line(&kernel.release),
        reasons: reasons.iter().map(json::Reason::from).collect(),
        breaks: driver
            .breaks
            .iter()
            .map(|(module, detail)| Broken { module: module.clone(), detail: detail.clone() })
            .collect(),
    }
}

fn state(fate: &Fate) -> &'static str {
    match fate {
        Fate::Stays => "stays",
        Fate::Comes(_) => "comes",
        Fate::Goes => "goes",
        Fate::Unknown(_) => State::Unread.word(),
        Fate::Fails(reasons) if guard::would_load(reasons) => State::Breaks.word(),
        Fate::Fails(_) => State::Refused.word(),
        Fate::Lost(lost) if lost.weight > Weight::None => "lost",
        Fate::Lost(lost) if lost.made_by.is_some() => "to-be-made",
        Fate::Lost(_) => "in-kernel",
    }
}
