//! `Export-Csv`: a `#TYPE` line (PowerShell 5), a heading, quoted cells in any order.

use super::{Column, Content, Listing, PowerShell};
use crate::net::Protocol;
use crate::side::taken::Clock;

/// Separators of `Export-Csv`: the default, that of `-UseCulture` in much of Europe, and that of many scripts.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// A heading may have so many columns; that of `Get-Process | Export-Csv` has 68.
const MAX_COLUMNS: usize = 1024;

/// A row may have so many lines; titles of windows and descriptions of services have a few.
const MAX_LINES_OF_ROW: usize = 32;

/// For reading a row in one piece. One of `Get-Process` has about 1,500 bytes.
const MAX_BUFFER: usize = 8 << 10;

/// The heading of a list that is known.
#[derive(Debug)]
pub(super) struct Heading {
    separator: u8,
    columns: Vec<Column>,
    content: Content,
}

impl Heading {
    pub(super) fn of(line: &str) -> Option<Self> {
        SEPARATORS.into_iter().filter(|separator| line.as_bytes().contains(separator)).find_map(|separator| {
            let names = line.split(char::from(separator)).take(MAX_COLUMNS);
            let columns: Vec<Column> = names.map(|name| Column::named(name.trim().trim_matches('"'))).collect();
            let content = Content::of(&columns)?;
            Some(Self { separator, columns, content })
        })
    }
}

/// Reads the rows of a list, which begin with `text`; gives the text behind them.
pub(super) fn read<'t>(heading: &Heading, text: &'t str, found: &mut PowerShell, clock: &mut Clock) -> &'t str {
    let mut content = heading.content;
    let mut listing = Listing::default();
    let mut rest = text;
    // A row of another width ends the list.
    while let Some((row, behind)) =
        next_row(rest, heading.separator).filter(|(row, _)| row.len() == heading.columns.len())
    {
        rest = behind;
        let cell = |wanted: Column| {
            let at = heading.columns.iter().position(|column| *column == wanted)?;
            row.get(at)
        };
        // The columns of both kinds of sockets are the same where all of them are exported.
        if cell(Column::Class).is_some_and(|class| class.contains("MSFT_NetUDPEndpoint")) {
            content = Content::Udp;
        }
        let is_read = match content {
            Content::Tcp => super::socket(Protocol::Tcp, cell).map(|socket| listing.sockets.push(socket)),
            Content::Udp => super::socket(Protocol::Udp, cell).map(|socket| listing.sockets.push(socket)),
            Content::Processes => super::handles(cell).map(|handles| found.handles.push(handles)),
        };
        found.unread = found.unread.saturating_add(u64::from(is_read.is_none()));
    }
    if let Some(listing) = listing.finish(clock) {
        if content == Content::Udp { found.udp.push(listing) } else { found.tcp.push(listing) }
    }
    rest
}

/// The first row of `text`, which may have several lines, and the text behind it.
fn next_row(text: &str, separator: u8) -> Option<(csv::StringRecord, &str)> {
    let mut rest = text;
    let mut quotes = 0_usize;
    for _ in 0..MAX_LINES_OF_ROW {
        let (line, behind) = super::next_line(rest)?;
        rest = behind;
        quotes = quotes.saturating_add(line.bytes().filter(|byte| *byte == b'"').count());
        if quotes.is_multiple_of(2) {
            let row = text.get(..text.len() - rest.len())?;
            let mut builder = csv::ReaderBuilder::new();
            builder.delimiter(separator).has_headers(false).buffer_capacity(row.len().min(MAX_BUFFER));
            let row = builder.from_reader(row.as_bytes()).records().next()?.ok()?;
            return Some((row, rest));
        }
    }
    None
}
