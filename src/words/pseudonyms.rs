//! Names that stand for others, so that a report can be sent: the same original gives the same name wherever it stands.
//!
//! What a value is decides: callers say whether it is a path, an image, a service, an address or a sentence. In a sentence the
//! originals met so far are replaced, and what looks like an address, a path, a user or a number of hardware.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sha2::{Digest as _, Sha256};

use super::counted;
use super::windows_services::is_of_windows;

/// What an original is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Original {
    /// A computer.
    Host,
    /// A file, of whatever kind.
    File,
    /// A folder.
    Folder,
    /// An IP address.
    Address,
    /// A MAC address.
    Hardware,
    /// An address of electronic mail.
    Mail,
    /// A security identifier (SID).
    Sid,
    /// A service that does not come with Windows.
    Service,
    /// A program, where those are replaced too.
    Image,
    /// Any other text: users, command lines, what nobody knows.
    Text,
}

impl Original {
    /// All kinds.
    const ALL: [Self; 10] = [
        Self::Host,
        Self::File,
        Self::Folder,
        Self::Address,
        Self::Hardware,
        Self::Mail,
        Self::Sid,
        Self::Service,
        Self::Image,
        Self::Text,
    ];

    /// The first word of its pseudonyms.
    const fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::File => "file",
            Self::Folder => "folder",
            Self::Address => "address",
            Self::Hardware => "mac",
            Self::Mail => "mail",
            Self::Sid => "sid",
            Self::Service => "service",
            Self::Image => "image",
            Self::Text => "text",
        }
    }

    /// As a sentence counts it.
    const fn noun(self) -> &'static str {
        match self {
            Self::Host => "host name",
            Self::File => "file name",
            Self::Folder => "folder name",
            Self::Address => "IP address",
            Self::Hardware => "MAC address",
            Self::Mail => "mail address",
            Self::Sid => "SID",
            Self::Service => "service",
            Self::Image => "image",
            Self::Text => "text",
        }
    }
}

/// Originals and the names that stand for them.
#[derive(Debug, Clone, Default)]
pub struct Pseudonyms {
    /// Images are replaced too.
    replaces_images: bool,
    /// Where given, the name follows from the original alone.
    key: Option<Vec<u8>>,
    names: BTreeMap<(Original, String), String>,
    used: BTreeMap<Original, u64>,
    /// Originals as they may stand in sentences, and their names, the longest first: a part of one may be another.
    in_sentences: BTreeMap<(Reverse<usize>, String), String>,
    /// Names of files and paths that were given out: they are no originals.
    given: BTreeSet<String>,
}

/// Originals that are told apart: a trace can hold any number of texts.
const MAX_ORIGINALS: usize = 1 << 20;

/// Shorter originals stand in sentences by chance.
const MIN_IN_SENTENCE: usize = 3;

/// Endings of file names that may stay, since they say what a file is.
const ENDINGS: &[&str] = &[
    "cab", "cap", "csv", "dll", "etl", "evtx", "exe", "gz", "html", "json", "log", "md", "pcap", "pcapng", "sys",
    "tsv", "txt", "xml", "zip", "zst",
];

/// Files that the steps of a report name: they are no one's.
const OWN_FILES: &[&str] = &[
    "appcmd.exe",
    "drivers.csv",
    "dynamicport-ipv4.txt",
    "dynamicport-ipv6.txt",
    "excludedport-ipv4.txt",
    "excludedport-ipv6.txt",
    "filters.txt",
    "http.txt",
    "memory.txt",
    "netstat-b.txt",
    "netstat.txt",
    "nonpaged.txt",
    "sc.exe",
    "server.etl",
    "System.evtx",
    "tasklist.txt",
    "tasks.csv",
];

impl Pseudonyms {
    /// None yet. With `replaces_images` names of programs are replaced too; with a key an original has the same name in each
    /// run with that key, else names are numbered in the order of their first use.
    pub fn new(replaces_images: bool, key: Option<&[u8]>) -> Self {
        let key = key.map(<[u8]>::to_vec);
        Self { replaces_images, key, ..Self::default() }
    }

    /// Whether names of programs are replaced too.
    pub fn replaces_images(&self) -> bool {
        self.replaces_images
    }

    /// The name of an original, without an ending.
    fn name(&mut self, what: Original, original: &str) -> String {
        let is_keyed = self.key.is_some();
        self.name_by(what, original.to_lowercase(), |number| {
            if is_keyed { format!("{}-{number:08x}", what.word()) } else { format!("{}-{number}", what.word()) }
        })
    }

    /// The name that an original has, or that `spell` makes of its number: the next one, or what the key makes of it. Originals
    /// beyond [`MAX_ORIGINALS`] have the number 0 without a key.
    fn name_by(&mut self, what: Original, folded: String, spell: impl FnOnce(u64) -> String) -> String {
        let has_room = self.names.len() < MAX_ORIGINALS;
        let slot = match self.names.entry((what, folded)) {
            Entry::Occupied(known) => return known.get().clone(),
            Entry::Vacant(slot) => slot,
        };
        if has_room {
            *self.used.entry(what).or_default() += 1;
        }
        let number = match &self.key {
            Some(key) => keyed(key, what, &slot.key().1),
            None if has_room => self.used.get(&what).copied().unwrap_or(0),
            None => 0,
        };
        let name = spell(number);
        if has_room {
            slot.insert(name.clone());
        }
        name
    }

    /// Remembers an original for sentences.
    fn remember(&mut self, original: &str, name: &str) {
        let is_number = original.bytes().all(|byte| byte.is_ascii_digit());
        if original.chars().count() >= MIN_IN_SENTENCE && !is_number && original != name {
            let folded = original.to_lowercase();
            self.in_sentences.insert((Reverse(folded.len()), folded), name.to_owned());
        }
    }

    /// Remembers a name that stays, so that sentences keep it whole where a part of it is an original.
    fn keep(&mut self, name: &str) {
        if name.chars().count() >= MIN_IN_SENTENCE {
            let folded = name.to_lowercase();
            self.in_sentences.entry((Reverse(folded.len()), folded)).or_insert_with(|| name.to_owned());
        }
    }

    /// A name of a computer.
    pub fn host(&mut self, host: &str) -> String {
        let name = self.name(Original::Host, host);
        self.remember(host, &name);
        name
    }

    /// A text of which nothing is known, and that no sentence quotes.
    pub fn text(&mut self, text: &str) -> String {
        if text.is_empty() { String::new() } else { self.name(Original::Text, text) }
    }

    /// A text that sentences may quote.
    pub fn quoted_text(&mut self, text: &str) -> String {
        let name = self.text(text);
        self.remember(text, &name);
        name
    }

    /// A file name with its ending, where that says what the file is.
    fn file(&mut self, file: &str) -> String {
        if OWN_FILES.contains(&file) { file.to_owned() } else { self.name_with_ending(Original::File, file) }
    }

    /// The name of a file or program, with its ending where that says what it is.
    fn name_with_ending(&mut self, what: Original, original: &str) -> String {
        let name = self.name(what, original);
        ending_of(original).map_or_else(|| name.clone(), |ending| format!("{name}.{ending}"))
    }

    /// A path: each folder and the file.
    pub fn path(&mut self, path: &str) -> String {
        let parts: Vec<&str> = path.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".").collect();
        let Some((file, folders)) = parts.split_last() else { return path.to_owned() };
        let mut names: Vec<String> = folders
            .iter()
            .map(|folder| if *folder == ".." { "..".to_owned() } else { self.name(Original::Folder, folder) })
            .collect();
        let file_name = self.file(file);
        self.remember(file, &file_name);
        names.push(file_name.clone());
        let name = names.join("/");
        self.remember(path, &name);
        self.given.insert(file_name);
        self.given.insert(name.clone());
        name
    }

    /// A name of a program; it stays where images are not replaced, and the kernel's always.
    pub fn image(&mut self, image: &str) -> String {
        if !self.replaces_images || ["system", "idle", "system idle process"].contains(&image.to_lowercase().as_str()) {
            self.keep(image);
            return image.to_owned();
        }
        let name = self.name_with_ending(Original::Image, image);
        self.remember(image, &name);
        name
    }

    /// The path of a program: its folders are replaced, its name as [`Self::image`] does.
    pub fn image_path(&mut self, path: &str) -> String {
        let (folder, image) = path.rsplit_once(['\\', '/']).unwrap_or(("", path));
        let name = self.image(image);
        if folder.is_empty() {
            return name;
        }
        let name = format!("{}\\{name}", self.name(Original::Folder, folder));
        self.remember(path, &name);
        name
    }

    /// A service; those of Windows stay.
    pub fn service(&mut self, service: &str) -> String {
        if is_of_windows(service) {
            return service.to_owned();
        }
        let name = self.name(Original::Service, service);
        self.remember(service, &name);
        name
    }

    /// An IP address, by one that nobody has: of 240.0.0.0/4 (reserved) or 2001:db8::/32 (documentation). Loopback and
    /// unspecified addresses stay.
    pub fn ip(&mut self, ip: IpAddr) -> IpAddr {
        if let IpAddr::V6(v6) = ip
            && let Some(v4) = v6.to_ipv4_mapped()
            && let IpAddr::V4(name) = self.ip(IpAddr::V4(v4))
        {
            return IpAddr::V6(name.to_ipv6_mapped());
        }
        if ip.is_loopback() || ip.is_unspecified() || is_stand_in(ip) {
            return ip;
        }
        let spell = |number: u64| match ip {
            // The last of the range is the broadcast address.
            IpAddr::V4(_) => Ipv4Addr::from_bits(0xF000_0000 | (number % 0x0FFF_FFFF) as u32).to_string(),
            IpAddr::V6(_) => Ipv6Addr::from_bits((0x2001_0DB8 << 96) | u128::from(number)).to_string(),
        };
        self.name_by(Original::Address, ip.to_string(), spell).parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// An address or a name with a port, as netstat shows the end of a connection.
    pub fn endpoint(&mut self, endpoint: &str) -> String {
        let (host, port) = endpoint.rsplit_once(':').unwrap_or((endpoint, ""));
        let (host, port) = if host.contains(':') && !host.starts_with('[') { (endpoint, "") } else { (host, port) };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let bare = bare.split_once('%').map_or(bare, |(address, _)| address);
        let name = match bare.parse::<IpAddr>() {
            Ok(ip) => {
                let ip = self.ip(ip);
                if host.starts_with('[') { format!("[{ip}]") } else { ip.to_string() }
            }
            Err(_) if bare.is_empty() || bare == "*" => host.to_owned(),
            Err(_) => self.host(bare),
        };
        if port.is_empty() { name } else { format!("{name}:{port}") }
    }

    /// A sentence of a report, or a command: originals met before are replaced, quotations, and what looks like an address, a
    /// path, a mail address, a SID or a MAC address.
    pub fn sentence(&mut self, sentence: &str) -> String {
        let text = without_quotations(sentence);
        let text = self.replaced(&text);
        let mut out = String::with_capacity(text.len());
        for piece in text.split_inclusive(is_separator) {
            let token = piece.trim_end_matches(is_separator);
            let word = token.trim_end_matches(['.', ':', '!', '?']);
            let rest = piece.get(word.len()..).unwrap_or_default();
            match self.token(word) {
                Some(name) => out.push_str(&name),
                None => out.push_str(word),
            }
            out.push_str(rest);
        }
        out
    }

    /// A word of a sentence that names something.
    fn token(&mut self, word: &str) -> Option<String> {
        let bare = word.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return (bare.contains(':') || bare.contains('.')).then(|| self.ip(ip).to_string());
        }
        if let Ok(end) = word.parse::<std::net::SocketAddr>() {
            let ip = self.ip(end.ip());
            return Some(std::net::SocketAddr::new(ip, end.port()).to_string());
        }
        if is_sid(word) {
            return Some(self.name(Original::Sid, word));
        }
        if is_mac(word) {
            return Some(self.name(Original::Hardware, word));
        }
        if is_mail(word) {
            return Some(self.name(Original::Mail, word));
        }
        if is_path(word) && !self.given.contains(word) {
            return Some(self.path(word));
        }
        None
    }

    /// With the originals met so far replaced, longest first.
    fn replaced(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let starts = !is_word(text.get(..at).and_then(|before| before.chars().next_back()));
            let found = self.in_sentences.iter().filter(|_| starts).find_map(|((_, original), name)| {
                let length = folded_prefix(rest, original)?;
                let ends = !is_word(rest.get(length..).and_then(|after| after.chars().next()));
                ends.then_some((length, name))
            });
            if let Some((length, name)) = found {
                out.push_str(name);
                at += length;
            } else {
                let Some(character) = rest.chars().next() else { break };
                out.push(character);
                at += character.len_utf8();
            }
        }
        out
    }

    /// What was replaced and what was kept, as a sentence; counts of distinct originals.
    pub fn account(&self) -> String {
        let count = |what: &Original| self.used.get(what).map(|count| counted(*count, what.noun()));
        let counts: Vec<String> = Original::ALL.iter().filter_map(count).collect();
        let replaced = if counts.is_empty() { "nothing was found to replace".to_owned() } else { counts.join(", ") };
        let images = if self.replaces_images { "" } else { ", image names" };
        format!(
            "redacted: {replaced}; kept: ports, counts, times, builds, codes{images}, services of Windows, endpoint addresses of the kernel"
        )
    }
}

/// Between the words of a sentence or a command.
fn is_separator(character: char) -> bool {
    character.is_whitespace() || matches!(character, '"' | '\'' | '(' | ')' | ',' | ';' | '=' | '<' | '>' | '|')
}

/// The ending of a file's name that says what it is, in lower case.
fn ending_of(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    ENDINGS.iter().copied().find(|known| known.eq_ignore_ascii_case(ending))
}

/// Whether a name is that of a program, a library or a driver.
pub fn is_program(name: &str) -> bool {
    matches!(ending_of(name), Some("exe" | "dll" | "sys"))
}

/// What a key makes of an original: 32 bits.
fn keyed(key: &[u8], what: Original, folded: &str) -> u64 {
    let hash = Sha256::new().chain_update(key).chain_update([0]).chain_update(what.word()).chain_update([0]);
    let hash = hash.chain_update(folded).finalize();
    hash.iter().take(4).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// How many bytes of a text are another one, in lower case already.
fn folded_prefix(text: &str, folded: &str) -> Option<usize> {
    let mut wanted = folded.chars();
    let mut length = 0;
    for character in text.chars() {
        let mut rest = wanted.clone();
        if rest.next().is_none() {
            return Some(length);
        }
        for lower in character.to_lowercase() {
            if wanted.next() != Some(lower) {
                return None;
            }
        }
        length += character.len_utf8();
    }
    wanted.next().is_none().then_some(length)
}

/// Quotations are what somebody else's file says.
fn without_quotations(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\u{201c}') {
        out.push_str(before);
        out.push_str("(left out)");
        rest = behind.split_once('\u{201d}').map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

/// An address that stands for another one already.
fn is_stand_in(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.octets()[0] >= 0xF0,
        IpAddr::V6(v6) => v6.segments()[..2] == [0x2001, 0x0DB8],
    }
}

fn is_sid(word: &str) -> bool {
    word.len() > 8 && word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("S-1-")) && {
        word.bytes().skip(4).all(|byte| byte.is_ascii_digit() || byte == b'-')
    }
}

fn is_mac(word: &str) -> bool {
    ['-', ':'].into_iter().any(|sign| {
        let parts: Vec<&str> = word.split(sign).collect();
        parts.len() == 6
            && parts.iter().all(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

fn is_mail(word: &str) -> bool {
    word.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !host.contains('@'))
}

/// A path, or a file name with one of the known endings; not the paths of registry, of netsh and of the report's own steps.
fn is_path(word: &str) -> bool {
    let own = ["HKLM\\", "%windir%", "C:\\case", "\\Device\\Afd", "https://", "http://"];
    if OWN_FILES.contains(&word) || own.iter().any(|start| word.starts_with(start)) {
        return false;
    }
    let has_separator = word.contains('\\') || (word.contains('/') && word.contains('.'));
    let is_file = ending_of(word).is_some_and(|ending| word.len() > ending.len() + 1) && !is_program(word);
    has_separator || is_file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_original_has_one_name_in_rows_and_sentences() {
        let mut names = Pseudonyms::new(false, None);
        assert_eq!(names.path(r"C:\Users\amanda\case 7.etl"), "folder-1/folder-2/folder-3/file-1.etl");
        assert_eq!(names.path("case 7.etl"), "file-1.etl");
        assert_eq!(names.sentence("Case 7.ETL: the session lost 3 events"), "file-1.etl: the session lost 3 events");
        assert_eq!(names.service("OrderPump"), "service-1");
        assert_eq!(names.service("Dnscache"), "Dnscache");
        assert_eq!(names.sentence("sc.exe enumdepend \"orderpump\""), "sc.exe enumdepend \"service-1\"");
        assert_eq!(names.image_path(r"C:\Users\amanda\agent.exe"), r"folder-4\agent.exe");
    }

    #[test]
    fn a_service_is_not_replaced_within_an_image_that_stays() {
        for image_first in [true, false] {
            let mut names = Pseudonyms::new(false, None);
            if image_first {
                names.image("MeterSync.Agent.exe");
            }
            names.service("MeterSync");
            names.image("MeterSync.Agent.exe");
            assert_eq!(
                names.sentence("Restart MeterSync.Agent.exe (PID 7312), the service MeterSync"),
                "Restart MeterSync.Agent.exe (PID 7312), the service service-1"
            );
        }
    }

    #[test]
    fn addresses_stay_addresses() {
        let mut names = Pseudonyms::new(false, None);
        assert_eq!(names.endpoint("10.1.2.3:443"), "240.0.0.1:443");
        assert_eq!(names.endpoint("[fd00::1%4]:443"), "[2001:db8::2]:443");
        assert_eq!(names.endpoint("*:*"), "*:*");
        assert_eq!(names.endpoint("sql7.contoso.example:https"), "host-1:https");
        assert_eq!(names.endpoint("127.0.0.1:80"), "127.0.0.1:80");
        assert_eq!(
            names.sentence("most to 10.1.2.3, then ::ffff:10.1.2.3."),
            "most to 240.0.0.1, then ::ffff:240.0.0.1."
        );
        assert_eq!(names.sentence("to 240.0.0.1:80"), "to 240.0.0.1:80", "it stands for another already");
    }

    #[test]
    fn sentences_keep_their_own_words() {
        let mut names = Pseudonyms::new(false, None);
        for own in [
            "301 of 17,217 binds failed with STATUS_TOO_MANY_ADDRESSES (0xC0000209; Winsock 10055 or 10048)",
            "netsh int ipv4 set dynamicport tcp start=49152 num=16384",
            "reg query HKLM\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters /v TcpTimedWaitDelay",
            "tasklist /svc > tasklist.txt",
            "svchost.exe (PID 1156, service Dnscache) held 8 of 16,384 ports at 09:49:17.6878306 UTC",
        ] {
            assert_eq!(names.sentence(own), own);
        }
        assert_eq!(
            names.sentence("it says: \u{201c}amanda\u{201d}; S-1-5-21-1-2 at a@b.example"),
            "it says: (left out); sid-1 at mail-1"
        );
        assert_eq!(names.sentence("00-15-5D-0A-0B-0C and notes.txt"), "mac-1 and file-1.txt");
    }
}
