// SPDX-License-Identifier: LGPL-2.1-or-later
//! What rpm's plugin costs a transaction that does not concern it: 2,000 packages without modules.

use std::path::Path;
use std::process::Command;

use testkit::{Package, PackageBuilder, TestRoot};

use super::measure::{Run, measured};
use super::{Row, Spread, expect};

/// Time with the plugin, divided by time without.
const TIME_BOUND: f64 = 1.01;
/// MiB more than without.
const MEMORY_BOUND: f64 = 1.0;

/// Each with 30 files in 10 directories.
fn packages() -> Vec<Package> {
    let package = |n: usize| {
        let package = PackageBuilder::new(&format!("p{n}"), "1", "1").arch("noarch");
        (0..30).fold(package, |p, file| p.file(format!("usr/share/p{n}/d{}/f{file}", file % 10), "x"))
    };
    PackageBuilder::build_all(&(0..2000).map(package).collect::<Vec<_>>())
}

/// Turns, each one run without and one with the plugin; which comes first changes from turn to turn.
fn turns(
    rounds: usize,
    plugin: &Path,
    packages: &[Package],
    options: &[&str],
) -> Result<Vec<(Run, Run)>, String> {
    let run = |with: bool| -> Result<Run, String> {
        let root = TestRoot::new();
        root.set_macro("__plugindir", &plugin.parent().unwrap_or(Path::new("/")).display().to_string());
        root.set_macro("__transaction_kmp", if with { "%{__plugindir}/kmp.so" } else { "%{nil}" });
        let mut rpm: Command = root.command("rpm");
        rpm.arg("--root").arg(root.path()).args(["--nosignature", "-i"]).args(options);
        let run = measured(rpm.args(packages.iter().map(Package::path)))?;
        expect(&run, &[0], "rpm -i")?;
        Ok(run)
    };
    let mut turns = Vec::new();
    // The first turn warms the caches.
    for round in 0..=rounds {
        let first = run(round % 2 == 0)?;
        let second = run(round % 2 == 1)?;
        if round > 0 {
            turns.push(if round % 2 == 0 { (second, first) } else { (first, second) });
        }
    }
    Ok(turns)
}

pub fn rows(rounds: usize, plugin: &Path, rows: &mut Vec<Row>) -> Result<(), String> {
    let packages = packages();
    let ratio = |turns: &[(Run, Run)], what: fn(&Run) -> f64| {
        Spread::of(turns.iter().map(|(without, with)| what(with) / what(without)))
    };
    let of = |turns: &[(Run, Run)], what: fn(&Run) -> f64| {
        let (without, with): (Vec<f64>, Vec<f64>) = turns.iter().map(|(a, b)| (what(a), what(b))).unzip();
        (Spread::of(without.into_iter()), Spread::of(with.into_iter()))
    };
    // Nothing but reading and judging: the plugin's share is the largest.
    let tests = turns(2 * rounds, plugin, &packages, &["--test"])?;
    let times = ratio(&tests, |run| run.wall);
    let (without, with) = of(&tests, |run| run.wall);
    rows.push(Row {
        what: "`rpm -i --test`, 2,000 packages without modules: time with the plugin / without".into(),
        bound: format!("{TIME_BOUND}"),
        measured: format!("{}: {} s / {} s", times.show(3), with.show(2), without.show(2)),
        good: times.median < TIME_BOUND,
    });
    // How long a disk takes to write 60,000 files differs by more than that; the processors' time does not.
    let installations = turns(rounds.div_ceil(3), plugin, &packages, &[])?;
    let times = ratio(&installations, |run| run.cpu);
    let (without, with) = of(&installations, |run| run.cpu);
    rows.push(Row {
        what: "`rpm -i`, the same: CPU time with the plugin / without".into(),
        bound: format!("{TIME_BOUND}"),
        measured: format!("{}: {} s / {} s", times.show(3), with.show(2), without.show(2)),
        good: times.median < TIME_BOUND,
    });
    for (name, turns) in [("`rpm -i --test`", &tests), ("`rpm -i`", &installations)] {
        let mib = |run: &Run| run.peak as f64 / 1024.0;
        let more = Spread::of(turns.iter().map(|(without, with)| mib(with) - mib(without)));
        rows.push(Row {
            what: format!("{name}, the same: peak memory with the plugin - without"),
            bound: format!("{MEMORY_BOUND} MiB"),
            measured: format!("{} MiB", more.show(2)),
            good: more.median < MEMORY_BOUND,
        });
    }
    Ok(())
}
