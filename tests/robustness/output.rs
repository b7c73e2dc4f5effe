//! Class 50: names from a trace in what is printed.

use std::ffi::OsStr;
use std::path::Path;

use etl_parser::Guid;
use synth::process::ProcessInfo;
use synth::record::{Descriptor, Extended, Origin, Record};
use synth::{TraceBuilder, TraceOptions, afd};

use super::support::*;
use crate::common::{run, scratch};

/// Escape sequences of both kinds, line ends, formulas, markup, quotes, separators, and what turns the writing direction.
const NAMES: [&str; 13] = [
    "evil\u{1b}[7m\r\n.exe",
    "title\u{1b}]0;owned\u{7}.exe",
    "eight bits\u{9b}7m\u{7f}.exe",
    "=cmd|'/c calc'!A1",
    "+1+1.exe",
    "-2.exe",
    "@SUM(A1).exe",
    "\t=1.exe",
    "\r=1.exe",
    "<script>alert(1)</script>.exe",
    "a\",\"b\n2026.exe",
    "\u{202e}txt.exe",
    "\u{0}x.exe",
];

const PROVIDER: u128 = 0x1111_2222_3333_4444_5555_6666_7777_8888;
const KERNEL_NETWORK: u128 = 0x7dd4_2a49_5329_4832_8dfd_43d9_7915_3a88;
const METADATA: u128 = 0xbbcc_f6c1_6cd1_48c4_80ff_8394_82e3_7671;

fn guid(value: u128) -> synth::Guid {
    synth::Guid(Guid::from_u128(value).to_wire())
}

fn event<'a>(provider: u128, id: u16, extended: &'a [Extended<'a>], payload: &'a [u8]) -> Record<'a> {
    let opcode = if id == 0xFFFE { 0xFE } else { 0 };
    let descriptor = Descriptor { id, opcode, task: id, ..Descriptor::default() };
    let (origin, provider, activity) = (Origin::new(8, 12), guid(provider), guid(0));
    Record::Event { origin, provider, descriptor, activity, extended, payload }
}

fn metadata(opcode: u8, payload: &[u8]) -> Record<'_> {
    Record::Full { origin: Origin::new(8, 12), provider: guid(METADATA), opcode, level: 0, version: 0, payload }
}

fn sized(body: &[u8]) -> Vec<u8> {
    [&u16::try_from(body.len() + 2).unwrap().to_le_bytes()[..], body].concat()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// A `TRACE_EVENT_INFO` of event 10 of Kernel-Network, which is in the built-in tables too: every name is `name`.
fn event_info(name: &str) -> Vec<u8> {
    let mut bytes = Guid::from_u128(KERNEL_NETWORK).to_wire().to_vec();
    bytes.resize(0x20, 0);
    bytes.extend([10, 0]);
    bytes.resize(0x70 + 0x18, 0);
    // Provider, task, opcode, event, and the one field with its map: all at the end.
    for at in [0x34, 0x44, 0x48, 0x5C, 0x74, 0x7C] {
        put32(&mut bytes, at, 0x88);
    }
    put32(&mut bytes, 0x64, 1);
    put32(&mut bytes, 0x68, 1);
    put16(&mut bytes, 0x78, 8);
    put16(&mut bytes, 0x80, 1);
    bytes.extend(utf16(name));
    bytes
}

/// The map of that name: 7 is called `name`.
fn map_info(name: &str) -> Vec<u8> {
    let head = [24, 1, 1, 0, 24, 7].map(u32::to_le_bytes).concat();
    [&Guid::from_u128(KERNEL_NETWORK).to_wire()[..], &head, &utf16(name)].concat()
}

/// A manifest in which names and text are `name`.
fn manifest(name: &str) -> Vec<u8> {
    let spelled: String = name.chars().map(|character| format!("&#{};", u32::from(character).max(1))).collect();
    let text = format!(
        "<provider name='{spelled}'><event value='3' symbol='{spelled}' task='{spelled}' template='t'/>\
         <template tid='t'><data name='{spelled}' inType='win:UInt32'/></template></provider>"
    );
    [&[1, 1, 0, 0x5B, 1, 0, 0, 0][..], text.as_bytes()].concat()
}

/// A process with a failed bind.
fn push_process(builder: &mut TraceBuilder, number: u32, at: i64, name: &str) {
    let pid = 100 + 4 * number;
    let process = ProcessInfo { pid, parent: 4, path: format!("\\Device\\{name}"), ..ProcessInfo::default() };
    builder.process_start(0, at, &process, 3);
    let head = |phase| afd::Head {
        enter_exit: phase,
        location: 1,
        process: u64::from(pid),
        endpoint: 0x1000 + u64::from(pid),
    };
    for phase in [afd::ENTER, afd::EXIT] {
        builder.afd_create(0, at + 1, pid, head(phase), pid, 0);
    }
    builder.afd_bind(0, at + 2, pid, head(afd::EXIT), afd::TOO_MANY_ADDRESSES, None);
}

/// Events that describe themselves: provider, event, field and text are `name`; in the second one the field is missing.
fn push_described(builder: &mut TraceBuilder, at: i64, name: &str) {
    let name = name.replace('\0', " ");
    let traits = sized(&[name.as_bytes(), b"\0"].concat());
    let own = sized(&[b"\0", name.as_bytes(), b"\0", name.as_bytes(), b"\0\x17"].concat());
    let items = [Extended::Raw { kind: 11, data: &own }, Extended::Raw { kind: 12, data: &traits }];
    let text = [&u16::try_from(name.len()).unwrap().to_le_bytes()[..], name.as_bytes()].concat();
    builder.record(0, at, &event(PROVIDER, 1, &items, &text));
    builder.record(0, at, &event(PROVIDER, 1, &items, &[]));
}

/// A trace in which every name that is not the program's own is one of [`NAMES`].
fn hostile_trace() -> Vec<u8> {
    let mut builder = TraceBuilder::new(TraceOptions {
        logger_name: "session\u{1b}]0;owned\u{7}\r\nFAKE: line".to_owned(),
        file_name: "..\\..\\..\\etc\\passwd".to_owned(),
        ..options()
    });
    let t0 = builder.options().t0;
    for (number, name) in NAMES.iter().enumerate() {
        let at = t0 + 10_000 * number as i64;
        push_process(&mut builder, number as u32, at, name);
        push_described(&mut builder, at + 3, name);
        let provider = PROVIDER + 1 + number as u128;
        builder.record(0, at + 4, &event(provider, 0xFFFE, &[], &manifest(name)));
        builder.record(0, at + 5, &event(provider, 3, &[], &[7, 0, 0, 0]));
    }
    builder.finish()
}

/// The same for one name in embedded metadata, of which the first for an event counts.
fn hostile_metadata(name: &str) -> Vec<u8> {
    let mut builder = TraceBuilder::new(options());
    let t0 = builder.options().t0;
    builder.record(0, t0, &metadata(32, &event_info(name)));
    builder.record(0, t0, &metadata(33, &map_info(name)));
    for payload in [&[7, 0, 0, 0][..], &[]] {
        builder.record(0, t0, &event(KERNEL_NETWORK, 10, &[], payload));
    }
    builder.finish()
}

/// Text without the colours that the program itself writes.
fn without_own_colours(text: &str) -> String {
    let own = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"];
    own.iter().fold(text.to_owned(), |text, colour| text.replace(colour, ""))
}

fn check_text(text: &str) {
    let text = without_own_colours(text);
    let forbidden = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!text.contains(forbidden), "{text:?}");
    assert!(!text.lines().any(|line| line.starts_with("FAKE") || line.starts_with(".exe")), "{text}");
}

/// Gives the number of rows.
fn check_csv(table: &str, columns: usize) -> usize {
    assert!(!table.contains(|c: char| c.is_control() && c != '\n'), "{table:?}");
    let mut rows = 0;
    for row in csv::ReaderBuilder::new().from_reader(table.as_bytes()).records() {
        let row = row.unwrap();
        assert_eq!(row.len(), columns, "{row:?}");
        let starts_formula = |cell: &&str| cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        assert_eq!(row.iter().find(starts_formula), None, "{row:?}");
        rows += 1;
    }
    rows
}

/// Runs a command on a trace with colours, which is when nothing is taken out of its output; gives standard output.
fn output(path: &Path, command: &str, format: &str) -> String {
    let mut arguments = [command, "-f", format, "--color", "always"].map(OsStr::new).to_vec();
    arguments.push(path.as_os_str());
    if command == "events" {
        arguments.push(OsStr::new("--all"));
    }
    let ran = run(arguments);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    ran.stdout
}

/// Checks all outputs about a trace of `records` records; gives how many outputs that are.
fn check_outputs(path: &Path, records: usize) -> usize {
    for command in ["analyze", "info", "events"] {
        check_text(&output(path, command, "text"));
    }
    assert_eq!(output(path, "events", "text").lines().count(), records, "one line for each record");
    check_csv(&output(path, "analyze", "csv"), 23);
    assert_eq!(check_csv(&output(path, "events", "csv"), 21), records, "one row for each record");
    // JSON spells control characters out; what turns the writing direction is data.
    for (command, format) in [("analyze", "json"), ("info", "json"), ("events", "ndjson")] {
        let document = output(path, command, format);
        assert!(!document.contains(|c: char| c.is_control() && c != '\n'), "{command}: {document:?}");
        let documents = if format == "json" { vec![document.as_str()] } else { document.lines().collect() };
        assert_eq!(documents.len(), if format == "json" { 1 } else { records });
        for document in documents {
            serde_json::from_str::<serde_json::Value>(document).unwrap();
        }
    }
    8
}

pub fn hostile_names() -> String {
    let folder = scratch();
    let path = folder.path().join("case.etl");
    std::fs::write(&path, hostile_trace()).unwrap();
    let mut outputs = check_outputs(&path, 1 + 8 * NAMES.len());
    // What the names are is not lost: JSON has them as they are.
    let lines = output(&path, "events", "ndjson");
    for name in NAMES.iter().filter(|name| !name.contains('\0')) {
        let is_named = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["name"] == *name;
        assert!(lines.lines().any(is_named), "{name:?}");
    }
    for name in NAMES {
        std::fs::write(&path, hostile_metadata(name)).unwrap();
        outputs += check_outputs(&path, 5);
    }
    // No file of the name that the trace gives is touched: only the input is there.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    format!(
        "{} names for processes, providers, events, fields and values in {outputs} outputs, with colours: no control \
         character, no CSV formula, no broken row, no made-up line",
        NAMES.len()
    )
}
