// SPDX-License-Identifier: LGPL-2.1-or-later
//! libzypp's plugin for `plugin:kmp`: called each time that the repository of that URL is refreshed, when all others have been, and
//! before libzypp solves. Judges, and answers with kmp's own repository, or an empty one; always, whatever fails, and in time.

use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use kmp_sources::own::{self, OwnRepository};

use super::frames;
use crate::outcome::Outcome;

/// A repository without packages, and kmp's own one, with what was fetched.
const EMPTY: &str = "dir:///usr/share/kmp/zypp-repository";
const OWN: &str = "dir:///var/cache/kmp/repo";

/// How long the judging may take, and the fetching: libzypp waits for 30 seconds.
const LIMIT: Duration = Duration::from_secs(25);

/// Answers libzypp until it ends. `judge` writes the rules.
pub fn run(judge: impl FnOnce() -> Result<(), String> + Send + 'static) -> Result<Outcome, String> {
    let mut stdin = io::stdin().lock();
    let mut judge = Some(judge);
    while let Ok(Some((command, _))) = frames::read(&mut stdin) {
        let answer = match command.as_str() {
            "RESOLVEURL" => {
                if let Some(judge) = judge.take() {
                    in_time(judge);
                }
                let own = OwnRepository::at(Path::new(own::DIR).to_owned());
                format!("RESOLVEDURL\n\n{}\n\0", if own.is_there() { OWN } else { EMPTY })
            }
            _ => "ACK\n\n\0".to_owned(),
        };
        let mut stdout = io::stdout().lock();
        let is_gone = stdout.write_all(answer.as_bytes()).and_then(|()| stdout.flush()).is_err();
        if is_gone || command == "_DISCONNECT" {
            break;
        }
    }
    Ok(Outcome::Good)
}

/// The rules from before stay in force where it fails; what is half written is not in its place.
fn in_time(judge: impl FnOnce() -> Result<(), String> + Send + 'static) {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let _ = done.send(judge());
    });
    match wait.recv_timeout(LIMIT) {
        Ok(Ok(())) => {}
        Ok(Err(why)) => log::warn!("{why}"),
        Err(mpsc::RecvTimeoutError::Timeout) => {
            log::warn!(
                "kernels and drivers are not judged: that takes more than {} seconds",
                LIMIT.as_secs()
            );
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => log::warn!("kernels and drivers are not judged"),
    }
}
