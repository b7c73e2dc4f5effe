//! Names of servers in the paths of files: `SRV01/netstat.txt`, `tasklist_SRV02.txt`.
//!
//! Taken is only what is clearly such a name. Numbered folders and files are mostly rounds of one machine (`run1/`, `netstat2.txt`).

use std::collections::BTreeSet;

use crate::side::is_server_name;

/// Words of programs and of what they list: no part of a server's name.
const TOOLS: [&str; 22] = [
    "netstat",
    "tasklist",
    "dynamicport",
    "dynport",
    "excludedport",
    "excludedportrange",
    "excluded",
    "handle",
    "handles",
    "get",
    "process",
    "processes",
    "services",
    "svc",
    "system",
    "ports",
    "portusage",
    "tcpconnection",
    "nettcpconnection",
    "tcpvcon",
    "netsh",
    "trace",
];

/// The name of a server that each path has, in small letters: a part of it that only some of the paths have. `None` where there is
/// none, or several.
pub(super) fn server_names(paths: &[&str]) -> Vec<Option<String>> {
    let of_paths: Vec<BTreeSet<String>> = paths.iter().map(|path| names_in(path)).collect();
    let Some((first, others)) = of_paths.split_first() else { return Vec::new() };
    // What all of them are in tells nothing apart.
    let common = others.iter().fold(first.clone(), |common, names| common.intersection(names).cloned().collect());
    let only = |names: &BTreeSet<String>| {
        let mut names = names.difference(&common);
        names.next().cloned().filter(|_| names.next().is_none())
    };
    of_paths.iter().map(only).collect()
}

fn names_in(path: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for token in path.split(|c: char| !c.is_alphanumeric() && c != '-') {
        let lower = token.to_lowercase();
        let parts: Vec<&str> = lower.split('-').filter(|part| !TOOLS.contains(part)).collect();
        let rest = parts.join("-");
        if is_server_name(&rest) {
            names.insert(rest);
        } else {
            names.extend(parts.into_iter().filter(|part| is_server_name(part)).map(str::to_owned));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_a_name_where_it_is_one_that_others_do_not_have() {
        let of = |paths: &[&str]| server_names(paths).into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>();
        assert_eq!(of(&["c/SRV01/netstat.txt", "c/SRV02/tasklist.txt"]), ["srv01", "srv02"]);
        assert_eq!(of(&["SRV01 netstat 14h.txt", "tasklist_SRV02.txt", "System.evtx"]), ["srv01", "srv02", ""]);
        assert_eq!(of(&["APP01/SRV01-netstat.txt", "APP01/before/tasklist.txt"]), ["srv01", ""]);
        assert_eq!(of(&["SRV01/netstat.txt", "SRV01/tasklist.txt"]), ["", ""]);
        assert_eq!(of(&["netstat-web1.txt", "tasklist-web1.txt"]), ["", ""]);
        assert_eq!(of(&["netstat-web1.txt", "tasklist-MUC-WEB2.txt"]), ["web1", "muc-web2"]);
        assert_eq!(of(&["SRV01/to-SRV02.txt", "run1/tasklist.txt"]), ["", ""]);
        assert!(of(&[]).is_empty());
    }
}
