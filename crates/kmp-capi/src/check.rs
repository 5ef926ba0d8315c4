// SPDX-License-Identifier: LGPL-2.1-or-later
//! Judging what is named.

use std::ffi::{c_char, c_int};
use std::path::Path;

use kmp_core::abi::{Reason, Verdict};
use kmp_core::check::{Line, Request};
use kmp_core::state::State;

use crate::handle::Kmp;
use crate::report::{Entry, Report, kind, of_state, verdict};
use crate::{arg, ret};

/// How many reasons a line names.
const NAMED: usize = 3;

/// Judges modules against kernels: one finding of kind KMP_MODULE for each module and kernel.
///
/// names: module files and directories of them (a name with a "/", or that ends as a module's does; paths are those
/// of the process, not below the root), package files (*.rpm), or installed packages (NAME or
/// NAME-VERSION-RELEASE). n = 0: all installed KMPs.
/// kernel: a release; NULL: all installed kernels of the driver's flavour.
/// The package file of a KMP is judged as if it were installed; the package file of a kernel gives a finding for each
/// module of each installed KMP, against that kernel.
/// *out is freed with kmp_report_free(); its verdict is KMP_VERDICT_GOOD if everything is compatible, else
/// KMP_VERDICT_WARN.
/// KMP_E_NO_KERNEL, KMP_E_NO_KMP, KMP_E_FILE, KMP_E_PACKAGE, KMP_E_RPM, KMP_E_DATABASE, KMP_E_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_check(
    kmp: *mut Kmp,
    names: *const *const c_char,
    n: usize,
    kernel: *const c_char,
    out: *mut *mut Report,
) -> c_int {
    ret::make(out, || {
        let shared = &arg::shared(kmp, "kmp")?.0;
        let names = arg::names(names, n)?;
        let kernels = match kernel.is_null() {
            true => Vec::new(),
            false => vec![arg::text(kernel, "kernel")?.to_string()],
        };
        let request = Request { kernels: &kernels, names: &names, symbols: None };
        let checked = shared.check(&request)?;
        let mut report = Report::default();
        for line in &checked.lines {
            if !line.verdict.fits() {
                report.verdict = verdict::WARN;
            }
            report.entries.push(entry(line, &checked.releases[line.kernel]));
        }
        report.entries.extend(checked.problems.iter().map(Entry::problem));
        Ok(report)
    })
}

fn entry(line: &Line, release: &str) -> Entry {
    let of = Judged { name: &line.name, path: &line.path, package: line.package.as_deref() };
    of.entry(&line.verdict, release)
}

/// A module that was judged.
pub(crate) struct Judged<'m> {
    pub name: &'m str,
    pub path: &'m Path,
    pub package: Option<&'m str>,
}

impl Judged<'_> {
    /// Its verdict for a kernel.
    pub fn entry(&self, verdict: &Verdict, release: &str) -> Entry {
        let reasons: Vec<&Reason> = verdict.refusals().collect();
        let breaks: Vec<Reason> = verdict.breaks().collect();
        let state = State::of(verdict);
        let word = match state {
            State::Compatible | State::Breaks => "is compatible with",
            State::Unread => "cannot be judged for",
            _ => "is refused by",
        };
        let whose = self.package.map(|p| format!(" ({p})")).unwrap_or_default();
        let what = match reasons.len() {
            0 => format!("{word} {release}"),
            n => {
                let first: Vec<&str> = reasons.iter().take(NAMED).map(|r| r.detail.as_str()).collect();
                let more = if n > NAMED { format!("; and {} more", n - NAMED) } else { String::new() };
                format!("{word} {release}: {}{more}", first.join("; "))
            }
        };
        let broken = if breaks.is_empty() { "" } else { "; in-tree modules would no longer load beside it" };
        let entry =
            Entry::new(kind::MODULE, of_state(state), &format!("{}{whose} {what}{broken}", self.name));
        let entry = entry.release(release).module(self.name).path(self.path);
        let entry = entry.reasons(reasons.into_iter().chain(&breaks));
        match self.package {
            Some(nvr) => entry.package(nvr),
            None => entry,
        }
    }
}
