//! What must hold for every listing whose rows are known: each is counted as what it is, or told to be not understood, and
//! nothing is there that was not written.

use std::collections::BTreeSet;

use outofports::net::Protocol;
use outofports::side::facts::{ListedSocket, SideFacts, TcpState};
use outofports::side::{Recognised, recognise};
use synth::listing::{Listing, Socket};

/// What a row is known by: protocol, local port, state and PID.
type Row = (bool, u16, Option<String>, u32);

/// Reads a listing, and holds it against what was written; gives how many rows were read. Of a file in which nothing is
/// recognised, reports say so.
pub fn check(listing: &Listing) -> usize {
    let found = recognise(&listing.bytes, "listing.txt");
    if found.is_empty() {
        return 0;
    }
    let shown = || format!("{}\n{}\n{found:?}", listing.form, String::from_utf8_lossy(&listing.bytes));
    let mut written: Vec<Row> = listing.sockets.iter().filter_map(|socket| row(socket, listing)).collect();
    let count = written.len();
    let sockets = found.iter().flat_map(|found| &found.facts.listings).flat_map(|listing| &listing.sockets);
    for socket in sockets {
        assert!(socket.count == 1 || listing.is_grouped, "{}", shown());
        let read = row_of(socket, listing).unwrap_or_else(|| panic!("{socket:?} of {}", shown()));
        for _ in 0..socket.count {
            let at = written.iter().position(|row| *row == read);
            let at = at.unwrap_or_else(|| panic!("{read:?} was not written: {}", shown()));
            written.swap_remove(at);
        }
    }
    let missed: u64 = found.iter().map(|found| found.rows.not_understood).sum();
    assert!(written.is_empty() || missed > 0, "{written:?} are missing: {}", shown());
    // A row of a group stands for several.
    assert!(written.len() as u64 <= missed || listing.is_grouped, "{written:?} are missing: {}", shown());
    check_rest(&found, listing, &shown);
    count - written.len()
}

/// How many rows it has.
pub fn count(listing: &Listing) -> usize {
    listing.sockets.iter().filter_map(|socket| row(socket, listing)).count()
}

/// No PID, service or range but those that were written.
fn check_rest(found: &[Recognised], listing: &Listing, shown: &dyn Fn() -> String) {
    let pids: BTreeSet<u32> = listing.sockets.iter().map(|socket| socket.pid).collect();
    let services: BTreeSet<&str> = listing.services.iter().copied().collect();
    for found in found {
        let SideFacts {
            listings,
            tasks,
            absent,
            lists_taken,
            afd_handles,
            handles,
            names,
            services: of_processes,
            starts,
            successors,
            remotes,
            port_use,
            dynamic_ports,
            excluded_ports,
            system_events,
            log_spans,
            computers,
            afd_entries,
            socket_events,
            afd_logs,
            doubtful_events,
        } = &found.facts;
        let others = [
            tasks.len(),
            absent.len(),
            lists_taken.len(),
            afd_handles.len(),
            handles.len(),
            names.len(),
            of_processes.len(),
            starts.len(),
            successors.len(),
            remotes.len(),
            port_use.len(),
            dynamic_ports.len(),
            excluded_ports.len(),
            system_events.len(),
            log_spans.len(),
            computers.len(),
            afd_entries.len(),
            socket_events.len(),
            afd_logs.len(),
            doubtful_events.len(),
        ];
        assert!(others.iter().all(|count| *count == 0), "{}", shown());
        // One moment was written: two that anything calls moments would be a trend.
        let moments: Vec<_> =
            listings.iter().filter(|listed| listed.taken.is_some() || listed.asked.is_some()).collect();
        let asked: BTreeSet<_> = moments.iter().map(|listed| &listed.asked).collect();
        assert_eq!(moments.len(), asked.len(), "{}", shown());
        for listed in listings {
            assert!(listed.owners.keys().all(|pid| pids.contains(pid)), "{}", shown());
            let owners = listed.owners.values().chain(&listed.images);
            assert!(
                owners.flat_map(|owner| &owner.services).all(|name| services.contains(name.as_str())),
                "{}",
                shown()
            );
        }
        assert!(found.rows.rows >= listings.iter().map(|listed| listed.sockets.len() as u64).sum(), "{}", shown());
        assert_eq!(found.rows.first_not_understood.is_none(), found.rows.not_understood == 0, "{}", shown());
    }
}

/// A row as it was written; groups are of TCP, and have no ports.
fn row(socket: &Socket, listing: &Listing) -> Option<Row> {
    let word = match (socket.is_tcp, socket.state) {
        (false, _) => None,
        // Whatever the word: nobody's connected sockets are in this state.
        (true, 3) => Some("TIME_WAIT".to_owned()),
        (true, state) => Some(TcpState::named(listing.words[state]).name().to_owned()),
    };
    let port = if listing.is_grouped { 0 } else { socket.local.1 };
    (socket.is_tcp || !listing.is_grouped).then_some((socket.is_tcp, port, word, socket.pid))
}

fn row_of(socket: &ListedSocket, listing: &Listing) -> Option<Row> {
    let is_tcp = socket.protocol == Protocol::Tcp;
    let state = socket.state.as_ref().map(|state| state.name().to_owned());
    let port = if listing.is_grouped { Some(0) } else { socket.local.map(|local| local.port).or(socket.port_alone) };
    Some((is_tcp, port?, state, socket.pid?))
}
