//! Dates and times in the names of files and folders.

use crate::side::facts::Taken;

/// Characters that may stand between the parts of a date and a time, at most.
const MAX_SEPARATOR: usize = 3;

/// Numbers of digits that make a date and a time, side by side. Those of a year come first, but where that is not known.
const FORMS: [(&[usize], &[usize]); 12] = [
    (&[4, 2, 2], &[2, 2, 2]),
    (&[2, 2, 4], &[2, 2, 2]),
    (&[4, 2, 2], &[2, 2]),
    (&[2, 2, 4], &[2, 2]),
    (&[4, 2, 2], &[6]),
    (&[2, 2, 4], &[6]),
    (&[4, 2, 2], &[4]),
    (&[2, 2, 4], &[4]),
    (&[8], &[2, 2, 2]),
    (&[8], &[2, 2]),
    (&[8], &[6]),
    (&[8], &[4]),
];

/// Date and time without anything between, by how many digits they have.
const JOINED: [usize; 2] = [14, 12];

/// Year, month and day.
pub(super) type Day = [u32; 3];

/// A date and a time in the name of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Year, month and day; `None` where it does not begin with the year: then which number is the day is not known.
    pub(super) date: Option<Day>,
    pub(super) taken: Taken,
}

impl Stamp {
    /// Where it is known to be earlier than another.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        let is_same_day = self.taken.day == other.taken.day;
        let is_earlier_day = self.date.zip(other.date).is_some_and(|(one, other)| one < other);
        is_earlier_day || (is_same_day && self.taken.second_of_day < other.taken.second_of_day)
    }
}

/// A path without the dates and times in it, and the last of these.
pub(super) fn stamp(path: &str) -> Option<(String, Stamp)> {
    let runs = runs(path);
    let (mut name, mut last) = (String::new(), None);
    let (mut behind, mut at) = (0, 0);
    while let Some(rest) = runs.get(at..).filter(|rest| !rest.is_empty()) {
        let Some((count, stamp)) = stamp_at(path, rest) else {
            at += 1;
            continue;
        };
        let (start, end) = (rest.first()?.0, rest.get(count - 1)?.1);
        name.push_str(path.get(behind..start)?);
        name.push('#');
        (behind, last) = (end, Some(stamp));
        at += count;
    }
    name.push_str(path.get(behind..)?);
    Some((name, last?))
}

/// The day in a path that begins with its year, with a time behind it or without.
pub(super) fn day(path: &str) -> Option<Day> {
    if let Some((_, stamp)) = stamp(path) {
        return stamp.date;
    }
    let runs = runs(path);
    let of = |form: &[usize]| {
        let date = |found: &&[(usize, usize)]| {
            let is_form = found.iter().zip(form).all(|((from, to), length)| to - from == *length);
            (is_form && are_close(path, found)).then(|| digits(path, found))
        };
        runs.windows(form.len()).filter_map(|found| of_digits(&date(&found)?, true, "0000")?.date).next_back()
    };
    of(&[4, 2, 2]).or_else(|| of(&[8]))
}

/// The places of the runs of digits.
fn runs(path: &str) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, _) in path.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_digit()) {
        match runs.last_mut() {
            Some((_, end)) if *end == at => *end = at + 1,
            _ => runs.push((at, at + 1)),
        }
    }
    runs
}

/// A date with a time that begins with the first of these runs, and of how many it is.
fn stamp_at(path: &str, runs: &[(usize, usize)]) -> Option<(usize, Stamp)> {
    let (from, to) = *runs.first()?;
    if JOINED.contains(&(to - from)) {
        let all = digits(path, runs.get(..1)?);
        let (date, time) = all.split_at_checked(8)?;
        return Some((1, of_digits(date, true, time)?));
    }
    FORMS.iter().find_map(|(date, time)| {
        let count = date.len() + time.len();
        let found = runs.get(..count)?;
        let is_form = found.iter().zip(date.iter().chain(*time)).all(|((from, to), length)| to - from == *length);
        let (of_date, of_time) = found.split_at_checked(date.len()).filter(|_| is_form && are_close(path, found))?;
        Some((count, of_digits(&digits(path, of_date), date.first() != Some(&2), &digits(path, of_time))?))
    })
}

/// The digits of runs.
fn digits(path: &str, runs: &[(usize, usize)]) -> String {
    runs.iter().filter_map(|(from, to)| path.get(*from..*to)).collect()
}

/// Whether runs stand as close as the parts of one time do.
fn are_close(path: &str, runs: &[(usize, usize)]) -> bool {
    runs.windows(2).all(|pair| {
        let [(_, end), (start, _)] = pair else { return false };
        let between = path.get(*end..*start).unwrap_or_default();
        between.len() <= MAX_SEPARATOR && !between.contains(['/', '\\', ':'])
    })
}

/// Of eight digits of a date and four or six of a time.
fn of_digits(date: &str, begins_with_year: bool, time: &str) -> Option<Stamp> {
    let part = |text: &str, from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse::<u32>().ok());
    let year_first = [part(date, 0, 4)?, part(date, 4, 6)?, part(date, 6, 8)?];
    let numbers = if begins_with_year { year_first } else { [part(date, 4, 8)?, part(date, 0, 2)?, part(date, 2, 4)?] };
    let [year, one, other] = numbers;
    let is_day = |month: u32, day: u32| (1..=12).contains(&month) && (1..=31).contains(&day);
    let is_date = (1990..=2099).contains(&year) && (is_day(one, other) || (!begins_with_year && is_day(other, one)));
    let (hour, minute) = (part(time, 0, 2)?, part(time, 2, 4)?);
    let second = if time.len() < 6 { 0 } else { part(time, 4, 6)? };
    (is_date && hour < 24 && minute < 60 && second < 60).then(|| {
        let day = if begins_with_year { format!("{year}-{one:02}-{other:02}") } else { date.to_owned() };
        Stamp {
            date: begins_with_year.then_some(numbers),
            taken: Taken {
                text: format!("{day} {hour:02}:{minute:02}:{second:02}"),
                day: Some(day),
                second_of_day: hour * 3600 + minute * 60 + second,
            },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_found_in_names() {
        let time = |path: &str| stamp(path).map(|(name, stamp)| (name, stamp.taken.text));
        let found = |name: &str, text: &str| Some((name.to_owned(), text.to_owned()));
        let text = "2026-11-22 14:03:11";
        for (path, name) in [
            ("a/netstat_20261122_140311.txt", "a/netstat_#.txt"),
            ("a/netstat-2026-11-22T14-03-11Z.txt", "a/netstat-#Z.txt"),
            ("a/20261122140311 netstat.txt", "a/# netstat.txt"),
            ("2026.11.22_14.03.11/netstat.txt", "#/netstat.txt"),
            ("20261122_1300/netstat_20261122-140311.txt", "#/netstat_#.txt"),
            ("SRV01_20261122 - 14h03m11.txt", "SRV01_#.txt"),
        ] {
            assert_eq!(time(path), found(name, text), "{path}");
        }
        assert_eq!(time("netstat_20261122_1403.txt"), found("netstat_#.txt", "2026-11-22 14:03:00"));
        assert_eq!(time("netstat_22.11.2026_14-03.txt"), found("netstat_#.txt", "22112026 14:03:00"));
        for path in [
            "netstat_1433.txt",
            "netstat2.txt",
            "10.0.0.17_netstat.txt",
            "netstat_20261322_1403.txt",
            "netstat_20261122.txt",
            "20261122/1403.txt",
            "netstat_20261122_2503.txt",
            "build-10.0.20348.2113_1403.txt",
        ] {
            assert_eq!(time(path), None, "{path}");
        }
    }

    #[test]
    fn a_day_needs_no_time() {
        let text = |path| day(path).map(|[year, month, day]| format!("{year}-{month}-{day}"));
        for path in ["tasklist_20261122.txt", "2026-11-22/tasklist.txt", "tasklist-2026-11-22 14.03.11.txt"] {
            assert_eq!(text(path).as_deref(), Some("2026-11-22"), "{path}");
        }
        for path in ["tasklist_22112026.txt", "tasklist_12345678.txt", "netstat.txt", "10.20.0.5.txt"] {
            assert_eq!(text(path), None, "{path}");
        }
    }

    #[test]
    fn days_whose_numbers_are_in_an_unknown_order_are_not_put_in_order() {
        let of = |path: &str| stamp(path).unwrap().1;
        let is_before = |one: &str, other: &str| of(one).is_before(&of(other));
        assert!(is_before("22-11-2026_14-03.txt", "22-11-2026_14-13.txt"));
        assert!(!is_before("03-11-2026_23-58.txt", "04-11-2026_00-08.txt"));
        assert!(is_before("2026-11-03_23-58.txt", "2026-11-04_00-08.txt"));
        assert!(!is_before("2026-11-03_23-58.txt", "2026-11-03_23-58.txt"));
    }
}
