//! Listings that were written one after the other, each to a file of its own with date and time in its name or above the listing:
//! they are moments of one question, as the listings of a loop are that stand in one file.

use std::collections::BTreeMap;

use super::contents::Contents;
use crate::event::base_name;
use crate::side::facts::{SocketListing, SourceId, Taken, TcpState};
use crate::words::{counted, shown};

/// Characters that may stand between the parts of a date and a time, at most.
const MAX_SEPARATOR: usize = 3;

/// Listings of a kind that are no further apart may have been asked for at one moment.
const SAME_MOMENT_SECONDS: u32 = 300;

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

/// A date and a time in the name of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    /// Year, month and day; `None` where it does not begin with the year: then which number is the day is not known.
    date: Option<[u32; 3]>,
    taken: Taken,
}

impl Stamp {
    /// Where it is known to be earlier than another.
    fn is_before(&self, other: &Self) -> bool {
        let is_same_day = self.taken.day == other.taken.day;
        let is_earlier_day = self.date.zip(other.date).is_some_and(|(one, other)| one < other);
        is_earlier_day || (is_same_day && self.taken.second_of_day < other.taken.second_of_day)
    }
}

/// What the files of a sequence have in common: all of their names but for the times in them, or what they are and whether they
/// show sockets that are only bound.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    Name(String),
    Kind(&'static str, bool),
}

/// Puts the listings of such files in order, and says that they belong together.
pub(super) fn settle(contents: &mut Contents) {
    let mut files: BTreeMap<Question, Vec<(SourceId, Stamp)>> = BTreeMap::new();
    for (source, input) in contents.side_inputs.iter().enumerate() {
        let of_file: Vec<&SocketListing> = listings_of(&contents.side.listings, source).collect();
        if of_file.is_empty() || !is_one_moment(&of_file) {
            continue;
        }
        if let Some((name, stamp)) = stamp(&input.path) {
            files.entry(Question::Name(name)).or_default().push((source, stamp));
        } else if let Some(taken) =
            of_file.first().and_then(|first| first.taken.clone().filter(|taken| taken.day.is_some()))
        {
            let has_bound =
                of_file.iter().flat_map(|listing| &listing.sockets).any(|socket| socket.state == Some(TcpState::Bound));
            let question = Question::Kind(input.kind, has_bound);
            files.entry(question).or_default().push((source, Stamp { date: None, taken }));
        }
    }
    for (question, mut files) in files {
        files.sort_by(|(_, one), (_, other)| {
            let key = |stamp: &Stamp| (stamp.date, stamp.taken.second_of_day);
            key(one).cmp(&key(other))
        });
        let is_in_order = files.is_sorted_by(|(_, one), (_, other)| one.is_before(other));
        let listings = &contents.side.listings;
        let is_other = |pair: &[(SourceId, Stamp)]| {
            let [(one, _), (other, _)] = pair else { return false };
            let pair = listings_of(listings, *one).next().zip(listings_of(listings, *other).next());
            pair.is_some_and(|(one, other)| other.is_of_other_machine(one))
        };
        // Several commands of one moment take some minutes.
        let is_close = |pair: &[(SourceId, Stamp)]| {
            let [(_, one), (_, other)] = pair else { return false };
            other.taken.second_of_day.saturating_sub(one.taken.second_of_day) < SAME_MOMENT_SECONDS
        };
        let is_of_names = matches!(question, Question::Name(_));
        let is_several = is_of_names || !files.windows(2).any(is_close);
        if files.len() > 1 && is_in_order && is_several && !files.windows(2).any(is_other) {
            join(contents, &files, if is_of_names { "in their names" } else { "above them" });
        }
    }
}

/// Says of which sequence listings are, and when they were taken; puts them in order.
fn join(contents: &mut Contents, files: &[(SourceId, Stamp)], place_of_times: &str) {
    let sequence = files.iter().map(|(source, _)| *source).min();
    let listings = &mut contents.side.listings;
    let place = |listing: &SocketListing| files.iter().position(|(source, _)| *source == listing.source);
    let mut of_sequence: Vec<(usize, SocketListing)> = Vec::new();
    let mut at = 0;
    listings.retain_mut(|listing| {
        let found = place(listing);
        if let Some(number) = found {
            of_sequence.push((number, std::mem::take(listing)));
        } else if of_sequence.is_empty() {
            at += 1;
        }
        found.is_none()
    });
    // Stable: the listings of a file stay in their order.
    of_sequence.sort_by_key(|(number, _)| *number);
    let mut before = None;
    for (number, listing) in &mut of_sequence {
        listing.sequence = sequence;
        let is_first = before.replace(*number) != Some(*number);
        if let Some((_, stamp)) = files.get(*number).filter(|_| is_first && listing.taken.is_none()) {
            listing.taken = Some(stamp.taken.clone());
        }
    }
    listings.splice(at..at, of_sequence.into_iter().map(|(_, listing)| listing));
    let paths = |at: Option<&(SourceId, Stamp)>| at.and_then(|(source, _)| contents.side_inputs.get(*source));
    if let Some((first, last)) = paths(files.first()).zip(paths(files.last())) {
        let (first, last) = (first.path.clone(), last.path.clone());
        contents.notes.push(format!(
            "{} to {}: {} in the order of the times {place_of_times}",
            shown(&first),
            shown(base_name(&last)),
            counted(files.len() as u64, "listing"),
        ));
        contents.named_in_notes.extend([first, last]);
    }
}

fn listings_of(listings: &[SocketListing], source: SourceId) -> impl Iterator<Item = &SocketListing> {
    listings.iter().filter(move |listing| listing.source == source)
}

/// Whether nothing in a file says that its listings are of several moments.
fn is_one_moment(listings: &[&SocketListing]) -> bool {
    let is_asked_again = |at: usize, listing: &SocketListing| {
        let later = listings.get(at + 1..).unwrap_or_default();
        listing.asked.is_some() && later.iter().any(|other| other.asked == listing.asked)
    };
    let has_later_time = listings.iter().skip(1).any(|listing| listing.taken.is_some());
    !has_later_time && !listings.iter().enumerate().any(|(at, listing)| is_asked_again(at, listing))
}

/// A path without the dates and times in it, and the last of these.
fn stamp(path: &str) -> Option<(String, Stamp)> {
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
    let digits =
        |runs: &[(usize, usize)]| -> String { runs.iter().filter_map(|(from, to)| path.get(*from..*to)).collect() };
    let (from, to) = *runs.first()?;
    if JOINED.contains(&(to - from)) {
        let all = digits(runs.get(..1)?);
        let (date, time) = all.split_at_checked(8)?;
        return Some((1, of_digits(date, true, time)?));
    }
    FORMS.iter().find_map(|(date, time)| {
        let count = date.len() + time.len();
        let found = runs.get(..count)?;
        let is_form = found.iter().zip(date.iter().chain(*time)).all(|((from, to), length)| to - from == *length);
        let is_close = found.windows(2).all(|pair| {
            let [(_, end), (start, _)] = pair else { return false };
            let between = path.get(*end..*start).unwrap_or_default();
            between.len() <= MAX_SEPARATOR && !between.contains(['/', '\\', ':'])
        });
        let (of_date, of_time) = found.split_at_checked(date.len()).filter(|_| is_form && is_close)?;
        Some((count, of_digits(&digits(of_date), date.first() != Some(&2), &digits(of_time))?))
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
    fn days_whose_numbers_are_in_an_unknown_order_are_not_put_in_order() {
        let of = |path: &str| stamp(path).unwrap().1;
        let is_before = |one: &str, other: &str| of(one).is_before(&of(other));
        assert!(is_before("22-11-2026_14-03.txt", "22-11-2026_14-13.txt"));
        assert!(!is_before("03-11-2026_23-58.txt", "04-11-2026_00-08.txt"));
        assert!(is_before("2026-11-03_23-58.txt", "2026-11-04_00-08.txt"));
        assert!(!is_before("2026-11-03_23-58.txt", "2026-11-03_23-58.txt"));
    }
}
