// SPDX-License-Identifier: LGPL-2.1-or-later
//! A fleet with the same kernels and modules, as repositories list them: each machine has a driver of the archive, as a package with the
//! dependencies that `kmp deps` gives it. What `kmp fleet` calls lost, by metadata alone, the booted kernel has to refuse; where
//! nothing is lost, to take. What is to be rebuilt of these repositories is what is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::PackageBuilder;

use super::boot::Machine;
use super::build::Set;
use super::compare::Table;
use super::fetch::{Fetched, Places};
use super::registry::{self, Distributor, name};
use super::run::{self, Result};

/// What kernels are called here by the last part of their releases, as SUSE's are by their flavours.
const FLAVOUR: &str = "amd64";

/// Of (set, built for) in a kernel: is the driver lost there?
pub type Verdicts = BTreeMap<(String, String, String), bool>;

/// Asks for the machines of each kernel that packages of the archive were built for what each other kernel would do to them.
///
/// # Errors
/// kmp fails, or contradicts itself.
pub fn ask(places: &Places, program: &Path, kernels: &[Fetched], sets: &[Set]) -> Result<Verdicts> {
    let mut verdicts = Verdicts::new();
    let built_for: BTreeSet<&str> =
        sets.iter().filter(|set| set.dkms).map(|set| set.built_for.as_str()).collect();
    for built_for in built_for {
        let dir = places.work().join("fleet").join(built_for);
        run::fresh(&dir)?;
        // Of each driver only this build: no other can take its place.
        let sets: Vec<&Set> = sets.iter().filter(|set| set.dkms && set.built_for == built_for).collect();
        let (of_kernels, of_drivers) = (dir.join("kernels"), dir.join("drivers"));
        let offered: Vec<_> = kernels.iter().map(|kernel| kernel_package(kernel, built_for)).collect();
        let releases: Vec<&str> = kernels.iter().map(|kernel| kernel.release.as_str()).collect();
        let of_release: BTreeMap<&str, String> =
            releases.into_iter().zip(add(&of_kernels, &offered)?).collect();
        let packages: Result<Vec<_>> = sets.iter().map(|set| driver_package(program, &dir, set)).collect();
        let mut lines = String::new();
        for (set, package) in sets.iter().zip(add(&of_drivers, &packages?)?) {
            let (name, kernel) = (&set.name, &of_release[built_for]);
            writeln!(
                lines,
                "{{\"machine\":\"{name}\",\"kernels\":[\"{kernel}\"],\"kmps\":[\"{package}\"]}}"
            )?;
        }
        let machines = dir.join("machines");
        fs::write(&machines, lines)?;
        let distributor = Distributor { program, root: &places.root, registry: dir.clone(), built_for };
        let [machines, of_kernels, of_drivers] =
            [&machines, &of_kernels, &of_drivers].map(|path| path.display().to_string());
        let args = ["fleet", "--json", "--machines", &machines, "--kernel-from", &of_kernels];
        let (_, text) = distributor.kmp(&[&args[..], &["--repo", &of_drivers]].concat())?;
        let document: Value = serde_json::from_str(&text)?;
        let listed = document["kernels"].as_array().ok_or("kmp fleet lists no kernels")?;
        let releases: BTreeMap<&str, &str> = listed
            .iter()
            .filter_map(|kernel| Some((kernel["package"].as_str()?, kernel["release"].as_str()?)))
            .collect();
        for group in document["groups"].as_array().ok_or("kmp fleet lists no groups")? {
            for fate in group["fates"].as_array().into_iter().flatten() {
                let package = fate["kernel"].as_str().unwrap_or_default();
                let release = releases.get(package).ok_or_else(|| format!("nobody made it: {fate}"))?;
                let is_lost = match fate["verdict"].as_str() {
                    Some("loses") => true,
                    Some("loses-nothing") => false,
                    _ => return Err(format!("symbols are known, and yet: {fate}").into()),
                };
                for machine in group["machines"].as_array().into_iter().flatten() {
                    let set = machine.as_str().unwrap_or_default().to_owned();
                    verdicts.insert((set, built_for.to_owned(), (*release).to_owned()), is_lost);
                }
            }
        }
        let of_these = verdicts.iter().filter(|((_, of, _), _)| of == built_for);
        let (all, lost) = (of_these.clone().count(), of_these.filter(|(_, is_lost)| **is_lost).count());
        println!("a fleet with {} drivers for {built_for}: {lost} of {all} pairs are lost", sets.len());
        if all != sets.len() * (kernels.len() - 1) {
            return Err(format!("kmp fleet has said something of {all} pairs only").into());
        }
        for kernel in kernels {
            rebuild(&distributor, &sets, &of_drivers, &kernel.release, &verdicts)?;
        }
    }
    Ok(verdicts)
}

/// `kmp rebuild-list` of the repository has what is lost, as what has to be rebuilt, or as what no rebuild mends.
fn rebuild(
    distributor: &Distributor<'_>,
    sets: &[&Set],
    repository: &str,
    new: &str,
    verdicts: &Verdicts,
) -> Result<()> {
    let lost =
        |set: &Set| verdicts.get(&(set.name.clone(), distributor.built_for.into(), new.into())).copied();
    let args = ["rebuild-list", "--json", "--for", "plain", "--repo", repository, "--new", new];
    let list: Value = serde_json::from_str(&distributor.kmp(&args)?.1)?;
    let listed = |key: &str| list[key].as_array().cloned().unwrap_or_default();
    let rebuilt = listed("sources").into_iter().flat_map(|source| source["packages"].as_array().cloned());
    let packages = rebuilt.flatten().chain(listed("left")).map(|value| value.to_string());
    let packages: Vec<String> = packages.collect();
    for set in sets.iter().filter(|set| lost(set).is_some()) {
        let is_listed = packages.iter().any(|package| package.contains(&name(set)));
        if lost(set) != Some(is_listed) {
            return Err(format!(
                "{} in {new}: lost {:?} to a fleet, to be rebuilt: {is_listed}",
                set.name,
                lost(set)
            )
            .into());
        }
    }
    Ok(())
}

/// What it exports is in its Provides, as SUSE's packages have it. All are newer than that of the machines, whatever their releases.
fn kernel_package(kernel: &Fetched, of_machines: &str) -> PackageBuilder {
    let version = kernel.release.strip_suffix(FLAVOUR).and_then(|rest| rest.strip_suffix('-'));
    // A backported one, `6.12.117+deb12-amd64`, has no release of its own.
    let version = version.unwrap_or(&kernel.release);
    let (version, release) = version.split_once('-').unwrap_or((version, "1"));
    let epoch = if kernel.release == of_machines { "0" } else { "1" };
    let mut package = PackageBuilder::new(&format!("kernel-{FLAVOUR}"), version, release)
        .tag("Epoch", epoch)
        .provides(&format!("kernel-uname-r = {}", kernel.release));
    for (symbol, (crc, ..)) in &kernel.symvers {
        package = package.provides(&format!("ksym({FLAVOUR}:{symbol}) = {}", crc.trim_start_matches("0x")));
    }
    package
}

/// With its modules, and the dependencies that the generators would give it.
fn driver_package(program: &Path, dir: &Path, set: &Set) -> Result<PackageBuilder> {
    let mut package = registry::package(set)?.source(&set.name);
    // Where packages have them: elsewhere no file is taken for a module.
    let place = dir.join("build").join(&set.name).join("lib/modules").join(&set.built_for).join("updates");
    fs::create_dir_all(&place)?;
    let mut files = String::new();
    for file in &set.files {
        let copy = place.join(file.file_name().unwrap_or_default());
        fs::copy(file, &copy)?;
        writeln!(files, "{}", copy.display())?;
    }
    for kind in ["--provides", "--requires"] {
        let mut command = Command::new(program);
        command.args(["deps", "--dialect", "suse", "--flavor", FLAVOUR, kind, "--without-own"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        child.stdin.take().ok_or("no pipe")?.write_all(files.as_bytes())?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(format!("{command:?}: {}", output.status).into());
        }
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            package = if kind == "--provides" { package.provides(line) } else { package.requires(line) };
        }
    }
    Ok(package)
}

/// Puts packages in a repository. Returns what each is called: name-version-release.arch.
fn add(repository: &Path, packages: &[PackageBuilder]) -> Result<Vec<String>> {
    fs::create_dir_all(repository)?;
    let mut names = Vec::new();
    for package in PackageBuilder::build_all(packages) {
        let file = package.path().file_name().ok_or("a package without a name")?;
        fs::copy(package.path(), repository.join(file))?;
        names.push(file.to_string_lossy().trim_end_matches(".rpm").to_owned());
    }
    run::output(Command::new("createrepo_c").arg("--quiet").arg(repository))?;
    Ok(names)
}

/// Compares with what the kernels have said. Returns how many pairs there were, and where they do not agree.
pub fn compare(verdicts: &Verdicts, table: &Table, machines: &[Machine]) -> (usize, Vec<String>) {
    let (mut pairs, mut wrong) = (0, Vec::new());
    for ((set, built_for, release), is_lost) in verdicts {
        // What a machine demands of signatures no list of packages says.
        let is_it = |machine: &Machine| machine.arguments.is_empty() && machine.kernel.release == *release;
        let Some(at) = machines.iter().position(is_it) else { continue };
        let rows = table.rows.iter().filter(|((of, _, on), _)| of == set && on == built_for);
        let cells: Vec<_> =
            rows.filter_map(|((_, module, _), cells)| Some((module, cells.get(&at)?))).collect();
        let is_heard = |cell: &super::compare::Cell| {
            cell.word.unheard.is_none() && !cell.debians_own() && (cell.word.loads || !cell.clashed())
        };
        if cells.is_empty() || !cells.iter().all(|(_, cell)| is_heard(cell)) {
            continue;
        }
        pairs += 1;
        let refused: Vec<_> = cells.iter().filter(|(_, cell)| !cell.word.loads).collect();
        if refused.is_empty() == *is_lost {
            let says = if *is_lost { "lost" } else { "kept" };
            let logs: Vec<_> = refused.iter().map(|(module, cell)| (module, &cell.word.log)).collect();
            wrong.push(format!("{set} for {built_for} on {release}: the fleet says {says}: {logs:?}"));
        }
    }
    (pairs, wrong)
}
