// SPDX-License-Identifier: LGPL-2.1-or-later
//! A distributor's day with real kernels and real third-party modules: their packages are registered, and judged for each kernel by what
//! is registered alone. What `kmp registry check` calls broken the booted kernel has to refuse, and to take what it calls fine. The
//! rest of what a distributor asks is asked of the same data: the difference, who uses what nobody promised, what is to be rebuilt.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testkit::PackageBuilder;

use super::boot::Machine;
use super::build::Set;
use super::cases::name_of;
use super::compare::Table;
use super::fetch::{Fetched, Places};
use super::run::{self, Result};

/// What the registry says of (set, module, built for) in a kernel: is it broken there?
pub type Verdicts = BTreeMap<(String, String, String, String), bool>;

/// Who asks, and of what.
pub struct Distributor<'j> {
    pub program: &'j Path,
    pub root: &'j Path,
    pub registry: PathBuf,
    pub built_for: &'j str,
}

impl Distributor<'_> {
    pub fn kmp(&self, args: &[&str]) -> Result<(i32, String)> {
        let mut command = Command::new(self.program);
        command.arg("--root").arg(self.root).args(args);
        let done = command.output()?;
        let status = done.status.code().unwrap_or(-1);
        if !matches!(status, 0 | 1) {
            return Err(
                format!("{command:?}: {}\n{}", done.status, String::from_utf8_lossy(&done.stderr)).into()
            );
        }
        Ok((status, String::from_utf8_lossy(&done.stdout).into_owned()))
    }

    /// `kmp registry check` of a kernel that comes; twice, for a second run must send nothing.
    fn check<'s>(&self, sets: &[&'s Set], new: &str, verdicts: &mut Verdicts) -> Result<BTreeSet<&'s str>> {
        let registry = self.registry.display().to_string();
        let out = self.registry.with_extension(format!("out-{new}"));
        run::fresh(&out)?;
        let out_text = out.display().to_string();
        let args =
            ["registry", "check", "--json", "--registry", &registry, "--old", self.built_for, "--new", new];
        let args = [&args[..], &["--due", "2027-01-01", "--out", &out_text]].concat();
        let (_, text) = self.kmp(&args)?;
        let mails = |dir: &Path| -> Result<usize> {
            let own = fs::read_dir(dir)?.filter_map(|entry| Some(entry.ok()?.path()));
            let all =
                own.filter(|path| path.is_dir()).flat_map(|dir| fs::read_dir(dir).into_iter().flatten());
            Ok(all
                .filter(|e| e.as_ref().is_ok_and(|e| e.path().extension().is_some_and(|e| e == "eml")))
                .count())
        };
        let first = mails(&out)?;
        self.kmp(&args)?;
        if mails(&out)? != first {
            return Err(format!("a second run for {new} has written messages once more").into());
        }
        let report: Value = serde_json::from_str(&text)?;
        let items = report["items"].as_array().ok_or("the report has no items")?;
        let mut stopped = BTreeSet::new();
        for item in items {
            let package = item["package"].as_str().unwrap_or_default();
            let set = sets
                .iter()
                .find(|set| package == name(set))
                .ok_or_else(|| format!("nobody made {package}"))?;
            let reasons = item["reasons"].as_array().map_or(&[][..], Vec::as_slice);
            let broken: BTreeSet<&str> =
                reasons.iter().filter_map(|reason| reason["module"].as_str()).collect();
            for file in &set.files {
                let module = name_of(&file.to_string_lossy());
                let is_broken = broken.contains(module.as_str());
                verdicts.insert((set.name.clone(), module, self.built_for.into(), new.into()), is_broken);
            }
            let (state, remedy) = (item["state"].as_str(), item["remedy"].as_str());
            if matches!(state, Some("stops")) != !broken.is_empty() || remedy.is_some() == broken.is_empty() {
                return Err(format!(
                    "{package} on {new}: {state:?}, {remedy:?}, though {broken:?} are broken"
                )
                .into());
            }
            if state == Some("stops") {
                stopped.insert(set.name.as_str());
            }
        }
        // Each has its own provider.
        if first != stopped.len() {
            return Err(format!(
                "{} packages stop with {new}, and there are {first} messages",
                stopped.len()
            )
            .into());
        }
        Ok(stopped)
    }
}

/// The package of a set.
pub fn name(set: &Set) -> String {
    format!("{}-kmp-amd64", set.name)
}

/// The same, with its modules.
///
/// # Errors
/// A module cannot be read.
pub fn package(set: &Set) -> Result<PackageBuilder> {
    let mut files = Vec::new();
    for file in &set.files {
        files.push((file.file_name().unwrap_or_default().to_owned(), fs::read(file)?));
    }
    Ok(PackageBuilder::kmp(&set.name, "amd64", "1.0", &set.built_for, files))
}

/// Registers the archive's packages among the sets, and asks all that a distributor asks.
///
/// # Errors
/// kmp fails, or contradicts itself.
pub fn ask(places: &Places, program: &Path, kernels: &[Fetched], sets: &[Set]) -> Result<Verdicts> {
    let mut verdicts = Verdicts::new();
    let built_for: BTreeSet<&str> =
        sets.iter().filter(|set| set.dkms).map(|set| set.built_for.as_str()).collect();
    for built_for in built_for {
        let sets: Vec<&Set> = sets.iter().filter(|set| set.dkms && set.built_for == built_for).collect();
        let mut packages = Vec::new();
        for set in &sets {
            packages.push(package(set)?);
        }
        let dir = places.work().join("registry");
        let registry = dir.join(built_for);
        run::fresh(&registry)?;
        let distributor = Distributor { program, root: &places.root, registry, built_for };
        let registry = distributor.registry.display().to_string();
        for (set, package) in sets.iter().zip(PackageBuilder::build_all(&packages)) {
            let file = package.path().display().to_string();
            let args = ["registry", "add", "--registry", &registry, "--provider", &set.name];
            distributor.kmp(&[&args[..], &["--contact", "drivers@vendor.example", &file]].concat())?;
        }
        distributor.kmp(&["registry", "lint", "--registry", &registry])?;
        let modules: usize = sets.iter().map(|set| set.files.len()).sum();
        for kernel in kernels {
            let stopped = distributor.check(&sets, &kernel.release, &mut verdicts)?;
            println!(
                "registered: {} packages, {modules} modules for {built_for}: {} stop with {}",
                sets.len(),
                stopped.len(),
                kernel.release
            );
            others(&distributor, &kernel.release, &stopped)?;
        }
        // What a vendor uses of what nobody has promised.
        let rules = dir.join("severities");
        fs::write(&rules, "drivers/* PASS\n")?;
        let rules = rules.display().to_string();
        let files: Vec<String> =
            sets.iter().flat_map(|set| &set.files).map(|f| f.display().to_string()).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let args = ["kabi", "exposure", "--json", "--rules", &rules, "--kernel", built_for];
        let exposed: Value = serde_json::from_str(&distributor.kmp(&[&args[..], &files].concat())?.1)?;
        let count = |standing: &str| exposed["counts"][standing].as_u64().unwrap_or(0);
        if count("promised") == 0 || exposed["modules"].as_array().map_or(0, Vec::len) != files.len() {
            return Err(
                format!("of {} modules kmp kabi exposure says: {}", files.len(), exposed["counts"]).into()
            );
        }
    }
    Ok(verdicts)
}

/// The difference with its reasons, and what is to be rebuilt, agree with what stops.
fn others(distributor: &Distributor<'_>, new: &str, stopped: &BTreeSet<&str>) -> Result<()> {
    let registry = distributor.registry.display().to_string();
    let old = distributor.built_for;
    let (status, text) = distributor.kmp(&["kabi", "diff", "--json", "--registry", &registry, old, new])?;
    let diff: Value = serde_json::from_str(&text)?;
    let registered = diff["registered"].as_array().ok_or("kmp kabi diff says nothing of the registry")?;
    let broken = registered.iter().filter(|item| item["state"] == "stops").count();
    if broken != stopped.len() || (status == 0 && broken > 0) {
        return Err(format!(
            "kmp kabi diff says that {broken} packages stop with {new}, not {}",
            stopped.len()
        )
        .into());
    }
    let args = ["rebuild-list", "--json", "--for", "plain", "--registry", &registry, "--new", new];
    let list: Value = serde_json::from_str(&distributor.kmp(&args)?.1)?;
    let sources = list["sources"].as_array().ok_or("kmp rebuild-list lists no sources")?;
    let listed =
        sources.iter().flat_map(|source| source["packages"].as_array().into_iter().flatten()).count();
    let left = list["left"].as_array().map_or(0, Vec::len);
    // Here all are of one source package, which builds all of its packages, or none.
    let is_whole = if left == 0 { listed == stopped.len() } else { listed == 0 && !stopped.is_empty() };
    if !is_whole {
        return Err(format!(
            "{listed} packages are to be rebuilt for {new}, {left} are not: {}",
            stopped.len()
        )
        .into());
    }
    Ok(())
}

/// Compares with what the kernels have said. Returns how many pairs there were, and where they do not agree.
pub fn compare(verdicts: &Verdicts, table: &Table, machines: &[Machine]) -> (usize, Vec<String>) {
    let (mut pairs, mut wrong) = (0, Vec::new());
    for ((set, module, built_for), cells) in &table.rows {
        for (at, cell) in cells {
            // What a machine demands of signatures is not the registry's.
            let Some(machine) = machines.get(*at).filter(|machine| machine.arguments.is_empty()) else {
                continue;
            };
            let release = machine.kernel.release.clone();
            let key = (set.clone(), module.clone(), built_for.clone(), release);
            let Some(is_broken) = verdicts.get(&key) else { continue };
            if cell.word.unheard.is_some() || cell.debians_own() || (!cell.word.loads && cell.clashed()) {
                continue;
            }
            pairs += 1;
            if cell.word.loads == *is_broken {
                let says = if *is_broken { "broken" } else { "fine" };
                let log = &cell.word.log;
                wrong.push(format!(
                    "{set}/{module} for {built_for} on {}: the registry says {says}: {log:?}",
                    key.3
                ));
            }
        }
    }
    (pairs, wrong)
}
