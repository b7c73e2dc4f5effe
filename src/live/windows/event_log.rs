//! Entries in the Application log.

#![allow(unsafe_code)]

use std::ptr;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::EventLog::{
    DeregisterEventSource, EVENTLOG_ERROR_TYPE, EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE, RegisterEventSourceW,
    ReportEventW,
};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, KEY_SET_VALUE, REG_DWORD, REG_EXPAND_SZ, REG_OPTION_NON_VOLATILE, RegCloseKey,
    RegCreateKeyExW, RegSetValueExW,
};

use super::super::system::{ApplicationEntry, EVENT_SOURCE, Severity, WhyMissing};
use super::text::{last_error, wide, words};

/// What Windows brings for entries of others (`eventcreate`): its messages 1 to 1000 are the text of the entry and nothing else.
const MESSAGES: &str = r"%SystemRoot%\System32\EventCreate.exe";

/// Errors, warnings and information.
const ALL_TYPES: u32 = 7;

struct Source(HANDLE);

impl Drop for Source {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody else's.
        unsafe { DeregisterEventSource(self.0) };
    }
}

pub(super) fn write(entry: &ApplicationEntry) -> Result<(), WhyMissing> {
    let name = wide(EVENT_SOURCE);
    // SAFETY: the name ends with a NUL; without a server it is this machine. A source that is not registered writes to the
    // Application log too.
    let source = unsafe { RegisterEventSourceW(ptr::null(), name.as_ptr()) };
    if source.is_null() {
        return Err(last_error());
    }
    let source = Source(source);
    let kind = match entry.severity {
        Severity::Information => EVENTLOG_INFORMATION_TYPE,
        Severity::Warning => EVENTLOG_WARNING_TYPE,
        Severity::Error => EVENTLOG_ERROR_TYPE,
    };
    let text = wide(&entry.text);
    let strings = [text.as_ptr()];
    // SAFETY: there is one string, which ends with a NUL, and no further data.
    let is_written = unsafe {
        let (user, data) = (ptr::null_mut(), ptr::null());
        ReportEventW(source.0, kind, 0, u32::from(entry.id), user, 1, 0, strings.as_ptr(), data)
    } != 0;
    if is_written { Ok(()) } else { Err(last_error()) }
}

struct Key(HKEY);

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody else's.
        unsafe { RegCloseKey(self.0) };
    }
}

pub(super) fn register_source() -> Result<(), WhyMissing> {
    let path = wide(&format!(r"SYSTEM\CurrentControlSet\Services\EventLog\Application\{EVENT_SOURCE}"));
    let mut key = ptr::null_mut();
    // SAFETY: the path ends with a NUL, and the handle is ours to be set; what is not asked for may be null.
    let status = unsafe {
        let (class, security, disposition) = (ptr::null(), ptr::null(), ptr::null_mut());
        let (root, options) = (HKEY_LOCAL_MACHINE, REG_OPTION_NON_VOLATILE);
        RegCreateKeyExW(root, path.as_ptr(), 0, class, options, KEY_SET_VALUE, security, &mut key, disposition)
    };
    if status != 0 {
        return Err(words(status));
    }
    let key = Key(key);
    let file: Vec<u8> = wide(MESSAGES).into_iter().flat_map(u16::to_le_bytes).collect();
    set(&key, "EventMessageFile", REG_EXPAND_SZ, &file)?;
    set(&key, "TypesSupported", REG_DWORD, &ALL_TYPES.to_le_bytes())
}

fn set(key: &Key, name: &str, kind: u32, value: &[u8]) -> Result<(), WhyMissing> {
    let name = wide(name);
    let length = u32::try_from(value.len()).unwrap_or(0);
    // SAFETY: the name ends with a NUL, and the value has as many bytes as the length says.
    let status = unsafe { RegSetValueExW(key.0, name.as_ptr(), 0, kind, value.as_ptr(), length) };
    if status == 0 { Ok(()) } else { Err(words(status)) }
}
