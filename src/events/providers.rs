//! Which providers a trace names, and which of them somebody means by a name or a part of one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use etl_parser::{ExtendedValue, Guid, Record};
use etw_schema::Schemas;
use etw_schema::tracelogging::read_provider_traits;

use super::filter::ProviderFilter;
use crate::providers::names;
use crate::words::shown;

/// Providers that are told apart. A capture of everything has some hundred; damage can make up one for each record.
const MAX_PROVIDERS: usize = 1 << 16;

/// Most providers of Windows are called so; nobody writes it.
const PREFIX: &str = "microsoft-windows-";

/// Providers of one buffer, and how they call themselves.
#[derive(Debug, Default)]
pub(super) struct Named {
    names: HashMap<Guid, Option<String>>,
    last: Option<Guid>,
}

impl Named {
    pub(super) fn look(&mut self, record: &Record<'_>) {
        let provider = super::provider_of(record);
        if provider == self.last {
            return;
        }
        self.last = provider;
        let Some(provider) = provider else { return };
        let name = self.names.entry(provider).or_default();
        if name.is_none() {
            *name = record.extended_items().find_map(|item| match item.value() {
                ExtendedValue::ProviderTraits(traits) => {
                    let name = read_provider_traits(traits).ok()?.name;
                    Some(name.to_string()).filter(|name| !name.is_empty())
                }
                _ => None,
            });
        }
    }
}

/// The providers of all traces, and all names that each has.
#[derive(Debug, Default)]
pub struct Providers {
    names: BTreeMap<Guid, BTreeSet<String>>,
    is_full: bool,
}

/// A part of a name that several providers of the traces have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambiguous {
    text: String,
    names: Vec<String>,
}

impl fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.names.iter().map(|name| shown(name)).collect();
        write!(
            f,
            "--provider {}: {} providers of the trace have that in their name: {}",
            shown(&self.text),
            names.len(),
            names.join(", ")
        )
    }
}

impl std::error::Error for Ambiguous {}

/// The providers that somebody asked for.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) guids: Vec<Guid>,
    /// What no trace holds, as it may be shown.
    pub(super) missing: Vec<String>,
}

/// How well a name fits, best first: `Microsoft-Windows-` in front of it, the whole of it, a part of it.
fn fits(name: &str, text: &str) -> Option<u8> {
    let (name, text) = (name.to_lowercase(), text.to_lowercase());
    let ranks = [name.strip_prefix(PREFIX) == Some(text.as_str()), name == text, name.contains(&text)];
    (0..).zip(ranks).find_map(|(rank, fits)| fits.then_some(rank))
}

/// Whether a provider may be meant by a text.
pub(super) fn may_mean(text: &str, provider: Guid) -> bool {
    names::provider_name(provider).is_some_and(|name| fits(name, text).is_some())
}

impl Providers {
    pub(super) fn add(&mut self, named: Named) {
        for (guid, name) in named.names {
            if self.names.len() >= MAX_PROVIDERS && !self.names.contains_key(&guid) {
                self.is_full = true;
                continue;
            }
            self.names.entry(guid).or_default().extend(name);
        }
    }

    /// Adds a provider of which a log has events.
    pub(super) fn add_logged(&mut self, provider: Guid) {
        self.names.entry(provider).or_default();
    }

    /// Adds the names that are known from elsewhere.
    pub(super) fn add_known_names(&mut self, schemas: &[Schemas]) {
        for schemas in schemas {
            for (key, schema) in schemas.embedded() {
                if let (Some(names), Some(name)) = (self.names.get_mut(&key.guid), &schema.provider_name) {
                    names.insert(name.to_string());
                }
            }
            for (guid, manifest) in schemas.manifests().iter() {
                if let (Some(names), Some(name)) = (self.names.get_mut(guid), &manifest.provider_name) {
                    names.insert(name.to_string());
                }
            }
        }
        for (guid, known) in &mut self.names {
            known.extend(names::provider_name(*guid).map(str::to_owned));
        }
    }

    /// Which providers are meant.
    ///
    /// # Errors
    ///
    /// A part of a name that several have.
    pub(super) fn choose(&self, filters: &[ProviderFilter]) -> Result<Wanted, Ambiguous> {
        let mut wanted = Wanted::default();
        for filter in filters {
            match filter {
                ProviderFilter::Guid(guid) => {
                    wanted.guids.push(*guid);
                    if !self.names.contains_key(guid) && !self.is_full {
                        let name = names::provider_name(*guid);
                        wanted.missing.push(name.map_or_else(|| guid.to_string(), str::to_owned));
                    }
                }
                ProviderFilter::Name(text) => match self.named(text)? {
                    guids if guids.is_empty() => wanted.missing.push(shown(text)),
                    guids => wanted.guids.extend(guids),
                },
            }
        }
        Ok(wanted)
    }

    fn named(&self, text: &str) -> Result<Vec<Guid>, Ambiguous> {
        let all = self.names.iter().flat_map(|(guid, names)| names.iter().map(move |name| (*guid, name)));
        let fitting: Vec<(u8, Guid, &String)> =
            all.filter_map(|(guid, name)| Some((fits(name, text)?, guid, name))).collect();
        let Some(best) = fitting.iter().map(|(rank, _, _)| *rank).min() else { return Ok(Vec::new()) };
        let best: Vec<_> = fitting.into_iter().filter(|(rank, _, _)| *rank == best).collect();
        let guids: BTreeSet<Guid> = best.iter().map(|(_, guid, _)| *guid).collect();
        let names: BTreeSet<String> = best.iter().map(|(_, _, name)| name.to_lowercase()).collect();
        // Several GUIDs of one name are one provider, and so are several names of one GUID.
        if guids.len() > 1 && names.len() > 1 {
            let names: BTreeSet<&String> = best.iter().map(|(_, _, name)| *name).collect();
            return Err(Ambiguous { text: text.to_owned(), names: names.into_iter().cloned().collect() });
        }
        Ok(guids.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::{afd, tcpip};

    const MOF_TCPIP: Guid = Guid::from_u128(0x9a280ac0_c8e0_11d1_84e2_00c04fb998a2);

    fn providers(guids: &[(Guid, Option<&str>)]) -> Providers {
        let mut providers = Providers::default();
        let names = guids.iter().map(|(guid, name)| (*guid, name.map(str::to_owned))).collect();
        providers.add(Named { names, last: None });
        providers.add_known_names(&[]);
        providers
    }

    fn named(providers: &Providers, text: &str) -> Vec<Guid> {
        providers.choose(&[ProviderFilter::Name(text.to_owned())]).unwrap().guids
    }

    #[test]
    fn by_full_name_short_name_or_a_part() {
        let own = Guid::from_u128(7);
        let all =
            providers(&[(afd::PROVIDER, None), (tcpip::PROVIDER, None), (MOF_TCPIP, None), (own, Some("My-AFD-Log"))]);
        for text in ["Microsoft-Windows-Winsock-AFD", "winsock-afd", "SOCK-A"] {
            assert_eq!(named(&all, text), [afd::PROVIDER], "{text}");
        }
        assert_eq!(named(&all, "tcpip"), [tcpip::PROVIDER], "not the kernel's class of that name");
        assert_eq!(named(&providers(&[(MOF_TCPIP, None)]), "tcpip"), [MOF_TCPIP]);
        assert_eq!(named(&all, "log"), [own]);
        let error = all.choose(&[ProviderFilter::Name("afd".to_owned())]).unwrap_err().to_string();
        assert!(error.contains("2 providers") && error.contains("My-AFD-Log"), "{error}");
        assert_eq!(named(&providers(&[(afd::PROVIDER, None), (tcpip::PROVIDER, None)]), "afd"), [afd::PROVIDER]);
    }

    #[test]
    fn what_no_trace_holds_is_missing() {
        let filters = [ProviderFilter::Guid(tcpip::PROVIDER), ProviderFilter::Name("No-Such".to_owned())];
        let wanted = providers(&[(afd::PROVIDER, None)]).choose(&filters).unwrap();
        assert_eq!(wanted.missing, ["Microsoft-Windows-TCPIP", "No-Such"]);
    }

    #[test]
    fn several_providers_of_one_name_are_one() {
        let (one, two) = (Guid::from_u128(1), Guid::from_u128(2));
        assert_eq!(named(&providers(&[(one, Some("Twice")), (two, Some("Twice"))]), "twice"), [one, two]);
        assert_eq!(named(&providers(&[(one, Some("Twice")), (two, Some("twice-b"))]), "Twice"), [one]);
    }
}
