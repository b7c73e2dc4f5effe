//! Entries of event logs as text: copies of the event viewer, lists and tables of `wevtutil` and `Get-WinEvent`.
//!
//! Used is what tells its time without doubt: the XML of an entry, which is in UTC, and tables and lists whose times say how far
//! they are from UTC. Dates in the order of a language and local times do not: for these the log itself is needed.

use std::collections::BTreeSet;

use super::event_log::{self, EventLog};
use super::facts::{RowCount, SystemEvent};

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
    /// Entries that were read, and rows that are none.
    pub(super) rows: RowCount,
}

/// Reads the entries of a text; `None` where it holds none about ports. `events`, `doubtful` and `rows` are what was read of it as
/// tables and lists.
pub(super) fn parse(
    text: &str,
    events: Vec<SystemEvent>,
    doubtful: &BTreeSet<u32>,
    rows: RowCount,
) -> Option<EventText> {
    let mut found = EventText::default();
    if !events.is_empty() {
        found.log = EventLog { events, entries: rows.rows, ..EventLog::default() };
        (found.doubtful, found.rows) = (doubtful.clone(), rows);
        return Some(found);
    }
    if doubtful.is_empty() && !text.contains("cpip") && !text.contains("TCPIP") && !text.contains("<Event") {
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
    found.rows.rows = found.log.entries;
    if found.log.entries == 0 {
        found.doubtful = ids_near_tcpip(text);
        found.doubtful.extend(doubtful);
    }
    (found.log.entries > 0 || !found.doubtful.is_empty()).then_some(found)
}

/// Ids of Tcpip that stand in a line with its name, or in the lines of one entry.
fn ids_near_tcpip(text: &str) -> BTreeSet<u32> {
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

    fn parse(text: &str) -> Option<EventText> {
        super::parse(text, Vec::new(), &BTreeSet::new(), RowCount::default())
    }

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

    /// What a whole file gives: entries with their times, and the note.
    fn recognised(text: &str) -> (Vec<(u32, String)>, bool, String) {
        let found = crate::side::recognise(text.as_bytes(), "events.txt");
        let logs: Vec<_> = found.iter().filter(|found| found.kind == crate::side::Kind::Evtx).collect();
        let [log] = logs.as_slice() else { panic!("{text}: {found:?}") };
        let events = log.facts.system_events.iter().map(|event| (event.id, event.time.to_string()));
        (events.collect(), log.is_useful, log.note.clone().unwrap_or_default())
    }

    #[test]
    fn entries_with_a_distance_from_utc_are_used() {
        let time = "2026-11-22T20:01:10.6110000Z".to_owned();
        for text in [
            "Event[0]:\r\n  Log Name: System\r\n  Source: Tcpip\r\n  Date: 2026-11-22T20:01:10.6110000Z\r\n  Event ID: 4231\r\n  \
             Task: N/A\r\n  Level: Warning\r\n  Description: \r\nA request to allocate an ephemeral port number failed.\r\n\r\n\
             Event[1]:\r\n  Log Name: System\r\n  Source: Service Control Manager\r\n  Date: 2026-11-22T20:00:00.0000000Z\r\n  Event ID: 7036\r\n",
            "\n\nTimeCreated  : 2026-11-22T20:01:10.6110000Z\nProviderName : Tcpip\nId           : 4231\nMessage      : A request\n",
            "[{\"Id\": 4231, \"ProviderName\": \"Tcpip\", \"TimeCreated\": \"\\/Date(1795377670611)\\/\"}]",
            "[{\"Id\": 4231, \"ProviderName\": \"Tcpip\", \"TimeCreated\": \"2026-11-22T21:01:10.611+01:00\"}]",
            "\"Id\",\"ProviderName\",\"TimeCreated\"\r\n\"4231\",\"Tcpip\",\"2026-11-22T20:01:10.611Z\"\r\n\"7036\",\"x\",\"y\"\r\n",
            "TimeCreated                  Id   ProviderName\n-----------                  --   ------------\n2026-11-22T20:01:10.6110000Z 4231 Tcpip\n",
            "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\"><Obj RefId=\"0\"><Props><I32 N=\"Id\">4231</I32>\
             <S N=\"ProviderName\">Tcpip</S><DT N=\"TimeCreated\">2026-11-22T21:01:10.611+01:00</DT></Props></Obj></Objs>",
            "EventID            : 4231\nSource             : Tcpip\nInstanceId         : 2147487879\nTimeGenerated      : 2026-11-22T20:01:10.611Z\n",
        ] {
            assert_eq!(recognised(text), (vec![(4231, time.clone())], true, String::new()), "{text}");
        }
    }

    #[test]
    fn entries_with_local_times_are_told() {
        for text in [
            "Event[0]:\r\n  Log Name: System\r\n  Source: Tcpip\r\n  Date: 2026-11-22T20:01:10.611\r\n  Event ID: 4231\r\n",
            "TimeCreated  : 11/22/2026 9:01:10 PM\nProviderName : Tcpip\nId           : 4231\n",
            "Level,Date and Time,Source,Event ID,Task Category\r\nWarning,11/22/2026 9:01:10 PM,Tcpip,4231,None,\"A request\"\r\n",
            "   ProviderName: Tcpip\n\nTimeCreated                     Id LevelDisplayName Message\n\
             -----------                     -- ---------------- -------\n11/22/2026 9:01:10 PM         4231 Warning          A request...\n",
        ] {
            let (events, is_useful, note) = recognised(text);
            assert_eq!((events.len(), is_useful), (0, false), "{text}");
            assert!(note.contains("Tcpip 4231") && note.contains("save the log as .evtx"), "{note}");
        }
        // One of each.
        let text = "Id,ProviderName,TimeCreated\n4231,Tcpip,2026-11-22T20:01:10.611Z\n4266,Tcpip,22.11.2026 21:01:10\n";
        let (events, is_useful, note) = recognised(text);
        assert_eq!((events.len(), is_useful), (1, true));
        assert!(note.contains("with Tcpip 4266:"), "{note}");
    }
}
