//! `tasklist` output: the table, and `/fo csv`, with or without `/svc`.
//!
//! Told by shape, not by words, since these are translated: a line of `=` gives the columns of the table; the second
//! column is the PID; a third and last one holds services.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::columns::{Column, number};
use super::facts::{RowCount, Taken};
use super::lines::{Lines, is_ellipsis, is_prompt, is_socket_row};
use super::table::{cells_at, rule};
use super::taken::Clock;

/// One process of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Image name; tables cut it at 25 characters.
    pub image: String,
    /// Process id.
    pub pid: u32,
    /// Services in the process; empty without `/svc`.
    pub services: Vec<String>,
}

/// `tasklist /v` has 9 columns; what has more is something else.
const MAX_COLUMNS: usize = 16;

/// So many lines side by side that are no rows end a table.
const MAX_MISSES: usize = 4;

/// Image names in tables are cut at this many characters.
pub const IMAGE_CUT_AT: usize = 25;

/// Reads the lists in `text`; of a process that several list the last counts. `None` where there is none.
pub fn parse(text: &str) -> Option<Vec<Task>> {
    read(Lines::new(text)).map(|(tasks, _)| tasks)
}

/// The same, and how many rows there are.
pub(super) fn read(lines: Lines<'_>) -> Option<(Vec<Task>, RowCount)> {
    let mut count = RowCount::default();
    let mut lists = tables(lines, &mut count);
    if lists.is_empty() {
        lists.extend(comma_separated(lines, &mut count));
    }
    if lists.is_empty() {
        return None;
    }
    let mut last: Vec<Task> = Vec::new();
    let mut places: HashMap<u32, usize> = HashMap::new();
    for list in &mut lists {
        forget_modules(list);
        forget_placeholder(list);
        for task in list.drain(..) {
            let known = places.get(&task.pid).and_then(|at| last.get_mut(*at));
            match known.filter(|known| known.image.eq_ignore_ascii_case(&task.image)) {
                Some(known) => *known = task,
                // Of a PID that was given again, each process is kept.
                None => {
                    places.insert(task.pid, last.len());
                    last.push(task);
                }
            }
        }
    }
    Some((last, count))
}

/// When each table in `text` was taken, where a time stands above it.
pub(super) fn taken(lines: Lines<'_>) -> Vec<Option<Taken>> {
    let mut clock = Clock::default();
    let mut taken = Vec::new();
    for line in lines.filter(|line| !line.is_blank() && !is_socket_row(line.text)) {
        if columns(line.text).is_some() {
            taken.push(clock.take());
        } else {
            clock.see(line.trimmed());
        }
    }
    taken
}

/// PIDs that a command asked for by name, and that are not there: `tasklist /fi "pid eq 7312"`, `Get-Process -Id 7312`.
pub(super) fn absent(lines: Lines<'_>) -> Vec<u32> {
    /// What stands in front of a sentence that is an answer, in languages of Windows.
    const INFORMATION: [&str; 5] = ["inf", "инф", "情報", "信息", "정보"];
    let mut absent = Vec::new();
    let mut asked: Option<u32> = None;
    for line in lines.filter(|line| !line.is_blank() && !is_socket_row(line.text)) {
        let text = line.trimmed().to_lowercase();
        let behind = |sign: &str| {
            let (_, behind) = text.split_once(sign)?;
            number::<u32>(behind.trim_start().split(|c: char| !c.is_ascii_digit()).next()?)
        };
        let is_answer = INFORMATION.iter().any(|word| text.starts_with(word)) && text.contains([':', '：']);
        absent.extend(asked.take().filter(|_| is_answer));
        absent.extend(behind("process with the process identifier"));
        asked = behind("pid eq").filter(|_| text.contains("tasklist"));
    }
    absent
}

/// Whether a name is that of a module: `tasklist /m` lists these where `/svc` lists services.
pub(super) fn is_module(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".dll", ".drv", ".exe", ".cpl", ".ocx", ".sys", ".ax", ".tsp", ".nls", ".mui"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// Whether a name may be that of a process: of a program, or of one of the system's own, which has no numbers and signs.
pub(super) fn is_image(name: &str) -> bool {
    let is_program = name.to_ascii_lowercase().ends_with(".exe");
    is_program || (!name.is_empty() && name.chars().all(|c| c.is_alphabetic() || c == ' '))
}

/// Whether a name is that of a package, as `tasklist /apps` lists it: a name, a version, an architecture, a resource, and the
/// publisher in 13 characters.
fn is_package(name: &str) -> bool {
    let parts: Vec<&str> = name.split('_').collect();
    let is_version =
        |text: &str| text.split('.').count() == 4 && text.split('.').all(|part| number::<u32>(part).is_some());
    matches!(parts.as_slice(), [_, version, .., publisher] if parts.len() >= 4 && is_version(version) && publisher.len() == 13)
}

/// What the last column is called is translated; names with the endings of modules are no services, and neither are packages.
fn forget_modules(tasks: &mut [Task]) {
    if tasks.iter().any(|task| task.services.iter().any(|name| is_module(name) || is_package(name))) {
        tasks.iter_mut().for_each(|task| task.services.clear());
    }
}

/// What stands for "none" in the column of services, in languages of Windows.
const NONE: [&str; 17] = [
    "N/A",
    "Brak",
    "Yok",
    "Saknas",
    "N/D",
    "Nicht zutreffend",
    "Non disponible",
    "No disponible",
    "Non applicabile",
    "Niet van toepassing",
    "Nie dotyczy",
    "Není k dispozici",
    "Н/Д",
    "Δ/Υ",
    "暂缺",
    "該当なし",
    "해당 없음",
];

/// The idle process has no services, and no service runs in two processes: what stands there is the word for "none" in the
/// system's language.
pub(super) fn forget_placeholder(tasks: &mut [Task]) {
    let mut none: HashSet<Vec<String>> = NONE.iter().map(|word| vec![(*word).to_owned()]).collect();
    let mut pids: HashMap<&[String], u32> = HashMap::new();
    for task in tasks.iter().filter(|task| !task.services.is_empty()) {
        let first = *pids.entry(&task.services).or_insert(task.pid);
        if task.pid == 0 || first != task.pid {
            none.insert(task.services.clone());
        }
    }
    let is_no_name = |services: &[String]| matches!(services, [name] if !may_be_service(name));
    for task in tasks.iter_mut().filter(|task| none.contains(&task.services) || is_no_name(&task.services)) {
        task.services.clear();
    }
}

/// Whether a text may be the name of a service: these have no slash, no full stop at the end, and letters of ASCII.
fn may_be_service(name: &str) -> bool {
    name.is_ascii() && !name.contains(['/', '\\']) && !name.ends_with('.')
}

pub(super) fn split_services(text: &str) -> impl Iterator<Item = String> {
    // An arrow begins a remark.
    let names = text.split(" <").next().unwrap_or("").split(',');
    names.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// Start and end of each column, in characters, from the line of `=` below the heading.
fn columns(border: &str) -> Option<Vec<(usize, usize)>> {
    let is_border = border.trim_start().starts_with("===");
    rule(border).filter(|columns| is_border && columns.len() >= 2)
}

/// The tables of a text. A line that is no row ends one where no row follows.
fn tables(lines: Lines<'_>, count: &mut RowCount) -> Vec<Vec<Task>> {
    let mut tables: Vec<Vec<Task>> = Vec::new();
    let mut borders: Option<Vec<(usize, usize)>> = None;
    let mut tasks: Vec<Task> = Vec::new();
    let (mut pending, mut misses) = (RowCount::default(), 0);
    // The row above ends with a comma: its services go on.
    let mut is_open = false;
    for line in lines {
        if let Some(columns) = columns(line.text) {
            tables.push(std::mem::take(&mut tasks));
            (borders, pending, misses, is_open) = (Some(columns), RowCount::default(), 0, false);
            continue;
        }
        let Some(columns) = &borders else { continue };
        let goes_on = is_open && continue_services(line.trimmed(), &mut tasks);
        if goes_on || row(line.text, columns, &mut tasks) {
            is_open = line.trimmed().ends_with(',');
            count.read();
            count.add(std::mem::take(&mut pending));
            misses = 0;
            continue;
        }
        if line.is_blank() || is_ellipsis(line.text) {
            continue;
        }
        pending.missed(line.number);
        (misses, is_open) = (misses + 1, false);
        if misses > MAX_MISSES || is_prompt(line.text) {
            (borders, pending) = (None, RowCount::default());
        }
    }
    tables.push(tasks);
    tables.retain(|tasks| !tasks.is_empty());
    tables
}

/// The rest of the services of the row above where blanks in front of it were lost: names alone, none of them of a program.
fn continue_services(line: &str, tasks: &mut [Task]) -> bool {
    let names: Vec<&str> = line.trim_end_matches(',').split(',').map(str::trim).collect();
    let is_service = |name: &&str| !name.is_empty() && !name.contains(char::is_whitespace) && !is_module(name);
    let Some(task) = tasks.last_mut().filter(|task| !task.services.is_empty()) else { return false };
    let are_services = names.iter().all(is_service) && !is_prompt(line);
    if are_services {
        task.services.extend(names.into_iter().map(str::to_owned));
    }
    are_services
}

/// Reads a row of the table, or the rest of the services of the row above; `false` where it is neither.
fn row(line: &str, columns: &[(usize, usize)], tasks: &mut Vec<Task>) -> bool {
    let [_, _, others @ ..] = columns else { return false };
    if let Some(cells) = cells_at(line, columns)
        && let [image, pid, rest @ ..] = cells.as_slice()
    {
        // `RuntimeBroker.exe (runtimebroker07)` of `/apps`: the name of the application stands behind that of the image.
        let image = image.trim();
        let end = image.to_ascii_lowercase().find(".exe (").map_or(image.len(), |at| at + ".exe".len());
        let (image, pid) = (image.get(..end).unwrap_or(image), pid.trim());
        let services = match (others, rest) {
            ([_], [services]) => services.trim(),
            _ => "",
        };
        if image.is_empty() && pid.is_empty() {
            let (Some(task), false) = (tasks.last_mut(), services.is_empty()) else { return false };
            task.services.extend(split_services(services));
            return true;
        }
        if let Some(pid) = number(pid).filter(|_| !image.is_empty()) {
            tasks.push(Task { image: image.to_owned(), pid, services: split_services(services).collect() });
            return true;
        }
    }
    // Blanks were lost on the way: the PID is the first word that is a number.
    let mut words = line.split_whitespace();
    let mut image: Vec<&str> = Vec::new();
    let pid = words.by_ref().find_map(|word| {
        let pid = number::<u32>(word).filter(|_| !image.is_empty());
        if pid.is_none() {
            image.push(word);
        }
        pid
    });
    let Some(pid) = pid else { return false };
    let (image, rest) = (image.join(" "), words.collect::<Vec<_>>().join(" "));
    // Shown with fewer columns than the rule has, or another sentence with a number.
    let is_named = image.to_ascii_lowercase().ends_with(".exe") || (matches!(pid, 0 | 4) && is_image(&image));
    if !is_named || rest.is_empty() {
        return false;
    }
    let services = if others.len() == 1 { rest.as_str() } else { "" };
    tasks.push(Task { image, pid, services: split_services(services).collect() });
    true
}

/// Lists by `/fo csv`: everything is quoted, and there are as many columns as one of the forms of `tasklist` has.
fn comma_separated(lines: Lines<'_>, count: &mut RowCount) -> Option<Vec<Task>> {
    let mut tasks: Vec<Task> = Vec::new();
    let mut pending = RowCount::default();
    let mut heading: Vec<Column> = Vec::new();
    for line in lines {
        let text = line.trimmed();
        match quoted(text) {
            Some(task) => {
                tasks.push(task);
                count.read();
                count.add(std::mem::take(&mut pending));
            }
            None if text.is_empty() => {}
            None if tasks.is_empty() => {
                heading =
                    text.split("\",\"").take(MAX_COLUMNS).map(|name| Column::named(name.trim_matches('"'))).collect();
            }
            None if pending.not_understood >= MAX_MISSES as u64 => break,
            None => pending.missed(line.number),
        }
    }
    // Other lists have a name and a number in front, too.
    let third = heading.get(2).copied().unwrap_or(Column::Other);
    let is_named =
        matches!(third, Column::Services | Column::Modules | Column::Other) && !heading.contains(&Column::Handles);
    let is_image = |task: &Task| task.image.to_ascii_lowercase().ends_with(".exe") || matches!(task.pid, 0 | 4);
    let is_list = is_named && tasks.iter().any(is_image);
    if third == Column::Modules {
        tasks.iter_mut().for_each(|task| task.services.clear());
    }
    if !is_list {
        *count = RowCount::default();
    }
    is_list.then_some(tasks)
}

fn quoted(line: &str) -> Option<Task> {
    let cells: Vec<&str> = line.strip_prefix('"')?.strip_suffix('"')?.split("\",\"").take(MAX_COLUMNS).collect();
    let is_number = |text: &str| number::<u32>(text).is_some();
    // Other lists have numbers and addresses where this one has words.
    let is_words = |text: &str| !is_number(text) && text.trim().parse::<IpAddr>().is_err();
    let (image, pid, services) = match cells.as_slice() {
        [image, pid, services] if is_words(services) => (image, pid, *services),
        // The session's name and number, and the memory, with a unit; /v adds status, user, time and title.
        [image, pid, _, session, memory, rest @ ..] if rest.is_empty() || rest.len() == 4 => {
            let has_unit = memory.trim().starts_with(|c: char| c.is_ascii_digit()) && !is_number(memory);
            (is_number(session) && has_unit).then_some((image, pid, ""))?
        }
        _ => return None,
    };
    let (image, pid) = (image.trim(), pid.trim().parse().ok()?);
    let is_image = !image.is_empty() && is_words(image);
    is_image.then(|| Task { image: image.to_owned(), pid, services: split_services(services).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_was_asked_for_is_not_there() {
        let absent = |text: &str| absent(Lines::new(text));
        let asked = "C:\\>tasklist /svc /fi \"PID eq 7312\"\r\n";
        let no = "INFO: No tasks are running which match the specified criteria.\r\n";
        assert_eq!(absent(&format!("{asked}{no}")), [7312]);
        assert_eq!(absent(&format!("{asked}\r\nINFORMATION: Es werden keine Aufgaben ausgeführt.\r\n")), [7312]);
        assert_eq!(absent("Get-Process : Cannot find a process with the process identifier 7312.\r\n"), [7312]);
        assert!(absent(&format!("{asked}{TABLE}")).is_empty());
        assert!(absent(&format!("C:\\>tasklist /fi \"imagename eq a.exe\"\r\n{no}")).is_empty());
    }

    const TABLE: &str = "\r
Image Name                     PID Services                                    \r
========================= ======== ============================================\r
System Idle Process              0 N/A                                         \r
lsass.exe                     1032 EFS, KeyIso, SamSs, VaultSvc                \r
svchost.exe                   1156 BrokerInfrastructure, DcomLaunch, PlugPlay, \r
                                   Power, SystemEventsBroker                   \r
a-process-with-a-very-lon    12345 N/A                                         \r
";

    fn task(image: &str, pid: u32, services: &[&str]) -> Task {
        Task { image: image.to_owned(), pid, services: services.iter().map(|name| (*name).to_owned()).collect() }
    }

    #[test]
    fn table_with_services_and_wrapped_lines() {
        let tasks = parse(TABLE).unwrap();
        assert_eq!(tasks[0], task("System Idle Process", 0, &[]));
        assert_eq!(tasks[1], task("lsass.exe", 1032, &["EFS", "KeyIso", "SamSs", "VaultSvc"]));
        let wrapped = ["BrokerInfrastructure", "DcomLaunch", "PlugPlay", "Power", "SystemEventsBroker"];
        assert_eq!(tasks[2], task("svchost.exe", 1156, &wrapped));
        assert_eq!(tasks[3], task("a-process-with-a-very-lon", 12345, &[]));
        assert_eq!(tasks.len(), 4);
    }

    #[test]
    fn the_word_for_none_is_taken_from_the_idle_process() {
        let german = TABLE.replace("N/A   ", "Nicht zutreffend").replace("Image Name", "Abbildname");
        let tasks = parse(&german).unwrap();
        assert_eq!((tasks[0].services.len(), tasks[3].services.len()), (0, 0));
    }

    #[test]
    fn a_word_that_two_processes_have_is_no_service() {
        let rows = "========================= ======== ============================================\n\
            one.exe                       1032 Nenhum\ntwo.exe                       1156 Nenhum\n\
            svchost.exe                   1200 Dnscache\nthree.exe                     1300 Nicht zutreffend\n";
        let services: Vec<_> = parse(rows).unwrap().into_iter().map(|task| task.services.len()).collect();
        assert_eq!(services, [0, 0, 1, 0]);
    }

    #[test]
    fn table_without_services_and_a_prompt_behind() {
        let text = "C:\\> tasklist\n\n\
            Image Name                     PID Session Name        Session#    Mem Usage\n\
            ========================= ======== ================ =========== ============\n\
            System                           4 Services                   0        144 K\n\
            w3wp.exe                      5120 Services                   0    120,144 K\n\
            \nC:\\> echo done\ndone 12\n";
        assert_eq!(parse(text).unwrap(), [task("System", 4, &[]), task("w3wp.exe", 5120, &[])]);
    }

    #[test]
    fn packages_are_no_services() {
        let text = "Image Name                          PID Package Name\n\
            ============================== ======== ============================================\n\
            RuntimeBroker.exe (runtimebr       5120 Microsoft.AAD.BrokerPlugin_1000.19580.1000.2_neutral_neutral_cw5n1h2txyewy\n";
        assert_eq!(parse(text).unwrap(), [task("RuntimeBroker.exe", 5120, &[])]);
        assert!(!is_package("clr_optimization_v4.0.30319_64"));
    }

    #[test]
    fn no_other_number_is_taken_for_a_pid() {
        let text = "Image Name                     PID Session Name        Session#    Mem Usage\n\
            ========================= ======== ================ =========== ============\n\
            OrderGateway.exe             7.312 Services                   0    120.144 K\n\
            System                           4 Services                   0        144 K\n";
        assert_eq!(parse(text).unwrap(), [task("System", 4, &[])]);
    }

    #[test]
    fn comma_separated_with_heading_and_services() {
        let text = "\"Image Name\",\"PID\",\"Services\"\r\n\"System Idle Process\",\"0\",\"N/A\"\r\n\
            \"svchost.exe\",\"1156\",\"DcomLaunch,PlugPlay\"\r\n";
        let want = [task("System Idle Process", 0, &[]), task("svchost.exe", 1156, &["DcomLaunch", "PlugPlay"])];
        assert_eq!(parse(text).unwrap(), want);
        let plain = "\"System\",\"4\",\"Services\",\"0\",\"144 K\"\n";
        assert_eq!(parse(plain).unwrap(), [task("System", 4, &[])]);
    }

    #[test]
    fn other_text_is_no_list() {
        assert_eq!(parse("hello\nworld\n"), None);
        assert_eq!(parse(""), None);
        assert_eq!(parse("=== ===\n"), None);
        assert_eq!(parse("a,b\n1,2\n"), None);
    }
}
