// SPDX-License-Identifier: LGPL-2.1-or-later
//! Verdicts on what was read. Pure.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use super::{CheckError, Line, Request};
use crate::abi::Verdict;
use crate::guard::{Present, Source, Transaction};
use crate::ids::{KernelId, KmpId};
use crate::plan::Site;
use crate::survey::{Survey, SurveyedKernel};
use crate::targets::{File, Targets, judge_together};

/// Name, path and NAME-VERSION-RELEASE of a previewed KMP's modules; `None`: it was not asked for.
pub(super) fn modules_of(
    survey: &Survey,
    transaction: &Transaction,
    kmp: Source,
    targets: &Targets,
    kmps: &BTreeSet<KmpId>,
) -> Option<Vec<(String, PathBuf, String)>> {
    match kmp {
        Source::Installed(i) => {
            // Where nothing but package files is named, all that is installed is meant.
            let all = targets.packages.is_empty() && targets.files.is_empty();
            let kmp = &survey.inventory.kmps[i];
            let modules = kmp.modules.iter();
            (all || kmps.contains(&i))
                .then(|| modules.map(|m| (m.name.to_string(), m.path.clone(), kmp.package.nvr())).collect())
        }
        Source::Incoming(i) => {
            let kmp = &transaction.kmps[i];
            let file = kmp.file.as_deref().unwrap_or(Path::new(""));
            let below = |path: &Path| file.join(path.strip_prefix("/").unwrap_or(path));
            let modules = kmp.modules.iter();
            Some(modules.map(|m| (m.name.to_string(), below(&m.path), kmp.package.nvr())).collect())
        }
    }
}

/// The KMPs that were named, or all where nothing was.
pub(super) fn selected_kmps(
    survey: &Survey,
    request: &Request<'_>,
    targets: &Targets,
) -> Result<BTreeSet<KmpId>, CheckError> {
    if request.names.is_empty() {
        return Ok(survey.inventory.kmps.ids().collect());
    }
    let mut selected = BTreeSet::new();
    for name in &targets.packages {
        let found = survey.inventory.kmps_meant_by(name);
        if found.is_empty() {
            return Err(match &survey.inventory.packages_unknown {
                Some(unknown) => {
                    CheckError::Packages(format!("whether {name} is installed is not known: {unknown}"))
                }
                None => {
                    let absent = || {
                        format!(
                            "no package {name} that owns third-party modules is installed, and no module {name}; a file needs a / in its name or ends in .ko or .rpm{}",
                            survey.inventory.did_you_mean(name)
                        )
                    };
                    CheckError::NoKmp(survey.inventory.why_no_kmp(name).unwrap_or_else(absent))
                }
            });
        }
        selected.extend(found);
    }
    Ok(selected)
}

pub(super) fn of_kernel(
    survey: &Survey,
    index: KernelId,
    kernel: &SurveyedKernel,
    targets: &Targets,
    kmps: &BTreeSet<KmpId>,
    any_flavour: bool,
) -> Vec<Line> {
    let site = survey.site_of(kernel);
    let planned = survey.kmps();
    let beside = site.beside(&planned, &kernel.plan.chosen());
    let mut lines = Vec::new();
    for &kmp in kmps {
        let mut verdicts = kernel.plan.verdicts[kmp].clone();
        if verdicts.is_empty() && any_flavour {
            verdicts = beside.instead(kmp);
        }
        let installed = &survey.inventory.kmps[kmp];
        for (module, verdict) in installed.modules.iter().zip(verdicts) {
            lines.push(Line {
                kernel: index,
                name: module.name.to_string(),
                path: module.path.clone(),
                package: Some(installed.package.nvr()),
                verdict,
            });
        }
    }
    let present: Vec<Present<'_>> =
        survey.present_in(kernel).map(|found| (&*found.name, survey.module(&found.path))).collect();
    let verdicts = judge_together(&targets.files, |set| judge_files(&site, &present, set));
    lines.extend(of_files(index, targets, verdicts));
    lines
}

pub(super) fn of_files(
    kernel: KernelId,
    targets: &Targets,
    verdicts: Vec<Verdict>,
) -> impl Iterator<Item = Line> {
    targets.files.iter().zip(verdicts).map(move |(file, verdict)| Line {
        kernel,
        name: file.name.clone(),
        path: file.path.clone(),
        package: file.package.clone(),
        verdict,
    })
}

/// Judges files beside the third-party modules that a kernel has or is to have; a file takes the place of
/// one of its name.
pub(super) fn judge_files<'m>(site: &Site<'_>, present: &[Present<'m>], set: &[&'m File]) -> Vec<Verdict> {
    let mut names: HashSet<&str> = set.iter().map(|f| f.name.as_str()).collect();
    let mut modules: Vec<Present<'m>> =
        present.iter().copied().filter(|(name, _)| names.insert(name)).collect();
    let skip = modules.len();
    modules.extend(set.iter().map(|f| (f.name.as_str(), f.module.as_ref())));
    site.judge_modules(modules.into_iter()).split_off(skip)
}
