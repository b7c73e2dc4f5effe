//! Side files of several machines: a case is about one of them, and what the others' files tell is left out.
//!
//! A PID, a port range and an entry of a log mean nothing on another machine. Which machine a file is of, the text tells, or its
//! name, or the folder that it lies in; where nothing does, it is taken to be of the machine that the case is about.

use std::collections::{BTreeMap, BTreeSet};

use super::contents::Contents;
use super::places::{File, places};
use super::server_names::server_names;
use super::side::SideInput;
use crate::side::facts::{SideFacts, SocketListing, SourceId, TcpState};
use crate::side::{Machine, label};
use crate::words::{counted, shown};

/// So many names of machines are told, and that there are more.
const MAX_NAMED: usize = 5;

/// What one side input told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) source: SourceId,
    pub(super) facts: SideFacts,
    pub(super) machine: Machine,
}

/// Where facts are from, as far as that is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    /// What tells the machine's name from others.
    name: Option<String>,
    /// The name of a server in the path.
    of_path: Option<String>,
    file: String,
    /// Of another machine than that whose console the file shows.
    is_elsewhere: bool,
}

impl Origin {
    fn differs(&self, other: &Self) -> bool {
        let apart = |one: &Option<String>, other: &Option<String>| {
            one.as_ref().zip(other.as_ref()).map(|(one, other)| one != other)
        };
        let by_name = apart(&self.name, &other.name);
        let by_path = || apart(&self.of_path, &other.of_path);
        let by_console = || (self.file == other.file).then_some(self.is_elsewhere != other.is_elsewhere);
        by_name.or_else(by_console).or_else(by_path).unwrap_or(false)
    }
}

/// The machine that the case is about.
struct Subject {
    origin: Origin,
    /// As it is written.
    shown: Option<String>,
    /// Other machines that its file asks.
    others: BTreeSet<String>,
}

impl Subject {
    fn differs(&self, other: &Origin) -> bool {
        let is_other = other.name.as_ref().is_some_and(|name| self.others.contains(name));
        is_other || self.origin.differs(other)
    }
}

/// Adds what side files told to the facts of a case: all of it, or what is of the machine that has most sockets.
pub(super) fn settle(contents: &mut Contents, told: Vec<Told>) {
    let traces: Vec<&str> = contents.traces.iter().map(|trace| trace.path.as_str()).collect();
    let (origins, of_trace) = origins(&told, &contents.side_inputs, &traces);
    let Some(subject) = subject(&told, &origins, of_trace, !traces.is_empty()) else {
        told.into_iter().for_each(|told| contents.side.add(told.facts, told.source));
        tell_writers(contents);
        return;
    };
    let mut left_out: BTreeSet<String> = BTreeSet::new();
    let mut count = 0_u64;
    for (mut told, origin) in told.into_iter().zip(origins) {
        let input = contents.side_inputs.get_mut(told.source);
        if subject.differs(&origin) {
            let name = told.machine.name.or(origin.of_path);
            if let Some(input) = input.filter(|input| input.used) {
                input.leave_out(&foreign(name.as_deref(), &subject));
                count += 1;
                left_out.extend(name);
            }
            continue;
        }
        let foreign_entries = forget_entries(&mut told.facts, &subject);
        if let (Some(input), Some(entries)) = (input, foreign_entries) {
            input.tell(&entries);
        }
        contents.side.add(told.facts, told.source);
    }
    if count > 0 {
        let names: Vec<String> = left_out.iter().map(|name| quoted(name)).collect();
        let of = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
        let verb = if count == 1 { "is" } else { "are" };
        contents.notes.push(format!(
            "{} {verb} of another machine{of} than the sockets that are counted{}: not used; for that machine, give its files alone",
            counted(count, "listing"),
            subject.shown.as_deref().map_or_else(String::new, |name| format!(" ({})", quoted(name)))
        ));
    }
}

/// Says so where entries of several machines are counted together.
fn tell_writers(contents: &mut Contents) {
    let computers = contents.side.system_events.iter().filter_map(|event| event.computer.as_ref());
    let names: BTreeMap<String, &String> = computers.map(|computer| (label(computer), computer)).collect();
    if names.len() > 1 {
        let first: Vec<String> = names.values().take(MAX_NAMED).map(|name| quoted(name)).collect();
        let others = if names.len() > MAX_NAMED { " and others" } else { "" };
        contents.notes.push(format!(
            "the entries of event logs are of {} ({}{others}), and are counted together: for one of them give its files alone",
            counted(names.len() as u64, "machine"),
            first.join(", ")
        ));
    }
}

/// Why something is left out.
fn foreign(name: Option<&str>, subject: &Subject) -> String {
    let of = name.map_or_else(|| "another machine".to_owned(), quoted);
    let counted = subject.shown.as_deref().map_or_else(|| "another machine".to_owned(), quoted);
    format!("it is of {of}, and the sockets that are counted are of {counted}: not used")
}

/// In quotation marks: it is the words of a file.
fn quoted(name: &str) -> String {
    format!("\u{201c}{}\u{201d}", shown(name))
}

/// Takes entries of logs out of facts that another machine wrote, and says so.
fn forget_entries(facts: &mut SideFacts, subject: &Subject) -> Option<String> {
    let own = subject.origin.name.as_ref()?;
    let is_own = |computer: &String| label(computer) == *own;
    let before = facts.system_events.len();
    facts.system_events.retain(|event| event.computer.as_ref().is_none_or(is_own));
    let count = (before - facts.system_events.len()) as u64;
    if facts.computers.iter().any(|computer| !is_own(computer)) {
        // The span of several logs is none of this machine's.
        facts.log_spans.clear();
        facts.computers.retain(is_own);
    }
    (count > 0).then(|| format!("{} of other machines, not used", counted(count, "event")))
}

/// Where each of the facts is from, and the name of a server in the paths of traces.
fn origins(told: &[Told], inputs: &[SideInput], traces: &[&str]) -> (Vec<Origin>, Option<String>) {
    let paths: Vec<&str> = told.iter().map(|told| inputs.get(told.source).map_or("", |input| &input.path)).collect();
    let all: Vec<&str> = paths.iter().chain(traces).copied().collect();
    let names = server_names(&all);
    let files: Vec<File<'_>> = told.iter().zip(&paths).map(|(told, path)| file(path, &told.facts)).collect();
    let by_address = if names.iter().all(Option::is_none) { places(&files) } else { Vec::new() };
    let (mut names, mut by_address) = (names.into_iter(), by_address.into_iter());
    let origins: Vec<Origin> = told
        .iter()
        .zip(&paths)
        .map(|(told, path)| Origin {
            name: told.machine.name.as_deref().map(label).or_else(|| writer(&told.facts)),
            of_path: names.next().flatten().or_else(|| by_address.next().flatten()),
            file: (*path).to_owned(),
            is_elsewhere: told.machine.is_elsewhere,
        })
        .collect();
    let mut of_traces = names.flatten();
    let of_trace = of_traces.next().filter(|first| of_traces.all(|other| other == *first));
    // A name that no other file has need not be of a server.
    let is_shared = |name: &String| origins.iter().any(|origin: &Origin| origin.of_path.as_ref() == Some(name));
    let of_trace = of_trace.filter(is_shared);
    (origins, of_trace)
}

/// A file with the addresses of all of its sockets, but for those that a command has picked: they need not be all.
fn file<'a>(path: &'a str, facts: &SideFacts) -> File<'a> {
    let whole = facts.listings.iter().filter(|listing| listing.picking().is_none());
    File { path, addresses: whole.flat_map(SocketListing::own_addresses).collect() }
}

/// The machine that wrote all entries of a log.
fn writer(facts: &SideFacts) -> Option<String> {
    let of_events = facts.system_events.iter().map(|event| event.computer.as_ref());
    let mut names = facts.computers.iter().map(Some).chain(of_events);
    let first = label(names.next()??);
    names.all(|name| name.is_some_and(|name| label(name) == first)).then_some(first)
}

/// The machine that the case is about: that of the traces where their paths tell it, else that whose sockets are most at one
/// moment. `None` where all is of one, or where traces are to tell whose listings they contradict.
fn subject(told: &[Told], origins: &[Origin], of_trace: Option<String>, has_traces: bool) -> Option<Subject> {
    let with_sockets = || told.iter().zip(origins).filter(|(told, _)| !told.facts.listings.is_empty());
    let most = |facts: &SideFacts| facts.listings.iter().map(sockets).max().unwrap_or(0);
    // Of equals the first by name and path, in whatever order they were given.
    let (first, origin) =
        with_sockets().min_by_key(|(told, origin)| (std::cmp::Reverse(most(&told.facts)), *origin, told.source))?;
    let mut subject = Subject {
        origin: origin.clone(),
        shown: first.machine.name.clone().or_else(|| origin.of_path.clone()),
        others: BTreeSet::new(),
    };
    if let Some(name) = of_trace {
        let origin = Origin { name: None, of_path: Some(name.clone()), file: String::new(), is_elsewhere: false };
        (subject.origin, subject.shown) = (origin, Some(name));
    } else if has_traces && with_sockets().any(|(_, other)| subject.origin.differs(other)) {
        return None;
    }
    subject.learn(told, origins);
    let is_foreign = |(told, origin): (&Told, &Origin)| {
        let own = subject.origin.name.as_ref();
        let is_other = |name: &String| own.is_some_and(|own| label(name) != *own);
        subject.differs(origin)
            || told.facts.system_events.iter().filter_map(|event| event.computer.as_ref()).any(is_other)
    };
    told.iter().zip(origins).any(is_foreign).then_some(subject)
}

impl Subject {
    /// The name of what is known by its path, or the path of what is known by its name; and whom its file asks.
    fn learn(&mut self, told: &[Told], origins: &[Origin]) {
        let same = |one: &Option<String>, other: &Option<String>| one.is_some() && one == other;
        let mut known: Vec<(&Origin, &Told)> = origins.iter().zip(told).collect();
        known.sort_by_key(|(origin, told)| (*origin, told.source));
        for (origin, told) in &known {
            if self.origin.name.is_none() && same(&origin.of_path, &self.origin.of_path) && !origin.is_elsewhere {
                self.origin.name.clone_from(&origin.name);
                if let Some(name) = &told.machine.name {
                    self.shown = Some(name.clone());
                }
            }
        }
        for (origin, _) in &known {
            if self.origin.of_path.is_none() && same(&origin.name, &self.origin.name) {
                self.origin.of_path.clone_from(&origin.of_path);
            }
        }
        let of_file = known.iter().filter(|(origin, _)| origin.file == self.origin.file && self.origin.differs(origin));
        self.others = of_file.filter_map(|(origin, _)| origin.name.clone()).collect();
    }
}

/// How many sockets a listing has, those aside that listen.
fn sockets(listing: &SocketListing) -> u64 {
    let counted = listing.sockets.iter().filter(|socket| socket.state != Some(TcpState::Listen));
    counted.map(|socket| u64::from(socket.count)).sum()
}
