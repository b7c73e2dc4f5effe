//! The HTML report, read back as a browser reads it: every cell says what the JSON report has at the place that it names,
//! nothing from outside becomes markup, and the page asks no network.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use outofports::report::Report;
use outofports::time::{FileTime, Zone};
use outofports::words::{grouped, shown};
use outofports::{Case, Format, NoProgress, Options};
use scraper::{ElementRef, Html, Selector};
use serde_json::Value;

/// Cases of each kind of verdict and of each kind of table.
const CASES: [&str; 19] = [
    "leak",
    "farm",
    "five-hundred",
    "range-narrowed",
    "healthy",
    "healthy-fixed-port",
    "fixed-port-conflict",
    "no-afd",
    "near",
    "connect-failures",
    "victims-without-holder",
    "churn-time-wait",
    "one-local-address",
    "two-pools-two-outages",
    "twelve-outages",
    "heavy-load",
    "handles-only",
    "listing-alone-leak",
    "events-alone",
];

/// The reports of the cases, made once.
static REPORTS: LazyLock<BTreeMap<&str, Report>> =
    LazyLock::new(|| CASES.into_iter().map(|name| (name, report(name))).collect());

fn report(name: &str) -> Report {
    let written = synth::write(name).unwrap_or_else(|| panic!("no scenario {name}"));
    let mut files = written.side_files;
    if !written.trace.is_empty() {
        files.insert(0, (format!("{name}.etl"), written.trace));
    }
    let mut files = files.into_iter();
    let (first, bytes) = files.next().unwrap();
    let case = files.fold(Case::from_bytes(first, bytes), |case, (name, bytes)| case.with_bytes(name, bytes));
    outofports::analyze(&case, &Options::default(), &NoProgress).unwrap().report
}

fn written(report: &Report, format: Format) -> String {
    let mut out = Vec::new();
    report.write(format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn select(selector: &str) -> Selector {
    Selector::parse(selector).unwrap()
}

fn text_of(element: ElementRef<'_>) -> String {
    element.text().collect::<String>().trim().to_owned()
}

/// The pointer that a cell names, by itself or with its row and its column.
fn pointer_of(cell: ElementRef<'_>, row: &str, column: &str) -> Option<String> {
    match cell.attr("data-ptr") {
        Some(own) if own.starts_with('/') => Some(own.to_owned()),
        Some(own) => Some(format!("{row}/{own}")),
        None if column.is_empty() => None,
        None if column.starts_with('/') => Some(format!("{column}/{row}")),
        None => Some(format!("{row}/{column}")),
    }
}

/// Words that stand for codes of the JSON report.
const WORDS: [(&str, &str); 18] = [
    ("A", "listing"),
    ("B", "rundown"),
    ("C", "trace"),
    ("D", "TIME_WAIT"),
    ("exhausted", "exhausted"),
    ("near", "nearly full"),
    ("not_seen", "no failure seen"),
    ("cannot_tell", "cannot tell"),
    ("leak", "leak"),
    ("steady", "steady"),
    ("load", "load"),
    ("churn", "churn"),
    ("reservation", "reserved range"),
    ("created_socket", "socket creation"),
    ("eprocess", "EPROCESS"),
    ("header_location", "reliable record header"),
    ("header_pid", "record header"),
    ("unknown", "not known"),
];

fn is_percent_of(text: &str, share: f64) -> bool {
    let Some(number) = text.strip_suffix(" %") else { return false };
    match number.strip_prefix('<') {
        Some(limit) => limit == "0.1" && share > 0.0 && share < 0.001,
        // Never rounded up to all.
        None => number.parse::<f64>().is_ok_and(|percent| (percent - share * 100.0).abs() < 0.1),
    }
}

/// Whether a cell prints a value.
fn prints(text: &str, value: &Value, time: Option<&str>) -> bool {
    if let Some(time) = time {
        let told = value.as_str().unwrap_or_default();
        return time == told && (text == &told[11..23] || text == told[..19].replace('T', " "));
    }
    match value {
        Value::Null => text.is_empty() || text == "-" || text == "unknown status" || text.starts_with('('),
        Value::Bool(is) => text == if *is { "yes" } else { "no" },
        Value::Number(number) if number.is_u64() => {
            let plain = number.as_u64().unwrap();
            // Ports and PIDs are no amounts; some amounts have their share behind them.
            let amount = text.split(" (").next().unwrap_or_default();
            amount == grouped(plain)
                || amount == plain.to_string()
                || amount.ends_with(&format!(": {} ports", grouped(plain)))
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap();
            let text = text.replace(',', "");
            is_percent_of(&text, number) || text == format!("{number:+.0}") || text == format!("{number:+.1}")
        }
        Value::String(string) => {
            text == shown(string)
                || WORDS
                    .iter()
                    .any(|(code, word)| code == string && (text == *word || text.starts_with(&format!("{word}:"))))
        }
        Value::Array(items) => {
            text == shown(&items.iter().map(|item| item.as_str().unwrap()).collect::<Vec<_>>().join(", "))
        }
        Value::Object(counts) => {
            let most = counts.values().map(|count| count.as_u64().unwrap()).max().unwrap();
            let way = text.strip_prefix("mostly ").unwrap_or(text);
            WORDS.iter().any(|(code, word)| *word == way && counts.get(*code).is_some_and(|count| *count == most))
        }
    }
}

/// Compares every cell of a page with the JSON report; gives how many there were.
fn compare(name: &str, page: &Html, json: &Value) -> usize {
    let value = |pointer: &str| json.pointer(pointer).unwrap_or_else(|| panic!("{name}: nothing at {pointer}"));
    let (time, heading) = (select("time"), select("thead th"));
    let mut compared = 0;
    let mut check = |cell: ElementRef<'_>, pointer: &str, of: Option<&str>| {
        let text = text_of(cell);
        let told = value(pointer);
        let time = cell.select(&time).next().and_then(|time| time.attr("datetime"));
        let is_right = match of {
            Some(of) => {
                let whole: u64 = of.split(' ').map(|pointer| value(pointer).as_u64().unwrap()).sum();
                let part = told.as_u64().unwrap();
                if whole == 0 { text == "-" } else { is_percent_of(&text, part as f64 / whole as f64) }
            }
            None => prints(&text, told, time),
        };
        assert!(is_right, "{name}: {text:?} at {pointer}, where {told} is");
        compared += 1;
    };
    for table in page.select(&select("table")) {
        let headings: Vec<ElementRef<'_>> = table.select(&heading).collect();
        for row in table.select(&select("tbody tr")) {
            let base = row.attr("data-ptr").unwrap_or_default();
            let cells: Vec<ElementRef<'_>> = row.select(&select("td")).collect();
            assert_eq!(cells.len(), headings.len(), "{name}");
            for (cell, heading) in cells.into_iter().zip(&headings) {
                let summary = cell.select(&select("summary")).next();
                let cell = summary.unwrap_or(cell);
                match pointer_of(cell, base, heading.attr("data-ptr").unwrap_or_default()) {
                    Some(pointer) => check(cell, &pointer, cell.attr("data-of")),
                    None => {
                        let title = text_of(*heading);
                        let is_amount = cell.value().classes().any(|class| class == "n") && !text_of(cell).is_empty();
                        assert!(!is_amount || title.starts_with("Oldest"), "{name}: {title} names no place");
                    }
                }
            }
        }
    }
    for number in page.select(&select(".numbers span[data-ptr]")) {
        check(number, number.attr("data-ptr").unwrap(), None);
    }
    compared
}

#[test]
fn every_cell_says_what_the_json_report_has_where_it_points() {
    let mut all = 0;
    for (name, report) in &*REPORTS {
        let json: Value = serde_json::from_str(&written(report, Format::Json)).unwrap();
        let page = Html::parse_document(&written(report, Format::Html));
        assert_eq!(page.errors, Vec::<std::borrow::Cow<'_, str>>::new(), "{name}: the markup is right");
        let compared = compare(name, &page, &json);
        assert!(compared > 5, "{name}: {compared} cells");
        all += compared;
    }
    println!("{all} cells compared");
}

#[test]
fn it_says_what_the_text_report_says() {
    for (name, report) in &*REPORTS {
        let page = Html::parse_document(&written(report, Format::Html));
        let body = text_of(page.select(&select("body")).next().unwrap());
        let mut told = report.answer();
        told.extend(report.counted_sentence());
        told.extend(report.first_doubts().into_iter().map(str::to_owned));
        for step in report.first_steps().into_iter().chain(report.next_steps()) {
            told.extend([step.text]);
            told.extend(step.commands);
        }
        for of_pool in report.pool_holders() {
            told.extend(of_pool.rest.iter().map(|text| text[1..].to_owned()));
        }
        if let Some(how_sure) = report.how_sure() {
            told.extend(how_sure.assurances.into_iter().chain(how_sure.events).chain(how_sure.doubts));
            told.extend(how_sure.notes.iter().map(|note| shown(note)));
        }
        told.extend(report.ruled_out.iter().map(|other| shown(&other.text)));
        for text in told {
            assert!(body.contains(&text), "{name}: {text}");
        }
    }
}

#[test]
fn links_lead_somewhere_and_every_code_is_explained() {
    for (name, report) in &*REPORTS {
        let page = Html::parse_document(&written(report, Format::Html));
        let ids: Vec<&str> = page.select(&select("[id]")).filter_map(|element| element.attr("id")).collect();
        let distinct: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), distinct.len(), "{name}: an id twice");
        for link in page.select(&select("a[href]")) {
            let target = link.attr("href").unwrap();
            let is_here = target.strip_prefix('#').is_some_and(|id| distinct.contains(id));
            assert!(is_here || target.starts_with("https://"), "{name}: {target}");
        }
        for element in page.select(&select("[aria-labelledby]")) {
            for id in element.attr("aria-labelledby").unwrap().split(' ') {
                assert!(distinct.contains(id), "{name}: {id}");
            }
        }
    }
}

#[test]
fn times_are_in_the_zone_asked_for() {
    let mut report = REPORTS["twelve-outages"].clone();
    report.zone = Zone::ahead(-90).unwrap();
    report.traces[0].time_zone_bias_minutes = Some(-60);
    let page = Html::parse_document(&written(&report, Format::Html));
    let html = page.root_element();
    assert_eq!((html.attr("data-zone"), html.attr("data-server")), (Some("-90"), Some("60")));
    for time in page.select(&select("time")) {
        let (exact, text) = (time.attr("datetime").unwrap(), text_of(time));
        let told: FileTime = report.timeline[0].start;
        if exact == told.to_string() {
            assert!([report.zone.clock(told), report.zone.date_and_time(told)].contains(&text), "{exact}: {text}");
        }
    }
    let zones: BTreeSet<String> = page.select(&select(".zone")).map(text_of).collect();
    assert_eq!(zones, BTreeSet::from(["UTC-1:30".to_owned()]));
    assert!(page.select(&select("text[data-form=minute]")).any(|label| text_of(label) == "08:00"));
    let body = text_of(page.select(&select("body")).next().unwrap());
    assert!(report.answer().iter().all(|sentence| body.contains(sentence)));
}

/// Names as an attacker would choose them.
fn hostile() -> Vec<String> {
    vec![
        "<script>alert(1)</script>".to_owned(),
        "</style><script>alert(2)</script>".to_owned(),
        "\"><img src=x onerror=alert(3)>".to_owned(),
        "' onmouseover='alert(4)".to_owned(),
        "[x](javascript:alert(5))".to_owned(),
        "javascript:alert(6)".to_owned(),
        "=cmd|'/C calc'!A0".to_owned(),
        "a|b`c".to_owned(),
        "\u{1b}[31mred\u{1b}[0m\r\n\u{202e}exe.txt\u{200f}".to_owned(),
        "&lt;b&gt; &amp;#x3c;".to_owned(),
        "{{ 7 * 7 }}{% raw %}".to_owned(),
        "]]><svg onload=alert(7)>".to_owned(),
        "<!-- --><b>".to_owned(),
        "n".repeat(4096),
    ]
}

/// Puts a name wherever a name can stand.
fn rename(report: &mut Report, name: &str) {
    for row in &mut report.processes {
        row.image = Some(name.to_owned());
        row.image_path = Some(name.to_owned());
        row.services = vec![name.to_owned()];
        row.socket_service = Some(name.to_owned());
        row.pid_given_to = Some(name.to_owned());
    }
    for image in &mut report.images {
        image.image = name.to_owned();
        image.services = vec![name.to_owned()];
    }
    for row in &mut report.procedure {
        row.image = Some(name.to_owned());
        row.services = vec![name.to_owned()];
    }
    for trace in &mut report.traces {
        trace.path = name.to_owned();
    }
    for side in &mut report.side_inputs {
        side.path = name.to_owned();
        side.note = Some(name.to_owned());
    }
    for step in &mut report.recommendations {
        step.text = name.to_owned();
        step.commands = vec![name.to_owned()];
        step.undo = Some(name.to_owned());
    }
    for other in &mut report.ruled_out {
        other.text = name.to_owned();
    }
    for known in &mut report.known {
        known.text = name.to_owned();
    }
    for reason in &mut report.verdict.reasons {
        reason.text = name.to_owned();
    }
    for destination in &mut report.destinations {
        destination.state = Some(name.to_owned());
    }
    for event in &mut report.system_events {
        event.source = name.to_owned();
        event.provider = name.to_owned();
    }
    report.coverage.notes = vec![name.to_owned()];
}

#[test]
fn names_are_never_markup() {
    for case in ["range-narrowed", "farm", "no-afd", "listing-alone-leak"] {
        let mut report = REPORTS[case].clone();
        let harmless = Html::parse_document(&written(&report, Format::Html));
        let elements = |page: &Html| -> BTreeSet<String> {
            page.select(&select("*")).map(|element| element.value().name().to_owned()).collect()
        };
        for name in hostile() {
            rename(&mut report, &name);
            let text = written(&report, Format::Html);
            let page = Html::parse_document(&text);
            assert_eq!(page.errors, Vec::<std::borrow::Cow<'_, str>>::new(), "{case}: {name}");
            assert!(elements(&page).is_subset(&elements(&harmless)), "{case}: {name}");
            assert_eq!(page.select(&select("script")).count(), 1, "{case}: {name}");
            assert_eq!(page.select(&select("style")).count(), 2, "{case}: {name}");
            for element in page.select(&select("*")) {
                for (attribute, value) in element.value().attrs() {
                    assert!(
                        !attribute.starts_with("on") && attribute != "src" && attribute != "style",
                        "{case}: {attribute}"
                    );
                    if attribute == "href" {
                        assert!(value.starts_with('#') || value.starts_with("https://"), "{case}: {value}");
                    }
                }
            }
            let control = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{200f}');
            assert!(!text.contains(control), "{case}: {name:?}");
            let body = text_of(page.select(&select("main")).next().unwrap());
            assert!(body.contains(&shown(&name)), "{case}: {name} is shown");
        }
    }
}

#[test]
fn it_asks_no_network_and_is_small() {
    let report = &REPORTS["five-hundred"];
    assert!(report.processes.len() >= 500);
    let text = written(report, Format::Html);
    assert!(text.len() < 1_000_000, "{} bytes", text.len());
    let page = Html::parse_document(&text);
    let policy = page.select(&select("meta[http-equiv=Content-Security-Policy]")).next().unwrap();
    let policy = policy.attr("content").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    let outside = "link, img, iframe, object, embed, video, audio, form, base, [src], [srcset], [action], [background]";
    assert_eq!(page.select(&select(outside)).count(), 0);
    let style: String = page.select(&select("style")).map(text_of).collect();
    for url in style.match_indices("url(") {
        assert!(style[url.0..].starts_with("url(\"#"), "{}", &style[url.0..url.0 + 40]);
    }
    assert!(!style.contains("@import"));
}
