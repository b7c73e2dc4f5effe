//! Explanations as text, Markdown and JSON.

use std::io::{self, Write};

use anstyle::Style;

use super::{Explanation, Kind, all};
use crate::report::json;
use crate::words::table::{Align, Table, wrap};

const HEADING: Style = Style::new().bold();

/// Writes explanations for people, in lines of so many columns. Styles are written as escape sequences.
///
/// # Errors
///
/// The [`io::Error`] of `out`, as it is.
pub fn write_text(explained: &[Explanation], width: usize, out: &mut dyn Write) -> io::Result<()> {
    for (number, one) in explained.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{HEADING}{}{HEADING:#}   {}", one.title(), one.kind.name())?;
        for text in [&one.meaning, &one.explanation] {
            wrap(&bare(text), width, 2, 2).iter().try_for_each(|line| writeln!(out, "{line}"))?;
        }
        if !one.see.is_empty() {
            writeln!(out, "  See also: {}", one.see.join(", "))?;
        }
        one.sources.iter().try_for_each(|source| writeln!(out, "  Source: {source}"))?;
    }
    Ok(())
}

/// Writes the list of all codes for people, by kind.
///
/// # Errors
///
/// The [`io::Error`] of `out`, as it is.
pub fn write_list(width: usize, out: &mut dyn Write) -> io::Result<()> {
    let all = all();
    for kind in Kind::ALL {
        writeln!(out, "{HEADING}{}{HEADING:#}", kind.heading())?;
        let mut table = Table::new(&[("code", Align::Left), ("means", Align::Left)]);
        for one in all.iter().filter(|one| one.kind == kind) {
            table.row(vec![one.title(), bare(&one.meaning)]);
        }
        table.lines(Some(width)).iter().try_for_each(|line| writeln!(out, "{line}"))?;
        writeln!(out)?;
    }
    writeln!(out, "outofports explain CODE says what to do about one of them.")
}

/// Writes explanations as Markdown.
///
/// # Errors
///
/// The [`io::Error`] of `out`, as it is.
pub fn write_markdown(explained: &[Explanation], out: &mut dyn Write) -> io::Result<()> {
    for (number, one) in explained.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        writeln!(out, "## `{}`\n\nA {}: {}.\n\n{}", one.title(), one.kind.name(), one.meaning, one.explanation)?;
        if !one.see.is_empty() {
            let codes: Vec<String> = one.see.iter().map(|code| format!("`{code}`")).collect();
            writeln!(out, "\nSee also: {}", codes.join(", "))?;
        }
        if !one.sources.is_empty() {
            let link = |source: &String| {
                if source.starts_with("https://") { format!("<{source}>") } else { source.clone() }
            };
            writeln!(out, "\nSource: {}", one.sources.iter().map(link).collect::<Vec<_>>().join(", "))?;
        }
    }
    Ok(())
}

/// Writes explanations as JSON: an array of objects.
///
/// # Errors
///
/// The [`io::Error`] of `out`, as it is.
pub fn write_json(explained: &[Explanation], out: &mut dyn Write) -> io::Result<()> {
    json::write(&explained, out)
}

/// Without the backticks of code spans.
fn bare(text: &str) -> String {
    text.replace('`', "")
}
