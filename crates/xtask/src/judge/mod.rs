// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask judge`: verdicts proved by booting real kernels.
//!
//! Takes kernels from the distribution's archive, builds modules for every rule of the loader against
//! each, loads each of them in each kernel under qemu, and compares what the kernel said with what
//! `kmp check` says.

pub mod boot;
pub mod build;
pub mod cases;
mod compare;
mod edit;
mod elf;
pub mod fetch;
pub mod own;
mod registry;
pub mod run;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use boot::{Job, Machine};
use build::Set;
use compare::{Cell, Table};
use fetch::{Fetched, Places};
use run::Result;

use testkit::packages::Use;

use crate::privilege;
use crate::run::cargo;

/// How long the sources of other projects may take to build. What was built once is not built again.
const DKMS_LIMIT: Duration = Duration::from_secs(480);

/// Boot real kernels and compare what they load with what kmp says.
///
/// Takes kernels and third-party sources from Debian's archive; what is downloaded and built is kept in downloads/.
#[derive(clap::Args)]
pub struct Arguments {
    /// For work on the judge itself: our own modules and a few others, nothing in-tree.
    #[arg(long)]
    quick: bool,
    /// Build small kernels and judge on them instead: those that the tests take, all, or some by name.
    #[arg(long, value_name = "KERNEL", num_args = 0.., conflicts_with = "quick")]
    own: Option<Vec<String>>,
}

/// How much is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// For work on the judge itself.
    Quick,
    /// What each run of the tests takes: other projects' modules built for the first kernel alone, and in-tree modules on their
    /// own kernel and on the next older one. Nor is time spent on what takes minutes to build ([`LARGEST_SAMPLE`]).
    Sample,
    All,
}

/// The largest package of sources that is built for a sample, in bytes. The few that are larger take minutes, or do not build.
const LARGEST_SAMPLE: u64 = 300_000;

pub fn run(arguments: &Arguments) -> std::result::Result<(), String> {
    let ended = match &arguments.own {
        None => check(if arguments.quick { Extent::Quick } else { Extent::All })?,
        Some(names) => check_own(&own::choose(names)?)?,
    };
    match ended {
        None => Ok(()),
        Some(why) => Err(format!("not run: {why}")),
    }
}

/// Runs the judge. Gives why it was not run: outside CI, where there is no archive to take kernels from.
pub fn check(extent: Extent) -> std::result::Result<Option<String>, String> {
    match cannot() {
        Some(why) if in_ci() => Err(format!("{why}; in CI it must not be skipped")),
        Some(why) => Ok(Some(why)),
        None => match judge(extent) {
            Ok(true) => Ok(None),
            Ok(false) => Err("kmp and the kernel do not agree; see the table above".into()),
            Err(e) => Err(e.to_string()),
        },
    }
}

/// Judges on small kernels that are built here; gives why some or all were not.
pub fn check_own(variants: &[&'static own::Variant]) -> std::result::Result<Option<String>, String> {
    crate::install::ensure(&[Use::Judge])?;
    match own::judge(variants) {
        Ok((true, missing)) => Ok(missing),
        Ok((false, _)) => Err("kmp and a kernel do not agree; see the table above".into()),
        Err(e) => Err(e.to_string()),
    }
}

/// The same, on those that each run of the tests takes.
pub fn check_small() -> std::result::Result<Option<String>, String> {
    check_own(&own::choose(&[])?)
}

/// Builds these kernels; gives why some were not.
pub fn build_small() -> std::result::Result<Option<String>, String> {
    let (_, missing) = own::provide(&own::choose(&[])?).map_err(|e| e.to_string())?;
    Ok((!missing.is_empty()).then(|| missing.join("; ")))
}

/// Downloads what the judge needs.
pub fn fetch() -> std::result::Result<Option<String>, String> {
    match cannot() {
        Some(why) => Ok(Some(why)),
        None => {
            let kernels = Places::find().and_then(|places| kernels(&places));
            kernels.map(|_| None).map_err(|e| e.to_string())
        }
    }
}

/// The kernels to compare with, unpacked.
fn kernels(places: &Places) -> Result<Vec<Fetched>> {
    let releases = fetch::choose()?;
    fetch::tools(&fetch::compilers(&releases)?)?;
    all(releases.iter().map(|r| fetch::kernel(places, r)).collect())
}

fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|v| v == "true")
}

fn cannot() -> Option<String> {
    if !run::has("apt-get") || !run::has("dpkg-deb") {
        return Some("this is no Debian: there is no apt-get".into());
    }
    let update = run::output(Command::new("apt-get").args(["update", "-q", "--error-on=any"]));
    // A source of the machine's own that fails is no matter, as long as kernels can be had.
    let found = fetch::choose();
    match (update, found) {
        (_, Ok(releases)) => {
            let probe = format!("linux-headers-{}", releases[0]);
            let dir = std::env::temp_dir();
            let uris = run::output(
                Command::new("apt-get").args(["download", "-q", "--print-uris", &probe]).current_dir(dir),
            );
            uris.err().map(|e| format!("the archive cannot be asked: {e}"))
        }
        (Err(e), Err(_)) => Some(format!("no network: {e}")),
        (Ok(_), Err(e)) => Some(e.to_string()),
    }
}

/// Says what is being done, and how long the judge has been at it.
struct Clock(Instant);

impl Clock {
    fn say(&self, what: &str) {
        eprintln!("judge [{:>4} s] {what}", self.0.elapsed().as_secs());
    }
}

fn all<T>(results: Vec<Result<T>>) -> Result<Vec<T>> {
    results.into_iter().collect()
}

fn judge(extent: Extent) -> Result<bool> {
    let quick = extent == Extent::Quick;
    let clock = Clock(Instant::now());
    let places = Places::find()?;
    let kernels = kernels(&places)?;
    let releases: Vec<&str> = kernels.iter().map(|kernel| kernel.release.as_str()).collect();
    clock.say(&format!("kernels: {}", releases.join(", ")));
    let program = kmp_program()?;
    let work = places.work();
    // All but the modules that were built: make knows which of them to build again.
    for name in ["sets", "dkms", "depmod", "boot", "enforced", "registry"] {
        run::fresh(&work.join(name))?;
    }

    clock.say("the kernels' own modules");
    let mut good = !quick;
    let mut pairs: Vec<(&Fetched, &Fetched)> = kernels.iter().map(|k| (k, k)).collect();
    let next = kernels.iter().zip(kernels.iter().skip(1));
    pairs.extend(
        next.flat_map(|(a, b)| [(a, b), (b, a)].into_iter().take(if extent == Extent::All { 2 } else { 1 })),
    );
    let mut in_tree = 0;
    if quick {
        pairs.clear();
    }
    let answers = run::each(&pairs, |(from, on)| compare::in_tree(&program, &places.root, &work, from, on));
    for ((from, on), answer) in pairs.iter().zip(answers) {
        let (count, wrong) = answer?;
        in_tree += count;
        println!(
            "in-tree modules of {} on {}: {count} judged, {} wrong",
            from.release,
            on.release,
            wrong.len()
        );
        for line in wrong.iter().take(8) {
            println!("  {line}");
        }
        good &= wrong.is_empty();
    }

    clock.say("building modules");
    boot::build_init(&places)?;
    let replaced = cases::choose_replaced(&kernels);
    clock.say(&format!("replaced: {replaced:?}"));
    // A kernel that shares every export with one before it would get the same modules.
    let mut different: Vec<&Fetched> = Vec::new();
    for kernel in &kernels {
        if different.iter().all(|k| k.symvers != kernel.symvers) {
            different.push(kernel);
        }
    }
    let built = run::each(&different, |kernel| {
        let specs = cases::all(kernel, &kernels, &replaced);
        build::own(&places, kernel, &specs, replaced.moved.as_deref())
    });
    let mut sets: Vec<Set> = all(built)?.into_iter().flatten().collect();
    let own = sets.iter().filter(|s| s.built_for == kernels[0].release).map(|s| s.files.len()).sum::<usize>();

    if !quick {
        clock.say("building the sample package");
        sample(&kernels[0])?;
    }

    clock.say("building the archive's third-party modules");
    let end = Instant::now() + if quick { Duration::from_secs(40) } else { DKMS_LIMIT };
    let (mut third, mut third_modules) = (0, 0);
    let for_kernels = [&kernels[0], &kernels[kernels.len() - 1]];
    for kernel in for_kernels.into_iter().take(if extent == Extent::Sample { 1 } else { 2 }) {
        let largest = (extent != Extent::All).then_some(LARGEST_SAMPLE);
        let (built, skipped) = build::dkms(&places, kernel, end, largest)?;
        println!(
            "\nfor {}: {} third-party packages build, {} not:",
            kernel.release,
            built.len(),
            skipped.len()
        );
        for (name, why) in &skipped {
            println!("  {name}: {why}");
        }
        third += built.len();
        third_modules += built.iter().map(|s| s.files.len()).sum::<usize>();
        sets.extend(built);
    }

    clock.say("registering their packages");
    let registered = registry::ask(&places, &program, &kernels, &sets)?;

    let machines = machines(&places, &kernels)?;
    clock.say(&format!("booting {} machines", machines.len()));
    let columns = run::each(&machines, |m| column(&places, &program, m, &sets, &clock));
    let mut table = Table::default();
    for (i, column) in columns.into_iter().enumerate() {
        for (key, cell) in column? {
            table.rows.entry(key).or_default().insert(i, cell);
        }
    }
    println!();
    let figures = table.print(&machines);
    println!(
        "\n{} modules of ours and {third_modules} of {third} third-party packages, {} machines: {} pairs \
         ({} loaded, {} refused), kmp disagrees with the kernel on {}; {} not heard, {} refused by \
         Debian's own patch.\n\
         depmod lets pass {} that the kernel refuses, and refuses {} that it takes.\n\
         {in_tree} verdicts on in-tree modules.",
        own,
        machines.len(),
        figures.pairs,
        figures.loads,
        figures.pairs - figures.loads,
        figures.disagreed,
        figures.unheard,
        figures.debians_own,
        figures.depmod_lets_pass,
        figures.depmod_wrongly_refuses,
    );
    let (pairs, wrong) = registry::compare(&registered, &table, &machines);
    println!("kmp registry check and the kernels: {pairs} pairs, {} disagreements.", wrong.len());
    wrong.iter().for_each(|line| println!("  {line}"));
    good &= wrong.is_empty() && pairs > 0;
    clock.say("done");
    Ok(good && figures.disagreed == 0 && own >= 40 && machines.len() >= 3)
}

/// The program with the tests of packaging, and with it the command.
const PACKAGING: &[&str] = &["test", "--workspace", "--locked", "--quiet", "--test", "packaging"];

/// The samples for packagers, and a pair of which one uses the other, by rpmbuild and this kernel's own build system.
fn sample(kernel: &Fetched) -> Result<()> {
    let names = [
        "examples::built_by_a_real_kernels_build_system",
        "rebuild::exporters_build_before_users_and_the_registry_closes_what_fits",
    ];
    let arguments = [PACKAGING, &["--", "--ignored", "--exact"], &names].concat();
    let tree = kernel.headers.to_str().ok_or("the headers' path is not UTF-8")?;
    Ok(cargo(&privilege::namespace()?, &arguments, &[("KMP_KERNEL_TREE", tree)])?)
}

/// kmp, built as with the tests: asked for alone, it and all below it would be built once more, with other features of theirs.
fn kmp_program() -> Result<PathBuf> {
    cargo(&[], &[PACKAGING, &["--no-run"]].concat(), &[])?;
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    Ok(workspace.join(target).join("debug/kmp"))
}

/// All kernels as they are, and the first once more with signatures enforced.
fn machines(places: &Places, kernels: &[Fetched]) -> Result<Vec<Machine>> {
    let mut machines: Vec<Machine> = kernels
        .iter()
        .map(|k| Machine {
            label: k.release.clone(),
            kernel: k.clone(),
            root: places.root.clone(),
            arguments: String::new(),
            most_boots: 8,
        })
        .collect();
    let kernel = kernels[0].clone();
    let root = places.work().join("enforced");
    let dir = root.join("usr/lib/modules");
    fs::create_dir_all(&dir)?;
    std::os::unix::fs::symlink("usr/lib", root.join("lib"))?;
    run::link_tree(&kernel.modules, &dir.join(&kernel.release))?;
    let config = dir.join(&kernel.release).join("config");
    let text = fs::read_to_string(&config)?;
    fs::remove_file(&config)?;
    fs::write(&config, text.replace("# CONFIG_MODULE_SIG_FORCE is not set", "CONFIG_MODULE_SIG_FORCE=y"))?;
    let label = format!("{} sig_enforce", kernel.release);
    machines.push(Machine { label, kernel, root, arguments: "module.sig_enforce=1".into(), most_boots: 8 });
    Ok(machines)
}

type Column = BTreeMap<(String, String, String), Cell>;

/// Everything about one machine: what kmp, depmod and the kernel say of every module.
fn column(places: &Places, program: &Path, machine: &Machine, sets: &[Set], clock: &Clock) -> Result<Column> {
    let here = &machine.kernel;
    // With signatures enforced, what was built for this kernel is enough.
    let judged: Vec<&Set> =
        sets.iter().filter(|s| machine.arguments.is_empty() || s.built_for == here.release).collect();
    let mut built: Vec<(String, bool)> = judged.iter().map(|s| (s.built_for.clone(), s.dkms)).collect();
    built.sort();
    built.dedup();
    // Modules of the same name are built for several kernels: a tree for each.
    let mut trees = BTreeMap::new();
    for key in &built {
        let name = format!("depmod/{}/{}-{}", machine.label.replace(' ', "-"), key.0, key.1);
        let members: Vec<&Set> =
            judged.iter().filter(|s| (&s.built_for, s.dkms) == (&key.0, key.1)).copied().collect();
        let tree = places.work().join(name);
        let (complaints, deps) = compare::depmod(here, &tree, &members)?;
        trees.insert(key.clone(), (complaints, deps));
    }
    let jobs: Vec<Job<'_>> = judged
        .iter()
        .map(|set| {
            let (_, deps) = &trees[&(set.built_for.clone(), set.dkms)];
            Job { set, deps, only: None }
        })
        .collect();
    let (words, boots) = boot::hear(places, machine, &jobs)?;
    clock.say(&format!("{}: {} sets heard in {boots} boots", machine.label, words.len()));
    let opinions = compare::opinions(program, &machine.root, &here.release, &judged)?;
    clock.say(&format!("{}: judged", machine.label));
    let mut column = Column::new();
    for job in &jobs {
        let set = job.set;
        let (complaints, _) = &trees[&(set.built_for.clone(), set.dkms)];
        let heard = words.get(&format!("{}@{}", set.name, set.built_for));
        for file in &set.files {
            let name = cases::name_of(&file.to_string_lossy());
            let opinion = opinions
                .iter()
                .find(|((_, path), _)| path == file)
                .map(|(_, o)| o.clone())
                .ok_or_else(|| format!("kmp says nothing of {}", file.display()))?;
            let mut word = heard.and_then(|h| h.get(&name)).cloned().unwrap_or_default();
            if heard.is_none_or(|h| !h.contains_key(&name)) {
                word.unheard = Some("the machine went down before".into());
            }
            let plain = file.file_name().map(|n| n.to_string_lossy().trim_end_matches(".gz").to_string());
            let below = format!("updates/{}/{}", set.name, plain.unwrap_or_default());
            let cell = Cell { opinion, word, depmod: !complaints.contains_key(&below), known: None };
            column.insert((set.name.clone(), name, set.built_for.clone()), cell);
        }
    }
    Ok(column)
}
