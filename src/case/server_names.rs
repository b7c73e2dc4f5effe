//! Names of servers in the paths of files: `SRV01/netstat.txt`, `tasklist_SRV02.txt`.
//!
//! Taken is only what is clearly such a name. Numbered folders and files are mostly rounds of one machine (`run1/`, `netstat2.txt`).

use std::collections::BTreeSet;

/// What servers are called by, in front of their numbers.
const ROLES: [&str; 27] = [
    "srv", "svr", "server", "host", "node", "web", "app", "db", "sql", "dc", "exch", "iis", "rds", "rdsh", "ctx",
    "citrix", "vm", "hv", "adfs", "sccm", "proxy", "gw", "prt", "fs", "pc", "ws", "ts",
];

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

/// What Windows calls a machine that nobody gave a name.
const MADE_UP: [&str; 3] = ["win", "desktop", "laptop"];

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

fn is_server_name(token: &str) -> bool {
    let lower = token.to_lowercase();
    if !lower.is_ascii() || !(3..=15).contains(&lower.len()) {
        return false;
    }
    let letters = lower.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = lower.len() - letters.len();
    let parts: Vec<&str> = letters.trim_end_matches('-').split('-').collect();
    let is_word = |part: &&str| part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let has_role = parts.iter().any(|part| ROLES.contains(part))
        || parts.last().is_some_and(|part| ["srv", "web", "sql", "app", "dc"].iter().any(|role| part.ends_with(role)));
    // Two letters and a digit are anything: a time stamp, a drive, a round.
    let least = if letters.len() <= 2 { 2 } else { 1 };
    let is_numbered = (least..=4).contains(&digits) && parts.iter().all(is_word) && has_role;
    let is_made_up = lower.split_once('-').is_some_and(|(first, rest)| {
        let is_random = (6..=11).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        MADE_UP.contains(&first) && is_random && rest.contains(|c: char| c.is_ascii_digit())
    });
    is_numbered || is_made_up
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_servers_are_told_from_rounds_and_dates() {
        for name in ["SRV01", "srv1", "WEB-02", "MUC-DC01", "FRASQL02", "node12", "DESKTOP-4F1A2B3", "app01"] {
            assert!(is_server_name(name), "{name}");
        }
        for name in [
            "run1",
            "ts1",
            "pc2",
            "netstat2",
            "logs",
            "before",
            "2026-11-22",
            "14h",
            "case12",
            "INC0012345",
            "day2",
            "tcp4",
            "ipv6",
            "KB5031364",
            "win10",
            "win-server",
            "mail2",
            "part3",
            "web",
            "v2",
            "step01",
            "snap1",
            "x64",
        ] {
            assert!(!is_server_name(name), "{name}");
        }
    }

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
