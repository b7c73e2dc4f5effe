//! Questions to a session, and its end, by name.

#![allow(unsafe_code)]

use std::mem::{offset_of, size_of};
use std::ptr;

use windows_sys::Win32::System::Diagnostics::Etw::{
    CONTROLTRACE_HANDLE, ControlTraceW, EVENT_CONTROL_CODE_CAPTURE_STATE, EVENT_TRACE_CONTROL,
    EVENT_TRACE_CONTROL_QUERY, EVENT_TRACE_CONTROL_STOP, EVENT_TRACE_PROPERTIES, EnableTraceEx2,
};
use windows_sys::core::GUID;

use super::super::system::{ProviderSetup, Refusal, SessionCounts, SessionStep};
use super::text::{refusal, wide};

/// `ERROR_SUCCESS`, `ERROR_MORE_DATA` (the names did not fit; it was done all the same), `ERROR_WMI_INSTANCE_NOT_FOUND`.
const SUCCESS: u32 = 0;
const MORE_DATA: u32 = 234;
const NOT_FOUND: u32 = 4201;

/// Characters of a name or path that a session may have. Source: the page on `EVENT_TRACE_PROPERTIES`.
const NAME: usize = 1024;

/// The properties and the names behind them, as the system fills them.
#[repr(C)]
pub(super) struct Properties {
    pub(super) properties: EVENT_TRACE_PROPERTIES,
    session: [u16; NAME],
    pub(super) file: [u16; NAME],
}

impl Properties {
    pub(super) fn new() -> Box<Self> {
        let mut all =
            Box::new(Self { properties: EVENT_TRACE_PROPERTIES::default(), session: [0; NAME], file: [0; NAME] });
        let offset = |offset: usize| u32::try_from(offset).unwrap_or(0);
        all.properties.Wnode.BufferSize = offset(size_of::<Self>());
        all.properties.LoggerNameOffset = offset(offset_of!(Self, session));
        all.properties.LogFileNameOffset = offset(offset_of!(Self, file));
        all
    }

    fn counts(&self) -> SessionCounts {
        let all = &self.properties;
        SessionCounts {
            events_lost: all.EventsLost,
            real_time_buffers_lost: all.RealTimeBuffersLost,
            log_buffers_lost: all.LogBuffersLost,
            buffers_written: all.BuffersWritten,
            log_mode: all.LogFileMode,
        }
    }
}

fn control(name: &str, code: EVENT_TRACE_CONTROL) -> Result<Option<Box<Properties>>, u32> {
    let name = wide(name);
    let mut properties = Properties::new();
    // SAFETY: the name ends with a NUL. The properties are as large as they say, with room for both names behind them, and
    // nobody else has them.
    let status = unsafe {
        let none = CONTROLTRACE_HANDLE { Value: 0 };
        ControlTraceW(none, name.as_ptr(), ptr::from_mut(&mut *properties).cast(), code)
    };
    match status {
        SUCCESS | MORE_DATA => Ok(Some(properties)),
        NOT_FOUND => Ok(None),
        code => Err(code),
    }
}

pub(super) fn guid_of(provider: &ProviderSetup) -> GUID {
    let [a, b, c, d, e, f, g, h, data4 @ ..] = provider.guid.to_wire();
    GUID {
        data1: u32::from_le_bytes([a, b, c, d]),
        data2: u16::from_le_bytes([e, f]),
        data3: u16::from_le_bytes([g, h]),
        data4,
    }
}

pub(super) fn query(name: &str) -> Result<Option<SessionCounts>, Refusal> {
    let answer = control(name, EVENT_TRACE_CONTROL_QUERY).map_err(|code| refusal(SessionStep::Query, code))?;
    Ok(answer.map(|properties| properties.counts()))
}

pub(super) fn stop(name: &str) -> Result<Option<SessionCounts>, Refusal> {
    let answer = control(name, EVENT_TRACE_CONTROL_STOP).map_err(|code| refusal(SessionStep::Stop, code))?;
    Ok(answer.map(|properties| properties.counts()))
}

pub(super) fn ask_for_rundown(name: &str, provider: &ProviderSetup) -> Result<(), Refusal> {
    let answer = control(name, EVENT_TRACE_CONTROL_QUERY).map_err(|code| refusal(SessionStep::Rundown, code))?;
    let Some(properties) = answer else { return Err(refusal(SessionStep::Rundown, NOT_FOUND)) };
    // SAFETY: all bit patterns are valid for both members of the union; the system puts the session's handle there.
    let session = unsafe { properties.properties.Wnode.Anonymous1.HistoricalContext };
    let guid = guid_of(provider);
    // SAFETY: the GUID lives through the call, and no parameters are given.
    let status = unsafe {
        EnableTraceEx2(
            CONTROLTRACE_HANDLE { Value: session },
            &guid,
            EVENT_CONTROL_CODE_CAPTURE_STATE,
            provider.level,
            provider.keywords,
            0,
            0,
            ptr::null(),
        )
    };
    if status == SUCCESS { Ok(()) } else { Err(refusal(SessionStep::Rundown, status)) }
}
