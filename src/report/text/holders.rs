//! Who holds the ports.

use std::io;

use super::Page;
use super::words::{name, percent_of, pid};
use crate::diagnosis::holders::{Evidence, Pattern};
use crate::diagnosis::verdict::State;
use crate::net::Family;
use crate::report::{HolderRow, PoolRow, ProcessRow};
use crate::time::FileTime;
use crate::words::shown;
use crate::words::table::{Align, Table, cut};
use crate::words::{counted, grouped};

impl Page<'_, '_> {
    pub(super) fn who_holds(&mut self) -> io::Result<()> {
        let report = self.report;
        let matters = |pool: &PoolRow| matches!(pool.state, State::Exhausted | State::Near);
        let any_matters = report.pools.iter().any(matters);
        let unexplained = || report.unexplained.iter().flatten().filter(|row| row.possible.contains(&"dual_stack"));
        let takes_both = |pool: &PoolRow| {
            let mut others = unexplained().filter_map(|row| report.pools.get(row.pool));
            pool.family == Some(Family::Ipv6) && others.any(|other| other.protocol == pool.protocol)
        };
        let matters = |pool: &PoolRow| matters(pool) || takes_both(pool);
        let shown: Vec<_> = report.pools.iter().enumerate().filter(|(_, pool)| !any_matters || matters(pool)).collect();
        let is_alone = shown.len() == 1 && any_matters;
        for (index, pool) in shown {
            let title = if is_alone { String::new() } else { format!(", {}", pool.name()) };
            self.holders_in(index, pool, &format!("WHO HOLDS THE PORTS{title}"))?;
        }
        Ok(())
    }

    fn holders_in(&mut self, index: usize, pool: &PoolRow, title: &str) -> io::Result<()> {
        let holders = self.holders_of(index);
        let is_full = pool.state == State::Exhausted;
        if holders.is_empty() && !is_full {
            return Ok(());
        }
        let explained = percent_of(pool.explained, pool.count);
        let means = evidence_of(&holders);
        self.heading(title, &format!("{means}; explains {explained} of the pool"))?;
        let services = self.has_services(&holders);
        let mut columns = vec![("process", Align::Left), ("PID", Align::Right)];
        if services {
            columns.push(("services", Align::Left));
        }
        columns.extend([
            ("ports", Align::Right),
            ("share", Align::Right),
            ("per min", Align::Right),
            ("oldest", Align::Right),
            ("known by", Align::Left),
            ("looks like", Align::Left),
        ]);
        let mut table = Table::new(&columns);
        for holder in holders.iter().take(self.layout.top) {
            let Some(row) = self.report.processes.get(holder.process) else { continue };
            let mut cells = vec![name(row), pid(row)];
            if services {
                cells.push(cut(&shown(&row.services.join(", ")), 24));
            }
            cells.extend([
                grouped(holder.ports.into()),
                percent_of(holder.ports, pool.count),
                holder.growth_per_minute.map(per_minute).unwrap_or_default(),
                self.oldest(row),
                evidence_name(holder.evidence).to_owned(),
                self.looks_like(holder, row),
            ]);
            table.row(cells);
        }
        if !holders.is_empty() {
            self.table(&table)?;
        }
        let hidden = holders.get(self.layout.top..).unwrap_or(&[]);
        if !hidden.is_empty() {
            let ports: u64 = hidden.iter().map(|holder| u64::from(holder.ports)).sum();
            self.line(&format!("  ({} more, with {})", hidden.len(), counted(ports, "port")))?;
        }
        self.rest_of_pool(index, pool)
    }

    /// What no process holds: TIME_WAIT, ranges set aside, and what nothing explains.
    fn rest_of_pool(&mut self, index: usize, pool: &PoolRow) -> io::Result<()> {
        let (short, long) = pool.time_wait_seconds;
        if pool.time_wait_estimate_long > 0 {
            let estimate = grouped(pool.time_wait_estimate.into());
            let text = if short == long {
                format!("{estimate} ports were in TIME_WAIT, by estimate ({short} s, as the trace tells)")
            } else {
                let longer = grouped(pool.time_wait_estimate_long.into());
                format!(
                    "{estimate} ports were in TIME_WAIT, by estimate, if it lasts {short} s; {longer} if it lasts {long} s"
                )
            };
            self.paragraph(&text)?;
        }
        if pool.set_aside > 0 {
            let ports = counted(pool.set_aside.into(), "port");
            self.paragraph(&format!("{ports} of the pool are excluded or reserved: nobody is given them"))?;
        }
        let unexplained = self.report.unexplained.iter().flatten().find(|row| row.pool == index);
        if let Some(row) = unexplained.filter(|row| row.ports > 0) {
            let possible: Vec<&str> = row.possible.iter().map(|code| possible_text(code)).collect();
            self.paragraph(&format!(
                "{}, {}, are not visible here: {}",
                counted(row.ports.into(), "port"),
                percent_of(row.ports, pool.count),
                possible.join(", or ")
            ))?;
        }
        Ok(())
    }

    fn has_services(&self, holders: &[&HolderRow]) -> bool {
        let rows = holders.iter().take(self.layout.top).filter_map(|holder| self.report.processes.get(holder.process));
        rows.into_iter().any(|row| !row.services.is_empty())
    }

    fn oldest(&self, row: &ProcessRow) -> String {
        let end = self.report.traces.iter().filter_map(|trace| trace.ended).max();
        let age = row.held_since.zip(end).map(|(since, end)| end.since(since)).filter(|age| *age >= 0);
        age.map(age_text).unwrap_or_default()
    }

    fn looks_like(&self, holder: &HolderRow, row: &ProcessRow) -> String {
        if row.roles.contains(&"kernel") {
            return "kernel: drivers and services in it".to_owned();
        }
        let minutes = self.minutes();
        let rate = |count: u64| minutes.map(|minutes| format!("{:.0}/min", count as f64 / minutes));
        match holder.pattern {
            Some(Pattern::Leak) if holder.released == 0 => "leak: binds without close".to_owned(),
            Some(Pattern::Leak) if holder.released * 10 > holder.obtained => "leak: not all are closed".to_owned(),
            Some(Pattern::Leak) => "leak: hardly any close".to_owned(),
            Some(Pattern::Load) => match rate(row.binds_ok) {
                Some(rate) => format!("load: {rate} binds"),
                None => "load: binds and closes".to_owned(),
            },
            Some(Pattern::Churn) => match rate(row.binds_ok) {
                Some(rate) => format!("churn: {rate} binds"),
                None => "churn: TIME_WAIT".to_owned(),
            },
            Some(Pattern::Reservation) => "reserved range".to_owned(),
            None if self.is_dns(row) => "DNS Server's socket pool: normal".to_owned(),
            None => String::new(),
        }
    }

    fn is_dns(&self, row: &ProcessRow) -> bool {
        row.image.as_ref().is_some_and(|image| image.eq_ignore_ascii_case("dns.exe"))
    }

    /// Minutes that the traces last.
    fn minutes(&self) -> Option<f64> {
        let start = self.report.traces.iter().filter_map(|trace| trace.started).min()?;
        let end = self.report.traces.iter().filter_map(|trace| trace.ended).max()?;
        let minutes = end.since(start) as f64 / 600_000_000.0;
        (minutes > 0.0).then_some(minutes)
    }

    /// How sockets changed from listing to listing.
    pub(super) fn trends(&mut self) -> io::Result<()> {
        let report = self.report;
        if report.trends.is_empty() {
            return Ok(());
        }
        let samples = report.trends.iter().map(|trend| trend.samples).max().unwrap_or(0);
        self.heading("TREND", &format!("sockets in {samples} listings, those first that change most"))?;
        let mut table = Table::new(&[
            ("process", Align::Left),
            ("PID", Align::Right),
            ("state", Align::Left),
            ("first", Align::Right),
            ("last", Align::Right),
            ("peak", Align::Right),
            ("per min", Align::Right),
        ]);
        for trend in report.trends.iter().take(self.layout.top) {
            let row = trend.process.and_then(|index| report.processes.get(index));
            let waits = trend.state.as_deref() == Some("TIME_WAIT");
            let process = match row {
                Some(row) => name(row),
                None if waits => "(no owner any more)".to_owned(),
                None => "(name unknown)".to_owned(),
            };
            table.row(vec![
                process,
                trend.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
                shown(trend.state.as_deref().unwrap_or(trend.protocol.name())),
                grouped(trend.first.into()),
                grouped(trend.last.into()),
                grouped(trend.peak.into()),
                trend.per_minute.map(per_minute).unwrap_or_default(),
            ]);
        }
        self.table(&table)?;
        let hidden = report.trends.len().saturating_sub(self.layout.top);
        if hidden > 0 {
            self.line(&format!("  ({hidden} more)"))?;
        }
        Ok(())
    }
}

/// What the evidence of these holders is, most frequent first.
fn evidence_of(holders: &[&HolderRow]) -> String {
    let strongest = holders.iter().max_by_key(|holder| holder.ports).map(|holder| holder.evidence);
    match strongest {
        Some(Evidence::A) => "evidence A: a listing of sockets".to_owned(),
        Some(Evidence::B) => "evidence B: TCP/IP's list of connections".to_owned(),
        Some(Evidence::C) => "evidence C: binds minus closes in this trace".to_owned(),
        Some(Evidence::D) => "evidence D: closed connections in TIME_WAIT".to_owned(),
        None => "evidence E: failures alone, which name no holder".to_owned(),
    }
}

fn evidence_name(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::A => "listing",
        Evidence::B => "rundown",
        Evidence::C => "trace",
        Evidence::D => "TIME_WAIT",
    }
}

fn possible_text(code: &str) -> &'static str {
    match code {
        "bound_before_capture" => "bound before the capture began",
        "dual_stack" => "taken by sockets of IPv6 that serve IPv4 too (see those of IPv6)",
        "kernel" => "held by the kernel (drivers)",
        "bound_not_listed" => "bound sockets, which netstat lists only with -q",
        "ended_processes" => "left by processes that have ended",
        "excluded_ranges" => "excluded ranges (no listing was given)",
        "longer_time_wait" => "a longer TIME_WAIT than estimated",
        _ => "",
    }
}

/// An age in its largest unit.
fn age_text(age_100ns: i64) -> String {
    let seconds = age_100ns / FileTime::SECOND;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn per_minute(rate: f64) -> String {
    if rate.abs() >= 10.0 { format!("{rate:+.0}") } else { format!("{rate:+.1}") }
}
