//! Blocks of a capture file: those of draft-ietf-opsawg-pcapng that packets, their comments and events between them need.
//!
//! Own code and no crate: none writes decryption secrets, and of those that write comments each packet costs several allocations.
//! All numbers are little-endian; what a block holds is padded to words of 32 bits.

use std::io::{self, Write};

use crate::providers::packets::{Direction, LinkType};
use crate::time::FileTime;

const SECTION: u32 = 0x0A0D_0D0A;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
const JOURNAL: u32 = 9;
const SECRETS: u32 = 10;

/// `TLSK`: a key log as TLS libraries write it.
const TLS_KEY_LOG: u32 = 0x544C_534B;

const COMMENT: u16 = 1;

/// 1970-01-01 in 100 ns since 1601-01-01.
const EPOCH_100NS: i64 = 116_444_736_000_000_000;

/// An option: what it says, by its number in the draft.
pub(super) type Choice<'v> = (u16, &'v [u8]);

/// What the section is about.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// The machine.
    pub(super) hardware: String,
    /// Its operating system.
    pub(super) os: String,
    /// What wrote the file.
    pub(super) program: String,
    /// What else is known, a line each.
    pub(super) comments: Vec<String>,
}

/// A packet to write.
#[derive(Debug)]
pub(super) struct Packet<'p> {
    pub(super) interface: u32,
    pub(super) time: FileTime,
    /// What was captured of it.
    pub(super) bytes: &'p [u8],
    /// Bytes that it had.
    pub(super) original: u32,
    pub(super) direction: Direction,
    pub(super) comment: &'p str,
}

/// Nanoseconds since 1970; `None` for earlier times, which the format does not have.
pub(super) fn nanoseconds(time: FileTime) -> Option<u64> {
    let since = u64::try_from(time.0.checked_sub(EPOCH_100NS)?).ok()?;
    since.checked_mul(100)
}

/// Writes blocks.
pub(super) struct Writer<'o> {
    out: &'o mut dyn Write,
    block: Vec<u8>,
}

impl<'o> Writer<'o> {
    pub(super) fn new(out: &'o mut dyn Write) -> Self {
        Self { out, block: Vec::new() }
    }

    /// The first block.
    pub(super) fn section(&mut self, section: &Section) -> io::Result<()> {
        self.begin();
        // The byte order, version 1.0, and a length that is not told.
        self.block.extend(0x1A2B_3C4D_u32.to_le_bytes());
        self.block.extend([1, 0, 0, 0]);
        self.block.extend([0xFF; 8]);
        for comment in &section.comments {
            self.choose((COMMENT, comment.as_bytes()));
        }
        for (code, text) in [(2, &section.hardware), (3, &section.os), (4, &section.program)] {
            if !text.is_empty() {
                self.choose((code, text.as_bytes()));
            }
        }
        self.choose((0, &[]));
        self.end(SECTION)
    }

    /// An interface; they are numbered from 0 in the order in which they are written. Its packets have times in nanoseconds.
    pub(super) fn interface(&mut self, link: LinkType, name: &str, description: &str) -> io::Result<()> {
        let link_type: u16 = match link {
            LinkType::Ethernet => 1,
            LinkType::Wifi => 105,
            LinkType::Ip => 101,
        };
        self.begin();
        self.block.extend(link_type.to_le_bytes());
        // Reserved; no limit for the length of packets.
        self.block.extend([0; 6]);
        self.choose((2, name.as_bytes()));
        self.choose((3, description.as_bytes()));
        self.choose((9, &[9]));
        self.choose((0, &[]));
        self.end(INTERFACE)
    }

    /// A packet; whether its time is one that the format has.
    pub(super) fn packet(&mut self, packet: &Packet<'_>) -> io::Result<bool> {
        let Some(time) = nanoseconds(packet.time) else { return Ok(false) };
        let captured = u32::try_from(packet.bytes.len()).map_err(io::Error::other)?;
        self.begin();
        let words = [packet.interface, (time >> 32) as u32, time as u32, captured, packet.original];
        self.block.extend(words.into_iter().flat_map(u32::to_le_bytes));
        self.block.extend_from_slice(packet.bytes);
        self.pad();
        self.choose((COMMENT, packet.comment.as_bytes()));
        let direction: u32 = match packet.direction {
            Direction::Unknown => 0,
            Direction::Received => 1,
            Direction::Sent => 2,
        };
        self.choose((2, &direction.to_le_bytes()));
        self.choose((0, &[]));
        self.end(PACKET)?;
        Ok(true)
    }

    /// An entry of a journal, as `journalctl -o export` writes it. No value may hold a line feed.
    pub(super) fn journal(&mut self, fields: &[(&str, String)]) -> io::Result<()> {
        self.begin();
        for (name, value) in fields {
            self.block.extend_from_slice(format!("{name}={value}\n").as_bytes());
        }
        self.end(JOURNAL)
    }

    /// Secrets that decrypt what follows: a key log of TLS.
    pub(super) fn secrets(&mut self, key_log: &[u8]) -> io::Result<()> {
        let length = u32::try_from(key_log.len()).map_err(io::Error::other)?;
        self.begin();
        self.block.extend(TLS_KEY_LOG.to_le_bytes());
        self.block.extend(length.to_le_bytes());
        self.block.extend_from_slice(key_log);
        self.end(SECRETS)
    }

    fn begin(&mut self) {
        self.block.clear();
    }

    /// Adds an option; a longer value than one can have is cut.
    fn choose(&mut self, (code, value): Choice<'_>) {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.block.extend(code.to_le_bytes());
        self.block.extend(length.to_le_bytes());
        self.block.extend_from_slice(value.get(..usize::from(length)).unwrap_or(value));
        self.pad();
    }

    fn pad(&mut self) {
        let length = self.block.len().next_multiple_of(4);
        self.block.resize(length, 0);
    }

    /// Type and length before the block, its length behind it.
    fn end(&mut self, kind: u32) -> io::Result<()> {
        self.pad();
        let length = u32::try_from(self.block.len() + 12).map_err(io::Error::other)?.to_le_bytes();
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&length)?;
        self.out.write_all(&self.block)?;
        self.out.write_all(&length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_laid_out_as_the_draft_has_them() {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        let time = FileTime(EPOCH_100NS + 0x1_0000_0000);
        let packet =
            Packet { interface: 3, time, bytes: b"frame", original: 60, direction: Direction::Sent, comment: "who" };
        assert!(writer.packet(&packet).unwrap());
        assert!(!writer.packet(&Packet { time: FileTime(0), ..packet }).unwrap());
        let expected = [
            &[6, 0, 0, 0, 60, 0, 0, 0, 3, 0, 0, 0][..],
            // 2^32 times 100 ns.
            &[100, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 60, 0, 0, 0],
            b"frame\0\0\0",
            &[1, 0, 3, 0],
            b"who\0",
            &[2, 0, 4, 0, 2, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0],
        ];
        assert_eq!(out, expected.concat());
    }

    #[test]
    fn a_comment_is_cut_where_an_option_ends() {
        let mut out = Vec::new();
        let comments = vec!["x".repeat(70_000)];
        Writer::new(&mut out).section(&Section { comments, ..Section::default() }).unwrap();
        assert_eq!(out.len(), 12 + 16 + 4 + 65_536 + 4);
    }
}
