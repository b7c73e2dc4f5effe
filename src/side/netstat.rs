//! `netstat -an`, `-ano`, `-anob`, `-anobq`, once or in a loop, in any language.
//!
//! Told by shape: a row is a protocol word, an address, another or `*:*`, a state for TCP, and a PID. All else is a heading,
//! a line that names the owner of the row above, or the output of another command.

use std::net::IpAddr;

use super::facts::{ListedOwner, ListedSocket, SocketListing, TcpState};
use super::taken::Clock;
use crate::net::{Protocol, SocketAddress};

#[cfg(test)]
mod tests;

/// Lines that may name components between a row and its image; `svchost.exe` of Windows XP showed a dozen modules.
const MAX_COMPONENTS: usize = 64;

/// Services kept for one process. The largest `svchost.exe` hosts about 60.
const MAX_SERVICES: usize = 256;

/// Words that a state may have: "FIN WAIT 1".
const MAX_STATE_WORDS: usize = 3;

/// What a text holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Netstat {
    /// Listings in the order of the text, each with at least one row; `source` is 0.
    pub listings: Vec<SocketListing>,
    /// Rows that end too early.
    pub unread: u64,
}

/// Reads all listings in `text`; `None` where there is none.
pub fn parse(text: &str) -> Option<Netstat> {
    let mut reader = Reader::default();
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() {
            reader.blank();
            continue;
        }
        match row(line) {
            Row::Socket(socket) => reader.socket(*socket),
            Row::Cut => reader.unread = reader.unread.saturating_add(1),
            Row::Other => reader.other(line),
        }
    }
    reader.listings.extend(reader.current);
    reader.convinced.then_some(Netstat { listings: reader.listings, unread: reader.unread })
}

#[derive(Debug, Default)]
struct Reader {
    listings: Vec<SocketListing>,
    current: Option<SocketListing>,
    clock: Clock,
    /// A line has been seen that stands between listings.
    ended: bool,
    after_blank: bool,
    /// Owner of the last row, to whom the lines below belong.
    owner: Option<u32>,
    components: Vec<String>,
    /// A row was seen that only `netstat` prints.
    convinced: bool,
    unread: u64,
}

impl Reader {
    fn blank(&mut self) {
        (self.after_blank, self.owner) = (true, None);
        self.components.clear();
    }

    fn socket(&mut self, socket: ListedSocket) {
        if std::mem::take(&mut self.ended) {
            self.listings.extend(self.current.take());
        }
        self.after_blank = false;
        self.components.clear();
        self.owner = socket.pid.filter(|pid| *pid != 0);
        self.convinced |= match &socket.state {
            Some(TcpState::Other(_)) => socket.remote.is_some_and(|remote| remote.port == 0),
            Some(_) => true,
            None => socket.remote.is_none(),
        };
        let listing = self.current.get_or_insert_with(|| SocketListing {
            source: 0,
            taken: self.clock.take(),
            sockets: Vec::new(),
            owners: std::collections::BTreeMap::new(),
        });
        listing.sockets.push(socket);
    }

    /// A line that is no row. Owner lines stand right below a row; a heading stands below a blank line.
    fn other(&mut self, line: &str) {
        if let Some(image) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            self.image(image.trim());
            return;
        }
        if self.clock.see(line) || self.after_blank || stands_between(line) {
            (self.ended, self.owner) = (true, None);
        }
        // More than one word is a sentence that the owner is not known.
        if !line.contains(char::is_whitespace) && self.components.len() < MAX_COMPONENTS {
            self.components.push(line.to_owned());
        }
    }

    fn image(&mut self, image: &str) {
        let components = std::mem::take(&mut self.components);
        let (Some(pid), Some(listing)) = (self.owner, self.current.as_mut()) else { return };
        let owner: &mut ListedOwner = listing.owners.entry(pid).or_default();
        if owner.image.is_none() && !image.is_empty() {
            owner.image = Some(image.to_owned());
        }
        for component in components {
            if owner.services.len() < MAX_SERVICES && !owner.services.contains(&component) {
                owner.services.push(component);
            }
        }
    }
}

/// Prompts and rules end a listing even where no blank line does.
fn stands_between(line: &str) -> bool {
    let is_rule = line.len() >= 3 && line.bytes().all(|byte| matches!(byte, b'-' | b'=' | b'*' | b'#' | b'_'));
    is_rule || is_prompt(line)
}

/// `C:\Users\x>netstat` and `PS C:\> netstat`, as they stand in copies of a console.
pub(super) fn is_prompt(line: &str) -> bool {
    let path = line.strip_prefix("PS ").unwrap_or(line);
    path.get(1..3) == Some(":\\") && path.contains('>')
}

enum Row {
    Socket(Box<ListedSocket>),
    /// Begins as a row, and ends too early.
    Cut,
    Other,
}

fn row(line: &str) -> Row {
    let mut words = line.split_whitespace();
    let protocol = match words.next() {
        Some(word) if word.eq_ignore_ascii_case("tcp") => Protocol::Tcp,
        Some(word) if word.eq_ignore_ascii_case("udp") => Protocol::Udp,
        _ => return Row::Other,
    };
    let Some(local) = words.next().and_then(address) else { return Row::Other };
    let remote = match words.next() {
        Some("*:*") => None,
        // With -f a name: not an address, and still a row.
        Some(word) if word.contains(':') => address(word),
        Some(_) => return Row::Other,
        None => return Row::Cut,
    };
    let words: Vec<&str> = words.collect();
    // Behind the PID stand the words that -t and -y ask for.
    let pid_at = words.iter().rposition(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
    let pid = pid_at.and_then(|at| words.get(at)).and_then(|word| word.parse().ok());
    let state = match (protocol, words.get(..pid_at.unwrap_or(words.len())).unwrap_or_default()) {
        (Protocol::Udp, _) => None,
        (Protocol::Tcp, []) => return Row::Cut,
        (Protocol::Tcp, words) => Some(state(words, pid_at.is_some())),
    };
    let family = Some(local.family());
    Row::Socket(Box::new(ListedSocket { protocol, family, local: Some(local), remote, state, pid, count: 1 }))
}

/// The state that stands at the beginning of `words`. Words behind a known one are of other columns.
fn state(words: &[&str], ends_with_pid: bool) -> TcpState {
    let known = (1..=MAX_STATE_WORDS.min(words.len())).rev().find_map(|count| {
        let words = words.get(..count)?;
        match words {
            [word] => TcpState::from_word(word),
            words => TcpState::from_word(&words.concat()),
        }
    });
    known.unwrap_or_else(|| match words {
        [first, ..] if !ends_with_pid => TcpState::named(first),
        words => TcpState::named(&words.join(" ")),
    })
}

/// `10.1.2.3:80`, `[fe80::1%12]:80`.
fn address(word: &str) -> Option<SocketAddress> {
    let (host, port) = word.rsplit_once(':')?;
    let ip = match host.strip_prefix('[') {
        Some(host) => {
            let host = host.strip_suffix(']')?;
            IpAddr::V6(host.split('%').next().unwrap_or(host).parse().ok()?)
        }
        None => IpAddr::V4(host.parse().ok()?),
    };
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| port.parse().ok()).flatten().map(|port| SocketAddress { ip, port })
}
