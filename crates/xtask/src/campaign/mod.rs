// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask campaign NAME`: tests that have a quick form among the others, run at length.
//!
//! A campaign runs its tests again and again, each time with another seed, adds up the figures that they note
//! (`testkit::campaign`), and ends when it has enough or a test has failed.

mod fuzz;
mod kills;
mod races;
mod reads;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::{privilege, run};

const CAMPAIGNS: &[&Campaign] = &[&kills::CAMPAIGN, &reads::CAMPAIGN, &races::CAMPAIGN, &fuzz::CAMPAIGN];

/// One campaign.
struct Campaign {
    name: &'static str,
    about: &'static str,
    tests: &'static [Tests],
    enough: Enough,
}

/// Tests of one binary.
struct Tests {
    package: &'static str,
    /// Of `cargo test --test`.
    binary: &'static str,
    /// The beginning of the tests' names.
    filter: &'static str,
}

/// When a campaign ends if no option says so.
enum Enough {
    /// When the tests have noted so much of one figure.
    Figure {
        name: &'static str,
        count: u64,
    },
    Seconds(u64),
}

/// Run tests that have a quick form at length: kills, reads, races, fuzz.
///
/// Runs the tests of a campaign again and again, each time with another seed, until it has enough or a test has failed.
#[derive(clap::Args)]
#[command(after_help = campaigns())]
pub struct Options {
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(CAMPAIGNS.iter().map(|c| c.name)))]
    name: String,
    /// So many of what the campaign counts.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// So many runs of all its tests.
    #[arg(long, value_name = "N")]
    rounds: Option<u64>,
    /// After so much time, at the end of a run.
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// The first run's seed, 1 where none is given.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many tests at once, one for each core where it is not given.
    #[arg(long, value_name = "N")]
    jobs: Option<u64>,
}

/// What there is, and when each has enough.
fn campaigns() -> String {
    let mut text = "Campaigns, and what each runs to where no option says:".to_string();
    for Campaign { name, about, enough, .. } in CAMPAIGNS {
        let enough = match enough {
            Enough::Figure { name, count } => format!("{count} {name}"),
            Enough::Seconds(seconds) => format!("{seconds} seconds"),
        };
        text += &format!("\n  {name:6} {about}; {enough}");
    }
    text
}

pub fn run(options: &Options) -> Result<(), String> {
    let name = options.name.as_str();
    if name == fuzz::CAMPAIGN.name {
        return fuzz::run(options);
    }
    let campaign = CAMPAIGNS.iter().find(|c| c.name == name);
    let campaign = campaign.ok_or_else(|| format!("there is no campaign {name}"))?;
    for tests in campaign.tests {
        if names(tests)? == 0 {
            let Tests { binary, filter, .. } = tests;
            return Err(format!("campaign {name}: its tests, {filter} of {binary}, are not written yet"));
        }
    }
    go_on(campaign, options)
}

fn go_on(campaign: &Campaign, options: &Options) -> Result<(), String> {
    // An option takes the place of the campaign's own measure.
    let own = options.count.or(options.rounds).or(options.seconds).is_none();
    let (counted, count) = match &campaign.enough {
        Enough::Figure { name, count } => (Some(*name), if own { Some(*count) } else { options.count }),
        Enough::Seconds(_) => (None, None),
    };
    if options.count.is_some() && counted.is_none() {
        return Err(format!("campaign {} counts nothing; there are --seconds and --rounds", campaign.name));
    }
    let seconds = match &campaign.enough {
        Enough::Seconds(seconds) if own => Some(*seconds),
        _ => options.seconds,
    };
    let start = Instant::now();
    let first = options.seed.unwrap_or(1);
    let mut figures: BTreeMap<String, u64> = BTreeMap::new();
    for round in 0.. {
        let reached = counted.and_then(|name| figures.get(name)).copied().unwrap_or(0);
        if count.is_some_and(|count| reached >= count)
            || options.rounds.is_some_and(|rounds| round >= rounds)
            || seconds.is_some_and(|seconds| start.elapsed() >= Duration::from_secs(seconds))
        {
            print(campaign, first, round, start.elapsed(), &figures);
            return Ok(());
        }
        let seed = first + round;
        let before = reached;
        for tests in campaign.tests {
            if let Err(why) = one_run(tests, seed, options.jobs, &mut figures) {
                print(campaign, first, round, start.elapsed(), &figures);
                return Err(format!("campaign {}, seed {seed}: {why}", campaign.name));
            }
        }
        println!("seed {seed}: {}", shown(&figures));
        let after = counted.and_then(|name| figures.get(name)).copied().unwrap_or(0);
        if let Some(name) = counted.filter(|_| count.is_some() && after == before) {
            return Err(format!("campaign {}: a whole run noted no {name}", campaign.name));
        }
    }
    Ok(())
}

/// How many tests there are.
fn names(tests: &Tests) -> Result<usize, String> {
    let arguments =
        ["test", "--locked", "-p", tests.package, "--test", tests.binary, "--", "--list", tests.filter];
    let output = run::cargo_command(&[], &arguments).stderr(Stdio::inherit()).output();
    let output = output.map_err(|e| format!("cargo: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo {}: {}", arguments.join(" "), output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().filter(|l| l.starts_with(tests.filter) && l.ends_with(": test")).count())
}

/// Runs the tests once. What they print is shown where one fails; their figures are added up in any case.
fn one_run(
    tests: &Tests,
    seed: u64,
    jobs: Option<u64>,
    figures: &mut BTreeMap<String, u64>,
) -> Result<(), String> {
    let namespace = privilege::namespace()?;
    let threads = jobs.map(|jobs| format!("--test-threads={jobs}"));
    let mut arguments = vec!["test", "--quiet", "--locked", "-p", tests.package, "--test", tests.binary];
    arguments.extend(["--", "--show-output", tests.filter]);
    arguments.extend(threads.as_deref());
    let mut command = run::cargo_command(&namespace, &arguments);
    command.env("KMP_CAMPAIGN_SEED", seed.to_string());
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cargo cannot be run: {e}"))?;
    let mut kept = String::new();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(|e| format!("cargo's output: {e}"))?;
            let line = String::from_utf8_lossy(&line);
            match figure(&line) {
                Some((name, number)) => *figures.entry(name.into()).or_default() += number,
                None => kept += &format!("{line}\n"),
            }
        }
    }
    let status = child.wait().map_err(|e| format!("cargo: {e}"))?;
    if !status.success() {
        print!("{kept}");
        return Err(format!("a test of {} failed ({status})", tests.filter));
    }
    Ok(())
}

/// A line of `testkit::campaign::figure`.
fn figure(line: &str) -> Option<(&str, u64)> {
    let (name, number) = line.strip_prefix("campaign: ")?.rsplit_once(": ")?;
    Some((name, number.parse().ok()?))
}

fn shown(figures: &BTreeMap<String, u64>) -> String {
    let each: Vec<String> = figures.iter().map(|(name, number)| format!("{number} {name}")).collect();
    if each.is_empty() { "no figures".into() } else { each.join(", ") }
}

fn print(campaign: &Campaign, first: u64, rounds: u64, took: Duration, figures: &BTreeMap<String, u64>) {
    let seeds = if rounds == 0 { "none".into() } else { format!("{first} to {}", first + rounds - 1) };
    println!("\n=== campaign {}: seeds {seeds}, {:.0} s", campaign.name, took.as_secs_f64());
    for (name, number) in figures {
        println!("{number:>10} {name}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        assert_eq!(figure("campaign: calls disturbed: 12"), Some(("calls disturbed", 12)));
        assert_eq!(figure("calls disturbed: 12"), None);
        assert_eq!(figure("campaign: calls disturbed"), None);
    }
}
