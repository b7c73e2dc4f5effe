//! File times: 100 ns units since 1601-01-01 UTC, the resolution of every time in a report.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// A point in time, in 100 ns units since 1601-01-01 UTC (Windows `FILETIME`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileTime(pub i64);

/// 1980-01-01 UTC. No trace is older: a smaller number counts from a trace's first record (its header is missing).
const FIRST_DATE_100NS: i64 = 119_600_064_000_000_000;

/// 1970-01-01 UTC as a file time.
const UNIX_EPOCH_100NS: i64 = 116_444_736_000_000_000;

impl FileTime {
    /// One second.
    pub const SECOND: i64 = 10_000_000;

    /// A time that a file states, where 0 stands for "not told".
    pub fn known(file_time: i64) -> Option<Self> {
        (file_time > 0).then_some(Self(file_time))
    }

    /// 100 ns units from `earlier` to this time; saturates.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// From a point in time; `None` before 1601.
    pub fn from_timestamp(timestamp: Timestamp) -> Option<Self> {
        let ticks = timestamp.as_nanosecond().div_euclid(100) + i128::from(UNIX_EPOCH_100NS);
        i64::try_from(ticks).ok().filter(|ticks| *ticks >= 0).map(Self)
    }

    fn timestamp(self) -> Option<Timestamp> {
        let nanoseconds = (i128::from(self.0) - i128::from(UNIX_EPOCH_100NS)) * 100;
        Timestamp::from_nanosecond(nanoseconds).ok()
    }

    /// RFC 3339 in UTC with seven decimals; `None` outside of the years 1980 to 9999.
    pub fn to_rfc3339(self) -> Option<String> {
        self.format("%Y-%m-%dT%H:%M:%S%.7fZ")
    }

    /// `HH:MM:SS` with three decimals, for tables; the raw number where it is no date.
    pub fn to_clock(self) -> String {
        self.format("%H:%M:%S%.3f").unwrap_or_else(|| self.relative())
    }

    /// `HH:MM:SS` with seven decimals.
    pub fn to_exact_clock(self) -> String {
        self.format("%H:%M:%S%.7f").unwrap_or_else(|| self.relative())
    }

    /// `YYYY-MM-DD`.
    pub fn to_date(self) -> String {
        self.format("%Y-%m-%d").unwrap_or_default()
    }

    /// `YYYY-MM-DD HH:MM:SS`.
    pub fn to_date_and_time(self) -> String {
        self.format("%Y-%m-%d %H:%M:%S").unwrap_or_else(|| self.relative())
    }

    /// Seconds from the first record, or the raw number where it is neither that nor a date.
    fn relative(self) -> String {
        match u64::try_from(self.0) {
            Ok(ticks) if self.0 < FIRST_DATE_100NS => format!("+{}.{:07} s", ticks / 10_000_000, ticks % 10_000_000),
            _ => format!("({})", self.0),
        }
    }

    fn format(self, format: &str) -> Option<String> {
        (self.0 >= FIRST_DATE_100NS).then(|| self.timestamp()).flatten().map(|time| time.strftime(format).to_string())
    }
}

impl fmt::Display for FileTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_rfc3339() {
            Some(text) => f.write_str(&text),
            None => f.write_str(&self.relative()),
        }
    }
}

/// As RFC 3339, or `null` where the number is no date.
impl Serialize for FileTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_rfc3339().serialize(serializer)
    }
}

/// A span in words of at most two units: `19 min 43 s`.
pub fn duration_text(span_100ns: i64) -> String {
    let milliseconds = span_100ns / 10_000;
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..60 => format!("{}.{} s", seconds, milliseconds % 1000 / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86400, seconds % 86400 / 3600),
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
    fn seven_decimals_and_no_rounding() {
        let time = FileTime(UNIX_EPOCH_100NS + 17_631_115_241_830_412);
        assert_eq!(time.to_rfc3339().unwrap(), "2025-11-14T09:12:04.1830412Z");
        assert_eq!(time.to_clock(), "09:12:04.183");
        assert_eq!(time.to_exact_clock(), "09:12:04.1830412");
        assert_eq!(FileTime(FIRST_DATE_100NS).to_rfc3339().unwrap(), "1980-01-01T00:00:00.0000000Z");
    }

    #[test]
    fn numbers_that_are_no_date_stay_numbers() {
        assert_eq!(FileTime(i64::MAX).to_rfc3339(), None);
        assert_eq!(FileTime(-1).to_rfc3339(), None);
        assert_eq!(FileTime(i64::MAX).to_string(), "(9223372036854775807)");
        assert_eq!(serde_json::to_string(&FileTime(i64::MIN)).unwrap(), "null");
        assert_eq!(FileTime::known(0), None);
        assert_eq!(
            (FileTime(12_345_678).to_rfc3339(), FileTime(12_345_678).to_clock()),
            (None, "+1.2345678 s".to_owned())
        );
    }

    #[test]
    fn durations_keep_two_units() {
        assert_eq!(duration_text(5 * 10_000), "5 ms");
        assert_eq!(duration_text(12 * FileTime::SECOND + 3_000_000), "12.3 s");
        assert_eq!(duration_text(1183 * FileTime::SECOND), "19 min 43 s");
        assert_eq!(duration_text(7260 * FileTime::SECOND), "2 h 1 min");
        assert_eq!(duration_text(90_000 * FileTime::SECOND), "1 d 1 h");
    }
}
