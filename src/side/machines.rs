//! A text that shows several machines, in its parts: what each of them is of, and what each reader may put together.

use std::borrow::Cow;

use super::host::{Host, has_script_heading, is_same_machine};
use super::lines::{Lines, is_prompt, is_socket_row, starts_as_command};
use crate::progress::Progress;

/// The machine that facts are of, as their file tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Machine {
    /// Its name or address; `None` where the file names none.
    pub name: Option<String>,
    /// The file shows that it is another one than that whose console it is: a remote session or command, a container.
    pub is_elsewhere: bool,
}

/// What of a text is of one machine.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'t> {
    pub(super) machine: Machine,
    pub(super) text: Cow<'t, str>,
    /// Where the lines of `text` stand in the whole: the number of a line here, and what is to be added from there on.
    moved: Vec<(u64, u64)>,
}

impl Part<'_> {
    /// The number of a line in the whole text.
    pub(super) fn line(&self, line: u64) -> u64 {
        let moved = self.moved.iter().rev().find(|(from, _)| *from <= line);
        line + moved.map_or(0, |(_, by)| *by)
    }
}

/// So many machines are told apart in a text; the others stay with the last.
const MAX_MACHINES: usize = 256;

/// What stands in a text that names machines: one of these at least.
const SIGNS: [&str; 20] = [
    "]: PS ",
    "hostname",
    "Host Name",
    "COMPUTERNAME",
    "computername",
    "ComputerName",
    "Machine: ",
    "\\\\",
    "/s ",
    "/S ",
    "/node",
    "-cn ",
    "winrs",
    "docker",
    "kubectl",
    "crictl",
    "podman",
    "ssh ",
    "Invoke-Command",
    "netsh -r",
];

/// The parts of a text by the machines that it names, in the order in which these come; all of it where they are not several.
pub(super) fn parts<'t>(text: &'t str, progress: &dyn Progress) -> Vec<Part<'t>> {
    let whole = |machine| vec![Part { machine, text: Cow::Borrowed(text), moved: Vec::new() }];
    let may_be_row = |line: &str| ["TCP", "UDP"].iter().any(|protocol| line.trim_start().starts_with(protocol));
    let has_heading = || text.lines().any(|line| !may_be_row(line) && has_script_heading(line.trim()));
    if !SIGNS.iter().any(|sign| text.contains(sign)) && !has_heading() {
        return whole(Machine::default());
    }
    let spans = spans(text, progress);
    let mut machines: Vec<Machine> = Vec::new();
    for span in &spans {
        let is_told = span.has_rows && !machines.contains(&span.machine);
        if is_told {
            machines.push(span.machine.clone());
        }
    }
    match machines.as_slice() {
        [] => whole(Machine::default()),
        [machine] => whole(machine.clone()),
        _ => machines.into_iter().map(|machine| part(text, &spans, machine)).collect(),
    }
}

fn part(text: &str, spans: &[Span], machine: Machine) -> Part<'static> {
    let mut own = String::new();
    let (mut moved, mut lines) = (Vec::new(), 0_u64);
    for span in spans.iter().filter(|span| span.machine == machine) {
        // What was asked of several machines stands above the first of them.
        if let Some(command) = span.command.and_then(|(start, end)| text.get(start..end)) {
            own.push_str(command);
            lines += 1;
        }
        moved.push((lines + 1, span.first_line.saturating_sub(lines + 1)));
        let of_span = text.get(span.start..span.end).unwrap_or_default();
        own.push_str(of_span);
        lines += of_span.matches('\n').count() as u64;
    }
    Part { machine, text: Cow::Owned(own), moved }
}

/// Lines side by side that are of one machine.
#[derive(Debug)]
struct Span {
    machine: Machine,
    start: usize,
    end: usize,
    /// From 1.
    first_line: u64,
    /// Where the command stands that it is an answer to, where that is no part of it.
    command: Option<(usize, usize)>,
    /// It holds more than lines that name a machine.
    has_rows: bool,
}

fn spans(text: &str, progress: &dyn Progress) -> Vec<Span> {
    let mut host = Host::default();
    let mut spans: Vec<Span> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let mut command = None;
    let mut lines = Lines::watched(text, progress);
    loop {
        let start = text.len() - lines.rest().len();
        let Some(line) = lines.next() else { break };
        let end = text.len() - lines.rest().len();
        let is_row = is_socket_row(line.text);
        if is_row && let Some(last) = spans.last_mut() {
            (last.end, last.has_rows) = (end, true);
            continue;
        }
        let before = host.name();
        let is_command = !is_row && is_command(line.trimmed());
        if is_command {
            command = Some((start, end));
        }
        if !is_row {
            host.see(line.text);
        }
        let machine = match spans.last() {
            Some(last) if host.name() == before => last.machine.clone(),
            _ => Machine { name: host.name().map(|name| known(&mut names, name)), is_elsewhere: host.is_elsewhere() },
        };
        let has_rows = host.name() == before && !line.is_blank();
        match spans.last_mut().filter(|last| last.machine == machine || names.len() >= MAX_MACHINES) {
            Some(last) => {
                last.end = end;
                last.has_rows |= has_rows;
            }
            None => {
                let command = command.filter(|_| !is_command);
                spans.push(Span { machine, start, end, first_line: line.number, command, has_rows: is_row });
            }
        }
    }
    let is_named = |span: &Span| span.machine.name.is_some() && !span.machine.is_elsewhere;
    // A console is of one machine until it names another one: what stands above the first name is its, too.
    if let Some(name) = spans.iter().find(|span| is_named(span)).map(|span| span.machine.name.clone()) {
        spans
            .iter_mut()
            .filter(|span| span.machine.name.is_none())
            .for_each(|span| span.machine.name.clone_from(&name));
    }
    // Asked from elsewhere, and at its own console: one machine.
    let consoles: Vec<Machine> = spans.iter().filter(|span| is_named(span)).map(|span| span.machine.clone()).collect();
    for span in spans.iter_mut().filter(|span| span.machine.is_elsewhere) {
        span.machine.is_elsewhere = !consoles.iter().any(|console| console.name == span.machine.name);
    }
    spans
}

fn is_command(line: &str) -> bool {
    is_prompt(line) || starts_as_command(line)
}

/// A name as it was written first.
fn known(names: &mut Vec<String>, name: String) -> String {
    if let Some(known) = names.iter().find(|known| is_same_machine(known, &name)) {
        return known.clone();
    }
    if names.len() < MAX_MACHINES {
        names.push(name.clone());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoProgress;

    /// Machines, and whether they are elsewhere, with their parts.
    fn told(text: &str) -> Vec<(Option<String>, bool, String)> {
        let parts = parts(text, &NoProgress).into_iter();
        parts.map(|part| (part.machine.name, part.machine.is_elsewhere, part.text.into_owned())).collect()
    }

    const ROW: &str = "  TCP    0.0.0.0:135    0.0.0.0:0    LISTENING    900\n";

    #[test]
    fn a_text_of_one_machine_stays_whole() {
        for text in [
            format!("C:\\>netstat -ano\n{ROW}"),
            format!("C:\\>hostname\nSRV01\nC:\\>netstat -ano\n{ROW}"),
            format!("C:\\>netstat -ano\n{ROW}\nC:\\>hostname\nSRV01\n\nC:\\>tasklist /s SRV01\na b 1\n"),
            format!("[SRV01]: PS C:\\> netstat -ano\n{ROW}"),
        ] {
            let told = told(&text);
            assert_eq!((told.len(), &told[0].2), (1, &text));
        }
    }

    #[test]
    fn parts_are_of_the_machine_that_was_asked() {
        let text = format!(
            "C:\\>netstat -ano\n{ROW}\nC:\\>tasklist /s SRV02\na.exe 900 b\n\nC:\\>netstat -anoq\n{ROW}\nC:\\>hostname\nSRV01\n"
        );
        let told = told(&text);
        let names: Vec<_> = told.iter().map(|(name, is_elsewhere, _)| (name.as_deref(), *is_elsewhere)).collect();
        assert_eq!(names, [(Some("SRV01"), false), (Some("SRV02"), true)]);
        assert_eq!(told[1].2, "C:\\>tasklist /s SRV02\na.exe 900 b\n\n");
        assert_eq!(told[0].2.matches(ROW).count(), 2);
        let parts = parts(&text, &NoProgress);
        assert_eq!((parts[0].line(2), parts[0].line(4), parts[1].line(2)), (2, 7, 5));
    }

    #[test]
    fn the_next_server_is_another_machine() {
        let text =
            format!("C:\\>hostname\nSRV01\nC:\\>netstat -ano\n{ROW}C:\\>hostname\nSRV02\nC:\\>tasklist\na.exe 900 b\n");
        let told = told(&text);
        assert_eq!(told.iter().map(|(name, ..)| name.as_deref()).collect::<Vec<_>>(), [Some("SRV01"), Some("SRV02")]);
    }
}
