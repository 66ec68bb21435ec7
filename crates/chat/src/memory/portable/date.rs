//! Moments as people read them: `2026-11-29 05:55:20 UTC`, by the Gregorian calendar.

/// The last second that has a year of four digits, since 1970.
pub(super) const LAST: u64 = 253_402_300_799;
/// Days of 400 years, after which the calendar repeats.
const ERA: u64 = 146_097;
/// Days from the first of March of the year 0 to 1970.
const BEFORE: u64 = 719_468;

/// A moment in words.
///
/// * `seconds`: since 1970; those beyond the year 9999 are shown as its end.
pub(super) fn to_text(seconds: u64) -> String {
    let seconds = seconds.min(LAST);
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March here, so that a leap day is the last of its year.
    let days = days + BEFORE;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..10 => (400 * era + year, month + 3),
        _ => (400 * era + year + 1, month - 9),
    };
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{of_month:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Seconds since 1970 of a moment in words; `None` of anything but what [`to_text`] makes.
pub(super) fn to_seconds(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| -> Option<u64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
        digits.parse().ok()
    };
    let (year, month, of_month) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&of_month) {
        return None;
    }
    let (year, month) = match month {
        3.. => (year, month - 3),
        _ => (year - 1, month + 9),
    };
    let day = 365 * (year % 400) + year % 400 / 4 - year % 400 / 100 + (153 * month + 2) / 5 + of_month - 1;
    let days = year / 400 * ERA + day - BEFORE;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    // A day that the month does not have, and marks that are others, are seen by what they would be.
    (to_text(seconds) == text).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_is_read_as_it_is_written() {
        assert_eq!(to_text(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(to_text(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(to_text(1_795_931_720), "2026-11-29 05:55:20 UTC");
        assert_eq!(to_text(u64::MAX), "9999-12-31 23:59:59 UTC");
        let mut last = String::new();
        for day in 0..200_000 {
            let seconds = day * 86_400 + 3_661;
            let text = to_text(seconds);
            assert!(text > last, "{last} {text}");
            assert_eq!(to_seconds(&text), Some(seconds), "{text}");
            last = text;
        }
    }

    #[test]
    fn what_is_no_day_is_none() {
        for text in [
            "",
            "2026-02-29 00:00:00 UTC",
            "2026-11-29T05:55:20 UTC",
            "2026-11-29 25:55:20 UTC",
            "1969-11-29 05:55:20 UTC",
            "2026-13-29 05:55:20 UTC",
            "2026-11-29 05:55:20 CET",
            "+026-11-29 05:55:20 UTC",
        ] {
            assert_eq!(to_seconds(text), None, "{text}");
        }
    }
}
