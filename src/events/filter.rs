//! Which events are wanted.

use etl_parser::Guid;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::providers::may_mean;
use super::{Event, Origin};
use crate::providers::{afd, tcpip};
use crate::status::{NtStatus, of_winsock_error};
use crate::time::{FileTime, from_timestamp};

/// A provider as the user named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderFilter {
    /// By GUID.
    Guid(Guid),
    /// By its name, or a part of it: which provider that is, the names that a trace holds decide.
    Name(String),
}

/// A status as the user named it: one NTSTATUS, or those that programs see as one Winsock error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusFilter(pub Vec<NtStatus>);

/// Which events are wanted. The default: the bind and connect failures that `analyze` counts.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// All events, unless the other fields narrow it.
    pub all: bool,
    /// Of one of these providers; any where empty.
    pub providers: Vec<ProviderFilter>,
    /// With one of these ids; any where empty.
    pub ids: Vec<u16>,
    /// With one of these statuses; any where empty.
    pub statuses: Vec<StatusFilter>,
    /// Of one of these owners, or of those that `processes` name; any where both are empty.
    pub pids: Vec<u32>,
    /// Of owners with one of these image names, in any case, with or without `.exe`.
    pub processes: Vec<String>,
    /// With the PID of one of these processes in the record's header; any where empty.
    pub header_pids: Vec<u32>,
    /// Not before this time.
    pub since: Option<FileTime>,
    /// Not after this time.
    pub until: Option<FileTime>,
}

impl Filter {
    /// Whether nothing widens the choice of the failures that count.
    pub fn is_of_failures(&self) -> bool {
        !self.all
            && self.providers.is_empty()
            && self.ids.is_empty()
            && self.statuses.is_empty()
            && self.header_pids.is_empty()
    }

    /// Whether it must be known whose the records are: to choose by it, or to show it. Records that are chosen by their header
    /// are shown without.
    pub fn needs_owners(&self) -> bool {
        let by_owner = self.is_of_failures() || self.is_by_owner();
        let may_have_owner = |provider: &ProviderFilter| match provider {
            ProviderFilter::Guid(guid) => [afd::PROVIDER, tcpip::PROVIDER].contains(guid),
            ProviderFilter::Name(text) => [afd::PROVIDER, tcpip::PROVIDER].iter().any(|guid| may_mean(text, *guid)),
        };
        let may_have_owners = self.providers.is_empty() || self.providers.iter().any(may_have_owner);
        by_owner || (self.header_pids.is_empty() && may_have_owners)
    }

    /// Whether what an event holds, or whose it is, decides: not only what its record says of itself.
    pub(super) fn needs_content(&self) -> bool {
        self.is_by_owner() || !self.statuses.is_empty()
    }

    fn is_by_owner(&self) -> bool {
        !self.pids.is_empty() || !self.processes.is_empty()
    }

    /// Whether an event is that of an owner who is wanted.
    pub(super) fn admits_owner(&self, event: &Event<'_>) -> bool {
        if !self.is_by_owner() {
            return true;
        }
        let Some(owner) = &event.owner else { return false };
        owner.pid.is_some_and(|pid| self.pids.contains(&pid))
            || owner.image.is_some_and(|image| self.processes.iter().any(|name| is_called(image, name)))
    }

    /// Whether a field of the decoded event holds a status that is wanted.
    pub(super) fn admits_status(&self, event: &Event<'_>) -> bool {
        if self.statuses.is_empty() {
            return true;
        }
        let is_wanted =
            |value: u64| self.statuses.iter().flat_map(|wanted| &wanted.0).any(|status| u64::from(status.0) == value);
        match &event.origin {
            Origin::Entry(entry) => entry.event.status.is_some_and(|status| is_wanted(status.0.into())),
            Origin::Record { decoded: Err(_), .. } => false,
            Origin::Record { decoded: Ok(decoded), .. } => {
                let found = decoded.payload.fields.iter().filter(|(name, _)| is_status(name));
                found.filter_map(|(_, value)| value.integer()).any(is_wanted)
            }
        }
    }

    pub(super) fn admits_time(&self, time: Option<FileTime>) -> bool {
        let is_in = |time: FileTime| {
            self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time <= until)
        };
        (self.since.is_none() && self.until.is_none()) || time.is_some_and(is_in)
    }
}

/// Whether an image has this name, in any case, with or without `.exe`.
pub(crate) fn is_called(image: &str, name: &str) -> bool {
    let (image, name) = (image.to_lowercase(), name.to_lowercase());
    image == name || image.strip_suffix(".exe") == Some(&name)
}

/// Names of fields that hold an NTSTATUS.
fn is_status(name: &str) -> bool {
    ["Status", "Error", "NtStatus", "NTStatus"].contains(&name)
}

/// A provider by GUID (with or without braces), or by a name or a part of one.
///
/// # Errors
///
/// An empty text.
pub fn parse_provider(text: &str) -> Result<ProviderFilter, String> {
    let bare = text.trim().trim_start_matches('{').trim_end_matches('}');
    let digits: String = bare.chars().filter(|character| *character != '-').collect();
    if digits.len() == 32
        && let Ok(number) = u128::from_str_radix(&digits, 16)
    {
        return Ok(ProviderFilter::Guid(Guid::from_u128(number)));
    }
    if bare.is_empty() {
        return Err("a provider's name or GUID is expected".to_owned());
    }
    Ok(ProviderFilter::Name(bare.to_owned()))
}

/// Numbers that Winsock errors have. No NTSTATUS lies among them.
const WINSOCK_ERRORS: std::ops::Range<u32> = 10_000..12_000;

/// A status by number, decimal or hexadecimal with `0x`, or by name, with or without `STATUS_`; or a Winsock error by its
/// decimal number.
///
/// # Errors
///
/// A text that is none of these, and a Winsock error of which it is not known what it stands for.
pub fn parse_status(text: &str) -> Result<StatusFilter, String> {
    let text = text.trim();
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let number = hexadecimal.map_or_else(|| text.parse().ok(), |digits| u32::from_str_radix(digits, 16).ok());
    if let Some(error) = number.filter(|number| hexadecimal.is_none() && WINSOCK_ERRORS.contains(number)) {
        let statuses = of_winsock_error(error);
        let statuses = statuses.ok_or_else(|| {
            format!("Winsock error {error} is not known here (only 10013, 10048 and 10055): give the NTSTATUS")
        });
        return statuses.map(|statuses| StatusFilter(statuses.to_vec()));
    }
    // Some tools print an NTSTATUS as a negative number.
    let number = number.or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned));
    let status = number.map(NtStatus).or_else(|| NtStatus::from_name(text));
    status.map(|status| StatusFilter(vec![status])).ok_or_else(|| {
        format!(
            "{text:?} is not a status: give an NTSTATUS (0xC0000209), its name (STATUS_TOO_MANY_ADDRESSES) or a Winsock error (10055)"
        )
    })
}

/// A time in UTC: RFC 3339 (`2026-11-14T09:12:04Z`), or a date and time without an offset.
///
/// # Errors
///
/// A text that is neither.
pub fn parse_time(text: &str) -> Result<FileTime, String> {
    let text = text.trim();
    let timestamp = text.parse::<Timestamp>().ok().or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        TimeZone::UTC.to_timestamp(civil).ok()
    });
    let file_time = timestamp.and_then(from_timestamp);
    file_time
        .ok_or_else(|| format!("{text:?} is not a time: give 2026-11-14T09:12:04Z or \"2026-11-14 09:12:04.5\" (UTC)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_by_guid_or_name() {
        for text in ["{e53c6823-7bb8-44bb-90dc-3f86090d48a6}", "E53C6823-7BB8-44BB-90DC-3F86090D48A6"] {
            assert_eq!(parse_provider(text).unwrap(), ProviderFilter::Guid(afd::PROVIDER), "{text}");
        }
        assert_eq!(parse_provider("My-Own").unwrap(), ProviderFilter::Name("My-Own".to_owned()));
        assert!(parse_provider(" ").is_err());
    }

    #[test]
    fn statuses_by_number_name_and_winsock_error() {
        for text in ["0xC0000209", "3221225993", "-1073741303", "STATUS_TOO_MANY_ADDRESSES", "too_many_addresses"] {
            assert_eq!(parse_status(text).unwrap(), StatusFilter(vec![NtStatus::TOO_MANY_ADDRESSES]), "{text}");
        }
        for text in ["10048", "10055"] {
            assert!(parse_status(text).unwrap().0.contains(&NtStatus::TOO_MANY_ADDRESSES), "{text}");
        }
        assert_eq!(parse_status("0x2747").unwrap(), StatusFilter(vec![NtStatus(0x2747)]));
        for text in ["full", "10035"] {
            assert!(parse_status(text).is_err(), "{text}");
        }
    }

    #[test]
    fn owners_are_asked_for_where_they_decide_or_are_shown() {
        let with = |change: fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            filter.needs_owners()
        };
        let name = |text: &str| vec![ProviderFilter::Name(text.to_owned())];
        assert!(with(|_| {}) && with(|filter| filter.all = true) && with(|filter| filter.ids = vec![1029]));
        assert!(!with(|filter| filter.header_pids = vec![4]));
        assert!(with(|filter| (filter.header_pids, filter.pids) = (vec![4], vec![7])));
        let of = |text: &str| Filter { providers: name(text), ..Filter::default() }.needs_owners();
        assert!(of("afd") && of("TCPIP") && of("microsoft") && !of("Kernel-Process"));
        let of = |guid| Filter { providers: vec![ProviderFilter::Guid(guid)], ..Filter::default() }.needs_owners();
        assert!(of(tcpip::PROVIDER) && !of(Guid::ZERO));
    }

    #[test]
    fn images_are_called_with_and_without_their_ending() {
        assert!(
            is_called("Agent.exe", "agent") && is_called("agent.exe", "AGENT.EXE") && is_called("System", "system")
        );
        assert!(!is_called("agent.exe", "age") && !is_called("agent", "agent.exe"));
    }

    #[test]
    fn times_are_utc() {
        let time = parse_time("2026-03-10T09:30:00.9318476Z").unwrap();
        assert_eq!(time.to_rfc3339().unwrap(), "2026-03-10T09:30:00.9318476Z");
        assert_eq!(parse_time("2026-03-10 09:30:00.9318476").unwrap(), time);
        assert_eq!(parse_time("2026-03-10T10:30:00.9318476+01:00").unwrap(), time);
        assert!(parse_time("yesterday").is_err());
    }
}
