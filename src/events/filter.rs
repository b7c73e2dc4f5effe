//! Which events are wanted.

use etl_parser::{Guid, Record, RecordKind};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::Event;
use crate::providers::{afd, names};
use crate::status::NtStatus;
use crate::time::{FileTime, from_timestamp};

/// A provider as the user named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderFilter {
    /// By GUID.
    Guid(Guid),
    /// By a name that no built-in list holds, in lower case: a trace may name its providers.
    Name(String),
}

/// Which events are wanted. Without provider, id, status or `all`: AFD binds that completed with 0xC0000209.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// All events, unless the other fields narrow it.
    pub all: bool,
    /// One of these providers; any where empty.
    pub providers: Vec<ProviderFilter>,
    /// One of these ids; any where empty.
    pub ids: Vec<u16>,
    /// With one of these statuses; any where empty.
    pub statuses: Vec<NtStatus>,
    /// Of one of these processes, by the header or by a field that holds a process id; any where empty.
    pub pids: Vec<u32>,
    /// Not before this time.
    pub since: Option<FileTime>,
    /// Not after this time.
    pub until: Option<FileTime>,
}

impl Filter {
    /// Whether nothing widens the choice of AFD bind failures.
    fn is_default(&self) -> bool {
        !self.all && self.providers.is_empty() && self.ids.is_empty() && self.statuses.is_empty()
    }

    /// What the header alone decides: cheap, and asked of every record.
    pub(super) fn admits_header(&self, record: &Record<'_>, provider: Option<Guid>, time: Option<FileTime>) -> bool {
        let in_time = |time: FileTime| {
            self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time <= until)
        };
        if (self.since.is_some() || self.until.is_some()) && !time.is_some_and(in_time) {
            return false;
        }
        if self.is_default() {
            let is_event = record.kind() == RecordKind::EventHeader && provider == Some(afd::PROVIDER);
            return is_event && record.id().is_some_and(afd::is_bind);
        }
        let by_guid = |filter: &ProviderFilter| match filter {
            ProviderFilter::Guid(guid) => provider == Some(*guid),
            ProviderFilter::Name(_) => true,
        };
        (self.providers.is_empty() || self.providers.iter().any(by_guid))
            && (self.ids.is_empty() || record.id().is_some_and(|id| self.ids.contains(&id)))
    }

    /// What needs the decoded event.
    pub(super) fn admits(&self, event: &Event<'_>) -> bool {
        let fields = event.decoded.as_ref().ok().map(|decoded| &decoded.payload.fields);
        let number = |wanted: fn(&str) -> bool| {
            let named = fields.into_iter().flat_map(|fields| fields.iter()).filter(move |(name, _)| wanted(name));
            named.filter_map(|(_, value)| value.integer()).collect::<Vec<u64>>()
        };
        let has_status = |statuses: &[NtStatus]| {
            number(is_status).iter().any(|found| statuses.iter().any(|status| u64::from(status.0) == *found))
        };
        if self.is_default() {
            // Legacy events know no phases: they are completions.
            let phase = number(|name| name == "EnterExit");
            if !(phase.is_empty() || phase == [1]) || !has_status(&[NtStatus::TOO_MANY_ADDRESSES]) {
                return false;
            }
        }
        if !self.statuses.is_empty() && !has_status(&self.statuses) {
            return false;
        }
        if !self.pids.is_empty() {
            let header = event.record.process_id().is_some_and(|pid| self.pids.contains(&pid));
            let in_fields = || number(is_pid).iter().any(|found| self.pids.iter().any(|pid| u64::from(*pid) == *found));
            if !header && !in_fields() {
                return false;
            }
        }
        let by_name = |filter: &ProviderFilter| match filter {
            ProviderFilter::Guid(guid) => event.provider == Some(*guid),
            ProviderFilter::Name(name) => event.provider_name().is_some_and(|known| known.to_lowercase() == *name),
        };
        self.providers.is_empty() || self.providers.iter().any(by_name)
    }
}

/// Names of fields that hold an NTSTATUS.
fn is_status(name: &str) -> bool {
    ["Status", "Error", "NtStatus", "NTStatus"].contains(&name)
}

/// Names of fields that hold a process id.
fn is_pid(name: &str) -> bool {
    ["ProcessId", "ProcessID", "PID", "Pid", "UserModePid"].contains(&name)
}

/// A provider by GUID (with or without braces) or by name, in full or without `Microsoft-Windows-`.
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
    Ok(match names::provider_guid(bare) {
        Some(guid) => ProviderFilter::Guid(guid),
        None => ProviderFilter::Name(bare.to_lowercase()),
    })
}

/// A status by number, decimal or hexadecimal with `0x`, or by name, with or without `STATUS_`.
///
/// # Errors
///
/// A text that is neither.
pub fn parse_status(text: &str) -> Result<NtStatus, String> {
    let text = text.trim();
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let number = hexadecimal.map_or_else(|| text.parse().ok(), |digits| u32::from_str_radix(digits, 16).ok());
    // Some tools print an NTSTATUS as a negative number.
    let number = number.or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned));
    number
        .map(NtStatus)
        .or_else(|| NtStatus::from_name(text))
        .ok_or_else(|| format!("{text:?} is no NTSTATUS: a number (0xC0000209) or a name (STATUS_TOO_MANY_ADDRESSES)"))
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
    file_time.ok_or_else(|| format!("{text:?} is no time: 2026-11-14T09:12:04Z or \"2026-11-14 09:12:04.5\" (UTC)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_by_guid_full_name_and_short_name() {
        let afd = ProviderFilter::Guid(afd::PROVIDER);
        for text in [
            "Microsoft-Windows-Winsock-AFD",
            "winsock-afd",
            "{e53c6823-7bb8-44bb-90dc-3f86090d48a6}",
            "E53C6823-7BB8-44BB-90DC-3F86090D48A6",
        ] {
            assert_eq!(parse_provider(text).unwrap(), afd, "{text}");
        }
        assert_eq!(parse_provider("My-Own").unwrap(), ProviderFilter::Name("my-own".to_owned()));
        assert!(parse_provider(" ").is_err());
    }

    #[test]
    fn statuses_by_number_and_name() {
        for text in ["0xC0000209", "3221225993", "-1073741303", "STATUS_TOO_MANY_ADDRESSES", "too_many_addresses"] {
            assert_eq!(parse_status(text).unwrap(), NtStatus::TOO_MANY_ADDRESSES, "{text}");
        }
        assert!(parse_status("full").is_err());
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
