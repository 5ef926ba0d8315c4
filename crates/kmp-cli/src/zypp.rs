// SPDX-License-Identifier: LGPL-2.1-or-later
//! libzypp's commit plugin: notes what a commit will bring for rpm's plugin, which otherwise sees package by package,
//! and looks after the links at the end. It speaks STOMP on stdin and stdout.

mod frames;

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use kmp_core::root::Root;
use kmp_core::run_dir::RunDir;
use nix::fcntl::{Flock, FlockArg, OFlag};

use crate::Outcome;

/// `+ NAME-VERSION-RELEASE.ARCH` (an update), `M` (beside other versions) or `-`, a line each, in the order in which they
/// will be carried out; locked as long as the commit goes on.
const PENDING: &str = "commit";
/// Made by rpm's plugin when it has let the commit go on.
const JUDGED: &str = "commit-judged";

/// Answers libzypp until it ends. `synchronise` is what is done after a commit.
pub fn run(root: &Path, synchronise: impl Fn() -> Result<(), String>) -> Result<Outcome, String> {
    let mut stdin = io::stdin().lock();
    // A commit that is under way, with its list if there is one.
    let mut commit: Option<Option<Flock<File>>> = None;
    // A commit that breaks off has no COMMITEND; libzypp that is killed says nothing at all.
    let finish = |commit: &mut Option<Option<Flock<File>>>, body: &[u8]| {
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
                commit = Some(list.map_err(|e| log::warn!("what is coming cannot be noted: {e}")).ok());
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

fn note(root: &Path, list: &str) -> io::Result<Flock<File>> {
    let root = Root::open(&std::path::absolute(root)?).map_err(io::Error::other)?;
    let directory = RunDir::create(&root)?;
    if let Some(remark) = directory.remark() {
        log::warn!("{remark}");
    }
    for old in [JUDGED, PENDING] {
        let _ = directory.remove(old);
    }
    let file = directory.file(PENDING, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL)?.file;
    let mut file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno)?;
    file.write_all(list.as_bytes())?;
    Ok(file)
}

/// Takes away the list, which stays locked until then. True if the commit was let go on.
fn end(root: &Path, list: Option<Flock<File>>) -> bool {
    if list.is_none() {
        return false;
    }
    let directory = Root::open(root).map_err(io::Error::other).and_then(|root| RunDir::open(&root));
    let Ok(Some(directory)) = directory else { return false };
    let _ = directory.remove(PENDING);
    directory.remove(JUDGED).is_ok()
}
