//! What stands beside a packet for people: its owner, how that is known, and what else is known of it.

use std::fmt::Write as _;

use super::flows::Fit;
use super::owner::{Found, Process};
use crate::events::RecordOwner;
use crate::words::pseudonyms::Pseudonyms;
use crate::words::shown;

/// Characters of a name that are shown: Windows has no longer ones of files.
const MAX_NAME_CHARS: usize = 255;

/// Services of a process that are named.
const MAX_SERVICES: usize = 32;

/// The comment of a packet: its first line has the form `process=… pid=… owner=…`.
pub(super) fn of_packet(
    comment: &mut String,
    (found, peer): (Found<'_>, Option<Process<'_>>),
    drop_reason: Option<u32>,
    mut names: Option<&mut Pseudonyms>,
) {
    comment.clear();
    match found {
        Found::Process(process) => {
            who(comment, &process.owner, process.source, names.as_deref_mut());
            services(comment, &process.owner, names.as_deref_mut());
            let flow = match (process.is_connected, process.fit) {
                (true, Fit::Open) => "connection",
                (true, Fit::Handshake) => "connection_begins",
                (true, Fit::Closed) => "connection_closed",
                (false, _) => "port",
            };
            _ = write!(comment, "\nflow={flow}");
        }
        Found::Nobody(why) => {
            who(comment, &RecordOwner::UNKNOWN, "unknown", None);
            _ = write!(comment, "\nwhy={}", why.as_str());
        }
    }
    if let Some(peer) = peer {
        comment.push_str("\npeer: ");
        who(comment, &peer.owner, peer.source, names);
    }
    if let Some(reason) = drop_reason {
        _ = write!(comment, "\ndropped, reason {reason}");
    }
}

/// `process=… pid=… owner=…`; a hyphen for what is not known.
pub(super) fn who(out: &mut String, owner: &RecordOwner<'_>, source: &str, names: Option<&mut Pseudonyms>) {
    out.push_str("process=");
    match (owner.image, names) {
        (Some(image), Some(names)) => value(out, &names.image(image)),
        (Some(image), None) => value(out, image),
        (None, _) => out.push('-'),
    }
    match owner.pid {
        Some(pid) => _ = write!(out, " pid={pid}"),
        None => out.push_str(" pid=-"),
    }
    _ = write!(out, " owner={source}");
}

fn services(out: &mut String, owner: &RecordOwner<'_>, mut names: Option<&mut Pseudonyms>) {
    for (number, service) in owner.services.iter().take(MAX_SERVICES).enumerate() {
        out.push_str(if number == 0 { "\nservices=" } else { "," });
        match &mut names {
            Some(names) => value(out, &names.service(service)),
            None => value(out, service),
        }
    }
}

/// A name as it is, or in quotation marks where it holds anything but letters, digits and signs that have no meaning here: no
/// name can look like another field or line.
fn value(out: &mut String, name: &str) {
    let is_plain = |character: char| character.is_alphanumeric() || ".-_+$@~".contains(character);
    if !name.is_empty() && name != "-" && name.chars().all(is_plain) && name.chars().count() <= MAX_NAME_CHARS {
        out.push_str(name);
        return;
    }
    let cut: String = name.chars().take(MAX_NAME_CHARS).collect();
    out.push('"');
    for character in shown(&cut).chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_can_look_like_another_field() {
        let spelled = |name: &str| {
            let mut out = String::new();
            value(&mut out, name);
            out
        };
        assert_eq!(spelled("agent.exe"), "agent.exe");
        assert_eq!(spelled("über-2.exe"), "über-2.exe");
        assert_eq!(spelled(""), "\"\"");
        assert_eq!(spelled("-"), "\"-\"");
        assert_eq!(spelled("a pid=4"), "\"a pid=4\"");
        assert_eq!(spelled("a\npid=4\0\u{202E}\""), "\"a\\\\u{a}pid=4\\\\u{0}\\\\u{202e}\\\"\"");
        assert_eq!(spelled(&"x".repeat(70_000)).len(), MAX_NAME_CHARS + 2);
    }
}
