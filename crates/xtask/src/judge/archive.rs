// SPDX-License-Identifier: LGPL-2.1-or-later
//! Verdicts on the kernels and third-party modules of the distribution's archive.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::boot::{self, Job, Machine};
use super::build::{self, Set};
use super::compare::{self, Cell, Table};
use super::fetch::{Fetched, Places};
use super::run::{self, Result};
use super::{Clock, Extent, PACKAGING, all, cases, fleet, kernels, kmp_program, registry};
use crate::privilege;
use crate::run::cargo;

/// How long the sources of other projects may take to build. What was built once is not built again.
const DKMS_LIMIT: Duration = Duration::from_secs(480);

/// The largest package of sources that is built for a sample, in bytes. The few that are larger take minutes, or do not build.
pub(super) const LARGEST_SAMPLE: u64 = 300_000;

/// Judges; `false`: kmp and a kernel do not agree, or less was compared than should be.
///
/// # Errors
/// Something cannot be had, does not build or does not boot.
pub fn judge(extent: Extent) -> Result<bool> {
    let quick = extent == Extent::Quick;
    let clock = Clock(Instant::now());
    let places = Places::find()?;
    let kernels = kernels(&places)?;
    let releases: Vec<&str> = kernels.iter().map(|kernel| kernel.release.as_str()).collect();
    clock.say(&format!("kernels: {}", releases.join(", ")));
    let program = kmp_program()?;
    let work = places.work();
    // All but the modules that were built: make knows which of them to build again.
    for name in ["sets", "dkms", "depmod", "boot", "enforced", "registry", "fleet"] {
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
    clock.say("asking for a fleet that has them");
    let fleet = fleet::ask(&places, &program, &kernels, &sets)?;

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
    let answers = [
        ("kmp registry check", registry::compare(&registered, &table, &machines)),
        ("kmp fleet", fleet::compare(&fleet, &table, &machines)),
    ];
    for (verb, (pairs, wrong)) in answers {
        println!("{verb} and the kernels: {pairs} pairs, {} disagreements.", wrong.len());
        wrong.iter().for_each(|line| println!("  {line}"));
        good &= wrong.is_empty() && pairs > 0;
    }
    clock.say("done");
    Ok(good && figures.disagreed == 0 && own >= 40 && machines.len() >= 3)
}

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
