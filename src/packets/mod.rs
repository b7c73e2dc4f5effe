//! The packets in traces as a capture file (pcapng), each with the process that owns its flow, and between them the binds and
//! connects that failed because no local port was free.
//!
//! Whose a packet is, later events can decide. So there are two passes, as for events: [`learn`] follows sockets, connections
//! and processes; [`write()`] reads packets in time order and writes each as it comes. What the first keeps is bounded, the
//! second holds frames that are not whole yet.

mod assemble;
mod comment;
mod filter;
mod flows;
mod interfaces;
mod owner;
mod pcapng;
mod redact;
mod seen;

use std::io::{self, Write};
use std::iter::Peekable;
use std::slice;

use etl_parser::{Guid, OrderedRecord, PointerSize, Trace};

pub use self::assemble::NotWritten;
use self::assemble::{Assembler, Packet};
pub use self::filter::Filter;
use self::flows::{FlowLog, Flows};
use self::interfaces::Interfaces;
use self::owner::{Finder, Found};
use self::pcapng::{Section, Writer, nanoseconds};
use self::seen::Seen;
use crate::event::LoggedEvent;
use crate::events::{self, Beyond, Owners, RecordOwner};
use crate::pipeline::Streams;
use crate::progress::{Progress, Stopped};
use crate::providers::afd;
use crate::providers::packets::{Direction, ndis, pktmon};
use crate::side::facts::SideFacts;
use crate::time::FileTime;
use crate::words::pseudonyms::Pseudonyms;
use crate::words::{shown, windows_name};

/// What the first pass finds out.
pub struct Learned {
    events: events::Learned,
    flows: Flows,
    seen: Seen,
}

/// Reads traces once, on the current rayon pool, and learns what the second pass needs; `side` names processes, and tells of
/// connections that no trace does.
///
/// # Errors
///
/// [`Stopped`] where `progress` says so.
pub fn learn(traces: &[Trace<'_>], side: &SideFacts, progress: &dyn Progress) -> Result<Learned, Stopped> {
    let (events, log) = events::learn_beside(traces, side, progress, || FlowLog::new(traces, side))?;
    let (flows, seen) = log.settle();
    Ok(Learned { events, flows, seen })
}

/// How packets are written.
#[derive(Default)]
pub struct Setting<'s> {
    /// Which packets.
    pub filter: Filter,
    /// What to call the traces.
    pub paths: &'s [String],
    /// What stands for names and addresses where these must not be told; payload is left out then.
    pub names: Option<Pseudonyms>,
    /// A log of TLS keys, which decrypts what the packets carry.
    pub key_log: Option<&'s [u8]>,
}

/// What was written.
#[derive(Debug, Default)]
pub struct Written {
    /// Packets.
    pub packets: u64,
    /// Packets whose process is known.
    pub owned: u64,
    /// Binds and connects that failed because no local port was free.
    pub failures: u64,
    /// What was left out, and not by a filter.
    pub not_written: NotWritten,
    /// Places of traces that could not be read.
    pub damaged: u64,
    /// Failures and owners that there was no room for.
    pub beyond: Beyond,
    /// There were more sockets and connections than can be followed.
    pub too_many_flows: bool,
    /// What was replaced and what was kept, as a sentence; `None` where nothing was to be.
    pub redacted: Option<String>,
}

/// Writes the packets of `traces` that are wanted, in time order across all traces, as one capture file.
///
/// # Errors
///
/// What `out` says.
pub fn write(
    traces: &[Trace<'_>],
    side: &SideFacts,
    learned: &Learned,
    setting: Setting<'_>,
    out: &mut dyn Write,
) -> io::Result<Written> {
    let Learned { events: events::Learned { schemas, owners, logged, .. }, flows, seen } = learned;
    // The first pass was told to find them.
    let Some(owners) = owners else { return Ok(Written::default()) };
    let Setting { filter, paths, mut names, key_log } = setting;
    let around = filter.failures_around.map(|within| {
        let times = Wanted::new(traces, owners, logged).filter_map(|item| {
            let failure = item.failure?;
            filter.admits_owner(&failure).then_some(item.time)
        });
        filter::around(times, within)
    });
    let mut writer = Writer::new(out);
    writer.section(&section(traces, side, paths, names.as_mut()))?;
    if let Some(key_log) = key_log {
        writer.secrets(key_log)?;
    }
    let mut capture = Capture {
        assembler: Assembler::new(filter.all_components),
        finder: Finder::new(owners, flows, seen),
        interfaces: Interfaces::new(seen),
        names,
        comment: String::new(),
        written: Written::default(),
        writer,
    };
    let is_wanted =
        |time| filter.admits_time(time) && around.as_ref().is_none_or(|around| filter::is_within(around, time));
    let mut wanted = Wanted::new(traces, owners, logged);
    for item in &mut wanted {
        if let Some(failure) = item.failure {
            if is_wanted(item.time) && filter.admits_owner(&failure) {
                capture.failure(item.time, item.id, &failure)?;
            }
            continue;
        }
        let Source::Record(trace, record) = &item.source else { continue };
        let record = record.record();
        let (Some(schemas), time) = (schemas.get(*trace), item.time) else { continue };
        // Also of those that are not wanted: a frame may begin before the first.
        let Some(packet) = capture.assembler.take(*trace, &record, schemas) else { continue };
        if is_wanted(time) && filter.admits_headers(&packet.headers) {
            let found = capture.finder.find(*trace, time, packet.way(), &packet.headers);
            if filter.admits(found.0) {
                capture.packet(time, &packet, found)?;
            }
        }
    }
    let damaged = wanted.streams.damaged;
    let Capture { assembler, names, written, .. } = capture;
    let without_time = written.not_written.without_time;
    Ok(Written {
        not_written: NotWritten { without_time, ..assembler.finish() },
        damaged,
        beyond: owners.beyond,
        too_many_flows: flows.is_beyond,
        redacted: names.map(|names| names.account()),
        ..written
    })
}

/// A record of a trace or an entry of a log that may be written.
struct Item<'t> {
    time: FileTime,
    id: u16,
    source: Source<'t>,
    /// Whose a failure is.
    failure: Option<RecordOwner<'t>>,
}

enum Source<'t> {
    Record(usize, OrderedRecord<'t>),
    Entry,
}

/// Packets and failures of traces and logs, in time order.
struct Wanted<'t, 'a> {
    owners: &'t Owners,
    streams: Streams<'t, 'a>,
    entries: Peekable<slice::Iter<'t, LoggedEvent>>,
}

impl<'t, 'a> Wanted<'t, 'a> {
    fn new(traces: &'t [Trace<'a>], owners: &'t Owners, logged: &'t [LoggedEvent]) -> Self {
        Self { owners, streams: Streams::new(traces), entries: logged.iter().peekable() }
    }
}

impl<'t> Iterator for Wanted<'t, '_> {
    type Item = Item<'t>;

    fn next(&mut self) -> Option<Item<'t>> {
        loop {
            let next = self.streams.next_time();
            if let Some(entry) = self.entries.next_if(|entry| next.is_none_or(|(time, _)| entry.time < time)) {
                if let Some(failure) = self.owners.logged_failure(entry.entry) {
                    return Some(Item {
                        time: entry.time,
                        id: entry.id,
                        source: Source::Entry,
                        failure: Some(failure),
                    });
                }
                continue;
            }
            let (trace, ordered) = self.streams.next()?;
            let record = ordered.record();
            let failure = match record.provider() {
                Some(provider) if is_of_packets(provider) => None,
                Some(afd::PROVIDER) => match self.owners.failure(trace, &record) {
                    Some(failure) => Some(failure),
                    None => continue,
                },
                _ => continue,
            };
            let (time, id) = (ordered.time(), record.id().unwrap_or(0));
            return Some(Item { time, id, source: Source::Record(trace, ordered), failure });
        }
    }
}

fn is_of_packets(provider: Guid) -> bool {
    [ndis::PROVIDER, pktmon::PROVIDER].contains(&provider)
}

/// A capture file, written so far.
struct Capture<'o, 'w> {
    assembler: Assembler,
    finder: Finder<'o>,
    interfaces: Interfaces<'o>,
    names: Option<Pseudonyms>,
    comment: String,
    written: Written,
    writer: Writer<'w>,
}

impl Capture<'_, '_> {
    fn packet(
        &mut self,
        time: FileTime,
        packet: &Packet<'_>,
        found: (Found<'_>, Option<owner::Process<'_>>),
    ) -> io::Result<()> {
        let interface = self.interfaces.number(&packet.place, packet.link, self.names.as_mut(), &mut self.writer)?;
        comment::of_packet(&mut self.comment, found, packet.drop_reason, self.names.as_mut());
        let redacted = self.names.as_mut().map(|names| redact::headers(packet, names));
        let is_written = self.writer.packet(&pcapng::Packet {
            interface,
            time,
            bytes: redacted.as_deref().unwrap_or(&packet.bytes),
            original: packet.original,
            direction: packet.direction,
            comment: &self.comment,
        })?;
        if is_written {
            self.written.packets += 1;
            self.written.owned += u64::from(matches!(found.0, Found::Process(_)));
        } else {
            self.written.not_written.without_time += 1;
        }
        Ok(())
    }

    fn failure(&mut self, time: FileTime, id: u16, owner: &RecordOwner<'_>) -> io::Result<()> {
        let Some(since) = nanoseconds(time) else {
            self.written.not_written.without_time += 1;
            return Ok(());
        };
        let what = if afd::is_bind(id) { "bind" } else { "connect" };
        let mut message = format!("{what} failed, no local port was free (0xC0000209 STATUS_TOO_MANY_ADDRESSES): ");
        comment::who(&mut message, owner, owner.source.as_str(), self.names.as_mut());
        let mut fields = vec![
            ("__REALTIME_TIMESTAMP", (since / 1000).to_string()),
            ("PRIORITY", "4".to_owned()),
            ("SYSLOG_IDENTIFIER", env!("CARGO_PKG_NAME").to_owned()),
            ("MESSAGE", message),
        ];
        fields.extend(time.to_rfc3339().map(|time| ("OUTOFPORTS_TIME", time)));
        fields.extend(owner.pid.map(|pid| ("OUTOFPORTS_PID", pid.to_string())));
        self.writer.journal(&fields)?;
        self.written.failures += 1;
        Ok(())
    }
}

/// What is known of the machine and the traces.
fn section(traces: &[Trace<'_>], side: &SideFacts, paths: &[String], names: Option<&mut Pseudonyms>) -> Section {
    let mut section = Section {
        program: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
        ..Section::default()
    };
    if let Some(trace) = traces.iter().find(|trace| trace.has_header()) {
        let header = trace.header();
        let name = windows_name(header.os_build).unwrap_or("Windows");
        section.os = format!("{name}, build {}", header.os_build);
        let bits = match trace.pointer_size() {
            PointerSize::Four => 32,
            PointerSize::Eight => 64,
        };
        section.hardware = format!("{} processors, {bits}-bit", header.processors);
    }
    // Of machines without a name, and of more than one, none is told.
    let mut hosts: Vec<&str> = side.listings.iter().filter_map(|listing| listing.host.as_deref()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let mut told: Vec<(&str, String)> = Vec::new();
    match names {
        Some(names) => {
            told.extend(paths.iter().map(|path| ("trace", names.path(path))));
            told.extend(hosts.first().filter(|_| hosts.len() == 1).map(|host| ("host", names.host(host))));
        }
        None => {
            told.extend(paths.iter().map(|path| ("trace", path.clone())));
            told.extend(hosts.first().filter(|_| hosts.len() == 1).map(|host| ("host", (*host).to_owned())));
        }
    }
    section.comments = told.into_iter().map(|(what, name)| format!("{what}: {}", shown(&name))).collect();
    section
}

impl Packet<'_> {
    /// Which way it went, as its local end goes by: at a switch both ways are possible.
    fn way(&self) -> Direction {
        match &self.place {
            interfaces::Place::Adapter { port: Some(_), .. } => Direction::Unknown,
            _ => self.direction,
        }
    }
}
