//! Rows of processes and of handles.

use std::collections::BTreeMap;

use super::Found;
use crate::side::columns::{Column, Record, grouped_number};
use crate::side::facts::{HandleCount, ProcessName, ProcessStart, RowCount, ServiceProcess};
use crate::side::handles::is_afd;
use crate::side::taken::taken_in;
use crate::side::tasklist::{Task, forget_placeholder, is_module, split_services};

/// Processes with their names, and how many handles each has.
#[derive(Debug, Clone, Default)]
pub(super) struct Processes {
    handles: Vec<HandleCount>,
    names: Vec<ProcessName>,
    services: Vec<ServiceProcess>,
    starts: Vec<ProcessStart>,
    /// The name is that of the process, whatever it looks like.
    is_named: bool,
    /// A column counts something of each process, and does not say what.
    has_counts: bool,
}

impl Processes {
    pub(super) fn new(columns: &[Column]) -> Self {
        let has = |column| columns.contains(&column);
        let is_named = has(Column::ProcessName) || has(Column::Handles);
        Self { is_named, has_counts: has(Column::Count), ..Self::default() }
    }

    pub(super) fn row(&mut self, record: &Record<'_>) -> bool {
        let Some(pid) = record.number::<u32>(Column::Pid) else { return false };
        let name = record.get(Column::ProcessName).or_else(|| record.get(Column::Name));
        // Process Explorer draws a tree with blanks, and marks.
        let image = name.map(|name| name.trim_start_matches(['-', '+', '|', ' ']).to_owned());
        let count = record.get(Column::Handles).map(grouped_number);
        let is_system = |name: &str| matches!((pid, name), (0, "System Idle Process") | (4, "System"));
        let is_image = |name: &str| self.is_named || is_system(name) || name.to_ascii_lowercase().ends_with(".exe");
        let start = image.as_deref().and_then(|image| start(record, pid, image));
        match (image, count) {
            (_, Some(None)) => return false,
            (image, Some(Some(count))) => self.handles.push(HandleCount { source: 0, pid, image, count }),
            (Some(image), None) if is_image(&image) && !image.is_empty() => {
                self.names.push(ProcessName { source: 0, pid, image });
            }
            // A service, with the PID of its process, or nothing.
            (_, None) => match service(record) {
                // One that does not run has no process.
                Some(_) if pid == 0 => {}
                Some(name) => self.services.push(ServiceProcess { source: 0, pid, name: name.to_owned() }),
                None => return false,
            },
        }
        self.starts.extend(start);
        true
    }

    pub(super) fn end(&mut self, count: RowCount, found: &mut Found) {
        if self.handles.is_empty() && self.names.is_empty() && self.services.is_empty() {
            return;
        }
        if self.has_counts {
            found.note(
                "a column counts something of each process without saying what: sockets in which states, not used",
            );
        }
        found.process_rows.add(count);
        found.handles.append(&mut self.handles);
        found.names.append(&mut self.names);
        found.services.append(&mut self.services);
        found.starts.append(&mut self.starts);
    }
}

/// When the process of a row started, where a column says so.
fn start(record: &Record<'_>, pid: u32, image: &str) -> Option<ProcessStart> {
    let started = taken_in(record.get(Column::Started)?)?;
    Some(ProcessStart { pid, image: image.to_owned(), started })
}

/// The name of a service, as `sc queryex` and `Win32_Service` tell it: both name states in English.
fn service<'r>(record: &Record<'r>) -> Option<&'r str> {
    let state = record.get(Column::State)?;
    let mut words = state.split(|c: char| !c.is_alphabetic());
    let is_of_service = words.any(|word| ["running", "stopped"].iter().any(|known| word.eq_ignore_ascii_case(known)));
    record.get(Column::Services).or_else(|| record.get(Column::Name)).filter(|_| is_of_service)
}

/// Handles, one in each row: those to AFD are sockets.
#[derive(Debug, Clone, Default)]
pub(super) struct AfdHandles {
    counts: BTreeMap<u32, HandleCount>,
}

impl AfdHandles {
    pub(super) fn row(&mut self, record: &Record<'_>) -> bool {
        let Some(pid) = record.number::<u32>(Column::Pid) else { return false };
        if !record.get(Column::Name).is_some_and(is_afd) {
            return true;
        }
        let image = record.get(Column::ProcessName).map(str::to_owned);
        let count = self.counts.entry(pid).or_insert(HandleCount { source: 0, pid, image, count: 0 });
        count.count = count.count.saturating_add(1);
        true
    }

    pub(super) fn end(&mut self, count: RowCount, found: &mut Found) {
        if count.rows == 0 {
            return;
        }
        found.handle_rows.add(count);
        found.afd_handles.extend(std::mem::take(&mut self.counts).into_values());
    }
}

/// Processes with their services, or with modules.
#[derive(Debug, Clone, Default)]
pub(super) struct Tasks {
    tasks: Vec<Task>,
    starts: Vec<ProcessStart>,
    modules: bool,
}

impl Tasks {
    pub(super) fn row(&mut self, record: &Record<'_>) -> bool {
        let image = record.get(Column::ProcessName).or_else(|| record.get(Column::Name));
        let (Some(image), Some(pid)) = (image, record.number::<u32>(Column::Pid)) else { return false };
        let services = record.get(Column::Services).unwrap_or("");
        self.modules |= record.has(Column::Modules) || split_services(services).any(|name| is_module(&name));
        let services = if self.modules { Vec::new() } else { split_services(services).collect() };
        self.starts.extend(start(record, pid, image));
        self.tasks.push(Task { image: image.to_owned(), pid, services });
        true
    }

    pub(super) fn end(&mut self, count: RowCount, found: &mut Found) {
        if self.tasks.is_empty() {
            return;
        }
        if self.modules {
            self.tasks.iter_mut().for_each(|task| task.services.clear());
        }
        forget_placeholder(&mut self.tasks);
        found.task_rows.add(count);
        found.tasks.append(&mut self.tasks);
        found.starts.append(&mut self.starts);
    }
}
