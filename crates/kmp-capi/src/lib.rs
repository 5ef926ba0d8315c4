//! libkmp: what kmp-core does, as a C API. What each function does is said in `include/kmp.h`, for those who
//! call it; here is how.
//!
//! Every exported function is one call of `ret::answer`, `ret::make` or `ret::value`, which turn a Result
//! into a C return and catch panics. Pointers are looked at in `arg` alone.
#![allow(unsafe_code, reason = "a C API takes and gives raw pointers")]
#![deny(missing_docs)]

mod arg;
mod check;
mod error;
mod handle;
#[cfg(feature = "panic")]
mod panic;
mod report;
mod ret;
mod sync;
mod transaction;

pub use check::kmp_check;
pub use error::{code, kmp_last_error, kmp_strerror};
pub use handle::{Kmp, kmp_close, kmp_open, kmp_version};
pub use report::{
    Finding, Reason, Report, kind, kmp_report_count, kmp_report_free, kmp_report_get, kmp_report_reason,
    kmp_report_verdict, state, verdict,
};
pub use sync::kmp_sync;
pub use transaction::{
    Dependency, Package, Transaction, kmp_concerns, kmp_transaction_add, kmp_transaction_add_fd,
    kmp_transaction_add_file, kmp_transaction_free, kmp_transaction_judge, kmp_transaction_new,
    kmp_transaction_remove, kmp_transaction_symvers, kmp_transaction_update_file,
};

/// Flags.
pub mod flag {
    /// Of [`kmp_open`](crate::kmp_open).
    pub const GUEST: u32 = 1;
    /// Of [`kmp_sync`](crate::kmp_sync).
    pub const DRY_RUN: u32 = 1;
    /// Of [`kmp_sync`](crate::kmp_sync).
    pub const NO_DEPMOD: u32 = 2;
    /// Of [`kmp_sync`](crate::kmp_sync).
    pub const NO_WAIT: u32 = 4;
}

/// Policies in a [`Finding`].
pub mod policy {
    /// Stop it.
    pub const ABORT: u32 = 1;
    /// Tell, and let it go on.
    pub const WARN: u32 = 2;
}
