//! `Export-Clixml`, and the tables of `ConvertTo-Html`.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::objects::Objects;
use super::{Context, Found};
use crate::side::lines::Lines;

/// Objects inside of each other. Those of sockets have about four.
const MAX_DEPTH: usize = 64;

/// An object has no more values; a process has about 60 properties.
const MAX_VALUES: usize = 256;

/// So much of a text shows what it is.
const MAX_BEFORE: usize = 4 << 10;

/// Reads the objects of a text; `false` where there is none that is known.
pub(super) fn read(lines: Lines<'_>, context: &mut Context, found: &mut Found) -> bool {
    let text = lines.rest().trim_start_matches('\u{feff}');
    let before: String = text.chars().take(MAX_BEFORE).flat_map(char::to_lowercase).collect();
    let objects = Objects::new(lines, context, found);
    if before.trim_start().starts_with('<') && before.contains("<objs") {
        return clixml(text, objects);
    }
    if text.contains("<table") || text.contains("<TABLE") {
        return html(text, objects);
    }
    false
}

/// An object that is being read.
#[derive(Debug, Default)]
struct Open {
    /// Its name in the object around it.
    name: Option<String>,
    values: Vec<(String, String)>,
    /// `ToString`: a class, or the word for a number.
    text: String,
}

impl Open {
    fn push(&mut self, name: String, value: String) {
        if self.values.len() < MAX_VALUES {
            self.values.push((name, value));
        }
    }
}

fn clixml(text: &str, mut objects: Objects<'_>) -> bool {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = Vec::new();
    // The value that is being read: its name, and what it says so far.
    let mut value: Option<(String, String)> = None;
    let mut is_text = false;
    let is_whole = loop {
        if objects.is_stopped {
            break false;
        }
        match reader.read_event() {
            Ok(Event::Start(element)) => match element.local_name().as_ref() {
                "Obj" if open.len() < MAX_DEPTH => {
                    open.push(Open { name: named(&element), ..Open::default() });
                }
                "Obj" => break false,
                "ToString" => is_text = true,
                _ => value = named(&element).map(|name| (name, String::new())),
            },
            Ok(Event::Empty(element)) => {
                if let (Some(name), Some(object)) = (named(&element), open.last_mut()) {
                    object.push(name, String::new());
                }
            }
            Ok(Event::Text(text)) => {
                let text: &str = text.as_ref();
                if let Some((_, value)) = &mut value {
                    value.push_str(text);
                } else if let Some(object) = open.last_mut().filter(|_| is_text) {
                    object.text.push_str(text);
                }
            }
            Ok(Event::End(element)) => match element.local_name().as_ref() {
                "Obj" => {
                    let Some(object) = open.pop() else { continue };
                    // What a property holds is of no list: the threads of a process have an id, too.
                    let is_of_property = open.iter().any(|around| around.name.is_some());
                    match (object.name, open.last_mut()) {
                        (Some(name), Some(around)) => around.push(name, object.text),
                        _ if is_of_property => {}
                        _ => take(&mut objects, object.values, object.text),
                    }
                }
                "ToString" => is_text = false,
                _ => {
                    if let (Some((name, value)), Some(object)) = (value.take(), open.last_mut()) {
                        object.push(name, value);
                    }
                }
            },
            Ok(Event::Eof) => break open.is_empty(),
            Ok(_) => {}
            Err(_) => break false,
        }
    };
    objects.end(is_whole, "Clixml")
}

/// Hands on an object, with its class.
fn take(objects: &mut Objects<'_>, mut values: Vec<(String, String)>, class: String) {
    if values.is_empty() {
        return;
    }
    values.push(("CimClass".to_owned(), class));
    let cells: Vec<&str> = values.iter().map(|(_, value)| value.as_str()).collect();
    objects.object(values.iter().map(|(name, _)| name.as_str()), &cells);
}

/// The attribute `N`.
fn named(element: &BytesStart<'_>) -> Option<String> {
    let mut attributes = element.attributes();
    let mut attributes = attributes.with_checks(false).filter_map(Result::ok);
    let attribute = attributes.find(|attribute| attribute.key.local_name().as_ref() == "N")?;
    attribute.normalized_value(XmlVersion::Explicit1_0).ok().map(|name| name.into_owned())
}

/// A table, a row of it, and a list of labels as a table of two columns.
#[derive(Debug, Default)]
struct Rows {
    heading: Vec<String>,
    cells: Vec<String>,
    is_heading: bool,
    is_cell: bool,
    /// Labels and values.
    labelled: Vec<(String, String)>,
}

fn html(text: &str, mut objects: Objects<'_>) -> bool {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    let mut rows = Rows::default();
    let mut is_open = false;
    let is_whole = loop {
        if objects.is_stopped {
            break false;
        }
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(_) => break false,
        };
        match event {
            Event::Start(element) | Event::Empty(element) => {
                let name = element.local_name().as_ref().to_ascii_lowercase();
                match name.as_str() {
                    "table" => (rows, is_open) = (Rows::default(), true),
                    "tr" => (rows.cells, rows.is_heading) = (Vec::new(), false),
                    "th" | "td" if rows.cells.len() < MAX_VALUES => {
                        rows.cells.push(String::new());
                        rows.is_cell = true;
                        rows.is_heading |= name == "th";
                    }
                    _ => {}
                }
            }
            Event::Text(text) if rows.is_cell => {
                let text: &str = text.as_ref();
                rows.cells.last_mut().into_iter().for_each(|cell| cell.push_str(text));
            }
            Event::End(element) => match element.local_name().as_ref().to_ascii_lowercase().as_str() {
                "th" | "td" => rows.is_cell = false,
                "tr" => rows.end(&mut objects),
                "table" => {
                    rows.end_labelled(&mut objects);
                    is_open = false;
                }
                _ => {}
            },
            Event::Eof => break !is_open,
            _ => {}
        }
    };
    rows.end_labelled(&mut objects);
    objects.end(is_whole, "HTML")
}

impl Rows {
    fn end(&mut self, objects: &mut Objects<'_>) {
        let cells = std::mem::take(&mut self.cells);
        if self.is_heading {
            self.heading = cells;
            return;
        }
        if !self.heading.is_empty() {
            let cells: Vec<&str> = cells.iter().map(|cell| cell.trim()).collect();
            objects.object(self.heading.iter().map(String::as_str), &cells);
            return;
        }
        match cells.as_slice() {
            [label, value] if label.trim().ends_with(':') => {
                let label = label.trim().trim_end_matches(':').to_owned();
                if self.labelled.iter().any(|(known, _)| *known == label) || self.labelled.len() >= MAX_VALUES {
                    self.end_labelled(objects);
                }
                self.labelled.push((label, value.trim().to_owned()));
            }
            _ => self.end_labelled(objects),
        }
    }

    fn end_labelled(&mut self, objects: &mut Objects<'_>) {
        let values = std::mem::take(&mut self.labelled);
        if !values.is_empty() {
            let cells: Vec<&str> = values.iter().map(|(_, value)| value.as_str()).collect();
            objects.object(values.iter().map(|(name, _)| name.as_str()), &cells);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::side::facts::TcpState;
    use crate::side::lines::Lines;
    use crate::side::records::{Found, parse};

    /// Port, state and PID of each socket of TCP, and how many of UDP.
    fn sockets(found: &Found) -> (Vec<(u16, TcpState, u32)>, usize) {
        let of = |socket: &crate::side::facts::ListedSocket| {
            (socket.local.unwrap().port, socket.state.clone().unwrap(), socket.pid.unwrap())
        };
        let tcp = found.tcp.iter().flat_map(|listing| &listing.sockets).map(of).collect();
        (tcp, found.udp.iter().map(|listing| listing.sockets.len()).sum())
    }

    #[test]
    fn clixml_of_both_kinds_of_sockets() {
        let object = |class: &str, values: &str| {
            format!(
                "<Obj RefId=\"0\"><TN RefId=\"0\"><T>Microsoft.Management.Infrastructure.CimInstance#root/standardcimv2/{class}</T></TN>\
                 <ToString>{class} (InstanceID = \"x\")</ToString><Props><S N=\"LocalAddress\">10.20.0.5</S><Nil N=\"Caption\" />{values}</Props>\
                 <MS><Obj N=\"CimClass\" RefId=\"1\"><ToString>root/standardcimv2:{class}</ToString><Props><S N=\"Id\">9</S></Props></Obj></MS></Obj>"
            )
        };
        let tcp = object(
            "MSFT_NetTCPConnection",
            "<U16 N=\"LocalPort\">50000</U16><By N=\"State\">100</By><U32 N=\"OwningProcess\">7312</U32><S N=\"RemoteAddress\">::</S><U16 N=\"RemotePort\">0</U16>",
        );
        let udp = object("MSFT_NetUDPEndpoint", "<U16 N=\"LocalPort\">53</U16><U32 N=\"OwningProcess\">1788</U32>");
        let text = format!(
            "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\">{tcp}{udp}{tcp}</Objs>"
        );
        let found = parse(Lines::new(&text), "x.xml");
        let row = (50_000, TcpState::Bound, 7312);
        assert_eq!(sockets(&found), (vec![row.clone(), row.clone()], 1));
        assert!(found.names.is_empty() && found.notes.is_empty(), "{found:?}");
        // Cut in the middle: what is whole stands.
        let found = parse(Lines::new(&text[..text.rfind("10.20").unwrap()]), "x.xml");
        assert_eq!(sockets(&found), (vec![row], 1));
        assert_eq!(found.notes, ["the Clixml text ends too early"]);
        // What belongs to an object is none of the list.
        let text = "<Objs><Obj RefId=\"0\"><Props><I32 N=\"HandleCount\">18422</I32><I32 N=\"Id\">7312</I32><S N=\"ProcessName\">app</S>\
             <Obj N=\"Threads\" RefId=\"1\"><LST><Obj RefId=\"2\"><Props><I32 N=\"Id\">9</I32><S N=\"Name\">x.exe</S></Props></Obj></LST></Obj></Props></Obj></Objs>";
        let found = parse(Lines::new(text), "x.xml");
        assert_eq!((found.handles.len(), found.names.len(), found.process_rows.rows), (1, 0, 1));
        for text in ["<Objs></Objs>", "<Objs><Obj RefId=\"0\"><S N=\"Id\">7</S></Obj></Objs>", "<a><Objs"] {
            assert_eq!(parse(Lines::new(text), "x.xml"), Found::default(), "{text}");
        }
    }

    #[test]
    fn tables_and_lists_of_html() {
        let head = "<!DOCTYPE html PUBLIC \"x\">\n<html><head><title>HTML TABLE</title></head><body>\n<table>\n<colgroup><col/><col/></colgroup>\n";
        let table = format!(
            "{head}<tr><th>LocalAddress</th><th>LocalPort</th><th>State</th><th>OwningProcess</th></tr>\n\
             <tr><td>10.20.0.5</td><td>50000</td><td>Bound</td><td>7312</td></tr>\n<tr><td>::</td><td>50001</td><td>CloseWait</td><td>7312</td></tr>\n</table>\n</body></html>\n"
        );
        let rows = vec![(50_000, TcpState::Bound, 7312), (50_001, TcpState::CloseWait, 7312)];
        assert_eq!(sockets(&parse(Lines::new(&table), "x.html")).0, rows);
        let list = format!(
            "{head}<tr><td>LocalAddress:</td><td>10.20.0.5</td></tr><tr><td>LocalPort:</td><td>50000</td></tr><tr><td>State:</td><td>Bound</td></tr>\
             <tr><td>OwningProcess:</td><td>7312</td></tr><tr><td><hr></td></tr><tr><td>LocalAddress:</td><td>::</td></tr>\
             <tr><td>LocalPort:</td><td>50001</td></tr><tr><td>State:</td><td>CloseWait</td></tr><tr><td>OwningProcess:</td><td>7312</td></tr></table>"
        );
        assert_eq!(sockets(&parse(Lines::new(&list), "x.html")).0, rows);
        assert_eq!(
            parse(Lines::new(&format!("{head}<tr><td>1</td><td>2</td></tr></table>")), "x.html"),
            Found::default()
        );
    }
}
