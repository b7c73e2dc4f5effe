//! `tasklist` output: the table, and `/fo csv`, with or without `/svc`.
//!
//! Told by shape, not by words, since these are translated: a line of `=` gives the columns of the table; the second
//! column is the PID; a third and last one holds services.

use std::net::IpAddr;

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

/// Image names in tables are cut at this many characters.
pub const IMAGE_CUT_AT: usize = 25;

/// Reads the first list in `text`; `None` where there is none.
pub fn parse(text: &str) -> Option<Vec<Task>> {
    let mut tasks = table(text).or_else(|| comma_separated(text))?;
    forget_placeholder(&mut tasks);
    Some(tasks)
}

/// The idle process has no services: what stands in its column is the word for "none" in the system's language.
fn forget_placeholder(tasks: &mut [Task]) {
    let idle = tasks.iter().find(|task| task.pid == 0).map(|task| task.services.clone());
    let none = idle.filter(|services| !services.is_empty()).unwrap_or_else(|| vec!["N/A".to_owned()]);
    for task in tasks {
        if task.services == none {
            task.services.clear();
        }
    }
}

fn split_services(text: &str) -> impl Iterator<Item = String> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned)
}

/// Start and end of each column, in characters, from the line of `=` below the heading.
fn columns(border: &str) -> Option<Vec<(usize, usize)>> {
    let border = border.trim_end();
    if !border.starts_with("===") || border.chars().any(|c| c != '=' && c != ' ') {
        return None;
    }
    let mut columns = Vec::new();
    let mut start = None;
    for (at, character) in border.chars().chain([' ']).enumerate() {
        match (character, start) {
            ('=', None) => start = Some(at),
            (' ', Some(from)) => {
                columns.push((from, at));
                start = None;
            }
            _ => {}
        }
    }
    (columns.len() >= 2).then_some(columns)
}

fn table(text: &str) -> Option<Vec<Task>> {
    let mut borders: Option<Vec<(usize, usize)>> = None;
    let mut tasks: Vec<Task> = Vec::new();
    for line in text.lines() {
        if let Some(columns) = columns(line) {
            if !tasks.is_empty() {
                break;
            }
            borders = Some(columns);
            continue;
        }
        let Some(columns) = &borders else { continue };
        if !row(line, columns, &mut tasks) {
            // A prompt or the output of another command ends the table.
            if !tasks.is_empty() {
                break;
            }
            borders = None;
        }
    }
    (!tasks.is_empty()).then_some(tasks)
}

/// Reads a row of the table, or the rest of the services of the row above; `false` where it is neither.
fn row(line: &str, columns: &[(usize, usize)], tasks: &mut Vec<Task>) -> bool {
    let [(image_from, image_to), (pid_from, pid_to), others @ ..] = columns else { return false };
    let characters: Vec<char> = line.chars().collect();
    let cell = |from: usize, to: usize| -> String {
        let cells = characters.get(from.min(characters.len())..to.min(characters.len())).unwrap_or(&[]);
        cells.iter().collect::<String>().trim().to_owned()
    };
    let services = match others {
        [(from, _)] => cell(*from, usize::MAX),
        _ => String::new(),
    };
    let (image, pid) = (cell(*image_from, *image_to), cell(*pid_from, *pid_to));
    if image.is_empty() && pid.is_empty() {
        let (Some(task), false) = (tasks.last_mut(), services.is_empty()) else { return false };
        task.services.extend(split_services(&services));
        return true;
    }
    let Ok(pid) = pid.parse() else { return false };
    tasks.push(Task { image, pid, services: split_services(&services).collect() });
    true
}

/// Lists by `/fo csv`: everything is quoted, and there are as many columns as one of the forms of `tasklist` has.
fn comma_separated(text: &str) -> Option<Vec<Task>> {
    let mut tasks = Vec::new();
    for line in text.lines().map(str::trim) {
        match quoted(line) {
            Some(task) => tasks.push(task),
            None if tasks.is_empty() => {}
            None => break,
        }
    }
    (!tasks.is_empty()).then_some(tasks)
}

fn quoted(line: &str) -> Option<Task> {
    let cells: Vec<&str> = line.strip_prefix('"')?.strip_suffix('"')?.split("\",\"").take(MAX_COLUMNS).collect();
    let is_number = |text: &str| text.trim().parse::<u32>().is_ok();
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
