// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a transaction, or another kernel that runs, would change.

use std::ffi::{c_char, c_int};

use kmp_core::abi::{Reason, Rule};
use kmp_core::guard::{self, Action, Fate, Outlook, Planned, Prospect, Role};
use kmp_core::{Question, guard::PlanError};

use crate::error::{Error, code};
use crate::handle::Kmp;
use crate::report::{Entry, Report, kind, state, verdict};
use crate::transaction::{lost, message};
use crate::{arg, ret};

/// What would be changed, before anything is: the verb kmp plan, whose names it takes.
///
/// names: package files that come, all in one transaction (a name with a "/", or that ends in .rpm); releases of installed
/// kernels that are to run; installed packages that are erased, with "@" before the name. n = 0: the newest installed
/// kernel is to run.
/// Findings, kernel by kernel, the newest first: KMP_KERNEL with how many drivers stay, come and are lost; KMP_PROSPECT for
/// each driver that is not lost, KMP_LOST for each that is. Then, for a transaction, KMP_MESSAGE for each line that
/// rpm's plugin would print, and KMP_PROBLEM.
/// *out is freed with kmp_report_free(); its verdict: KMP_VERDICT_GOOD no driver is lost, KMP_VERDICT_WARN one is, or one
/// that comes works with no kernel, KMP_VERDICT_ABORT rpm's plugin would stop the transaction.
/// KMP_E_NO_KERNEL, KMP_E_NO_KMP, KMP_E_PACKAGE, KMP_E_RPM, KMP_E_UNREAD, KMP_E_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_plan(
    kmp: *mut Kmp,
    names: *const *const c_char,
    n: usize,
    out: *mut *mut Report,
) -> c_int {
    ret::make(out, || {
        let shared = &arg::shared(kmp, "kmp")?.0;
        let question = Question::of_names(&arg::names(names, n)?).map_err(Error::argument)?;
        let mut problems = Vec::new();
        let running = shared.running(&mut problems);
        let planned = shared.plan(&question, running.as_deref())?;
        let mut report = report(&planned);
        report.entries.extend(problems.iter().chain(&planned.problems).map(Entry::problem));
        Ok(report)
    })
}

impl From<PlanError> for Error {
    fn from(error: PlanError) -> Self {
        let code = match &error {
            PlanError::NoRpm(_) => code::E_RPM,
            PlanError::Package(_) => code::E_PACKAGE,
            PlanError::NothingInIt(_) | PlanError::NoKmp(_) => code::E_NO_KMP,
            PlanError::NoKernel(_) | PlanError::NoKernels(_) => code::E_NO_KERNEL,
            PlanError::NoQuestion(_) => code::E_ARGUMENT,
            PlanError::Unread(_) => code::E_UNREAD,
        };
        Self::new(code, error)
    }
}

fn report(planned: &Planned) -> Report {
    let mut report = Report::default();
    for kernel in planned.judged.kernels.iter().filter(|kernel| kernel.is_concerned()) {
        let state = if kernel.role == Role::Comes { state::NEW_KERNEL } else { state::OLD_KERNEL };
        let entry = Entry::new(kind::KERNEL, state, &kernel.summary());
        report.entries.push(entry.release(&kernel.release));
        report.entries.extend(kernel.drivers.iter().map(|driver| prospect(planned, kernel, driver)));
    }
    if planned.is_transaction {
        report.entries.extend(guard::block(&planned.judged, &planned.tools, true).iter().map(message));
    }
    let stops = planned.judged.findings.iter().any(|f| f.action == Action::Stop);
    report.verdict = match planned.judged.has_loss() {
        _ if planned.is_transaction && stops => verdict::ABORT,
        true => verdict::WARN,
        false => verdict::GOOD,
    };
    report
}

fn prospect(planned: &Planned, kernel: &Outlook, driver: &Prospect) -> Entry {
    let (state, reasons) = match &driver.fate {
        Fate::Lost(of) => {
            let is_it = |f: &&guard::Finding| f.lost.kernel == of.kernel && f.lost.package == of.package;
            return lost(of, planned.judged.findings.iter().find(is_it), &planned.tools);
        }
        Fate::Stays => (state::STAYS, &[][..]),
        Fate::Comes(_) => (state::COMES, &[][..]),
        Fate::Goes => (state::GOES, &[][..]),
        Fate::Unknown(_) => (state::UNREAD, &[][..]),
        Fate::Fails(reasons) if guard::would_load(reasons) => (state::BREAKS, reasons.as_slice()),
        Fate::Fails(reasons) => (state::REFUSED, reasons.as_slice()),
    };
    // Of one that is not linked for what it breaks, the reasons have it.
    let breaks: Vec<Reason> = match &driver.fate {
        Fate::Fails(_) => Vec::new(),
        _ => {
            let of = |(module, why): &(String, String)| {
                Reason::new(Rule::Breaks, format!("the in-tree module {module} would no longer load: {why}"))
            };
            driver.breaks.iter().map(of).collect()
        }
    };
    let entry = Entry::new(kind::PROSPECT, state, &driver.line(&kernel.release)).release(&kernel.release);
    entry.package(&driver.nvr).module(&driver.modules.join(" ")).reasons(reasons.iter().chain(&breaks))
}
