// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask judge --own`: small kernels that are built here, and modules that nobody ships.
//!
//! A distribution's kernel has one configuration, and its modules are sound. Here kernels are built for what their
//! loaders do differently, and modules are made for each check of the loader, many of them by hand. Each module is
//! loaded by itself into a kernel that was just cleared, with what it needs, as modprobe would.

mod archive;
mod cases;
mod kernel;
mod known;
mod running;
pub mod signing;
mod variants;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::boot::{self, Job, Machine, Word};
use super::build::{self, Set};
use super::cases as common;
use super::compare::{self, Cell, Table};
use super::fetch::PATH;
use super::run::{self, Result};
use super::{Clock, kmp_program};
use kernel::Small;
pub use known::Known;
pub use variants::{VARIANTS, Variant};

/// The variants that `names` stand for: `all`, or names; none for those that each run of the tests takes.
///
/// # Errors
/// There is no variant of a name.
pub fn choose(names: &[String]) -> std::result::Result<Vec<&'static Variant>, String> {
    if names.is_empty() {
        return Ok(VARIANTS.iter().filter(|variant| variant.in_tests).collect());
    }
    if names == ["all"] {
        return Ok(VARIANTS.iter().collect());
    }
    let find = |name: &String| {
        let list = || VARIANTS.iter().map(|v| format!("\n  {:12} {}", v.name, v.about)).collect::<String>();
        VARIANTS
            .iter()
            .find(|v| v.name == name)
            .ok_or_else(|| format!("there is no kernel {name}, but:{}", list()))
    };
    names.iter().map(find).collect()
}

/// Builds the kernels that are not built yet. Gives those that are not to be had and may be missing, with the reason.
///
/// # Errors
/// A kernel does not build.
pub fn provide(variants: &[&'static Variant]) -> Result<(Vec<Small>, Vec<String>)> {
    let (mut kernels, mut missing) = (Vec::new(), Vec::new());
    for variant in variants {
        let source = match archive::newest(variant.suite) {
            Err(why) if variant.moves || !super::in_ci() => {
                missing.push(format!("{}: {why}", variant.name));
                continue;
            }
            source => source?,
        };
        match kernel::build(variant, &source) {
            Err(why) if variant.moves => missing.push(format!("{}: {why}", variant.name)),
            kernel => kernels.push(kernel?),
        }
    }
    Ok((kernels, missing))
}

/// The least pairs of a module and a kernel for which a run of one kernel counts.
const LEAST: usize = 200;

/// Judges every module on each of these kernels. `false`: kmp and a kernel do not agree, or less was compared than should be.
///
/// # Errors
/// Something does not build or boot.
pub fn judge(variants: &[&'static Variant]) -> Result<(bool, Option<String>)> {
    let clock = Clock(Instant::now());
    clock.say("building small kernels");
    let (kernels, missing) = provide(variants)?;
    let program = kmp_program()?;
    let mut table = Table::default();
    let mut machines = Vec::new();
    for small in &kernels {
        clock.say(&format!("{}: {}", small.variant.name, small.variant.about));
        let sets = sets(small, &clock)?;
        for booted in [""].iter().chain(small.variant.boots) {
            let machine = running::machine(small, booted)?;
            for (key, cell) in column(small, &machine, &sets, &program, &clock)? {
                table.rows.entry(key).or_default().insert(machines.len(), cell);
            }
            machines.push(machine);
        }
    }
    let figures = table.print(&machines);
    for ((set, module, _), cells) in &table.rows {
        for (i, known) in cells.iter().filter_map(|(i, cell)| Some((i, cell.known?))) {
            println!("deliberate: {set}/{module} on {}: {} ({})", machines[*i].label, known.why, known.row);
        }
    }
    let modules = table.rows.len();
    per_machine(&table, &machines);
    println!(
        "\n{modules} modules, {} machines with kernels of our own: {} pairs, {} loaded, {} refused; kmp disagrees with the kernel on \
         {}, and {} deliberately; not heard: {}.",
        machines.len(),
        figures.pairs,
        figures.loads,
        figures.pairs - figures.loads,
        figures.disagreed,
        figures.deliberate,
        figures.unheard,
    );
    let mut good = figures.disagreed == 0 && figures.pairs >= LEAST * machines.len();
    for (known, on) in known::stale(&table, &machines) {
        println!("no longer so, to be taken from the list: {} {on}: {}", known.set, known.why);
        good = false;
    }
    clock.say("done");
    Ok((good, (!missing.is_empty()).then(|| missing.join("; "))))
}

type Column = BTreeMap<(String, String, String), Cell>;

/// The pairs of each machine.
fn per_machine(table: &Table, machines: &[Machine]) {
    println!();
    for (i, machine) in machines.iter().enumerate() {
        let cells = table.rows.values().filter_map(|cells| cells.get(&i));
        let heard: Vec<&Cell> = cells.filter(|cell| cell.word.unheard.is_none()).collect();
        let loaded = heard.iter().filter(|cell| cell.word.accepts()).count();
        let deliberate = heard.iter().filter(|cell| cell.known.is_some()).count();
        let wrong = heard.iter().filter(|cell| cell.known.is_none() && cell.agreed().is_err()).count();
        println!(
            "{} ({}): {} pairs, {loaded} loaded; {wrong} disagreements, and {deliberate} deliberate ones",
            machine.label,
            machine.kernel.release,
            heard.len()
        );
    }
}

/// The modules for a kernel.
fn sets(small: &Small, clock: &Clock) -> Result<Vec<Set>> {
    let (places, kernel) = (&small.places, &small.kernel);
    for name in ["sets", "depmod", "boot", "running"] {
        run::fresh(&places.work().join(name))?;
    }
    boot::build_init(places)?;
    let specs = cases::all(small);
    let sets = build::own(places, kernel, &specs, None)?;
    if small.has("MODULE_SIG") {
        signing::sign_all(small, &specs, &sets)?;
    }
    clock.say(&format!(
        "{}: {} modules in {} sets",
        small.variant.name,
        sets.iter().map(|s| s.files.len()).sum::<usize>(),
        sets.len()
    ));
    Ok(sets)
}

/// What kmp and the kernel say of every module.
fn column(small: &Small, machine: &Machine, sets: &[Set], program: &Path, clock: &Clock) -> Result<Column> {
    let (places, kernel) = (&small.places, &small.kernel);
    let answers = run::each(sets, |set| judge_set(small, machine, program, set));
    let mut judged = Vec::new();
    for answer in answers {
        judged.push(answer?);
    }
    clock.say(&format!("{}: judged", machine.label));
    let jobs: Vec<Job<'_>> = sets
        .iter()
        .zip(&judged)
        .flat_map(|(set, (deps, ..))| {
            set.files.iter().map(move |file| Job { set, deps, only: Some(file.as_path()) })
        })
        .collect();
    let (words, boots) = boot::hear(places, machine, &jobs)?;
    clock.say(&format!("{}: heard in {boots} boots", machine.label));
    let mut column = Column::new();
    let of = sets
        .iter()
        .zip(&judged)
        .flat_map(|(set, judged)| set.files.iter().map(move |file| (set, file, judged)));
    for ((set, file, (_, complaints, opinions)), job) in of.zip(&jobs) {
        let name = common::name_of(&file.to_string_lossy());
        let opinion = opinions.get(&(kernel.release.clone(), file.clone()));
        let opinion = opinion.ok_or_else(|| format!("kmp says nothing of {}", file.display()))?.clone();
        let mut word = words.get(&job.id()).and_then(|heard| heard.get(&name)).cloned().unwrap_or_default();
        if !words.get(&job.id()).is_some_and(|heard| heard.contains_key(&name)) {
            word.unheard = Some("the machine went down before".into());
        }
        let below =
            format!("updates/{}/{}", set.name, file.file_name().unwrap_or_default().to_string_lossy());
        if is_builtin(small, &name)? {
            word = Word { log: vec!["modprobe loads nothing: it is built in".into()], ..Word::default() };
        }
        let mut cell = Cell { opinion, word, depmod: !complaints.contains_key(&below), known: None };
        if cell.word.unheard.is_none() && cell.agreed().is_err() {
            cell.known = Known::find(&set.name, &name, &machine.label);
        }
        column.insert((set.name.clone(), name, String::new()), cell);
    }
    Ok(column)
}

/// Does modprobe take the name for one that is built in, and load nothing?
fn is_builtin(small: &Small, name: &str) -> Result<bool> {
    let mut modprobe = Command::new("modprobe");
    modprobe.env("PATH", PATH).arg("-d").arg(&small.places.root).args(["-S", &small.kernel.release]);
    // It fails for what is not in the kernel's own tree.
    let said = modprobe.args(["--show-depends", name]).stdin(Stdio::null()).output()?;
    Ok(String::from_utf8_lossy(&said.stdout).starts_with("builtin "))
}

type Judged = (boot::Deps, compare::Complaints, compare::Opinions);

/// What depmod and kmp say of a set, by itself.
fn judge_set(small: &Small, machine: &Machine, program: &Path, set: &Set) -> Result<Judged> {
    let kernel = &small.kernel;
    let tree = small.places.work().join("depmod").join(&set.name);
    // Of modules that need each other depmod writes no index.
    let (complaints, deps) = compare::depmod(kernel, &tree, &[set]).unwrap_or_default();
    std::fs::remove_dir_all(&tree)?;
    let releases = [kernel.release.as_str()];
    let opinions = match running::is_as_it_is(machine) {
        true => compare::kmp(program, &small.places.root, &releases, &[&set.dir])?,
        false => {
            compare::kmp_by(running::on(small, machine, program)?, Path::new("/"), &releases, &[&set.dir])?
        }
    };
    Ok((deps, complaints, opinions))
}
