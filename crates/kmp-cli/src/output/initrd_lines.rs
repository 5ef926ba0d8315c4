// SPDX-License-Identifier: LGPL-2.1-or-later
//! What became of initrds, in words: lines, messages and `--json`.

use std::collections::BTreeSet;

use kmp_core::apply::{Done, Fate};
use kmp_core::initrd::Reason;
use kmp_core::printable;
use serde::Serialize;

use crate::context::Context;

/// A kernel's initrd in `--json`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Json {
    /// Is a new one needed?
    needed: bool,
    /// Why, or why not, in words.
    reason: String,
    /// The modules for whose sake.
    modules: Vec<String>,
    /// What was done for it.
    #[cfg_attr(test, schemars(extend("enum" = ["nothing", "due", "marked", "built", "failed"])))]
    done: &'static str,
    /// Why it could not be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<&Fate> for Json {
    fn from(fate: &Fate) -> Self {
        let (done, error) = match &fate.done {
            Done::Nothing => ("nothing", None),
            Done::Due => ("due", None),
            Done::Marked => ("marked", None),
            Done::Built(_) => ("built", None),
            Done::Failed(why) => ("failed", Some(why.clone())),
        };
        Self {
            needed: fate.reason.needed(),
            reason: fate.reason.to_string(),
            modules: fate.reason.modules().into_iter().map(Into::into).collect(),
            done,
            error,
        }
    }
}

/// What became of a kernel's initrd, in a line; `None` for a failure, which [`report`] is for.
pub fn line(release: &str, Fate { reason, done }: &Fate) -> Option<String> {
    Some(match done {
        Done::Nothing => format!("{release}: no new initrd: {reason}"),
        Done::Due => format!("{release}: a new initrd is needed: {reason}"),
        Done::Marked => format!("{release}: a new initrd was requested: {reason}"),
        Done::Built(_) => format!("{release}: a new initrd was made: {reason}"),
        Done::Failed(_) => return None,
    })
}

/// Passes on failures, what generators said, and, once, why none is made.
pub fn report<'f>(context: &Context, fates: impl Iterator<Item = (&'f str, &'f Fate)>) {
    let mut hints = BTreeSet::new();
    let elsewhere = || {
        format!(
            "initrds are only requested, as programs of the system below {} are run only with --run-in-root",
            printable(context.root.path().as_os_str())
        )
    };
    for (release, fate) in fates {
        match (&fate.done, &fate.reason) {
            (Done::Failed(why), reason) => {
                log::error!("kernel {release} needs a new initrd ({reason}), but {why}");
            }
            (Done::Built(said), _) => said.lines().for_each(|line| log::info!("{line}")),
            (_, reason @ Reason::Unknown(_)) => log::warn!("kernel {release}: {reason}"),
            (Done::Marked, _)
                if !context.settings().may_run_in(&context.root) && hints.insert(elsewhere()) =>
            {
                log::warn!("{}", elsewhere());
            }
            (_, Reason::Incomplete(why)) if hints.insert(why.clone()) => log::warn!("{why}"),
            _ => {}
        }
    }
}
