// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a transaction would change, asked without rpm: package files that come, installed KMPs that go, and kernels that one
//! thinks of running. Reads; the judging is the guard's.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::PathBuf;

use librpm_rt::Librpm;

use super::elements::Elements;
use super::incoming::{Asked, Removal};
use super::machine::{Judged, Running, judge};
use super::manager::Tools;
use super::policy::Orders;
use super::question::{NoQuestion, Question};
use crate::config::{Config, Policy};
use crate::ids::KmpId;
use crate::in_use::InUse;
use crate::inventory::{self, Inventory, Loader, ModulesDirs, NoKernel};
use crate::last_update::LastUpdate;
use crate::problem::Problem;
use crate::root::Root;
use crate::survey::{Selection, Survey};

/// What would be changed.
#[derive(Debug)]
pub struct Planned {
    /// By the guard.
    pub judged: Judged,
    /// The releases of the kernels that come.
    pub coming: BTreeSet<String>,
    /// Does something come or go, so that it is one of rpm's transactions?
    pub is_transaction: bool,
    /// What there is to type with.
    pub tools: Tools,
    /// What was not taken into account.
    pub problems: Vec<Problem>,
}

/// Nothing was judged, and why.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Without librpm there are no packages.
    #[error("packages cannot be read: {0}")]
    NoRpm(String),
    /// A package file or the database cannot be read.
    #[error(transparent)]
    Package(#[from] librpm_rt::Error),
    /// There is nothing in these files that the guard would look at.
    #[error("{0}")]
    NothingInIt(String),
    /// A kernel that was named is not there.
    #[error(transparent)]
    NoKernel(#[from] NoKernel),
    /// There is no kernel at all, in this directory.
    #[error("there is no kernel in {}", .0.display())]
    NoKernels(PathBuf),
    /// No KMP of that name.
    #[error("{0}")]
    NoKmp(String),
    /// A name that is none of what is asked about.
    #[error(transparent)]
    NoQuestion(#[from] NoQuestion),
    /// Something could not be read, without which nothing can be said.
    #[error("nothing is judged: {0}")]
    Unread(String),
}

/// Judges by the configuration of the root. `running`: the running kernel's release, where the root is the running system's.
/// Reads only.
///
/// # Errors
/// [`PlanError`]: what was named is not there, or what the answer rests on cannot be read.
pub fn plan(
    root: &Root,
    rpm: Result<&Librpm, &librpm_rt::Error>,
    loader: &mut Loader<'_>,
    question: &Question,
    running: Option<&str>,
) -> Result<Planned, PlanError> {
    let known = rpm.map_err(|e| PlanError::NoRpm(e.to_string()))?;
    let elements = read_files(root, known, &question.files)?;
    plan_read(root, known, loader, question, elements, running)
}

/// Reads package files that come.
///
/// # Errors
/// A package file cannot be read.
pub fn read_files(root: &Root, rpm: &Librpm, files: &[PathBuf]) -> Result<Elements, PlanError> {
    let mut elements = Elements::new(ModulesDirs::find(root).map_err(unread)?);
    for file in files {
        elements.install_file(rpm, file)?;
    }
    Ok(elements)
}

fn unread(problem: Problem) -> PlanError {
    PlanError::Unread(problem.to_string())
}

/// As [`plan`], with what was read of the question's files already.
///
/// # Errors
/// As [`plan`].
pub fn plan_read(
    root: &Root,
    rpm: &Librpm,
    loader: &mut Loader<'_>,
    question: &Question,
    mut elements: Elements,
    running: Option<&str>,
) -> Result<Planned, PlanError> {
    if elements.is_empty() && !question.files.is_empty() {
        let names: Vec<String> = question.files.iter().map(|f| crate::printable(f.as_os_str())).collect();
        let what = "no kernel and no third-party module is in it";
        return Err(PlanError::NothingInIt(format!("{}: {what}", names.join(", "))));
    }
    let coming: BTreeSet<String> = elements.kernels().map(Into::into).collect();
    if elements.has_updates() {
        elements.take_updated(&rpm.open(root.path())?)?;
    }
    let signatures = elements.signatures();
    let selection = Selection { kernel_comes: !coming.is_empty(), signatures, ..Selection::default() };
    let mut survey = Survey::take(root, Ok(rpm), loader, &selection).map_err(unread)?;
    let unknown = survey.inventory.packages_unknown.as_ref().map(ToString::to_string);
    let unknown =
        unknown.or(survey.inventory.conventions.distribution_unknown.as_ref().map(ToString::to_string));
    if let Some(unknown) = unknown {
        return Err(PlanError::Unread(unknown));
    }
    survey.has_kernels(&question.kernels).map_err(|missing| no_kernel(&survey.inventory, missing))?;
    if survey.kernels.is_empty() && coming.is_empty() {
        return Err(PlanError::NoKernels(survey.inventory.dirs.shown().to_path_buf()));
    }
    for name in &question.erased {
        for kmp in erased(&survey.inventory, name)? {
            if let Some(instance) = survey.inventory.kmps[kmp].package.instance {
                elements.remove_unread(instance, Removal::Named);
            }
        }
    }
    elements.ask(match () {
        () if !question.kernels.is_empty() => Asked::These(question.kernels.clone()),
        () if question.files.is_empty() && question.erased.is_empty() => Asked::Newest,
        () => Asked::Nothing,
    });
    let mut problems = Vec::new();
    let config = Config::load(root, &mut problems);
    // What to do is not known where a file that may say so could not be read: nothing is stopped then.
    let policy = problems.iter().any(|p| p.is_unread).then_some(Policy::Warn);
    let nothing_boots = inventory::nothing_boots_here(root, &mut problems);
    // Only where something is lost does anybody ask.
    let in_use = OnceCell::new();
    let load = || InUse::of_running(root, running.is_some());
    let use_of = |module: &str| in_use.get_or_init(load).of(module);
    let last = LastUpdate::load(root);
    let orders = Orders { config: &config, policy, nothing_boots, last: last.as_ref() };
    let judged = judge(root, rpm, &survey, elements, &Running { release: running, use_of: &use_of }, &orders);
    problems.append(&mut survey.problems);
    let is_transaction = !(question.files.is_empty() && question.erased.is_empty());
    let tools = Tools::of(survey.inventory.conventions.dialect, None);
    Ok(Planned { judged, coming, is_transaction, tools, problems })
}

/// What is no kernel may be a KMP, or a module of one, of which other things can be asked.
fn no_kernel(inventory: &Inventory, missing: NoKernel) -> PlanError {
    let name = &missing.release;
    match inventory.kmps_meant_by(name).first() {
        None => missing.into(),
        Some(kmp) => PlanError::NoKmp(format!(
            "{} is no kernel. What it would change to erase {}: kmp plan @{name}; which kernels load it: kmp check {name}",
            crate::printable(name.as_ref()),
            inventory.kmps[*kmp].package.nvr(),
        )),
    }
}

/// The installed KMPs of that name.
fn erased(inventory: &Inventory, name: &str) -> Result<Vec<KmpId>, PlanError> {
    let found = inventory.kmps_meant_by(name);
    if found.is_empty() {
        let absent = || {
            let like = inventory.did_you_mean(name);
            format!(
                "no package {name} that owns third-party modules is installed, and no module {name}{like}"
            )
        };
        return Err(PlanError::NoKmp(inventory.why_no_kmp(name).unwrap_or_else(absent)));
    }
    Ok(found)
}
