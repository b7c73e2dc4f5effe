//! Manifests that .NET event sources write into the trace, in parts.
//!
//! Source: PerfView `ManifestEnvelope.cs` and `DynamicTraceEventParser.cs`: event id 0xFFFE, task 0xFFFE, opcode 0xFE;
//! payload of format (1: XML), major and minor version, a magic byte, number of parts, number of this part, text.

mod xml;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use etl_parser::{Guid, Record, RecordHeader};

use super::cursor::Cursor;
use super::event::{EventKey, EventSchema, KeyKind, SchemaError};
pub use xml::read_manifest;

/// Parts that a manifest may have; with 0xFF00 bytes each 16 MiB. Manifests of the .NET libraries have up to 4.
const MAX_CHUNKS: u16 = 256;

/// Bytes of manifests whose parts are not all there yet. Parts of one manifest are written one after the other, so that
/// honest traces wait for one in each process.
const MAX_PENDING_BYTES: usize = 64 << 20;

/// Bytes of manifests that are kept.
const MAX_MANIFEST_BYTES: usize = 64 << 20;

const MANIFEST_EVENT: u16 = 0xFFFE;
const MANIFEST_OPCODE: u8 = 0xFE;
const XML: u8 = 1;
const MAGIC: u8 = 0x5B;

/// The events of a manifest.
#[derive(Debug, Clone, PartialEq, Default)]
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
    known: HashMap<Guid, (Version, Manifest)>,
    pending: BTreeMap<Writer, Assembly>,
    pending_bytes: usize,
    known_bytes: usize,
    conflicting: BTreeSet<Guid>,
    rejected: u64,
}

/// Major and minor version of a manifest.
type Version = (u8, u8);

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
        let mut cursor = Cursor::new(payload);
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
    record.event_id() == Some(MANIFEST_EVENT)
        && matches!(record.header(), Ok(RecordHeader::Event(header))
            if header.task == MANIFEST_EVENT && header.opcode == MANIFEST_OPCODE)
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
        let room = MAX_PENDING_BYTES.saturating_sub(self.pending_bytes);
        let known = self.pending.get(&writer);
        // Another manifest of the same writer, whose rest was lost: what is there of the older one is of no use.
        if known.is_some_and(|assembly| (assembly.version, assembly.total) != (chunk.version, chunk.total)) {
            self.drop_pending(&writer);
        }
        if chunk.text.len() > room {
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
        self.pending_bytes += chunk.text.len();
        if assembly.chunks.len() == usize::from(assembly.total) {
            let version = assembly.version;
            let text: Vec<u8> = assembly.chunks.values().flat_map(|chunk| chunk.iter().copied()).collect();
            self.drop_pending(&writer);
            self.read(writer.0, version, &text);
        }
    }

    fn drop_pending(&mut self, writer: &Writer) {
        if let Some(assembly) = self.pending.remove(writer) {
            self.pending_bytes -= assembly.chunks.values().map(|chunk| chunk.len()).sum::<usize>();
        }
    }

    fn read(&mut self, provider: Guid, version: Version, text: &[u8]) {
        let manifest = std::str::from_utf8(text).map_err(|_| SchemaError::NotXml).and_then(read_manifest);
        let known_bytes = self.known_bytes + text.len();
        match manifest {
            Ok(manifest) if known_bytes <= MAX_MANIFEST_BYTES => {
                if self.install(provider, version, manifest) {
                    self.known_bytes = known_bytes;
                }
            }
            Ok(_) | Err(_) => self.rejected += 1,
        }
    }

    /// Keeps a manifest, unless one of the same or a newer version is known; says whether.
    fn install(&mut self, provider: Guid, version: Version, manifest: Manifest) -> bool {
        if let Some((known_version, known)) = self.known.get(&provider) {
            if *known != manifest {
                self.conflicting.insert(provider);
            }
            if *known_version >= version {
                return false;
            }
        }
        self.known.insert(provider, (version, manifest));
        true
    }

    /// Takes in what a later part of the trace has.
    pub(super) fn absorb(&mut self, later: Self) {
        for (provider, (version, manifest)) in later.known {
            self.install(provider, version, manifest);
        }
        for (writer, Assembly { version, total, chunks }) in later.pending {
            for (number, text) in chunks {
                self.add(writer, &Chunk { version, total, number, text: &text });
            }
        }
        self.known_bytes += later.known_bytes;
        self.conflicting.extend(later.conflicting);
        self.rejected += later.rejected;
    }

    /// The schema of an event.
    pub(super) fn find(&self, key: &EventKey) -> Option<Arc<EventSchema>> {
        if key.kind != KeyKind::Event {
            return None;
        }
        let (_, manifest) = self.known.get(&key.guid)?;
        manifest.events.get(&(key.id, key.version)).map(Arc::clone)
    }

    /// The manifests, by provider.
    pub fn iter(&self) -> impl Iterator<Item = (&Guid, &Manifest)> {
        self.known.iter().map(|(provider, (_, manifest))| (provider, manifest))
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
