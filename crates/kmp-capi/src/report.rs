// SPDX-License-Identifier: LGPL-2.1-or-later
//! Reports: lists of findings, which own every string that is given out.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ffi::{CStr, CString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null;

use kmp_core::abi;
use kmp_core::problem::Problem;
use kmp_core::state::State;

use crate::arg::{self, growing};
use crate::error::{Error, c_text, code};
use crate::ret;

/// Kinds of findings, and the states that each may have.
pub mod kind {
    /// a module's verdict for a kernel: KMP_COMPATIBLE, KMP_REFUSED, KMP_UNREAD
    pub const MODULE: u32 = 1;
    /// what became of a package's links in a kernel: KMP_ADDED ... KMP_DANGLING, KMP_FAILED
    pub const CHANGE: u32 = 2;
    /// depmod: KMP_DONE, KMP_DUE, KMP_FAILED
    pub const DEPMOD: u32 = 3;
    /// a KMP that is not linked into a kernel of its flavour: KMP_REFUSED, KMP_BREAKS, KMP_CLASH, KMP_BROKEN
    pub const NOT_LINKED: u32 = 4;
    /// a driver that a kernel would be without: KMP_NEW_KERNEL, KMP_OLD_KERNEL, KMP_HAS_ITSELF
    pub const LOST: u32 = 5;
    /// something was ignored: KMP_NONE; or could not be read and is unknown: KMP_FAILED
    pub const PROBLEM: u32 = 6;
    /// a new initrd is needed: KMP_DONE requested, KMP_DUE, KMP_FAILED
    pub const INITRD: u32 = 7;
    /// a line of the message to the user about a transaction: KMP_NONE
    pub const MESSAGE: u32 = 8;
    /// an installed kernel: KMP_RUNNING, KMP_NONE; of kmp_plan() one that is concerned: KMP_NEW_KERNEL, KMP_OLD_KERNEL
    pub const KERNEL: u32 = 9;
    /// how an installed KMP stands in a kernel of its flavour: KMP_NATIVE ... KMP_BROKEN, KMP_REFUSED, KMP_BREAKS, KMP_UNREAD
    pub const DRIVER: u32 = 10;
    /// a symbol that a module needs, with one reason: KMP_COMPATIBLE, KMP_REFUSED, KMP_UNREAD
    pub const SYMBOL: u32 = 11;
    /// what becomes of a driver in a kernel: KMP_STAYS ... KMP_GOES, KMP_REFUSED, KMP_BREAKS, KMP_UNREAD
    pub const PROSPECT: u32 = 12;
}

/// States of findings.
pub mod state {
    /// the kind has no state
    pub const NONE: u32 = 0;
    /// the kernel would load it
    pub const COMPATIBLE: u32 = 1;
    /// the kernel would refuse it
    pub const REFUSED: u32 = 2;
    /// something could not be read, so it is not known whether it is compatible
    pub const UNREAD: u32 = 3;
    /// the kernel would load it, but in-tree modules no longer: it is not linked for that
    pub const BREAKS: u32 = 4;
    /// its links were made
    pub const ADDED: u32 = 10;
    /// the links now lead to another version
    pub const REPLACED: u32 = 11;
    /// its links were removed
    pub const REMOVED: u32 = 12;
    /// missing or wrong links were corrected
    pub const REPAIRED: u32 = 13;
    /// a dangling link was removed
    pub const DANGLING: u32 = 14;
    /// depmod ran, an initrd was requested
    pub const DONE: u32 = 20;
    /// depmod has to run (a dry run, KMP_NO_DEPMOD), an initrd has to be requested
    pub const DUE: u32 = 21;
    /// it could not be done; the finding's text says why
    pub const FAILED: u32 = 22;
    /// the kernel comes with the transaction
    pub const NEW_KERNEL: u32 = 30;
    /// the kernel stays
    pub const OLD_KERNEL: u32 = 31;
    /// the kernel comes with the transaction, and has modules of its own for the same devices
    pub const HAS_ITSELF: u32 = 32;
    /// built for this kernel, in its own directory, and loads
    pub const NATIVE: u32 = 40;
    /// built for another kernel, loads in this one, and is linked
    pub const LINKED: u32 = 41;
    /// would load, but not all of its links are there
    pub const UNLINKED: u32 = 42;
    /// another build of the same driver is used in this kernel
    pub const UNUSED: u32 = 43;
    /// not to be linked into this kernel, as kmp.conf or its package says
    pub const DECLINED: u32 = 44;
    /// not linked: a module of that name is there already
    pub const CLASH: u32 = 45;
    /// a module of its package is missing or is no valid module
    pub const BROKEN: u32 = 46;
    /// the kernel runs now
    pub const RUNNING: u32 = 50;
    /// it is installed, stays so, and works
    pub const STAYS: u32 = 60;
    /// it comes with the transaction, and works
    pub const COMES: u32 = 61;
    /// it is erased, as asked for
    pub const GOES: u32 = 62;
}

/// The constant for a state of the engine's.
pub(crate) fn of_state(state: State) -> u32 {
    match state {
        State::Native => state::NATIVE,
        State::Linked => state::LINKED,
        State::Unlinked => state::UNLINKED,
        State::Unused => state::UNUSED,
        State::Declined => state::DECLINED,
        State::Clash => state::CLASH,
        State::Refused => state::REFUSED,
        State::Breaks => state::BREAKS,
        State::Broken => state::BROKEN,
        State::Unread => state::UNREAD,
        State::Compatible => state::COMPATIBLE,
    }
}

/// Policies.
pub mod policy {
    /// nothing is lost
    pub const NONE: u32 = 0;
    /// stop the transaction
    pub const ABORT: u32 = 1;
    /// print a warning and continue
    pub const WARN: u32 = 2;
}

/// Verdicts of a report as a whole.
pub mod verdict {
    use std::ffi::c_int;

    /// all is well
    pub const GOOD: c_int = 0;
    /// something to report
    pub const WARN: c_int = 1;
    /// something failed, or the transaction is to be stopped
    pub const ABORT: c_int = 2;
}

/// A finding. Strings that do not apply are NULL. Strings belong to the report: do not free them.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Finding {
    /// set by the caller
    pub size: usize,
    /// a kind: KMP_MODULE ... KMP_PROSPECT
    pub kind: u32,
    /// a state: KMP_NONE ... KMP_GOES
    pub state: u32,
    /// the kernel's release
    pub release: *const c_char,
    /// NAME-VERSION-RELEASE
    pub package: *const c_char,
    /// the name; for a lost driver all names, separated by blanks
    pub module: *const c_char,
    /// of the module or package file, or of the file with the problem; not necessarily UTF-8
    pub path: *const c_char,
    /// one line for people; never NULL; safe to print
    pub text: *const c_char,
    /// what to do about it, for people; of a KMP_MESSAGE the line to type at its end
    pub advice: *const c_char,
    /// how many reasons kmp_report_reason() has for it
    pub reasons: usize,
    /// KMP_LOST, KMP_MESSAGE: KMP_POLICY_ABORT, KMP_POLICY_WARN, KMP_POLICY_NONE; else 0
    pub policy: u32,
    /// KMP_LOST: 1 if a module of it is loaded now; else 0
    pub loaded: u32,
}
growing!(Finding, last: loaded: u32);

/// Why a module is refused, what it breaks (the rule is "breaks", the state KMP_COMPATIBLE or KMP_BREAKS), or what is known of
/// a symbol. Strings as in kmp_finding.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Reason {
    /// set by the caller
    pub size: usize,
    /// "crc", "unknown-symbol", ...: see kmp_rule_name(); of KMP_SYMBOL "" if no rule is broken; never NULL
    pub rule: *const c_char,
    /// the symbol concerned
    pub symbol: *const c_char,
    /// 1 if `wanted` is set, else 0
    pub has_wanted: u32,
    /// the version (CRC) of the symbol that the module was built with
    pub wanted: u32,
    /// 1 if `offered` is set, else 0
    pub has_offered: u32,
    /// the version that is exported
    pub offered: u32,
    /// who exports the symbol: "vmlinux", a module
    pub exporter: *const c_char,
    /// the reason as a sentence; never NULL; safe to print
    pub detail: *const c_char,
}
growing!(Reason, last: detail: *const c_char);

/// A finding, with its strings.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub kind: u32,
    pub state: u32,
    pub release: Option<CString>,
    pub package: Option<CString>,
    pub module: Option<CString>,
    pub path: Option<CString>,
    pub text: CString,
    pub advice: Option<CString>,
    pub reasons: Vec<Why>,
    pub policy: u32,
    pub loaded: bool,
}

#[derive(Debug)]
pub(crate) struct Why {
    pub rule: CString,
    pub symbol: Option<CString>,
    pub wanted: Option<u32>,
    pub offered: Option<u32>,
    pub exporter: Option<CString>,
    pub detail: CString,
}

impl Entry {
    pub fn new(kind: u32, state: u32, text: &str) -> Self {
        Self { kind, state, text: c_text(text), ..Self::default() }
    }

    pub fn text(&self) -> Cow<'_, str> {
        self.text.to_string_lossy()
    }

    pub fn advised(&self) -> Option<Cow<'_, str>> {
        self.advice.as_deref().map(CStr::to_string_lossy)
    }

    pub fn problem(problem: &Problem) -> Self {
        let state = if problem.is_unread { state::FAILED } else { state::NONE };
        Self::new(kind::PROBLEM, state, &problem.to_string()).path(&problem.path)
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
        Self { reasons: reasons.into_iter().map(Why::from).collect(), ..self }
    }
}

impl From<&abi::Reason> for Why {
    fn from(reason: &abi::Reason) -> Self {
        Self {
            rule: c_text(reason.rule.as_str()),
            symbol: reason.symbol.as_deref().map(c_text),
            wanted: reason.wanted,
            offered: reason.offered,
            exporter: reason.exporter.as_deref().map(c_text),
            detail: c_text(&reason.detail),
        }
    }
}

/// A list of findings.
#[derive(Debug, Default)]
pub struct Report {
    pub(crate) verdict: c_int,
    pub(crate) entries: Vec<Entry>,
    /// Of [`kmp_report_json`](crate::kmp_report_json), once somebody has asked for it.
    pub(crate) json: OnceCell<CString>,
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

/// The verdict of the report as a whole, KMP_VERDICT_...; for NULL, KMP_VERDICT_GOOD. The function that made the report
/// documents what it means.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_report_verdict(report: *const Report) -> c_int {
    ret::value(verdict::GOOD, || arg::shared(report, "report").map_or(verdict::GOOD, |r| r.verdict))
}

/// The number of findings; for NULL, 0.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_report_count(report: *const Report) -> usize {
    ret::value(0, || arg::shared(report, "report").map_or(0, |r| r.entries.len()))
}

/// Copies finding number `finding`, counted from 0, into the caller's struct, whose size is set.
/// KMP_E_INDEX, KMP_E_SIZE, KMP_E_ARGUMENT.
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

/// Copies reason number `reason` of a finding, counted from 0, into the caller's struct, whose size is set.
/// KMP_E_INDEX, KMP_E_SIZE, KMP_E_ARGUMENT.
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

/// Frees a report, with all strings that came from it.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_report_free(report: *mut Report) {
    ret::value((), || arg::free(report));
}
