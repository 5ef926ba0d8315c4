// SPDX-License-Identifier: LGPL-2.1-or-later
//! Times, given as seconds since 1970, in words.

use std::time::SystemTime;

use jiff::Timestamp;

/// In RFC 3339's form, in UTC.
pub fn exact(seconds: u64) -> String {
    timestamp(seconds).to_string()
}

/// The day, in UTC.
pub fn day(seconds: u64) -> String {
    exact(seconds).split('T').next().unwrap_or_default().to_owned()
}

/// How long that was ago.
pub fn ago(seconds: u64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let of = |count: u64, unit: &str| format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" });
    match now.saturating_sub(seconds) {
        0..60 => "just now".to_owned(),
        age @ 60..3600 => of(age / 60, "minute"),
        age @ 3600..86400 => of(age / 3600, "hour"),
        age => of(age / 86400, "day"),
    }
}

fn timestamp(seconds: u64) -> Timestamp {
    i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok()).unwrap_or_default()
}
