// SPDX-License-Identifier: LGPL-2.1-or-later
//! Times, given as seconds since 1970, in words.

use jiff::Timestamp;

/// In RFC 3339's form, in UTC.
pub fn exact(seconds: u64) -> String {
    timestamp(seconds).to_string()
}

/// The day, in UTC.
pub fn day(seconds: u64) -> String {
    exact(seconds).split('T').next().unwrap_or_default().to_owned()
}

fn timestamp(seconds: u64) -> Timestamp {
    i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok()).unwrap_or_default()
}
