// SPDX-License-Identifier: LGPL-2.1-or-later
//! One list of operations for each case, run through ours and, where `KMP_PEER_WM2` and `KMP_PEER_WM` name them,
//! through the original `weak-modules2` and `weak-modules` (`KMP_PEER_SMT`: `regenerate-initrd-posttrans`), on identical throwaway roots. After each operation links
//! (path and target), requests for an initrd and exit codes are compared; they may differ only where the
//! case names a defect of the original. What ours has to do is written down in each case, too, so that
//! without the originals nothing is skipped but the comparison.
//!
//! `cargo test -p kmp-cli --test differential -- [PART OF A CASE'S NAME]...`; as libtest does, it lists the cases
//! (`--list`), takes whole names (`--exact`), and with `--test-threads=1` says of each case that it begins.
#![allow(clippy::unwrap_used, clippy::disallowed_names, reason = "tests")]

mod both;
mod case;
mod distribution;
mod red_hat;
mod regenerate;
mod sides;
mod suse;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use case::{Case, Figures};
use sides::{Original, Peers};

type Test<'p> = (Original, &'static str, Box<dyn Fn() -> Figures + Sync + 'p>);

/// A case of `weak-modules2` or `weak-modules`.
fn played<'p>(original: Original, peers: &'p Peers, (name, run): (&'static str, fn(&mut Case))) -> Test<'p> {
    let play = move || {
        let mut case = Case::new(original, peers);
        run(&mut case);
        case.figures()
    };
    (original, name, Box::new(play))
}

/// A case's name, with the original's: both have some of the same name.
fn full(original: Original, case: &str) -> String {
    format!("{}: {case}", original.name())
}

fn main() -> ExitCode {
    let given = |option: &str| std::env::args().any(|a| a == option);
    let mut wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    // The value of libtest's option.
    wanted.retain(|word| !(given("--format") && word == "terse"));
    let is_wanted = |case: &String| match given("--exact") {
        _ if wanted.is_empty() => true,
        true => wanted.contains(case),
        false => wanted.iter().any(|w| case.contains(w.as_str())),
    };
    let peers = Peers::from_environment();
    let own = [(Original::WeakModules2, suse::CASES), (Original::WeakModules, red_hat::CASES)];
    let all = own.into_iter().flat_map(|(original, cases)| {
        let cases = both::CASES.iter().chain(cases);
        cases.map(move |case| (original, *case)).collect::<Vec<_>>()
    });
    let all = all.map(|(original, case)| played(original, &peers, case));
    let all = all.chain(regenerate::SCENARIOS.iter().map(|scenario| {
        let peer = peers.of(Original::Regenerate);
        let play = move || Figures::of(peer.is_some(), regenerate::check(scenario, peer));
        (Original::Regenerate, scenario.name, Box::new(play) as Box<dyn Fn() -> Figures + Sync>)
    }));
    let cases: Vec<Test<'_>> = all.filter(|(original, name, _)| is_wanted(&full(*original, name))).collect();
    if given("--list") {
        // None is ignored.
        let listed = if given("--ignored") { &[][..] } else { &cases[..] };
        listed.iter().for_each(|(original, name, _)| println!("{}: test", full(*original, name)));
        return ExitCode::SUCCESS;
    }
    let alone = given("--test-threads=1");
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        for _ in 0..if alone { 1 } else { threads } {
            scope.spawn(|| {
                while let Some((original, name, run)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if alone {
                        println!("test {} ... ", full(*original, name));
                    }
                    let outcome = catch_unwind(AssertUnwindSafe(run));
                    println!(
                        "{} {name} ... {}",
                        original.name(),
                        if outcome.is_ok() { "ok" } else { "FAILED" }
                    );
                    let (is_good, figures) = (outcome.is_ok(), outcome.unwrap_or_default());
                    results.lock().unwrap().push((*original, is_good, figures));
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    println!();
    for original in [Original::WeakModules2, Original::WeakModules, Original::Regenerate] {
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
