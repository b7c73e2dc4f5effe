//! `explain`: everything that a report can mention, by its code.

use std::collections::BTreeSet;
use std::path::Path;

use outofports::report::explain::{Kind, all, find, near};
use serde_json::Value;

use crate::common::{analyze, run, scratch, write_scenario};

#[test]
fn codes_statuses_errors_and_events_are_found_in_any_writing() {
    let first = |text: &str| find(text).into_iter().next().map(|one| (one.kind, one.code));
    for (text, kind, code) in [
        ("unexplained_ports", Kind::Reason, "unexplained_ports"),
        ("0xC0000209", Kind::Ntstatus, "0xC0000209"),
        ("0xc0000209", Kind::Ntstatus, "0xC0000209"),
        ("C0000209", Kind::Ntstatus, "0xC0000209"),
        ("-1073741303", Kind::Ntstatus, "0xC0000209"),
        ("3221225993", Kind::Ntstatus, "0xC0000209"),
        ("status_too_many_addresses", Kind::Ntstatus, "0xC0000209"),
        ("10055", Kind::Winsock, "10055"),
        ("WSAENOBUFS", Kind::Winsock, "10055"),
        ("4231", Kind::Event, "4231"),
        ("Tcpip 4231", Kind::Event, "4231"),
        ("leak", Kind::Pattern, "leak"),
        ("E", Kind::Evidence, "E"),
        ("rundown", Kind::Evidence, "B"),
        ("socket creation", Kind::OwnerSource, "created_socket"),
        ("medium", Kind::Confidence, "medium"),
        ("0x80000209", Kind::Ntstatus, "0x80000209"),
        ("0xC00002FF", Kind::Ntstatus, "0xC00002FF"),
    ] {
        assert_eq!(first(text), Some((kind, code.to_owned())), "{text}");
    }
    assert!(find("0x80000209")[0].explanation.contains("Network Monitor"));
    assert!(find("kernel").len() >= 3, "a role, a suspect and a possible cause");
    assert_eq!(find("nonsense"), []);
    assert_eq!(near("unexplained_port").first().map(String::as_str), Some("unexplained_ports"));
}

#[test]
fn every_explanation_is_whole_and_points_to_others_that_are_there() {
    let mut seen = BTreeSet::new();
    for one in all() {
        assert!(seen.insert((one.kind, one.name.clone(), one.code.clone())), "twice: {}", one.title());
        assert!(!one.meaning.is_empty() && !one.meaning.ends_with('.'), "{}", one.title());
        assert!(one.explanation.ends_with('.') && one.explanation.len() > 20, "{}", one.title());
        for code in one.see {
            assert!(!find(&code).is_empty(), "{}: {code}", one.kind.name());
        }
        // What a sentence names as a code is one, or a field of the report.
        for (number, code) in one.explanation.split('`').enumerate().filter(|(number, _)| number % 2 == 1) {
            let is_field = outofports::report::schema::TEXT.contains(&format!("\"{}\"", code.trim_end_matches("[]")));
            let is_code = code.chars().all(|c| c.is_ascii_lowercase() || c == '_') && code.contains('_');
            assert!(is_field || !is_code || !find(code).is_empty(), "{number}: {code}");
        }
    }
}

/// Every code in a document, with where it stands.
pub fn codes(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("code" | "pattern" | "evidence" | "state" | "status", Value::String(code)) => {
                        found.insert(code.clone());
                    }
                    ("roles" | "possible" | "remarks", Value::Array(all)) => {
                        found.extend(all.iter().filter_map(Value::as_str).map(str::to_owned));
                    }
                    ("suspect", Value::Object(suspect)) => {
                        found.extend(suspect["kind"].as_str().map(str::to_owned));
                        codes(value, found);
                    }
                    ("event_id", id) => {
                        found.insert(id.to_string());
                    }
                    ("system_events", Value::Array(events)) => {
                        found.extend(events.iter().map(|event| event["id"].to_string()));
                    }
                    // States of sockets are no codes of the program.
                    ("destinations" | "trends" | "procedure", _) => {}
                    _ => codes(value, found),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|value| codes(value, found)),
        _ => {}
    }
}

/// Numbers that sentences for people have in them: statuses, Winsock errors, entries of the System log.
#[test]
fn every_number_that_a_sentence_names_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut text = String::new();
    for file in ["report/first_screen.rs", "diagnosis/alternatives.rs", "diagnosis/verdict/rules.rs"] {
        text.push_str(&std::fs::read_to_string(root.join(file)).unwrap());
    }
    for folder in ["diagnosis/codes", "diagnosis/advice", "diagnosis/known"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            text.push_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap());
        }
    }
    let words: BTreeSet<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let statuses: Vec<&&str> = words.iter().filter(|word| word.len() == 10 && word.starts_with("0xC0")).collect();
    assert!(statuses.len() > 2);
    for status in statuses {
        assert!(!find(status).is_empty(), "{status}");
    }
    for number in ["10013", "10048", "10055", "4227", "4231", "4266"] {
        assert!(words.contains(number) && !find(number).is_empty(), "{number}");
    }
}

#[test]
fn the_command_explains_lists_and_suggests() {
    let text = run(["explain", "10055"]);
    assert_eq!(text.code, 0);
    assert!(text.stdout.starts_with("10055 WSAENOBUFS   Winsock error\n"), "{}", text.stdout);
    let json = run(["explain", "0xC0000209", "4231", "-f", "json"]).json();
    assert_eq!((&json[0]["kind"], &json[1]["code"]), (&Value::from("ntstatus"), &Value::from("4231")));
    let markdown = run(["explain", "docker_sailor_udp", "-f", "markdown"]).stdout;
    assert!(
        markdown.starts_with("## `docker_sailor_udp`\n") && markdown.contains("<https://github.com/"),
        "{markdown}"
    );
    let list = run(["explain"]);
    assert_eq!(list.code, 0);
    for kind in Kind::ALL {
        assert!(list.stdout.contains(&format!("\n{}\n", kind.heading())) || list.stdout.starts_with(kind.heading()));
    }
    assert_eq!(run(["explain", "-f", "json"]).json().as_array().unwrap().len(), all().len());
    let unknown = run(["explain", "bind_failure\u{1b}"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (2, ""));
    assert!(unknown.stderr.contains("like it are bind_failures") && !unknown.stderr.contains('\u{1b}'), "{unknown:?}");
    assert_eq!(run(["explain", "zzzzzz"]).code, 2);
}

#[test]
fn a_report_says_how_to_look_a_code_up_and_its_codes_are_there() {
    let folder = scratch();
    let (trace, _) = write_scenario("leak", folder.path());
    let text = run(["analyze".as_ref(), trace.as_os_str()]).stdout;
    assert_eq!(text.matches("outofports explain").count(), 1, "{text}");
    let report = analyze(&trace, 0);
    let code = report["verdict"]["reasons"][0]["code"].as_str().unwrap();
    for word in [code, "YES", "NOT SEEN", "CANNOT TELL", "NEAR", "high", "trace", "rundown", "record header"] {
        assert!(!find(word).is_empty(), "{word}");
    }
}
