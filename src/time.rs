//! Times as people read them, in UTC and cut to what is shown, as a clock does; and spans of time, rounded.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

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

/// The zone that times are shown in: so many minutes ahead of UTC, the same for all times of a report. The default is UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Zone {
    ahead_minutes: i32,
}

impl Zone {
    /// UTC itself.
    pub const UTC: Self = Self { ahead_minutes: 0 };

    /// So many minutes ahead of UTC; `None` beyond a day, which no clock on earth is.
    pub fn ahead(minutes: i32) -> Option<Self> {
        (minutes.unsigned_abs() < 24 * 60).then_some(Self { ahead_minutes: minutes })
    }

    /// That of a machine where local time and so many minutes are UTC.
    pub fn of_bias(minutes: i32) -> Option<Self> {
        Self::ahead(minutes.checked_neg()?)
    }

    /// How many minutes it is ahead of UTC.
    pub fn ahead_minutes(self) -> i32 {
        self.ahead_minutes
    }

    /// `UTC`, `UTC+1:00`, `UTC-3:30`.
    pub fn name(self) -> String {
        let sign = match self.ahead_minutes {
            0 => return "UTC".to_owned(),
            1.. => '+',
            _ => '-',
        };
        let minutes = self.ahead_minutes.unsigned_abs();
        format!("UTC{sign}{}:{:02}", minutes / 60, minutes % 60)
    }

    /// What UTC shows when this zone's clock shows what UTC shows at `time`. What is no date stays as it is.
    pub fn shifted(self, time: FileTime) -> FileTime {
        let ahead = i64::from(self.ahead_minutes) * 60 * FileTime::SECOND;
        let shifted = FileTime(time.0.saturating_add(ahead));
        if time.to_rfc3339().is_some() && shifted.to_rfc3339().is_some() { shifted } else { time }
    }

    /// RFC 3339 with seven decimals, in UTC with `Z`, else with how far it is ahead; what is no date as `Display` has it.
    pub fn rfc3339(self, time: FileTime) -> String {
        let shifted = self.shifted(time);
        if self == Self::UTC || shifted == time {
            return time.to_string();
        }
        let (sign, minutes) = (if self.ahead_minutes < 0 { '-' } else { '+' }, self.ahead_minutes.unsigned_abs());
        format!("{}{sign}{:02}:{:02}", shifted.to_string().trim_end_matches('Z'), minutes / 60, minutes % 60)
    }

    /// As [`ShownTime::to_clock`].
    pub fn clock(self, time: FileTime) -> String {
        self.shifted(time).to_clock()
    }

    /// `HH:MM:SS`.
    pub fn second(self, time: FileTime) -> String {
        let clock = self.clock(time);
        clock.split('.').next().unwrap_or_default().to_owned()
    }

    /// As [`ShownTime::to_exact_clock`].
    pub fn exact_clock(self, time: FileTime) -> String {
        self.shifted(time).to_exact_clock()
    }

    /// As [`ShownTime::to_date`].
    pub fn date(self, time: FileTime) -> String {
        self.shifted(time).to_date()
    }

    /// As [`ShownTime::to_minute`].
    pub fn minute(self, time: FileTime) -> String {
        self.shifted(time).to_minute()
    }

    /// As [`ShownTime::to_date_and_time`].
    pub fn date_and_time(self, time: FileTime) -> String {
        self.shifted(time).to_date_and_time()
    }
}

/// A text that is neither UTC nor an offset from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAZone;

impl fmt::Display for NotAZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected utc, or an offset such as +01:00")
    }
}

impl std::error::Error for NotAZone {}

impl FromStr for Zone {
    type Err = NotAZone;

    /// Reads `utc`, `z`, `+HH:MM`, `+HHMM` or `+HH`.
    fn from_str(text: &str) -> Result<Self, NotAZone> {
        if text.eq_ignore_ascii_case("utc") || text.eq_ignore_ascii_case("z") {
            return Ok(Self::UTC);
        }
        let (sign, rest) = match text.split_at_checked(1) {
            Some(("+", rest)) => (1, rest),
            Some(("-", rest)) => (-1, rest),
            _ => return Err(NotAZone),
        };
        let (hours, minutes) = rest.split_once(':').unwrap_or(match rest.len() {
            4 => rest.split_at_checked(2).unwrap_or((rest, "0")),
            _ => (rest, "0"),
        });
        let number = |text: &str| text.parse::<u8>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        let (hours, minutes) = (number(hours).ok_or(NotAZone)?, number(minutes).filter(|n| *n < 60).ok_or(NotAZone)?);
        Self::ahead(sign * (i32::from(hours) * 60 + i32::from(minutes))).ok_or(NotAZone)
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

/// As a point in time; `None` where it is no date.
pub fn to_timestamp(time: FileTime) -> Option<Timestamp> {
    time.to_rfc3339()?.parse().ok()
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
    fn zones_shift_dates_and_nothing_else() {
        // 2025-11-14T09:12:04.1839999Z
        let time = FileTime(134_075_851_241_839_999);
        let (ahead, behind) = (Zone::ahead(60).unwrap(), Zone::ahead(-570).unwrap());
        assert_eq!((ahead.clock(time), ahead.name()), ("10:12:04.183".into(), "UTC+1:00".into()));
        assert_eq!((behind.date_and_time(time), behind.name()), ("2025-11-13 23:42:04".into(), "UTC-9:30".into()));
        assert_eq!((Zone::UTC.second(time), Zone::UTC.name()), ("09:12:04".into(), "UTC".into()));
        assert_eq!(ahead.clock(FileTime(12_345_678)), "+1.2345678 s");
        assert_eq!(behind.rfc3339(time), "2025-11-13T23:42:04.1839999-09:30");
        assert_eq!(
            (Zone::UTC.rfc3339(time), time.to_string()),
            (time.to_string(), "2025-11-14T09:12:04.1839999Z".into())
        );
        assert_eq!(ahead.rfc3339(FileTime(12_345_678)), "+1.2345678 s");
        assert_eq!(Zone::ahead(24 * 60), None);
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
