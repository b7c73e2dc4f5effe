//! Sysinternals `handle -a afd` and `handle -a`: how many handles to AFD, which are sockets, each process has.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{HandleCount, RowCount};
use super::lines::{Command, Lines, is_banner, is_prompt};

const DEVICE: &str = "\\device\\afd";

/// What a text holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Handles {
    /// AFD handles of each process, by process id; `source` is 0.
    pub counts: Vec<HandleCount>,
    /// Handles to AFD, and those of which the text does not tell the process.
    pub rows: RowCount,
}

/// Counts AFD handles for each process; `None` where the text names none.
pub fn parse(text: &str) -> Option<Handles> {
    read(Lines::new(text))
}

/// What the program was run for, and what it listed.
type Run = (Option<String>, BTreeMap<u32, HandleCount>);

/// What holds of several runs: the last of those for the same, and of those for different ones what the last says of a process.
fn latest(runs: Vec<Run>) -> BTreeMap<u32, HandleCount> {
    let mut counts = BTreeMap::new();
    let mut told = BTreeSet::new();
    for (command, of_run) in runs.into_iter().rev().filter(|(_, of_run)| !of_run.is_empty()) {
        if told.insert(command) {
            for (pid, count) in of_run {
                counts.entry(pid).or_insert(count);
            }
        }
    }
    counts
}

/// The same, line by line.
pub(super) fn read(lines: Lines<'_>) -> Option<Handles> {
    let mut runs: Vec<Run> = vec![Run::default()];
    let mut rows = RowCount::default();
    // `handle -a` prints a line for each process above those of its handles; Process Explorer does so, too.
    let mut section: Option<(&str, u32)> = None;
    let mut command = Command::default();
    for line in lines {
        let text = line.trimmed();
        let owner = owner(text).or_else(|| of_explorer(text));
        if !names_afd(text) {
            section = owner.or(section);
            // A heading may begin with the name of a program.
            let is_command = (is_prompt(text) || text.to_ascii_lowercase().starts_with("handle")) && command.see(text);
            if is_command || is_banner(text) {
                section = None;
                let asked = command.asked();
                match runs.last_mut() {
                    Some((known, counts)) if counts.is_empty() => *known = asked,
                    _ => runs.push((asked, BTreeMap::new())),
                }
            }
            continue;
        }
        let of_command = || pid_of_command(command.text()).map(|pid| ("", pid));
        let Some((image, pid)) = owner.or(section).or_else(of_command) else {
            rows.missed(line.number);
            continue;
        };
        rows.read();
        let Some((_, counts)) = runs.last_mut() else { continue };
        let count = counts.entry(pid).or_insert_with(|| HandleCount {
            source: 0,
            pid,
            image: (!image.is_empty()).then(|| image.to_owned()),
            count: 0,
        });
        count.count = count.count.saturating_add(1);
    }
    (rows.rows + rows.not_understood > 0).then(|| Handles { counts: latest(runs).into_values().collect(), rows })
}

/// The process whose handles `handle -p 7312` lists.
fn pid_of_command(command: &str) -> Option<u32> {
    let mut words = command.split_whitespace().skip_while(|word| !matches!(*word, "-p" | "/p"));
    words.nth(1).and_then(super::columns::number)
}

/// Whether a line is that of a handle to AFD: the name is what stands last, behind the handle's number or kind.
fn names_afd(line: &str) -> bool {
    let Some(name) = line.rsplit(char::is_whitespace).next() else { return false };
    let before = line.strip_suffix(name).unwrap_or("").trim_end();
    let is_numbered = before.contains(':') && has_number(before);
    let is_kind = before.eq_ignore_ascii_case("file");
    is_afd(name) && (is_numbered || is_kind)
}

/// `1A4:` among the words before the name.
fn has_number(line: &str) -> bool {
    line.split_whitespace().any(|word| {
        let digits = word.strip_suffix(':').map(|word| word.trim_start_matches("0x")).unwrap_or("");
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Whether the name of a handle is that of AFD: its device, or what stands below.
pub(super) fn is_afd(name: &str) -> bool {
    let Some((device, below)) = name.trim().split_at_checked(DEVICE.len()) else { return false };
    device.eq_ignore_ascii_case(DEVICE) && (below.is_empty() || below.starts_with('\\'))
}

/// `Process: explorer.exe Pid: 1234`, above the handles that Process Explorer saves.
fn of_explorer(line: &str) -> Option<(&str, u32)> {
    let (image, pid) = line.strip_prefix("Process: ")?.split_once(" Pid: ")?;
    Some((image.trim(), pid.trim().parse().ok()?))
}

/// `EAConnect.exe      pid: 7312   type: File ...`
fn owner(line: &str) -> Option<(&str, u32)> {
    let (image, rest) = line.split_once(" pid: ")?;
    let pid = rest.split_whitespace().next()?.parse().ok()?;
    Some((image.trim(), pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(pid: u32, image: &str, count: u64) -> HandleCount {
        HandleCount { source: 0, pid, image: Some(image.to_owned()), count }
    }

    #[test]
    fn one_line_for_each_handle() {
        let text = "\nNthandle v5.0 - Handle viewer\n\nEAConnect.exe      pid: 7312   type: File           1A4: \\Device\\Afd\r\n\
            System             pid: 4      type: File           2C: \\Device\\Afd\\Endpoint\n\
            My App.exe         pid: 99     type: File           DOMAIN\\user   30: \\Device\\Afd\n\
            EAConnect.exe      pid: 7312   type: File           1A8: \\Device\\Afd\n\
            EAConnect.exe      pid: 7312   type: File           1AC: \\Device\\Afdx\n\
            EAConnect.exe      pid: 7312   type: File           1B0: C:\\afd\n";
        let want = [count(4, "System", 1), count(99, "My App.exe", 1), count(7312, "EAConnect.exe", 2)];
        assert_eq!(parse(text).unwrap().counts, want);
    }

    #[test]
    fn sections_of_all_handles() {
        let text = "------------------------------------------------\nlsass.exe pid: 812 NT AUTHORITY\\SYSTEM\n    4: Event         \n  \
            1A4: File  (---)   \\Device\\Afd\n  1A8: File  (RW-)   C:\\Windows\\System32\n\
            ------------------------------------------------\nw3wp.exe pid: 900 IIS APPPOOL\\x\n   10: File  (---)   \\Device\\Afd\n   \
            14: File  (---)   \\Device\\Afd\n";
        assert_eq!(parse(text).unwrap().counts, [count(812, "lsass.exe", 1), count(900, "w3wp.exe", 2)]);
    }

    #[test]
    fn of_several_runs_the_last_counts() {
        let rows = |count: usize| {
            "a.exe   pid: 7312   type: File   1A4: \\Device\\Afd\n".repeat(count)
                + "b.exe   pid: 99   type: File   1A4: \\Device\\Afd\n"
        };
        let run =
            |command: &str, count: usize| format!("C:\\>{command}\n\nNthandle v5.0 - Handle viewer\n\n{}", rows(count));
        let counts =
            |text: &str| parse(text).unwrap().counts.iter().map(|count| (count.pid, count.count)).collect::<Vec<_>>();
        assert_eq!(counts(&(run("handle -a afd", 5) + &run("handle -a afd", 3))), [(99, 1), (7312, 3)]);
        let banner = |count: usize| format!("Nthandle v5.0 - Handle viewer\n\n{}", rows(count));
        assert_eq!(counts(&(banner(5) + &banner(2))), [(99, 1), (7312, 2)]);
        // Each process by a command of its own.
        let of_one = |pid: u32, count: usize| {
            format!("C:\\>handle -p {pid}\n{}", "  1A4: File  (---)   \\Device\\Afd\n".repeat(count))
        };
        assert_eq!(counts(&(of_one(7312, 4) + &of_one(2840, 2))), [(2840, 2), (7312, 4)]);
        assert_eq!(counts(&(of_one(7312, 4) + &of_one(7312, 5))), [(7312, 5)]);
    }

    #[test]
    fn other_text_is_no_list() {
        assert_eq!(parse("see \\Device\\Afd: it is a device\nsee: \\Device\\Afd\n"), None);
        let filtered = parse("see \\Device\\Afd: it is a device\n  1A4: File  (---)   \\Device\\Afd\n").unwrap();
        assert_eq!((filtered.counts.len(), filtered.rows.first_not_understood), (0, Some(2)), "process not listed");
        assert_eq!(parse(""), None);
    }
}
