//! `netsh int ipv4|ipv6 show dynamicport tcp|udp` and `show excludedportrange`, in any language.
//!
//! Told by shape: a line with the protocol word, a rule of dashes, and numbers in their order. The family is known from the
//! command above, if it is shown, or from the name of the file.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::str::Lines;

use super::facts::{DynamicPorts, ExcludedPorts};
use super::netstat::is_prompt;
use crate::net::{Family, Protocol};

/// So many lines stand between the protocol word and the rule at most: blank ones, and the heads of the columns.
const MAX_LINES_TO_RULE: usize = 5;

/// Families that one line may name: a command for each of two families and two protocols, twice.
const MAX_FAMILIES: usize = 8;

/// Ports there are, 0 included.
const PORTS: u32 = 65_536;

/// What a text holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PortRanges {
    /// Dynamic port ranges; `source` is 0.
    pub dynamic: Vec<DynamicPorts>,
    /// Excluded port ranges; `source` is 0.
    pub excluded: Vec<ExcludedPorts>,
    /// Listings of excluded ranges, those without ranges included.
    pub excluded_listings: u64,
    /// Listings and rows whose numbers are no ports.
    pub unread: u64,
}

/// Reads all listings in `text`, a file called `name`.
pub fn parse(text: &str, name: &str) -> PortRanges {
    let mut reader = Reader { of_name: family_of_name(name), ..Reader::default() };
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let line = line.trim();
        match (rule_columns(line), reader.protocol) {
            (Some(1), Some((protocol, _))) => reader.dynamic(protocol, &mut lines),
            (Some(2), Some((protocol, _))) => reader.excluded(protocol, &mut lines),
            _ => reader.look(line),
        }
    }
    reader.found
}

#[derive(Debug, Default)]
struct Reader {
    found: PortRanges,
    /// The last protocol word, and how many lines ago.
    protocol: Option<(Protocol, usize)>,
    /// Families that the last command named, in its order.
    families: VecDeque<Family>,
    of_name: Option<Family>,
}

impl Reader {
    fn look(&mut self, line: &str) {
        self.protocol = match (protocol_in(line), self.protocol) {
            (Some(protocol), _) => Some((protocol, 0)),
            (None, Some((protocol, age))) if age < MAX_LINES_TO_RULE => Some((protocol, age + 1)),
            _ => None,
        };
        let families = families_in(line);
        if !families.is_empty() || is_prompt(line) {
            self.families = families;
        }
    }

    /// The family of the listing that begins. A command that names one family may print several listings.
    fn family(&mut self) -> Option<Family> {
        let family = self.families.front().copied();
        if self.families.iter().any(|other| Some(*other) != family) {
            self.families.pop_front();
        }
        family.or(self.of_name)
    }

    fn dynamic(&mut self, protocol: Protocol, lines: &mut Peekable<Lines<'_>>) {
        let mut number = || {
            while lines.next_if(|line| line.trim().is_empty()).is_some() {}
            let number = lines.peek().copied().and_then(labelled_number);
            if number.is_some() {
                lines.next();
            }
            number
        };
        // A rule below a line that happens to hold the word is no listing.
        let Some(start) = number() else { return };
        let count = number();
        self.protocol = None;
        let family = self.family();
        let is_range = |start: u32, count: u32| start > 0 && count > 0 && start.saturating_add(count) <= PORTS;
        match (u16::try_from(start), count) {
            (Ok(port), Some(count)) if is_range(start, count) => {
                self.found.dynamic.push(DynamicPorts { source: 0, protocol, family, start: port, count });
            }
            _ => self.found.unread = self.found.unread.saturating_add(1),
        }
    }

    fn excluded(&mut self, protocol: Protocol, lines: &mut Peekable<Lines<'_>>) {
        self.protocol = None;
        self.found.excluded_listings = self.found.excluded_listings.saturating_add(1);
        let family = self.family();
        while let Some(line) = lines.next_if(|line| starts_with_number(line)) {
            match range(line) {
                Some((start, end, administered)) => {
                    self.found.excluded.push(ExcludedPorts { source: 0, protocol, family, start, end, administered });
                }
                None => self.found.unread = self.found.unread.saturating_add(1),
            }
        }
    }
}

/// Columns of a rule of dashes; `None` for another line.
fn rule_columns(line: &str) -> Option<usize> {
    let is_rule = line.starts_with("---") && line.bytes().all(|byte| matches!(byte, b'-' | b' ' | b'\t'));
    is_rule.then(|| line.split_whitespace().count())
}

/// `tcp` or `udp` as a word of its own; the nearest to the end, which is where a command has it.
fn protocol_in(line: &str) -> Option<Protocol> {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric());
    words.rev().find_map(|word| match word {
        _ if word.eq_ignore_ascii_case("tcp") => Some(Protocol::Tcp),
        _ if word.eq_ignore_ascii_case("udp") => Some(Protocol::Udp),
        _ => None,
    })
}

/// Families that a line names. `netsh int ip` is IPv4.
fn families_in(line: &str) -> VecDeque<Family> {
    let mut before = "";
    let mut families = VecDeque::new();
    for word in line.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let is_context = before.eq_ignore_ascii_case("int") || before.eq_ignore_ascii_case("interface");
        let family = if word.eq_ignore_ascii_case("ipv4") || (is_context && word.eq_ignore_ascii_case("ip")) {
            Some(Family::Ipv4)
        } else {
            word.eq_ignore_ascii_case("ipv6").then_some(Family::Ipv6)
        };
        before = word;
        families.extend(family.filter(|_| families.len() < MAX_FAMILIES));
    }
    families
}

/// The family that a file's name tells: `dynamicport-ipv6.txt`, `excluded_v4.txt`.
fn family_of_name(name: &str) -> Option<Family> {
    let name = crate::event::base_name(name).to_ascii_lowercase();
    let named = |long: &str, short: &str| {
        name.contains(long) || name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == short)
    };
    match (named("ipv4", "v4"), named("ipv6", "v6")) {
        (true, false) => Some(Family::Ipv4),
        (false, true) => Some(Family::Ipv6),
        _ => None,
    }
}

/// The number behind the last colon of `Start Port : 49152`.
fn labelled_number(line: &str) -> Option<u32> {
    let (label, number) = line.trim().rsplit_once([':', '：'])?;
    let number = number.trim();
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (digits && !label.trim().is_empty()).then(|| number.parse().ok()).flatten()
}

fn starts_with_number(line: &str) -> bool {
    line.trim_start().starts_with(|c: char| c.is_ascii_digit())
}

/// `50000       50059     *`
fn range(line: &str) -> Option<(u16, u16, bool)> {
    let mut words = line.split_whitespace();
    let start = words.next()?.parse().ok()?;
    let end = words.next()?.parse().ok()?;
    let administered = match words.next() {
        None => false,
        Some("*") => true,
        Some(_) => return None,
    };
    (start <= end && words.next().is_none()).then_some((start, end, administered))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: Protocol = Protocol::Tcp;
    const UDP: Protocol = Protocol::Udp;

    fn dynamic(protocol: Protocol, family: Option<Family>, start: u16, count: u32) -> DynamicPorts {
        DynamicPorts { source: 0, protocol, family, start, count }
    }

    #[test]
    fn the_protocol_word_and_two_numbers_in_any_language() {
        for heading in [
            "Protocol tcp Dynamic Port Range",
            "Dynamischer Portbereich des Protokolls \"tcp\"",
            "Plage de ports dynamique du protocole tcp",
            "プロトコルtcpの動的ポートの範囲",
        ] {
            let text = format!("\r\n{heading}\r\n-----------\r\nA b      : 49152\r\nC d : 16384\r\n\r\n");
            assert_eq!(parse(&text, "x.txt").dynamic, [dynamic(TCP, None, 49152, 16384)], "{heading}");
        }
    }

    #[test]
    fn family_of_the_command_or_the_name() {
        let listing = |protocol: &str| format!("\n{protocol} range\n------\na : 1024\nb : 64511\n\n");
        let (tcp, udp) = (listing("tcp"), listing("udp"));
        let text = format!(
            "C:\\>netsh int ipv4 show dynamicport tcp\n{tcp}C:\\>netsh int ipv6 show dynamicport udp\n{udp}C:\\>other\n{tcp}"
        );
        let (v4, v6) = (Some(Family::Ipv4), Some(Family::Ipv6));
        let want = [dynamic(TCP, v4, 1024, 64511), dynamic(UDP, v6, 1024, 64511), dynamic(TCP, None, 1024, 64511)];
        assert_eq!(parse(&text, "x.txt").dynamic, want);
        let chained =
            format!("C:\\>netsh int ipv4 show dynamicport tcp & netsh int ipv6 show dynamicport tcp\n{tcp}{tcp}");
        let families: Vec<_> = parse(&chained, "x.txt").dynamic.iter().map(|ports| ports.family).collect();
        assert_eq!(families, [v4, v6]);
        let same =
            format!("C:\\>netsh int ipv6 show dynamicport tcp & netsh int ipv6 show dynamicport udp\n{tcp}{udp}");
        let families: Vec<_> = parse(&same, "x.txt").dynamic.iter().map(|ports| ports.family).collect();
        assert_eq!(families, [v6, v6]);
        for (name, family) in
            [("a/dynamicport-ipv6.txt", v6), ("ports_v4.txt", v4), ("v4-v6.txt", None), ("ipv6/ports.txt", None)]
        {
            assert_eq!(parse(&tcp, name).dynamic, [dynamic(TCP, family, 1024, 64511)], "{name}");
        }
    }

    #[test]
    fn excluded_ranges_with_and_without_administrator() {
        let text = "C:\\>netsh interface ip show excludedportrange protocol=udp\n\nProtocol udp Port Exclusion Ranges\n\n\
            Start Port    End Port      \n----------    --------      \n      5357        5357      \n     \
            50000       50059     *\n     60000       70000\n\n* - Administered port exclusions.\n";
        let found = parse(text, "x.txt");
        let row = |start, end, administered| ExcludedPorts {
            source: 0,
            protocol: UDP,
            family: Some(Family::Ipv4),
            start,
            end,
            administered,
        };
        assert_eq!(found.excluded, [row(5357, 5357, false), row(50000, 50059, true)]);
        assert_eq!((found.excluded_listings, found.unread), (1, 1));
    }

    #[test]
    fn numbers_that_are_no_range_are_counted() {
        let listing = |start: &str, count: &str| format!("tcp\n------\na : {start}\nb : {count}\n");
        for (start, count) in [("0", "16384"), ("49152", "16385"), ("70000", "1"), ("49152", "x"), ("49152", "0")] {
            let found = parse(&listing(start, count), "x.txt");
            assert_eq!((found.dynamic.len(), found.unread), (0, 1), "{start} {count}");
        }
        assert_eq!(parse(&listing("x", "y"), "x.txt"), PortRanges::default());
        assert_eq!(parse("no word\n-----\na : 1\nb : 2\n", "x.txt"), PortRanges::default());
    }
}
