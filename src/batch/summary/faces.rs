//! The faces of a summary: text, Markdown, HTML.

use std::io;

use askama::Template;

use super::{Cell, Section, Summary};
use crate::report::html::policy::policy;
use crate::report::markdown::{code, plain};
use crate::words::shown;
use crate::words::table::{Align, Table};

const TITLE: &str = "Port exhaustion over many cases";

/// How it looks: the page of a report, without its pictures.
const STYLE: &str =
    concat!(include_str!("../../report/html/style/page.css"), include_str!("../../report/html/style/print.css"));

impl Summary {
    /// For a terminal so many columns wide.
    pub fn text(&self, width: Option<usize>) -> String {
        let mut text = String::new();
        for sentence in &self.sentences {
            text.push_str(&format!("{sentence}\n"));
        }
        for section in &self.sections {
            text.push_str(&format!("\n{}\n", section.title.to_uppercase()));
            if !section.note.is_empty() {
                text.push_str(&format!("  {}\n", section.note));
            }
            let mut table = Table::new(&section.headings);
            for row in &section.rows {
                table.row(row.iter().map(|cell| shown(cell.text())).collect());
            }
            table.lines(width).iter().for_each(|line| text.push_str(&format!("{line}\n")));
        }
        text
    }

    /// For tickets.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {TITLE}\n\n");
        for sentence in &self.sentences {
            text.push_str(&format!("{}\n\n", plain(sentence)));
        }
        for Section { title, note, headings, rows } in &self.sections {
            text.push_str(&format!("## {title}\n\n"));
            if !note.is_empty() {
                text.push_str(&format!("{}\n\n", plain(note)));
            }
            let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
            text.push_str(&line(headings.iter().map(|(heading, _)| (*heading).to_owned()).collect()));
            let rule = |align: &Align| if *align == Align::Right { "---:" } else { "---" };
            text.push_str(&line(headings.iter().map(|(_, align)| rule(align).to_owned()).collect()));
            for row in rows {
                text.push_str(&line(row.iter().map(markdown_cell).collect()));
            }
            text.push('\n');
        }
        text.push_str(&format!("{}\n", self.tool));
        text
    }

    /// For a browser: one file, which asks no network and runs no script.
    ///
    /// # Errors
    ///
    /// What the template says.
    pub fn html(&self) -> io::Result<String> {
        let page = Page { title: TITLE, policy: policy(None, &[STYLE]), style: STYLE, summary: self };
        page.render().map_err(io::Error::other)
    }
}

fn markdown_cell(cell: &Cell) -> String {
    match cell {
        Cell::Own(text) => plain(text),
        // A pipe ends a cell, also in code.
        Cell::Name(text) => code(text).replace('|', "\\|"),
    }
}

#[derive(Template)]
#[template(path = "summary.html", config = "src/batch/summary/askama.toml")]
struct Page<'s> {
    title: &'static str,
    policy: String,
    style: &'static str,
    summary: &'s Summary,
}

impl Page<'_> {
    /// What `align` is to the styles.
    fn class(align: &Align) -> &'static str {
        if *align == Align::Right { "n" } else { "" }
    }
}
