//! `netsh int ipv4|ipv6 show dynamicport tcp|udp` and `show excludedportrange`, in any language, and in the states in which
//! web pages leave them.
//!
//! Told by shape: a line with the protocol word, a rule of dashes, and numbers in their order: two with labels, or two in
//! each row. Where the rule is lost, the line or the command must speak of ports. The family is known from the command
//! above, if it is shown, or from the name of the file.

use std::collections::VecDeque;

use super::facts::{DynamicPorts, ExcludedPorts, RowCount};
use super::lines::{Command, Line, Lines, is_ellipsis, is_prompt, is_socket_row};
use crate::net::{Family, Protocol};

/// So many lines stand between the protocol word and the rule at most, blank ones aside: the heads of the columns.
const MAX_LINES_TO_RULE: usize = 3;

/// So many lines side by side that are no rows end a list.
const MAX_MISSES: usize = 8;

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
    /// Dynamic ranges, and listings of them whose numbers are no ports.
    pub dynamic_rows: RowCount,
    /// Excluded ranges, and lines between them that are none.
    pub excluded_rows: RowCount,
    /// Lines that say that others are left out.
    pub omissions: u64,
}

/// Reads all listings in `text`, a file called `name`.
pub fn parse(text: &str, name: &str) -> PortRanges {
    read(Lines::new(text), name)
}

/// The same, line by line.
pub(super) fn read(mut lines: Lines<'_>, name: &str) -> PortRanges {
    let name = crate::event::base_name(name).to_lowercase();
    let is_called_so =
        ["dynamicport", "dynport", "dynamic-port", "dynamic_port"].iter().any(|word| name.contains(word));
    let mut reader = Reader { of_name: family_of_name(&name), is_called_so, ..Reader::default() };
    while let Some(line) = lines.next() {
        let text = line.trimmed();
        if is_socket_row(text) {
            continue;
        }
        let is_title = !text.is_empty() && !is_prompt(text) && protocol_in(text).is_some();
        match protocol_in(text).filter(|_| is_title) {
            Some(protocol) if reader.in_one_line(line, protocol) => {}
            Some(protocol) => lines = reader.listing(line, protocol, lines).unwrap_or(lines),
            None => {}
        }
        reader.look(text);
    }
    reader.end()
}

/// Whether two numbers are a dynamic port range: its first port, and how many ports it has.
pub(super) fn is_range(start: u32, count: u32) -> bool {
    start > 0 && count > 0 && start.saturating_add(count) <= PORTS
}

/// Whether Windows lets a range be set: no port below 1,024, and 255 ports at least.
fn is_settable(start: u32, count: u32) -> bool {
    start >= 1024 && count >= 255
}

#[derive(Debug, Default)]
struct Reader {
    found: PortRanges,
    command: Command,
    /// Families that the last command named, in its order.
    families: VecDeque<Family>,
    of_name: Option<Family>,
    /// The file is called after the command for dynamic ranges.
    is_called_so: bool,
    /// Ranges of `store=persistent`: those that hold after the next start.
    persistent: Vec<DynamicPorts>,
}

impl Reader {
    fn look(&mut self, line: &str) {
        self.command.see(line);
        let families = families_in(line);
        if !families.is_empty() || is_prompt(line) {
            self.families = families;
        }
    }

    /// All that was found: what is stored for the next start counts where nothing tells what holds now.
    fn end(mut self) -> PortRanges {
        let active = &self.found.dynamic;
        let is_told = |stored: &DynamicPorts| {
            let is_same = |ports: &DynamicPorts| (ports.protocol, ports.family) == (stored.protocol, stored.family);
            active.iter().any(is_same)
        };
        self.persistent.retain(|stored| !is_told(stored));
        self.found.dynamic.append(&mut self.persistent);
        self.found
    }

    /// The family of the listing that begins. A command that names one family may print several listings.
    fn family(&mut self) -> Option<Family> {
        let family = self.families.front().copied();
        if self.families.iter().any(|other| Some(*other) != family) {
            self.families.pop_front();
        }
        family.or(self.of_name)
    }

    /// Reads the listing below a title; gives the lines behind it, `None` where there is none.
    fn listing<'t>(&mut self, title: Line<'t>, protocol: Protocol, mut lines: Lines<'t>) -> Option<Lines<'t>> {
        if is_statistics(title.text) {
            return None;
        }
        let mut is_ruled = false;
        let mut others = 0;
        let mut has_heads = false;
        loop {
            let before = lines;
            let line = lines.next()?;
            let text = line.trimmed();
            if text.is_empty() {
                continue;
            }
            match rule_columns(text) {
                Some(1) => {
                    is_ruled = true;
                    continue;
                }
                Some(2) => return Some(self.excluded(protocol, lines)),
                Some(_) => return None,
                None => {}
            }
            if labelled(text).is_some() {
                let is_asked = self.command.names("dynamicport") || self.is_called_so;
                let is_named = is_asked || (names_ports(title.text) && is_dynamic(title.text));
                return (is_named || is_ruled).then(|| self.dynamic(protocol, before, is_named)).flatten();
            }
            if range(text).is_some() {
                let is_named = names_ports(title.text) && (has_heads || is_exclusion(title.text));
                let is_known = self.command.names("excludedport") || (is_named && is_in_order(before));
                return is_known.then(|| self.excluded(protocol, before));
            }
            has_heads |= names_ports(text);
            others += 1;
            if is_ruled || others > MAX_LINES_TO_RULE || protocol_in(text).is_some() || is_prompt(text) {
                return None;
            }
        }
    }

    /// Two numbers with labels, and then the block ends: more of them are something else. Where nothing says that it is a dynamic
    /// range, only one that ends with the last port is: other settings and counts have such labels, and a rule above them, too.
    fn dynamic<'t>(&mut self, protocol: Protocol, mut lines: Lines<'t>, is_named: bool) -> Option<Lines<'t>> {
        let first = lines.find(|line| !line.is_blank())?;
        let start = labelled_number(first.text)?;
        let is_usual = |start: u32, count: u32| is_settable(start, count) && start.saturating_add(count) == PORTS;
        let mut behind = lines;
        let second = lines.find(|line| !line.is_blank()).filter(|line| labelled(line.text).is_some());
        if second.is_some() {
            behind = lines;
            let is_value = |line: Line<'_>| labelled(line.text).is_some_and(|(_, value)| !value.is_empty());
            if lines.peek_text().is_some_and(is_value) {
                return None;
            }
        }
        let counts_use = |line: Line<'_>| labelled(line.text).is_some_and(|(label, _)| is_use(label));
        if counts_use(first) || second.is_some_and(counts_use) {
            return None;
        }
        let count = second.and_then(|line| labelled_number(line.text));
        let family = self.family();
        match (u16::try_from(start), count) {
            (Ok(port), Some(count)) if is_range(start, count) && (is_named || is_usual(start, count)) => {
                let ports = DynamicPorts { source: 0, protocol, family, start: port, count };
                let is_stored = self.command.names("store=persistent");
                let ranges = if is_stored { &mut self.persistent } else { &mut self.found.dynamic };
                ranges.push(ports);
                self.found.dynamic_rows.read();
            }
            _ if !is_named => return None,
            _ => self.found.dynamic_rows.missed(first.number),
        }
        Some(behind)
    }

    /// A listing that a web page has made one line of.
    fn in_one_line(&mut self, line: Line<'_>, protocol: Protocol) -> bool {
        let text = line.trimmed();
        let Some((title, _)) = text.split_once([':', '：']) else { return false };
        let numbers: Vec<u32> = text
            .split([':', '：'])
            .skip(1)
            .filter_map(|piece| super::columns::number(piece.split_whitespace().next()?))
            .collect();
        let ends_with_number = text.ends_with(|c: char| c.is_ascii_digit());
        let is_title = protocol_in(title).is_some() && is_dynamic(title) && names_ports(title) && !is_statistics(title);
        let pieces = text.matches([':', '：']).count();
        match numbers.as_slice() {
            [start, count] if is_title && pieces == 2 && ends_with_number && is_range(*start, *count) => {
                let Ok(start) = u16::try_from(*start) else { return false };
                let family = self.family();
                self.found.dynamic.push(DynamicPorts { source: 0, protocol, family, start, count: *count });
                self.found.dynamic_rows.read();
                true
            }
            _ => false,
        }
    }

    /// Rows of two numbers. What stands between them and is none is counted; behind the last of them it is something else.
    fn excluded<'t>(&mut self, protocol: Protocol, mut lines: Lines<'t>) -> Lines<'t> {
        self.found.excluded_listings = self.found.excluded_listings.saturating_add(1);
        let family = self.family();
        let mut behind = lines;
        let (mut pending, mut omissions, mut misses) = (RowCount::default(), 0_u64, 0);
        while let Some(line) = lines.next() {
            let text = line.trimmed();
            if text.is_empty() || rule_columns(text).is_some() {
                continue;
            }
            if let Some((start, end, administered)) = range(text) {
                self.found.excluded.push(ExcludedPorts { source: 0, protocol, family, start, end, administered });
                self.found.excluded_rows.read();
                self.found.excluded_rows.add(std::mem::take(&mut pending));
                self.found.omissions = self.found.omissions.saturating_add(std::mem::take(&mut omissions));
                (behind, misses) = (lines, 0);
                continue;
            }
            misses += 1;
            // The footnote, the next listing, the next command.
            let is_end = text.starts_with('*') || protocol_in(text).is_some() || is_prompt(text) || misses > MAX_MISSES;
            if is_end {
                break;
            }
            if is_ellipsis(text) {
                omissions += 1;
            } else if starts_with_number(text) {
                self.found.excluded_rows.missed(line.number);
                behind = lines;
            } else {
                pending.missed(line.number);
            }
        }
        behind
    }
}

/// Words for ports in the languages of Windows, in small letters.
const PORT_WORDS: [&str; 14] = [
    "port",
    "puerto",
    "porta",
    "poort",
    "порт",
    "端口",
    "ポート",
    "포트",
    "連接埠",
    "θύρ",
    "bağlantı noktası",
    "منفذ",
    "יציא",
    "พอร์ต",
];

/// Whether one of these words, or beginnings of words, stands in a title, in any case.
fn has_any(title: &str, words: &[&str]) -> bool {
    let title = title.to_lowercase();
    words.iter().any(|word| title.contains(word))
}

fn names_ports(title: &str) -> bool {
    has_any(title, &PORT_WORDS)
}

/// Whether a title says in a language of Windows that ports are dynamic.
fn is_dynamic(title: &str) -> bool {
    const WORDS: [&str; 17] = [
        "dynam",
        "dinam",
        "dinám",
        "dinàm",
        "dinâm",
        "dynaam",
        "dünaam",
        "динам",
        "δυναμ",
        "动态",
        "動態",
        "動的",
        "동적",
        "דינמ",
        "دينام",
        "ไดนามิก",
        "động",
    ];
    has_any(title, &WORDS)
}

/// Whether a title says in a language of Windows that ports are excluded.
fn is_exclusion(title: &str) -> bool {
    const WORDS: [&str; 17] = [
        "exclu",
        "exklu",
        "esclus",
        "ausschlu",
        "ausgeschl",
        "uitsl",
        "wyklucz",
        "vylouč",
        "kizár",
        "hariç",
        "исключ",
        "εξαίρ",
        "排除",
        "除外",
        "제외",
        "uteslut",
        "udelad",
    ];
    has_any(title, &WORDS)
}

/// Whether a label counts ports by what they are used for: no range.
fn is_use(label: &str) -> bool {
    let label = label.to_lowercase();
    let of_word =
        |word: &str| matches!(word, "use" | "used" | "free" | "available" | "left" | "remaining" | "local" | "remote");
    label.split(|c: char| !c.is_alphanumeric()).any(of_word) || label.parse::<std::net::IpAddr>().is_ok()
}

/// Whether ranges follow that begin behind each other's ends, as `netsh` lists them.
fn is_in_order(lines: Lines<'_>) -> bool {
    let ranges =
        lines.map_while(|line| if line.is_blank() { Some(None) } else { range(line.text).map(Some) }).flatten();
    let mut last_end = 0;
    ranges.into_iter().all(|(start, end, _)| {
        let is_behind = start > last_end;
        last_end = end;
        is_behind
    })
}

/// `UDP Statistics`, `TCP-Statistik`, and so on: numbers below it are no ports.
fn is_statistics(title: &str) -> bool {
    has_any(title, &["statisti", "estad", "estat", "статист", "统计", "統計", "통계", "στατιστ", "istatisti"])
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

/// The label and the value of `Start Port : 49152`; a value is one word.
fn labelled(line: &str) -> Option<(&str, &str)> {
    let (label, value) = line.trim().rsplit_once([':', '：'])?;
    let (label, value) = (label.trim(), value.trim());
    let is_label =
        !label.is_empty() && !label.contains([':', '：']) && !label.bytes().all(|byte| byte.is_ascii_digit());
    (is_label && !value.contains(char::is_whitespace) && !value.starts_with('\\')).then_some((label, value))
}

/// The number of `Start Port : 49152`.
fn labelled_number(line: &str) -> Option<u32> {
    labelled(line).and_then(|(_, value)| super::columns::number(value))
}

fn starts_with_number(line: &str) -> bool {
    line.starts_with(|c: char| c.is_ascii_digit())
}

/// `50000       50059     *`, and a remark behind it.
fn range(line: &str) -> Option<(u16, u16, bool)> {
    let mut words = line.split(|c: char| c.is_whitespace() || c == '|').filter(|word| !word.is_empty());
    let start: u16 = super::columns::number(words.next()?)?;
    let end: u16 = super::columns::number(words.next()?)?;
    let (administered, remark) = match words.next() {
        Some("*") => (true, words.next()),
        other => (false, other),
    };
    // A third number is of another table.
    let is_remark = remark.is_none_or(|word| !word.starts_with(|c: char| c.is_alphanumeric()));
    (start <= end && is_remark).then_some((start, end, administered))
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
        let listing = |protocol: &str| format!("\n{protocol} dynamic port range\n------\na : 1024\nb : 64511\n\n");
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
    fn what_holds_now_counts_and_not_what_is_stored() {
        let listing = |store: &str, start: u16| {
            format!(
                "C:\\>netsh int ipv4 show dynamicport tcp store={store}\n\nProtocol tcp Dynamic Port Range\n------\nStart Port : {start}\nNumber of Ports : 1000\n\n"
            )
        };
        let starts = |text: &str| parse(text, "x.txt").dynamic.iter().map(|ports| ports.start).collect::<Vec<_>>();
        assert_eq!(starts(&(listing("active", 50_000) + &listing("persistent", 10_000))), [50_000]);
        assert_eq!(starts(&(listing("persistent", 10_000) + &listing("active", 50_000))), [50_000]);
        assert_eq!(starts(&listing("persistent", 10_000)), [10_000]);
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
        assert_eq!((found.excluded_listings, found.excluded_rows.not_understood), (1, 1));
    }

    #[test]
    fn numbers_that_are_no_range_are_counted() {
        let listing = |start: &str, count: &str| format!("tcp dynamic port range\n------\na : {start}\nb : {count}\n");
        for (start, count) in [("0", "16384"), ("49152", "16385"), ("70000", "1"), ("49152", "x"), ("49152", "0")] {
            let found = parse(&listing(start, count), "x.txt");
            assert_eq!((found.dynamic.len(), found.dynamic_rows.not_understood), (0, 1), "{start} {count}");
        }
        assert_eq!(parse(&listing("x", "y"), "x.txt"), PortRanges::default());
        assert_eq!(parse("no word\n-----\na : 1\nb : 2\n", "x.txt"), PortRanges::default());
    }

    #[test]
    fn other_numbers_below_a_line_about_ports_are_no_ranges() {
        for text in [
            "TCP ephemeral ports\n  In use    : 14210\n  Available : 2174\n",
            "TCP ports in use\n----------------\nPorts used  : 14210\nPorts free  : 2174\n",
            "Dynamic TCP ports\n-----------------\nPorts in use : 49152\nPorts free  : 16384\n",
            "TCP ports used per local address\n10.20.0.5 : 49152\n10.20.0.6 : 16384\n",
            "Port Statistics\n\nTCP mappings: 14085\nUDP mappings: 210\n",
            "TCP port check\n\nLocal port : 50000\nRemote port : 1433\n",
            "RPC over TCP port settings\nFirst port : 5000\nNumber of ports : 100\n",
            "Alarm: free TCP ports low\nFree : 1200\nThreshold : 2000\n",
            "TCP ports by PID (PID, count)\n\n7312 14000\n4 21\n2840 3085\n",
            "Top TCP remote ports\n\n1433 14000\n49670 49812\n",
        ] {
            assert_eq!(parse(text, "x.txt"), PortRanges::default(), "{text}");
        }
        let titled = |title: &str| parse(&format!("{title}\n5357 5357\n50000 50059 *\n"), "x.txt").excluded.len();
        assert_eq!(titled("Protocol tcp Port Exclusion Ranges"), 2);
        assert_eq!(titled("Protocol tcp ports\n\nStart Port    End Port"), 2);
        assert_eq!(titled("Protocol tcp ports"), 0);
    }

    #[test]
    fn what_web_pages_leave_of_them() {
        for text in [
            "C:\\>netsh int ipv4 show dynamicport tcp\n协议 tcp 动态端口范围\n启动端口 : 1024\n端口数 : 13977\n",
            "> Protocol tcp Dynamic Port Range\n> Start Port:1024\n> Number of Ports:13977\n",
            "Protocol tcp Dynamic Port Range --------------------------------- Start Port : 1024 Number of Ports : 13977\n",
            "Protocol tcp Dynamic Port Range\n\n------\n\nStart Port : 1024\n\nNumber of Ports : 13977\n\n",
        ] {
            let found: Vec<_> = parse(text, "x.txt").dynamic.iter().map(|ports| (ports.start, ports.count)).collect();
            assert_eq!(found, [(1024, 13977)], "{text}");
        }
        let text = "Protocol udp Port Exclusion Ranges\nStart Port End Port\n1029 1128\n...\nwhat is this\n3109 3208 <-- here\n\n1 x\n* - Administered\n9 9\n";
        let found = parse(text, "x.txt");
        let rows: Vec<_> = found.excluded.iter().map(|row| (row.start, row.end)).collect();
        assert_eq!((rows, found.omissions), (vec![(1029, 1128), (3109, 3208)], 1));
        let missed = RowCount { rows: 2, not_understood: 2, first_not_understood: Some(5) };
        assert_eq!(found.excluded_rows, missed);
    }

    #[test]
    fn what_stands_before_the_next_listing_is_none() {
        let one = "Protocol tcp Dynamic Port Range\n------\nStart Port : 49152\nNumber of Ports : 16384\n\n";
        let text = format!("Before:\n\n{one}After:\n\n{}", one.replace("49152", "1025"));
        let starts: Vec<u16> = parse(&text, "x.txt").dynamic.iter().map(|ports| ports.start).collect();
        assert_eq!(starts, [49_152, 1025]);
    }

    #[test]
    fn statistics_are_no_ranges() {
        for text in [
            "UDP Statistics\n------\nIn Datagrams:  38127\nNo Ports:  1204\nIn Errors: 0\nOut Datagrams: 25858\n",
            "UDP Statistics\n------\nIn Datagrams:  38127\nNo Ports:  1204\n",
            "UDP of this machine\n------\nIn Datagrams:  38127\nNo Ports:  1204\nIn Errors: 0\n",
            "TCP counters\nActive Opens: 1204\nPassive Opens: 300\n",
        ] {
            assert_eq!(parse(text, "x.txt").dynamic, [], "{text}");
        }
    }
}
