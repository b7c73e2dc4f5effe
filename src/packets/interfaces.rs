//! Where packets were captured, as interfaces of a capture file.

use std::io;

use super::pcapng::Writer;
use super::seen::Seen;
use crate::hash::FastMap;
use crate::providers::packets::LinkType;
use crate::providers::packets::ndis::SwitchPort;
use crate::words::pseudonyms::Pseudonyms;
use crate::words::shown;

/// Interfaces that are told apart: a host with a thousand virtual machines has several of each. Those beyond share one.
const MAX_INTERFACES: usize = 1 << 16;

/// Where a packet was captured.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// An adapter, or a layer on it, or a port of a virtual switch.
    Adapter { trace: usize, miniport: u32, lower: u32, port: Option<SwitchPort> },
    /// A component of the network stack.
    Component { trace: usize, component: u32 },
    /// One too many.
    Beyond,
}

/// Numbers interfaces as they come.
pub(super) struct Interfaces<'s> {
    seen: &'s Seen,
    numbers: FastMap<(Place, LinkType), u32>,
}

impl<'s> Interfaces<'s> {
    pub(super) fn new(seen: &'s Seen) -> Self {
        Self { seen, numbers: FastMap::default() }
    }

    /// The number of an interface; a new one is written first.
    pub(super) fn number(
        &mut self,
        place: &Place,
        link: LinkType,
        names: Option<&mut Pseudonyms>,
        writer: &mut Writer<'_>,
    ) -> io::Result<u32> {
        let mut key = (place.clone(), link);
        if let Some(number) = self.numbers.get(&key) {
            return Ok(*number);
        }
        if self.numbers.len() >= MAX_INTERFACES {
            key.0 = Place::Beyond;
            if let Some(number) = self.numbers.get(&key) {
                return Ok(*number);
            }
        }
        let number = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        let (name, description) = self.called(&key.0, names);
        writer.interface(link, &shown(&name), &shown(&description))?;
        self.numbers.insert(key, number);
        Ok(number)
    }

    /// Name and description, with the index that Windows has for it.
    fn called(&self, place: &Place, mut names: Option<&mut Pseudonyms>) -> (String, String) {
        let mut text = |text: &str| names.as_mut().map_or_else(|| text.to_owned(), |names| names.text(text));
        match place {
            Place::Adapter { trace, miniport, lower, port } => {
                let index = match miniport == lower {
                    true => format!("interface index {lower}"),
                    false => format!("interface index {lower}, on adapter with index {miniport}"),
                };
                match (port, self.seen.sources.get(&(*trace, *lower))) {
                    (Some(SwitchPort { id, name, nic }), _) => {
                        (text(nic), format!("port {id} {} of a virtual switch, {index}", text(name)))
                    }
                    (None, Some(name)) => (text(name), index),
                    (None, None) => (format!("interface {lower}"), index),
                }
            }
            Place::Component { trace, component } => match self.seen.components.get(&(*trace, *component)) {
                Some(known) => (text(&known.name), format!("component {component}: {}", text(&known.description))),
                None => (format!("component {component}"), format!("component {component}")),
            },
            Place::Beyond => ("other interfaces".to_owned(), "more interfaces than can be told apart".to_owned()),
        }
    }
}
