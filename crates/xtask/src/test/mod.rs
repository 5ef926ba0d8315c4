// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask test`: every check and every test, side by side, whatever fails.

pub mod binaries;
pub mod pool;
mod room;
pub mod schedule;
mod seen;
mod skipped;
pub mod steps;
mod times;

use std::time::Instant;

use testkit::packages::Use;

use crate::{install, releases};
use steps::{BENCH, STEPS, Step};

/// Install what is needed, then run every check and test.
///
/// With names: only those steps, or the tests that have a NAME in theirs. What each step prints is in target/suite/.
#[derive(clap::Args)]
pub struct Arguments {
    /// A step, or a part of a test's name.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// List the steps and the tests.
    #[arg(long, exclusive = true)]
    list: bool,
    /// List what is needed of the distribution, by purpose.
    #[arg(long, exclusive = true)]
    list_packages: bool,
    /// Install nothing; what is missing is named.
    #[arg(long)]
    no_install: bool,
    /// Leave out the tests that boot kernels.
    #[arg(long)]
    no_judge: bool,
    /// Measure speed as well.
    #[arg(long)]
    bench: bool,
    /// One step, in this process: how the others are started.
    #[arg(long, hide = true, value_name = "STEP")]
    alone: Option<String>,
}

pub fn run(arguments: &Arguments) -> Result<(), String> {
    if arguments.no_install {
        install::install_nothing();
    }
    if let Some(name) = &arguments.alone {
        let step = steps::find(name).ok_or_else(|| format!("there is no step {name}"))?;
        let end = (step.run)();
        schedule::note(step.name, &end)?;
        return end.map(drop);
    }
    if arguments.list_packages {
        install::list_packages();
        return Ok(());
    }
    if arguments.list {
        for Step { name, about, .. } in STEPS.iter().chain([&BENCH]) {
            println!("{name:12} {about}");
        }
        return pool::list();
    }
    let (chosen, tests): (Vec<&String>, Vec<&String>) =
        arguments.names.iter().partition(|name| steps::find(name).is_some());
    let all = arguments.names.is_empty();
    let is_chosen = |step: &&Step| chosen.iter().any(|name| *name == step.name);
    let is_judge = |step: &&Step| ["kernels", "judge", "small kernels", "small judge"].contains(&step.name);
    let mut run: Vec<&'static Step> =
        STEPS.iter().filter(|s| is_chosen(s) || (all && !(arguments.no_judge && is_judge(s)))).collect();
    let needed: Vec<&str> = run.iter().flat_map(|step| step.needs).copied().collect();
    run = STEPS.iter().filter(|s| run.iter().any(|r| r.name == s.name) || needed.contains(&s.name)).collect();
    if all {
        room::before();
    }
    let mut failed = Vec::new();
    // Even where something cannot be installed, the steps have something to say.
    if let Err(why) = tools(&run) {
        println!("=== tools: {why}");
        failed.push("tools".to_string());
    }
    if let [step] = run[..]
        && tests.is_empty()
    {
        // Nothing runs beside it: it may print as it goes.
        if let Some(why) = (step.run)()? {
            return Err(format!("not run: {why}"));
        }
        let ran = releases::tested_by(step.name);
        times::print_slowest(&ran, 10);
        skipped::print(&ran);
        return Ok(());
    }
    if !run.is_empty() {
        failed.extend(side_by_side(&run, arguments.bench)?);
    }
    if !tests.is_empty() {
        let parts: Vec<String> = tests.into_iter().cloned().collect();
        failed.extend(pool::named(&parts).err());
        times::print_slowest(&["named"], 10);
        skipped::print(&["named"]);
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

/// The steps that failed.
fn side_by_side(steps: &[&'static Step], bench: bool) -> Result<Vec<String>, String> {
    let start = Instant::now();
    let options = if install::installs_nothing() { &["--no-install"][..] } else { &[] };
    let ran: Vec<&str> = steps.iter().flat_map(|step| releases::tested_by(step.name)).collect();
    skipped::forget(&ran);
    let mut outcomes = schedule::run(steps, options)?;
    if bench {
        outcomes.extend(schedule::run(&[&BENCH], options)?);
    }
    times::print_slowest(&["tests", "packages"], 10);
    skipped::print(&ran);
    schedule::summary(&outcomes);
    println!("{:12} {:>5.0} s", "in all", start.elapsed().as_secs_f64());
    let failed: Vec<String> =
        outcomes.iter().filter(|o| o.end.is_err()).map(|o| o.name.to_string()).collect();
    if !failed.is_empty() {
        room::after_failure();
    }
    Ok(failed)
}

/// Installs what these steps need, or the tests where there are none.
fn tools(steps: &[&Step]) -> Result<(), String> {
    let mut uses = vec![Use::Demo, Use::Test];
    let has = |name: &str| steps.iter().any(|step| step.name == name);
    uses.extend(has("rpms").then_some(Use::Rpm));
    let judged = has("judge") || has("small kernels") || has("small judge");
    uses.extend(judged.then_some(Use::Judge));
    uses.extend(has("browser").then_some(Use::Browser));
    install::ensure(&uses)?;
    // Now, for apt does one thing at a time; the step itself says what it misses.
    if has("chroots") {
        let _ = install::ensure(&[Use::Releases]);
    }
    install::ensure_components()
}
