//! What must not be restarted, stopped or ended alone.

use serde_json::Value;

use super::commands;
use crate::first_screen::Seen;

/// Processes whose end stops Windows, and processes that cannot be ended.
const IMAGES: &[&str] = &[
    "csrss",
    "wininit",
    "winlogon",
    "services",
    "smss",
    "lsass",
    "lsaiso",
    "system",
    "registry",
    "memory compression",
    "secure system",
    "idle",
    "system idle process",
    "msmpeng",
];
/// Services that cannot be stopped, or whose stop harms.
const SERVICES: &[&str] = &[
    "bfe",
    "brokerinfrastructure",
    "clussvc",
    "coremessagingregistrar",
    "dcomlaunch",
    "deviceinstall",
    "dhcp",
    "dnscache",
    "eventlog",
    "gpsvc",
    "hns",
    "iphlpsvc",
    "keyiso",
    "lsm",
    "mpssvc",
    "netprofm",
    "nlasvc",
    "nsi",
    "plugplay",
    "power",
    "profsvc",
    "rpceptmapper",
    "rpcss",
    "samss",
    "schedule",
    "sessionenv",
    "systemeventsbroker",
    "termservice",
    "timebrokersvc",
    "usermanager",
    "wcmsvc",
    "windefend",
    "winhttpautoproxysvc",
];
/// Steps that ask to end or restart a process or its service.
const RESTARTS: &[&str] = &["restart_holder"];
/// Commands that end something.
const ENDS: &[&str] = &[
    "Restart-Service",
    "Stop-Service",
    "Stop-Process",
    "taskkill",
    "net stop",
    "sc stop",
    "sc delete",
    "wmic process",
];

/// What a step asks to restart that must not be; empty where nothing is.
pub(super) fn broken(step: &Value, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let text = step["text"].as_str().unwrap();
    if RESTARTS.contains(&step["code"].as_str().unwrap()) {
        for process in seen.rows("processes").filter(|row| names(text, row)) {
            wrong.extend(untouchable(process).map(|what| format!("{text:?}: {what}")));
        }
    }
    for command in commands(step) {
        if !ENDS.iter().any(|end| command.contains(end)) {
            continue;
        }
        let lower = command.to_lowercase();
        let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '$')).collect();
        let never = SERVICES.iter().chain(IMAGES).filter(|name| words.contains(name));
        wrong.extend(never.map(|name| format!("{command:?} ends {name}")));
    }
    wrong.extend(asked(text).map(|name| format!("{text:?} asks to restart {name}")));
    wrong
}

/// Whether a text speaks of this process.
fn names(text: &str, process: &Value) -> bool {
    process["pid"].as_u64().is_some_and(|pid| text.contains(&format!("PID {pid})")))
}

/// Why a process must not be restarted, where that is so.
fn untouchable(process: &Value) -> Option<String> {
    let image = process["image"].as_str().unwrap_or("").to_lowercase();
    let image = image.strip_suffix(".exe").unwrap_or(&image);
    if IMAGES.contains(&image) {
        return Some(format!("{image} must not be ended"));
    }
    let services = process["services"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let never = services.map(str::to_lowercase).find(|service| SERVICES.contains(&service.as_str()));
    never.map(|service| format!("it hosts {service}"))
}

/// What follows directly behind a word that asks to end something.
fn asked(text: &str) -> impl Iterator<Item = String> {
    let lower = text.to_lowercase();
    let mut found = Vec::new();
    for verb in ["restart ", "stop ", "end ", "kill ", "recycle "] {
        for (at, _) in lower.match_indices(verb) {
            let behind = lower[at + verb.len()..].trim_start_matches("the ").trim_start_matches("service ");
            let name: String =
                behind.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$')).collect();
            // "restart services" is no name.
            let is_image = IMAGES.contains(&name.as_str()) && behind[name.len()..].starts_with(".exe");
            if is_image || SERVICES.contains(&name.as_str()) && name != "power" && name != "schedule" {
                found.push(name);
            }
        }
    }
    found.into_iter()
}

#[test]
fn what_a_text_asks_for() {
    let asks = |text: &str| asked(text).collect::<Vec<_>>();
    assert_eq!(asks("relieve: restart lsass.exe (PID 716)"), ["lsass"]);
    assert_eq!(asks("stop the service RpcSs"), ["rpcss"]);
    assert_eq!(asks("plan a restart of the server: lsass.exe is a part of Windows"), Vec::<String>::new());
    assert_eq!(asks("restart services that lean on it"), Vec::<String>::new());
    let process = serde_json::json!({ "pid": 7, "image": "svchost.exe", "services": ["BITS", "RpcSs"] });
    assert_eq!(untouchable(&process), Some("it hosts rpcss".to_owned()));
    assert!(names("restart svchost.exe (PID 7)", &process) && !names("restart svchost.exe (PID 77)", &process));
}
