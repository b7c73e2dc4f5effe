//! Writes seeds for every target below a folder: from small real traces, where they are at hand, and synthetic ones.
//!
//! `cargo run --example seeds -- CORPUS_FOLDER TRACES...`

use std::path::{Path, PathBuf};

use etl_parser::Trace;

/// Larger traces only slow the engine down.
const MAX_FILE: usize = 64 << 10;
const MAX_ITEMS: usize = 0xE00;

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
    for scenario in ["single-failure", "compressed", "names-mof-full", "multi-provider", "modern-32"] {
        let written = synth::write(scenario).expect("the scenario exists");
        traces.push((scenario.to_owned(), written.trace));
    }
    for (name, bytes) in &traces {
        if bytes.len() <= MAX_FILE {
            save(&folder, "file", name, bytes)?;
        }
        if let Ok(trace) = Trace::new(bytes) {
            seeds_of(&folder, name, &trace)?;
        }
    }
    Ok(())
}

/// The first buffers' records, compressed streams, and one chain of items of each shape.
fn seeds_of(folder: &Path, name: &str, trace: &Trace<'_>) -> std::io::Result<()> {
    let mut scratch = Vec::new();
    let mut shapes = std::collections::BTreeSet::new();
    let mut frames = Vec::new();
    for (position, info) in trace.buffers().iter().enumerate().take(200) {
        let at = (info.offset - trace.start()) as usize;
        let stored = &trace.bytes()[at..at + info.stored_bytes as usize];
        let buffer = trace.buffer(position, &mut scratch).expect("the position exists");
        if info.is_compressed() && position < 8 {
            let size = (info.header.end_of_data() - 0x48).min(0xFFFF) as u16;
            save(folder, "xpress", &format!("{name}-{position}"), &[&size.to_le_bytes(), &stored[0x48..]].concat())?;
        }
        let data = &buffer.bytes()[0x48..];
        if position < 4 {
            let data = &data[..data.len().min(0xF00)];
            let head = [(data.len() as u16).to_le_bytes(), [info.header.cpu() as u8, position as u8]].concat();
            frames.push([&head[..], &[0x20], data].concat());
        }
        for record in buffer.records().map_while(Result::ok) {
            let shape: Vec<u16> = record.extended_items().map(|item| item.item_type.0).collect();
            let bytes = record.bytes();
            if !shape.is_empty() && bytes.len() < 0x50 + MAX_ITEMS && shapes.insert(shape) {
                save(folder, "extended", &format!("{name}-{}", shapes.len()), &bytes[0x50..])?;
            }
        }
    }
    for (number, frame) in frames.iter().enumerate() {
        save(folder, "records", &format!("{name}-{number}"), frame)?;
    }
    save(folder, "records", name, &frames.concat())
}
