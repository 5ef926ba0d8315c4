// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp fleet` of 10,000 machines in 300 groups, six newer kernels, 60 drivers.

use std::path::Path;
use std::process::Command;

use testkit::fleet::Fleet;

use super::measure::measured;
use super::{Row, Spread, expect};

const TIME_BOUND: f64 = 2.0;
const MEMORY_BOUND: f64 = 256.0;

pub fn rows(base: &Path, kmp: &Path, rounds: usize, rows: &mut Vec<Row>) -> Result<(), String> {
    let fleet = Fleet { machines: 10_000, groups: 300, kernels: 8, symbols: 24_000, drivers: 60 };
    let (repo, machines) = fleet.write(&base.join("fleet"));
    let mut command = Command::new(kmp);
    command.args(["fleet", "--json", "--machines"]).arg(machines).arg("--repo").arg(repo);
    let mut runs = Vec::new();
    for round in 0..=rounds {
        let run = measured(&command)?;
        // Some machines lose a driver.
        expect(&run, &[1], "kmp fleet")?;
        if round > 0 {
            runs.push(run);
        }
    }
    let cpu = Spread::of(runs.iter().map(|run| run.cpu));
    rows.push(Row {
        what: "`kmp fleet`, 10,000 machines in 300 groups, 6 newer kernels: CPU time".into(),
        bound: format!("{TIME_BOUND} s"),
        measured: format!("{} s", cpu.show(2)),
        good: cpu.median <= TIME_BOUND,
    });
    let peak = Spread::of(runs.iter().map(|run| run.peak as f64 / 1024.0));
    rows.push(Row {
        what: "`kmp fleet`: peak memory".into(),
        bound: format!("{MEMORY_BOUND} MiB"),
        measured: format!("{} MiB", peak.show(1)),
        good: peak.max < MEMORY_BOUND,
    });
    Ok(())
}
