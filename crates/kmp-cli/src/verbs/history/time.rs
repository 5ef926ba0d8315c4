// SPDX-License-Identifier: LGPL-2.1-or-later
//! Times as people write and read them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan, ZonedDateTime};

/// A number of seconds since 1970, in the machine's time zone, to the minute.
pub fn minute(seconds: u64) -> String {
    zoned(seconds).map_or_else(unknown, |time| time.strftime("%Y-%m-%d %H:%M").to_string())
}

/// The same as RFC 3339 has it, with the offset of the machine's time zone.
pub fn rfc3339(seconds: u64) -> String {
    zoned(seconds).map_or_else(unknown, |time| time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

fn zoned(seconds: u64) -> Option<ZonedDateTime> {
    let timestamp = Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    Some(timestamp.to_zoned_datetime(TimeZone::system()))
}

fn unknown() -> String {
    "unknown time".into()
}

/// Seconds since 1970 of what somebody has written.
///
/// # Errors
/// It is no time.
pub fn since(text: &str) -> Result<u64, String> {
    let time = parse(text, &ZonedDateTime::now());
    let time = time.ok_or_else(|| {
        format!(
            "\"{text}\" is no time: give a date such as 2026-11-20, a date and a time such as \"2026-11-20 14:00\", today, \
             yesterday, or how long ago, such as \"2 days\" or 3h"
        )
    })?;
    // All runs are later than 1970.
    Ok(u64::try_from(time.as_second()).unwrap_or(0))
}

fn parse(text: &str, now: &ZonedDateTime) -> Option<Timestamp> {
    let midnight = |days: i64| Some(now.checked_sub(days.days()).ok()?.start_of_day().ok()?.timestamp());
    match text.trim() {
        "today" => return midnight(0),
        "yesterday" => return midnight(1),
        _ => {}
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return Some(time.to_zoned_datetime(now.time_zone().clone()).ok()?.timestamp());
    }
    let span: Span = text.parse().ok()?;
    Some(now.checked_sub(span.abs()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write() {
        let now: ZonedDateTime = "2026-11-26T13:00:00+01:00[Europe/Berlin]".parse().unwrap_or_else(|_| {
            // A machine without a database of time zones.
            "2026-11-26T13:00:00+01:00[+01:00]".parse().unwrap()
        });
        for (text, expected) in [
            ("2026-11-20", Some("2026-11-19T23:00:00Z")),
            ("2026-11-20 14:00", Some("2026-11-20T13:00:00Z")),
            ("2026-11-20T14:00:05Z", Some("2026-11-20T14:00:05Z")),
            ("today", Some("2026-11-25T23:00:00Z")),
            ("yesterday", Some("2026-11-24T23:00:00Z")),
            ("2 days", Some("2026-11-24T12:00:00Z")),
            ("2 days ago", Some("2026-11-24T12:00:00Z")),
            ("3h", Some("2026-11-26T09:00:00Z")),
            ("", None),
            ("soon", None),
            ("99999999999 years", None),
        ] {
            let expected = expected.map(|time| time.parse().unwrap());
            assert_eq!(parse(text, &now), expected, "{text}");
        }
        assert_eq!(minute(u64::MAX), unknown());
    }
}
