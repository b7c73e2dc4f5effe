//! Any names in a report: every face shows them harmlessly, and can be read back.
#![no_main]

use arbitrary::Arbitrary;
use outofports_fuzz::faces;

#[derive(Debug, Arbitrary)]
struct Input {
    report: u8,
    names: Vec<Vec<Piece>>,
}

/// A part of a name.
#[derive(Debug, Arbitrary)]
enum Piece {
    Text(String),
    Sign(u8),
    Many(u8, u8),
}

/// What means something in one of the faces.
const SIGNS: [&str; 24] = [
    "<script>",
    "</script>",
    "</style>",
    "<!--",
    "-->",
    "]]>",
    "<img src=x onerror=a>",
    "\" onload=\"a",
    "' x='",
    "[x](javascript:a)",
    "![x](https://a.example/b)",
    "https://a.example",
    "www.a.example",
    "|",
    "`",
    "```\n",
    "\n\n# ",
    "\r\n> ",
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "\u{1b}[31m",
    "\u{202e}",
    "{{ 7 }}",
    "<details>",
];

fn name(pieces: &[Piece]) -> String {
    let mut name = String::new();
    for piece in pieces.iter().take(16) {
        match piece {
            Piece::Text(text) => name.push_str(text),
            Piece::Sign(sign) => name.push_str(SIGNS[usize::from(*sign) % SIGNS.len()]),
            Piece::Many(sign, count) => name.push_str(&SIGNS[usize::from(*sign) % SIGNS.len()].repeat((*count).into())),
        }
    }
    name.chars().take(4096).collect()
}

libfuzzer_sys::fuzz_target!(|input: Input| {
    if input.names.is_empty() {
        return;
    }
    let plain = faces::report(input.report);
    let mut report = plain.clone();
    let mut names = input.names.iter().cycle();
    outofports_fuzz::renamed::rename(&mut report, &mut || names.next().map(|pieces| name(pieces)).unwrap_or_default());
    faces::check(&report, &plain);
});
