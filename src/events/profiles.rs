//! Events in the form of other tools: Timesketch, and Elastic's common schema (ECS).

use std::io::{self, Write};
use std::net::SocketAddr;

use etl_parser::Guid;
use etw_schema::{NtStatus, Value};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::write::{EventWriter, Paths};
use super::{Event, Origin, id_of};
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
    /// What to call traces and logs.
    pub paths: Paths,
    /// Events without a time so far.
    pub without_time: u64,
}

impl EventWriter for ProfileWriter {
    fn write(&mut self, event: &Event<'_>, out: &mut dyn Write) -> io::Result<()> {
        let Some(time) = event.time.and_then(FileTime::to_rfc3339) else {
            self.without_time += 1;
            return Ok(());
        };
        let told = Told::of(event, &self.paths);
        let document = match self.profile {
            Profile::Timesketch => told.timesketch(&time),
            Profile::Ecs => told.ecs(&time),
        };
        let mut line = serde_json::to_vec(&document)?;
        line.push(b'\n');
        out.write_all(&spelled_out(line))
    }

    fn left_out(&self) -> u64 {
        self.without_time
    }
}

/// What an event tells, without the form of any tool.
struct Told<'e> {
    event: &'e Event<'e>,
    id: Option<u16>,
    version: Option<u8>,
    header_pid: Option<u32>,
    thread: Option<u32>,
    status: Option<NtStatus>,
    /// Its operation is finished: the status is that of its end.
    is_finished: bool,
    source: Option<SocketAddr>,
    destination: Option<SocketAddr>,
    file: Option<&'e str>,
    fields: Vec<(String, String)>,
}

/// Ids of Winsock-AFD whose address is the local one, and of those whose address is the remote one.
const LOCAL: [u16; 4] = [2, 3, 40, 1030];
const REMOTE: [u16; 4] = [4, 5, 1018, 1021];

impl<'e> Told<'e> {
    fn of(event: &'e Event<'e>, paths: &'e Paths) -> Self {
        let none = Self {
            event,
            id: None,
            version: None,
            header_pid: None,
            thread: None,
            status: None,
            is_finished: true,
            source: None,
            destination: None,
            file: None,
            fields: Vec::new(),
        };
        match &event.origin {
            Origin::Record { trace, record, decoded } => {
                let fields = decoded.as_ref().ok().map(|decoded| &decoded.payload.fields);
                let field = |name: &str| fields.and_then(|fields| fields.get(name));
                let address = |name: &str| match field(name) {
                    Some(Value::SocketAddress(address)) => Some(*address),
                    _ => None,
                };
                let number = |name: &str| field(name).and_then(Value::integer);
                let id = id_of(record);
                let is_afd =
                    |ids: &[u16]| event.provider == Some(afd::PROVIDER) && id.is_some_and(|id| ids.contains(&id));
                let of_afd = address("Address");
                let phase = if event.provider == Some(afd::PROVIDER) { number("EnterExit") } else { None };
                Self {
                    id,
                    version: record.version(),
                    header_pid: record.process_id(),
                    thread: record.thread_id(),
                    status: number("Status").and_then(|status| u32::try_from(status).ok()).map(NtStatus),
                    is_finished: phase != Some(0),
                    source: address("LocalAddress").or(of_afd.filter(|_| is_afd(&LOCAL))),
                    destination: address("RemoteAddress").or(of_afd.filter(|_| is_afd(&REMOTE))),
                    file: paths.traces.get(*trace).map(String::as_str),
                    fields: fields
                        .map(|fields| fields.iter().map(|(name, value)| (name.to_owned(), value.to_string())).collect())
                        .unwrap_or_default(),
                    ..none
                }
            }
            Origin::Entry(entry) => Self {
                id: Some(entry.id),
                version: Some(entry.version),
                header_pid: entry.header_pid,
                status: entry.event.status,
                is_finished: entry.event.phase != crate::event::Phase::Enter,
                file: paths.side_inputs.get(entry.entry.source).map(String::as_str),
                fields: entry.fields.to_vec(),
                ..none
            },
        }
    }

    fn pid(&self) -> Option<u32> {
        match &self.event.owner {
            Some(owner) => owner.pid,
            None => self.header_pid,
        }
    }

    fn image(&self) -> Option<&str> {
        self.event.owner.and_then(|owner| owner.image)
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
        let provider = self.event.provider_name().unwrap_or("unknown provider");
        let mut text = match self.id {
            Some(id) => format!("{provider}/{id}"),
            None => provider.to_owned(),
        };
        if let Some(name) = self.event.name() {
            text.push_str(&format!(" {name}"));
        }
        if let Some(status) = self.error() {
            let name = status.name().map(|name| format!("{name} ")).unwrap_or_default();
            text.push_str(&format!(": {name}{status}"));
        }
        match (self.image(), self.pid()) {
            (Some(image), Some(pid)) => text.push_str(&format!(", {image} (PID {pid})")),
            (None, Some(pid)) => text.push_str(&format!(", PID {pid}")),
            _ => {}
        }
        text
    }

    fn timesketch(&self, time: &str) -> Json {
        // Timesketch counts in microseconds.
        let datetime = time.get(..26).map_or_else(|| time.to_owned(), |cut| format!("{cut}+00:00"));
        let owner = self.event.owner;
        let fields: Vec<String> = self.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        without_null(json!({
            "message": self.message(),
            "datetime": datetime,
            "timestamp_desc": "Event Logged",
            "data_type": "windows:etw:event",
            "provider": self.event.provider_name(),
            "provider_guid": self.event.provider.map(|guid| guid.to_string()),
            "event_identifier": self.id,
            "event_version": self.version,
            "event_name": self.event.name(),
            "pid": self.header_pid,
            "tid": self.thread,
            "owner_pid": owner.and_then(|owner| owner.pid),
            "owner_image": owner.and_then(|owner| owner.image),
            "owner_source": owner.map(|owner| owner.source.as_str()),
            "status": self.status.map(|status| status.to_string()),
            "status_name": self.status.and_then(NtStatus::name),
            "outcome": self.outcome(),
            "source_address": self.source.map(|address| address.to_string()),
            "destination_address": self.destination.map(|address| address.to_string()),
            "fields": fields.join("; "),
            "file": self.file,
        }))
    }

    /// Categories and types of ECS; none for an event to which no value that ECS allows applies.
    fn categories(&self) -> (Option<[&'static str; 1]>, Option<Vec<&'static str>>) {
        let is_of = |provider: Guid| self.event.provider == Some(provider);
        match self.id {
            _ if is_of(afd::PROVIDER) => {
                let more = match self.id {
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
        let owner = self.event.owner;
        let end = |address: Option<SocketAddr>| {
            address.map(|address| {
                let port = Some(address.port()).filter(|port| *port != 0);
                json!({ "address": address.ip(), "ip": address.ip(), "port": port })
            })
        };
        let ip = self.source.or(self.destination).map(|address| if address.is_ipv4() { "ipv4" } else { "ipv6" });
        let data: Map<String, Json> =
            self.fields.iter().map(|(name, value)| (name.clone(), Json::from(value.clone()))).collect();
        without_null(json!({
            "@timestamp": time,
            "message": self.message(),
            "ecs": { "version": ECS_VERSION },
            "event": {
                "kind": "event",
                "module": "outofports",
                "dataset": "outofports.events",
                "provider": self.event.provider_name(),
                "code": self.id.map(|id| id.to_string()),
                "action": self.event.name(),
                "category": category,
                "type": kind,
                "outcome": self.outcome(),
            },
            "error": {
                "code": self.error().map(|status| status.to_string()),
                "message": self.error().and_then(NtStatus::name),
            },
            "process": { "pid": self.pid(), "name": self.image() },
            "source": end(self.source),
            "destination": end(self.destination),
            "network": { "type": ip },
            "log": { "file": { "path": self.file } },
            "winlog": {
                "provider_name": self.event.provider_name(),
                "provider_guid": self.event.provider.map(|guid| guid.to_string()),
                "event_id": self.id.map(|id| id.to_string()),
                "version": self.version,
                "process": { "pid": self.header_pid, "thread": { "id": self.thread } },
                "event_data": data,
            },
            "outofports": { "owner_source": owner.map(|owner| owner.source.as_str()) },
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
