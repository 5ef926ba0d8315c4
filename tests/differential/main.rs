// SPDX-License-Identifier: LGPL-2.1-or-later
//! One list of operations for each case, run through ours and, where `KMP_PEER_WM2` and `KMP_PEER_WM` name them,
//! through the original `weak-modules2` and `weak-modules`, on identical throwaway roots. After each operation links
//! (path and target), requests for an initrd and exit codes are compared; they may differ only where the
//! case names a defect of the original. What ours has to do is written down in each case, too, so that
//! without the originals nothing is skipped but the comparison.
//!
//! `cargo test -p kmp-cli --test differential -- [PART OF A CASE'S NAME]...`
#![allow(clippy::unwrap_used, clippy::disallowed_names, reason = "tests")]

mod case;
mod red_hat;
mod sides;
mod suse;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use case::{Case, Figures};
use sides::{Original, Peers};

type Test = (Original, &'static str, fn(&mut Case));

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let peers = Peers::from_environment();
    let all = suse::CASES.iter().map(|(name, run)| (Original::WeakModules2, *name, *run));
    let all = all.chain(red_hat::CASES.iter().map(|(name, run)| (Original::WeakModules, *name, *run)));
    let cases: Vec<Test> =
        all.filter(|(_, name, _)| wanted.is_empty() || wanted.iter().any(|w| name.contains(w))).collect();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((original, name, run)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut case = Case::new(*original, &peers);
                    let outcome = catch_unwind(AssertUnwindSafe(|| run(&mut case)));
                    println!(
                        "{} {name} ... {}",
                        original.name(),
                        if outcome.is_ok() { "ok" } else { "FAILED" }
                    );
                    results.lock().unwrap().push((*original, outcome.is_ok(), case.figures()));
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    println!();
    for original in [Original::WeakModules2, Original::WeakModules] {
        let of = || results.iter().filter(|(o, ..)| *o == original);
        let figures = of().fold(Figures::default(), |sum, (.., figures)| sum + figures);
        let failed = of().filter(|(_, good, _)| !good).count();
        println!(
            "{}: {} cases, {failed} failed; {}",
            original.name(),
            of().count(),
            figures.said(original, &peers)
        );
    }
    ExitCode::from(u8::from(results.iter().any(|(_, good, _)| !good)))
}
