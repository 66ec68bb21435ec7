//! How long ago something was, in words.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds of each unit, the greatest first.
const UNITS: [(u64, &str); 5] = [
    (365 * 86_400, "year"),
    (30 * 86_400, "month"),
    (86_400, "day"),
    (3_600, "hour"),
    (60, "minute"),
];

/// How long ago `time` was, by the greatest unit of which there is one.
pub(crate) fn ago(time: SystemTime) -> String {
    // A clock that was set back makes nothing older.
    words(time.elapsed().unwrap_or_default().as_secs())
}

/// Seconds since 1970.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn words(seconds: u64) -> String {
    let unit = UNITS.iter().find(|(length, _)| seconds >= *length);
    match unit {
        Some((length, name)) => {
            let count = seconds / length;
            format!("{count} {name}{} ago", if count == 1 { "" } else { "s" })
        }
        None => "just now".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_one_unit() {
        for (seconds, text) in [
            (0, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (7_199, "1 hour ago"),
            (2 * 86_400, "2 days ago"),
            (400 * 86_400, "1 year ago"),
        ] {
            assert_eq!(words(seconds), text);
        }
    }
}
