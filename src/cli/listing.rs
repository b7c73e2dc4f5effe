//! Options of commands that list what a trace holds one by one: `events` and `packets`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::SideFiles;
use super::shared::{Common, Output, Redaction, Times};
use super::values::{EventFormat, EventProfile};
use crate::events::{ProviderFilter, StatusFilter, parse_provider, parse_status, parse_time};
use crate::live::parse_duration;
use crate::time::FileTime;

/// `events`.
#[derive(Debug, Args)]
#[command(after_help = EVENTS_HELP)]
pub struct Events {
    /// Traces (.etl, also .gz and .zst), report cabinets (.cab), .zip archives or folders; - for standard input
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<PathBuf>,

    /// Write each event as FORMAT (default: text)
    #[arg(short, long, value_enum)]
    pub format: Option<EventFormat>,

    /// Write one JSON object per line in the form of another tool
    #[arg(long, value_enum, value_name = "TOOL")]
    pub profile: Option<EventProfile>,

    /// Print all events, not only the bind and connect failures that analyze counts
    #[arg(long)]
    pub all: bool,

    /// Print events of PROVIDER: a name, a part of one that no other has (afd, tcpip), or a GUID
    #[arg(long, value_name = "PROVIDER", value_parser = parse_provider)]
    pub provider: Vec<ProviderFilter>,

    /// Print events with one of these IDs (1029,1030); of kernel and classic events it is the opcode
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub id: Vec<u16>,

    /// Print events with STATUS: a number (0xC000020A), a name (STATUS_ADDRESS_ALREADY_EXISTS), or a Winsock error (10013,
    /// 10048, 10055) for all that programs see as such
    #[arg(long, value_name = "STATUS", value_parser = parse_status, allow_negative_numbers = true)]
    pub status: Vec<StatusFilter>,

    /// Print only events that one of these processes owns (7312,2840), as analyze decides it
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub pid: Vec<u32>,

    /// Print only events whose owner has the image NAME, with or without .exe
    #[arg(long, value_name = "NAME")]
    pub process: Vec<String>,

    /// Print events of every kind with one of these PIDs in the header of their record; faster, since owners are not found
    /// out then
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub header_pid: Vec<u32>,

    /// Print only events not before TIME (UTC: 2026-11-14T09:12:04Z)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<FileTime>,

    /// Print only events not after TIME
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<FileTime>,

    /// The zone of times in text.
    #[command(flatten)]
    pub times: Times,

    /// Where output goes.
    #[command(flatten)]
    pub output: Output,

    /// What is replaced.
    #[command(flatten)]
    pub redaction: Redaction,

    /// Options of all commands.
    #[command(flatten)]
    pub common: Common,
}

const EVENTS_HELP: &str = "\
Examples:
  outofports events server.etl
  outofports events server.etl --provider afd --process agent.exe -f csv
  outofports events server.etl --all --since 2026-11-14T09:14:00Z -f ndjson | head
  outofports events server.etl --profile timesketch -o server.jsonl
  outofports events server.etl --provider afd --profile ecs";

/// `packets`.
#[derive(Debug, Args)]
#[command(after_help = PACKETS_HELP)]
pub struct Packets {
    /// Traces (.etl, also .gz and .zst), report cabinets (.cab), .zip archives, folders and side files of one case; - for
    /// standard input
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<PathBuf>,

    /// Where output goes.
    #[command(flatten)]
    pub output: Output,

    /// Side files by name.
    #[command(flatten)]
    pub side: SideFiles,

    /// Write only packets and failures that one of these processes owns (7312,2840)
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub pid: Vec<u32>,

    /// Write only packets and failures whose owner has the image NAME, with or without .exe
    #[arg(long, value_name = "NAME")]
    pub process: Vec<String>,

    /// Write only packets with one of these PORTs at either end (443,50123)
    #[arg(long, value_name = "PORT", value_delimiter = ',')]
    pub port: Vec<u16>,

    /// Write only packets with one of these IP addresses at either end
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    pub host: Vec<IpAddr>,

    /// Write only packets and failures not before TIME (UTC: 2026-11-14T09:12:04Z)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<FileTime>,

    /// Write only packets and failures not after TIME
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<FileTime>,

    /// Write only what is no further than TIME (5s, 2m) away from a bind or connect that failed because no local port was free
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub failures_around: Option<Duration>,

    /// Write packets of pktmon at each component that they pass, and not only at the first
    #[arg(long)]
    pub components: bool,

    /// Write the TLS keys of FILE before the packets, so that readers decrypt them
    #[arg(long, value_name = "FILE", conflicts_with = "redact")]
    pub keylog: Option<PathBuf>,

    /// What is replaced.
    #[command(flatten)]
    pub redaction: Redaction,

    /// Options of all commands.
    #[command(flatten)]
    pub common: Common,
}

const PACKETS_HELP: &str = "\
Each packet has a comment: process=agent.exe pid=7312 owner=created_socket, where - and unknown stand for what is not known. With
--redact packets end behind their headers, and addresses are replaced.

Examples:
  outofports packets server.etl -o server.pcapng
  outofports packets case-folder/ -o - | wireshark -k -i -
  outofports packets server.etl --process agent.exe --failures-around 5s -o failing.pcapng";
