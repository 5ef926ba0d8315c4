// SPDX-License-Identifier: LGPL-2.1-or-later
//! Times as messages and feeds have them, in UTC.

/// Year, month, day, and day of the week from Sunday, of a day counted from 1970-01-01 (the civil-from-days algorithm: years begin
/// in March, so that a leap day is the last).
fn civil(days: u64) -> (u64, u64, u64, usize) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day, usize::try_from((days + 4) % 7).unwrap_or(0))
}

fn clock(seconds: u64) -> String {
    let of_day = seconds % 86_400;
    format!("{:02}:{:02}:{:02}", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

/// Seconds since 1970 as `2026-11-26T13:03:00Z`.
pub fn rfc3339(seconds: u64) -> String {
    let (year, month, day, _) = civil(seconds / 86_400);
    format!("{year:04}-{month:02}-{day:02}T{}Z", clock(seconds))
}

/// Seconds since 1970 as `Thu, 26 Nov 2026 13:03:00 +0000`.
pub fn rfc5322(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day, weekday) = civil(seconds / 86_400);
    let month = usize::try_from(month).unwrap_or(1).clamp(1, 12) - 1;
    format!("{}, {day:02} {} {year:04} {} +0000", DAYS[weekday], MONTHS[month], clock(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_are_known() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc5322(0), "Thu, 01 Jan 1970 00:00:00 +0000");
        assert_eq!(rfc3339(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(rfc5322(1_795_698_180), "Thu, 26 Nov 2026 13:03:00 +0000");
    }
}
