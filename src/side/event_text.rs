//! Entries of event logs as text: copies of the event viewer, lists and tables of `wevtutil` and `Get-WinEvent`.
//!
//! Used is what tells its time without doubt: the XML of an entry, which is in UTC. Dates in the order of a language and
//! local times are not: for these the log itself is needed.

use std::collections::BTreeSet;

use super::event_log::{self, EventLog};

/// An entry is no longer than this as XML.
const MAX_ENTRY: usize = 64 << 10;

/// Lines of an entry as a list, from the source to the id.
const MAX_LINES_APART: usize = 8;

/// Ids that say something about ports, as words.
const IDS: [&str; 3] = ["4227", "4231", "4266"];

/// What a text holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct EventText {
    /// Entries whose time is certain.
    pub(super) log: EventLog,
    /// Ids of entries whose time is not.
    pub(super) doubtful: BTreeSet<u32>,
}

/// Reads the entries of a text; `None` where it holds none.
pub(super) fn parse(text: &str) -> Option<EventText> {
    let mut found = EventText::default();
    if !text.contains("cpip") && !text.contains("TCPIP") && !text.contains("<Event") {
        return None;
    }
    let mut rest = text;
    while let Some(start) = rest.find("<Event") {
        rest = rest.get(start..).unwrap_or("");
        let Some(end) = rest.find("</Event>").map(|end| end + "</Event>".len()).filter(|end| *end <= MAX_ENTRY) else {
            rest = rest.get("<Event".len()..).unwrap_or("");
            continue;
        };
        let xml = rest.get(..end).unwrap_or("");
        // `<Events>` around them.
        let at = xml.rfind("<Event ").or_else(|| xml.rfind("<Event>")).unwrap_or(0);
        event_log::take_text(xml.get(at..).unwrap_or(xml), &mut found.log);
        rest = rest.get(end..).unwrap_or("");
    }
    if found.log.entries == 0 {
        found.doubtful = doubtful(text);
    }
    (found.log.entries > 0 || !found.doubtful.is_empty()).then_some(found)
}

/// Ids of Tcpip that stand in a line with its name, or in the lines of one entry.
fn doubtful(text: &str) -> BTreeSet<u32> {
    let mut ids = BTreeSet::new();
    let mut since: Option<usize> = None;
    let mut waiting: Option<(u32, usize)> = None;
    for (number, line) in text.lines().enumerate() {
        let words = || line.split(|c: char| !c.is_alphanumeric() && c != '-').filter(|word| !word.is_empty());
        let has_source = words().any(|word| word.eq_ignore_ascii_case("tcpip"));
        let id = words().find(|word| IDS.contains(word)).and_then(|word| word.parse::<u32>().ok());
        let is_near = |other: usize| number.saturating_sub(other) <= MAX_LINES_APART;
        match id {
            Some(id) if has_source || since.is_some_and(is_near) => drop(ids.insert(id)),
            Some(id) if words().count() <= MAX_LINES_APART => waiting = Some((id, number)),
            _ => {}
        }
        if has_source {
            since = Some(number);
            ids.extend(waiting.take().filter(|(_, line)| is_near(*line)).map(|(id, _)| id));
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = "<Event xmlns=\"http://schemas.microsoft.com/win/2004/08/events/event\">\n<System><Provider Name=\"Tcpip\" />\
        <EventID Qualifiers=\"32768\">4231</EventID><TimeCreated SystemTime=\"2026-11-22T20:01:10.611477100Z\" />\
        <EventRecordID>14996</EventRecordID><Channel>System</Channel></System></Event>";

    #[test]
    fn xml_tells_the_time() {
        for text in [format!("Log Name: System\nEvent Xml:\n{XML}\n"), format!("<Events>{XML}{XML}</Events>")] {
            let found = parse(&text).unwrap();
            let event = found.log.events.first().unwrap();
            assert_eq!((event.id, event.time.to_string().as_str()), (4231, "2026-11-22T20:01:10.6114771Z"));
            assert!(found.doubtful.is_empty());
        }
    }

    #[test]
    fn local_times_do_not() {
        for text in [
            "Log Name:      System\nSource:        Tcpip\nDate:          11/22/2026 9:01:10 PM\nEvent ID:      4231\n",
            "Warnung,22.11.2026 21:01:10,Tcpip,4231,Keine,Fehler\n",
            "Id : 4231\nProviderName : Tcpip\nTimeCreated : 11/22/2026 9:01:10 PM\n",
        ] {
            let found = parse(text).unwrap();
            assert_eq!((found.log.events.len(), found.doubtful), (0, BTreeSet::from([4231])), "{text}");
        }
        for text in ["Tcpip is a driver\n", "port 4231 of Tcp\n", "<Event>"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
