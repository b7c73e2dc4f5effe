//! A report from bytes, without the program around it, and what must hold for every report.

pub mod faces;
pub mod listing;
pub mod renamed;
pub mod rows;

use std::collections::HashMap;
use std::sync::OnceLock;

use etl_parser::{PointerSize, Record, Trace};
use etw_schema::{Layout, Maps, Value, decode};
use outofports::case::boots;
use outofports::event::{EventMeta, NetEvent};
use outofports::pipeline::{Observer, replay};
use outofports::report::{self, Report, json, text};
use outofports::side::tasklist::Task;
use outofports::{Case, Error, NoProgress, Options};
use rayon::ThreadPool;

/// Above this much announced data the time goes into decompression, and nothing new is seen.
const MAX_READ_BYTES: u64 = 8 << 20;

fn pool(threads: usize) -> &'static ThreadPool {
    static POOLS: [OnceLock<ThreadPool>; 2] = [OnceLock::new(), OnceLock::new()];
    POOLS[threads - 1].get_or_init(|| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads"))
}

/// Whether the bytes are a trace small enough to be read whole, again and again.
pub fn is_readable(bytes: &[u8]) -> bool {
    is_smaller(bytes, MAX_READ_BYTES)
}

/// Whether the bytes are a trace whose buffers announce no more data than that.
fn is_smaller(bytes: &[u8], limit: u64) -> bool {
    let Ok(segments) = Trace::segments(bytes) else { return false };
    let data = segments.iter().flat_map(Trace::buffers).map(|info| u64::from(info.header.end_of_data()));
    data.sum::<u64>() <= limit
}

/// Events in their order.
struct Ordered(Vec<(EventMeta, NetEvent)>);

impl Observer for Ordered {
    type Notes = ();

    fn look((): &mut (), _: &Record<'_>) {}

    fn add(&mut self, _: usize, (): ()) {}

    fn observe(&mut self, meta: &EventMeta, event: &NetEvent) {
        self.0.push((*meta, event.clone()));
    }
}

/// The events of a file in the order in which the analysis takes them, read on so many threads.
fn events_of(bytes: &[u8], threads: usize) -> Vec<(EventMeta, NetEvent)> {
    let traces = Trace::segments(bytes).expect("checked before");
    let boots = boots::boots(&traces);
    let groups = boots::by_boot(&boots, &traces);
    let ordered = || Ordered(Vec::new());
    let (ordered, coverages) =
        pool(threads).install(|| replay(&traces, &groups, &NoProgress, ordered)).expect("not stopped");
    for coverage in &coverages {
        let told = coverage.decoded + coverage.skipped + coverage.unknown + coverage.malformed;
        assert_eq!(told, coverage.records, "every record is accounted for");
        assert!(coverage.damage.len() as u64 <= coverage.damaged_places);
        assert!(coverage.afd_malformed <= coverage.malformed);
        assert!(coverage.bind_records <= coverage.afd_records && coverage.afd_records <= coverage.records);
    }
    ordered.0
}

/// Makes a report of a file's bytes on so many threads, with a list of processes beside them; `None` where the bytes are also
/// those of something else.
pub fn report_on(bytes: &[u8], threads: usize, tasks: &[Task]) -> Option<Report> {
    let mut case = Case::from_bytes("trace.etl", bytes);
    if !tasks.is_empty() {
        case = case.with_bytes("tasklist.csv", listed(tasks));
    }
    let mut options = Options::default();
    options.threads = threads;
    match outofports::analyze(&case, &options, &NoProgress) {
        Ok(analyzed) => Some(analyzed.report),
        Err(Error::NothingToRead { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// As `tasklist /svc /fo csv` lists them.
fn listed(tasks: &[Task]) -> Vec<u8> {
    let mut text = "\"Image Name\",\"PID\",\"Services\"\r\n".to_owned();
    for task in tasks {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let services = quoted(&task.services.join(","));
        text.push_str(&format!("{},\"{}\",{services}\r\n", quoted(&task.image), task.pid));
    }
    text.into_bytes()
}

/// What must hold of pools and holders: no share above the whole, no holder that is nowhere, no failure lost.
fn check_pools(report: &Report) {
    let failures: (u64, u64) =
        report.pools.iter().fold((0, 0), |sum, pool| (sum.0 + pool.bind_failures, sum.1 + pool.connect_failures));
    assert_eq!(failures, (report.failures.binds, report.failures.connects), "pools add up to the whole");
    for pool in &report.pools {
        assert!(pool.explained <= pool.count && pool.set_aside <= pool.count);
        assert!(pool.held_end <= pool.held_peak, "{pool:?}");
        assert!(pool.time_wait_estimate <= pool.time_wait_estimate_long);
    }
    for holder in &report.holders {
        assert!(holder.process < report.processes.len() && holder.pool < report.pools.len());
        assert!(holder.ports > 0 && (0.0..=1.0).contains(&holder.share_of_pool));
        assert!(holder.time_wait <= holder.ports && holder.released <= holder.obtained);
    }
    for row in report.unexplained.iter().flatten() {
        assert_eq!(row.ports, report.pools[row.pool].count - report.pools[row.pool].explained);
    }
    assert!(report.timeline.len() <= 60);
    let steps: u64 = report.timeline.iter().map(|step| step.bind_failures).sum();
    assert_eq!(steps, report.failures.binds, "the timeline adds up to the whole");
    let outages: u64 = report.outages.iter().map(|outage| outage.failures).sum();
    assert_eq!(outages, report.failures.binds + report.failures.connects, "outages add up to the whole");
}

/// The report as JSON, and a check of its sums and of what else is written.
pub fn checked(report: &Report) -> Vec<u8> {
    let rows = &report.processes;
    let binds: u64 = rows.iter().map(|row| row.bind_failures).sum();
    let connects: u64 = rows.iter().map(|row| row.connect_failures).sum();
    assert_eq!((binds, connects), (report.failures.binds, report.failures.connects), "processes add up to the whole");
    for row in rows {
        let owned = row.owner_source;
        let sum = owned.created_socket + owned.eprocess + owned.header_location + owned.header_pid + owned.unknown;
        assert_eq!(sum, row.bind_failures + row.connect_failures, "each failure has one kind of owner");
        assert!(row.ports_held_end <= row.ports_held_peak);
        assert_eq!(row.first_failure.is_some(), row.bind_failures + row.connect_failures > 0);
    }
    check_pools(report);
    assert!(report.failures.endpoints <= binds + connects);
    assert!(report.victims.iter().all(|victim| rows[*victim].bind_failures > 0));
    let mut document = Vec::new();
    json::write(report, &mut document).expect("memory");
    serde_json::from_slice::<serde_json::Value>(&document).expect("JSON");
    let mut page = Vec::new();
    text::write(report, text::Layout { width: 80, table_width: Some(80), ..text::Layout::default() }, &mut page)
        .expect("memory");
    // Colour is the writer's own; no name adds to it.
    let page = String::from_utf8(page).expect("UTF-8");
    let foreign = |c: char| c.is_control() && !matches!(c, '\n' | '\u{1b}');
    assert!(!page.contains(foreign), "{page:?}");
    let mut page = Vec::new();
    report.write(report::Format::Html, &mut page).expect("memory");
    let page = String::from_utf8(page).expect("UTF-8");
    assert!(!page.contains(|c: char| c.is_control() && c != '\n'), "{page:?}");
    // No name is markup: these are the page's own, and there is no other way to run anything.
    assert_eq!(
        (page.matches("<script").count(), page.matches("</script").count(), page.matches("<style").count()),
        (1, 1, 2)
    );
    let mut rows = Vec::new();
    report.write(report::Format::Csv, &mut rows).expect("memory");
    let rows = String::from_utf8(rows).expect("UTF-8");
    assert!(!rows.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r')), "{rows:?}");
    document
}

/// Reads a file's bytes on one and on two threads: the same report, and time never goes back.
pub fn check(bytes: &[u8], tasks: &[Task]) {
    if !is_readable(bytes) {
        return;
    }
    let events = events_of(bytes, 1);
    assert_eq!(events, events_of(bytes, 2), "the order of events is the same on two threads");
    let (Some(one), Some(two)) = (report_on(bytes, 1, tasks), report_on(bytes, 2, tasks)) else { return };
    assert_eq!(checked(&one), checked(&two), "the report is the same on two threads");
    check_order(&events);
}

/// Events of a buffer stay in the order in which they stand there.
fn check_order(events: &[(EventMeta, NetEvent)]) {
    let mut places: HashMap<(u16, u32), u32> = HashMap::new();
    for (meta, _) in events {
        let place = meta.place;
        if let Some(before) = places.insert((place.trace, place.buffer), place.pos) {
            assert!(before < place.pos, "events of a buffer stay in their order");
        }
    }
}

/// Decodes a payload by a layout in both widths: what comes out is bounded by what went in, and can be shown.
pub fn check_payload(layout: &Layout, payload: &[u8], maps: Option<&Maps>) {
    for width in [PointerSize::Four, PointerSize::Eight] {
        let decoded = decode(layout, payload, width, maps);
        assert!(decoded.leftover_bytes <= payload.len());
        let all = decoded.fields.iter().count() == layout.fields().len();
        assert!(all || decoded.missing.is_some(), "what is not there is told");
        let text = Value::Struct(decoded.fields.clone()).to_string();
        // As text: a number that is none equals nothing, itself included.
        let again = decode(layout, payload, width, maps);
        assert_eq!(text, Value::Struct(again.fields).to_string(), "the same bytes give the same fields");
        assert_eq!((again.leftover_bytes, &again.missing), (decoded.leftover_bytes, &decoded.missing));
        assert!(text.len() <= (32 << 20) + 64 * payload.len(), "text of {} bytes", text.len());
        serde_json::to_vec(&decoded.fields).expect("JSON");
    }
}
