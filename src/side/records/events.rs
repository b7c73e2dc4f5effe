//! Entries of event logs as tables, lists and objects: `wevtutil qe /f:text`, `Get-WinEvent`, copies and saves of the event
//! viewer.
//!
//! Used is an entry whose time says how far it is from UTC. Local times, with day and month in the order of a language, do not
//! say when something was: of these the ids alone are told.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Found;
use crate::side::columns::{Column, Record};
use crate::side::event_log::is_known;
use crate::side::facts::{RowCount, SystemEvent};
use crate::side::remote::is_here;
use crate::time::{FileTime, from_timestamp};

/// Entries of a log that is being read.
#[derive(Debug, Clone, Default)]
pub(super) struct Entries {
    events: Vec<SystemEvent>,
    /// Ids of entries about ports whose time is not certain.
    doubtful: BTreeSet<u32>,
}

impl Entries {
    pub(super) fn row(&mut self, record: &Record<'_>) -> bool {
        let id = record.number::<u32>(Column::EventId).or_else(|| record.number(Column::Pid));
        let (Some(id), Some(provider)) = (id, record.get(Column::EventSource)) else { return false };
        // `InstanceId` has the severity in its high half.
        let id = id & 0xFFFF;
        if !is_known(provider, id) {
            return true;
        }
        match record.get(Column::DateTime).and_then(certain_time) {
            Some(time) => {
                let computer = record.get(Column::Machine).filter(|name| !is_here(name)).map(str::to_owned);
                self.events.push(SystemEvent { source: 0, time, provider: provider.to_owned(), id, computer });
            }
            None => drop(self.doubtful.insert(id)),
        }
        true
    }

    pub(super) fn end(&mut self, count: RowCount, found: &mut Found) {
        found.event_rows.add(count);
        found.events.append(&mut self.events);
        found.doubtful_events.append(&mut self.doubtful);
    }
}

/// A time that names its distance from UTC: `2026-11-22T20:01:10.6114771Z`, with `+01:00`, or `/Date(1795377670611)/` of JSON,
/// milliseconds since 1970 in UTC.
fn certain_time(text: &str) -> Option<FileTime> {
    let milliseconds = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/"));
    let time = match milliseconds {
        Some(digits) => Timestamp::from_millisecond(digits.parse().ok()?).ok()?,
        None => text.parse().ok()?,
    };
    from_timestamp(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_are_certain() {
        for text in [
            "2026-11-22T20:01:10.6110000Z",
            "2026-11-22T21:01:10.611+01:00",
            "2026-11-22 21:01:10.611+01:00",
            "/Date(1795377670611)/",
        ] {
            let time = certain_time(text).map(|time| time.to_string());
            assert_eq!(time.as_deref(), Some("2026-11-22T20:01:10.6110000Z"), "{text}");
        }
        for text in ["2026-11-22T20:01:10.611", "11/22/2026 9:01:10 PM", "22.11.2026 21:01:10", "/Date(x)/", ""] {
            assert_eq!(certain_time(text), None, "{text}");
        }
    }
}
