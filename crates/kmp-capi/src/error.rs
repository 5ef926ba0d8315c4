// SPDX-License-Identifier: LGPL-2.1-or-later
//! Codes, and the words for the last failure.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int};

use kmp_core::check::CheckError;
use kmp_core::run_dir::LockError;
use kmp_core::sync::SyncError;

/// Error codes, in blocks: 1..99 the call itself, 100..199 files, 200..299 rpm, 300..399 kernels and drivers,
/// 400..499 changing links, 900..999 internal faults of libkmp. A number is never reused for something else.
pub mod code {
    use std::ffi::c_int;

    /// success
    pub const OK: c_int = 0;
    /// a null pointer, unknown flag or word, text that is not UTF-8
    pub const E_ARGUMENT: c_int = 1;
    /// a struct's size is too small, or it uses members that this version does not know
    pub const E_SIZE: c_int = 2;
    /// there is no finding or reason with that number
    pub const E_INDEX: c_int = 3;
    /// the transaction was judged already
    pub const E_SPENT: c_int = 4;
    /// the root cannot be opened
    pub const E_ROOT: c_int = 100;
    /// a named file is not there or cannot be read
    pub const E_FILE: c_int = 101;
    /// something below the root that is needed for a verdict could not be read
    pub const E_UNREAD: c_int = 102;
    /// the distribution is neither of SUSE's nor of Red Hat's family, and kmp.conf does not set a dialect
    pub const E_DIALECT: c_int = 103;
    /// no librpm can be used in this process
    pub const E_RPM: c_int = 200;
    /// the rpm database could not be read
    pub const E_DATABASE: c_int = 201;
    /// a package file cannot be read, or is damaged
    pub const E_PACKAGE: c_int = 202;
    /// no kernel, or none of that release
    pub const E_NO_KERNEL: c_int = 300;
    /// no package of that name owns third-party modules
    pub const E_NO_KMP: c_int = 301;
    /// the bytes are not a symvers file
    pub const E_SYMVERS: c_int = 302;
    /// the lock file cannot be created
    pub const E_LOCK: c_int = 400;
    /// another run holds the lock, and KMP_NO_WAIT was set
    pub const E_BUSY: c_int = 401;
    /// an internal fault of libkmp; the handle can only be freed from now on
    pub const E_INTERNAL: c_int = 900;
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::new(CString::default());
}

/// A failure: its code, and words.
#[derive(Debug)]
pub(crate) struct Error {
    pub code: c_int,
    pub text: String,
}

impl Error {
    pub fn new(code: c_int, text: impl std::fmt::Display) -> Self {
        Self { code, text: text.to_string() }
    }

    pub fn argument(text: impl std::fmt::Display) -> Self {
        Self::new(code::E_ARGUMENT, text)
    }
}

impl From<CheckError> for Error {
    fn from(error: CheckError) -> Self {
        let code = match &error {
            CheckError::Unread(_) => code::E_UNREAD,
            CheckError::File(_) => code::E_FILE,
            CheckError::PackageFile(_) => code::E_PACKAGE,
            CheckError::NoRpm(_) => code::E_RPM,
            CheckError::NoKernels(_) | CheckError::NoKernel(_) => code::E_NO_KERNEL,
            CheckError::NoKmp(_) => code::E_NO_KMP,
            CheckError::Packages(_) => code::E_DATABASE,
        };
        Self::new(code, error)
    }
}

impl From<SyncError> for Error {
    fn from(error: SyncError) -> Self {
        let code = match &error {
            SyncError::Packages { .. } => code::E_DATABASE,
            SyncError::Distribution { .. } => code::E_DIALECT,
            SyncError::Unread(_) => code::E_UNREAD,
            SyncError::Lock(LockError::Busy(_)) => code::E_BUSY,
            SyncError::Lock(_) => code::E_LOCK,
        };
        Self::new(code, error)
    }
}

/// Text as C has it: on one line, without NUL.
pub(crate) fn c_text(text: &str) -> CString {
    let line = kmp_core::printable(text.trim_end().replace('\n', "; ").as_ref());
    CString::new(line).unwrap_or_default()
}

/// Keeps the words for [`kmp_last_error`].
pub(crate) fn remember(error: &Error) -> c_int {
    let text = c_text(&error.text);
    // At the end of the thread there is nobody left to ask.
    let _ = LAST.try_with(|last| *last.borrow_mut() = text);
    error.code
}

/// The message of this thread's last failed call, in one line; "" if none failed. Never NULL; valid until the next
/// failing call of this thread. A call that succeeds does not change it.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_last_error() -> *const c_char {
    LAST.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

/// A short description of a code, also of an unknown one. Never NULL; static.
#[unsafe(no_mangle)]
pub extern "C" fn kmp_strerror(code: c_int) -> *const c_char {
    words(code).as_ptr()
}

fn words(code: c_int) -> &'static CStr {
    match code {
        code::OK => c"done",
        code::E_ARGUMENT => c"an argument is not valid",
        code::E_SIZE => c"the size of a struct is not valid",
        code::E_INDEX => c"there is no entry of that number",
        code::E_SPENT => c"the transaction was judged already",
        code::E_ROOT => c"the root directory cannot be opened",
        code::E_UNREAD => c"what is below the root could not be read",
        code::E_FILE => c"a file cannot be read",
        code::E_RPM => c"librpm cannot be used",
        code::E_DATABASE => c"the installed packages are not known",
        code::E_PACKAGE => c"a package file cannot be read",
        code::E_NO_KERNEL => c"there is no such kernel",
        code::E_NO_KMP => c"there is no such kernel module package",
        code::E_SYMVERS => c"not a list of symbol versions",
        code::E_LOCK => c"there is no place for the lock",
        code::E_BUSY => c"another run holds the lock",
        code::E_INTERNAL => c"an internal fault of libkmp",
        _ => c"an unknown code",
    }
}
