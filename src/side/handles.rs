//! Sysinternals `handle -a afd` and `handle -a`: how many handles to AFD, which are sockets, each process has.

use std::collections::BTreeMap;

use super::facts::HandleCount;

const DEVICE: &str = "\\device\\afd";

/// Counts AFD handles for each process; `None` where the text names none. Sorted by process id; `source` is 0.
pub fn parse(text: &str) -> Option<Vec<HandleCount>> {
    let mut counts: BTreeMap<u32, HandleCount> = BTreeMap::new();
    // `handle -a` prints a line for each process above those of its handles.
    let mut section: Option<(&str, u32)> = None;
    for line in text.lines().map(str::trim) {
        let owner = owner(line);
        if !names_afd(line) {
            section = owner.or(section);
            continue;
        }
        let Some((image, pid)) = owner.or(section) else { continue };
        let count = counts.entry(pid).or_insert_with(|| HandleCount {
            source: 0,
            pid,
            image: (!image.is_empty()).then(|| image.to_owned()),
            count: 0,
        });
        count.count = count.count.saturating_add(1);
    }
    (!counts.is_empty()).then(|| counts.into_values().collect())
}

/// Whether a line is that of a handle to AFD: the name is what stands last.
fn names_afd(line: &str) -> bool {
    let Some(name) = line.rsplit(char::is_whitespace).next() else { return false };
    let Some((device, below)) = name.split_at_checked(DEVICE.len()) else { return false };
    device.eq_ignore_ascii_case(DEVICE) && (below.is_empty() || below.starts_with('\\')) && line.contains(':')
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
        assert_eq!(parse(text).unwrap(), want);
    }

    #[test]
    fn sections_of_all_handles() {
        let text = "------------------------------------------------\nlsass.exe pid: 812 NT AUTHORITY\\SYSTEM\n    4: Event         \n  \
            1A4: File  (---)   \\Device\\Afd\n  1A8: File  (RW-)   C:\\Windows\\System32\n\
            ------------------------------------------------\nw3wp.exe pid: 900 IIS APPPOOL\\x\n   10: File  (---)   \\Device\\Afd\n   \
            14: File  (---)   \\Device\\Afd\n";
        assert_eq!(parse(text).unwrap(), [count(812, "lsass.exe", 1), count(900, "w3wp.exe", 2)]);
    }

    #[test]
    fn other_text_is_no_list() {
        assert_eq!(parse("see \\Device\\Afd: it is a device\n1A4: \\Device\\Afd\n"), None);
        assert_eq!(parse(""), None);
    }
}
