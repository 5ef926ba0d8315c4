// SPDX-License-Identifier: LGPL-2.1-or-later
//! How drivers stand, and why.

use std::ffi::{c_char, c_int};

use kmp_core::abi::{Reason, SymbolLine, Verdict};
use kmp_core::state::State;
use kmp_core::survey::{Selection, Survey, SurveyedKernel};
use kmp_core::targets::Targets;

use crate::check::Judged;
use crate::error::{Error, c_text, code};
use crate::handle::Kmp;
use crate::report::{Entry, Report, Why, kind, of_state, verdict};
use crate::{arg, ret};

/// How each installed KMP stands in each kernel of its flavour, kernel by kernel in the order of versions: findings of kind
/// KMP_DRIVER. For a third-party module that no package owns a finding of kind KMP_MODULE.
/// kernel: a release; NULL: all installed kernels.
/// *out is freed with kmp_report_free(); its verdict is KMP_VERDICT_WARN if something is to be done, by kmp_sync() or by
/// people, else KMP_VERDICT_GOOD.
/// KMP_E_NO_KERNEL, KMP_E_DATABASE, KMP_E_UNREAD, KMP_E_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_status(kmp: *mut Kmp, kernel: *const c_char, out: *mut *mut Report) -> c_int {
    ret::make(out, || {
        let shared = &arg::shared(kmp, "kmp")?.0;
        let kernels = match kernel.is_null() {
            true => Vec::new(),
            false => vec![arg::text(kernel, "kernel")?.to_string()],
        };
        let survey = shared.survey(&Selection { kernels, ..Selection::default() })?;
        if let Some(unknown) = &survey.inventory.packages_unknown {
            return Err(Error::new(code::E_DATABASE, unknown));
        }
        let mut report = Report::default();
        survey.kernels.iter().for_each(|kernel| add_drivers(&mut report, &survey, kernel));
        report.entries.extend(survey.problems.iter().map(Entry::problem));
        Ok(report)
    })
}

fn add_drivers(report: &mut Report, survey: &Survey, kernel: &SurveyedKernel) {
    let release = &kernel.kernel.release;
    let mut is_fault = false;
    for (k, standing) in survey.standings(kernel).each() {
        let (Some(standing), kmp) = (standing, &survey.inventory.kmps[k]) else { continue };
        is_fault |= standing.is_fault;
        let (nvr, names) = (kmp.package.nvr(), kmp.modules.iter().map(|m| &*m.name).collect::<Vec<_>>());
        let detail = standing.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
        let text = format!("{release}: {nvr} {}{detail}", standing.state);
        let verdicts = &kernel.plan.verdicts[k];
        let breaks: Vec<Reason> = verdicts.iter().flat_map(Verdict::breaks).collect();
        let reasons = verdicts.iter().flat_map(Verdict::refusals).chain(&breaks);
        let entry = Entry::new(kind::DRIVER, of_state(standing.state), &text).reasons(reasons);
        report.entries.push(entry.release(release).package(&nvr).module(&names.join(" ")));
    }
    for (module, judged) in survey.unpackaged_in(kernel) {
        is_fault |= !judged.fits();
        let of = Judged { name: &module.name, path: &module.path, package: None };
        report.entries.push(of.entry(judged, release));
    }
    if is_fault {
        report.verdict = verdict::WARN;
    }
}

/// Explains symbol by symbol how modules and a kernel go together: for each module a finding of kind KMP_MODULE, followed by one
/// of kind KMP_SYMBOL for each symbol that it needs. The one reason of such a finding has the symbol, the version that the
/// module was built with, the version that is exported and who exports it; its rule is "" if none is broken.
///
/// name: a module file, the name of an installed KMP or of a third-party module. kernel: a release.
/// *out is freed with kmp_report_free(); its verdict is KMP_VERDICT_GOOD if everything is compatible, else
/// KMP_VERDICT_WARN.
/// KMP_E_NO_KERNEL, KMP_E_NO_KMP, KMP_E_FILE, KMP_E_DATABASE, KMP_E_UNREAD, KMP_E_ARGUMENT (as for a package file).
#[unsafe(no_mangle)]
pub extern "C" fn kmp_explain(
    kmp: *mut Kmp,
    name: *const c_char,
    kernel: *const c_char,
    out: *mut *mut Report,
) -> c_int {
    ret::make(out, || {
        let shared = &arg::shared(kmp, "kmp")?.0;
        let name = arg::os_text(name, "name")?.to_os_string();
        let release = arg::text(kernel, "kernel")?.to_string();
        let targets = Targets::read_one(&shared.loader(), &name).map_err(|e| Error::new(code::E_FILE, e))?;
        if !targets.package_files.is_empty() {
            return Err(Error::argument("package files are not explained; kmp_check() judges them"));
        }
        let survey = shared.survey(&Selection { kernels: vec![release.clone()], ..Selection::default() })?;
        let no_kernel = || Error::new(code::E_NO_KERNEL, format!("there is no kernel {release}"));
        let kernel = survey.kernels.first().ok_or_else(no_kernel)?;
        let mut report = Report::default();
        for of in survey.explain(kernel, &targets.files, &name.to_string_lossy())? {
            if !of.verdict.fits() {
                report.verdict = verdict::WARN;
            }
            let judged = Judged { name: of.name, path: of.path, package: of.package.as_deref() };
            report.entries.push(judged.entry(&of.verdict, &release));
            report.entries.extend(of.symbols.iter().map(|line| symbol(line, of.name, &release)));
        }
        report.entries.extend(survey.problems.iter().map(Entry::problem));
        Ok(report)
    })
}

fn symbol(line: &SymbolLine, module: &str, release: &str) -> Entry {
    let reasons: Vec<_> = line.reason.iter().cloned().collect();
    let state = State::of(&Verdict { reasons, ..Verdict::default() });
    let detail = match (&line.reason, &line.exporter) {
        (Some(reason), _) => reason.detail.clone(),
        (None, Some(exporter)) => format!("{} is exported by {exporter}", line.symbol),
        (None, None) => format!("nothing exports {}, which the module can do without", line.symbol),
    };
    let why = Why {
        rule: c_text(line.reason.as_ref().map_or("", |reason| reason.rule.as_str())),
        symbol: Some(c_text(&line.symbol)),
        wanted: line.wanted,
        offered: line.offered,
        exporter: line.exporter.as_deref().map(c_text),
        detail: c_text(&detail),
    };
    let entry = Entry::new(kind::SYMBOL, of_state(state), &format!("{module}: {detail}"));
    let mut entry = entry.release(release).module(module);
    entry.reasons.push(why);
    entry
}
