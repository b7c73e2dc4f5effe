//! Failures in numbers, those of other statuses beside those of exhaustion.

use serde::Serialize;

use super::evidence::VerdictEvidence;
use crate::machine::Findings;
use crate::status::{NtStatus, shares_low_word_only};

/// Failures in numbers.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Failures {
    /// Bind completions with 0xC0000209; the sum over all processes.
    pub binds: u64,
    /// Connect completions with 0xC0000209; the sum over all processes.
    pub connects: u64,
    /// Completions with another status whose low 16 bits are 0x0209.
    pub other_low_word: u64,
    /// Sockets with at least one of these bind or connect failures.
    pub endpoints: u64,
    /// Requests that TCP/IP itself says it refused because no local port was free (TCPIP 1006, 1050, 1394).
    pub tcpip_refusals: u64,
    /// Ports that TCP/IP gave twice (TCPIP 1195).
    pub weak_references: u64,
    /// Every status that operations failed with, by operation and status.
    pub by_status: Vec<StatusRow>,
    /// Bind and connect failures of sockets in each of the traces, in their order.
    #[serde(skip)]
    pub by_trace: Vec<u64>,
}

/// One status that operations failed with.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StatusRow {
    /// The status, never success nor pending.
    pub status: NtStatus,
    /// Its name, such as `STATUS_ACCESS_DENIED`.
    pub name: Option<&'static str>,
    /// `bind`, `connect` or `create`.
    pub operation: &'static str,
    /// Completions.
    pub count: u64,
    /// What it means here beside exhaustion.
    #[serde(skip)]
    pub meaning: Option<StatusMeaning>,
}

/// What a status other than 0xC0000209 means for the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusMeaning {
    /// The port asked for is another socket's.
    FixedPortInUse,
    /// Network Monitor's filter takes it for 0xC0000209, and it is none.
    SameLowWord,
}

impl StatusMeaning {
    fn of(status: NtStatus) -> Option<Self> {
        match status {
            NtStatus::ADDRESS_ALREADY_EXISTS | NtStatus::SHARING_VIOLATION => Some(Self::FixedPortInUse),
            status if shares_low_word_only(status) => Some(Self::SameLowWord),
            _ => None,
        }
    }

    /// As a table says it.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::FixedPortInUse => "a fixed port is in use",
            Self::SameLowWord => "same low word as 0xC0000209, another status",
        }
    }
}

/// Counts the failures of a case.
pub(super) fn failures(findings: &Findings, evidence: &VerdictEvidence) -> Failures {
    let sockets = &findings.sockets;
    let traces = u16::try_from(evidence.traces).unwrap_or(u16::MAX);
    let by_status = sockets.by_status.iter().map(|(&(operation, status), &count)| StatusRow {
        status,
        name: status.name(),
        operation: operation.name(),
        count,
        meaning: StatusMeaning::of(status),
    });
    Failures {
        binds: evidence.bind_failures,
        connects: evidence.connect_failures,
        other_low_word: sockets.other_low_word,
        endpoints: sockets.failed_sockets,
        tcpip_refusals: evidence.refusals,
        weak_references: evidence.weak_references,
        by_status: by_status.collect(),
        by_trace: (0..traces).map(|trace| sockets.failures_by_trace.get(&trace).copied().unwrap_or(0)).collect(),
    }
}
