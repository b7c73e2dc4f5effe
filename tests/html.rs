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

#[path = "fuzz/src/renamed.rs"]
mod renamed;

use renamed::rename;

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
            // Rates are rounded, large ones to whole numbers.
            let step = if number.abs() >= 10.0 { 1.0 } else { 0.1 };
            let is_rate = text.strip_prefix('+').unwrap_or(&text).parse::<f64>();
            is_percent_of(&text, number) || is_rate.is_ok_and(|rate| (rate - number).abs() <= step / 2.0 + 1e-9)
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

#[test]
fn names_are_never_markup() {
    for case in ["range-narrowed", "farm", "no-afd", "listing-alone-leak"] {
        let mut report = REPORTS[case].clone();
        let harmless = Html::parse_document(&written(&report, Format::Html));
        let elements = |page: &Html| -> BTreeSet<String> {
            page.select(&select("*")).map(|element| element.value().name().to_owned()).collect()
        };
        for name in hostile() {
            rename(&mut report, &mut || name.clone());
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
            for format in [Format::Text, Format::Markdown] {
                // The text has the styles of a terminal.
                let text = written(&report, format).replace('\u{1b}', "");
                assert!(!text.contains(control), "{case}, {format:?}: {name:?}");
            }
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

/// A short peak between two steps of the report is in the picture, and so are fine steps.
#[test]
fn pictures_have_fine_steps_and_no_more_than_six_hundred() {
    for (name, report) in &*REPORTS {
        let (told, fine) = (&report.pools_over_time, &report.finely.pools);
        assert_eq!(told.len(), fine.len(), "{name}");
        for (told, fine) in told.iter().zip(fine) {
            assert_eq!(told.pool, fine.pool, "{name}");
            let (steps, fine_steps) = (told.held.len(), fine.held.len());
            assert!(fine_steps <= 600 && fine_steps >= steps, "{name}: {fine_steps}");
            assert_eq!(told.failures.iter().sum::<u64>(), fine.failures.iter().sum::<u64>(), "{name}");
            assert_eq!(told.least.iter().min(), fine.least.iter().min(), "{name}");
            assert_eq!(told.most.iter().max(), fine.most.iter().max(), "{name}");
            let who = |row: &outofports::report::HolderOverTimeRow| (row.process, row.image);
            assert!(told.holders.iter().map(who).eq(fine.holders.iter().map(who)), "{name}");
        }
        let failures = |rows: &[outofports::report::VictimOverTimeRow]| -> Vec<(usize, u64)> {
            rows.iter().map(|row| (row.process, row.failures.iter().sum())).collect()
        };
        assert_eq!(failures(&report.failures_over_time), failures(&report.finely.failures), "{name}");
    }
    assert!(REPORTS["leak"].finely.pools[0].held.len() > 250);
}

/// A loop of netstat with its times, in which the ports of one process grow and fall.
fn netstat_loop(times: &[&str], ports: &[u16]) -> Report {
    let mut text = String::new();
    for (time, ports) in times.iter().zip(ports) {
        text.push_str(&format!(
            "{time}\r\n\r\nActive Connections\r\n\r\n  Proto  Local Address  Foreign Address  State  PID\r\n"
        ));
        for port in 0..*ports {
            text.push_str(&format!("  TCP  10.0.0.5:{}  10.0.0.9:443  ESTABLISHED  7312\r\n", 49_152 + port));
        }
    }
    let case = Case::from_bytes("netstat.txt", text.into_bytes());
    outofports::analyze(&case, &Options::default(), &NoProgress).unwrap().report
}

#[test]
fn listings_with_times_have_a_picture_and_others_say_why_they_have_none() {
    let report = netstat_loop(&["23:58:00.10", "23:59:00.20", "0:01:00.30"], &[2_000, 9_000, 4_000]);
    let told = &report.listings_over_time;
    assert_eq!(
        (told.len(), told[0].seconds.as_slice(), told[0].held.as_slice()),
        (1, &[0, 60, 180][..], &[2_000, 9_000, 4_000][..])
    );
    let page = Html::parse_document(&written(&report, Format::Html));
    let figure = page.select(&select("#listed-0")).next().expect("a picture");
    let text = text_of(figure);
    for part in ["netstat.txt", "by the clock of the listing", "PID 7312", "9,000 at most", "00:01:00"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    compare("netstat-loop", &page, &serde_json::to_value(&report).unwrap());
    let why = |report: &Report| {
        let page = Html::parse_document(&written(report, Format::Html));
        assert_eq!(page.select(&select("#over-time figure")).count(), 0);
        text_of(page.select(&select("#over-time")).next().unwrap())
    };
    assert!(why(&netstat_loop(&["23:58:00.10"], &[9_000])).contains("a single listing shows one moment"));
    assert!(why(&REPORTS["events-alone"]).contains("neither a trace nor listings"));
    assert!(why(&REPORTS["no-afd"]).contains("the trace shows no use of ports"));
}
