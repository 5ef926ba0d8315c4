// SPDX-License-Identifier: LGPL-2.1-or-later
//! Times as feeds and messages have them, in UTC.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

/// What is later than any calendar goes is 1970.
fn at(seconds: u64) -> Timestamp {
    i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or_default()
}

/// Seconds since 1970 as `2026-11-26T13:03:00Z`.
pub fn rfc3339(seconds: u64) -> String {
    at(seconds).to_string()
}

/// Seconds since 1970 as `Thu, 26 Nov 2026 13:03:00 -0000`.
pub fn rfc5322(seconds: u64) -> String {
    DateTimePrinter::new().timestamp_to_string(&at(seconds)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_both_forms() {
        assert_eq!(rfc3339(1_795_698_180), "2026-11-26T13:03:00Z");
        assert_eq!(rfc5322(1_795_698_180), "Thu, 26 Nov 2026 13:03:00 -0000");
        assert_eq!(rfc3339(u64::MAX), "1970-01-01T00:00:00Z");
    }
}
