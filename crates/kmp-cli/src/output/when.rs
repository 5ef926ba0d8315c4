// SPDX-License-Identifier: LGPL-2.1-or-later
//! Times, given as seconds since 1970, in words.

/// In RFC 3339's form, in UTC.
pub use kmp_kabi::registry::rfc3339 as exact;

/// The day, in UTC.
pub fn day(seconds: u64) -> String {
    exact(seconds).split('T').next().unwrap_or_default().to_owned()
}
