//! Reports with any names in them, written as every face and read back: no name is markup, a link, a formula or a command.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use comrak::nodes::NodeValue;
use comrak::{Arena, parse_document};
use outofports::report::csv::Table;
use outofports::report::{Format, Report};
use outofports::{Case, NoProgress, Options};
use scraper::{Html, Selector};

/// Scenarios whose reports have most parts between them.
const SCENARIOS: [&str; 3] = ["range-narrowed", "no-afd", "listing-alone-leak"];

/// A report that is well formed, to put names into.
pub fn report(number: u8) -> Report {
    static REPORTS: OnceLock<Vec<Report>> = OnceLock::new();
    let reports = REPORTS.get_or_init(|| SCENARIOS.iter().map(|name| of_scenario(name)).collect());
    reports[usize::from(number) % reports.len()].clone()
}

fn of_scenario(name: &str) -> Report {
    let written = synth::write(name).expect("a scenario");
    let mut side = written.side_files.into_iter();
    let mut case = if written.trace.is_empty() {
        let (file, bytes) = side.next().expect("a listing");
        Case::from_bytes(&file, bytes)
    } else {
        Case::from_bytes("trace.etl", written.trace)
    };
    for (file, bytes) in side {
        case = case.with_bytes(&file, bytes);
    }
    outofports::analyze(&case, &Options::default(), &NoProgress).expect("a report").report
}

fn written(report: &Report, format: Format) -> String {
    let mut bytes = Vec::new();
    report.write(format, &mut bytes).expect("memory");
    String::from_utf8(bytes).expect("UTF-8")
}

/// Writes a report as every face, and reads each back; `plain` is the same report with harmless names.
pub fn check(report: &Report, plain: &Report) {
    html(&written(report, Format::Html), &written(plain, Format::Html));
    markdown(&written(report, Format::Markdown));
    let document: serde_json::Value = serde_json::from_str(&written(report, Format::Json)).expect("JSON");
    assert_eq!(document["schema_version"], 1);
    assert_eq!(written(report, Format::JsonLine).lines().count(), 1);
    csv(&written(report, Format::Csv));
    for table in [Table::Processes, Table::Failures, Table::Holders, Table::Images, Table::Timeline] {
        csv(&written(report, Format::CsvTable(table)));
    }
    let text = written(report, Format::Text);
    assert!(!text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\u{1b}')), "{text:?}");
}

fn elements(page: &Html) -> BTreeSet<String> {
    let all = Selector::parse("*").expect("a selector");
    page.select(&all).map(|element| element.value().name().to_owned()).collect()
}

fn html(text: &str, plain: &str) {
    let (page, plain) = (Html::parse_document(text), Html::parse_document(plain));
    assert!(page.errors.is_empty(), "{:?}", page.errors);
    assert!(elements(&page).is_subset(&elements(&plain)), "a name is an element");
    for (selector, count) in [("script", 1), ("style", 2)] {
        assert_eq!(page.select(&Selector::parse(selector).expect("a selector")).count(), count);
    }
    for element in page.select(&Selector::parse("*").expect("a selector")) {
        for (attribute, value) in element.value().attrs() {
            assert!(!attribute.starts_with("on") && attribute != "src" && attribute != "style", "{attribute}");
            assert!(attribute != "href" || value.starts_with('#') || value.starts_with("https://"), "{value}");
        }
    }
}

fn markdown(text: &str) {
    let mut options = comrak::Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    let arena = Arena::new();
    for node in parse_document(&arena, text, &options).descendants() {
        match &node.data.borrow().value {
            NodeValue::HtmlBlock(html) => {
                for line in html.literal.lines().filter(|line| !line.is_empty()) {
                    let is_summary = line.starts_with("<summary>") && line.matches('<').count() == 2;
                    assert!(is_summary || ["<details>", "</details>"].contains(&line), "{line}");
                }
            }
            NodeValue::HtmlInline(html) => assert_eq!(html, "<!-- -->"),
            NodeValue::Link(link) => {
                let known = outofports::report::explain::all();
                let mut sources = known.iter().flat_map(|one| &one.sources);
                assert!(sources.any(|source| source.starts_with(link.url.as_str())), "a name is a link: {}", link.url);
            }
            NodeValue::Image(image) => panic!("a name is a picture: {}", image.url),
            NodeValue::Strikethrough | NodeValue::FootnoteReference(_) | NodeValue::BlockQuote => {
                panic!("a name is markup in {text}")
            }
            _ => {}
        }
    }
}

fn csv(text: &str) {
    let mut rows = csv::ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
    for row in rows.records() {
        for cell in &row.expect("as many cells as the heading has") {
            let is_number = cell.parse::<f64>().is_ok();
            assert!(is_number || !cell.starts_with(['=', '+', '-', '@', '\t']), "{cell:?} is a formula");
        }
    }
}
