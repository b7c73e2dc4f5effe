//! Tables: the default one of `Get-NetTCPConnection` and `Get-NetUDPEndpoint`, and that of `Group-Object`.

use super::{Column, Content, Listing, PowerShell};
use crate::net::Protocol;
use crate::side::facts::{ListedOwner, ListedSocket, TcpState};
use crate::side::taken::Clock;

/// The heading of a table that is known.
#[derive(Debug)]
pub(super) enum Heading {
    /// Columns in their order.
    Sockets(Vec<Column>, Content),
    /// `Count Name`, and whether a name of the process follows.
    Groups { process_name: bool },
}

impl Heading {
    pub(super) fn of(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().take(16).collect();
        if let ["Count", "Name", rest @ ..] = words.as_slice() {
            return Some(Self::Groups { process_name: rest.first() == Some(&"ProcessName") });
        }
        let columns: Vec<Column> = words.into_iter().map(Column::named).collect();
        let content = Content::of(&columns).filter(|content| *content != Content::Processes)?;
        Some(Self::Sockets(columns, content))
    }
}

/// Reads the rows of a table, whose heading stands before `text`; gives the text behind it.
pub(super) fn read<'t>(heading: &Heading, text: &'t str, found: &mut PowerShell, clock: &mut Clock) -> &'t str {
    let mut rest = text;
    let mut unread = 0_u64;
    let (mut tcp, mut udp) = (Listing::default(), Listing::default());
    while let Some((line, behind)) = super::next_line(rest) {
        let line = line.trim();
        // A table ends with a blank line.
        if line.is_empty() {
            break;
        }
        rest = behind;
        if line.bytes().all(|byte| matches!(byte, b'-' | b' ')) {
            continue;
        }
        let is_read = match heading {
            Heading::Sockets(columns, content) => {
                let protocol = if *content == Content::Udp { Protocol::Udp } else { Protocol::Tcp };
                let listing = if *content == Content::Udp { &mut udp } else { &mut tcp };
                socket(protocol, columns, line).map(|socket| listing.sockets.push(socket))
            }
            Heading::Groups { process_name } => group(line, *process_name).map(|(socket, image)| {
                let listing = if socket.protocol == Protocol::Udp { &mut udp } else { &mut tcp };
                if let (Some(pid), Some(image)) = (socket.pid, image) {
                    listing.owners.entry(pid).or_insert(ListedOwner { image: Some(image), services: Vec::new() });
                }
                listing.sockets.push(socket);
            }),
        };
        unread = unread.saturating_add(u64::from(is_read.is_none()));
    }
    // Anything can be grouped: where no group is one of sockets, there is nothing to miss.
    if tcp.sockets.is_empty() && udp.sockets.is_empty() {
        return rest;
    }
    found.unread = found.unread.saturating_add(unread);
    let taken = clock.take();
    for (listing, listings) in [(tcp, &mut found.tcp), (udp, &mut found.udp)] {
        if let Some(mut listing) = listing.finish(&mut Clock::default()) {
            listing.taken.clone_from(&taken);
            listings.push(listing);
        }
    }
    rest
}

/// A row has a word in each column; the applied setting alone may be missing.
fn socket(protocol: Protocol, columns: &[Column], line: &str) -> Option<ListedSocket> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_whole = words.len() == columns.len();
    let is_short = words.len() + 1 == columns.len() && columns.contains(&Column::AppliedSetting);
    if !is_whole && !is_short {
        return None;
    }
    let there = |column: &Column| is_whole || *column != Column::AppliedSetting;
    super::socket(protocol, |wanted| {
        let at = columns.iter().filter(|column| there(column)).position(|column| *column == wanted)?;
        words.get(at).copied()
    })
}

/// `5143 Bound, 7312  EAConnect  {MSFT_NetTCPConnection (InstanceID = "...`; the name may also be a state or an owner alone.
fn group(line: &str, process_name: bool) -> Option<(ListedSocket, Option<String>)> {
    let (count, rest) = line.split_once(char::is_whitespace)?;
    let count = count.parse().ok()?;
    let (name, members) = rest.split_once('{').unwrap_or((rest, ""));
    let name = name.trim();
    let is_udp = members.starts_with("MSFT_NetUDPEndpoint");
    let (first, behind) = name.split_once(char::is_whitespace).unwrap_or((name, ""));
    let known = |word: &str| TcpState::from_word(word).filter(|_| !word.bytes().all(|byte| byte.is_ascii_digit()));
    let (state, pid, behind) = match first.strip_suffix(',') {
        // Name and id in the order in which the properties were given.
        Some(first) => {
            let behind = behind.trim_start();
            let (second, behind) = behind.split_once(char::is_whitespace).unwrap_or((behind, ""));
            match (first.parse::<u32>(), second.parse::<u32>()) {
                (Err(_), Ok(pid)) => (Some(TcpState::named(first)), Some(pid), behind),
                (Ok(pid), Err(_)) => (Some(TcpState::named(second)), Some(pid), behind),
                _ => return None,
            }
        }
        None => match first.parse::<u32>() {
            Ok(pid) if members.starts_with("MSFT_Net") => (None, Some(pid), behind),
            Ok(_) => return None,
            Err(_) => (Some(known(first)?), None, behind),
        },
    };
    let image = Some(behind.trim()).filter(|image| process_name && !image.is_empty());
    let protocol = if is_udp { Protocol::Udp } else { Protocol::Tcp };
    let state = state.filter(|_| !is_udp);
    let socket = ListedSocket { protocol, family: None, local: None, remote: None, state, pid, count };
    Some((socket, image.map(str::to_owned)))
}
