//! Commands whose output is of another machine, or of a container: which one, as the command says.

/// What a command asks, instead of the machine that it is typed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Its name or address; of several, all of them as written.
    pub(super) name: String,
    /// The command opens a session, and what is typed next is typed there.
    pub(super) stays: bool,
}

/// Programs that ask the machine behind `/s`.
const WITH_SYSTEM: [&str; 7] = ["tasklist", "systeminfo", "driverquery", "getmac", "openfiles", "schtasks", "taskkill"];

/// Programs that run another one in a container.
const OF_CONTAINERS: [&str; 6] = ["docker", "kubectl", "crictl", "nerdctl", "podman", "docker-compose"];

/// Options of these, and of `ssh`, that a value follows.
const WITH_VALUE: [&str; 18] = [
    "-u",
    "-w",
    "-e",
    "-n",
    "-c",
    "-p",
    "-i",
    "-l",
    "-o",
    "-F",
    "-J",
    "--user",
    "--workdir",
    "--env",
    "--namespace",
    "--container",
    "--context",
    "--index",
];

/// Programs that take further commands.
const SHELLS: [&str; 7] = ["cmd", "powershell", "pwsh", "bash", "sh", "ash", "zsh"];

/// What a command asks; `None` where that is the machine that it is typed at, or nothing known.
pub(super) fn target(command: &str) -> Option<Target> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let (first, rest) = words.split_first()?;
    let program = program(first);
    let target = match program.as_str() {
        "psexec" | "psexec64" | "paexec" => of_psexec(rest),
        "winrs" => of_winrs(rest),
        "ssh" => of_ssh(rest),
        name if OF_CONTAINERS.contains(&name) => of_container(name, rest),
        name => of_one_command(name, rest).map(|name| Target { name, stays: false }),
    };
    target.filter(|target| !is_here(&target.name))
}

/// Whether a name stands for the machine itself.
pub(super) fn is_here(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    matches!(lower.as_str(), "" | "." | "localhost" | "127.0.0.1" | "::1" | "%computername%")
        || lower.contains("env:computername")
}

fn program(word: &str) -> String {
    let name = crate::event::base_name(word.trim_matches('"')).to_ascii_lowercase();
    name.strip_suffix(".exe").map(str::to_owned).unwrap_or(name)
}

/// Whether words are a shell that takes further commands, and nothing for it to do.
fn is_shell(words: &[&str]) -> bool {
    matches!(words, [shell, options @ ..] if SHELLS.contains(&program(shell).as_str())
        && options.iter().all(|option| option.eq_ignore_ascii_case("/k") || option.eq_ignore_ascii_case("-noexit")))
}

fn named(word: &str) -> String {
    word.trim_matches(|c: char| matches!(c, '"' | '\'' | ',' | '`' | ';' | '(' | ')' | '@')).to_owned()
}

/// `psexec \\SRV02 tasklist`; with a file of names or all of a domain, headings name them.
fn of_psexec(words: &[&str]) -> Option<Target> {
    let at = words.iter().position(|word| word.starts_with("\\\\"))?;
    let name = machine(words.get(at)?)?;
    let command: Vec<&str> = words.iter().skip(at + 1).copied().filter(|word| !word.starts_with('-')).collect();
    Some(Target { name, stays: is_shell(&command) })
}

/// The machine of `\\SRV02`; `None` for a path.
fn machine(word: &str) -> Option<String> {
    let name = word.strip_prefix("\\\\").filter(|name| !name.contains('\\') && *name != "*")?;
    Some(named(name.trim_end_matches(':')))
}

fn of_winrs(words: &[&str]) -> Option<Target> {
    let is_remote = |word: &str| {
        let word = word.to_ascii_lowercase();
        ["-r:", "/r:", "-remote:", "/remote:"].iter().any(|option| word.starts_with(option))
    };
    let at = words.iter().position(|word| is_remote(word))?;
    let (_, name) = words.get(at)?.split_once(':')?;
    Some(Target { name: named(name), stays: is_shell(words.get(at + 1..).unwrap_or_default()) })
}

/// The first word that is no option, and the words behind it.
fn operand<'w>(words: &'w [&'w str]) -> Option<(&'w str, &'w [&'w str])> {
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| word.starts_with('-') && word.len() > 1) {
        at += if WITH_VALUE.contains(word) { 2 } else { 1 };
    }
    Some((*words.get(at)?, words.get(at + 1..).unwrap_or_default()))
}

fn of_ssh(words: &[&str]) -> Option<Target> {
    let (place, command) = operand(words)?;
    let name = place.rsplit_once('@').map_or(place, |(_, name)| name);
    Some(Target { name: named(name), stays: command.is_empty() || is_shell(command) })
}

fn of_container(program: &str, words: &[&str]) -> Option<Target> {
    let at = words.iter().position(|word| *word == "exec")?;
    // `kubectl exec -n shop web-0 -c web -- netstat -ano`: options stand on both sides of the name.
    let (name, mut command) = operand(words.get(at + 1..).unwrap_or_default())?;
    if let Some(divider) = command.iter().position(|word| *word == "--").filter(|_| program == "kubectl") {
        command = command.get(divider + 1..).unwrap_or_default();
    }
    Some(Target { name: format!("container {}", named(name)), stays: is_shell(command) })
}

/// What a command asks that answers once.
fn of_one_command(program: &str, words: &[&str]) -> Option<String> {
    let behind = |option: &str| {
        let at = words.iter().position(|word| word.eq_ignore_ascii_case(option))?;
        words.get(at + 1).map(|word| named(word))
    };
    let joined = |options: &[&str]| {
        words.iter().find_map(|word| {
            let (option, value) = word.split_once(':')?;
            options.iter().any(|known| option.eq_ignore_ascii_case(known)).then(|| named(value))
        })
    };
    if WITH_SYSTEM.contains(&program) {
        return behind("/s").or_else(|| behind("-s"));
    }
    match program {
        "wmic" => return joined(&["/node"]).or_else(|| behind("/node")),
        "wevtutil" => return joined(&["/r", "/remote"]),
        "netsh" => return behind("-r"),
        "query" | "qprocess" | "quser" => return joined(&["/server"]),
        _ => {}
    }
    if program.starts_with("ps")
        && let Some(name) = words.iter().find_map(|word| machine(word))
    {
        return Some(name);
    }
    // A test of a connection is one of this machine.
    if program.starts_with("test-") || program == "tnc" {
        return None;
    }
    let options = ["-computername", "-computer", "-cn", "-hostname", "-cimsession", "-vmname", "-containerid"];
    // Behind a pipe, too: `1..2 | % { Get-Process -ComputerName SRV02 }`.
    if let Some(name) = options.iter().find_map(|option| behind(option)).or_else(|| joined(&options)) {
        return Some(name);
    }
    let is_invoke = matches!(program, "invoke-command" | "icm");
    let first = words.first().filter(|word| is_invoke && !word.starts_with(['-', '{', '(', '$', '&']));
    first.map(|word| named(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_the_machine_that_they_ask() {
        for (command, name, stays) in [
            ("tasklist /s SRV02 /svc", "SRV02", false),
            ("TASKLIST.EXE /S 10.20.0.6 /u contoso\\admin /p *** /fi \"pid eq 7312\"", "10.20.0.6", false),
            ("wmic /node:SRV02 process get name,processid", "SRV02", false),
            ("wmic /node:\"SRV02\" process list", "SRV02", false),
            ("pslist \\\\SRV02", "SRV02", false),
            ("psexec \\\\SRV02 -s tasklist /svc", "SRV02", false),
            ("psexec \\\\SRV02 cmd", "SRV02", true),
            ("C:\\tools\\PsExec64.exe -accepteula \\\\SRV02 cmd.exe", "SRV02", true),
            ("winrs -r:SRV02 netstat -ano", "SRV02", false),
            ("Get-Process -ComputerName SRV02 -Id 7312", "SRV02", false),
            ("gps -cn 'SRV02'", "SRV02", false),
            ("Invoke-Command SRV01,SRV02 {Get-NetTCPConnection}", "SRV01,SRV02", false),
            ("icm -ComputerName SRV02 -ScriptBlock { netstat -ano }", "SRV02", false),
            ("docker exec web01 netstat -ano", "container web01", false),
            ("docker exec -it -u admin web01 powershell", "container web01", true),
            ("kubectl exec -n shop web-0 -c web -- netstat -ano", "container web-0", false),
            ("ssh -p 2222 admin@SRV02 netstat -ano", "SRV02", false),
            ("ssh SRV02", "SRV02", true),
            ("netsh -r SRV02 int ipv4 show dynamicport tcp", "SRV02", false),
            ("wevtutil qe System /r:SRV02 /f:text", "SRV02", false),
        ] {
            assert_eq!(target(command), Some(Target { name: name.to_owned(), stays }), "{command}");
        }
        for command in [
            "",
            "netstat -ano",
            "tasklist /svc",
            "tasklist /s localhost",
            "Get-Process -ComputerName $env:COMPUTERNAME",
            "Get-Process -ComputerName .",
            "psexec -s tasklist",
            "type \\\\SRV02\\share\\netstat.txt",
            "Test-NetConnection -ComputerName db01 -Port 1433",
            "docker ps",
            "Invoke-Command { netstat -ano }",
            "netsh int ipv4 show dynamicport tcp",
        ] {
            assert_eq!(target(command), None, "{command}");
        }
    }
}
