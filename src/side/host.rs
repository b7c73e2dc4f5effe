//! The machine that what follows is of, where a text shows it: `hostname`, remote prompts and commands, PsExec, transcripts.

use super::lines::{is_prompt, starts_as_command, typed};
use super::remote::{is_here, target};
use super::server_name::is_server_name;

/// Names of machines are no longer than this.
const MAX_NAME: usize = 63;

/// Follows the lines between listings.
#[derive(Debug, Clone, Default)]
pub(super) struct Host {
    /// The machine whose console it is.
    name: Option<String>,
    /// A machine or a container at which commands are typed instead.
    session: Option<Session>,
    /// The one that the last command asked.
    asked: Option<String>,
    /// The next line is the name.
    is_next: bool,
}

#[derive(Debug, Clone)]
struct Session {
    name: String,
    /// Prompts name it, and one that does not ends it.
    is_in_prompt: bool,
}

/// Whether two names of machines are of one: `SRV01` and `srv01.contoso.com` are.
pub(crate) fn is_same_machine(one: &str, other: &str) -> bool {
    label(one) == label(other)
}

/// What tells machines apart: the first part of a name, an address as it is.
pub(crate) fn label(name: &str) -> String {
    let is_address = !name.contains(|c: char| c.is_alphabetic());
    let label = if is_address || name.contains(' ') { name } else { name.split('.').next().unwrap_or(name) };
    label.to_lowercase()
}

impl Host {
    /// Looks at a line that is no row; `true` where it names another machine than before.
    pub(super) fn see(&mut self, line: &str) -> bool {
        let line = line.trim();
        if line.is_empty() {
            return false;
        }
        let before = self.name();
        let is_answer = std::mem::take(&mut self.is_next) && !is_prompt(line);
        self.see_command(line);
        if let Some(name) = heading(line).filter(|name| is_name(name)) {
            self.asked = (!is_here(name)).then(|| name.to_owned());
        } else if let Some(name) = begins_transcript(line)
            .or_else(|| script_heading(line).filter(|name| !is_answer && self.is_new(name)))
            .filter(|name| is_name(name))
        {
            (self.name, self.session, self.asked) = (Some(name.to_owned()), None, None);
        } else if let Some(name) = own_name(line).or(is_answer.then_some(line)).filter(|name| is_name(name))
            && !self.is_elsewhere()
        {
            self.name = Some(name.to_owned());
        }
        before.zip(self.name()).is_some_and(|(before, now)| !is_same_machine(&before, &now))
    }

    fn is_new(&self, name: &str) -> bool {
        self.name.as_ref().is_none_or(|own| !is_same_machine(own, name))
    }

    /// What a command, typed at a prompt or not, says about the machine of its output.
    fn see_command(&mut self, line: &str) {
        let at_prompt = typed(line);
        let Some(command) = at_prompt.or_else(|| starts_as_command(line).then_some(line)) else { return };
        self.asked = None;
        if at_prompt.is_some() {
            match prompt_name(line).filter(|name| is_name(name) || is_address(name)) {
                Some(name) => self.session = Some(Session { name: name.to_owned(), is_in_prompt: true }),
                None => drop(self.session.take_if(|session| session.is_in_prompt)),
            }
        }
        let first = command.split_whitespace().next().unwrap_or("");
        if ["exit", "logout"].iter().any(|word| first.eq_ignore_ascii_case(word)) {
            self.session = None;
        }
        let asks_name =
            ["hostname", "hostname.exe", "$env:computername"].iter().any(|word| command.eq_ignore_ascii_case(word))
                || command.eq_ignore_ascii_case("echo %computername%");
        self.is_next = at_prompt.is_some() && asks_name;
        if let Some(target) = target(command) {
            if target.stays {
                self.session = Some(Session { name: target.name, is_in_prompt: false });
            } else {
                self.asked = Some(target.name);
            }
        }
    }

    /// The machine that what follows is of, where it is known.
    pub(super) fn name(&self) -> Option<String> {
        self.elsewhere().or(self.name.as_ref()).cloned()
    }

    /// Another machine than the one whose console it is.
    fn elsewhere(&self) -> Option<&String> {
        let other = self.asked.as_ref().or(self.session.as_ref().map(|session| &session.name))?;
        let is_own = self.name.as_ref().is_some_and(|name| is_same_machine(name, other));
        (!is_own).then_some(other)
    }

    /// Whether what follows is of another machine than the one whose console it is.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.elsewhere().is_some()
    }
}

/// The name in `[SRV01]: PS C:\>` of a remote session.
fn prompt_name(line: &str) -> Option<&str> {
    line.strip_prefix('[').and_then(|rest| rest.split_once("]: PS ")).map(|(name, _)| name)
}

/// The name in a line that stands above what a machine answered: `\\SRV01:` of PsExec, `PSComputerName: SRV01` of groups.
fn heading(line: &str) -> Option<&str> {
    if let Some(name) = line.strip_prefix("\\\\").and_then(|rest| rest.strip_suffix(':')) {
        return Some(name);
    }
    line.strip_prefix("PSComputerName: ").map(str::trim)
}

/// Whether a line is what a script writes before the answer of a machine.
pub(super) fn has_script_heading(line: &str) -> bool {
    script_heading(line).is_some_and(is_name)
}

/// The name in a line that a script wrote before what it asked a machine: `### SRV01 ###`, `=== server: SRV01 ===`,
/// `SRV01 | CHANGED | rc=0 >>`, `Collecting from SRV01...`. It has to be clearly a machine's, but where a label says so.
fn script_heading(line: &str) -> Option<&str> {
    const MAX_LINE: usize = 80;
    const LABELS: [&str; 8] =
        ["server", "host", "machine", "computer", "node", "servername", "computername", "hostname"];
    // A machine that is connected to, or checked, need not be the one that answers.
    const VERBS: [&str; 4] = ["collecting", "gathering", "output", "results"];
    if line.len() > MAX_LINE {
        return None;
    }
    if let Some((name, state)) = line.split_once(" | ").filter(|_| line.ends_with(">>")) {
        return state.starts_with(|c: char| c.is_ascii_uppercase()).then_some(name);
    }
    let is_drawn = |c: char| matches!(c, '#' | '=' | '*' | '-' | '_' | '~' | '+' | '<' | '>' | ' ');
    let inner = line.trim_matches(is_drawn);
    let is_decorated = line.chars().take(3).filter(|c| is_drawn(*c)).count() == 3;
    if let Some((label, name)) = inner.split_once([':', '=']).filter(|(_, name)| !name.is_empty()) {
        // Undrawn, `Server:` is of nslookup, and `ComputerName :` of Test-NetConnection: the other side.
        let is_label = is_decorated && LABELS.contains(&label.trim().to_ascii_lowercase().as_str());
        return is_label.then(|| name.trim());
    }
    let inner = inner.trim_end_matches([':', '.', '…']).trim();
    let last = inner.rsplit(' ').next().filter(|last| is_server_name(last))?;
    let mut words = inner.split(' ');
    let first = words.next()?.to_ascii_lowercase();
    // A name without anything around it may be one of a list.
    let is_alone = inner == last && line != last;
    let is_told = VERBS.contains(&first.as_str()) && words.count() <= 4;
    (is_alone || is_told).then_some(last)
}

/// `Machine: SRV01 (Microsoft Windows NT ...)` of a transcript.
fn begins_transcript(line: &str) -> Option<&str> {
    line.strip_prefix("Machine: ")?.trim().split_once(" (").map(|(name, _)| name)
}

/// `Host Name:` of systeminfo, `Host Name . . . :` of ipconfig.
fn own_name(line: &str) -> Option<&str> {
    let (label, value) = line.split_once(':')?;
    (label.trim_end_matches([' ', '.']) == "Host Name").then(|| value.trim())
}

fn is_address(name: &str) -> bool {
    name.parse::<std::net::IpAddr>().is_ok()
}

pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && name.contains(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_named_by_what_stands_between_listings() {
        let mut host = Host::default();
        for (line, is_other, name) in [
            ("Active Connections", false, None),
            ("C:\\>hostname", false, None),
            ("SRV01", false, Some("SRV01")),
            ("C:\\>netstat -ano", false, Some("SRV01")),
            ("srv01", false, Some("SRV01")),
            ("[SRV02]: PS C:\\> netstat -ano", true, Some("SRV02")),
            ("\\\\SRV03:", true, Some("SRV03")),
            ("Machine: SRV04 (Microsoft Windows NT 10.0.17763.0)", true, Some("SRV04")),
            ("   Host Name . . . . . . . . . . . . : SRV04", false, Some("SRV04")),
            ("Host Name:                 SRV05", true, Some("SRV05")),
            ("\\\\SRV05\\share\\x:", false, Some("SRV05")),
        ] {
            assert_eq!((host.see(line), host.name().as_deref()), (is_other, name), "{line}");
        }
    }

    #[test]
    fn scripts_write_headings_in_many_forms() {
        for line in [
            "SRV01 | CHANGED | rc=0 >>",
            "SRV01:",
            "### SRV01 ###",
            "===== server: SRV01 =====",
            "--- ComputerName: SRV01 ---",
            "--- SRV01 ---",
            "Collecting from SRV01...",
            "Output of netstat on SRV01:",
        ] {
            assert_eq!(script_heading(line).filter(|name| is_name(name)), Some("SRV01"), "{line}");
        }
        for line in [
            "Server:  dc01.contoso.com",
            "ComputerName     : db01.contoso.com",
            "### before ###",
            "Active Connections",
            "=====",
            "netstat2",
            "SRV01",
            "Connecting to SRV01...",
            "Collecting netstat",
            "TCP port check: run1",
            "Pinging SRV01 with 32 bytes of data:",
            "a | b",
            "date: Sun",
        ] {
            assert_eq!(script_heading(line).filter(|name| is_name(name)), None, "{line}");
        }
    }

    #[test]
    fn what_is_asked_elsewhere_is_of_that_machine_until_the_next_prompt() {
        let mut host = Host::default();
        for (line, name) in [
            ("C:\\>netstat -ano", None),
            ("C:\\>tasklist /s SRV02 /svc", Some("SRV02")),
            ("C:\\>netstat -ano", None),
            ("C:\\>hostname", None),
            ("SRV01", Some("SRV01")),
            ("C:\\>tasklist /s srv01.contoso.com", Some("SRV01")),
            ("C:\\>docker exec -it web01 cmd", Some("container web01")),
            ("C:\\app>netstat -ano", Some("container web01")),
            ("C:\\app>hostname", Some("container web01")),
            ("4f1a2b3c", Some("container web01")),
            ("C:\\app>exit", Some("SRV01")),
            ("[10.20.0.6]: PS C:\\> tasklist", Some("10.20.0.6")),
            ("PS C:\\> tasklist", Some("SRV01")),
            ("   PSComputerName: SRV03", Some("SRV03")),
            ("PSComputerName : SRV04", Some("SRV03")),
        ] {
            host.see(line);
            assert_eq!(host.name().as_deref(), name, "{line}");
        }
    }

    #[test]
    fn a_machine_is_known_by_the_first_part_of_its_name() {
        assert!(is_same_machine("SRV01", "srv01.contoso.com") && !is_same_machine("SRV01", "SRV02"));
        assert!(!is_same_machine("10.20.0.5", "10.20.0.6") && !is_same_machine("web01", "container web01"));
    }
}
