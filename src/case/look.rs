//! What a file that is no trace looks like, and what to give instead.

use crate::side::is_text;

/// What the first bytes of a file say that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Look {
    /// Captured packets: pcap, pcapng.
    PacketCapture,
    /// Network Monitor's capture file.
    NetworkMonitor,
    /// A recording profile of the Windows Performance Recorder.
    RecorderProfile,
    /// An XML document.
    Xml,
    /// A JSON document.
    Json,
    /// A web page.
    Html,
    /// A picture.
    Image,
    /// A PDF document.
    Pdf,
    /// A program or a library.
    Program,
    /// A 7-Zip or RAR archive.
    OtherArchive,
    /// A memory dump.
    MemoryDump,
    /// A registry hive.
    RegistryHive,
    /// A log of performance counters (`.blg`).
    CounterLog,
    /// A database of SQLite.
    Database,
    /// Zeros alone.
    Zeros,
    /// Text.
    Text,
}

/// First bytes of files that are nothing to read.
const MAGICS: [(&[u8], Look); 29] = [
    (&[0xD4, 0xC3, 0xB2, 0xA1], Look::PacketCapture),
    (&[0xA1, 0xB2, 0xC3, 0xD4], Look::PacketCapture),
    (&[0x4D, 0x3C, 0xB2, 0xA1], Look::PacketCapture),
    (&[0xA1, 0xB2, 0x3C, 0x4D], Look::PacketCapture),
    (&[0x0A, 0x0D, 0x0D, 0x0A], Look::PacketCapture),
    (b"GMBU", Look::NetworkMonitor),
    (b"RTSS", Look::NetworkMonitor),
    (b"\x89PNG", Look::Image),
    (b"GIF8", Look::Image),
    (&[0xFF, 0xD8, 0xFF], Look::Image),
    (b"II*\0", Look::Image),
    (b"MM\0*", Look::Image),
    (b"BM", Look::Image),
    (b"%PDF", Look::Pdf),
    (b"MZ", Look::Program),
    (b"\x7FELF", Look::Program),
    (b"7z\xBC\xAF\x27\x1C", Look::OtherArchive),
    (b"Rar!", Look::OtherArchive),
    (b"\xFD7zXZ\0", Look::OtherArchive),
    (b"BZh", Look::OtherArchive),
    (b"PAGEDUMP", Look::MemoryDump),
    (b"PAGEDU64", Look::MemoryDump),
    (b"MDMP", Look::MemoryDump),
    (b"regf", Look::RegistryHive),
    (b"SQLite format 3\0", Look::Database),
    (b"<!DOCTYPE html", Look::Html),
    (b"<!doctype html", Look::Html),
    (b"<html", Look::Html),
    (b"<?xml", Look::Xml),
];

/// The title of a counter log, in UTF-16, behind its first 0x10 bytes at the latest.
const COUNTER_LOG: &[u8] = b"P\0D\0H\0";

impl Look {
    /// By the first bytes of a file, 4 KiB or all of it; `None` where they say nothing.
    pub fn of(start: &[u8]) -> Option<Self> {
        if start.is_empty() {
            return None;
        }
        if start.iter().all(|byte| *byte == 0) {
            return Some(Self::Zeros);
        }
        if start.windows(COUNTER_LOG.len()).take(64).any(|part| part == COUNTER_LOG) {
            return Some(Self::CounterLog);
        }
        let text = text_start(start);
        let magic = |start: &[u8]| MAGICS.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, look)| *look);
        match magic(start).or_else(|| magic(&text)) {
            // These two letters begin many a word.
            Some(Self::Image | Self::Program) if is_text(start) => Some(Self::Text),
            Some(Self::Xml) => Some(Self::of_xml(&text)),
            Some(look) => Some(look),
            None if !is_text(start) => None,
            None => Some(match text.first() {
                Some(b'{' | b'[') if looks_like_json(&text) => Self::Json,
                Some(b'<') => Self::of_xml(&text),
                _ => Self::Text,
            }),
        }
    }

    fn of_xml(text: &[u8]) -> Self {
        let is_profile = text.windows(26).any(|part| part == b"WindowsPerformanceRecorder");
        if is_profile { Self::RecorderProfile } else { Self::Xml }
    }

    /// What it is: `a packet capture (pcap)`.
    pub fn what(self) -> &'static str {
        match self {
            Self::PacketCapture => "a packet capture (pcap)",
            Self::NetworkMonitor => "a capture of Network Monitor (.cap)",
            Self::RecorderProfile => "a recording profile of the Windows Performance Recorder (.wprp)",
            Self::Xml => "an XML document",
            Self::Json => "a JSON document",
            Self::Html => "a web page",
            Self::Image => "a picture",
            Self::Pdf => "a PDF document",
            Self::Program => "a program",
            Self::OtherArchive => "an archive of a kind that this program does not read",
            Self::MemoryDump => "a memory dump",
            Self::RegistryHive => "a registry hive",
            Self::CounterLog => "a log of performance counters (.blg)",
            Self::Database => "a database",
            Self::Zeros => "nothing but zeros",
            Self::Text => "text",
        }
    }

    /// What to give instead.
    pub fn instead(self) -> &'static str {
        match self {
            Self::PacketCapture | Self::NetworkMonitor => {
                "packets do not tell which process holds a port: give the .etl file of `netsh trace`"
            }
            Self::RecorderProfile => "give the .etl file that was recorded with it",
            Self::OtherArchive => "unpack it, or pack the files as .zip",
            Self::Image => "give the listing itself as text, not a picture of it",
            Self::Zeros => "the copy failed, or the file was never written: copy it again",
            Self::MemoryDump => "a debugger reads it; give the .etl file of `netsh trace`",
            Self::Text => "give the .etl file, or the output of netstat, tasklist or another known listing",
            _ => "give the .etl file of `netsh trace`, its .cab, or listings as text",
        }
    }
}

/// The beginning of a text in one byte for each character, without its mark and leading blanks: enough to compare.
fn text_start(start: &[u8]) -> Vec<u8> {
    let narrow: Vec<u8> = match start {
        [0xFF, 0xFE, rest @ ..] => rest.iter().step_by(2).copied().collect(),
        [0xFE, 0xFF, rest @ ..] => rest.iter().skip(1).step_by(2).copied().collect(),
        [0xEF, 0xBB, 0xBF, rest @ ..] => rest.to_vec(),
        [_, 0, _, 0, ..] => start.iter().step_by(2).copied().collect(),
        _ => start.to_vec(),
    };
    narrow.trim_ascii_start().to_vec()
}

/// A brace or bracket that something of JSON follows: a name, a number, another bracket.
fn looks_like_json(text: &[u8]) -> bool {
    let behind = text.get(1..).unwrap_or_default().trim_ascii_start();
    // `[14:03] somebody said` is a line of a chat.
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    let after = behind.iter().find(|byte| !is_part(byte) && !byte.is_ascii_whitespace());
    match behind.first() {
        Some(b'"' | b'{' | b'[' | b']' | b'}') => true,
        Some(b'0'..=b'9' | b'-') => matches!(after, Some(b',' | b']') | None),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str) -> Vec<u8> {
        [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
    }

    #[test]
    fn first_bytes_say_what_a_file_is() {
        let of = |bytes: &[u8]| Look::of(bytes);
        assert_eq!(of(b"\x0A\x0D\x0D\x0A\x1C\0\0\0M<+\x1A"), Some(Look::PacketCapture));
        assert_eq!(of(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), Some(Look::Image));
        assert_eq!(of(b"{\"state\": \"exhausted\"}"), Some(Look::Json));
        assert_eq!(of(b"[the server hangs]"), Some(Look::Text));
        assert_eq!(of(b"[14:03] bob: the server hangs"), Some(Look::Text));
        assert_eq!(of(b"[1, 2]"), Some(Look::Json));
        assert_eq!(of(b"  <?xml version=\"1.0\"?><a/>"), Some(Look::Xml));
        assert_eq!(
            of(&utf16("<?xml version=\"1.0\"?><WindowsPerformanceRecorder Version=\"1\"/>")),
            Some(Look::RecorderProfile)
        );
        assert_eq!(of(b"MZ is how this line begins\r\n"), Some(Look::Text));
        assert_eq!(of(b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xFF\xFF\0\0"), Some(Look::Program));
        assert_eq!(of(&[0; 512]), Some(Look::Zeros));
        assert_eq!(of(&[0x80, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x11, 0x12]), None);
        assert_eq!(of(b""), None);
    }
}
