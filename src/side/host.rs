//! The name of the machine that what follows is of, where a text shows it: `hostname`, remote prompts, PsExec, transcripts.

use super::lines::{is_prompt, typed};

/// Names of machines are no longer than this.
const MAX_NAME: usize = 63;

/// Follows the lines between listings.
#[derive(Debug, Clone, Default)]
pub(super) struct Host {
    name: Option<String>,
    /// The next line is the name.
    is_next: bool,
}

impl Host {
    /// Looks at a line that is no row; `true` where it names another machine than before.
    pub(super) fn see(&mut self, line: &str) -> bool {
        let line = line.trim();
        if line.is_empty() {
            return false;
        }
        let is_answer = std::mem::take(&mut self.is_next) && !is_prompt(line);
        self.is_next = typed(line).is_some_and(|command| command.eq_ignore_ascii_case("hostname"));
        let Some(name) = named(line).or(is_answer.then_some(line)).filter(|name| is_name(name)) else { return false };
        let is_other = self.name.as_ref().is_some_and(|known| !known.eq_ignore_ascii_case(name));
        self.name = Some(name.to_owned());
        is_other
    }

    pub(super) fn name(&self) -> Option<String> {
        self.name.clone()
    }
}

/// The name in a line that says whose what follows is.
fn named(line: &str) -> Option<&str> {
    // `[SRV01]: PS C:\>` of a remote session, `\\SRV01:` of PsExec.
    if let Some((name, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: PS ")) {
        return Some(name);
    }
    if let Some(name) = line.strip_prefix("\\\\").and_then(|rest| rest.strip_suffix(':')) {
        return Some(name);
    }
    // `Host Name:` of systeminfo, `Host Name . . . :` of ipconfig, `Machine: SRV01 (Microsoft Windows NT ...)` of a transcript.
    let (label, value) = line.split_once(':')?;
    let label = label.trim_end_matches([' ', '.']);
    match label {
        "Host Name" => Some(value.trim()),
        "Machine" => value.trim().split_once(" (").map(|(name, _)| name),
        _ => None,
    }
}

fn is_name(name: &str) -> bool {
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
}
