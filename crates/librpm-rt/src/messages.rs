// SPDX-License-Identifier: LGPL-2.1-or-later
//! What librpm says, caught.
//!
//! Where we loaded librpm, its log goes to a callback of ours for good: librpm calls it in the thread that made
//! it speak, so what is said lands with the call that caused it. As a guest the host's callback stays: librpm
//! gives back the old callback when a new one is set, but not its data, so it could not be restored. There the
//! count of recorded errors before and after shows a failure, and the last message its cause.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

use crate::ffi::{Functions, LogRec, RPMLOG_ERR, RPMLOG_MASK_ERRORS};

thread_local! {
    /// Messages of the call under way in this thread; None: nobody listens.
    static HEARD: RefCell<Option<Vec<(c_int, String)>>> = const { RefCell::new(None) };
}

/// More than this many messages of one call add nothing.
const KEPT: usize = 100;

/// The accessors for the callback, which gets no usable pointer of its own.
static ACCESSORS: OnceLock<Accessors> = OnceLock::new();

struct Accessors {
    message: unsafe extern "C" fn(*mut LogRec) -> *const c_char,
    priority: unsafe extern "C" fn(*mut LogRec) -> c_int,
}

/// Sends librpm's log to us from now on.
pub(crate) fn take_over(functions: &Functions) {
    let accessors = Accessors { message: functions.rpmlogRecMessage, priority: functions.rpmlogRecPriority };
    let _first_one_stays = ACCESSORS.set(accessors);
    // SAFETY: the callback is a function that lives as long as the process (this crate is never unloaded).
    unsafe { (functions.rpmlogSetCallback)(Some(on_message), std::ptr::null_mut()) };
}

/// librpm's log callback. Returns 0: nothing more is to be done with the message.
unsafe extern "C" fn on_message(record: *mut LogRec, _data: *mut c_void) -> c_int {
    let Some(accessors) = ACCESSORS.get() else { return 0 };
    // SAFETY: librpm passes a record that is valid during this call.
    let priority = unsafe { (accessors.priority)(record) };
    // SAFETY: as above; the text lives as long as the record.
    let message = text(unsafe { (accessors.message)(record) });
    // Neither branch can panic: a panic here would end the process.
    let _gone_at_thread_exit = HEARD.try_with(|heard| {
        if let Ok(mut heard) = heard.try_borrow_mut()
            && let Some(heard) = heard.as_mut()
            && heard.len() < KEPT
        {
            heard.push((priority, message));
        }
    });
    0
}

/// A C string of librpm's as text, on one line.
fn text(message: *const c_char) -> String {
    if message.is_null() {
        return String::new();
    }
    // SAFETY: not null, and librpm's strings end in NUL.
    let message = unsafe { CStr::from_ptr(message) };
    message.to_string_lossy().trim().replace('\n', "; ")
}

/// Runs `call` and returns its value, with what librpm had to say of errors (joined; None: no error).
pub(crate) fn listen<T>(functions: &Functions, guest: bool, call: impl FnOnce() -> T) -> (T, Option<String>) {
    if guest {
        let before = errors_recorded(functions);
        let value = call();
        if errors_recorded(functions) == before {
            return (value, None);
        }
        // SAFETY: takes nothing; the text lives until the next message, and is copied at once.
        let last = text(unsafe { (functions.rpmlogMessage)() });
        return (value, Some(last));
    }
    // What is said to a call within a call belongs to the inner one.
    let outer = HEARD.replace(Some(Vec::new()));
    let value = call();
    let heard = HEARD.replace(outer).unwrap_or_default();
    let mut errors: Vec<String> = Vec::new();
    for (priority, message) in heard {
        log::debug!("librpm: {message}");
        if priority <= RPMLOG_ERR && !errors.contains(&message) {
            errors.push(message);
        }
    }
    (value, if errors.is_empty() { None } else { Some(errors.join("; ")) })
}

/// How many errors librpm has recorded (warnings too, where it cannot tell them apart).
fn errors_recorded(functions: &Functions) -> c_int {
    match functions.rpmlogGetNrecsByMask {
        // SAFETY: takes a mask of priorities, returns a number.
        Some(by_mask) => unsafe { by_mask(RPMLOG_MASK_ERRORS) },
        // SAFETY: takes nothing, returns a number.
        None => unsafe { (functions.rpmlogGetNrecs)() },
    }
}
