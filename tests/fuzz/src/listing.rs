//! The list of a trace's events and what `info` tells, from bytes; and what must hold for both.

use etl_parser::Trace;
use outofports::NoProgress;
use outofports::case::InputKind;
use outofports::events::{self, CsvWriter, EventWriter, Filter, Names, NdjsonWriter, TextWriter};
use outofports::info::{self, Beside};
use outofports::packets::{self, Setting};
use outofports::pipeline::Threads;
use outofports::report::json;
use outofports::side::facts::SideFacts;
use outofports::words::pseudonyms::Pseudonyms;

/// Above this much announced data, nothing new is seen.
const MAX_LISTED_BYTES: u64 = 1 << 18;

/// Lists a file's events in every format: one line for each event, in which nothing commands a terminal or a spreadsheet,
/// and the same lines whatever the number of threads that learned the schemas. The same for `info`, and for its packets as a
/// capture file.
pub fn check(bytes: &[u8]) {
    if !crate::is_smaller(bytes, MAX_LISTED_BYTES) {
        return;
    }
    let traces = Trace::segments(bytes).expect("checked before");
    // As they are, and with names that stand for others.
    for pseudonyms in [None, Some(Pseudonyms::new(true, None))] {
        let names = || Names::new(vec!["trace".to_owned(); traces.len()], &[], pseudonyms.clone());
        let (count, objects) = list(&traces, &NdjsonWriter { names: names() });
        assert_eq!(objects, list_on_two_threads(&traces, &NdjsonWriter { names: names() }));
        check_objects(&objects, count);
        check_table(&list(&traces, &CsvWriter { names: names() }).1, count);
        check_lines(&list(&traces, &TextWriter { names: names(), ..TextWriter::default() }).1, count);
        let capture = capture(&traces, 1, pseudonyms.clone());
        check_blocks(&capture);
        assert_eq!(capture, self::capture(&traces, 2, pseudonyms));
    }
    traces.iter().for_each(check_info);
}

fn list(traces: &[Trace<'_>], writer: &dyn EventWriter) -> (usize, String) {
    let all = Filter { all: true, ..Filter::default() };
    let learn = || events::learn(traces, &SideFacts::default(), &all, &NoProgress);
    let learned = crate::pool(1).install(learn).expect("not stopped");
    let choice = learned.choose(&all).expect("no provider is named");
    let (mut count, mut output) = (0, Vec::new());
    writer.begin(&mut output).expect("memory");
    events::walk(traces, &learned, &choice, |event| {
        count += 1;
        writer.write(event, &mut output)
    })
    .expect("memory");
    (count, String::from_utf8(output).expect("UTF-8"))
}

fn capture(traces: &[Trace<'_>], threads: usize, names: Option<Pseudonyms>) -> Vec<u8> {
    let side = SideFacts::default();
    let learn = || packets::learn(traces, &side, &NoProgress);
    let learned = crate::pool(threads).install(learn).expect("not stopped");
    let mut output = Vec::new();
    let setting = Setting { names, ..Setting::default() };
    packets::write(traces, &side, &learned, setting, &mut output).expect("memory");
    output
}

/// Each block has its length before and behind it, and nothing is left over.
fn check_blocks(mut capture: &[u8]) {
    while !capture.is_empty() {
        let length = u32::from_le_bytes(*capture[4..].first_chunk().expect("a length")) as usize;
        let (block, rest) = capture.split_at(length);
        assert!(length % 4 == 0 && block[length - 4..] == block[4..8], "a whole block");
        capture = rest;
    }
}

fn list_on_two_threads(traces: &[Trace<'_>], writer: &dyn EventWriter) -> String {
    let all = Filter { all: true, ..Filter::default() };
    let threads = Threads::start(2).expect("threads");
    let learn = || events::learn(traces, &SideFacts::default(), &all, &NoProgress);
    let learned = threads.run(learn).expect("not stopped");
    let choice = learned.choose(&all).expect("no provider is named");
    let mut output = Vec::new();
    writer.begin(&mut output).expect("memory");
    events::write(traces, &learned, &choice, writer, &threads, &mut output).expect("memory");
    String::from_utf8(output).expect("UTF-8")
}

fn is_foreign(character: char) -> bool {
    character.is_control() && character != '\n'
}

fn check_objects(objects: &str, count: usize) {
    assert_eq!(objects.lines().count(), count);
    for line in objects.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).expect("JSON").is_object());
    }
    assert!(!objects.contains(is_foreign), "{objects:?}");
}

fn check_table(table: &str, count: usize) {
    assert!(!table.contains(is_foreign), "{table:?}");
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let mut read = 0;
    for row in rows.records() {
        let row = row.expect("as many cells as the heading has");
        assert!(!row.iter().any(|cell| cell.starts_with(['=', '+', '-', '@'])), "{row:?}");
        read += 1;
    }
    assert_eq!(read, count);
}

fn check_lines(lines: &str, count: usize) {
    assert_eq!(lines.lines().count(), count);
    assert!(!lines.contains(is_foreign), "{lines:?}");
}

fn check_info(trace: &Trace<'_>) {
    let documents = [1, 2].map(|threads| {
        let read = || info::read("trace".to_owned(), InputKind::Etl, trace, &Beside::default(), &NoProgress);
        let (info, coverage) = crate::pool(threads).install(read).expect("not stopped");
        assert_eq!(info.records.total, coverage.records);
        let (mut document, mut page) = (Vec::new(), Vec::new());
        json::write(&info, &mut document).expect("memory");
        info::write_text(&info, outofports::time::Zone::UTC, 80, &mut page).expect("memory");
        // Bold is the writer's own; no name adds to it.
        let page = String::from_utf8(page).expect("UTF-8").replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
        assert!(!page.contains(is_foreign), "{page:?}");
        document
    });
    assert_eq!(documents[0], documents[1], "the same on two threads");
    serde_json::from_slice::<serde_json::Value>(&documents[0]).expect("JSON");
}
