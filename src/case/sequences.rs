//! Listings that were written one after the other, each to a file of its own with date and time in its name or above the listing:
//! they are moments of one question, as the listings of a loop are that stand in one file.

use std::collections::BTreeMap;

use super::contents::Contents;
use super::stamps::{Stamp, stamp};
use crate::event::base_name;
use crate::side::date;
use crate::side::facts::{SocketListing, SourceId, TcpState};
use crate::words::{counted, shown};

/// Listings of a kind that are no further apart may have been asked for at one moment.
const SAME_MOMENT_SECONDS: u32 = 300;

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
            files.entry(question).or_default().push((source, Stamp { date: date(&taken), taken }));
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
            one.taken.day == other.taken.day
                && other.taken.second_of_day.saturating_sub(one.taken.second_of_day) < SAME_MOMENT_SECONDS
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
