//! `netstat -an`, `-ano`, `-anob`, `-anobq`, `-ab`, once or in a loop, in any language.
//!
//! Told by shape: a row is a protocol word, an address, another or `*:*`, a state for TCP, and a PID. All else is a heading,
//! a line that names the owner of the row above, or the output of another command.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};

use super::columns::number;
use super::facts::{ListedOwner, ListedSocket, RowCount, SocketListing, TcpState};
use super::host::Host;
use super::lines::{Command, Line, Lines, is_ellipsis, is_prompt};
use super::taken::Clock;
use crate::net::{Family, Protocol, SocketAddress};

#[cfg(test)]
mod tests;

/// Lines that may name components between a row and its image; `svchost.exe` of Windows XP showed a dozen modules.
const MAX_COMPONENTS: usize = 64;

/// Services kept for one process. The largest `svchost.exe` hosts about 60.
const MAX_SERVICES: usize = 256;

/// A name that is not known to be that of a program stands under so many rows of its process, and under most of them.
const MIN_NAMED: u32 = 2;

/// Commands behind a pipe that sort lines, or pick some of them.
const PICKING: [&str; 5] = ["sort", "findstr", "| find ", "|find ", "select-string"];

/// Words that a state may have: "FIN WAIT 1".
const MAX_STATE_WORDS: usize = 3;

/// Words that may stand before a row: a date, a time, a sign.
const MAX_WORDS_BEFORE: usize = 3;

/// Digits of a PID that may stand in the next line; more are a time or a sum.
const MAX_PID_DIGITS: usize = 5;

/// So many rows that are cut, below the heading, show that it is a listing.
const REFUSED_ROWS: u64 = 4;

/// Lines are no longer than this where a row was broken in two.
const MAX_HALF: usize = 400;

/// What a text holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Netstat {
    /// Listings in the order of the text, each with at least one row; `source` is 0.
    pub listings: Vec<SocketListing>,
    /// Rows, and lines that begin as rows and are none.
    pub rows: RowCount,
    /// Lines that say that others are left out.
    pub omissions: u64,
    /// Rows with names of hosts or services where numbers stand with `-n`.
    pub named: u64,
    /// Rows of a last listing that the text ends in, and that is left out.
    pub cut: usize,
}

/// Reads all listings in `text`; `None` where there is none.
pub fn parse(text: &str) -> Option<Netstat> {
    read(Lines::new(text))
}

/// The same, line by line.
pub(super) fn read(lines: Lines<'_>) -> Option<Netstat> {
    let mut reader = Reader::default();
    for line in lines {
        let text = line.trimmed();
        if text.is_empty() {
            reader.end_half();
            reader.blank();
            continue;
        }
        let row = row(text, reader.numbers);
        reader.ends_within = line.is_open && !matches!(row, Row::Other);
        match row {
            Row::Socket(socket, is_known) if reader.is_whole(&socket) => {
                reader.end_half();
                reader.socket(*socket, is_known);
                if line.is_open {
                    reader.doubt_last(line.number);
                }
            }
            Row::Socket(..) | Row::Cut => {
                reader.end_half();
                reader.below_image = false;
                reader.half = Some((line.number, text.chars().take(MAX_HALF).collect()));
            }
            Row::Other => reader.other(line),
        }
    }
    reader.end_half();
    reader.end_listing();
    let cut = reader.forget_cut_listing();
    let Reader { listings, rows, omissions, named, convinced, expects_pid, .. } = reader;
    // Rows below its heading of which none could be read.
    let is_refused = listings.is_empty() && expects_pid && rows.not_understood >= REFUSED_ROWS;
    (convinced || is_refused).then_some(Netstat { listings, rows, omissions, named, cut })
}

#[derive(Debug, Default)]
struct Reader {
    listings: Vec<SocketListing>,
    current: Option<SocketListing>,
    /// Where owners of rows stand in the current listing.
    images: HashMap<ListedOwner, u32>,
    clock: Clock,
    command: Command,
    host: Host,
    /// A line has been seen that stands between listings.
    ended: bool,
    after_blank: bool,
    /// A row has been seen to which the lines below belong.
    has_row: bool,
    /// The heading, or a row before, has a PID.
    expects_pid: bool,
    /// What the heading says of the numbers behind states.
    numbers: Numbers,
    components: Vec<String>,
    /// A row that ends too early: the next line may have the rest.
    half: Option<(u64, String)>,
    /// A row was seen that only `netstat` prints.
    convinced: bool,
    rows: RowCount,
    omissions: u64,
    named: u64,
    /// The text ends without a line end behind a row.
    ends_within: bool,
    /// The line above names an owner.
    below_image: bool,
    /// Lines that name owners do not stand below their rows any more: something has sorted or picked lines.
    is_torn: bool,
}

impl Reader {
    fn blank(&mut self) {
        (self.after_blank, self.has_row) = (true, false);
        self.components.clear();
    }

    /// A row without PID under a heading that has one is cut.
    fn is_whole(&self, socket: &ListedSocket) -> bool {
        socket.pid.is_some() || !self.expects_pid
    }

    fn end_half(&mut self) {
        if let Some((line, _)) = self.half.take() {
            self.rows.missed(line);
        }
    }

    fn end_listing(&mut self) {
        let is_torn = std::mem::take(&mut self.is_torn);
        if let Some(mut listing) = self.current.take() {
            if is_torn {
                listing.images.clear();
                listing.sockets.iter_mut().for_each(|socket| socket.image = None);
            }
            forget_doubtful_names(&mut listing);
            listing.owners = owners(&listing);
            self.listings.push(listing);
        }
        self.images.clear();
    }

    fn socket(&mut self, socket: ListedSocket, is_known: bool) {
        if std::mem::take(&mut self.ended) {
            self.end_listing();
        }
        (self.after_blank, self.below_image) = (false, false);
        self.components.clear();
        self.has_row = socket.pid != Some(0);
        self.expects_pid |= socket.pid.is_some();
        self.convinced |= is_known;
        self.rows.read();
        let is_named = socket.local.is_none() || (socket.protocol == Protocol::Tcp && socket.remote.is_none());
        self.named = self.named.saturating_add(u64::from(is_named));
        let (clock, command, host) = (&mut self.clock, &self.command, &self.host);
        let listing = self.current.get_or_insert_with(|| SocketListing {
            taken: clock.take(),
            asked: command.asked(),
            host: host.name(),
            ..SocketListing::default()
        });
        listing.sockets.push(socket);
    }

    /// The text ends without a line end, behind the row: its process id may be cut.
    fn doubt_last(&mut self, line: u64) {
        if self.current.as_mut().is_some_and(SocketListing::forget_cut) {
            self.rows.rows = self.rows.rows.saturating_sub(1);
            self.rows.missed(line);
            self.current.take_if(|listing| listing.sockets.is_empty());
        }
    }

    /// Takes back the last of several listings, where the text ends in it and it has not half of the rows of the one before: what it
    /// does not show need not have ended. How many rows it had.
    fn forget_cut_listing(&mut self) -> usize {
        let [.., before, last] = self.listings.as_slice() else { return 0 };
        let is_cut = self.ends_within && last.sockets.len() * 2 < before.sockets.len();
        let cut = self.listings.pop_if(|_| is_cut).map_or(0, |listing| listing.sockets.len());
        self.rows.rows = self.rows.rows.saturating_sub(cut as u64);
        cut
    }

    /// A line that is no row. Owner lines stand right below a row; a heading stands below a blank line.
    fn other(&mut self, line: Line<'_>) {
        let text = line.trimmed();
        if let Some((number, half)) = self.half.take() {
            // Mail breaks long lines: what is left is a state and a PID.
            match row(&format!("{half} {text}"), self.numbers) {
                Row::Socket(socket, is_known) if socket.pid.is_some() && is_rest(text) => {
                    self.socket(*socket, is_known);
                    return;
                }
                _ => self.rows.missed(number),
            }
        }
        if is_ellipsis(text) {
            self.omissions = self.omissions.saturating_add(u64::from(self.current.is_some()));
            self.has_row = false;
            return;
        }
        if let Some(image) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            self.image(image.trim());
            return;
        }
        let is_command = self.command.see(text);
        let is_of_other = self.host.see(text);
        if self.clock.see(text) || self.after_blank || stands_between(text) || is_command || is_of_other {
            (self.ended, self.has_row) = (true, false);
        }
        let words = || text.split(|c: char| c.is_whitespace() || c == '|').filter(|word| !word.is_empty());
        // What `-i` adds, which no language but English is known for.
        let time = text.to_ascii_lowercase().find("time in state");
        if let Some(time) = time {
            self.numbers = match text.find("PID") {
                None => Numbers::Time,
                Some(pid) if pid > time => Numbers::TimeAndPid,
                Some(_) => Numbers::Pid,
            };
            self.expects_pid = self.numbers != Numbers::Time;
        } else if words().next_back() == Some("PID") && !text.contains(|c: char| c.is_ascii_digit()) {
            // The heading, or the second half of one that was broken.
            (self.expects_pid, self.numbers) = (true, Numbers::Pid);
        } else if words().count() >= 4 && self.after_blank && text.contains(char::is_alphabetic) {
            // The heading of a listing of another form, or a sentence.
            (self.expects_pid, self.numbers) = (false, Numbers::Pid);
        }
        // The row above was broken in front of its PID or within it, or something counts the rows.
        let is_number = number::<u64>(text).is_some() && text.len() <= MAX_PID_DIGITS;
        let is_broken = self.has_row && is_number && !line.text.starts_with(char::is_whitespace);
        if is_broken && self.forget_row() {
            self.rows.missed(line.number);
            return;
        }
        // More than one word is a sentence that the owner is not known.
        if !text.contains(char::is_whitespace) && self.components.len() < MAX_COMPONENTS {
            self.components.push(text.to_owned());
        }
    }

    /// Takes back the last row, whose PID is not known.
    fn forget_row(&mut self) -> bool {
        let Some(listing) = self.current.as_mut() else { return false };
        if listing.sockets.pop().is_none() {
            return false;
        }
        if listing.sockets.is_empty() {
            self.current = None;
        }
        self.rows.rows = self.rows.rows.saturating_sub(1);
        self.has_row = false;
        true
    }

    /// The owner of the last row; other words in brackets are none of the listing's.
    fn image(&mut self, image: &str) {
        if !may_be_image(image) {
            return;
        }
        let components = std::mem::take(&mut self.components);
        // Two owners side by side: a row has gone from between them.
        self.is_torn |= std::mem::replace(&mut self.below_image, true) && is_program_name(image);
        self.is_torn |= PICKING.iter().any(|word| self.command.names(word));
        if !std::mem::take(&mut self.has_row) {
            return;
        }
        let Some(listing) = self.current.as_mut() else { return };
        let Some(socket) = listing.sockets.last_mut() else { return };
        let of_row = ListedOwner { image: Some(image.to_owned()), services: components };
        let next = u32::try_from(listing.images.len()).unwrap_or(u32::MAX);
        let known = self.images.entry(of_row).or_insert_with_key(|owner| {
            listing.images.push(owner.clone());
            next
        });
        socket.image = Some(*known);
    }
}

/// Whether words in brackets may be the name of a file, and say something.
fn may_be_image(name: &str) -> bool {
    const SAY_NOTHING: [&str; 6] = ["unknown", "redacted", "removed", "hidden", "none", "n/a"];
    let has_sign = name.contains(|c: char| c.is_control() || r#":*?"<>|/\"#.contains(c));
    name.contains(char::is_alphabetic) && !has_sign && !SAY_NOTHING.iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// Whether a name is that of a program, whatever it stands under.
fn is_program(owner: &ListedOwner) -> bool {
    owner.image.as_deref().is_some_and(is_program_name)
}

fn is_program_name(image: &str) -> bool {
    image.to_ascii_lowercase().ends_with(".exe")
}

/// Takes back names without the ending of programs, which few processes have, but where they stand under most rows of a process:
/// one that stands under a row alone is a remark.
fn forget_doubtful_names(listing: &mut SocketListing) {
    if listing.images.iter().all(is_program) {
        return;
    }
    let SocketListing { sockets, images, .. } = listing;
    let image_of = |socket: &ListedSocket| {
        let owner = images.get(usize::try_from(socket.image?).ok()?)?;
        owner.image.as_deref().filter(|_| !is_program(owner))
    };
    let mut rows: HashMap<Option<u32>, u32> = HashMap::new();
    let mut named: HashMap<(Option<u32>, &str), u32> = HashMap::new();
    for socket in sockets.iter() {
        *rows.entry(socket.pid).or_default() += 1;
        if let Some(image) = image_of(socket) {
            *named.entry((socket.pid, image)).or_default() += 1;
        }
    }
    let is_doubtful = |socket: &ListedSocket| {
        let Some(image) = image_of(socket) else { return false };
        let count = named.get(&(socket.pid, image)).copied().unwrap_or(0);
        // Without a PID the rows of a process are not known.
        let of_process = if socket.pid.is_some() { rows.get(&socket.pid).copied().unwrap_or(0) } else { count };
        count < MIN_NAMED || count <= of_process / 2
    };
    for socket in sockets.iter_mut() {
        if is_doubtful(socket) {
            socket.image = None;
        }
    }
}

/// The processes that rows name, each by the first name, with all services.
fn owners(listing: &SocketListing) -> BTreeMap<u32, ListedOwner> {
    let mut owners: BTreeMap<u32, ListedOwner> = BTreeMap::new();
    for socket in &listing.sockets {
        let of_row = socket.image.and_then(|image| listing.images.get(usize::try_from(image).ok()?));
        let (Some(pid), Some(of_row)) = (socket.pid, of_row) else { continue };
        let owner = owners.entry(pid).or_default();
        if owner.image.is_none() {
            owner.image.clone_from(&of_row.image);
        }
        for service in &of_row.services {
            if owner.services.len() < MAX_SERVICES && !owner.services.contains(service) {
                owner.services.push(service.clone());
            }
        }
    }
    owners
}

/// The rest of a row: words, and a PID at the end.
fn is_rest(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let ends_with_pid = words.next_back().is_some_and(|word| number::<u32>(word).is_some());
    ends_with_pid && words.all(|word| TcpState::from_word(word).is_some() || word.contains(':') || word.contains('_'))
}

/// Prompts and rules end a listing even where no blank line does.
fn stands_between(line: &str) -> bool {
    let is_rule = line.len() >= 3 && line.bytes().all(|byte| matches!(byte, b'-' | b'=' | b'*' | b'#' | b'_'));
    is_rule || is_prompt(line)
}

/// What numbers stand behind the state of a row.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Numbers {
    /// The PID, if any.
    #[default]
    Pid,
    /// How long it has been in its state (`-i`), and no PID.
    Time,
    /// That, and the PID behind it.
    TimeAndPid,
}

enum Row {
    /// A socket, and whether only `netstat` prints such a row.
    Socket(Box<ListedSocket>, bool),
    /// Begins as a row, and ends too early or has what no row has.
    Cut,
    Other,
}

fn row(line: &str, numbers: Numbers) -> Row {
    let mut words = line.split(|c: char| c.is_whitespace() || c == '|').filter(|word| !word.is_empty());
    let is_sign = |word: &&str| !word.contains(char::is_alphabetic);
    let first = words.by_ref().take(MAX_WORDS_BEFORE + 1).find(|word| !is_sign(word));
    let protocol = match first {
        Some(word) if word.eq_ignore_ascii_case("tcp") => Protocol::Tcp,
        Some(word) if word.eq_ignore_ascii_case("udp") => Protocol::Udp,
        _ => return Row::Other,
    };
    let Some(place) = words.next() else { return Row::Other };
    let Some(local) = Place::of(place) else {
        // An address whose port is none, or that was cut.
        let is_address = place.contains(':') && place.contains(|c: char| c.is_ascii_digit());
        return if is_address { Row::Cut } else { Row::Other };
    };
    let (remote, is_named) = match words.next() {
        Some("*:*") => (None, local.is_name),
        // A name: not an address, and still a row.
        Some(word) if word.contains(':') => {
            (Place::of(word).and_then(|place| place.address), local.is_name || address(word).is_none())
        }
        Some(_) => return Row::Other,
        None => return Row::Cut,
    };
    let words: Vec<&str> = words.collect();
    // `7312/java` behind the state, as Linux names an owner.
    let is_of_linux = |word: &&str| word.split_once('/').is_some_and(|(pid, _)| number::<u32>(pid).is_some());
    if words.iter().take(2).any(is_of_linux) {
        return Row::Other;
    }
    let (words, behind) = state_words(protocol, &words);
    // Digits in groups, as tables write large numbers: where the PID ends is not certain.
    let is_digits = |word: &&&str| word.bytes().all(|byte| byte.is_ascii_digit());
    let is_grouped = matches!(behind, [first, next, ..] if first.len() <= 3 && next.len() == 3 && is_digits(&next));
    if is_grouped && numbers == Numbers::Pid {
        return Row::Cut;
    }
    // Sockets of UDP are in no state.
    let pid_at = match numbers {
        Numbers::Time => usize::MAX,
        Numbers::TimeAndPid if protocol == Protocol::Tcp => 1,
        Numbers::Pid | Numbers::TimeAndPid => 0,
    };
    let pid = behind.get(pid_at).map(|word| word.parse::<u32>().ok());
    if pid == Some(None) {
        return Row::Cut;
    }
    let pid = pid.flatten();
    let (mut is_known, mut state) = (remote.is_none() && !is_named, None);
    match (protocol, words) {
        (Protocol::Udp, _) => {}
        (Protocol::Tcp, words) if words.first().is_none_or(|word| word.starts_with(|c: char| c.is_ascii_digit())) => {
            return Row::Cut;
        }
        (Protocol::Tcp, words) => {
            let (known, word) = known_state(words, pid.is_some());
            is_known = known.is_some() || (!is_named && remote.is_some_and(|remote| remote.port == 0));
            // Names beside an unknown word are another program's.
            if is_named && known.is_none() {
                return Row::Other;
            }
            let is_connected = remote.is_none_or(|remote| remote.port != 0);
            state = Some(known.unwrap_or_else(|| TcpState::of_row(&word, pid, is_connected)));
        }
    }
    let Place { address: local, port, family, .. } = local;
    let port_alone = port.filter(|_| local.is_none());
    let socket = ListedSocket { protocol, family, local, remote, state, pid, count: 1, image: None, port_alone };
    Row::Socket(Box::new(socket), is_known)
}

/// The words of a row's state, and those from its PID on: behind that stand the words that -t and -y ask for, and what people
/// remark, with numbers of their own. Where no number stands where a PID does, there is none.
fn state_words<'w, 'l>(protocol: Protocol, words: &'w [&'l str]) -> (&'w [&'l str], &'w [&'l str]) {
    let is_number = |at: usize| words.get(at).is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
    // Between state and PID a script may put the image or a sign for none, and people the state in their own words.
    let is_between = |word: &&&str| {
        let is_in_brackets =
            word.starts_with('(') && word.ends_with(')') && !word.contains(|c: char| c.is_ascii_digit());
        matches!(**word, "-" | "*") || is_in_brackets || word.to_ascii_lowercase().ends_with(".exe")
    };
    let passed = |from: usize| from + words.iter().skip(from).take_while(is_between).count();
    let pid_at = match (protocol, leading_state(words)) {
        (Protocol::Udp, _) => passed(0),
        (Protocol::Tcp, Some((_, count))) => passed(count),
        // Of a state that is not known, a number may be a part: "FIN WAIT 1".
        (Protocol::Tcp, None) => {
            let is_word = |word: &&&str| !word.starts_with(|c: char| c.is_ascii_digit() || c.is_ascii_punctuation());
            let letters = words.iter().take_while(is_word).count();
            let is_part = matches!(words.get(letters), Some(&("1" | "2"))) && is_number(letters + 1);
            letters + usize::from(is_part)
        }
    };
    let has_pid = is_number(pid_at) && (pid_at > 0 || protocol == Protocol::Udp);
    words.split_at_checked(pid_at).filter(|_| has_pid).unwrap_or((words, &[]))
}

/// The known state that stands at the beginning of `words`, and of how many it is.
fn leading_state(words: &[&str]) -> Option<(TcpState, usize)> {
    words.first().filter(|word| word.contains(char::is_alphabetic))?;
    (1..=MAX_STATE_WORDS.min(words.len())).rev().find_map(|count| {
        let state = match words.get(..count)? {
            [word] => TcpState::from_word(word),
            words => TcpState::from_word(&words.concat()),
        };
        Some((state?, count))
    })
}

/// The state that stands at the beginning of `words`, if it is known, and its word. Words behind a known one are of other
/// columns.
fn known_state(words: &[&str], ends_with_pid: bool) -> (Option<TcpState>, String) {
    let known = leading_state(words).map(|(state, _)| state);
    let word = match words {
        [first, ..] if !ends_with_pid => (*first).to_owned(),
        words => words.join(" "),
    };
    (known, word)
}

/// A local or remote end as it is printed; without `-n` names stand for hosts and ports.
struct Place {
    address: Option<SocketAddress>,
    port: Option<u16>,
    family: Option<Family>,
    is_name: bool,
}

impl Place {
    fn of(word: &str) -> Option<Self> {
        if let Some(address) = address(word) {
            let (port, family) = (Some(address.port), Some(address.family()));
            return Some(Self { address: Some(address), port, family, is_name: false });
        }
        let (host, port) = word.rsplit_once(':')?;
        let is_word = |text: &str| {
            !text.is_empty()
                && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '+' | '/'))
        };
        let has_letter = |text: &str| text.contains(|c: char| c.is_ascii_alphabetic());
        let ip = ip(host);
        let family = ip.map(|ip| if ip.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 });
        match number::<u16>(port) {
            Some(port) if ip.is_none() && is_word(host) && has_letter(host) => {
                Some(Self { address: None, port: Some(port), family, is_name: true })
            }
            None if is_word(port) && has_letter(port) && (ip.is_some() || (is_word(host) && has_letter(host))) => {
                Some(Self { address: None, port: None, family, is_name: true })
            }
            _ => None,
        }
    }
}

/// `10.1.2.3`, `[fe80::1%12]`.
fn ip(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(host) => {
            let host = host.strip_suffix(']')?;
            let ip: Ipv6Addr = host.split('%').next().unwrap_or(host).parse().ok()?;
            // One that stands for an IPv4 address takes a port of IPv4's pool.
            Some(ip.to_canonical())
        }
        None => Some(IpAddr::V4(host.parse().ok()?)),
    }
}

/// `10.1.2.3:80`, `[fe80::1%12]:80`.
fn address(word: &str) -> Option<SocketAddress> {
    let (host, port) = word.rsplit_once(':')?;
    Some(SocketAddress { ip: ip(host)?, port: number(port)? })
}
