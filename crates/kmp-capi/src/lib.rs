// SPDX-License-Identifier: LGPL-2.1-or-later
//! libkmp: keeps third-party kernel drivers working across kernel updates on RPM Linux. See libkmp(3).
//!
//! # Returns
//! A function that returns int returns KMP_OK (0) or a KMP_E_ code; kmp_last_error() then has a message. The few
//! that cannot fail, such as kmp_concerns() and kmp_report_verdict(), are the exceptions. No function ends the
//! process, prints, or throws. Any function may return KMP_E_INTERNAL, for a fault inside the library.
//!
//! # Ownership
//! The caller owns what a function returns through a parameter `out`, and frees it with the function that is
//! named there; on failure *out is NULL. The library keeps nothing that was passed in after the call. Strings
//! that it returns belong to the report they came from and live as long as it. Handles may be freed in any
//! order: a transaction or a report can outlive its kmp_t. Freeing NULL does nothing.
//!
//! # Threads
//! A handle is used by one thread at a time; a handle that has used librpm's database stays in its thread. The
//! library starts no thread, and does not change locale, signals, working directory or umask.
//!
//! # Plugins
//! The functions kmp_plugin_...() are for a plugin of rpm, one for each of its hooks. They cannot fail; errors are
//! reported through the plugin's messages. See rpm-plugin-kmp(8).
//!
//! # Compatibility
//! Structs that begin with `size` only grow at their end. The caller sets size to sizeof the struct; the library
//! touches no byte beyond it. Later versions may add codes, kinds and states: ignore those that you do not know.

// The comments of public items are for those who call them: `cargo xtask header` makes `include/kmp.h` of the
// items and their comments.
//
// Every exported function is one call of `ret::answer`, `ret::make` or `ret::value`, which turn a Result into
// a C return and catch panics. Pointers are looked at in `arg` alone.
#![allow(unsafe_code, reason = "a C API takes and gives raw pointers")]
#![deny(missing_docs)]

mod arg;
mod check;
mod error;
mod handle;
mod json;
mod kernels;
mod names;
#[cfg(feature = "panic")]
mod panic;
mod plan;
mod plugin;
mod report;
mod ret;
mod status;
mod sync;
mod transaction;

pub use check::kmp_check;
pub use error::{code, kmp_last_error, kmp_strerror};
pub use handle::{Kmp, kmp_close, kmp_open, kmp_version, open_flag};
pub use json::kmp_report_json;
pub use kernels::kmp_kernels;
pub use names::{kmp_kind_name, kmp_rule_name, kmp_rule_words, kmp_state_name};
pub use plan::kmp_plan;
pub use plugin::{
    Plugin, Say, kmp_builds_drivers, kmp_plugin_begin, kmp_plugin_changed, kmp_plugin_describe,
    kmp_plugin_element, kmp_plugin_end, kmp_plugin_environment, kmp_plugin_fault, kmp_plugin_free,
    kmp_plugin_is_named, kmp_plugin_judge, kmp_plugin_new, kmp_plugin_scriptlet, level, plugin_flag,
};
pub use report::{
    Finding, Reason, Report, kind, kmp_report_count, kmp_report_free, kmp_report_get, kmp_report_reason,
    kmp_report_verdict, policy, state, verdict,
};
pub use status::{kmp_explain, kmp_status};
pub use sync::{kmp_sync, sync_flag};
pub use transaction::{
    Dependency, Package, Transaction, kmp_concerns, kmp_transaction_add, kmp_transaction_add_fd,
    kmp_transaction_add_file, kmp_transaction_free, kmp_transaction_judge, kmp_transaction_new,
    kmp_transaction_remove, kmp_transaction_symvers, kmp_transaction_update_file,
};
