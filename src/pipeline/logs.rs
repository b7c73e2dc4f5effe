//! Entries of logs beside the events of traces, in one order by time.

use crate::event::{EventMeta, LoggedEvent, NetEvent};
use crate::providers::afd;
use crate::status::NtStatus;
use crate::time::FileTime;

/// A log and a trace may tell the time of one event differently, by less than this.
const SAME_EVENT_100NS: i64 = FileTime::SECOND / 10;

/// The socket events of logs, given out as the events of traces come. Between the first and the last socket event of the
/// traces these tell everything themselves: what a log has of that time is the same once more.
#[derive(Debug, Default)]
pub struct Logs<'l> {
    rest: &'l [LoggedEvent],
    /// The last socket event of a trace so far.
    told_until: Option<FileTime>,
    /// What became of the entries so far.
    pub read: LogsRead,
}

/// What became of the entries of logs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogsRead {
    /// Entries that were given out.
    pub used: u64,
    /// Of these, binds, enter and exit.
    pub binds: u64,
    /// Of these, failures with 0xC0000209.
    pub failures: u64,
    /// Entries of a time of which traces tell.
    pub repeated: u64,
    /// Entries before these.
    pub before_repeated: u64,
}

impl<'l> Logs<'l> {
    /// Of these entries, sorted by time.
    pub fn new(entries: &'l [LoggedEvent]) -> Self {
        Self { rest: entries, ..Self::default() }
    }

    /// Gives what comes before an event of a trace.
    pub fn before(&mut self, meta: &EventMeta, event: &NetEvent, give: impl FnMut(&EventMeta, &NetEvent)) {
        if self.rest.is_empty() {
            return;
        }
        if !matches!(event, NetEvent::Socket(_)) {
            // Between socket events it is not known yet whether another one follows.
            if self.told_until.is_none() {
                self.give_until(FileTime(meta.time.0.saturating_sub(SAME_EVENT_100NS)), give);
            }
            return;
        }
        if self.told_until.is_none() {
            self.give_until(FileTime(meta.time.0.saturating_sub(SAME_EVENT_100NS)), give);
        }
        self.told_until = self.told_until.max(Some(meta.time));
        self.pass_over();
    }

    /// Gives what is left.
    pub fn rest(&mut self, give: impl FnMut(&EventMeta, &NetEvent)) {
        self.pass_over();
        self.give_until(FileTime(i64::MAX), give);
    }

    fn pass_over(&mut self) {
        let Some(until) = self.told_until else { return };
        let until = FileTime(until.0.saturating_add(SAME_EVENT_100NS));
        let count = self.rest.partition_point(|entry| entry.time <= until);
        if self.read.repeated == 0 {
            self.read.before_repeated = self.read.used;
        }
        self.read.repeated += count as u64;
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    fn give_until(&mut self, time: FileTime, mut give: impl FnMut(&EventMeta, &NetEvent)) {
        while let Some((entry, rest)) = self.rest.split_first().filter(|(entry, _)| entry.time <= time) {
            self.rest = rest;
            self.read.used += 1;
            self.read.binds += u64::from(afd::is_bind(entry.id));
            self.read.failures += u64::from(entry.event.status == Some(NtStatus::TOO_MANY_ADDRESSES));
            give(&entry.meta(), &NetEvent::Socket(entry.event));
        }
    }
}
