//! What else it could be: causes of the same symptoms, ruled out or not, each with its reason.

mod symptoms;

use serde::Serialize;

use super::codes::AlternativeCode;
use super::system_events::LogReach;
use crate::time::FileTime;
use crate::words::{counted, grouped};
pub use symptoms::{OtherFailures, PortOwner, Symptoms};

/// What is known about another cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is not the cause.
    RuledOut,
    /// It happened too, and explains failures of its own.
    Seen,
    /// The inputs do not tell.
    Unknown,
}

/// Another cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Alternative {
    /// Which.
    pub code: AlternativeCode,
    /// What is known about it.
    pub standing: Standing,
    /// For people.
    pub text: String,
    /// Failures that it explains, or entries of the log that tell of it; 0 where none.
    pub failures: u64,
}

/// 497 days: the tick counter of 10 ms ends then, and TIME_WAIT does not end any more (KB2553549, Windows Vista to 7 and
/// Server 2008 to 2008 R2).
const TICKS_END_100NS: i64 = 497 * 86_400 * FileTime::SECOND;

/// Looks at each other cause.
pub fn alternatives(symptoms: &Symptoms) -> Vec<Alternative> {
    let mut list = Vec::new();
    let mut push = |code, standing, failures, text| list.push(Alternative { code, standing, text, failures });
    let has_binds = symptoms.bind_records > 0;
    let of = |failures: &OtherFailures| match (failures.count, has_binds) {
        (0, true) => Standing::RuledOut,
        (0, false) => Standing::Unknown,
        _ => Standing::Seen,
    };
    let conflict = of(&symptoms.in_use);
    let text = match conflict {
        Standing::RuledOut => "fixed-port conflict: no bind met a port in use (0xC000020A)".to_owned(),
        Standing::Unknown => "fixed-port conflict: there is no bind event".to_owned(),
        Standing::Seen => {
            format!("fixed-port conflict: {}, counted separately", describe(&symptoms.in_use, "met a port in use"))
        }
    };
    push(AlternativeCode::FixedPortConflict, conflict, symptoms.in_use.count, text);
    let denied = of(&symptoms.denied);
    let excluded = match symptoms.excluded {
        Some(0) => "; none overlaps a pool".to_owned(),
        Some(count) => format!("; {} of the pools are excluded", counted(count.into(), "port")),
        None => "; no listing of them was given".to_owned(),
    };
    let standing = if denied == Standing::RuledOut && symptoms.excluded.is_some_and(|count| count > 0) {
        Standing::Seen
    } else {
        denied
    };
    let text = match denied {
        Standing::RuledOut => format!("excluded ranges: no bind was refused with 0xC0000022{excluded}"),
        Standing::Unknown => format!("excluded ranges: there is no bind event{excluded}"),
        Standing::Seen => {
            format!(
                "excluded ranges or exclusive use: {}{excluded}",
                describe(&symptoms.denied, "ended with access denied (0xC0000022)")
            )
        }
    };
    push(AlternativeCode::ExcludedRange, standing, symptoms.denied.count, text);
    let memory = of(&symptoms.no_memory);
    let text = match memory {
        Standing::RuledOut => "memory shortage: no bind failed with 0xC000009A".to_owned(),
        Standing::Unknown => "memory shortage: there is no bind event".to_owned(),
        Standing::Seen => format!(
            "memory shortage: {}: applications see the same error 10055, but the kernel lacked memory, not ports",
            describe(&symptoms.no_memory, "failed with 0xC000009A")
        ),
    };
    push(AlternativeCode::MemoryShortage, memory, symptoms.no_memory.count, text);
    let (standing, text) = match (symptoms.log_reach, symptoms.tuple_reuse_events) {
        (LogReach::None, 0) => (
            Standing::Unknown,
            "a connection's addresses reused too soon (Tcpip 4227): no event log was given".to_owned(),
        ),
        (LogReach::Elsewhere, 0) => (
            Standing::Unknown,
            "a connection's addresses reused too soon (Tcpip 4227): no System log reaches from before the trace into it"
                .to_owned(),
        ),
        (LogReach::Whole, 0) => (
            Standing::RuledOut,
            "a connection's addresses reused too soon: no Tcpip 4227 in the event log".to_owned(),
        ),
        (_, count) => (
            Standing::Seen,
            format!(
                "a connection's addresses reused too soon: Tcpip 4227, {}{}; alone this is not exhaustion but many connections to one server",
                counted(count, "time"),
                symptoms.most_connects.as_ref().map_or_else(String::new, |(who, remote)| format!("; {who} connects most to one address, {remote}"))
            ),
        ),
    };
    push(AlternativeCode::TupleReuse, standing, symptoms.tuple_reuse_events, text);
    if let (Some(build), Some(uptime)) = (symptoms.os_build, symptoms.uptime_100ns) {
        let days = grouped(u64::try_from(uptime / (86_400 * FileTime::SECOND)).unwrap_or(0));
        let (standing, text) = if !(6000..=7601).contains(&build) {
            (Standing::RuledOut, format!("TIME_WAIT that never ends after 497 days (KB2553549): not in build {build}"))
        } else if uptime < TICKS_END_100NS {
            (Standing::RuledOut, format!("TIME_WAIT that never ends after 497 days (KB2553549): up for {days} days"))
        } else {
            (
                Standing::Seen,
                format!(
                    "TIME_WAIT that never ends after 497 days (KB2553549): up for {days} days, build {build}: install the fix or restart"
                ),
            )
        };
        push(AlternativeCode::TimeWait497Days, standing, 0, text);
    }
    list
}

fn describe(failures: &OtherFailures, what: &str) -> String {
    let mut text = format!("{} {what}", counted(failures.count, "bind"));
    if let Some(port) = failures.port {
        let share = match failures.count {
            1 => "",
            count if failures.on_port == count => "all ",
            _ => "most ",
        };
        text.push_str(&format!(", {share}on port {port}"));
    }
    if let Some((ports, first, last)) = failures.scattered {
        text.push_str(&format!(", on {} from {first} to {last}", counted(ports, "port")));
    }
    if let Some(by) = &failures.by {
        text.push_str(&format!(", by {by}"));
    }
    if let Some(PortOwner { label, by }) = &failures.port_owner {
        let ports = if failures.scattered.is_some() { "these ports" } else { "the port" };
        text.push_str(&format!(" ({by} shows that {label} has {ports})"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(symptoms: &Symptoms, code: &str) -> (Standing, String) {
        let found = alternatives(symptoms).into_iter().find(|alternative| alternative.code.as_str() == code).unwrap();
        (found.standing, found.text)
    }

    #[test]
    fn without_bind_events_nothing_is_ruled_out() {
        let all = alternatives(&Symptoms::default());
        assert!(all.iter().all(|alternative| alternative.standing == Standing::Unknown), "{all:?}");
    }

    #[test]
    fn a_conflict_tells_its_port_and_process() {
        let in_use = OtherFailures {
            count: 214,
            port: Some(8080),
            on_port: 214,
            by: Some("w3wp.exe (PID 7)".to_owned()),
            ..OtherFailures::default()
        };
        let symptoms = Symptoms { bind_records: 900, in_use, ..Symptoms::default() };
        let want = "fixed-port conflict: 214 binds met a port in use, all on port 8080, by w3wp.exe (PID 7), counted separately";
        assert_eq!(standing(&symptoms, "fixed_port_conflict"), (Standing::Seen, want.to_owned()));
        assert_eq!(standing(&symptoms, "memory_shortage").0, Standing::RuledOut);
    }

    #[test]
    fn a_conflict_over_many_ports_names_none_of_them() {
        let port_owner = Some(PortOwner { label: "media.exe (PID 9)".to_owned(), by: "the trace" });
        let in_use = OtherFailures {
            count: 300,
            scattered: Some((300, 49_152, 49_451)),
            port_owner,
            ..OtherFailures::default()
        };
        let symptoms = Symptoms { bind_records: 900, in_use, ..Symptoms::default() };
        let want = "fixed-port conflict: 300 binds met a port in use, on 300 ports from 49152 to 49451 \
            (the trace shows that media.exe (PID 9) has these ports), counted separately";
        assert_eq!(standing(&symptoms, "fixed_port_conflict").1, want);
    }

    #[test]
    fn the_old_bug_needs_an_old_build_and_a_long_uptime() {
        let day = 86_400 * FileTime::SECOND;
        let of = |build, days| {
            let symptoms = Symptoms { os_build: Some(build), uptime_100ns: Some(days * day), ..Symptoms::default() };
            standing(&symptoms, "time_wait_497_days").0
        };
        assert_eq!(of(20348, 900), Standing::RuledOut);
        assert_eq!(of(7601, 496), Standing::RuledOut);
        assert_eq!(of(7601, 497), Standing::Seen);
    }
}
