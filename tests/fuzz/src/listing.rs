//! The list of a trace's events and what `info` tells, from bytes; and what must hold for both.

use etl_parser::Trace;
use outofports::events::{self, CsvWriter, EventWriter, Filter, NdjsonWriter, TextWriter};
use outofports::info;
use outofports::input::InputKind;
use outofports::pipeline::Progress;
use outofports::report::json;

/// Above this much announced data, nothing new is seen.
const MAX_LISTED_BYTES: u64 = 1 << 20;

/// Lists a file's events in every format, with what was learned on one and on two threads: the same lines, one for each
/// event, in which nothing commands a terminal or a spreadsheet. The same for `info`.
pub fn check(bytes: &[u8]) {
    if !crate::is_smaller(bytes, MAX_LISTED_BYTES) {
        return;
    }
    let traces = Trace::segments(bytes).expect("checked before");
    let all = Filter { all: true, ..Filter::default() };
    let lists = [1, 2].map(|threads| {
        let schemas = crate::pool(threads).install(|| events::learn(&traces, &Progress::default()));
        let paths = vec!["trace".to_owned(); traces.len()];
        let mut writers: [Box<dyn EventWriter>; 3] = [
            Box::new(NdjsonWriter { paths: paths.clone() }),
            Box::new(CsvWriter { paths }),
            Box::new(TextWriter),
        ];
        let mut outputs = [const { Vec::new() }; 3];
        let mut count = 0_usize;
        for (writer, output) in writers.iter_mut().zip(&mut outputs) {
            writer.begin(output).expect("memory");
        }
        events::walk(&traces, &schemas, &all, |event| {
            count += 1;
            writers.iter_mut().zip(&mut outputs).try_for_each(|(writer, output)| writer.write(event, output))
        })
        .expect("memory");
        let failures = Filter::default();
        events::walk(&traces, &schemas, &failures, |event| {
            assert_eq!(event.provider.map(|guid| guid.to_wire()), Some(synth::afd::PROVIDER.0));
            Ok(())
        })
        .expect("memory");
        (count, outputs)
    });
    let [(count, outputs), again] = &lists;
    assert_eq!((count, outputs), (&again.0, &again.1), "the list is the same on two threads");
    let [objects, table, lines] = outputs.each_ref().map(|output| std::str::from_utf8(output).expect("UTF-8"));
    check_objects(objects, *count);
    check_table(table, *count);
    check_lines(lines, *count);
    check_info(&traces);
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

fn check_info(traces: &[Trace<'_>]) {
    for trace in traces {
        let documents = [1, 2].map(|threads| {
            let read = || info::read("trace".to_owned(), InputKind::Etl, trace, &Progress::default());
            let (info, coverage) = crate::pool(threads).install(read);
            assert_eq!(info.records.total, coverage.records);
            let (mut document, mut page) = (Vec::new(), Vec::new());
            json::write(&info, &mut document).expect("memory");
            info::write_text(&info, 80, &mut page).expect("memory");
            serde_json::from_slice::<serde_json::Value>(&document).expect("JSON");
            // Bold is the writer's own; no name adds to it.
            let page = String::from_utf8(page).expect("UTF-8").replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
            assert!(!page.contains(is_foreign), "{page:?}");
            (document, page)
        });
        assert_eq!(documents[0], documents[1], "the same on two threads");
    }
}
