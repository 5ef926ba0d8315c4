// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which kernels there are.

use std::ffi::c_int;

use kmp_core::inventory::{self, ModulesDirs};
use kmp_core::workers::Serial;

use crate::error::{Error, code};
use crate::handle::Kmp;
use crate::report::{Entry, Report, kind, state};
use crate::{arg, ret};

/// The installed kernels, in the order of versions: a finding of kind KMP_KERNEL for each, with its release, and its directory
/// (inside the root) as the path. Reads no package and no module.
/// *out is freed with kmp_report_free(); its verdict is KMP_VERDICT_GOOD. KMP_E_UNREAD, KMP_E_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_kernels(kmp: *mut Kmp, out: *mut *mut Report) -> c_int {
    ret::make(out, || {
        let shared = &arg::shared(kmp, "kmp")?.0;
        let unread = |problem| Error::new(code::E_UNREAD, problem);
        let mut problems = Vec::new();
        let dirs = ModulesDirs::find(&shared.root).map_err(unread)?;
        let found = inventory::releases(&shared.root, &dirs, &Serial, &mut problems).map_err(unread)?;
        let running = shared.running(&mut problems);
        let mut report = Report::default();
        for kernel in found.iter().filter(|release| release.is_kernel) {
            let runs = running.as_ref() == Some(&kernel.release);
            let (state, suffix) = if runs { (state::RUNNING, " (running)") } else { (state::NONE, "") };
            let entry = Entry::new(kind::KERNEL, state, &format!("{}{suffix}", kernel.release));
            report.entries.push(entry.release(&kernel.release).path(&kernel.dir));
        }
        report.entries.extend(problems.iter().map(Entry::problem));
        Ok(report)
    })
}
