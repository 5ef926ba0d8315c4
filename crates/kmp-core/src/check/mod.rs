// SPDX-License-Identifier: LGPL-2.1-or-later
//! Verdicts on what somebody names: module files, package files, installed KMPs. `judge.rs` is pure; what is read is read here.

mod judge;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use librpm_rt::Librpm;

use crate::abi::{SignatureState, SymbolTable, Verdict};
use crate::guard::{self, Elements, IncomingKernel, IncomingKmp, Present, Transaction};
use crate::ids::{KernelId, List};
use crate::inventory::{Apart, Loader, ModulesDirs, NoKernel, signature_of};
use crate::plan::Site;
use crate::printable;
use crate::problem::Problem;
use crate::root::Root;
use crate::survey::{Selection, Survey};
use crate::targets::{File, TargetError, Targets, judge_together};

use judge::{judge_files, modules_of, of_files, of_kernel, selected_kmps};

/// What is to be judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'r> {
    /// Against these kernels only, whatever a KMP's flavour; empty: all.
    pub kernels: &'r [String],
    /// As on the command line; empty: all installed KMPs.
    pub names: &'r [OsString],
    /// What all kernels export, in place of what they do.
    pub symbols: Option<&'r SymbolTable>,
}

/// One module's verdict for one kernel.
#[derive(Clone, Debug)]
pub struct Line {
    /// Index into [`Checked::releases`].
    pub kernel: KernelId,
    /// The module's name.
    pub name: String,
    /// Its file. Of a module in a package file: the package file's path and the module's in it.
    pub path: PathBuf,
    /// NAME-VERSION-RELEASE of its package.
    pub package: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
}

/// What was judged.
#[derive(Debug)]
pub struct Checked {
    /// The kernels' releases: the installed, then those of package files.
    pub releases: List<KernelId, String>,
    /// Kernel by kernel, module by module.
    pub lines: Vec<Line>,
    /// Where nothing is named: the modules outside `kernel/` that are no drivers, and so not judged.
    pub apart: Vec<Apart>,
    /// What was left out.
    pub problems: Vec<Problem>,
}

/// Nothing was judged, and why.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A file that is not there or cannot be read.
    #[error(transparent)]
    File(#[from] TargetError),
    /// A package file that cannot be read.
    #[error(transparent)]
    PackageFile(#[from] librpm_rt::Error),
    /// Without librpm a package file cannot be read.
    #[error("package files cannot be read: {0}")]
    NoRpm(String),
    /// There is no kernel at all, in this directory.
    #[error("there is no kernel in {}", .0.display())]
    NoKernels(PathBuf),
    /// A kernel that was named is not there.
    #[error(transparent)]
    NoKernel(#[from] NoKernel),
    /// No KMP of that name, or a package file without modules.
    #[error("{0}")]
    NoKmp(String),
    /// The installed packages are not known.
    #[error("{0}")]
    Packages(String),
    /// Something could not be read, without which nothing can be said.
    #[error("nothing is judged: {0}")]
    Unread(#[from] Problem),
}

/// Judges. Reads only.
///
/// # Errors
/// [`CheckError`]: what was named is not there.
pub fn check(
    root: &Root,
    rpm: Result<&Librpm, &librpm_rt::Error>,
    loader: &mut Loader<'_>,
    request: &Request<'_>,
) -> Result<Checked, CheckError> {
    check_read(root, rpm, loader, request, None)
}

/// As [`check`], with what was read of the package files already, where nothing else is named.
///
/// # Errors
/// As [`check`].
pub fn check_read(
    root: &Root,
    rpm: Result<&Librpm, &librpm_rt::Error>,
    loader: &mut Loader<'_>,
    request: &Request<'_>,
    read: Option<Elements>,
) -> Result<Checked, CheckError> {
    let (targets, read) = match read {
        Some(read) => {
            let package_files = request.names.iter().map(PathBuf::from).collect();
            (Targets { package_files, ..Targets::default() }, Some(read))
        }
        None => {
            let targets = Targets::read(loader, request.names)?;
            let files = &targets.package_files;
            let read = if files.is_empty() { None } else { Some(read_packages(root, rpm, files)?) };
            (targets, read)
        }
    };
    let mut transaction = match read {
        None => Transaction::default(),
        Some(elements) => transaction_of(root, elements, &targets.package_files)?,
    };
    if let Some(symbols) = request.symbols {
        let replace =
            |kernel: &mut Arc<IncomingKernel>| Arc::make_mut(kernel).kernel.symbols = symbols.clone();
        transaction.kernels.iter_mut().for_each(replace);
    }
    let comes = |release: &String| transaction.kernels.iter().any(|k| k.kernel.release == *release);
    let installed: Vec<String> = request.kernels.iter().filter(|k| !comes(k)).cloned().collect();
    let kernel_comes = !transaction.kernels.is_empty();
    let files =
        targets.files.iter().filter_map(|file| file.module.as_ref().ok()).map(|module| &module.signature);
    let coming = transaction.kmps.iter().flat_map(|kmp| &kmp.modules).filter_map(|m| signature_of(&m.module));
    let signatures = files.filter_map(SignatureState::signed).chain(coming).cloned().collect();
    let selection =
        Selection { kernels: request.kernels.to_vec(), kernel_comes, signatures, ..Selection::default() };
    let mut survey = Survey::take(root, rpm, loader, &selection)?;
    survey.has_kernels(&installed)?;
    if survey.kernels.is_empty() && transaction.kernels.is_empty() {
        return Err(CheckError::NoKernels(survey.inventory.dirs.shown().to_path_buf()));
    }
    let named_files = targets.files.iter().map(|f| f.name.as_str()).collect();
    survey.consider_replacing(loader, &named_files);
    if let Some(symbols) = request.symbols {
        survey.replace_symbols(symbols);
    }
    let needs_packages = request.names.is_empty() || !transaction.kernels.is_empty();
    if let (true, Some(unknown)) = (needs_packages, &survey.inventory.packages_unknown) {
        return Err(CheckError::Packages(format!("the installed KMPs cannot be listed: {unknown}")));
    }
    let kmps = selected_kmps(&survey, request, &targets)?;

    let mut releases: List<KernelId, String> =
        survey.kernels.iter().map(|k| k.kernel.release.clone()).collect();
    let mut lines = Vec::new();
    let any_flavour = !request.kernels.is_empty();
    for (index, kernel) in releases.ids().zip(&survey.kernels) {
        lines.extend(of_kernel(&survey, index, kernel, &targets, &kmps, any_flavour));
    }
    if !targets.package_files.is_empty() {
        let asked =
            |release: &str| request.kernels.is_empty() || request.kernels.iter().any(|k| k == release);
        let mut files: Vec<(String, Vec<Verdict>)> = Vec::new();
        let mut judge = |site: &Site<'_>, present: &[Present<'_>]| {
            let verdicts = judge_together(&targets.files, |set| judge_files(site, present, set));
            files.push((site.kernel.release.clone(), verdicts));
        };
        let found = guard::preview(&survey, &transaction, &asked, any_flavour, &mut judge);
        let mut index = |release: &String| {
            let known = releases.ids().find(|id| releases[*id] == *release);
            known.unwrap_or_else(|| releases.push(release.clone()))
        };
        for package in found {
            let Some(modules) = modules_of(&survey, &transaction, package.kmp, &targets, &kmps) else {
                continue;
            };
            let kernel = index(&package.release);
            lines.extend(modules.into_iter().zip(package.verdicts).map(|((name, path, nvr), verdict)| {
                Line { kernel, name, path, package: Some(nvr), verdict }
            }));
        }
        for (release, verdicts) in files {
            lines.extend(of_files(index(&release), &targets, verdicts));
        }
    }
    lines.sort_by_key(|l| l.kernel);
    let apart =
        if request.names.is_empty() { std::mem::take(&mut survey.inventory.apart) } else { Vec::new() };
    let mut problems = std::mem::take(&mut survey.problems);
    let unread = targets.files.iter().filter_map(|f| Some((f, f.module.as_ref().err()?)));
    problems.extend(unread.filter(|(_, fault)| fault.is_unread()).map(|(file, fault)| Problem {
        is_unread: true,
        ..Problem::new(file.path.clone(), fault.to_string())
    }));
    Ok(Checked { releases, lines, apart, problems })
}

/// The third-party modules in package files, each as a file: `FILE.rpm/PATH`, with its package.
///
/// # Errors
/// [`CheckError::PackageFile`]: one cannot be read. [`CheckError::NoKmp`]: there is none in them.
pub fn modules_of_packages(
    root: &Root,
    rpm: Result<&Librpm, &librpm_rt::Error>,
    files: &[PathBuf],
) -> Result<Vec<File>, CheckError> {
    let transaction = read_packages(root, rpm, files)?.finish();
    let of = |kmp: &IncomingKmp| -> Vec<File> {
        let file = kmp.file.clone().unwrap_or_default();
        let modules = kmp.modules.iter().map(|module| File {
            path: file.join(module.path.strip_prefix("/").unwrap_or(&module.path)),
            name: module.name.to_string(),
            package: Some(kmp.package.nvr()),
            module: (*module.module).clone(),
        });
        modules.collect()
    };
    let found: Vec<File> = transaction.kmps.iter().flat_map(of).collect();
    if found.is_empty() {
        let names: Vec<String> = files.iter().map(|f| printable(f.as_os_str())).collect();
        let names = names.join(" ");
        return Err(CheckError::NoKmp(format!(
            "there is no third-party module in {names}; what it would change says: kmp plan {names}"
        )));
    }
    Ok(found)
}

fn read_packages(
    root: &Root,
    rpm: Result<&Librpm, &librpm_rt::Error>,
    files: &[PathBuf],
) -> Result<Elements, CheckError> {
    let rpm = rpm.map_err(|e| CheckError::NoRpm(e.to_string()))?;
    let mut elements = Elements::new(ModulesDirs::find(root)?);
    for file in files {
        elements.add_file(rpm, file)?;
    }
    Ok(elements)
}

fn transaction_of(root: &Root, mut elements: Elements, files: &[PathBuf]) -> Result<Transaction, CheckError> {
    if elements.is_empty() {
        let names: Vec<String> = files.iter().map(|f| printable(f.as_os_str())).collect();
        let what = "no kernel and no third-party module is in it";
        return Err(CheckError::NoKmp(format!("{}: {what}", names.join(", "))));
    }
    elements.read_kernels(root, true);
    let signatures = elements.signatures();
    elements.read_keys(&signatures);
    Ok(elements.finish())
}
