//! Lists of `label : value` lines, a block for each object: `| Format-List`, `tasklist /fo list`, tcpvcon.

use std::borrow::Cow;

use super::machines::Builders;
use super::{Context, Found};
use crate::side::columns::{Column, Record, number};
use crate::side::facts::RowCount;
use crate::side::lines::{Line, Lines};
use crate::side::tasklist::is_image;

/// A label is no longer than this.
const MAX_LABEL: usize = 48;

/// A block has no more labels; a process has about 60 properties.
const MAX_LABELS: usize = 256;

/// Blocks of one kind that are being read.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    current: Option<(Vec<Column>, Builders)>,
    count: RowCount,
}

impl Blocks {
    /// Reads the block that begins with a line; `false` where none does.
    pub(super) fn take<'t>(
        &mut self,
        line: Line<'t>,
        lines: &mut Lines<'t>,
        context: &mut Context,
        found: &mut Found,
    ) -> bool {
        let mut ahead = *lines;
        let Some(Block { columns, cells, is_open }) = block(line, &mut ahead) else {
            return false;
        };
        let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
        let record = Record { columns: &columns, cells: &cells, is_exact: true };
        let same = self.current.as_ref().is_some_and(|(known, _)| is_alike(known, &columns));
        if !same {
            self.end(context, found);
            match Builders::of(&columns, context) {
                Some(builder) => self.current = Some((columns.clone(), builder)),
                None => return false,
            }
        }
        let is_row = self.current.as_mut().is_some_and(|(known, builder)| {
            let is_cut = is_open && same && columns.len() < known.len();
            !is_cut && builder.row(&record, line.number)
        });
        if is_row {
            self.count.read();
        } else if self.count.rows > 0 {
            self.count.missed(line.number);
        } else {
            self.current = None;
            return false;
        }
        *lines = ahead;
        true
    }

    /// Whether blocks are being read.
    pub(super) fn has_blocks(&self) -> bool {
        self.current.is_some()
    }

    /// What begins another output ends them.
    pub(super) fn end(&mut self, context: &mut Context, found: &mut Found) {
        let count = std::mem::take(&mut self.count);
        if let Some((_, mut builder)) = self.current.take() {
            builder.end(count, context, found);
        }
    }
}

/// Blocks of one list have the same labels, but for some that are left out.
fn is_alike(known: &[Column], columns: &[Column]) -> bool {
    let all = |one: &[Column], other: &[Column]| {
        one.iter().filter(|column| **column != Column::Other).all(|column| other.contains(column))
    };
    all(known, columns) || all(columns, known)
}

/// Labels and values.
struct Block<'t> {
    columns: Vec<Column>,
    cells: Vec<Cow<'t, str>>,
    /// The text ends in it, without a line end.
    is_open: bool,
}

/// The labels and values of a block; goes on to behind its last line. Two labels at least.
fn block<'t>(line: Line<'t>, lines: &mut Lines<'t>) -> Option<Block<'t>> {
    let (mut columns, mut cells): (Vec<Column>, Vec<Cow<'t, str>>) = (Vec::new(), Vec::new());
    let mut is_open = line.is_open;
    let mut labels: Vec<&str> = Vec::new();
    let mut is_of_values = false;
    if let Some((protocol, image)) = of_tcpvcon(line.trimmed()) {
        columns.extend([Column::Protocol, Column::ProcessName]);
        cells.extend([protocol.into(), image.into()]);
    } else {
        let (label, value) = labelled(line.text)?;
        is_of_values = line.text.trim_start().get(label.len()..).is_some_and(|rest| rest.starts_with('='));
        labels.push(label);
        columns.push(Column::named(label));
        cells.push(value.into());
    }
    loop {
        let mut ahead = *lines;
        let Some(next) = ahead.next() else { break };
        if next.is_blank() {
            // Lines may be doubled: the block goes on with another label.
            let goes_on = ahead.peek_text().and_then(|line| labelled(line.text)).is_some_and(|(label, _)| {
                !labels.contains(&label) && labels.len() == 1 && columns.first() != Some(&Column::Other)
            });
            if !goes_on {
                break;
            }
            *lines = ahead;
            continue;
        }
        match labelled(next.text) {
            Some((label, value)) if !labels.contains(&label) && labels.len() < MAX_LABELS => {
                labels.push(label);
                columns.push(Column::named(label));
                cells.push(value.into());
            }
            Some(_) => break,
            // A value that goes on in the next line stands below its beginning.
            None if next.text.starts_with("    ") => {
                if let Some(cell) = cells.last_mut() {
                    cell.to_mut().push_str(next.trimmed());
                }
            }
            None => break,
        }
        is_open |= next.is_open;
        *lines = ahead;
    }
    // `wmic /value` names a process so; other texts have names and values, too.
    if is_of_values && !labels.contains(&"ProcessId") {
        return None;
    }
    Column::settle(&mut columns);
    as_tasks(&labels, &mut columns, &cells);
    (columns.len() >= 2).then_some(Block { columns, cells, is_open })
}

/// `tasklist /fo list` in any language: the image, the PID under this name, and services or the session.
fn as_tasks(labels: &[&str], columns: &mut [Column], cells: &[Cow<'_, str>]) {
    let is_pid = labels.get(1).is_some_and(|label| label.eq_ignore_ascii_case("pid"));
    let has_number = cells.get(1).is_some_and(|cell| number::<u32>(cell).is_some());
    // Lists of services have a PID behind numbers of other kinds.
    let is_image = cells.first().is_some_and(|cell| is_image(cell));
    let [first, pid, third, rest @ ..] = columns else { return };
    if !is_pid || !has_number || !is_image {
        return;
    }
    (*first, *pid) = (Column::ProcessName, Column::Pid);
    if *third == Column::Other {
        // The session, where more follows: no services.
        *third = if rest.is_empty() { Column::Services } else { Column::Modules };
    }
}

/// The column and the value of a line that stands alone above a table.
pub(super) fn group(line: &str) -> Option<(Column, String)> {
    let (label, value) = labelled(line)?;
    let column = Column::named(label);
    let is_told = matches!(
        column,
        Column::Pid
            | Column::State
            | Column::LocalAddress
            | Column::LocalPort
            | Column::RemoteAddress
            | Column::RemotePort
    );
    (is_told && !value.is_empty() && !value.contains(char::is_whitespace)).then(|| (column, value.to_owned()))
}

/// A label of letters, a colon, and a value.
fn labelled(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    if !line.starts_with(char::is_alphabetic) {
        return None;
    }
    let (label, value) = line.split_once([':', '：', '='])?;
    // `HandleCount=18422` of `wmic /value`: the name of a property, without blanks.
    let is_value = line.get(label.len()..).is_some_and(|rest| rest.starts_with('='));
    if is_value && !label.chars().all(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    let label = label.trim_end();
    let is_label = label.len() <= MAX_LABEL
        && !label.contains("  ")
        && label
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '(' | ')' | '#' | '.' | '\'' | '’'));
    // A path, or the address of a page.
    let is_path = value.starts_with(['\\', '/']);
    (is_label && !is_path).then_some((label, value.trim()))
}

/// `[TCP] svchost.exe`, as tcpvcon begins a block.
fn of_tcpvcon(line: &str) -> Option<(&str, &str)> {
    let (protocol, image) = line.strip_prefix('[')?.split_once("] ")?;
    let is_protocol = ["TCP", "UDP", "TCPV6", "UDPV6"].iter().any(|name| protocol.eq_ignore_ascii_case(name));
    is_protocol.then_some((protocol, image.trim()))
}
