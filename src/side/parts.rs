//! Listings of which a command has picked rows: what they do not show may be there all the same.

use std::collections::{BTreeSet, HashSet};

use super::facts::SocketListing;

/// Commands behind a pipe that pass on some of the lines.
const PICKERS: [&str; 12] =
    ["find", "findstr", "select-string", "sls", "grep", "egrep", "where", "where-object", "?", "head", "tail", "rg"];

/// Words behind `Select-Object` that leave rows out; `-Skip` mostly takes off a heading.
const SELECTED: [&str; 4] = ["-first", "-last", "-f", "-l"];

/// Words behind `Get-NetTCPConnection` that leave rows out.
const ASKED_FOR: [&str; 6] =
    ["-state", "-localport", "-remoteport", "-localaddress", "-remoteaddress", "-owningprocess"];

/// What a command asks for, and how it picks from that; `None` where it shows all.
pub(super) fn picked(asked: &str) -> Option<(&str, &str)> {
    let (asks, rest) = asked.split_once('|').unwrap_or((asked, ""));
    let picks = |part: &str| {
        let mut words = part.split_whitespace();
        let first = words.next().unwrap_or("");
        let first = first.strip_suffix(".exe").unwrap_or(first);
        let selects = matches!(first, "select" | "select-object") && words.any(|word| SELECTED.contains(&word));
        PICKERS.contains(&first) || first.starts_with("?{") || selects
    };
    if rest.split('|').any(picks) {
        return Some((asks.trim(), rest.trim()));
    }
    let is_get = asks.trim_start().starts_with("get-net");
    let at = ASKED_FOR.iter().filter_map(|word| asks.find(&format!(" {word} "))).min()?;
    is_get.then(|| asks.split_at_checked(at)).flatten().map(|(asks, picks)| (asks.trim(), picks.trim()))
}

/// Joins listings side by side that picked different rows of the same: `| findstr CLOSE_WAIT`, and then `| findstr TIME_WAIT`.
/// One that picks what was picked before is another moment, as is one with a time above it.
pub(super) fn joined(listings: Vec<SocketListing>) -> Vec<SocketListing> {
    let mut all: Vec<SocketListing> = Vec::with_capacity(listings.len());
    let mut picks: BTreeSet<String> = BTreeSet::new();
    for listing in listings {
        let now = listing.asked.as_deref().and_then(picked).map(|(asks, picks)| (asks.to_owned(), picks.to_owned()));
        let before = all.last_mut().filter(|before| {
            let asks = before.asked.as_deref().and_then(picked).map(|(asks, _)| asks);
            let is_same = now.as_ref().is_some_and(|(now, pick)| asks == Some(now.as_str()) && !picks.contains(pick));
            is_same && listing.taken.is_none() && listing.host == before.host && !listing.is_of_other_machine(before)
        });
        match (before, now) {
            (Some(before), now) => {
                join(before, listing);
                picks.extend(now.map(|(_, pick)| pick));
            }
            (None, now) => {
                picks = now.map(|(_, pick)| pick).into_iter().collect();
                all.push(listing);
            }
        }
    }
    all
}

/// Adds the rows of another part, those aside that both have.
fn join(before: &mut SocketListing, mut part: SocketListing) {
    let known: HashSet<_> = before.sockets.iter().map(|socket| (socket.local, socket.remote, socket.pid)).collect();
    part.sockets.retain(|socket| {
        let is_known = socket.local.is_some() && known.contains(&(socket.local, socket.remote, socket.pid));
        !is_known
    });
    const OTHERS: &str = ", and others";
    if let Some(asked) = before.asked.as_mut().filter(|asked| !asked.ends_with(OTHERS)) {
        asked.push_str(OTHERS);
    }
    before.join(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_pick_rows_are_known() {
        for (asked, want) in [
            ("netstat -ano | findstr 2840", Some(("netstat -ano", "findstr 2840"))),
            ("netstat -ano|find.exe \"close_wait\"", Some(("netstat -ano", "find.exe \"close_wait\""))),
            ("netstat -ano | select -first 500", Some(("netstat -ano", "select -first 500"))),
            ("get-nettcpconnection -state established | ft", Some(("get-nettcpconnection", "-state established"))),
            ("get-nettcpconnection | ? state -eq bound | ft", Some(("get-nettcpconnection", "? state -eq bound | ft"))),
            ("get-nettcpconnection | select localport,state | sort localport", None),
            ("netstat -ano", None),
            ("netstat -ano > c:\\case\\find.txt", None),
        ] {
            assert_eq!(picked(asked), want, "{asked}");
        }
    }

    #[test]
    fn parts_of_one_question_are_one_listing() {
        let text = |picks: &[(&str, u16)]| -> String {
            let rows = |state: &str, from: u16| -> String {
                (from..from + 5)
                    .map(|port| format!("  TCP    10.0.0.5:{port}   10.0.0.9:1433   {state}   7312\n"))
                    .collect()
            };
            picks
                .iter()
                .map(|(state, from)| format!("C:\\>netstat -ano | findstr {state}\n{}\n", rows(state, *from)))
                .collect()
        };
        let counts = |picks: &[(&str, u16)]| {
            let found = crate::side::recognise(text(picks).as_bytes(), "a.txt");
            found
                .iter()
                .flat_map(|found| &found.facts.listings)
                .map(|listing| listing.sockets.len())
                .collect::<Vec<_>>()
        };
        assert_eq!(counts(&[("CLOSE_WAIT", 50_000), ("ESTABLISHED", 51_000), ("TIME_WAIT", 52_000)]), [15]);
        assert_eq!(counts(&[("CLOSE_WAIT", 50_000), ("ESTABLISHED", 51_000), ("CLOSE_WAIT", 50_000)]), [10, 5]);
        assert_eq!(counts(&[("CLOSE_WAIT", 50_000), ("7312", 50_000)]), [5]);
    }
}
