//! Whole packets from events: the fragments of a frame joined, and each packet once that passes several components.

use std::borrow::Cow;
use std::collections::VecDeque;

use etl_parser::Record;
use etw_schema::Schemas;

use super::interfaces::Place;
use crate::hash::{FastMap, FastSet};
use crate::providers::packets::frame::Headers;
use crate::providers::packets::ndis::{self, Fragment};
use crate::providers::packets::pktmon::{self, Sighting};
use crate::providers::packets::{Direction, LinkType};

/// Bytes of a frame that is put together: four times what IP can send at once.
const MAX_FRAME_BYTES: usize = 1 << 18;

/// Frames that are put together at the same time: there is one for each processor and way through an adapter.
const MAX_UNFINISHED: usize = 1 << 8;

/// Packets that are remembered, so that each is written once: one passes its components within microseconds.
const MAX_REMEMBERED: usize = 1 << 16;

/// A captured packet.
#[derive(Debug)]
pub(super) struct Packet<'r> {
    pub(super) place: Place,
    pub(super) link: LinkType,
    pub(super) direction: Direction,
    /// Number of the reason why it was dropped.
    pub(super) drop_reason: Option<u32>,
    /// Bytes that it had.
    pub(super) original: u32,
    pub(super) bytes: Cow<'r, [u8]>,
    pub(super) headers: Headers,
}

/// What is not written, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NotWritten {
    /// Events of packets that are less than their layout promises, or of a version that is not known.
    pub malformed: u64,
    /// Frames of which a part is missing.
    pub incomplete: u64,
    /// Packets of a kind that capture files have no type for.
    pub other_kinds: u64,
    /// Packets and failures with a time before 1970, or without one.
    pub without_time: u64,
}

/// Where a fragment belongs. Fragments of one frame are logged one after the other; idle threads of all processors have
/// the same number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Line {
    trace: usize,
    cpu: u16,
    thread: Option<u32>,
    place: Place,
    direction: Direction,
}

/// Puts packets together.
pub(super) struct Assembler {
    unfinished: FastMap<Line, Vec<u8>>,
    /// By age.
    begun: VecDeque<Line>,
    known: FastSet<(usize, (u64, u64))>,
    remembered: VecDeque<(usize, (u64, u64))>,
    /// Each sighting is a packet.
    all_components: bool,
    pub(super) not_written: NotWritten,
}

impl Assembler {
    pub(super) fn new(all_components: bool) -> Self {
        Self {
            unfinished: FastMap::default(),
            begun: VecDeque::new(),
            known: FastSet::default(),
            remembered: VecDeque::new(),
            all_components,
            not_written: NotWritten::default(),
        }
    }

    /// Takes in a record of a trace; gives the packet that it ends.
    pub(super) fn take<'r>(&mut self, trace: usize, record: &Record<'r>, schemas: &Schemas) -> Option<Packet<'r>> {
        match record.provider()? {
            ndis::PROVIDER if ndis::is_fragment(record) => self.take_fragment(trace, record),
            pktmon::PROVIDER => self.take_sighting(trace, record, schemas),
            _ => None,
        }
    }

    /// No more records come.
    pub(super) fn finish(self) -> NotWritten {
        let unfinished = self.unfinished.len() as u64;
        NotWritten { incomplete: self.not_written.incomplete + unfinished, ..self.not_written }
    }

    fn take_fragment<'r>(&mut self, trace: usize, record: &Record<'r>) -> Option<Packet<'r>> {
        let Some(fragment) = ndis::read_fragment(record) else {
            self.not_written.malformed += 1;
            return None;
        };
        let Fragment { miniport, lower, ref port, link, direction, is_start, is_end, is_truncated, bytes } = fragment;
        let place = Place::Adapter { trace, miniport, lower, port: port.clone() };
        let bytes = if is_start && is_end {
            Cow::Borrowed(bytes)
        } else {
            let line = Line { trace, cpu: record.cpu(), thread: record.thread_id(), place: place.clone(), direction };
            Cow::Owned(self.join(line, bytes, is_start, is_end)?)
        };
        let headers = Headers::read(link, &bytes);
        let captured = bytes.len();
        // What the capture cut, it does not tell; IP does.
        let whole = headers.whole_bytes().filter(|whole| is_truncated && *whole > captured);
        let original = u32::try_from(whole.unwrap_or(captured)).ok()?;
        Some(Packet { place, link, direction, drop_reason: None, original, bytes, headers })
    }

    /// Adds a part to its frame; gives the frame where that was the last.
    fn join(&mut self, line: Line, bytes: &[u8], is_start: bool, is_end: bool) -> Option<Vec<u8>> {
        if is_start {
            if self.unfinished.insert(line.clone(), bytes.to_vec()).is_some() {
                self.not_written.incomplete += 1;
            } else {
                self.begun.push_back(line);
            }
            self.forget();
            return None;
        }
        let Some(frame) = self.unfinished.get_mut(&line) else {
            // Its beginning was not captured; it is counted once.
            self.not_written.incomplete += u64::from(is_end);
            return None;
        };
        if frame.len().saturating_add(bytes.len()) > MAX_FRAME_BYTES {
            self.unfinished.remove(&line);
            self.not_written.malformed += 1;
            return None;
        }
        frame.extend_from_slice(bytes);
        if is_end { self.unfinished.remove(&line) } else { None }
    }

    /// Gives up the oldest frames where there are too many.
    fn forget(&mut self) {
        while self.begun.len() > MAX_UNFINISHED
            && let Some(oldest) = self.begun.pop_front()
        {
            let is_given_up = self.unfinished.len() > MAX_UNFINISHED && self.unfinished.remove(&oldest).is_some();
            self.not_written.incomplete += u64::from(is_given_up);
        }
    }

    fn take_sighting(&mut self, trace: usize, record: &Record<'_>, schemas: &Schemas) -> Option<Packet<'static>> {
        let Ok(decoded) = schemas.decode(*record) else {
            self.not_written.malformed += 1;
            return None;
        };
        let Sighting { packet, component, link, direction, drop_reason, original, bytes } = pktmon::sighting(&decoded)?;
        if !decoded.payload.is_exact() {
            self.not_written.malformed += 1;
            return None;
        }
        if !self.all_components && !self.remember((trace, packet)) {
            return None;
        }
        let Some(link) = link else {
            self.not_written.other_kinds += 1;
            return None;
        };
        let headers = Headers::read(link, bytes);
        let place = Place::Component { trace, component };
        Some(Packet { place, link, direction, drop_reason, original, bytes: Cow::Owned(bytes.to_vec()), headers })
    }

    /// Whether a packet is seen for the first time.
    fn remember(&mut self, packet: (usize, (u64, u64))) -> bool {
        if !self.known.insert(packet) {
            return false;
        }
        self.remembered.push_back(packet);
        if self.remembered.len() > MAX_REMEMBERED
            && let Some(oldest) = self.remembered.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cpu: u16) -> Line {
        let place = Place::Adapter { trace: 0, miniport: 1, lower: 1, port: None };
        Line { trace: 0, cpu, thread: Some(0), place, direction: Direction::Sent }
    }

    #[test]
    fn fragments_that_mix_are_joined_each_with_its_own() {
        let mut assembler = Assembler::new(false);
        assert_eq!(assembler.join(line(0), b"a", true, false), None);
        assert_eq!(assembler.join(line(1), b"x", true, false), None);
        assert_eq!(assembler.join(line(0), b"b", false, false), None);
        assert_eq!(assembler.join(line(1), b"y", false, true).as_deref(), Some(&b"xy"[..]));
        assert_eq!(assembler.join(line(0), b"c", false, true).as_deref(), Some(&b"abc"[..]));
        assert_eq!(assembler.finish(), NotWritten::default());
    }

    #[test]
    fn what_has_no_beginning_or_no_end_is_counted_and_not_written() {
        let mut assembler = Assembler::new(false);
        assert_eq!(assembler.join(line(0), b"b", false, false), None);
        assert_eq!(assembler.join(line(0), b"c", false, true), None);
        assert_eq!(assembler.join(line(0), b"a", true, false), None);
        assert_eq!(assembler.join(line(0), b"a", true, false), None);
        assert_eq!(assembler.finish().incomplete, 3);
    }

    #[test]
    fn neither_a_frame_nor_their_number_grows_without_end() {
        let mut assembler = Assembler::new(false);
        assembler.join(line(0), &[0; MAX_FRAME_BYTES], true, false);
        assert_eq!(assembler.join(line(0), b"c", false, true), None);
        assert_eq!(assembler.not_written.malformed, 1);
        for cpu in 0..3000 {
            assembler.join(line(cpu), b"a", true, false);
        }
        assert!(assembler.unfinished.len() <= MAX_UNFINISHED && assembler.begun.len() <= MAX_UNFINISHED + 1);
        assert_eq!(assembler.finish().incomplete, 3000);
        let mut assembler = Assembler::new(false);
        assert!(assembler.remember((0, (1, 1))) && !assembler.remember((0, (1, 1))) && assembler.remember((1, (1, 1))));
        (0..100_000).for_each(|number| _ = assembler.remember((0, (number, 2))));
        assert_eq!(assembler.known.len(), MAX_REMEMBERED);
    }
}
