//! One process: a PID with a life span, and how its name is known.

use crate::event::{ProcessEvent, ProcessSource, is_same_image};
use crate::machine::owner::is_kernel;
use crate::machine::pool_key::Compartment;
use crate::machine::tally::Tally;
use crate::time::FileTime;

/// Two providers report the same start, and clocks of payload and header differ: what lies closer together than this
/// (100 ns units) is one happening. The largest difference seen in real traces is 1.2 ms; a PID is not reused that fast
/// without an end event in between.
pub(super) const SAME_MOMENT_100NS: i64 = FileTime::SECOND;

/// How an image name is known, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum NameRank {
    KernelProcess,
    Mof,
    Live,
    /// From an event that cuts long names.
    Cut,
}

/// One process: a PID and a life span.
#[derive(Debug, Clone)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Kernel address of its object, where known.
    pub eprocess: Option<u64>,
    /// When it was created, where told.
    pub started: Option<FileTime>,
    /// When it ended, where seen.
    pub ended: Option<FileTime>,
    /// The network compartment of its sockets, as TCP/IP last told it.
    pub compartment: Compartment,
    /// What it did with sockets.
    pub tally: Tally,
    pub(super) first_seen: FileTime,
    /// It is in the list of those that hold ports.
    pub(super) is_holder: bool,
    /// The PID or the EPROCESS address has been seen with another process since.
    pub(super) replaced: bool,
    pub(super) start_sources: Vec<ProcessSource>,
    pub(super) end_sources: Vec<ProcessSource>,
    name: Option<(NameRank, String)>,
}

impl Process {
    pub(super) fn new(pid: u32, first_seen: FileTime) -> Self {
        Self {
            pid,
            eprocess: None,
            started: None,
            ended: None,
            compartment: Compartment::OWN,
            tally: Tally::default(),
            first_seen,
            is_holder: false,
            replaced: false,
            start_sources: Vec::new(),
            end_sources: Vec::new(),
            name: None,
        }
    }

    /// Whether it may still run at the time of the event at hand.
    pub(super) fn is_alive(&self) -> bool {
        self.ended.is_none() && !self.replaced
    }

    /// Whether the event tells another time of creation: it is of another process with this PID.
    pub(super) fn was_created_apart_from(&self, event: &ProcessEvent) -> bool {
        match (self.started, event.created) {
            (Some(known), Some(told)) => told.since(known).saturating_abs() > SAME_MOMENT_100NS,
            // Created after this PID was first seen: the PID changed hands unseen.
            (None, Some(told)) => told.since(self.first_seen) > SAME_MOMENT_100NS,
            (_, None) => false,
        }
    }

    /// Whether the event tells another image, from a source that has named it before: it is of another process with this PID.
    pub(super) fn has_other_image(&self, event: &ProcessEvent) -> bool {
        let known = self.image().filter(|(_, source)| *source == event.source && !is_kernel(self.pid));
        known.zip(event.image.as_deref()).is_some_and(|((known, _), told)| !is_same_image(known, told))
    }

    /// Whether it may have run until the end of the trace, so that a list taken then can name it.
    pub fn lasts(&self) -> bool {
        self.is_alive()
    }

    /// Image path or name as the trace tells it, and who told.
    pub fn image(&self) -> Option<(&str, ProcessSource)> {
        self.name.as_ref().map(|(rank, name)| {
            let source = match rank {
                NameRank::Mof => ProcessSource::Mof,
                NameRank::Live => ProcessSource::Live,
                NameRank::KernelProcess | NameRank::Cut => ProcessSource::KernelProcess,
            };
            (name.as_str(), source)
        })
    }

    /// Whether the name comes from an event that cuts long names, and is long enough to have been cut.
    pub fn image_may_be_cut(&self) -> bool {
        matches!(&self.name, Some((NameRank::Cut, name)) if name.len() >= 14)
    }

    pub(super) fn offer_name(&mut self, event: &ProcessEvent) {
        let Some(image) = &event.image else { return };
        let rank = match event.source {
            ProcessSource::Mof => NameRank::Mof,
            ProcessSource::Live => NameRank::Live,
            ProcessSource::KernelProcess if event.image_may_be_cut => NameRank::Cut,
            ProcessSource::KernelProcess => NameRank::KernelProcess,
        };
        if self.name.as_ref().is_none_or(|(known, _)| rank < *known) {
            self.name = Some((rank, image.clone()));
        }
    }
}
