//! Reports: lists of findings, which own every string that is given out.

use std::ffi::{CString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null;

use kmp_core::abi;
use kmp_core::inventory::Problem;

use crate::arg::{self, growing};
use crate::error::{Error, c_text, code};
use crate::ret;

/// Kinds of findings.
#[allow(missing_docs, reason = "said in kmp.h")]
pub mod kind {
    pub const MODULE: u32 = 1;
    pub const CHANGE: u32 = 2;
    pub const DEPMOD: u32 = 3;
    pub const NOT_LINKED: u32 = 4;
    pub const LOST: u32 = 5;
    pub const PROBLEM: u32 = 6;
    pub const INITRD: u32 = 7;
}

/// States of findings.
#[allow(missing_docs, reason = "said in kmp.h")]
pub mod state {
    pub const NONE: u32 = 0;
    pub const FITS: u32 = 1;
    pub const DOES_NOT_FIT: u32 = 2;
    pub const ADDED: u32 = 10;
    pub const REPLACED: u32 = 11;
    pub const REMOVED: u32 = 12;
    pub const REPAIRED: u32 = 13;
    pub const DANGLING: u32 = 14;
    pub const DONE: u32 = 20;
    pub const DUE: u32 = 21;
    pub const FAILED: u32 = 22;
    pub const NEW_KERNEL: u32 = 30;
    pub const OLD_KERNEL: u32 = 31;
}

/// A report as a whole.
#[allow(missing_docs, reason = "said in kmp.h")]
pub mod verdict {
    use std::ffi::c_int;

    pub const GOOD: c_int = 0;
    pub const WARN: c_int = 1;
    pub const ABORT: c_int = 2;
}

/// `struct kmp_finding`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "said in kmp.h")]
pub struct Finding {
    pub size: usize,
    pub kind: u32,
    pub state: u32,
    pub release: *const c_char,
    pub package: *const c_char,
    pub module: *const c_char,
    pub path: *const c_char,
    pub text: *const c_char,
    pub advice: *const c_char,
    pub reasons: usize,
    pub policy: u32,
    pub loaded: u32,
}
growing!(Finding, last: loaded: u32);

/// `struct kmp_reason`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "said in kmp.h")]
pub struct Reason {
    pub size: usize,
    pub rule: *const c_char,
    pub symbol: *const c_char,
    pub has_wanted: u32,
    pub wanted: u32,
    pub has_offered: u32,
    pub offered: u32,
    pub exporter: *const c_char,
    pub detail: *const c_char,
}
growing!(Reason, last: detail: *const c_char);

/// A finding, with its strings.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub kind: u32,
    pub state: u32,
    release: Option<CString>,
    package: Option<CString>,
    module: Option<CString>,
    path: Option<CString>,
    text: CString,
    advice: Option<CString>,
    reasons: Vec<Why>,
    pub policy: u32,
    pub loaded: bool,
}

#[derive(Debug)]
struct Why {
    rule: CString,
    symbol: Option<CString>,
    wanted: Option<u32>,
    offered: Option<u32>,
    exporter: Option<CString>,
    detail: CString,
}

impl Entry {
    pub fn new(kind: u32, state: u32, text: &str) -> Self {
        Self { kind, state, text: c_text(text), ..Self::default() }
    }

    pub fn problem(problem: &Problem) -> Self {
        Self::new(kind::PROBLEM, state::NONE, &problem.to_string()).path(&problem.path)
    }

    pub fn release(self, release: &str) -> Self {
        Self { release: Some(c_text(release)), ..self }
    }

    pub fn package(self, nvr: &str) -> Self {
        Self { package: Some(c_text(nvr)), ..self }
    }

    pub fn module(self, name: &str) -> Self {
        Self { module: Some(c_text(name)), ..self }
    }

    pub fn path(self, path: &Path) -> Self {
        Self { path: CString::new(path.as_os_str().as_bytes()).ok(), ..self }
    }

    pub fn advice(self, advice: &str) -> Self {
        Self { advice: Some(c_text(advice)), ..self }
    }

    pub fn reasons<'r>(self, reasons: impl IntoIterator<Item = &'r abi::Reason>) -> Self {
        let why = |r: &abi::Reason| Why {
            rule: c_text(r.rule.as_str()),
            symbol: r.symbol.as_deref().map(c_text),
            wanted: r.wanted,
            offered: r.offered,
            exporter: r.exporter.as_deref().map(c_text),
            detail: c_text(&r.detail),
        };
        Self { reasons: reasons.into_iter().map(why).collect(), ..self }
    }
}

/// `kmp_report_t`.
#[derive(Debug, Default)]
pub struct Report {
    pub(crate) verdict: c_int,
    pub(crate) entries: Vec<Entry>,
}

impl Report {
    fn entry(&self, finding: usize) -> Result<&Entry, Error> {
        self.entries.get(finding).ok_or_else(|| {
            let text = format!("there is no finding {finding}; there are {}", self.entries.len());
            Error::new(code::E_INDEX, text)
        })
    }
}

fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_deref().map_or(null(), |t| t.as_ptr())
}

/// `int kmp_report_verdict(const kmp_report_t *report);`
#[unsafe(no_mangle)]
pub extern "C" fn kmp_report_verdict(report: *const Report) -> c_int {
    ret::value(verdict::GOOD, || arg::shared(report, "report").map_or(verdict::GOOD, |r| r.verdict))
}

/// `size_t kmp_report_count(const kmp_report_t *report);`
#[unsafe(no_mangle)]
pub extern "C" fn kmp_report_count(report: *const Report) -> usize {
    ret::value(0, || arg::shared(report, "report").map_or(0, |r| r.entries.len()))
}

/// `int kmp_report_get(const kmp_report_t *report, size_t finding, struct kmp_finding *finding_out);`
#[unsafe(no_mangle)]
pub extern "C" fn kmp_report_get(report: *const Report, finding: usize, finding_out: *mut Finding) -> c_int {
    ret::answer(|| {
        let entry = arg::shared(report, "report")?.entry(finding)?;
        let value = Finding {
            size: 0,
            kind: entry.kind,
            state: entry.state,
            release: pointer(&entry.release),
            package: pointer(&entry.package),
            module: pointer(&entry.module),
            path: pointer(&entry.path),
            text: entry.text.as_ptr(),
            advice: pointer(&entry.advice),
            reasons: entry.reasons.len(),
            policy: entry.policy,
            loaded: u32::from(entry.loaded),
        };
        arg::write_growing(finding_out, value, "finding_out")
    })
}

/// `int kmp_report_reason(const kmp_report_t *report, size_t finding, size_t reason, struct kmp_reason *reason_out);`
#[unsafe(no_mangle)]
pub extern "C" fn kmp_report_reason(
    report: *const Report,
    finding: usize,
    reason: usize,
    reason_out: *mut Reason,
) -> c_int {
    ret::answer(|| {
        let reasons = &arg::shared(report, "report")?.entry(finding)?.reasons;
        let why = reasons.get(reason).ok_or_else(|| {
            Error::new(code::E_INDEX, format!("there is no reason {reason}; there are {}", reasons.len()))
        })?;
        let value = Reason {
            size: 0,
            rule: why.rule.as_ptr(),
            symbol: pointer(&why.symbol),
            has_wanted: u32::from(why.wanted.is_some()),
            wanted: why.wanted.unwrap_or(0),
            has_offered: u32::from(why.offered.is_some()),
            offered: why.offered.unwrap_or(0),
            exporter: pointer(&why.exporter),
            detail: why.detail.as_ptr(),
        };
        arg::write_growing(reason_out, value, "reason_out")
    })
}

/// `void kmp_report_free(kmp_report_t *report);`
#[unsafe(no_mangle)]
pub extern "C" fn kmp_report_free(report: *mut Report) {
    ret::value((), || arg::free(report));
}
