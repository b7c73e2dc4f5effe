//! Lines that say when a listing was taken: what `%date% %time%`, `date /t`, `time /t` and `Get-Date` print.
//!
//! Day and month stand in the order of the system's language, which no file names: only the time of day is read.

use jiff::Timestamp;

use super::facts::Taken;
use crate::time::{FileTime, from_timestamp, to_timestamp};

/// So many lines may stand between the date and the first row of its listing: a prompt, a title, the heading.
const MAX_LINES_BEFORE: usize = 8;

/// A day.
const DAY_SECONDS: i64 = 86_400;

/// A longer line is no date.
const MAX_LINE_CHARACTERS: usize = 120;

/// Follows the lines between listings, and remembers the last time of day.
#[derive(Debug, Clone, Default)]
pub(super) struct Clock {
    last: Option<Taken>,
    date: Option<String>,
    age: usize,
}

impl Clock {
    /// Looks at a line that is no row; `true` where it holds a time of day.
    pub(super) fn see(&mut self, line: &str) -> bool {
        self.age = self.age.saturating_add(1);
        if !line.contains(|c: char| c.is_ascii_digit()) || line.chars().nth(MAX_LINE_CHARACTERS).is_some() {
            return false;
        }
        let day = day_in(line);
        let has_date = day.is_some();
        let day = day.or_else(|| long_day_in(line));
        // The date may stand in the line above, and the time alone in this one.
        let is_below_date = self.date.as_deref().is_some_and(names_year) && !names_year(line);
        let Some(second_of_day) = time_in(line, has_date, is_below_date) else {
            if day.is_some() {
                self.date = Some(line.to_owned());
                self.age = 0;
            }
            return false;
        };
        // A time with full stops looks like a day without its year.
        let day = day.filter(|_| !is_below_date);
        let date = self.date.take().filter(|_| day.is_none() && self.age <= MAX_LINES_BEFORE);
        let day = day.or_else(|| date.as_deref().and_then(|date| day_in(date).or_else(|| long_day_in(date))));
        let text = date.map_or_else(|| line.to_owned(), |date| format!("{date} {line}"));
        (self.last, self.age) = (Some(Taken { text, day, second_of_day }), 0);
        true
    }

    /// Whether a time stands above a listing that begins here.
    pub(super) fn has_time(&self) -> bool {
        self.last.is_some() && self.age <= MAX_LINES_BEFORE
    }

    /// The time for a listing that begins here.
    pub(super) fn take(&mut self) -> Option<Taken> {
        self.date = None;
        self.last.take().filter(|_| self.age <= MAX_LINES_BEFORE)
    }
}

/// What a cell says that holds a date and a time.
pub(super) fn taken_in(text: &str) -> Option<Taken> {
    let text = text.trim();
    if let Some(taken) = of_digits(text).or_else(|| of_epoch(text)) {
        return Some(taken);
    }
    let day = day_in(text);
    let second_of_day = time_in(text, day.is_some(), false)?;
    Some(Taken { text: text.to_owned(), day: day.or_else(|| long_day_in(text)), second_of_day })
}

/// `20261122140311.251234+060`, as WMI writes a time: that of the machine, and its minutes from UTC.
fn of_digits(text: &str) -> Option<Taken> {
    let (digits, rest) = text.split_once('.')?;
    let (fraction, zone) = rest.split_at_checked(6)?;
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_time = digits.len() == 14 && zone.len() == 4 && zone.starts_with(['+', '-']);
    if !is_time || ![digits, fraction, zone.get(1..)?].into_iter().all(are_digits) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to);
    let number = |from: usize, below: u32| part(from, from + 2)?.parse().ok().filter(|number| *number < below);
    let (hour, minute, second): (u32, u32, u32) = (number(8, 24)?, number(10, 60)?, number(12, 60)?);
    let day = format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?);
    Some(Taken { text: text.to_owned(), day: Some(day), second_of_day: hour * 3600 + minute * 60 + second })
}

/// `/Date(1795356191000)/`, as JSON has it of PowerShell 5, or the number alone: milliseconds since 1970, or seconds.
fn of_epoch(text: &str) -> Option<Taken> {
    const DIGITS: [usize; 2] = [10, 13];
    let inner = text.trim_matches(['/', '\\']).strip_prefix("Date(").and_then(|text| text.strip_suffix(')'));
    let digits = inner.unwrap_or(text);
    let number: i64 = digits.parse().ok().filter(|_| DIGITS.contains(&digits.len()))?;
    let seconds = if digits.len() == 13 { number / 1_000 } else { number };
    let time = Timestamp::from_second(seconds).ok()?;
    let date = jiff::tz::Offset::UTC.to_datetime(time);
    let year = u32::try_from(date.year()).ok().filter(|year| YEARS.contains(year))?;
    let day = format!("{year}-{:02}-{:02}", date.month(), date.day());
    let second_of_day = u32::try_from(seconds.rem_euclid(DAY_SECONDS)).ok()?;
    Some(Taken { text: time.to_string(), day: Some(day), second_of_day })
}

/// When that was, where the text says how far its clock is from UTC: `2026-11-22T14:03:11+01:00`.
pub(crate) fn instant(taken: &Taken) -> Option<FileTime> {
    let words: Vec<&str> = taken.text.split_whitespace().collect();
    let of_two = words.windows(2).filter_map(|pair| pair.join(" ").parse::<Timestamp>().ok());
    words.iter().filter_map(|word| word.parse::<Timestamp>().ok()).chain(of_two).next().and_then(from_timestamp)
}

/// Whether a listing was taken on another day than that of an instant, wherever in the world, and whatever the order of day and
/// month: in one that is two days away at least. `false` where it does not tell its day in numbers.
pub(crate) fn is_of_other_day(taken: &Taken, other: FileTime) -> bool {
    let Some(other) = to_timestamp(other) else { return false };
    let mut known = days(taken).into_iter().peekable();
    known.peek().is_some() && known.all(|(_, noon)| (noon - other.as_second()).abs() > 2 * DAY_SECONDS)
}

/// Whether a time is later than another by more than some seconds, whatever the order of day and month; `false` where that is not
/// certain.
pub(crate) fn is_later(one: &Taken, other: &Taken, seconds: u32) -> bool {
    let is_utc = |taken: &Taken| taken.text.split_whitespace().any(|word| word.ends_with('Z'));
    if is_utc(one) != is_utc(other) || may_be_of_other_half(one, other) {
        return false;
    }
    let (Some(day), Some(other_day)) = (&one.day, &other.day) else { return false };
    // Days that are written alike have their numbers in one order.
    let separator = |day: &str| day.chars().find(|c| !c.is_ascii_digit());
    let are_alike = separator(day) == separator(other_day);
    let (days, others) = (days(one), days(other));
    let pairs = days.iter().flat_map(|one| others.iter().map(move |other| (one, other)));
    let mut apart = pairs
        .filter(|((order, _), (other, _))| !are_alike || order == other)
        .map(|((_, noon), (_, other_noon))| {
            noon - other_noon + i64::from(one.second_of_day) - i64::from(other.second_of_day)
        })
        .peekable();
    if day == other_day {
        return one.second_of_day.saturating_sub(other.second_of_day) > seconds;
    }
    apart.peek().is_some() && apart.all(|apart| apart > i64::from(seconds))
}

/// The day of a time, as year, month and day; `None` where the order of its numbers is not certain.
pub(crate) fn date(taken: &Taken) -> Option<[u32; 3]> {
    let all = days(taken);
    let (_, noon) = all.first().filter(|(_, noon)| all.iter().all(|(_, other)| other == noon))?;
    let date = jiff::tz::Offset::UTC.to_datetime(Timestamp::from_second(*noon).ok()?).date();
    let number = |part: i8| u32::try_from(part).ok();
    Some([u32::try_from(date.year()).ok()?, number(date.month())?, number(date.day())?])
}

/// Whether a time is before an instant, wherever in the world its clock is; `false` where it does not tell its day in numbers.
pub(crate) fn is_before(taken: &Taken, other: FileTime) -> bool {
    /// No clock is further behind UTC, or before it.
    const MOST_FROM_UTC: i64 = 14 * 3_600;
    let Some(other) = to_timestamp(other) else { return false };
    let of_day = i64::from(taken.second_of_day) - DAY_SECONDS / 2;
    let mut known = days(taken).into_iter().peekable();
    known.peek().is_some() && known.all(|(_, noon)| noon + of_day + MOST_FROM_UTC < other.as_second())
}

/// In which order the numbers of a day are taken to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    YearMonthDay,
    MonthDay,
    DayMonth,
}

/// Noon of the days that a time may be of, by UTC in seconds, each with the order of its numbers; none where it does not tell the
/// day in numbers and English words. The name of the day, in English, tells which of them it is.
fn days(taken: &Taken) -> Vec<(Order, i64)> {
    let Some(day) = taken.day.as_deref() else { return Vec::new() };
    let noon = |order: Order, year: u32, month: u32, day: u32| {
        let (year, month, day) = (i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
        let date = jiff::civil::Date::new(year, month, day).ok()?;
        Some((order, jiff::tz::Offset::UTC.to_timestamp(date.at(12, 0, 0, 0)).ok()?.as_second()))
    };
    let all = match (numbers_in(day).as_slice(), english_month(day)) {
        ([year, month, day], None) if YEARS.contains(year) => vec![noon(Order::YearMonthDay, *year, *month, *day)],
        ([one, two, year], None) if YEARS.contains(year) => {
            vec![noon(Order::MonthDay, *year, *one, *two), noon(Order::DayMonth, *year, *two, *one)]
        }
        ([day, year], Some(month)) if YEARS.contains(year) => vec![noon(Order::MonthDay, *year, month, *day)],
        _ => Vec::new(),
    };
    let mut all: Vec<(Order, i64)> = all.into_iter().flatten().collect();
    // The first day of 1970 was a Thursday.
    let weekday = |noon: i64| (noon.div_euclid(DAY_SECONDS) + 4).rem_euclid(7);
    let named = english_weekday(&taken.text);
    if all.iter().any(|(_, noon)| Some(weekday(*noon)) == named) {
        all.retain(|(_, noon)| Some(weekday(*noon)) == named);
    }
    all
}

/// The day of the week that a text names in English, from Sunday.
fn english_weekday(text: &str) -> Option<i64> {
    const DAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
    let words = text.split(|c: char| !c.is_alphabetic()).map(str::to_ascii_lowercase);
    let is_day = |day: &str, word: &str| day == word || (word.len() == 3 && day.starts_with(word));
    let known = words.filter_map(|word| DAYS.iter().position(|day| is_day(day, &word))).next()?;
    i64::try_from(known).ok()
}

/// The month that a day names in English.
fn english_month(day: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let words = day.split(|c: char| !c.is_alphabetic()).map(str::to_ascii_lowercase);
    let is_month = |month: &str, word: &str| word.len() >= 3 && month.starts_with(word);
    let known = words.filter_map(|word| MONTHS.iter().position(|month| is_month(month, &word))).next()?;
    u32::try_from(known + 1).ok()
}

/// The day that a line names, as written.
fn day_in(line: &str) -> Option<String> {
    let date = line.split_whitespace().find(|word| is_date(word));
    // `2026-11-22T14:03:11`: the day without its time.
    date.and_then(|word| word.split('T').next()).map(str::to_owned).or_else(|| eastern_date(line))
}

/// Years that listings are of.
const YEARS: std::ops::RangeInclusive<u32> = 1990..=2099;

/// `Sunday, November 22, 2026`, `2026. 11. 22.`, without the time: a year, a day, at most a month, and words in any language.
fn long_day_in(line: &str) -> Option<String> {
    let is_of_day = |word: &&str| clock(word, false).is_none() && half_of_day(word).is_none();
    let words: Vec<&str> = line.split_whitespace().filter(is_of_day).collect();
    let numbers = numbers_in(&words.join(" "));
    let years = numbers.iter().filter(|number| YEARS.contains(number)).count();
    let others = numbers.iter().filter(|number| (1..=31).contains(*number)).count();
    (years == 1 && (1..=2).contains(&others) && years + others == numbers.len()).then(|| words.join(" "))
}

/// The numbers of a day as written; what is no number of a day is the largest.
fn numbers_in(day: &str) -> Vec<u32> {
    let digits = day.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    digits.map(|digits| digits.parse().unwrap_or(u32::MAX)).collect()
}

/// Whether one of two times may be of the other half of the day, in a language whose words for these are not known: both are of a
/// clock of twelve hours, and what stands behind them differs.
pub(crate) fn may_be_of_other_half(one: &Taken, other: &Taken) -> bool {
    const ONE_IN_THE_AFTERNOON: u32 = 13 * 3600;
    let behind = |taken: &Taken| -> Vec<String> {
        let words = taken.text.split_whitespace().skip_while(|word| clock(word, false).is_none()).skip(1);
        let is_unknown = |word: &&str| word.contains(char::is_alphabetic) && half_of_day(word).is_none();
        words.filter(is_unknown).map(str::to_owned).collect()
    };
    one.second_of_day.max(other.second_of_day) < ONE_IN_THE_AFTERNOON && behind(one) != behind(other)
}

/// How many days lie from one to another as both are written: none, or one; `None` where that is not certain, since day and month
/// stand in an order that is not known.
pub(crate) fn days_between(one: &str, other: &str) -> Option<u32> {
    if one == other {
        return Some(0);
    }
    let (before, after) = (numbers_in(one), numbers_in(other));
    let changed: Vec<(u32, u32)> = before.iter().copied().zip(after.iter().copied()).filter(|(a, b)| a != b).collect();
    let is_next = |(before, after): &(u32, u32)| *after == before.saturating_add(1);
    let ends_month = |(before, after): &(u32, u32)| *after == 1 && (28..=31).contains(before);
    let ends_year = |pair: &(u32, u32)| *pair == (12, 1);
    let is_one_day = before.len() == after.len()
        && match changed.as_slice() {
            // The day alone goes on, or the month has a name. Beside a day that stays, what goes on is a month.
            [pair] => {
                let is_day = !YEARS.contains(&pair.0) && !before.iter().any(|n| (13..=31).contains(n) && *n != pair.0);
                (is_next(pair) && is_day) || (ends_month(pair) && before.len() == 2)
            }
            [_, _] => changed.iter().any(ends_month) && changed.iter().any(is_next),
            [_, _, _] => changed.iter().any(ends_month) && changed.iter().any(ends_year) && changed.iter().any(is_next),
            _ => false,
        };
    is_one_day.then_some(1)
}

/// `2026年11月22日`, `2026년 11월 22일`.
fn eastern_date(line: &str) -> Option<String> {
    [['年', '月', '日'], ['년', '월', '일']].into_iter().find_map(|[year, month, day]| {
        let (before, rest) = line.split_once(year)?;
        let (in_year, rest) = rest.split_once(month)?;
        let (in_month, _) = rest.split_once(day)?;
        let digits: String = before.chars().rev().take_while(char::is_ascii_digit).collect();
        let year: String = digits.chars().rev().collect();
        let is_number = |text: &str| matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
        let (month, day) = (in_year.trim(), in_month.trim());
        (year.len() == 4 && is_number(month) && is_number(day)).then(|| format!("{year}-{month}-{day}"))
    })
}

/// Three numbers with one separator: `11/22/2026`, `22.11.2026`, `2026-11-22`.
fn is_date(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let word = word.split('T').next().unwrap_or(word);
    ['/', '.', '-'].into_iter().any(|separator| {
        let mut parts = 0;
        let all = word.split(separator).all(|part| {
            parts += 1;
            matches!(part.len(), 1 | 2 | 4) && part.bytes().all(|byte| byte.is_ascii_digit())
        });
        all && parts == 3
    })
}

/// Whether a year stands in a date of a line.
fn names_year(line: &str) -> bool {
    line.split_whitespace().any(|word| is_date(word) && numbers_in(word).iter().any(|number| YEARS.contains(number)))
}

/// The first time of day in a line. Without seconds it counts only beside a date, AM or PM, or alone.
fn time_in(line: &str, has_date: bool, is_below_date: bool) -> Option<u32> {
    let mut words = line.split(|c: char| c.is_whitespace() || c == 'T').filter(|word| !word.is_empty()).peekable();
    let alone = line.split_whitespace().nth(1).is_none();
    // In front of the time stand words of other scripts; `Sa` is a day, too.
    let in_front = |word: &str| half_of_day(word).filter(|_| !word.is_ascii()).or_else(|| half_in_front(word));
    let mut before: Option<&str> = None;
    while let Some(whole) = words.next() {
        let last = before.replace(whole);
        let word = whole.trim_start_matches(|c: char| c.is_alphabetic() && !c.is_ascii());
        let is_behind_date = last.is_some_and(names_year) || (is_below_date && alone);
        let Some((hour, rest, has_seconds)) = clock(word, is_behind_date) else { continue };
        let half = words.peek().copied().and_then(half_of_day).or_else(|| last.and_then(in_front));
        if has_seconds || has_date || alone || half.is_some() {
            let half = half.or_else(|| in_front(whole));
            let hour = match half {
                Some(afternoon) if (1..=12).contains(&hour) => hour % 12 + if afternoon { 12 } else { 0 },
                _ => hour,
            };
            return Some(hour * 3600 + rest);
        }
    }
    None
}

/// Words for the halves of the day, without signs: before noon, after noon. Source: the regional settings of Windows.
const HALVES: [(&str, &str); 17] = [
    ("am", "pm"),
    ("오전", "오후"),
    ("上午", "下午"),
    ("午前", "午後"),
    ("πμ", "μμ"),
    ("öö", "ös"),
    ("sa", "ch"),
    ("ص", "م"),
    ("قظ", "بظ"),
    ("de", "du"),
    ("pd", "md"),
    ("dop", "odp"),
    ("fm", "em"),
    ("vm", "nm"),
    ("ap", "ip"),
    ("पूर्वाह्न", "अपराह्न"),
    ("முற்பகல்", "பிற்பகல்"),
];

/// Whether a word says "afternoon" or, `false`, "morning".
fn half_of_day(word: &str) -> Option<bool> {
    if let Some(half) = [("a.", false), ("p.", true)].into_iter().find(|(half, _)| word == *half) {
        return Some(half.1);
    }
    let letters: String =
        word.chars().filter(|c| c.is_alphabetic() || !c.is_ascii()).flat_map(char::to_lowercase).collect();
    let has_digits = word.bytes().any(|byte| byte.is_ascii_digit());
    let halves = HALVES.iter().filter(|_| !has_digits && !letters.is_empty());
    halves
        .flat_map(|(morning, afternoon)| [(morning, false), (afternoon, true)])
        .find_map(|(word, half)| (letters == **word).then_some(half))
}

/// The same, written together with the time: `오후2:03`, `下午2:03`.
fn half_in_front(word: &str) -> Option<bool> {
    let letters: String = word.chars().take_while(|c| !c.is_ascii()).collect();
    let is_time = word.len() > letters.len() && !letters.is_empty();
    is_time.then(|| half_of_day(&letters)).flatten()
}

/// `14:03:11.25`, `9:03:11,25`, `14:03`; also `14.03.11,25`. The hour, the seconds behind it, and whether any were named.
/// Behind a date `14.03.11` is one, too.
fn clock(word: &str, is_behind_date: bool) -> Option<(u32, u32, bool)> {
    let word = word.trim_matches(|c: char| !c.is_ascii_digit());
    let word = word.split(['+', 'Z', '-']).next().unwrap_or(word);
    let number = |text: &str, lengths: std::ops::RangeInclusive<usize>, below: u32| {
        let digits = lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().filter(|number| *number < below)
    };
    let dotted = !word.contains(':');
    let (time, fraction) = match word.rsplit_once([',', if dotted { ',' } else { '.' }]) {
        Some((time, fraction)) => (time, Some(fraction)),
        None => (word, None),
    };
    if fraction.is_some_and(|fraction| !fraction.bytes().all(|byte| byte.is_ascii_digit()))
        || (dotted && fraction.is_none() && !is_behind_date)
    {
        return None;
    }
    let mut parts = time.split(if dotted { '.' } else { ':' });
    let hour = number(parts.next()?, 1..=2, 24)?;
    let minute = number(parts.next()?, 2..=2, 60)?;
    let (seconds, has_seconds) = match parts.next() {
        Some(seconds) => (number(seconds, 2..=2, 60)?, true),
        None => (0, false),
    };
    (parts.next().is_none() && (has_seconds || fraction.is_none())).then_some((
        hour,
        minute * 60 + seconds,
        has_seconds,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(line: &str) -> Option<u32> {
        let mut clock = Clock::default();
        clock.see(line);
        clock.take().map(|taken| taken.second_of_day)
    }

    #[test]
    fn an_instant_is_told_by_its_distance_from_utc() {
        let at = |line: &str| instant(&taken_in(line).unwrap()).map(|time| time.to_string());
        for line in ["2026-11-22T14:13:00Z", "2026-11-22T15:13:00+01:00", "2026-11-22 09:13:00-05:00"] {
            assert_eq!(at(line).as_deref(), Some("2026-11-22T14:13:00.0000000Z"), "{line}");
        }
        assert_eq!(at("2026-11-22 14:13:00"), None);
    }

    #[test]
    fn formats_of_many_languages() {
        let afternoon = 14 * 3600 + 3 * 60 + 11;
        for line in [
            "Tue 11/22/2026 14:03:11.25",
            "22.11.2026 14:03:11,25",
            "2026-11-22 14:03:11.25",
            "22/11/2026 14:03:11.25",
            "22.11.2026 14.03.11,25",
            "22.11.2026 14.03.11",
            "22-11-2026 14.03.11",
            "su 22/11/2026 14.03.11",
            "Tuesday, November 22, 2026 2:03:11 PM",
            "2026-11-22T14:03:11.2512345+01:00",
            "2026/11/22 14:03:11.25",
            "The current time is: 14:03:11.25",
            "[14:03:11] netstat",
        ] {
            assert_eq!(second(line), Some(afternoon), "{line}");
        }
        assert_eq!(second("Mon 11/23/2026  9:03:11.25"), Some(9 * 3600 + 191));
        for line in [
            "2026년 11월 22일 일요일 오후 2:03:11",
            "2026年11月22日 下午2:03:11",
            "2026/11/22 午後 2:03:11",
            "22/11/2026 2:03:11 μμ",
            "22/11/2026 2:03:11 p. m.",
            "22.11.2026 ÖS 2:03:11",
        ] {
            assert_eq!(second(line), Some(afternoon), "{line}");
        }
        assert_eq!(taken_in("2026년 11월 22일 일요일 오전 11:53:11").unwrap().day.as_deref(), Some("2026-11-22"));
        for (line, day) in [
            ("Sunday, November 22, 2026 11:53:11 PM", "Sunday, November 22, 2026"),
            ("dimanche 22 novembre 2026 14:03:11", "dimanche 22 novembre 2026"),
            ("2026. 11. 22. 14:03:11,25", "2026. 11. 22."),
            ("2026. november 22., vasárnap 14:03:11", "2026. november 22., vasárnap"),
        ] {
            assert_eq!(taken_in(line).unwrap().day.as_deref(), Some(day), "{line}");
        }
        assert_eq!(second("2026년 11월 22일 일요일 오전 11:53:11"), Some(11 * 3600 + 53 * 60 + 11));
        assert_eq!(taken_in("20261122140311.251234+060").map(|taken| taken.second_of_day), Some(afternoon));
        for epoch in ["/Date(1795356191000)/", "1795356191000", "1795356191"] {
            let taken = taken_in(epoch).unwrap();
            assert_eq!((taken.text.as_str(), taken.second_of_day), ("2026-11-22T14:03:11Z", afternoon), "{epoch}");
        }
        assert_eq!(second("12:00 AM"), Some(0));
        assert_eq!(second("12:30 PM"), Some(45_000));
        assert_eq!(second("14:03"), Some(14 * 3600 + 180));
    }

    #[test]
    fn days_follow_each_other_where_that_is_certain() {
        for (one, other, days) in [
            ("22.11.2026", "22.11.2026", Some(0)),
            ("22.11.2026", "23.11.2026", Some(1)),
            ("11/22/2026", "11/23/2026", Some(1)),
            ("11/30/2026", "12/01/2026", Some(1)),
            ("2026-12-31", "2027-01-01", Some(1)),
            ("Sunday, November 22, 2026", "Monday, November 23, 2026", Some(1)),
            ("30. November 2026", "1. Dezember 2026", Some(1)),
            ("Thursday, December 31, 2026", "Friday, January 1, 2027", Some(1)),
            ("20.11.2026", "23.11.2026", None),
            ("23.11.2026", "22.11.2026", None),
            ("22. November 2026", "22. Dezember 2026", None),
            ("30.11.2026", "02.12.2026", None),
            ("22.11.2026", "22.12.2026", None),
            ("22.11.2026", "22.11.2027", None),
            ("22.11.2026", "2026-11-23", None),
        ] {
            assert_eq!(days_between(one, other), days, "{one} {other}");
        }
    }

    #[test]
    fn a_time_is_later_where_that_is_certain() {
        let is_later = |one: &str, other: &str| is_later(&taken_in(one).unwrap(), &taken_in(other).unwrap(), 60);
        for (one, other) in [
            ("11/22/2026 2:58:02 PM", "Sun 11/22/2026 11:03:11.25"),
            ("22.11.2026 14:58:02", "22.11.2026 11:03:11,25"),
            ("20261122145802.123456+060", "Sun 11/22/2026 11:03:11.25"),
            ("11/22/2026 2:58:02 PM", "Sunday, November 22, 2026 11:03:11 AM"),
            ("2026-11-22T14:58:02+01:00", "11/22/2026 11:03:11"),
            ("11/23/2026 2:00:00 AM", "11/22/2026 11:03:11 PM"),
            ("Sent: Sunday, November 22, 2026 2:03 PM", "On Sat, Nov 21, 2026 at 2:03 PM"),
            ("04/12/2026 10:00:00", "04/11/2026 11:00:00"),
        ] {
            assert!(is_later(one, other), "{one} {other}");
            assert!(!is_later(other, one), "{other} {one}");
        }
        let date = |text: &str| date(&taken_in(text).unwrap());
        assert_eq!(date("Sun 11/22/2026 12:00:01.25"), Some([2026, 11, 22]));
        assert_eq!(date("05.05.2026 12:00:01"), Some([2026, 5, 5]));
        assert_eq!(date("04/05/2026 12:00:01"), None);
        assert_eq!(date("Mon 03/09/2026 10:00:00.25"), Some([2026, 3, 9]));
        assert_eq!(date("Thu 03/09/2026 10:00:00.25"), Some([2026, 9, 3]));
        for (one, other) in [
            ("11/22/2026 11:03:41", "11/22/2026 11:03:11"),
            ("04/05/2026 10:00:00", "2026-04-20 10:00:00"),
            ("2026-11-22T14:58:02Z", "11/22/2026 11:03:11"),
            ("14:58:02", "11:03:11"),
            ("22 novembre 2026 14:58:02", "11/21/2026 11:03:11"),
        ] {
            assert!(!is_later(one, other), "{one} {other}");
        }
    }

    #[test]
    fn unknown_halves_of_the_day_are_told_by_their_change() {
        let may_be = |one, other| may_be_of_other_half(&taken_in(one).unwrap(), &taken_in(other).unwrap());
        assert!(may_be("22.11.2026 9:03:11 e paradites", "22.11.2026 10:03:11 e pasdites"));
        assert!(!may_be("22.11.2026 9:03:11 e paradites", "22.11.2026 10:03:11 e paradites"));
        assert!(!may_be("22.11.2026 9:03:11 AM", "22.11.2026 10:03:11 PM"));
        assert!(!may_be("22.11.2026 9:03:11 before", "22.11.2026 14:03:11 after"));
        assert!(!may_be("22.11.2026 9:03:11 round 1", "22.11.2026 10:03:11 round 2"));
    }

    #[test]
    fn what_is_no_time() {
        for line in
            ["25:00:00", "14:60:11", "1:2:3", "ratio 16:10 of", "22.11.2026", "10.1.2.3", "::1", "a:b:c", "14:03:11:22"]
        {
            assert_eq!(second(line), None, "{line}");
        }
    }

    #[test]
    fn a_date_on_a_line_of_its_own_belongs_to_the_time() {
        let mut clock = Clock::default();
        assert!(!clock.see("Tue 11/22/2026"));
        assert!(clock.see("02:03 PM"));
        let taken = clock.take().unwrap();
        assert_eq!((taken.text.as_str(), taken.second_of_day), ("Tue 11/22/2026 02:03 PM", 14 * 3600 + 180));
        assert_eq!(clock.take(), None, "one time for one listing");
        clock.see("22.11.2026");
        assert!(clock.see("9.03.11"));
        let taken = clock.take().unwrap();
        assert_eq!((taken.day.as_deref(), taken.second_of_day), (Some("22.11.2026"), 9 * 3600 + 191));
    }

    #[test]
    fn a_time_far_above_is_another_matter() {
        let mut clock = Clock::default();
        clock.see("Boot: 11/22/2026, 9:01:11");
        for _ in 0..=MAX_LINES_BEFORE {
            clock.see("something else");
        }
        assert_eq!(clock.take(), None);
    }
}
