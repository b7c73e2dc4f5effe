//! Commands that take on the server what a report needs: each in one place, the same in reports, `info` and the README, and in
//! the book, which takes them from a report.
//!
//! Every command is one line that a command prompt takes as it stands, and PowerShell too: no `&`, no `^`, no `cd /d`.

/// An elevated prompt starts in System32: what is written goes into a folder of the case.
pub(super) const CASE_FOLDER: [&str; 2] = [r"md C:\case", r"cd C:\case"];

/// Starts a session with the providers that a report needs. The keywords of TCPIP hold every event that is decoded and none
/// for each packet; `report` and `correlation` are off because they make `netsh trace stop` work for minutes.
pub(super) const START_TRACE: &str = "netsh trace start provider=Microsoft-Windows-Winsock-AFD keywords=0x4 level=4 provider=Microsoft-Windows-TCPIP keywords=0x8C40000040D level=4 provider=Microsoft-Windows-Kernel-Process keywords=0x10 level=4 report=disabled correlation=disabled maxsize=1024 tracefile=server.etl";

/// Ends it.
pub(super) const STOP_TRACE: &str = "netsh trace stop";

/// Names of processes, and the services in each.
pub(super) const LIST_PROCESSES: &str = "tasklist /svc > tasklist.txt";

/// All sockets with their PIDs, bound ones too. Without `-b`, which may take minutes: [`LIST_PROCESSES`] has the names.
pub(super) const LIST_SOCKETS: &str = "netstat -anoq > netstat.txt";

/// The same with the program and the service of each socket. It may take minutes: last, where somebody can wait.
pub(super) const LIST_SOCKETS_BY_NAME: &str = "netstat -anobq > netstat-b.txt";

/// From this build on (Windows 8.1, Server 2012 R2) netstat knows `-q`; an older one refuses the command.
pub(super) const BOUND_BUILD: u32 = 9600;

/// A command as an older netstat takes it, which cannot show sockets that are only bound.
pub(super) fn without_bound(command: &str) -> String {
    command.replace("netstat -anoq", "netstat -ano").replace("netstat -anobq", "netstat -anob")
}

/// The range of the pool that most programs use.
pub(super) const LIST_RANGE: &str = "netsh int ipv4 show dynamicport tcp > dynamicport-ipv4.txt";

/// The capture that can answer: the trace, and what a trace cannot tell, taken while it still runs.
pub const CAPTURE_COMMANDS: [&str; 7] =
    [CASE_FOLDER[0], CASE_FOLDER[1], START_TRACE, LIST_PROCESSES, LIST_SOCKETS, LIST_RANGE, STOP_TRACE];

/// What a trace cannot tell, alone.
pub const LISTING_COMMANDS: [&str; 5] = [CASE_FOLDER[0], CASE_FOLDER[1], LIST_PROCESSES, LIST_SOCKETS, LIST_RANGE];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_shows_the_same_commands() {
        let readme = include_str!("../../../README.md");
        let blocks = readme.split("```").map(|block| block.lines().collect::<Vec<_>>());
        let capture = blocks.into_iter().find(|lines| lines.contains(&START_TRACE)).expect("a block that captures");
        let commands: Vec<&str> = capture.into_iter().skip(1).filter(|line| !line.starts_with("...")).collect();
        assert_eq!(commands, CAPTURE_COMMANDS);
    }

    #[test]
    fn each_command_is_a_line_that_every_prompt_takes() {
        for command in CAPTURE_COMMANDS.iter().chain(&LISTING_COMMANDS).chain([&LIST_SOCKETS_BY_NAME]) {
            assert!(!command.contains(['\n', '&', '^', '|']), "{command}");
        }
    }
}
