//! Events in the form of other tools: Timesketch, and Elastic's common schema (ECS).

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use etl_parser::Guid;
use etw_schema::{NtStatus, Value};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::write::{EventWriter, Fields, Names, Row};
use super::{Event, Origin};
use crate::event::Phase;
use crate::providers::{afd, process, tcpip};
use crate::report::json::spelled_out;
use crate::time::FileTime;

/// The tool that lines are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Timesketch: flat lines with `message`, `datetime` and `timestamp_desc`.
    Timesketch,
    /// Elastic's common schema.
    Ecs,
}

/// Version of the common schema whose field names are used.
const ECS_VERSION: &str = "9.4.0";

/// One JSON object on each line, in the form of a tool. Both need a time: events without one are left out, and counted.
#[derive(Debug)]
pub struct ProfileWriter {
    /// The tool.
    pub profile: Profile,
    /// What to call traces and logs, and what is in them.
    pub names: Names,
    /// Events without a time so far.
    pub without_time: AtomicU64,
}

impl EventWriter for ProfileWriter {
    fn write(&self, event: &Event<'_>, out: &mut dyn Write) -> io::Result<()> {
        let Some(time) = event.time.and_then(FileTime::to_rfc3339) else {
            self.without_time.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        let told = Told::of(event, self.names.row(event));
        let document = match self.profile {
            Profile::Timesketch => told.timesketch(&time),
            Profile::Ecs => told.ecs(&time),
        };
        let mut line = serde_json::to_vec(&document)?;
        line.push(b'\n');
        out.write_all(&spelled_out(line))
    }

    fn depends_on_order(&self) -> bool {
        self.names.are_replaced()
    }

    fn redacted(&self) -> Option<String> {
        self.names.redacted()
    }

    fn left_out(&self) -> u64 {
        self.without_time.load(Ordering::Relaxed)
    }
}

/// What an event tells, without the form of any tool.
struct Told<'e> {
    /// As it may be told.
    row: Row<'e>,
    provider: Option<Guid>,
    has_owner: bool,
    status: Option<NtStatus>,
    /// Its operation is finished: the status is that of its end.
    is_finished: bool,
    source: Option<SocketAddr>,
    destination: Option<SocketAddr>,
}

/// Ids of Winsock-AFD whose address is the local one, and of those whose address is the remote one.
const LOCAL: [u16; 4] = [2, 3, 40, 1030];
const REMOTE: [u16; 4] = [4, 5, 1018, 1021];

impl<'e> Told<'e> {
    fn of(event: &Event<'_>, row: Row<'e>) -> Self {
        let (provider, id) = (event.provider, row.id);
        let of_afd = provider == Some(afd::PROVIDER);
        let is_one = |ids: &[u16]| of_afd && id.is_some_and(|id| ids.contains(&id));
        let field = |name: &str| match &row.fields {
            Some(Fields::Decoded(fields)) => fields.get(name),
            _ => None,
        };
        let address = |name: &str| match field(name) {
            Some(Value::SocketAddress(address)) => Some(*address),
            _ => None,
        };
        let number = |name: &str| field(name).and_then(Value::integer);
        let (status, is_finished) = match &event.origin {
            Origin::Record { .. } => {
                let status = number("Status").and_then(|status| u32::try_from(status).ok()).map(NtStatus);
                (status, !of_afd || number("EnterExit") != Some(0))
            }
            Origin::Entry(entry) => (entry.event.status, entry.event.phase != Phase::Enter),
        };
        let (source, destination) = (
            address("LocalAddress").or(address("Address").filter(|_| is_one(&LOCAL))),
            address("RemoteAddress").or(address("Address").filter(|_| is_one(&REMOTE))),
        );
        Self { provider, has_owner: event.owner.is_some(), status, is_finished, source, destination, row }
    }

    fn pid(&self) -> Option<u32> {
        if self.has_owner { self.row.owner_pid } else { self.row.pid }
    }

    fn file(&self) -> Option<&str> {
        self.row.trace.or(self.row.log)
    }

    /// Names and values of its payload.
    fn fields(&self) -> Vec<(String, String)> {
        match &self.row.fields {
            Some(Fields::Decoded(fields)) => {
                fields.iter().map(|(name, value)| (name.to_owned(), value.to_string())).collect()
            }
            Some(Fields::Shown(fields)) => fields.to_vec(),
            None => Vec::new(),
        }
    }

    /// `success`, `failure`, or `unknown` while it goes on; `None` for an event without a status.
    fn outcome(&self) -> Option<&'static str> {
        Some(match self.status? {
            _ if !self.is_finished => "unknown",
            NtStatus::PENDING => "unknown",
            NtStatus::SUCCESS => "success",
            _ => "failure",
        })
    }

    /// The status of a failure.
    fn error(&self) -> Option<NtStatus> {
        self.status.filter(|_| self.outcome() == Some("failure"))
    }

    /// What it is, as people read it: provider, id and name, how it ended, whose it is.
    fn message(&self) -> String {
        let provider = self.row.provider.unwrap_or("unknown provider");
        let mut text = match self.row.id {
            Some(id) => format!("{provider}/{id}"),
            None => provider.to_owned(),
        };
        if let Some(name) = self.row.name.as_deref() {
            text.push_str(&format!(" {name}"));
        }
        if let Some(status) = self.error() {
            let name = status.name().map(|name| format!("{name} ")).unwrap_or_default();
            text.push_str(&format!(": {name}{status}"));
        }
        match (self.row.owner_image.as_deref(), self.pid()) {
            (Some(image), Some(pid)) => text.push_str(&format!(", {image} (PID {pid})")),
            (None, Some(pid)) => text.push_str(&format!(", PID {pid}")),
            _ => {}
        }
        text
    }

    fn timesketch(&self, time: &str) -> Json {
        // Timesketch counts in microseconds.
        let datetime = time.get(..26).map_or_else(|| time.to_owned(), |cut| format!("{cut}+00:00"));
        let fields: Vec<String> = self.fields().iter().map(|(name, value)| format!("{name}={value}")).collect();
        without_null(json!({
            "message": self.message(),
            "datetime": datetime,
            "timestamp_desc": "Event Logged",
            "data_type": "windows:etw:event",
            "provider": self.row.provider,
            "provider_guid": self.row.guid.as_deref(),
            "event_identifier": self.row.id,
            "event_version": self.row.version,
            "event_name": self.row.name.as_deref(),
            "pid": self.row.pid,
            "tid": self.row.tid,
            "owner_pid": self.row.owner_pid,
            "owner_image": self.row.owner_image,
            "owner_source": self.row.owner_source,
            "status": self.status.map(|status| status.to_string()),
            "status_name": self.status.and_then(NtStatus::name),
            "outcome": self.outcome(),
            "source_address": self.source.map(|address| address.to_string()),
            "destination_address": self.destination.map(|address| address.to_string()),
            "fields": fields.join("; "),
            "file": self.file(),
        }))
    }

    /// Categories and types of ECS; none for an event to which no value that ECS allows applies.
    fn categories(&self) -> (Option<[&'static str; 1]>, Option<Vec<&'static str>>) {
        let is_of = |provider: Guid| self.provider == Some(provider);
        match self.row.id {
            _ if is_of(afd::PROVIDER) => {
                let more = match self.row.id {
                    Some(1 | 1000) => Some("start"),
                    Some(13 | 14 | 1001 | 1002) => Some("end"),
                    _ => None,
                };
                (Some(["network"]), Some(["connection"].into_iter().chain(more).collect()))
            }
            _ if is_of(tcpip::PROVIDER) => (Some(["network"]), Some(vec!["connection"])),
            Some(id @ (1 | 2 | 15)) if is_of(process::KERNEL_PROCESS) => {
                let kind = match id {
                    1 => "start",
                    2 => "end",
                    _ => "info",
                };
                (Some(["process"]), Some(vec![kind]))
            }
            _ => (None, None),
        }
    }

    fn ecs(&self, time: &str) -> Json {
        let (category, kind) = self.categories();
        let end = |address: Option<SocketAddr>| {
            address.map(|address| {
                let port = Some(address.port()).filter(|port| *port != 0);
                json!({ "address": address.ip(), "ip": address.ip(), "port": port })
            })
        };
        let ip = self.source.or(self.destination).map(|address| if address.is_ipv4() { "ipv4" } else { "ipv6" });
        let data: Map<String, Json> =
            self.fields().into_iter().map(|(name, value)| (name, Json::from(value))).collect();
        without_null(json!({
            "@timestamp": time,
            "message": self.message(),
            "ecs": { "version": ECS_VERSION },
            "event": {
                "kind": "event",
                "module": "outofports",
                "dataset": "outofports.events",
                "provider": self.row.provider,
                "code": self.row.id.map(|id| id.to_string()),
                "action": self.row.name.as_deref(),
                "category": category,
                "type": kind,
                "outcome": self.outcome(),
            },
            "error": {
                "code": self.error().map(|status| status.to_string()),
                "message": self.error().and_then(NtStatus::name),
            },
            "process": { "pid": self.pid(), "name": self.row.owner_image.as_deref() },
            "source": end(self.source),
            "destination": end(self.destination),
            "network": { "type": ip },
            "log": { "file": { "path": self.file() } },
            "winlog": {
                "provider_name": self.row.provider,
                "provider_guid": self.row.guid.as_deref(),
                "event_id": self.row.id.map(|id| id.to_string()),
                "version": self.row.version,
                "process": { "pid": self.row.pid, "thread": { "id": self.row.tid } },
                "event_data": data,
            },
            "outofports": { "owner_source": self.row.owner_source },
        }))
    }
}

/// Without what is not known: these tools know no `null`.
fn without_null(document: impl Serialize) -> Json {
    fn clean(value: Json) -> Option<Json> {
        match value {
            Json::Null => None,
            Json::Object(fields) => {
                let fields: Map<String, Json> =
                    fields.into_iter().filter_map(|(name, value)| Some((name, clean(value)?))).collect();
                (!fields.is_empty()).then_some(Json::Object(fields))
            }
            value => Some(value),
        }
    }
    serde_json::to_value(document).ok().and_then(clean).unwrap_or_default()
}
