//! How many events decode, and whether their schemas suit their payloads.

use std::collections::BTreeMap;

use etl_parser::{Record, Trace};
use etw_schema::{EventKey, NotDecoded, SchemaSource, Schemas};

use super::{DecodedEvents, SourceRow};
use crate::pipeline;
use crate::progress::{Progress, Stopped};

/// What became of the events of a part of a trace.
#[derive(Debug, Default)]
struct DecodedCounts {
    by_source: BTreeMap<SchemaSource, OfSource>,
    without_schema: u64,
    unusable: u64,
    leftover_bytes: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct OfSource {
    exact: u64,
    leftover: u64,
    short: u64,
}

impl DecodedCounts {
    fn look(&mut self, record: &Record<'_>, schemas: &Schemas) {
        match schemas.decode(record) {
            Ok(decoded) => {
                let of_source = self.by_source.entry(decoded.schema.source).or_default();
                match (&decoded.payload.missing, decoded.payload.leftover_bytes) {
                    (Some(_), _) => of_source.short += 1,
                    (None, 0) => of_source.exact += 1,
                    (None, _) => of_source.leftover += 1,
                }
                self.leftover_bytes += decoded.payload.leftover_bytes as u64;
            }
            // What has no key is no event: a message, or of a kind that no source describes.
            Err(NotDecoded::NotKnown) => self.without_schema += u64::from(EventKey::of(record).is_some()),
            Err(_) => self.unusable += 1,
        }
    }

    fn add(&mut self, other: Self) {
        for (source, theirs) in other.by_source {
            let ours = self.by_source.entry(source).or_default();
            ours.exact += theirs.exact;
            ours.leftover += theirs.leftover;
            ours.short += theirs.short;
        }
        self.without_schema += other.without_schema;
        self.unusable += other.unusable;
        self.leftover_bytes += other.leftover_bytes;
    }
}

/// Decodes all events of a trace on the current rayon pool, by the schemas that were learned from it.
pub(super) fn count(trace: &Trace<'_>, schemas: &Schemas, progress: &dyn Progress) -> Result<DecodedEvents, Stopped> {
    progress.expect(trace.bytes().len() as u64);
    let mut all = DecodedCounts::default();
    pipeline::scan(
        std::slice::from_ref(trace),
        progress,
        |_, _, buffer| {
            let mut part = DecodedCounts::default();
            buffer.records().filter_map(Result::ok).for_each(|record| part.look(&record, schemas));
            part
        },
        |_, part, _| all.add(part),
    )?;
    let row = |(source, of_source): (&SchemaSource, &OfSource)| SourceRow {
        source: source.name(),
        events: of_source.exact + of_source.leftover + of_source.short,
        exact: of_source.exact,
        leftover: of_source.leftover,
        short: of_source.short,
    };
    Ok(DecodedEvents {
        by_source: all.by_source.iter().map(row).collect(),
        without_schema: all.without_schema,
        unusable: all.unusable,
        leftover_bytes: all.leftover_bytes,
    })
}
