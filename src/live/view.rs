//! Shows each moment: a table redrawn in place on a terminal, one line of NDJSON in a pipe.

use std::io::{self, Write};

use super::watch::StateNow;
use crate::diagnosis::pools::pool_name;
use crate::machine::pool_key::PoolKey;
use crate::time::{ShownTime as _, duration_text};
use crate::words::grouped;
use crate::words::shown;
use crate::words::table::{Align, Table};

/// Rows of each table on a terminal.
const ROWS: usize = 8;

/// One line of JSON.
///
/// # Errors
///
/// What writing says.
pub fn write_line(moment: &StateNow, out: &mut dyn Write) -> io::Result<()> {
    let line = crate::report::json::spelled_out(serde_json::to_vec(moment)?);
    out.write_all(&line)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// The lines of a terminal of `width` columns and `height` rows.
pub fn screen(moment: &StateNow, width: usize, height: usize) -> Vec<String> {
    let mut lines = vec![headline(moment)];
    lines.push(losses(moment));
    lines.push(String::new());
    pools(moment, width, &mut lines);
    victims(moment, width, &mut lines);
    holders(moment, width, &mut lines);
    lines.push(String::new());
    lines.push("Ctrl-C ends the capture and prints the report.".to_owned());
    if lines.len() >= height {
        // What does not fit would scroll, and could not be drawn over.
        lines.truncate(height.saturating_sub(1).max(1));
    }
    lines.into_iter().map(|line| line.chars().take(width.saturating_sub(1)).collect()).collect()
}

fn headline(moment: &StateNow) -> String {
    let elapsed = duration_text((moment.seconds * 1e7) as i64);
    let failures = moment.bind_failures + moment.connect_failures;
    format!(
        "{} UTC  {elapsed}  {} failures, {:.1} per second now  ({} binds ok)",
        moment.time.to_clock(),
        grouped(failures),
        moment.failures_per_second,
        grouped(moment.binds_ok)
    )
}

/// How many events there were, and whether some were lost.
pub(super) fn losses(moment: &StateNow) -> String {
    let events = grouped(moment.events);
    if moment.events_lost == 0 && moment.buffers_lost == 0 {
        return format!("{events} events, none lost");
    }
    format!(
        "{events} events, LOST: {} events, {} buffers: counts are a lower bound, see --buffer-mib",
        grouped(moment.events_lost.into()),
        grouped(moment.buffers_lost.into())
    )
}

fn pools(moment: &StateNow, width: usize, lines: &mut Vec<String>) {
    let mut table = Table::new(&[
        ("pool", Align::Left),
        ("of", Align::Right),
        ("seen held", Align::Right),
        ("in use", Align::Right),
        ("TIME_WAIT", Align::Right),
        ("", Align::Left),
    ]);
    for pool in &moment.pools {
        let optional = |count: Option<u32>| count.map_or_else(|| "-".to_owned(), |count| grouped(count.into()));
        let filled = (pool.share * 20.0).round() as usize;
        table.row(vec![
            pool.name(),
            grouped(pool.count.into()),
            grouped(pool.held.into()),
            optional(pool.listed),
            optional(pool.time_wait),
            format!(
                "{}{} {:.0} %",
                "#".repeat(filled.min(20)),
                ".".repeat(20_usize.saturating_sub(filled)),
                pool.share * 100.0
            ),
        ]);
    }
    if moment.pools.is_empty() {
        lines.push("no port of a pool is in use yet".to_owned());
    } else {
        lines.extend(table.lines(Some(width)));
    }
    for (pool, forecast) in moment.pools.iter().filter_map(|pool| Some((pool, pool.forecast?))) {
        let (rate, full_at) = (forecast.per_minute, forecast.full_at.to_date_and_time());
        lines.push(format!("{} is full at {full_at} UTC, if it goes on at {rate} ports each minute", pool.name()));
    }
}

fn victims(moment: &StateNow, width: usize, lines: &mut Vec<String>) {
    if moment.victims.is_empty() {
        return;
    }
    let mut table = Table::new(&[
        ("WHO SUFFERS", Align::Left),
        ("PID", Align::Right),
        ("failures", Align::Right),
        ("new", Align::Right),
    ]);
    for victim in moment.victims.iter().take(ROWS) {
        let recent = if victim.recent == 0 { String::new() } else { format!("+{}", grouped(victim.recent)) };
        table.row(vec![
            process(victim.image.as_deref(), victim.pid),
            pid(victim.pid),
            grouped(victim.failures),
            recent,
        ]);
    }
    lines.push(String::new());
    lines.extend(table.lines(Some(width)));
}

fn holders(moment: &StateNow, width: usize, lines: &mut Vec<String>) {
    if moment.holders.is_empty() {
        return;
    }
    let mut table = Table::new(&[
        ("WHO HOLDS PORTS", Align::Left),
        ("PID", Align::Right),
        ("ports", Align::Right),
        ("pool", Align::Left),
        ("known by", Align::Left),
    ]);
    for holder in moment.holders.iter().take(ROWS) {
        table.row(vec![
            process(holder.image.as_deref(), holder.pid),
            pid(holder.pid),
            grouped(holder.ports.into()),
            pool_name(
                PoolKey { protocol: holder.protocol, family: holder.family, ..PoolKey::default() },
                holder.compartment,
            ),
            if holder.is_listed { "socket table" } else { "binds seen" }.to_owned(),
        ]);
    }
    lines.push(String::new());
    lines.extend(table.lines(Some(width)));
}

fn process(image: Option<&str>, pid: Option<u32>) -> String {
    match (image, pid) {
        (Some(image), _) => shown(image),
        (None, Some(0)) => "(no owner)".to_owned(),
        (None, Some(4)) => "(System)".to_owned(),
        (None, Some(_)) => "(name unknown)".to_owned(),
        (None, None) => "(owner unknown)".to_owned(),
    }
}

fn pid(pid: Option<u32>) -> String {
    pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string())
}

/// A terminal that is drawn over. The console's own calls are used where it knows no escape sequences.
#[derive(Debug)]
pub struct Screen {
    terminal: console::Term,
    lines: usize,
}

impl Screen {
    /// Standard output.
    pub fn new() -> Self {
        Self { terminal: console::Term::buffered_stdout(), lines: 0 }
    }

    /// Draws a moment over the one before.
    ///
    /// # Errors
    ///
    /// What writing says.
    pub fn draw(&mut self, moment: &StateNow) -> io::Result<()> {
        let (height, width) = self.terminal.size();
        let lines = screen(moment, usize::from(width).max(40), usize::from(height).max(10));
        self.terminal.clear_last_lines(self.lines)?;
        for line in &lines {
            self.terminal.write_line(line)?;
        }
        self.lines = lines.len();
        self.terminal.flush()
    }

    /// Writes a line that stays, above the next moment.
    ///
    /// # Errors
    ///
    /// What writing says.
    pub fn tell(&mut self, line: &str) -> io::Result<()> {
        self.terminal.clear_last_lines(self.lines)?;
        self.lines = 0;
        self.terminal.write_line(line)?;
        self.terminal.flush()
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}
