//! The tables of SCHEMA.md have the codes of the program, and nothing else.

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
