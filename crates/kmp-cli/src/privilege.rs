// SPDX-License-Identifier: LGPL-2.1-or-later
//! Who changes the system itself has to be root; who is not gets the line to type.

use kmp_core::printable;

use crate::args::{Args, KeyVerb, MediumVerb, SourcesVerb, Verb};

/// # Errors
/// In words: the verb changes the running system, and the caller is not root.
pub fn needed(args: &Args) -> Result<(), String> {
    let changes = match &args.verb {
        Verb::Sync(sync) => !sync.dry_run,
        Verb::Initrd(initrd) => !initrd.dry_run,
        Verb::AddKernel { .. } | Verb::RemoveKernel { .. } | Verb::AddKmp { .. } | Verb::RemoveKmp { .. } => {
            true
        }
        Verb::Doctor(doctor) => doctor.fix,
        Verb::Update(update) => update.changes(),
        Verb::Hold(hold) => hold.release.is_some(),
        Verb::Key(key) => matches!(key.what, KeyVerb::Import { .. }),
        Verb::Sources(sources) => !matches!(sources.what, SourcesVerb::List { .. }),
        Verb::Medium(medium) => matches!(medium.what, MediumVerb::Add(_)),
        Verb::Divert(_) | Verb::ZyppCommitPlugin => true,
        _ => false,
    };
    if !changes || args.root != std::path::Path::new("/") || nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| printable(&word)).collect();
    Err(format!("this changes the system, which only root may do; type: sudo kmp {}", words.join(" ")))
}
