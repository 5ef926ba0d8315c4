// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp update` with a large repository: reading its list, and not reading it again.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use kmp_core::unpack::{Kind, Source, stream};
use kmp_fs::root::Root;
use kmp_repo::kept::Writer;
use kmp_repo::offer::CONCERNED;
use kmp_repo::repository::MetadataDir;

use super::measure::{Run, measured};
use super::repository::{self, KERNELS, PACKAGES};
use super::{Row, Spread, expect, memory};
use crate::run::this_program;

/// CPU time of reading, divided by that of inflating and tokenizing the same list.
const READING_BOUND: f64 = 1.5;
/// Seconds: a second run, and the first while zypper waits.
const SECOND_BOUND: f64 = 0.1;
const HOOK_BOUND: f64 = 1.0;

/// `_packages`: reads the list, and keeps what `kmp update` keeps of it.
pub fn read(repository: &Path, tokenize: bool) -> Result<(), String> {
    if tokenize {
        return self::tokenize(&repository.join("repodata/primary.xml.gz"));
    }
    let root = Root::open(repository).map_err(|e| e.to_string())?;
    let dir = MetadataDir::new(&root, Path::new("/"));
    let (repomd, key) = dir.summed_repomd().map_err(|e| e.to_string())?;
    let (mut writer, mut count) = (Writer::default(), 0);
    let read = dir.packages(&repomd, &CONCERNED, &mut |package| {
        writer.package(package);
        count += 1;
    });
    read.map_err(|e| e.to_string())?;
    let kept = writer.finish(&key).map_or(0, |bytes| bytes.len());
    println!("{count} packages, {kept} bytes kept");
    if count == KERNELS + 1 { Ok(()) } else { Err(format!("{count} packages were found")) }
}

/// The same with nothing done about it.
fn tokenize(list: &Path) -> Result<(), String> {
    let mut file = File::open(list).map_err(|e| format!("{}: {e}", list.display()))?;
    let mut input = Source::new(&mut file);
    let kind = Kind::of(input.peek(Kind::LOOK).map_err(|e| e.to_string())?);
    let open = stream(kind, &mut input).map_err(|e| e.to_string())?;
    let mut reader = quick_xml::Reader::from_reader(BufReader::with_capacity(128 << 10, open));
    let (mut buffer, mut count) = (Vec::new(), 0_u64);
    loop {
        match reader.read_event_into(&mut buffer).map_err(|e| e.to_string())? {
            quick_xml::events::Event::Eof => break,
            _ => count += 1,
        }
        buffer.clear();
    }
    println!("{count} tokens");
    Ok(())
}

pub(super) fn rows(base: &Path, kmp: &Path, rounds: usize, rows: &mut Vec<Row>) -> Result<(), String> {
    let (root, repository) = repository::make(base);
    let this = this_program()?;
    let list = |options: &[&str]| {
        let mut command = root.command(&this);
        command.arg("_packages").args(options).arg(&repository);
        command
    };
    let (reading, tokens) = (list(&[]), list(&["--tokenize"]));
    let mut pairs: Vec<(Run, Run)> = Vec::new();
    for round in 0..=rounds {
        let pair = (measured(&reading)?, measured(&tokens)?);
        expect(&pair.0, &[0], "reading the list")?;
        expect(&pair.1, &[0], "the baseline")?;
        if round > 0 {
            pairs.push(pair);
        }
    }
    let ratio = Spread::of(pairs.iter().map(|(read, tokens)| read.cpu / tokens.cpu));
    let read = Spread::of(pairs.iter().map(|(read, _)| read.cpu));
    let tokenized = Spread::of(pairs.iter().map(|(_, tokens)| tokens.cpu));
    rows.push(Row {
        what: format!(
            "a repository of {PACKAGES} packages and {KERNELS} kernels read: CPU time / inflating and tokenizing it once"
        ),
        bound: format!("{READING_BOUND}"),
        measured: format!("{}: {} s / {} s", ratio.show(2), read.show(3), tokenized.show(3)),
        good: ratio.median <= READING_BOUND,
    });

    let mut update = root.command(kmp);
    update.arg("--root").arg(root.path()).args(["update", "--offline", "--keep", "--json"]);
    update.arg(format!("--repo=base={}", repository.display()));
    let kept = root.path().join("var/cache/kmp");
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let _ = fs::remove_dir_all(&kept);
        let runs = (measured(&update)?, measured(&update)?);
        // One kernel comes with a build, others are held.
        expect(&runs.0, &[1], "kmp update")?;
        expect(&runs.1, &[1], "kmp update")?;
        if round > 0 {
            first.push(runs.0);
            second.push(runs.1);
        }
    }
    let of = |runs: &[Run], what: fn(&Run) -> f64| Spread::of(runs.iter().map(what));
    for (what, runs, bound) in [
        ("`kmp update` of a repository that has changed, while zypper waits for it", &first, HOOK_BOUND),
        ("`kmp update` again, with nothing changed", &second, SECOND_BOUND),
    ] {
        let (wall, cpu) = (of(runs, |run| run.wall), of(runs, |run| run.cpu));
        rows.push(Row {
            what: format!("{what}: CPU time"),
            bound: format!("{bound} s"),
            measured: format!("{} s; people wait {} s", cpu.show(3), wall.show(3)),
            good: cpu.median <= bound,
        });
        rows.push(memory(what, runs.iter().map(|run| run.peak)));
    }
    Ok(())
}
