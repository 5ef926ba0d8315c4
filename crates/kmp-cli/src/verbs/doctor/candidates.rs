// SPDX-License-Identifier: LGPL-2.1-or-later
//! Gathers what rules want to know of packages.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kmp_core::abi::name::module_name;
use kmp_core::check::{CheckError, Request, check};
use kmp_core::guard::Elements;
use kmp_core::ids::KmpId;
use kmp_core::inventory::ModulesDirs;
use kmp_core::printable;
use kmp_core::survey::Survey;
use kmp_drivers::soundness::{Candidate, Signing, Verdicts};
use kmp_drivers::trust;
use librpm_rt::{Database, HeaderContents, Signer, TrustedKeys};

use crate::context::Context;

/// The packages that are named; without names, all installed KMPs.
pub fn find(context: &Context, survey: &Survey, names: &[OsString]) -> Result<Vec<Candidate>, String> {
    if let Some(unknown) = &survey.inventory.packages_unknown {
        return Err(format!("the installed KMPs cannot be listed: {unknown}"));
    }
    let keys = context.trusted_keys()?;
    let mut found = Vec::new();
    let mut installed: BTreeSet<KmpId> = BTreeSet::new();
    for name in names {
        let path = Path::new(name);
        if path.extension().is_some_and(|e| e == "rpm") || name.as_encoded_bytes().contains(&b'/') {
            found.push(of_file(context, survey, path, &keys)?);
            continue;
        }
        let text = printable(name);
        let ids = survey.inventory.kmps_named(&text);
        if ids.is_empty() {
            let why = survey.inventory.why_no_kmp(&text).unwrap_or_else(|| {
                format!(
                    "no KMP {text} is installed; a package file needs a / in its name or ends in .rpm{}",
                    survey.inventory.did_you_mean(&text)
                )
            });
            return Err(why);
        }
        installed.extend(ids);
    }
    if names.is_empty() {
        installed.extend(survey.inventory.kmps.ids());
    }
    if let Some(database) = context.database()? {
        found.extend(of_installed(survey, &database, &keys, installed)?);
    }
    Ok(found)
}

/// A package may have modules for several kernels, each of which is a KMP of the inventory.
fn of_installed(
    survey: &Survey,
    database: &Database,
    keys: &TrustedKeys,
    ids: BTreeSet<KmpId>,
) -> Result<Vec<Candidate>, String> {
    let mut packages: BTreeMap<u32, Vec<KmpId>> = BTreeMap::new();
    for id in ids {
        if let Some(instance) = survey.inventory.kmps[id].package.instance {
            packages.entry(instance).or_default().push(id);
        }
    }
    let unreadable = |e: librpm_rt::Error| e.to_string();
    let mut found = Vec::new();
    for (instance, ids) in packages {
        let issuers = database.issuers(instance).map_err(unreadable)?;
        let is_known = issuers.iter().any(|issuer| keys.of(issuer).is_some());
        let signer = |issuer: rpm_meta::openpgp::Issuer| {
            let key = keys.of(&issuer).cloned();
            trust::signer(&Signer { issuer: Some(issuer), created: None, key })
        };
        let contents = database.contents(instance, &|_| true).map_err(unreadable)?;
        let modules = ids.iter().flat_map(|id| &survey.inventory.kmps[*id].modules);
        found.push(Candidate {
            shown: contents.package.nvr(),
            dialect: survey.inventory.conventions.dialect,
            paths: paths(&contents),
            contents,
            provenance: database.provenance(instance).map_err(unreadable)?,
            signing: Signing::Installed { signers: issuers.into_iter().map(signer).collect(), is_known },
            modules: modules
                .map(|m| (m.path.clone(), Arc::new(survey.module(&m.path).cloned().map_err(Clone::clone))))
                .collect(),
            verdicts: survey.kernels.iter().map(|kernel| verdicts(survey, kernel, &ids)).collect(),
        });
    }
    Ok(found)
}

fn verdicts(survey: &Survey, kernel: &kmp_core::survey::SurveyedKernel, ids: &[KmpId]) -> Verdicts {
    let mut modules = Vec::new();
    for id in ids {
        let of = survey.inventory.kmps[*id].modules.iter().zip(&kernel.plan.verdicts[*id]);
        modules.extend(of.map(|(module, verdict)| (module.name.to_string(), verdict.clone())));
    }
    Verdicts { release: kernel.kernel.release.clone(), modules }
}

fn of_file(context: &Context, survey: &Survey, path: &Path, keys: &TrustedKeys) -> Result<Candidate, String> {
    let rpm = context.rpm().map_err(ToString::to_string)?;
    let unreadable = |e: librpm_rt::Error| e.to_string();
    let verified = rpm.verify(path, keys).map_err(unreadable)?;
    let file = rpm.open_package(path).map_err(unreadable)?;
    let (contents, provenance) = (file.contents(&|_| true).map_err(unreadable)?, file.provenance());
    drop(file);
    let mut elements = Elements::new(ModulesDirs::find(&context.root).map_err(|p| p.to_string())?);
    elements.add_file(rpm, path).map_err(unreadable)?;
    let kmps = elements.finish().kmps;
    let modules: Vec<_> = kmps.iter().flat_map(|kmp| &kmp.modules).collect();
    let mut verdicts: Vec<Verdicts> = Vec::new();
    if !modules.is_empty() && !survey.kernels.is_empty() {
        let names = [path.as_os_str().to_os_string()];
        let request = Request { names: &names, ..Request::default() };
        let mut loader = context.loader();
        let checked = match check(&context.root, context.rpm(), &mut loader, &request) {
            Ok(checked) => checked,
            Err(CheckError::NoKernels(_)) => return Err("there is no kernel to judge it for".into()),
            Err(why) => return Err(why.to_string()),
        };
        // Those of what is installed are of no account here.
        let lines = checked.lines.into_iter().filter(|line| line.path.starts_with(path));
        for line in lines {
            let release = &checked.releases[line.kernel];
            let module = (line.name, line.verdict);
            match verdicts.iter_mut().find(|of| of.release == *release) {
                Some(of) => of.modules.push(module),
                None => verdicts.push(Verdicts { release: release.clone(), modules: vec![module] }),
            }
        }
    }
    Ok(Candidate {
        shown: printable(path.as_os_str()),
        dialect: survey.inventory.conventions.dialect,
        paths: paths(&contents),
        contents,
        provenance,
        signing: Signing::File(verified.trust, trust::sentence(&verified)),
        modules: modules.iter().map(|m| (PathBuf::from(&m.path), Arc::clone(&m.module))).collect(),
        verdicts,
    })
}

/// All modules in a package, wherever they are. A ghost is in none.
fn paths(contents: &HeaderContents) -> Vec<PathBuf> {
    let package = &contents.package;
    let is_module = |path: &&PathBuf| path.file_name().is_some_and(|name| module_name(name).is_some());
    package.files.iter().filter(is_module).filter(|path| !package.ghosts.contains(path)).cloned().collect()
}
