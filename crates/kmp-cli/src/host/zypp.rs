// SPDX-License-Identifier: LGPL-2.1-or-later
//! libzypp's commit plugin: notes what a commit will bring for rpm's plugin, which otherwise sees package by package,
//! and looks after the links at the end. It speaks STOMP on stdin and stdout.

mod frames;

use std::io::{self, Write};
use std::path::Path;

use kmp_core::root::Root;
use kmp_core::run_dir::commit::{self, List};

use crate::outcome::Outcome;

/// Answers libzypp until it ends. `synchronise` is what is done after a commit.
pub fn run(root: &Path, synchronise: impl Fn() -> Result<(), String>) -> Result<Outcome, String> {
    let mut stdin = io::stdin().lock();
    // A commit that is under way, with its list if there is one.
    let mut commit: Option<Option<List>> = None;
    // A commit that breaks off has no COMMITEND; libzypp that is killed says nothing at all.
    let finish = |commit: &mut Option<Option<List>>, body: &[u8]| {
        let Some(list) = commit.take() else { return };
        // Nothing is touched after a commit that was stopped.
        if end(root, list) || frames::has_done_something(body) {
            // An error in reply would make libzypp leave the plugin; it could not help it either.
            let _ = synchronise().map_err(|why| log::error!("{why}"));
        }
    };
    let mut next = || {
        frames::read(&mut stdin).unwrap_or_else(|e| {
            log::warn!("cannot read from libzypp: {e}");
            None
        })
    };
    while let Some((command, body)) = next() {
        match command.as_str() {
            "COMMITBEGIN" => {
                let list = note(root, &frames::steps(&body));
                commit =
                    Some(list.map_err(|e| log::warn!("what the commit brings cannot be recorded: {e}")).ok());
            }
            "COMMITEND" | "PLUGINEND" => finish(&mut commit, &body),
            _ => {}
        }
        // Whoever is gone needs no answer.
        if reply().is_err() || command == "_DISCONNECT" {
            break;
        }
    }
    finish(&mut commit, &[]);
    Ok(Outcome::Good)
}

fn reply() -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(b"ACK\n\n\0")?;
    stdout.flush()
}

fn note(root: &Path, list: &str) -> io::Result<List> {
    let root = Root::open(root).map_err(io::Error::other)?;
    commit::begin(&root, list, &|remark| log::warn!("{remark}"))
}

/// True if the commit was let go on.
fn end(root: &Path, list: Option<List>) -> bool {
    list.is_some_and(|list| Root::open(root).is_ok_and(|root| commit::end(&root, list)))
}
