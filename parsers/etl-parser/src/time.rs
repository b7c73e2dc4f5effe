use std::fmt;

/// A point in time, in 100 ns units since 1601-01-01 UTC (Windows `FILETIME`).
///
/// Range: all of `i64`. A trace whose header record is missing has no dates: its [`Clock`](crate::Clock) counts from the
/// first record, which shows as a number below that of the year 1980.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileTime(pub i64);

/// 1980-01-01 UTC. No trace is older: a smaller number counts from a trace's first record (its header is missing).
const FIRST_DATE_100NS: i64 = 119_600_064_000_000_000;

/// 1970-01-01 UTC as a file time.
const UNIX_EPOCH_100NS: i64 = 116_444_736_000_000_000;

/// 100 ns units of a day.
const DAY_100NS: i64 = 86_400 * FileTime::SECOND;

impl FileTime {
    /// One second, in 100 ns units.
    pub const SECOND: i64 = 10_000_000;

    /// A time that a file states, where 0 stands for "not told"; `None` for 0 and below.
    pub fn known(file_time: i64) -> Option<Self> {
        (file_time > 0).then_some(Self(file_time))
    }

    /// 100 ns units from `earlier` to this time, negative where it is the later one; saturates.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// From nanoseconds since 1970-01-01 UTC, rounded down; `None` before 1601 and beyond the range.
    pub fn from_unix_nanoseconds(nanoseconds: i128) -> Option<Self> {
        let units = nanoseconds.div_euclid(100).checked_add(i128::from(UNIX_EPOCH_100NS))?;
        i64::try_from(units).ok().filter(|units| *units >= 0).map(Self)
    }

    /// Nanoseconds since 1970-01-01 UTC, negative before that: what libraries of times take.
    pub fn to_unix_nanoseconds(self) -> i128 {
        (i128::from(self.0) - i128::from(UNIX_EPOCH_100NS)) * 100
    }

    /// RFC 3339 in UTC with seven decimals, always 28 characters; `None` outside of the years 1980 to 9999.
    pub fn to_rfc3339(self) -> Option<String> {
        if self.0 < FIRST_DATE_100NS {
            return None;
        }
        let (year, month, day) = date(self.0.div_euclid(DAY_100NS));
        let units = self.0.rem_euclid(DAY_100NS);
        let (seconds, fraction) = (units / Self::SECOND, units % Self::SECOND);
        if year > 9999 {
            return None;
        }
        // Without a formatter: lists of events print one for each.
        let mut text = *b"0000-00-00T00:00:00.0000000Z";
        let parts = [
            (year, 0..4),
            (month, 5..7),
            (day, 8..10),
            (seconds / 3600, 11..13),
            (seconds / 60 % 60, 14..16),
            (seconds % 60, 17..19),
            (fraction, 20..27),
        ];
        for (mut number, places) in parts {
            for digit in text.get_mut(places).into_iter().flatten().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        String::from_utf8(text.to_vec()).ok()
    }
}

/// Year, month and day in the Gregorian calendar of a day that many days behind 1601-01-01, which begins one of the
/// calendar's cycles of 400 years.
pub(crate) fn date(days: i64) -> (i64, i64, i64) {
    // Years count from March here, so that the leap day is a year's last one: 1600-03-01 is 306 days before.
    let days = days + 306;
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Five months from March on have 153 days, and so have the five behind them.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (1600 + 400 * cycle + year + next, month, day)
}

/// How many days behind 1601-01-01 a date lies.
pub(crate) fn day_of(year: i64, month: i64, day: i64) -> i64 {
    // As above: years count from March, and five months from March on have 153 days.
    let (years, months) = if month > 2 { (year - 1600, month - 3) } else { (year - 1601, month + 9) };
    let whole = 365 * years + years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400);
    whole + (153 * months + 2) / 5 + day - 1 - 306
}

/// RFC 3339; where the number is no date, the seconds from the trace's first record (`+1.2345678 s`), or the number in
/// parentheses where it is neither.
impl fmt::Display for FileTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.to_rfc3339(), u64::try_from(self.0)) {
            (Some(text), _) => f.write_str(&text),
            (None, Ok(units)) if self.0 < FIRST_DATE_100NS => {
                write!(f, "+{}.{:07} s", units / 10_000_000, units % 10_000_000)
            }
            _ => write!(f, "({})", self.0),
        }
    }
}

/// As it is serialized.
#[cfg(feature = "schemars")]
impl schemars::JsonSchema for FileTime {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FileTime".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["string", "null"],
            "description": "A time in UTC: RFC 3339 with seven decimals, or null where the number is no date.",
        })
    }
}

/// As RFC 3339, or `null` where the number is no date.
#[cfg(feature = "serde")]
impl serde::Serialize for FileTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_rfc3339().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_decimals_and_no_rounding() {
        let time = FileTime(UNIX_EPOCH_100NS + 17_631_115_241_830_412);
        assert_eq!(time.to_rfc3339().unwrap(), "2025-11-14T09:12:04.1830412Z");
        assert_eq!(time.to_string(), "2025-11-14T09:12:04.1830412Z");
        assert_eq!(FileTime(FIRST_DATE_100NS).to_rfc3339().unwrap(), "1980-01-01T00:00:00.0000000Z");
    }

    #[test]
    fn numbers_that_are_no_date_stay_numbers() {
        assert_eq!(FileTime(i64::MAX).to_rfc3339(), None);
        assert_eq!(FileTime(-1).to_rfc3339(), None);
        assert_eq!(FileTime(i64::MAX).to_string(), "(9223372036854775807)");
        assert_eq!(FileTime(i64::MIN).to_string(), "(-9223372036854775808)");
        assert_eq!(FileTime::known(0), None);
        assert_eq!(
            (FileTime(12_345_678).to_rfc3339(), FileTime(12_345_678).to_string()),
            (None, "+1.2345678 s".to_owned())
        );
    }

    /// Known answers on both sides of each rule for leap years; all days of the calendar's cycle in their order.
    #[test]
    fn dates_follow_the_gregorian_calendar() {
        let at = |days: i64| FileTime(days * DAY_100NS).to_rfc3339().unwrap()[..10].to_owned();
        assert_eq!(date(0), (1601, 1, 1));
        // Days from 1601-01-01 to 1970-01-01.
        let unix = 134_774;
        for (days, want) in [
            (unix + 11_016, "2000-02-29"),
            (unix + 11_017, "2000-03-01"),
            (unix + 19_782, "2024-02-29"),
            (unix + 20_088, "2024-12-31"),
            (unix + 20_089, "2025-01-01"),
            (unix + 47_540, "2100-02-28"),
            (unix + 47_541, "2100-03-01"),
            (unix + 2_932_896, "9999-12-31"),
        ] {
            assert_eq!(at(days), want, "{days}");
        }
        assert_eq!(FileTime((unix + 2_932_897) * DAY_100NS).to_rfc3339(), None);
        let (mut before, leap) = (date(0), |year| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
        for days in 1..=2 * 146_097 {
            let (year, month, day) = before;
            let length = match month {
                2 => 28 + i64::from(leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            let next = match (day == length, month == 12) {
                (true, true) => (year + 1, 1, 1),
                (true, false) => (year, month + 1, 1),
                (false, _) => (year, month, day + 1),
            };
            assert_eq!(date(days), next);
            before = next;
        }
    }

    #[test]
    fn unix_times_round_down() {
        assert_eq!(FileTime::from_unix_nanoseconds(0), Some(FileTime(UNIX_EPOCH_100NS)));
        assert_eq!(FileTime::from_unix_nanoseconds(-1), Some(FileTime(UNIX_EPOCH_100NS - 1)));
        assert_eq!(FileTime(UNIX_EPOCH_100NS + 3).to_unix_nanoseconds(), 300);
        assert_eq!(FileTime::from_unix_nanoseconds(-100 * i128::from(UNIX_EPOCH_100NS) - 1), None);
        assert_eq!(FileTime::from_unix_nanoseconds(i128::MAX), None);
    }

    #[cfg(feature = "serde")]
    #[test]
    fn as_data_a_date_is_text_and_all_else_is_null() {
        assert_eq!(serde_json::to_string(&FileTime(i64::MIN)).unwrap(), "null");
        assert_eq!(serde_json::to_string(&FileTime(FIRST_DATE_100NS)).unwrap(), "\"1980-01-01T00:00:00.0000000Z\"");
    }
}
