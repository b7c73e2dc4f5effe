//! Whether a command is a line that `cmd` takes as it is meant.

/// Programs that a step may call.
const PROGRAMS: &[&str] = &[
    "cd",
    "dnscmd",
    "driverquery",
    "fltmc",
    "handle",
    "ipconfig",
    "md",
    "mkdir",
    "net",
    "netsh",
    "netstat",
    "outofports",
    "powershell",
    "reg",
    "sc",
    "schtasks",
    "tasklist",
    "wevtutil",
    "wmic",
    "wsl",
];
/// What may stand behind a pipe.
const FILTERS: &[&str] = &["find", "findstr", "sort", "more"];
/// Longest line that `cmd` takes.
const LONGEST: usize = 8_191;

/// What is wrong with it; empty where nothing is.
pub(super) fn broken(command: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut say = |text: &str| wrong.push(format!("{command:?} {text}"));
    if command.is_empty() || command.trim() != command || command.len() > LONGEST {
        say("is empty, padded or too long");
    }
    if command.chars().any(|c| c.is_control() || matches!(c, '“' | '”' | '‘' | '’' | '–' | '…' | '\u{a0}'))
    {
        say("has characters that no console takes");
    }
    let parts: Vec<&str> = command.split('"').collect();
    if parts.len().is_multiple_of(2) {
        say("has a quote that does not end");
    }
    // What means nothing to `cmd` inside of quotes is blanked; variables mean something everywhere.
    let blank = |part: &str| part.replace(['&', '|', '<', '>', '^', ' '], "_");
    let mask = |(n, part): (usize, &&str)| if n % 2 == 0 { (*part).to_owned() } else { blank(part) };
    let bare = parts.iter().enumerate().map(mask).collect::<Vec<_>>().join("\"");
    if bare.contains(['<', '^']) || bare.replace(" & ", " ").replace(" && ", " ").contains('&') {
        say("has a bare & < or ^");
    }
    if bare.matches('%').count() % 2 == 1 {
        say("has a bare %");
    }
    for part in bare.replace(" && ", " & ").split(" & ") {
        let mut stages = part.split('|');
        let program = program(stages.next().unwrap_or(""));
        if !PROGRAMS.contains(&program.as_str()) && !program.ends_with("appcmd") {
            say(&format!("calls {program:?}"));
        }
        for stage in stages {
            if !FILTERS.contains(&self::program(stage).as_str()) || !stage.starts_with(' ') {
                say("has a pipe into nothing that filters");
            }
        }
        for target in part.replace(">>", ">").split('>').skip(1) {
            if !target.starts_with(' ') || target.split_whitespace().count() != 1 {
                say("redirects to no single file");
            }
        }
    }
    wrong.extend(inside_powershell(command));
    wrong
}

fn program(text: &str) -> String {
    let word = text.split_whitespace().next().unwrap_or("");
    word.trim_matches('"').trim_end_matches(".exe").to_lowercase()
}

/// A script of PowerShell stands in double quotes, and its own quotes and brackets are in pairs.
fn inside_powershell(command: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for part in command.split("powershell ").skip(1) {
        let Some((_, script)) = part.split_once('"') else {
            wrong.push(format!("{command:?} has a script without quotes"));
            continue;
        };
        let script = script.split('"').next().unwrap_or("");
        let count = |c: char| script.matches(c).count();
        if count('\'') % 2 == 1 || count('{') != count('}') || count('(') != count(')') {
            wrong.push(format!("{command:?} has a script whose quotes or brackets do not end"));
        }
        if script.contains('%') {
            wrong.push(format!("{command:?} has a script with a %, which cmd takes for a variable"));
        }
    }
    wrong
}

#[test]
fn what_cmd_takes() {
    for right in [
        "netstat -anobq > netstat.txt",
        "tasklist /svc > tasklist.txt & netstat -anobq > netstat.txt",
        "md C:\\case && cd /d C:\\case",
        "netstat -ano | findstr :8080",
        "powershell -c \"Get-NetUDPEndpoint | Group-Object { $_.OwningProcess } & 'x'\"",
        "\"%windir%\\system32\\inetsrv\\appcmd\" list wp",
        "reg query \"HKLM\\A & B\" /v X",
    ] {
        assert_eq!(broken(right), Vec::<String>::new());
    }
    for wrong in [
        "",
        " netstat",
        "netstat -ano\n> x",
        "netstat \"x",
        "netstat > a & calc",
        "netstat &calc",
        "netstat | format",
        "netstat > two words",
        "netstat >",
        "netstat % x",
        "netstat –ano",
        "powershell -c Get-Service",
        "powershell -c \"Restart-Service 'x\"",
        "powershell -c \"gps | % { 1 }\"",
    ] {
        assert!(!broken(wrong).is_empty(), "{wrong}");
    }
}
