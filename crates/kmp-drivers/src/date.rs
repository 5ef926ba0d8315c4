// SPDX-License-Identifier: LGPL-2.1-or-later
//! Days of the calendar.

/// The day of a time in seconds since 1970, in UTC: `2026-11-26`.
pub fn day(seconds: u64) -> String {
    // Counted from 0000-03-01, so that a leap day is the last of its year; 400 years have 146,097 days.
    let days = seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era + u64::from(month > 9);
    let month = if month > 9 { month - 9 } else { month + 3 };
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, wanted) in [
            (0, "1970-01-01"),
            (86_399, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_582_934_400, "2020-02-29"),
            (4_107_542_400, "2100-03-01"),
            (u64::from(u32::MAX), "2106-02-07"),
        ] {
            assert_eq!(day(seconds), wanted);
        }
    }
}
