// SPDX-License-Identifier: LGPL-2.1-or-later
//! From Rust's returns to C's: the one place where panics are caught and failures become codes.

use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::arg;
use crate::error::{Error, code, remember};

thread_local! {
    /// Is a call of ours under way in this thread? Its panics are caught, so the hook is not to print them.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs a call that gives nothing but success.
pub(crate) fn answer(call: impl FnOnce() -> Result<(), Error>) -> c_int {
    match guarded(call).and_then(|result| result) {
        Ok(()) => code::OK,
        Err(error) => remember(&error),
    }
}

/// Runs a call that makes a handle, and gives it to the caller in `*out`, which is null on failure.
pub(crate) fn make<T>(out: *mut *mut T, call: impl FnOnce() -> Result<T, Error>) -> c_int {
    answer(|| {
        arg::give(out, std::ptr::null_mut())?;
        let made = call()?;
        arg::give(out, Box::into_raw(Box::new(made)))
    })
}

/// Runs a call that cannot fail; a fault inside gives `otherwise`.
pub(crate) fn value<T>(otherwise: T, call: impl FnOnce() -> T) -> T {
    guarded(call).unwrap_or_else(|error| {
        remember(&error);
        otherwise
    })
}

/// Runs what may panic inside of a call that goes on all the same.
pub(crate) fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Error> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| match INSIDE.try_with(Cell::get) {
            Ok(true) => PANIC.with_borrow_mut(|text| *text = panic.to_string()),
            _ => others(panic),
        }));
    });
    let outer = INSIDE.replace(true);
    // What the call was at work on is never touched again: a handle that panicked may only be freed. A
    // plugin's is, but holds nothing that a panic could leave half done.
    let result = catch_unwind(AssertUnwindSafe(call));
    INSIDE.set(outer);
    result.map_err(|payload| {
        // Dropping what was thrown may throw again.
        std::mem::forget(payload);
        let what = PANIC.take();
        Error::new(code::E_INTERNAL, format!("an internal fault of libkmp, please report it: {what}"))
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    fn a_panic_becomes_a_code_and_words() {
        assert_eq!(answer(|| panic!("at the disco")), code::E_INTERNAL);
        // SAFETY: never null, and valid until the next failure in this thread.
        let text = unsafe { CStr::from_ptr(crate::kmp_last_error()) };
        assert!(text.to_str().unwrap().contains("at the disco"), "{text:?}");
        assert_eq!(value(7, || -> i32 { panic!() }), 7);
        let mut out = std::ptr::without_provenance_mut::<u8>(8);
        assert_eq!(make(&raw mut out, || panic!()), code::E_INTERNAL);
        assert!(out.is_null());
    }
}
