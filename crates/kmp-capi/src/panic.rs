// SPDX-License-Identifier: LGPL-2.1-or-later
//! A fault on purpose: see `rpm-plugin/fault.h`. Built for tests only.

use std::ffi::c_int;

use crate::ret;

/// `int kmp_test_panic(void);`
#[unsafe(no_mangle)]
pub extern "C" fn kmp_test_panic() -> c_int {
    ret::answer(|| panic!("on purpose"))
}
