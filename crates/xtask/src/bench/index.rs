// SPDX-License-Identifier: LGPL-2.1-or-later
//! The index that is written without depmod, beside depmod's: in turns.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::measure::{Run, measured};
use super::roots::{BenchRoot, KERNELS};
use super::{Row, Spread, command, expect, memory};

/// How many times as fast as with depmod: one changed kernel, all six, a kernel's first index.
const BOUNDS: [f64; 3] = [4.0, 5.0, 1.0];
/// Seconds of the processors for one changed kernel.
const CPU_BOUND: f64 = 0.25;

/// A run with depmod, and one without.
type Pair = (Run, Run);

pub fn rows(kmp: &Path, root: &BenchRoot, rounds: usize, rows: &mut Vec<Row>) -> Result<(), String> {
    let dir = |kernel: usize| root.path().join("usr/lib/modules").join(KERNELS[kernel].0);
    let sync = |mode: &str| {
        let mut sync = command(root, kmp, &["sync"]);
        sync.env("KMP_INDEX", mode);
        sync
    };
    let (depmod, own) = (sync("depmod"), sync("incremental"));
    let at = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
    // What the last run has written must be older by more than a tick of the clock.
    let pause = || std::thread::sleep(std::time::Duration::from_millis(20));
    let is_done = |sync: &Command| -> Result<Run, String> {
        pause();
        let run = measured(sync)?;
        expect(&run, &[0], "kmp sync")?;
        Ok(run)
    };
    let touch = |kernel: usize| {
        // The time of its last change is now.
        let list = dir(kernel).join("modules.order");
        fs::metadata(&list)
            .and_then(|stat| fs::set_permissions(&list, stat.permissions()))
            .map_err(|e| at(&list, e))
    };
    let all = || {
        pause();
        (0..KERNELS.len()).try_for_each(touch)
    };
    let without_links = |kernel: usize| {
        let links = dir(kernel).join("weak-updates");
        fs::remove_dir_all(&links).map_err(|e| at(&links, e))
    };
    let without_index = |kernel: usize| -> Result<(), String> {
        let cache = root.path().join("var/cache/kmp/depmod").join(KERNELS[kernel].0);
        let _ = fs::remove_file(cache);
        let dir = dir(kernel);
        let files = fs::read_dir(&dir).map_err(|e| at(&dir, e))?.flatten().map(|entry| entry.path());
        let is_index = |file: &PathBuf| {
            file.file_name().and_then(|name| name.to_str()).is_some_and(kmp_core::tree::is_known_index)
        };
        files.filter(is_index).try_for_each(|file| fs::remove_file(&file).map_err(|e| at(&file, e)))
    };

    // Trust is earned, and then all is as after a run without depmod.
    for _ in 0..2 {
        all()?;
        is_done(&own)?;
    }
    let (mut one, mut six, mut first) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        without_links(1)?;
        let with = is_done(&depmod)?;
        without_links(2)?;
        let pair = (with, is_done(&own)?);
        one.extend((round > 0).then_some(pair));
    }
    let rounds = rounds.div_ceil(2);
    for round in 0..=rounds {
        all()?;
        let with = is_done(&depmod)?;
        all()?;
        is_done(&own)?;
        all()?;
        let pair = (with, is_done(&own)?);
        six.extend((round > 0).then_some(pair));
        without_index(3)?;
        let with = is_done(&depmod)?;
        without_index(3)?;
        let pair = (with, is_done(&own)?);
        first.extend((round > 0).then_some(pair));
    }
    let measures =
        ["that changes one kernel", "that changes six kernels", "that writes a kernel's first index"];
    for ((pairs, what), bound) in [&one, &six, &first].into_iter().zip(measures).zip(BOUNDS) {
        rows.push(ratio(what, pairs, bound));
    }
    let cpu = Spread::of(one.iter().map(|(_, own)| own.cpu));
    rows.push(Row {
        what: "`kmp sync` that changes one kernel, without depmod: CPU time".into(),
        bound: format!("{CPU_BOUND} s"),
        measured: format!("{} s", cpu.show(3)),
        good: cpu.median < CPU_BOUND,
    });
    let peaks = one.iter().chain(&six).chain(&first).map(|(_, own)| own.peak);
    rows.push(memory("`kmp sync` that writes indexes, without depmod", peaks));
    Ok(())
}

fn ratio(what: &str, pairs: &[Pair], bound: f64) -> Row {
    let of = |value: fn(&Run) -> f64| {
        let times = Spread::of(pairs.iter().map(|(with, own)| value(with) / value(own)));
        let with = Spread::of(pairs.iter().map(|(with, _)| value(with)));
        let own = Spread::of(pairs.iter().map(|(_, own)| value(own)));
        (format!("{}: {} s / {} s", times.show(1), with.show(2), own.show(3)), times.median)
    };
    let (cpu, median) = of(|run| run.cpu);
    println!("`kmp sync` {what}: people wait {}", of(|run| run.wall).0);
    Row {
        what: format!("`kmp sync` {what}: CPU time with depmod / without"),
        bound: format!("at least {bound}"),
        measured: cpu,
        good: median >= bound,
    }
}
