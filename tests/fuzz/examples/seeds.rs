//! Writes seeds for every target below a folder: from small real traces, where they are at hand, and synthetic ones.
//!
//! `cargo run --example seeds -- CORPUS_FOLDER TRACES...`

use std::path::{Path, PathBuf};

use etl_parser::{Guid, RecordKind, Trace};

/// Larger traces only slow the engine down.
const MAX_FILE: usize = 64 << 10;
/// The list of a trace's events is made several times over.
const MAX_LISTED: usize = 32 << 10;
/// Of each kind of event; more of the same teaches nothing.
const MAX_OF_A_KIND: usize = 3;

const AFD: Guid = Guid::from_wire(synth::afd::PROVIDER.0);
const KERNEL_PROCESS: Guid = Guid::from_wire(synth::process::KERNEL_PROCESS.0);
const MOF_PROCESS: Guid = Guid::from_wire(synth::process::MOF_PROCESS.0);

const TABLE: &str = "\r\nImage Name                     PID Services                                    \r
========================= ======== ============================================\r
System Idle Process              0 N/A                                         \r
lsass.exe                     1032 EFS, KeyIso, SamSs, VaultSvc                \r
svchost.exe                   1156 BrokerInfrastructure, DcomLaunch, PlugPlay, \r
                                   Power, SystemEventsBroker                   \r\n";
const MANIFEST: &str = "<provider name='P'><event value='1' symbol='S' template='t'/><template tid='t'>\
<data name='n' inType='win:UInt16'/><data name='a' inType='win:UInt8' count='n'/></template></provider>";
const COMMAS: &str = "\"Image Name\",\"PID\",\"Services\"\r\n\"System Idle Process\",\"0\",\"N/A\"\r\n\"svchost.exe\",\"1156\",\"DcomLaunch,PlugPlay\"\r\n";

fn save(folder: &Path, target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let folder = folder.join(target);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(name), bytes)
}

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments.next().expect("a folder to write to");
    let mut traces: Vec<(String, Vec<u8>)> = Vec::new();
    for path in arguments {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        traces.push((name, std::fs::read(path)?));
    }
    for scenario in synth::scenarios() {
        let written = synth::write(scenario.name).expect("the scenario exists");
        traces.push((scenario.name.to_owned(), written.trace));
    }
    for (name, bytes) in &traces {
        if bytes.len() <= MAX_FILE {
            save(&folder, "analyze", name, bytes)?;
        }
        if bytes.len() <= MAX_LISTED {
            save(&folder, "events", name, bytes)?;
        }
        if let Ok(trace) = Trace::new(bytes) {
            events_of(&folder, name, &trace)?;
            schemas_of(&folder, name, &trace)?;
        }
    }
    save(&folder, "tasklist", "table", TABLE.as_bytes())?;
    save(&folder, "tasklist", "commas", COMMAS.as_bytes())?;
    save(&folder, "manifest", "small", MANIFEST.as_bytes())?;
    side_files(&folder)?;
    let wide: Vec<u8> = TABLE.encode_utf16().flat_map(u16::to_le_bytes).collect();
    save(&folder, "tasklist", "wide", &[&[0xFF, 0xFE][..], &wide].concat())
}

/// The fixtures of side files; of the event log what its one chunk holds, without the free space behind.
fn side_files(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/side"))? {
        let path = entry?.path();
        let mut bytes = std::fs::read(&path)?;
        while bytes.ends_with(&[0; 8]) {
            bytes.truncate(bytes.len() - 8);
        }
        save(folder, "side", &path.file_name().unwrap_or_default().to_string_lossy(), &bytes)?;
    }
    Ok(())
}

/// Some events of each kind that the program decodes, in the form that the targets take.
fn events_of(folder: &Path, name: &str, trace: &Trace<'_>) -> std::io::Result<()> {
    let mut scratch = Vec::new();
    let mut seen = std::collections::BTreeMap::new();
    let mut afd = Vec::new();
    for position in 0..trace.buffers().len() {
        for record in trace.buffer(position, &mut scratch).expect("it exists").records().map_while(Result::ok) {
            let (Some(id), Some(version), Ok(payload)) = (record.id(), record.version(), record.user_data()) else {
                continue;
            };
            let narrow = record.pointer_size().is_some_and(|size| size.bytes() == 4);
            let form = match (record.kind(), record.header_guid()) {
                (RecordKind::EventHeader, Some(AFD)) => 0xFF,
                (RecordKind::EventHeader, Some(KERNEL_PROCESS)) => 4,
                (RecordKind::Classic, Some(MOF_PROCESS)) => 2,
                (RecordKind::System, _) if record.hook().is_some_and(|hook| hook.group() == 3) => 0,
                (RecordKind::Perfinfo, _) if record.hook().is_some_and(|hook| hook.group() == 3) => 1,
                _ => continue,
            };
            let count: &mut usize = seen.entry((form, id, version)).or_default();
            *count += 1;
            if *count > MAX_OF_A_KIND || payload.len() > 0xC00 {
                continue;
            }
            if form == 0xFF {
                let length = payload.len().min(255);
                afd.extend(id.to_le_bytes());
                afd.extend([u8::from(narrow), length as u8]);
                afd.extend(&payload[..length]);
            } else {
                let head = [form | if narrow { 0x80 } else { 0 }, id as u8, version];
                save(folder, "process", &format!("{name}-{form}-{id}-{version}-{count}"), &[&head, payload].concat())?;
            }
        }
    }
    if afd.is_empty() { Ok(()) } else { save(folder, "afd", name, &afd) }
}

/// Schemas that the trace holds, with the payload of one event where that stands beside them.
fn schemas_of(folder: &Path, name: &str, trace: &Trace<'_>) -> std::io::Result<()> {
    const METADATA: Guid = Guid::from_u128(0xbbcc_f6c1_6cd1_48c4_80ff_8394_82e3_7671);
    let mut scratch = Vec::new();
    let mut count = 0;
    for position in 0..trace.buffers().len() {
        for record in trace.buffer(position, &mut scratch).expect("it exists").records().map_while(Result::ok) {
            let Ok(payload) = record.user_data() else { continue };
            let own = record.extended_items().find(|item| item.item_type.0 == 11 && item.data.len() <= 1020);
            if let Some(own) = own.filter(|_| count < 60) {
                let mut metadata = own.data.to_vec();
                metadata.resize(metadata.len().next_multiple_of(4), 0);
                let length = [(metadata.len() / 4) as u8];
                save(folder, "tracelogging", &format!("{name}-{count}"), &[&length[..], &metadata, payload].concat())?;
                count += 1;
            }
            if record.header_guid() == Some(METADATA) && count < 60 {
                let length = (payload.len() as u16).to_le_bytes();
                save(folder, "event_info", &format!("{name}-{count}"), &[&length[..], payload, &[1; 64]].concat())?;
                count += 1;
            }
            if record.id() == Some(0xFFFE) && payload.len() > 8 && count < 60 {
                let text = &payload[8..];
                save(folder, "manifest", &format!("{name}-{count}"), &text[..text.len().min(4096)])?;
                count += 1;
            }
        }
    }
    Ok(())
}
