// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp divert`: kmp under the names of the distribution's own commands.

use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;

use crate::args::Divert;
use crate::context::Context;
use crate::host::divert::{Change, Diverted, SUFFIX, put, restore};
use crate::outcome::Outcome;
use crate::output::json;

/// What `kmp divert --json` prints.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document {
    /// Of this form. It changes when a field changes its meaning or goes.
    version: u32,
    /// What was changed; nothing where each name led where it should.
    changes: Vec<Changed>,
}

/// A name that leads elsewhere now, or should.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Changed {
    /// Of which command: `weak-modules2`, `weak-modules` or `scriptlets`.
    command: String,
    /// `made`: it is kmp's. `put-aside`: it is kmp's, and the distribution's file has another name. `restored`: it is the
    /// distribution's again. `dropped`: what was put aside is gone, as it is no package's any more. `failed`: it is as it was.
    #[cfg_attr(test, schemars(extend("enum" = ["made", "put-aside", "restored", "dropped", "failed"])))]
    change: &'static str,
    /// The name; not where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub fn run(context: &Context, arguments: &Divert) -> Result<Outcome, String> {
    let what = if arguments.commands.is_empty() { &Diverted::ALL[..] } else { &arguments.commands };
    let rpm = context.rpm().ok();
    let mut outcome = Outcome::Good;
    let mut changes = Vec::new();
    for what in what {
        let done =
            if arguments.restore { restore(&context.root, *what) } else { put(&context.root, rpm, *what) };
        for change in done {
            let word = word(&change);
            let (path, error) = match change {
                Ok(change) => (Some(say(&change)), None),
                Err(message) => {
                    log::error!("{message}");
                    outcome = Outcome::Failed;
                    (None, Some(message))
                }
            };
            let command = what.to_possible_value().map(|value| value.get_name().to_string());
            changes.push(Changed { command: command.unwrap_or_default(), change: word, path, error });
        }
    }
    if arguments.json {
        json::print(&Document { version: json::VERSION, changes })?;
    }
    Ok(outcome)
}

fn word(change: &Result<Change, String>) -> &'static str {
    match change {
        Ok(Change::Made(_)) => "made",
        Ok(Change::PutAside(_)) => "put-aside",
        Ok(Change::Restored(_)) => "restored",
        Ok(Change::Dropped(_)) => "dropped",
        Err(_) => "failed",
    }
}

/// Says what was done, for `-v`; the name that it is about.
fn say(change: &Change) -> String {
    let shown = |path: &Path| json::path(path);
    match change {
        Change::Made(path) => {
            log::info!("{}: made, it is kmp's", path.display());
            shown(path)
        }
        Change::PutAside(path) => {
            log::info!("{0}: kmp's now, the distribution's is {0}{SUFFIX}", path.display());
            shown(path)
        }
        Change::Restored(path) => {
            log::info!("{}: the distribution's again", path.display());
            shown(path)
        }
        Change::Dropped(path) => {
            log::info!("{}{SUFFIX}: removed, it is no package's any more", path.display());
            shown(path)
        }
    }
}
