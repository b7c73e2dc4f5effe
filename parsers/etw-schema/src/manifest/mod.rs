//! Manifests that .NET event sources write into the trace, in parts.
//!
//! Source: PerfView `ManifestEnvelope.cs` and `DynamicTraceEventParser.cs`: event id 0xFFFE, task 0xFFFE, opcode 0xFE;
//! payload of format (1: XML), major and minor version, a magic byte, number of parts, number of this part, text.

mod xml;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use etl_parser::{Guid, Record, RecordHeader};

use crate::cursor::ByteCursor;
use crate::event::{EventKey, EventSchema, KeyKind, SchemaError};
pub use xml::read_manifest;

/// Parts that a manifest may have; with 0xFF00 bytes each 4 MiB. Real ones seen have one or two.
const MAX_CHUNKS: u16 = 64;

/// Bytes of manifests whose parts are not all there yet. Parts of one manifest are written one after the other, so that
/// honest traces wait for one in each process.
const MAX_PENDING_BYTES: usize = 16 << 20;

/// Bytes of text of the manifests that are kept, which take some ten times that. The three of the one trace seen that has
/// any have 72,449.
const MAX_MANIFEST_BYTES: usize = 8 << 20;

/// Counted beside its text for each part that waits and each manifest that is kept: about what an entry takes. Without it
/// short ones would be free.
const ENTRY_BYTES: usize = 512;

const MANIFEST_EVENT: u16 = 0xFFFE;
const MANIFEST_OPCODE: u8 = 0xFE;
const XML: u8 = 1;
const MAGIC: u8 = 0x5B;

/// The events of a manifest.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Manifest {
    /// Name of the provider.
    pub provider_name: Option<Arc<str>>,
    /// Schemas by id and version.
    pub events: HashMap<(u16, u8), Arc<EventSchema>>,
}

/// Manifests of a trace, and those whose parts are not all there yet.
///
/// Parts may come in any order: writers change processors, and so buffers, between them.
#[derive(Debug, Default)]
pub struct Manifests {
    known: BTreeMap<Guid, Known>,
    /// Bytes that they count for.
    known_bytes: usize,
    pending: BTreeMap<Writer, Assembly>,
    pending_bytes: usize,
    conflicting: BTreeSet<Guid>,
    rejected: u64,
}

/// Major and minor version of a manifest.
type Version = (u8, u8);

/// A manifest that is whole.
#[derive(Debug)]
struct Known {
    version: Version,
    /// Bytes that it counts for.
    bytes: usize,
    manifest: Manifest,
}

/// Who writes a manifest: provider, process, thread.
type Writer = (Guid, Option<u32>, Option<u32>);

#[derive(Debug)]
struct Assembly {
    version: Version,
    total: u16,
    chunks: BTreeMap<u16, Box<[u8]>>,
}

/// A part of a manifest.
struct Chunk<'a> {
    version: Version,
    total: u16,
    number: u16,
    text: &'a [u8],
}

impl<'a> Chunk<'a> {
    fn read(payload: &'a [u8]) -> Option<Self> {
        let mut cursor = ByteCursor::new(payload);
        let format = cursor.u8()?;
        let version = (cursor.u8()?, cursor.u8()?);
        let magic = cursor.u8()?;
        let (total, number) = (cursor.u16()?, cursor.u16()?);
        let fits = format == XML && magic == MAGIC && number < total && total <= MAX_CHUNKS;
        fits.then_some(Self { version, total, number, text: cursor.rest() })
    }
}

/// Whether `record` says that it holds a part of a manifest.
pub fn is_chunk(record: &Record<'_>) -> bool {
    record.id() == Some(MANIFEST_EVENT)
        && matches!(record.header(), Ok(RecordHeader::Event(header))
            if header.task == MANIFEST_EVENT && header.opcode == MANIFEST_OPCODE)
}

/// What a text counts for, against the bounds.
fn counted_bytes(text: &[u8]) -> usize {
    text.len().saturating_add(ENTRY_BYTES)
}

impl Manifests {
    /// Takes in a part; once all are there, reads the manifest.
    pub(super) fn learn(&mut self, record: &Record<'_>) {
        let chunk = record.user_data().ok().and_then(Chunk::read);
        match (chunk, record.header_guid()) {
            (Some(chunk), Some(provider)) => self.add((provider, record.process_id(), record.thread_id()), &chunk),
            _ => self.rejected += 1,
        }
    }

    fn add(&mut self, writer: Writer, chunk: &Chunk<'_>) {
        let known = self.pending.get(&writer);
        // Another manifest of the same writer, whose rest was lost: what is there of the older one is of no use.
        if known.is_some_and(|assembly| (assembly.version, assembly.total) != (chunk.version, chunk.total)) {
            self.drop_pending(&writer);
        }
        let room = MAX_PENDING_BYTES.saturating_sub(self.pending_bytes);
        if counted_bytes(chunk.text) > room {
            self.rejected += 1;
            return;
        }
        let start = || Assembly { version: chunk.version, total: chunk.total, chunks: BTreeMap::new() };
        let assembly = self.pending.entry(writer).or_insert_with(start);
        match assembly.chunks.get(&chunk.number) {
            // The manifest is written again when a session ends: the same part is no news.
            Some(known) if **known == *chunk.text => return,
            Some(_) => {
                self.rejected += 1;
                return;
            }
            None => _ = assembly.chunks.insert(chunk.number, chunk.text.into()),
        }
        self.pending_bytes += counted_bytes(chunk.text);
        if assembly.chunks.len() == usize::from(assembly.total) {
            let version = assembly.version;
            let text: Vec<u8> = assembly.chunks.values().flat_map(|chunk| chunk.iter().copied()).collect();
            self.drop_pending(&writer);
            self.read(writer.0, version, &text);
        }
    }

    fn drop_pending(&mut self, writer: &Writer) {
        if let Some(assembly) = self.pending.remove(writer) {
            self.pending_bytes -= assembly.chunks.values().map(|text| counted_bytes(text)).sum::<usize>();
        }
    }

    fn read(&mut self, provider: Guid, version: Version, text: &[u8]) {
        match std::str::from_utf8(text).map_err(|_| SchemaError::NotXml).and_then(read_manifest) {
            Ok(manifest) => self.install(provider, Known { version, bytes: counted_bytes(text), manifest }),
            Err(_) => self.rejected += 1,
        }
    }

    /// Keeps a manifest, unless one of the same or a newer version is known.
    fn install(&mut self, provider: Guid, new: Known) {
        let mut other_bytes = self.known_bytes;
        if let Some(known) = self.known.get(&provider) {
            if known.manifest != new.manifest {
                self.conflicting.insert(provider);
            }
            if known.version >= new.version {
                return;
            }
            other_bytes -= known.bytes;
        }
        let known_bytes = other_bytes.saturating_add(new.bytes);
        if known_bytes > MAX_MANIFEST_BYTES {
            self.rejected += 1;
            return;
        }
        self.known_bytes = known_bytes;
        self.known.insert(provider, new);
    }

    /// Takes in what a later part of the trace has.
    pub(super) fn absorb(&mut self, later: Self) {
        for (provider, known) in later.known {
            self.install(provider, known);
        }
        for (writer, Assembly { version, total, chunks }) in later.pending {
            for (number, text) in chunks {
                self.add(writer, &Chunk { version, total, number, text: &text });
            }
        }
        self.conflicting.extend(later.conflicting);
        self.rejected += later.rejected;
    }

    /// The schema of an event.
    pub(super) fn find(&self, key: &EventKey) -> Option<Arc<EventSchema>> {
        if key.kind != KeyKind::Event {
            return None;
        }
        self.known.get(&key.guid)?.manifest.events.get(&(key.id, key.version)).map(Arc::clone)
    }

    /// The manifests, by provider.
    pub fn iter(&self) -> impl Iterator<Item = (&Guid, &Manifest)> {
        self.known.iter().map(|(provider, known)| (provider, &known.manifest))
    }

    /// Providers of which the trace has more than one manifest. The newest counts, of equally new ones the first.
    pub fn conflicting(&self) -> impl Iterator<Item = &Guid> {
        self.conflicting.iter()
    }

    /// Parts, and whole manifests, that could not be used.
    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// Manifests of which parts are missing.
    pub fn incomplete(&self) -> usize {
        self.pending.len()
    }
}

#[cfg(test)]
mod tests;
