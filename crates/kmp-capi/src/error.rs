//! Codes, and the words for the last failure.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int};

use kmp_core::apply::LockError;
use kmp_core::check::CheckError;
use kmp_core::sync::SyncError;

/// What functions return. In blocks; a number is never used again.
#[allow(missing_docs, reason = "said in kmp.h")]
pub mod code {
    use std::ffi::c_int;

    pub const OK: c_int = 0;
    pub const E_ARGUMENT: c_int = 1;
    pub const E_SIZE: c_int = 2;
    pub const E_INDEX: c_int = 3;
    pub const E_SPENT: c_int = 4;
    pub const E_ROOT: c_int = 100;
    pub const E_FILE: c_int = 101;
    pub const E_RPM: c_int = 200;
    pub const E_DATABASE: c_int = 201;
    pub const E_PACKAGE: c_int = 202;
    pub const E_NO_KERNEL: c_int = 300;
    pub const E_NO_KMP: c_int = 301;
    pub const E_SYMVERS: c_int = 302;
    pub const E_LOCK: c_int = 400;
    pub const E_BUSY: c_int = 401;
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
            CheckError::File(_) => code::E_FILE,
            CheckError::PackageFile(_) => code::E_PACKAGE,
            CheckError::NoRpm(_) => code::E_RPM,
            CheckError::NoKernel(_) => code::E_NO_KERNEL,
            CheckError::NoKmp(_) => code::E_NO_KMP,
            CheckError::Packages(_) => code::E_DATABASE,
        };
        Self::new(code, error)
    }
}

impl From<SyncError> for Error {
    fn from(error: SyncError) -> Self {
        let code = match &error {
            SyncError::Packages(_) => code::E_DATABASE,
            SyncError::Lock(LockError::Busy(_)) => code::E_BUSY,
            SyncError::Lock(_) => code::E_LOCK,
        };
        Self::new(code, error)
    }
}

/// Text as C has it: on one line, without NUL.
pub(crate) fn c_text(text: &str) -> CString {
    let line = kmp_core::report::printable(text.trim_end().replace('\n', "; ").as_ref());
    CString::new(line).unwrap_or_default()
}

/// Keeps the words for [`kmp_last_error`].
pub(crate) fn remember(error: &Error) -> c_int {
    let text = c_text(&error.text);
    // At the end of the thread there is nobody left to ask.
    let _ = LAST.try_with(|last| *last.borrow_mut() = text);
    error.code
}

/// `const char *kmp_last_error(void);`
#[unsafe(no_mangle)]
pub extern "C" fn kmp_last_error() -> *const c_char {
    LAST.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

/// `const char *kmp_strerror(int code);`
#[unsafe(no_mangle)]
pub extern "C" fn kmp_strerror(code: c_int) -> *const c_char {
    words(code).as_ptr()
}

fn words(code: c_int) -> &'static CStr {
    match code {
        code::OK => c"done",
        code::E_ARGUMENT => c"an argument is not valid",
        code::E_SIZE => c"the size of a struct is not valid",
        code::E_INDEX => c"there is none of that number",
        code::E_SPENT => c"the transaction was judged already",
        code::E_ROOT => c"the root directory cannot be opened",
        code::E_FILE => c"a file cannot be read",
        code::E_RPM => c"librpm cannot be used",
        code::E_DATABASE => c"the installed packages are not known",
        code::E_PACKAGE => c"a package file cannot be read",
        code::E_NO_KERNEL => c"there is no such kernel",
        code::E_NO_KMP => c"there is no such kernel module package",
        code::E_SYMVERS => c"not a list of symbol versions",
        code::E_LOCK => c"there is no place for the lock",
        code::E_BUSY => c"another run holds the lock",
        code::E_INTERNAL => c"a fault inside libkmp",
        _ => c"an unknown code",
    }
}
