// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp kabi diff` of two of the judge's kernels, with the reasons in their types and without.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::measure::measured;
use super::{Row, Spread, expect};
use crate::judge::fetch::Places;

/// Seconds of CPU time and MiB, with the types of both kernels' images and modules.
const WITH_TYPES: (f64, f64) = (3.0, 300.0);
/// Seconds of CPU time without.
const WITHOUT: f64 = 0.2;

pub fn rows(kmp: &Path, rounds: usize, rows: &mut Vec<Row>) -> Result<(), String> {
    let places = Places::find().map_err(|e| e.to_string())?;
    let boot = fs::read_dir(places.root.join("boot")).into_iter().flatten();
    let names = boot.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut releases: Vec<String> =
        names.filter_map(|name| Some(name.strip_prefix("vmlinuz-")?.into())).collect();
    releases.sort();
    let [old, new, ..] = &releases[..] else {
        println!(
            "kmp kabi diff: not measured: there are no two kernels (cargo xtask test kernels fetches them)"
        );
        return Ok(());
    };
    let command = |more: &[&str]| {
        let mut command = Command::new(kmp);
        command.arg("--root").arg(&places.root).args(["kabi", "diff"]).args(more).args([old, new]);
        command
    };
    for (what, more, bound) in
        [("with the reasons in types", &[][..], WITH_TYPES.0), ("without", &["--no-why"], WITHOUT)]
    {
        let mut runs = Vec::new();
        for round in 0..=rounds {
            let run = measured(&command(more))?;
            expect(&run, &[0, 1], "kmp kabi diff")?;
            if round > 0 {
                runs.push(run);
            }
        }
        let cpu = Spread::of(runs.iter().map(|run| run.cpu));
        rows.push(Row {
            what: format!("`kmp kabi diff`, two kernels of Debian, {what}: CPU time"),
            bound: format!("{bound} s"),
            measured: format!("{} s", cpu.show(2)),
            good: cpu.median < bound,
        });
        let peak = Spread::of(runs.iter().map(|run| run.peak as f64 / 1024.0));
        rows.push(Row {
            what: "... peak memory".into(),
            bound: format!("{} MiB", WITH_TYPES.1),
            measured: format!("{} MiB", peak.show(0)),
            good: peak.max < WITH_TYPES.1,
        });
    }
    Ok(())
}
