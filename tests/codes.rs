//! The tables of SCHEMA.md have the codes of the program, and nothing else.

use std::path::Path;

use outofports::diagnosis::codes::{AlternativeCode, PossibleCause, ReasonCode, RecommendationCode, Remark, Role};

const SCHEMA: &str = include_str!("../src/report/SCHEMA.md");

/// The rows of the table whose first heading is this: code and meaning.
fn table(heading: &str) -> Vec<(&'static str, &'static str)> {
    let head = format!("| {heading} | means |");
    let mut lines = SCHEMA.lines().skip_while(|line| *line != head);
    assert_eq!((lines.next(), lines.next()), (Some(head.as_str()), Some("| --- | --- |")), "{heading}");
    let row = |line: &'static str| {
        let (code, meaning) = line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | ")?;
        Some((code, meaning))
    };
    let rows: Vec<_> = lines.take_while(|line| line.starts_with('|')).map(|line| row(line).expect(line)).collect();
    assert!(!rows.is_empty(), "{heading}");
    rows
}

macro_rules! same {
    ($heading:literal, $codes:ident) => {
        let known: Vec<_> = $codes::ALL.iter().map(|code| (code.as_str(), code.meaning())).collect();
        assert_eq!(table($heading), known, "{}", $heading);
    };
}

#[test]
fn every_code_is_in_the_schema_with_its_meaning_and_no_other_is() {
    same!("reason", ReasonCode);
    same!("recommendation", RecommendationCode);
    same!("alternative", AlternativeCode);
    same!("possible cause", PossibleCause);
    same!("role", Role);
    same!("remark", Remark);
}

/// All Rust sources of the program and its tests.
fn sources(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_rule_of_the_verdict_is_listed_with_its_test() {
    let page = include_str!("../src/diagnosis/README.md");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    sources(&root.join("src"), &mut code);
    sources(&root.join("tests"), &mut code);
    let rules = include_str!("../src/diagnosis/verdict/rules.rs");
    let (_, reasons) = page.split_once("## Reasons").unwrap();
    let mut listed = Vec::new();
    for row in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| --- ")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        if cells[2] == "test" {
            continue;
        }
        for test in cells[2].split(", ") {
            let name = test.trim_matches('`');
            assert!(code.contains(&format!("fn {name}(")), "no test has the name {name}: {row}");
        }
        if reasons.contains(row) {
            let (reason, rule) = (cells[0].trim_matches('`'), cells[1].trim_matches('`'));
            assert!(rules.contains(&format!("fn {rule}(")), "{row}");
            listed.push((reason.parse::<ReasonCode>().unwrap(), rule));
        }
    }
    let entry = |rule: &outofports::diagnosis::verdict::Rule| rule.code;
    let codes: Vec<ReasonCode> = outofports::diagnosis::verdict::RULES.iter().map(entry).collect();
    assert_eq!(listed.iter().map(|(code, _)| *code).collect::<Vec<_>>(), codes, "a row for each rule, in their order");
    for (code, rule) in listed {
        assert!(rules.contains(&format!("code: ReasonCode::{code:?}, sentence: {rule} ")), "{code} is not by {rule}");
    }
}
