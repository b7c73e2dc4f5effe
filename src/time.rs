//! Times as people read them, in UTC and cut to what is shown, as a clock does; and spans of time, rounded.

use std::ops::Range;

use jiff::Timestamp;

pub use etl_parser::FileTime;

/// A file time as people read it.
pub trait ShownTime {
    /// `HH:MM:SS` with three decimals, for tables; as `Display` where it is no date.
    fn to_clock(self) -> String;
    /// `HH:MM:SS` with seven decimals; as `Display` where it is no date.
    fn to_exact_clock(self) -> String;
    /// `YYYY-MM-DD`; nothing where it is no date.
    fn to_date(self) -> String;
    /// `HH:MM`; as `Display` where it is no date.
    fn to_minute(self) -> String;
    /// `YYYY-MM-DD HH:MM:SS`; as `Display` where it is no date.
    fn to_date_and_time(self) -> String;
}

impl ShownTime for FileTime {
    fn to_clock(self) -> String {
        part(self, 11..23)
    }

    fn to_exact_clock(self) -> String {
        part(self, 11..27)
    }

    fn to_date(self) -> String {
        self.to_rfc3339().and_then(|text| text.get(..10).map(ToOwned::to_owned)).unwrap_or_default()
    }

    fn to_minute(self) -> String {
        part(self, 11..16)
    }

    fn to_date_and_time(self) -> String {
        part(self, 0..19).replace('T', " ")
    }
}

/// A part of the time in RFC 3339.
fn part(time: FileTime, part: Range<usize>) -> String {
    let whole = time.to_rfc3339();
    whole.as_deref().and_then(|text| text.get(part)).map_or_else(|| time.to_string(), ToOwned::to_owned)
}

/// From a point in time; `None` before 1601.
pub fn from_timestamp(timestamp: Timestamp) -> Option<FileTime> {
    FileTime::from_unix_nanoseconds(timestamp.as_nanosecond())
}

/// A span in words of at most two units, rounded: `19 min 43 s`.
pub fn duration_text(span_100ns: i64) -> String {
    let rounded = |unit: i64| span_100ns.saturating_add(unit / 2) / unit;
    let (milliseconds, tenths, seconds) = (rounded(10_000), rounded(1_000_000), rounded(FileTime::SECOND));
    let minutes = rounded(60 * FileTime::SECOND);
    let hours = rounded(3600 * FileTime::SECOND);
    if milliseconds < 1000 {
        format!("{milliseconds} ms")
    } else if tenths < 600 {
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else if seconds < 3600 {
        format!("{} min {} s", seconds / 60, seconds % 60)
    } else if minutes < 24 * 60 {
        format!("{} h {} min", minutes / 60, minutes % 60)
    } else {
        format!("{} d {} h", hours / 24, hours % 24)
    }
}

/// The first time of both spans, and the last.
pub(crate) fn joined(
    one: Option<(FileTime, FileTime)>,
    other: Option<(FileTime, FileTime)>,
) -> Option<(FileTime, FileTime)> {
    match (one, other) {
        (Some((first, last)), Some((start, end))) => Some((first.min(start), last.max(end))),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cut_and_not_rounded() {
        // 2025-11-14T09:12:04.1839999Z
        let time = FileTime(134_075_851_241_839_999);
        assert_eq!((time.to_clock(), time.to_exact_clock()), ("09:12:04.183".into(), "09:12:04.1839999".into()));
        assert_eq!((time.to_date(), time.to_date_and_time()), ("2025-11-14".into(), "2025-11-14 09:12:04".into()));
    }

    #[test]
    fn numbers_that_are_no_date_stay_numbers() {
        let early = FileTime(12_345_678);
        assert_eq!((early.to_clock(), early.to_date_and_time()), ("+1.2345678 s".into(), "+1.2345678 s".into()));
        assert_eq!(
            (FileTime(i64::MAX).to_exact_clock(), FileTime(-1).to_date()),
            ("(9223372036854775807)".into(), String::new())
        );
    }

    #[test]
    fn points_in_time_become_file_times() {
        let one = |text: &str| from_timestamp(text.parse().unwrap());
        assert_eq!(one("2025-11-14T09:12:04.1839999Z"), Some(FileTime(134_075_851_241_839_999)));
        assert_eq!(one("1600-12-31T23:59:59Z"), None);
    }

    #[test]
    fn durations_keep_two_units() {
        assert_eq!(duration_text(5 * 10_000), "5 ms");
        assert_eq!(duration_text(12 * FileTime::SECOND + 3_000_000), "12.3 s");
        assert_eq!(duration_text(59 * FileTime::SECOND + 9_700_000), "1 min 0 s");
        assert_eq!(duration_text(1182 * FileTime::SECOND + 6_000_000), "19 min 43 s");
        assert_eq!(duration_text(7260 * FileTime::SECOND), "2 h 1 min");
        assert_eq!(duration_text(90_000 * FileTime::SECOND), "1 d 1 h");
    }
}
