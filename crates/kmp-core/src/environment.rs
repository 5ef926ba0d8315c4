// SPDX-License-Identifier: LGPL-2.1-or-later
//! Variables that say what to run or how.

use std::ffi::OsString;

/// The value of such a variable, unless it is empty. A process that has more rights than who started it (set-user-ID, file
/// capabilities) does not listen to its environment.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
    if kmp_exec::is_privileged_by_file() {
        log::warn!("{name} is ignored: this process has rights that its caller may not have");
        return None;
    }
    Some(value)
}
