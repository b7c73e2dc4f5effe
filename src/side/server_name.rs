//! What is clearly the name of a server: `SRV01`, `MUC-DC01`, `DESKTOP-4F1A2B3`.

/// What servers are called by, in front of their numbers.
const ROLES: [&str; 27] = [
    "srv", "svr", "server", "host", "node", "web", "app", "db", "sql", "dc", "exch", "iis", "rds", "rdsh", "ctx",
    "citrix", "vm", "hv", "adfs", "sccm", "proxy", "gw", "prt", "fs", "pc", "ws", "ts",
];

/// What Windows calls a machine that nobody gave a name.
const MADE_UP: [&str; 3] = ["win", "desktop", "laptop"];

/// Whether a word is clearly such a name. Numbered words are mostly rounds and parts (`run1`, `netstat2`).
pub(crate) fn is_server_name(token: &str) -> bool {
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
}
