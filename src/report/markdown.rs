//! The report for tickets: Markdown as GitHub, GitLab, Jira's importer and `cmark-gfm` read it, plain enough to be read as it is.
//!
//! The verdict, three tables and the next steps stand open; the rest is folded. Nothing from outside can become markup: names
//! stand in code spans, and in sentences each sign that could mean something is escaped.

use std::io::{self, Write};

use super::summary::{evidence_name, look_phrase, state_word};
use super::wording::{
    file_name, known_by, machine, name, per_minute, percent, percent_of, pid, place, sentence_start, span,
};
use super::{ProcessRow, Report};
use crate::diagnosis::alternatives::Standing;
use crate::event::base_name;
use crate::net::Protocol;
use crate::words::{counted, grouped, shown};

/// How much is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Rows of each table.
    pub top: usize,
    /// Bytes that the document may have; folded parts that do not fit are left out, and that is said.
    pub bytes: usize,
}

impl Default for Extent {
    /// 20 rows, and 60,000 bytes: ticket systems take 65,536 characters or less.
    fn default() -> Self {
        Self { top: 20, bytes: 60_000 }
    }
}

/// Fewer sockets or connects than this to one address are nothing to look at first.
const NOTABLE: u64 = 100;

/// Destinations shown.
const DESTINATIONS: usize = 10;

/// Holders of an outage that are named.
const HOLDERS_OF_OUTAGE: usize = 3;

/// Room for the sentence that says what was left out.
const CLOSING_BYTES: usize = 1_000;

/// Writes the report.
///
/// # Errors
///
/// What writing says.
pub fn write(report: &Report, extent: Extent, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(document(report, extent).as_bytes())
}

fn document(report: &Report, extent: Extent) -> String {
    let room = extent.bytes.saturating_sub(CLOSING_BYTES);
    let mut top = extent.top.max(1);
    let mut page = Page { report, top };
    let mut document = page.open();
    // Fewer rows rather than none of what comes behind them.
    while document.len() > room && top > 1 {
        top /= 2;
        page = Page { report, top };
        document = page.open();
    }
    let mut left_out = Vec::new();
    if document.len() > room {
        let end = document.get(..room).or_else(|| document.get(..room.saturating_sub(3)));
        let lines = end.and_then(|part| part.rfind("\n\n")).unwrap_or(0);
        document.truncate(lines);
        // What was cut may have been within a block of code.
        if document.matches("\n   ```").count() % 2 == 1 {
            document.push_str("\n   ```");
        }
        document.push('\n');
        left_out.push("the rest of the steps");
    }
    for (title, body) in page.folded() {
        let part = format!("\n<details>\n<summary>{title}</summary>\n\n{body}\n</details>\n");
        if document.len() + part.len() <= room {
            document.push_str(&part);
        } else {
            left_out.push(title);
        }
    }
    if !left_out.is_empty() {
        let what = left_out.join(", ");
        document.push_str(&format!("\nLeft out for its length: {what}. The JSON report has it.\n"));
    }
    let tool = &report.tool;
    document.push_str(&format!(
        "\n{} {}. `{} explain CODE` says what a status, an error, an event id or a code of the JSON report means.\n",
        tool.name, tool.version, tool.name
    ));
    document
}

struct Page<'r> {
    report: &'r Report,
    top: usize,
}

impl Page<'_> {
    /// What stands open: verdict, who holds, who suffered, pools, next steps.
    fn open(&self) -> String {
        let headline = self.report.headline();
        let mut text = format!("# Port exhaustion: {}", sentence_start(&headline.answer.to_lowercase()));
        if !headline.pools.is_empty() {
            text.push_str(&format!(", {}", plain(&headline.pools)));
        }
        text.push('\n');
        if !headline.confidence.is_empty() {
            text.push_str(&format!("\n**{}**\n", sentence_start(headline.confidence)));
        }
        text.push('\n');
        for sentence in self.report.answer() {
            text.push_str(&format!("- {}\n", plain(&sentence)));
        }
        for doubt in self.report.first_doubts() {
            text.push_str(&format!("- But {}\n", plain(doubt)));
        }
        for hint in self.report.hints().0 {
            let sources: Vec<String> = hint.sources.iter().map(|source| link(source)).collect();
            text.push_str(&format!("- Known: {}. Source: {}\n", plain(&hint.text), sources.join(", ")));
        }
        text.push('\n');
        for trace in &self.report.traces {
            let when = span(trace, self.report.zone).map(|span| format!(", {span}")).unwrap_or_default();
            text.push_str(&format!("{}: {}{when}\n\n", code(base_name(&trace.path)), plain(&machine(trace))));
        }
        if let Some(files) = self.report.files_without_trace() {
            let files: Vec<String> = files.into_iter().map(|path| code(base_name(path))).collect();
            text.push_str(&format!("No trace; side files: {}\n\n", files.join(", ")));
        }
        if let Some(counted) = self.report.counted_sentence() {
            text.push_str(&format!("{}\n\n", plain(&counted)));
        }
        self.who_holds(&mut text);
        self.who_suffered(&mut text);
        // Where to, or when: whichever the inputs tell.
        let third = self.destinations().filter(|_| self.has_notable_destination());
        let third = third.map(|table| ("Connected to", table));
        let third = third.or_else(|| self.outages().map(|table| ("When it was out of ports", table)));
        if let Some((title, table)) = third {
            text.push_str(&format!("## {title}\n\n{table}"));
        }
        self.next(&mut text);
        text
    }

    fn process(&self, index: usize) -> Option<&ProcessRow> {
        self.report.processes.get(index)
    }

    fn who_holds(&self, text: &mut String) {
        for of_pool in self.report.pool_holders() {
            let Some(pool) = self.report.pools.get(of_pool.pool) else { continue };
            let of = of_pool.name.as_ref().map(|name| format!(", {}", plain(name))).unwrap_or_default();
            text.push_str(&format!(
                "## Who holds the ports{of}\n\n{}\n\n",
                plain(&sentence_start(&of_pool.explanation))
            ));
            let mut table = Table::new(&[
                "Process",
                "PID",
                "Services",
                "-Ports",
                "-Share",
                "-Per minute",
                "Known by",
                "Looks like",
            ]);
            for holder in of_pool.holders.iter().filter_map(|index| self.report.holders.get(*index)).take(self.top) {
                let Some(row) = self.process(holder.process) else { continue };
                table.row(&[
                    code(&name(row)),
                    pid(row),
                    services(row),
                    grouped(holder.ports.into()),
                    percent_of(holder.ports, pool.count),
                    holder.growth_per_minute.map(per_minute).unwrap_or_default(),
                    evidence_name(holder.evidence).to_owned(),
                    plain(&look_phrase(holder.look)),
                ]);
            }
            table.write(of_pool.holders.len(), text);
            for sentence in &of_pool.rest {
                text.push_str(&format!("- {}\n", plain(&sentence_start(sentence))));
            }
            if !of_pool.rest.is_empty() {
                text.push('\n');
            }
        }
    }

    fn who_suffered(&self, text: &mut String) {
        let sufferers = &self.report.sufferers;
        if sufferers.is_empty() {
            return;
        }
        text.push_str("## Who suffered\n\n");
        let zone = self.report.zone.name();
        let mut table = Table::new(&[
            "Process",
            "PID",
            "Services",
            "-Failed binds",
            "-Of binds",
            "-Failed connects",
            &format!("First ({zone})"),
            &format!("Last ({zone})"),
            "Owner known by",
        ]);
        for row in sufferers.iter().filter_map(|index| self.process(*index)).take(self.top) {
            table.row(&[
                code(&name(row)),
                pid(row),
                services(row),
                grouped(row.bind_failures),
                percent(row.bind_failures, row.binds_completed()),
                grouped(row.connect_failures),
                row.first_failure.map(|time| self.report.failure_clock(time)).unwrap_or_default(),
                row.last_failure.map(|time| self.report.failure_clock(time)).unwrap_or_default(),
                known_by(row),
            ]);
        }
        table.write(sufferers.len(), text);
    }

    /// Whether so many sockets or connects go to one address that it is a trace of the cause.
    fn has_notable_destination(&self) -> bool {
        self.report.destinations.iter().any(|row| row.sockets.max(row.connects) >= NOTABLE)
    }

    /// Remote addresses, those of most sockets and connects first.
    fn destinations(&self) -> Option<String> {
        let rows = &self.report.destinations;
        // Without listings no sockets are listed, without a trace no connects are seen.
        let (sockets, connects) = (rows.iter().any(|row| row.sockets > 0), rows.iter().any(|row| row.connects > 0));
        let mut columns = vec!["Remote address", "-Port", "State"];
        columns.extend(sockets.then_some("-Sockets (last listing)"));
        columns.extend(connects.then_some("-Connects (trace)"));
        let mut table = Table::new(&columns);
        for row in rows.iter().take(self.top.min(DESTINATIONS)) {
            let mut cells = vec![
                row.remote.map_or_else(|| "any".to_owned(), |remote| code(&remote.to_string())),
                row.port.map_or_else(|| "any".to_owned(), |port| port.to_string()),
                row.state.as_deref().map(plain).unwrap_or_default(),
            ];
            cells.extend(sockets.then(|| grouped(row.sockets)));
            cells.extend(connects.then(|| grouped(row.connects)));
            table.row(&cells);
        }
        table.finished(rows.len())
    }

    /// Spans without a free port, each with its largest holder.
    fn outages(&self) -> Option<String> {
        let (report, zone) = (self.report, self.report.zone);
        let name_of_zone = zone.name();
        let mut table = Table::new(&[
            &format!("First ({name_of_zone})"),
            &format!("Last ({name_of_zone})"),
            "Pool",
            "-Failures",
            "Largest holders",
        ]);
        for outage in report.outages.iter().take(self.top) {
            let holders = outage.holders.iter().take(HOLDERS_OF_OUTAGE).filter_map(|holder| {
                let row = self.process(holder.process)?;
                Some(format!("{} (PID {}): {}", code(&name(row)), pid(row), counted(holder.ports.into(), "port")))
            });
            let holders: Vec<String> = holders.collect();
            table.row(&[
                zone.date_and_time(outage.first),
                format!("{}{}", zone.date_and_time(outage.last), if outage.lasts { ", to the end" } else { "" }),
                report.pools.get(outage.pool).map(|pool| plain(&pool.name())).unwrap_or_default(),
                grouped(outage.failures),
                holders.join(", "),
            ]);
        }
        table.finished(report.outages.len())
    }

    fn pools(&self) -> Option<String> {
        let pools = &self.report.pools;
        let mut table =
            Table::new(&["Pool", "Ports", "-Size", "-In use at most", "-Explained", "-Failed binds", "State"]);
        for pool in pools.iter().take(self.top) {
            table.row(&[
                plain(&pool.name()),
                format!("{}–{}", pool.start, pool.end()),
                grouped(pool.count.into()),
                grouped(pool.occupied_peak.into()),
                percent_of(pool.explained, pool.count),
                grouped(pool.bind_failures),
                state_word(pool.state).to_owned(),
            ]);
        }
        table.finished(pools.len())
    }

    /// What failed and what is held at local addresses.
    fn addresses(&self) -> Option<String> {
        let rows = &self.report.addresses;
        let mut table = Table::new(&["Local address", "Protocol", "-Failed binds", "-Ports held at the end"]);
        for row in rows.iter().take(self.top) {
            table.row(&[
                row.local_address.as_deref().map_or_else(|| "not told".to_owned(), code),
                row.protocol.map(Protocol::name).unwrap_or_default().to_owned(),
                grouped(row.bind_failures),
                grouped(row.ports_held),
            ]);
        }
        table.finished(rows.len())
    }

    /// Dynamic ports in use at local addresses, as a script counted them.
    fn address_use(&self) -> Option<String> {
        let rows = &self.report.address_use;
        let mut table = Table::new(&["Local address", "-Counts", "-First", "-Last", "-Peak", "-Of"]);
        for row in rows.iter().take(self.top) {
            table.row(&[
                code(&row.local_address.to_string()),
                row.samples.to_string(),
                grouped(row.first.into()),
                grouped(row.last.into()),
                grouped(row.peak.into()),
                grouped(row.max.into()),
            ]);
        }
        table.finished(rows.len())
    }

    fn next(&self, text: &mut String) {
        let mut steps = self.report.first_steps();
        steps.extend(self.report.next_steps());
        if steps.is_empty() {
            return;
        }
        text.push_str("## Next\n");
        for (number, step) in steps.iter().enumerate() {
            text.push_str(&format!("\n{}. {}\n", number + 1, plain(&step.text)));
            if !step.commands.is_empty() {
                text.push_str(&fenced(&step.commands.join("\n"), 3));
            }
            if let Some(undo) = &step.undo {
                text.push_str("\n   Undo:\n");
                text.push_str(&fenced(undo, 3));
            }
        }
    }

    /// What is folded, each part with its title.
    fn folded(&self) -> Vec<(&'static str, String)> {
        let report = self.report;
        let mut parts = Vec::new();
        let mut add = |title, lines: Vec<String>| {
            if !lines.is_empty() {
                parts.push((title, lines.iter().map(|line| format!("- {line}\n")).collect::<String>()));
            }
        };
        if let Some(how_sure) = report.how_sure() {
            let lines = how_sure.assurances.iter().chain(&how_sure.events).chain(&how_sure.events_outside);
            let doubts = how_sure.doubts.iter().chain(&how_sure.notes);
            let lines = lines.map(|line| format!("For: {}", plain(line)));
            add("How sure", lines.chain(doubts.map(|line| format!("Against: {}", plain(line)))).collect());
        }
        for (standing, title) in
            [(Standing::RuledOut, "Ruled out"), (Standing::Seen, "Also seen"), (Standing::Unknown, "Not known")]
        {
            let lines = report.ruled_out.iter().filter(|alternative| alternative.standing == standing);
            add(title, lines.map(|alternative| plain(&shown(&alternative.text))).collect());
        }
        add("Evidence", self.evidence());
        let files = report.side_inputs.iter().map(|side| {
            let used = if side.used { "" } else { ", not used" };
            let note = side.note.as_ref().map(|note| format!(": {}", plain(&shown(note)))).unwrap_or_default();
            format!("{} ({}{used}){note}", code(file_name(&side.path, &report.side_inputs)), side.kind)
        });
        add("Side files", files.collect());
        let tables = [
            ("Pools", self.pools()),
            ("Connected to", self.destinations().filter(|_| !self.has_notable_destination())),
            ("When it was out of ports", self.outages().filter(|_| self.has_notable_destination())),
            ("Local addresses", self.addresses()),
            ("In use by local address", self.address_use()),
        ];
        let tables = tables.into_iter().filter_map(|(title, table)| Some((title, table?)));
        // Behind what speaks for and against the verdict.
        let at = parts.iter().take_while(|(title, _)| *title == "How sure").count();
        parts.splice(at..at, tables);
        parts
    }

    fn evidence(&self) -> Vec<String> {
        let report = self.report;
        let mut lines = Vec::new();
        if let Some(first) = &report.evidence {
            let name = first.event_name.unwrap_or("unknown event");
            lines.push(format!(
                "First failure: {}event {} ({name}), endpoint {}",
                plain(&place(first, &report.side_inputs)),
                first.event_id,
                code(&first.endpoint)
            ));
        }
        let coverage = &report.coverage;
        if coverage.records > 0 {
            lines.push(format!(
                "Read: {}, {}, {} of the buffers damaged",
                counted(coverage.buffers, "buffer"),
                counted(coverage.records, "record"),
                grouped(coverage.buffers_damaged)
            ));
        }
        lines
    }
}

fn services(row: &ProcessRow) -> String {
    if row.services.is_empty() { String::new() } else { code(&row.services.join(", ")) }
}

/// A table whose cells are Markdown already; a heading that begins with `-` is of a column of numbers.
struct Table {
    text: String,
    rows: usize,
}

impl Table {
    fn new(headings: &[&str]) -> Self {
        let names: Vec<&str> = headings.iter().map(|heading| heading.trim_start_matches('-')).collect();
        let rules: Vec<&str> =
            headings.iter().map(|heading| if heading.starts_with('-') { "--:" } else { "---" }).collect();
        Self { text: format!("| {} |\n| {} |\n", names.join(" | "), rules.join(" | ")), rows: 0 }
    }

    fn row(&mut self, cells: &[String]) {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        self.text.push_str(&format!("| {} |\n", cells.join(" | ")));
        self.rows += 1;
    }

    /// The table, and how many of `all` rows it does not show; `None` where there is none.
    fn finished(self, all: usize) -> Option<String> {
        let mut text = String::new();
        self.write(all, &mut text);
        (all > 0).then_some(text)
    }

    /// Writes the table, and how many of `all` rows it does not show.
    fn write(self, all: usize, text: &mut String) {
        if self.rows > 0 {
            text.push_str(&self.text);
        }
        let hidden = all.saturating_sub(self.rows);
        if hidden > 0 {
            text.push_str(&format!("\n({hidden} more)\n"));
        }
        text.push('\n');
    }
}

/// An address of the program's own tables, as a link; what is none stays text.
fn link(source: &str) -> String {
    if source.starts_with("https://") && !source.contains(['<', '>', ' ']) {
        format!("<{source}>")
    } else {
        plain(source)
    }
}

/// Characters of a name that are shown.
const NAME_CHARACTERS: usize = 200;

/// A code span, whatever is in the text: no link, no markup, no end before its end.
pub(crate) fn code(text: &str) -> String {
    let mut text = shown(text);
    if let Some((end, _)) = text.char_indices().nth(NAME_CHARACTERS) {
        text.truncate(end);
        text.push('…');
    }
    if text.trim().is_empty() {
        return String::new();
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A block of code, indented as part of a list.
fn fenced(text: &str, indent: usize) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    let indent = " ".repeat(indent);
    let lines: String = text.lines().map(|line| format!("{indent}{}\n", shown(line))).collect();
    format!("\n{indent}{fence}bat\n{lines}{indent}{fence}\n")
}

/// Length of the longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// What breaks a link, a mention or a reference in two without showing.
const BREAK: &str = "<!-- -->";

/// A sentence in which nothing is markup: signs are escaped, and what readers turn into links is broken.
pub(crate) fn plain(text: &str) -> String {
    let text = shown(text.trim_start());
    let mut safe = String::with_capacity(text.len() + 16);
    for (at, character) in text.char_indices() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '$' => safe.extend(['\\', character]),
            '#' | '@' => {
                safe.push(character);
                safe.push_str(BREAK);
            }
            ':' if text.get(at..).is_some_and(|rest| rest.starts_with("://")) => {
                safe.push(':');
                safe.push_str(BREAK);
            }
            '.' if text.get(..at).is_some_and(|before| before.to_ascii_lowercase().ends_with("www")) => {
                safe.push_str(BREAK);
                safe.push('.');
            }
            _ => safe.push(character),
        }
    }
    // A list or a heading begins at the start alone; a list with numbers too.
    let digits = safe.chars().take_while(char::is_ascii_digit).count();
    match (safe.chars().next(), safe.get(digits..).and_then(|rest| rest.chars().next())) {
        (Some('-' | '+' | '='), _) => format!("\\{safe}"),
        (_, Some('.' | ')')) if digits > 0 => {
            safe.insert(digits, '\\');
            safe
        }
        _ => safe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_markup() {
        assert_eq!(code("a`b.exe"), "``a`b.exe``");
        assert_eq!(code("`x`"), "`` `x` ``");
        assert_eq!(plain("[x](javascript:alert(1))"), "\\[x\\](javascript:alert(1))");
        assert_eq!(plain("<script>&"), "&lt;script&gt;&amp;");
        assert_eq!(plain("https://a.b"), "https:<!-- -->//a.b");
        assert_eq!(plain("see www.a.b, @team #12"), "see www<!-- -->.a.b, @<!-- -->team #<!-- -->12");
        assert_eq!(plain("- a"), "\\- a");
        assert_eq!((plain("1. a"), plain("12) a"), plain("12 a")), ("1\\. a".into(), "12\\) a".into(), "12 a".into()));
        assert_eq!(code(&"x".repeat(4000)).chars().count(), NAME_CHARACTERS + 3);
        let mut table = Table::new(&["a"]);
        table.row(&[code("a|b")]);
        assert!(table.text.ends_with("| `a\\|b` |\n"));
    }
}
