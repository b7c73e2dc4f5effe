//! All processes by PID and life span.

use super::process::{Process, SAME_MOMENT_100NS};
use crate::event::ProcessEvent;
use crate::hash::FastMap;
use crate::machine::owner::ProcessId;
use crate::time::FileTime;

/// Processes that are told apart. A machine that starts ten a second fills this in seven hours.
pub(super) const MAX_PROCESSES: usize = 1 << 18;

/// All processes, and the latest one of each PID.
#[derive(Debug, Default)]
pub(super) struct Lives {
    processes: Vec<Process>,
    /// The latest process of each PID.
    by_pid: FastMap<u32, ProcessId>,
    /// Rises whenever a process comes, ends, or is replaced.
    pub(super) changes: u64,
    /// There were too many processes already.
    pub(super) overflowed: bool,
}

impl Lives {
    /// All of them, in the order in which they were first seen.
    pub(super) fn all(&self) -> &[Process] {
        &self.processes
    }

    /// The same, to be changed.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        self.processes.iter_mut()
    }

    #[inline]
    pub(super) fn get(&self, id: ProcessId) -> Option<&Process> {
        self.processes.get(id.index())
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: ProcessId) -> Option<&mut Process> {
        self.processes.get_mut(id.index())
    }

    #[inline]
    pub(super) fn latest(&self, pid: u32) -> Option<(ProcessId, &Process)> {
        let id = *self.by_pid.get(&pid)?;
        Some((id, self.get(id)?))
    }

    /// Notes down another process with `pid`.
    pub(super) fn insert(&mut self, pid: u32, time: FileTime) -> ProcessId {
        self.changes += 1;
        if let Some(previous) = self.by_pid.get(&pid).copied()
            && let Some(previous) = self.get_mut(previous)
        {
            previous.replaced = true;
        }
        let number = self.processes.len();
        let Some(id) = u32::try_from(number).ok().filter(|_| number < MAX_PROCESSES).map(ProcessId) else {
            self.overflowed = true;
            return ProcessId::BEYOND;
        };
        self.processes.push(Process::new(pid, time));
        self.by_pid.insert(pid, id);
        id
    }

    /// The process with `pid` that runs at `time`, noted down where it was not known.
    pub(super) fn running(&mut self, pid: u32, time: FileTime) -> ProcessId {
        match self.latest(pid) {
            Some((id, process)) if process.is_alive() => id,
            _ => self.insert(pid, time),
        }
    }

    /// The machine was started again: nobody runs any more.
    pub(super) fn restart(&mut self) {
        self.changes += 1;
        for process in &mut self.processes {
            process.replaced = true;
        }
    }

    /// The process that an event of a socket's creation states, by its PID and the address of its object, 0 where it does
    /// not tell. Another address than before means another process: the address is constant while a process lives.
    pub(super) fn creator(&mut self, pid: u32, eprocess: u64, time: FileTime) -> ProcessId {
        let known = match self.latest(pid) {
            Some((id, process)) if process.is_alive() => {
                let same = eprocess == 0 || process.eprocess.is_none_or(|known| known == eprocess);
                same.then_some(id)
            }
            _ => None,
        };
        known.unwrap_or_else(|| self.insert(pid, time))
    }

    /// A process starts: which one, and whether it was not known before.
    pub(super) fn start(&mut self, event: &ProcessEvent, time: FileTime) -> (ProcessId, bool) {
        let started = event.created.unwrap_or(time);
        let same = self.latest(event.pid).filter(|(_, process)| {
            let told_by_other = !process.start_sources.contains(&event.source);
            let seen_just_now = time.since(process.first_seen) <= SAME_MOMENT_100NS;
            process.is_alive() && told_by_other && seen_just_now
        });
        let same = same.map(|(id, _)| id);
        let id = same.unwrap_or_else(|| self.insert(event.pid, time));
        if let Some(process) = self.get_mut(id) {
            process.start_sources.push(event.source);
            // Kernel-Process states the exact time of creation, the kernel logger's event only has its own.
            if process.started.is_none() || event.created.is_some() {
                process.started = Some(started);
            }
        }
        (id, same.is_none())
    }

    /// A process ends: which one.
    pub(super) fn end(&mut self, event: &ProcessEvent, time: FileTime) -> ProcessId {
        self.changes += 1;
        let told_by_other = |process: &Process| {
            let just_now = process.ended.is_some_and(|ended| time.since(ended).saturating_abs() <= SAME_MOMENT_100NS);
            just_now && !process.end_sources.contains(&event.source)
        };
        let id = match self.latest(event.pid) {
            Some((id, process))
                if (process.is_alive() || told_by_other(process)) && !process.was_created_apart_from(event) =>
            {
                id
            }
            _ => self.insert(event.pid, time),
        };
        // A stated exit time is used where it agrees with the event's own; hours apart it is the clock that was set.
        let exited = event.exited.filter(|exited| exited.since(time).saturating_abs() <= 60 * FileTime::SECOND);
        if let Some(process) = self.get_mut(id) {
            if process.ended.is_none() || event.exited.is_some() {
                process.ended = Some(exited.unwrap_or(time));
            }
            process.end_sources.push(event.source);
        }
        id
    }

    /// A process was there before the trace, or is at its end: which one.
    pub(super) fn rundown(&mut self, event: &ProcessEvent, time: FileTime) -> ProcessId {
        let same = self.latest(event.pid).filter(|(_, process)| {
            let other_object = match (event.eprocess, process.eprocess) {
                (Some(new), Some(known)) => new != known,
                _ => false,
            };
            let is_other = other_object || process.has_other_image(event) || process.was_created_apart_from(event);
            process.is_alive() && !is_other
        });
        match same {
            Some((id, _)) => id,
            None => self.insert(event.pid, time),
        }
    }

    /// The object of a process that has ended was there when the session asked: which one.
    pub(super) fn defunct(&mut self, event: &ProcessEvent, time: FileTime) -> ProcessId {
        self.changes += 1;
        // A PID is free again when the object is gone, not before: it is this process's.
        let known = self.latest(event.pid).map(|(id, _)| id);
        let id = known.unwrap_or_else(|| self.insert(event.pid, time));
        let exited = event.exited.filter(|exited| *exited <= time);
        if let (Some(process), Some(exited)) = (self.get_mut(id), exited)
            && process.ended.is_none()
            && process.started.is_none_or(|started| started <= exited)
        {
            process.ended = Some(exited);
        }
        id
    }
}
