//! What was read, skipped, unknown, malformed or lost. The absence of failures means nothing without it.

use std::collections::BTreeMap;

use etl_parser::{Error, ErrorKind, Guid, Trace};

use crate::providers::Embedded;
use crate::time::{FileTime, joined};

/// How many damaged places are described in full for each trace; all are counted.
const MAX_DAMAGE_DESCRIBED: usize = 20;

/// Counts of records and damage. Adding two is associative, and the order of parts does not matter for the numbers.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// All records, the header record included.
    pub records: u64,
    /// Records that became events.
    pub decoded: u64,
    /// Records of other providers, and events that the analysis has no use for.
    pub skipped: u64,
    /// Records of a kind, or events of a known provider, that no source describes.
    pub unknown: u64,
    /// Records that are not what their header promises.
    pub malformed: u64,
    /// Bytes that could not be read as records; in compressed buffers decompressed ones.
    pub bytes_skipped: u64,
    /// Buffers in which something could not be read.
    pub buffers_damaged: u64,
    /// Buffers whose data could not be decompressed.
    pub not_expanded: u64,
    /// AFD events, whatever their id.
    pub afd_records: u64,
    /// AFD bind events, enter and exit, of both dialects.
    pub bind_records: u64,
    /// AFD records among the malformed ones.
    pub afd_malformed: u64,
    /// Events whose time stamp lies more than a second away from where they stand in their processor's buffers.
    pub displaced: u64,
    /// Process events whose payload has another pointer size than their header says.
    pub other_pointer_size: u64,
    /// Events of Winsock-AFD, and those of TCPIP about ports: a trace without any cannot tell of failures.
    pub port_records: u64,
    /// Of the unknown records, the events that the analysis uses in versions that no table knows: by provider, id and version.
    /// A bounded number, since the ids are.
    pub unknown_versions: BTreeMap<(Guid, u16, u8), u64>,
    /// What the trace itself says about the layout of such versions.
    pub embedded: Embedded,
    /// When the first and the last event were, as they are ordered.
    pub span: Option<(FileTime, FileTime)>,
    /// AFD records whose EnterExit is outside of 0 to 4.
    pub unknown_phases: u64,
    /// Buffers whose flags say that events were lost before them.
    pub buffers_after_loss: u64,
    /// Damaged places, the first ones.
    pub damage: Vec<Error>,
    /// Damaged places, all.
    pub damaged_places: u64,
}

impl Coverage {
    /// What the index of a trace found wrong, before any record is read.
    pub fn of_index(trace: &Trace<'_>) -> Self {
        let mut coverage = Self {
            bytes_skipped: trace.skipped_bytes(),
            damaged_places: trace.damaged(),
            buffers_damaged: trace.damaged_buffers(),
            ..Self::default()
        };
        coverage.damage = trace.damage().iter().take(MAX_DAMAGE_DESCRIBED).cloned().collect();
        coverage
    }

    /// Adds what another part of the same trace contributed.
    pub fn add(&mut self, other: Self) {
        self.records += other.records;
        self.decoded += other.decoded;
        self.skipped += other.skipped;
        self.unknown += other.unknown;
        self.malformed += other.malformed;
        self.bytes_skipped += other.bytes_skipped;
        self.buffers_damaged += other.buffers_damaged;
        self.not_expanded += other.not_expanded;
        self.afd_records += other.afd_records;
        self.bind_records += other.bind_records;
        self.afd_malformed += other.afd_malformed;
        self.displaced += other.displaced;
        self.other_pointer_size += other.other_pointer_size;
        self.port_records += other.port_records;
        // Nearly always none, for each buffer.
        if !other.unknown_versions.is_empty() {
            for (version, records) in other.unknown_versions {
                *self.unknown_versions.entry(version).or_default() += records;
            }
        }
        if !other.embedded.is_empty() {
            for (key, schema) in other.embedded {
                // Of several the first counts, as everywhere.
                self.embedded.entry(key).or_insert(schema);
            }
        }
        self.span = joined(self.span, other.span);
        self.unknown_phases += other.unknown_phases;
        self.buffers_after_loss += other.buffers_after_loss;
        self.damaged_places += other.damaged_places;
        let room = MAX_DAMAGE_DESCRIBED.saturating_sub(self.damage.len());
        self.damage.extend(other.damage.into_iter().take(room));
    }

    /// Counts damage met while walking records, and the bytes it costs.
    pub fn damage(&mut self, error: Error, bytes: u64) {
        self.damaged_places += 1;
        self.bytes_skipped += bytes;
        self.not_expanded += u64::from(error.kind == ErrorKind::Decompression);
        if self.damage.len() < MAX_DAMAGE_DESCRIBED {
            self.damage.push(error);
        }
    }

    /// The schemas of the trace by which events could be read that were not.
    pub fn useful_schemas(&self) -> Embedded {
        let is_useful =
            |key: &etw_schema::EventKey| self.unknown_versions.contains_key(&(key.guid, key.id, key.version));
        self.embedded.iter().filter(|(key, _)| is_useful(key)).map(|(key, schema)| (*key, schema.clone())).collect()
    }

    /// Whether the trace tells something about sockets or ports.
    pub fn speaks(&self) -> bool {
        self.port_records > 0
    }

    /// Whether everything could be used: no damage, and no record that is less than its header promises.
    pub fn is_whole(&self) -> bool {
        self.damaged_places == 0 && self.malformed == 0
    }
}
