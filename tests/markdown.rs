//! The report for tickets, read back as GitHub reads Markdown.

use std::collections::BTreeSet;
use std::path::Path;

use comrak::nodes::NodeValue;
use comrak::{Arena, Options, parse_document};
use outofports::report::markdown::{Extent, write};
use outofports::report::{Format, Report};
use outofports::{Case, NoProgress};

use crate::common::{fixtures, scratch, write_scenario};

fn options() -> Options<'static> {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.render.r#unsafe = true;
    options
}

fn report(folder: &Path) -> Option<Report> {
    let case = Case::from_paths([folder]).unwrap();
    outofports::analyze(&case, &outofports::Options::default(), &NoProgress).ok().map(|analyzed| analyzed.report)
}

fn markdown(report: &Report) -> String {
    let mut text = Vec::new();
    report.write(Format::Markdown, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// The headings that a report may have.
const HEADINGS: [&str; 6] =
    ["Port exhaustion: ", "Who holds the ports", "Who suffered", "Connected to", "When it was out of ports", "Next"];

/// What a page consists of, read back: its code spans and blocks, the links.
#[derive(Debug, Default)]
struct Read {
    spans: Vec<String>,
    blocks: Vec<String>,
    links: Vec<String>,
    tables: usize,
}

/// Reads a page, and checks that nothing in it is markup that this program did not write.
fn read(name: &str, text: &str) -> Read {
    let arena = Arena::new();
    let root = parse_document(&arena, text, &options());
    let (mut read, mut open) = (Read::default(), 0_i32);
    for node in root.descendants() {
        match &node.data.borrow().value {
            NodeValue::HtmlBlock(html) => {
                for line in html.literal.lines().filter(|line| !line.is_empty()) {
                    let inner = line.strip_prefix("<summary>").and_then(|rest| rest.strip_suffix("</summary>"));
                    let is_summary =
                        inner.is_some_and(|title| title.chars().all(|c| c.is_ascii_alphabetic() || c == ' '));
                    assert!(is_summary || ["<details>", "</details>"].contains(&line), "{name}: {line}");
                    open += i32::from(line == "<details>") - i32::from(line == "</details>");
                }
            }
            NodeValue::HtmlInline(html) => assert_eq!(html, "<!-- -->", "{name}"),
            NodeValue::Link(link) => read.links.push(link.url.clone()),
            NodeValue::Image(image) => panic!("{name}: {}", image.url),
            NodeValue::Code(code) => read.spans.push(code.literal.clone()),
            NodeValue::CodeBlock(block) => {
                assert!(block.fenced && block.info == "bat", "{name}: {}", block.literal);
                read.blocks.push(block.literal.clone());
            }
            NodeValue::Table(_) => read.tables += 1,
            NodeValue::Heading(_) => {
                let title: String = node
                    .descendants()
                    .filter_map(|part| match &part.data.borrow().value {
                        NodeValue::Text(text) => Some(text.to_string()),
                        _ => None,
                    })
                    .collect();
                assert!(HEADINGS.iter().any(|known| title.starts_with(known)), "{name}: {title}");
            }
            NodeValue::Strikethrough | NodeValue::FootnoteReference(_) | NodeValue::BlockQuote => {
                panic!("{name}: markup in {text}")
            }
            _ => {}
        }
    }
    assert_eq!(open, 0, "{name}: parts that are not closed");
    // GitHub drops cells that a row has too many, so they are counted in the source.
    let mut cells = None;
    for line in text.lines() {
        if line.starts_with("| ") {
            let count = line.replace("\\|", "").matches('|').count();
            assert_eq!(*cells.get_or_insert(count), count, "{name}: {line}");
        } else {
            cells = None;
        }
    }
    read
}

#[test]
fn every_report_reads_back_as_it_is_meant() {
    let sources: BTreeSet<String> =
        outofports::report::explain::all().into_iter().flat_map(|one| one.sources).collect();
    let mut seen = Read::default();
    for scenario in synth::scenarios().iter().chain(synth::cases()) {
        let folder = scratch();
        write_scenario(scenario.name, folder.path());
        let Some(report) = report(folder.path()) else { continue };
        let text = markdown(&report);
        assert!(text.len() <= 60_000, "{}: {}", scenario.name, text.len());
        let read = read(scenario.name, &text);
        for link in &read.links {
            assert!(sources.contains(link), "{}: {link}", scenario.name);
        }
        // Each step's commands are a block, a line for each.
        let mut steps = report.first_steps();
        steps.extend(report.next_steps());
        let commands = steps.iter().flat_map(|step| {
            let own = (!step.commands.is_empty()).then(|| step.commands.join("\n"));
            own.into_iter().chain(step.undo.clone())
        });
        let commands: Vec<String> = commands.map(|block| format!("{block}\n")).collect();
        assert_eq!(read.blocks, commands, "{}", scenario.name);
        let spans = &read.spans;
        for holder in report.holders.iter().take(3) {
            let image = report.processes[holder.process].image.clone();
            let is_of_interest = report.pools[holder.pool].is_of_interest;
            assert!(!is_of_interest || image.is_none_or(|image| spans.contains(&image)), "{}", scenario.name);
        }
        seen.tables += read.tables;
        seen.links.extend(read.links);
    }
    assert!(seen.tables > 200 && !seen.links.is_empty(), "{seen:?}");
}

const HOSTILE: [&str; 16] = [
    "<script>alert(1)</script>.exe",
    "</details><img src=x onerror=alert(1)>",
    "a|b|c.exe",
    "a\\|b.exe",
    "``` x",
    "`tick`.exe",
    "[x](javascript:alert(1))",
    "![x](https://evil.example/x.png)",
    "https://evil.example/a",
    "www.evil.example",
    "someone@evil.example",
    "# heading",
    "1. one\r\n2. two",
    "~~gone~~ **bold** _i_ [^1]",
    "exe\u{202e}fdp\u{1b}[31m",
    "=cmd|'/c calc'!A1",
];

#[test]
fn no_name_becomes_markup() {
    let folder = scratch();
    write_scenario("heavy-load", folder.path());
    let mut report = report(folder.path()).unwrap();
    let steps = report.next_steps().iter().map(|step| step.commands.len()).sum::<usize>();
    assert!(steps > 0);
    let long = "長い名前|".repeat(1000);
    for (number, row) in report.processes.iter_mut().enumerate() {
        row.image = Some(if number == 1 { long.clone() } else { HOSTILE[number % HOSTILE.len()].to_owned() });
        row.services = vec![HOSTILE[(number + 5) % HOSTILE.len()].to_owned(), "a`b".to_owned()];
    }
    for (number, name) in HOSTILE.iter().enumerate() {
        report.coverage.notes.push(format!("{name}: a note"));
        report.coverage.notes.push(format!("{number}) {name}"));
        if let Some(side) = report.side_inputs.get_mut(number) {
            side.path = (*name).to_owned();
            side.note = Some((*name).to_owned());
        }
        if let Some(row) = report.destinations.get_mut(number) {
            row.state = Some((*name).to_owned());
        }
        if let Some(row) = report.addresses.get_mut(number) {
            row.local_address = Some((*name).to_owned());
        }
    }
    for (number, name) in HOSTILE.iter().enumerate() {
        for row in report.processes.iter_mut().filter(|row| row.bind_failures > 0) {
            row.image = Some((*name).to_owned());
        }
        report.traces[0].path = (*name).to_owned();
        let text = markdown(&report);
        let read = read(name, &text);
        assert_eq!(read.links, [""; 0], "{number}: {name}");
        // Readers differ in how many backslashes before a pipe they keep.
        let bare = |text: &str| text.replace('\\', "");
        let begin: String = bare(name).trim().chars().take(3).collect();
        let shown = read.spans.iter().any(|span| bare(span).contains(begin.trim()));
        assert!(shown, "{number}: {name}: {:?}", read.spans);
        assert!(!text.contains(|c: char| c == '\u{202e}' || (c.is_control() && c != '\n')), "{name}");
        let html = comrak::markdown_to_html(&text, &options());
        for bad in ["<script", "<img", "href=\"javascript", "<del>", "evil.example\">"] {
            assert!(!html.contains(bad), "{name}: {bad}");
        }
    }
}

#[test]
fn every_face_names_the_files_of_a_case_without_a_trace() {
    let report = report(&fixtures().join("side")).unwrap();
    assert!(report.traces.is_empty());
    for format in [Format::Text, Format::Markdown, Format::Html, Format::Json] {
        let mut face = Vec::new();
        report.write(format, &mut face).unwrap();
        let face = String::from_utf8(face).unwrap();
        let is_missing = |name: &&str| !face.contains(*name);
        let missing: Vec<&str> = ["tasklist.csv", "netstat-anobq-english.txt"].into_iter().filter(is_missing).collect();
        assert!(missing.is_empty(), "{format:?}: {missing:?}");
    }
    assert!(markdown(&report).contains("\nNo trace; side files: `"));
}

#[test]
fn what_does_not_fit_is_said() {
    let folder = scratch();
    write_scenario("farm", folder.path());
    let mut report = report(folder.path()).unwrap();
    let row = report.processes[0].clone();
    for number in 0..2_000 {
        let mut row = row.clone();
        row.image = Some(format!("{}-{number}.exe", "a name as long as few are ".repeat(8)));
        report.processes.push(row);
        report.sufferers.push(report.processes.len() - 1);
        report.coverage.notes.push(format!("note {number}: {}", "x".repeat(200)));
    }
    for (top, bytes) in [(20, 60_000), (2_000, 60_000), (20, 8_000), (5, 3_000)] {
        let mut text = Vec::new();
        write(&report, Extent { top, bytes }, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.len() <= bytes, "{top}, {bytes}: {}", text.len());
        assert!(text.contains("Left out for its length: ") && text.contains(" more)"), "{text}");
        assert!(text.starts_with("# Port exhaustion: Yes"));
        read("cut", &text);
    }
}
