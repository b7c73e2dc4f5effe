//! A session that nobody reads: its file alone takes its events. ferrisetw starts none such.

#![allow(unsafe_code)]

use std::mem::size_of;
use std::os::windows::ffi::OsStrExt;
use std::ptr;

use windows_sys::Win32::System::Diagnostics::Etw::{
    CONTROLTRACE_HANDLE, ENABLE_TRACE_PARAMETERS, ENABLE_TRACE_PARAMETERS_VERSION_2,
    EVENT_CONTROL_CODE_ENABLE_PROVIDER, EVENT_FILTER_DESCRIPTOR, EVENT_FILTER_TYPE_EVENT_ID,
    EVENT_TRACE_FILE_MODE_CIRCULAR, EVENT_TRACE_FILE_MODE_SEQUENTIAL, EnableTraceEx2, StartTraceW,
    WNODE_FLAG_TRACED_GUID,
};

use super::super::system::{Consumer, ProviderSetup, Recording, Refusal, SessionSetup, SessionStep};
use super::control::{Properties, guid_of};
use super::text::{refusal, wide};

const SUCCESS: u32 = 0;

/// The clock is `QueryPerformanceCounter`.
const QPC: u32 = 1;

/// Ids that one filter takes (`MAX_EVENT_FILTER_EVENT_ID_COUNT`).
const MAX_IDS: usize = 64;

pub(super) fn start(setup: &SessionSetup, recording: &Recording) -> Result<Box<dyn Consumer>, Refusal> {
    let mut all = Properties::new();
    // What does not fit has been refused before.
    for (slot, unit) in all.file.iter_mut().zip(recording.path.as_os_str().encode_wide()) {
        *slot = unit;
    }
    let properties = &mut all.properties;
    properties.Wnode.ClientContext = QPC;
    properties.Wnode.Flags = WNODE_FLAG_TRACED_GUID;
    properties.BufferSize = setup.buffer_kib;
    (properties.MinimumBuffers, properties.MaximumBuffers) = setup.buffers;
    properties.FlushTimer = u32::try_from(setup.flush.as_secs()).unwrap_or(0);
    properties.MaximumFileSize = recording.max_mib;
    properties.LogFileMode =
        if recording.is_circular { EVENT_TRACE_FILE_MODE_CIRCULAR } else { EVENT_TRACE_FILE_MODE_SEQUENTIAL };
    let name = wide(&setup.name);
    let mut session = CONTROLTRACE_HANDLE { Value: 0 };
    // SAFETY: the name ends with a NUL; the properties are as large as they say, with room for both names behind them.
    let status = unsafe { StartTraceW(&mut session, name.as_ptr(), ptr::from_mut(&mut *all).cast()) };
    if status != SUCCESS {
        return Err(refusal(SessionStep::Start, status));
    }
    for provider in &setup.providers {
        match enable(session, provider) {
            SUCCESS => {}
            status => return Err(refusal(SessionStep::Enable, status)),
        }
    }
    Ok(Box::new(Unread))
}

/// `EVENT_FILTER_EVENT_ID` with room for all ids.
#[repr(C)]
struct Ids {
    filter_in: u8,
    reserved: u8,
    count: u16,
    ids: [u16; MAX_IDS],
}

fn enable(session: CONTROLTRACE_HANDLE, provider: &ProviderSetup) -> u32 {
    let mut ids = Ids { filter_in: 1, reserved: 0, count: 0, ids: [0; MAX_IDS] };
    for (slot, id) in ids.ids.iter_mut().zip(provider.ids) {
        *slot = *id;
        ids.count += 1;
    }
    let size = 4 + size_of::<u16>() * usize::from(ids.count);
    let mut descriptor = EVENT_FILTER_DESCRIPTOR {
        Ptr: ptr::from_ref(&ids).expose_provenance() as u64,
        Size: u32::try_from(size).unwrap_or(0),
        Type: EVENT_FILTER_TYPE_EVENT_ID,
    };
    let guid = guid_of(provider);
    let is_filtered = ids.count > 0;
    let parameters = ENABLE_TRACE_PARAMETERS {
        Version: ENABLE_TRACE_PARAMETERS_VERSION_2,
        SourceId: guid,
        EnableFilterDesc: if is_filtered { &mut descriptor } else { ptr::null_mut() },
        FilterDescCount: u32::from(is_filtered),
        ..Default::default()
    };
    // SAFETY: the parameters, their filter and the ids in it live through the call.
    unsafe {
        EnableTraceEx2(
            session,
            &guid,
            EVENT_CONTROL_CODE_ENABLE_PROVIDER,
            provider.level,
            provider.keywords,
            0,
            0,
            &parameters,
        )
    }
}

/// There is nothing to deliver.
struct Unread;

impl Consumer for Unread {
    fn is_done(&self) -> bool {
        true
    }

    fn join(self: Box<Self>) -> Result<(), Refusal> {
        Ok(())
    }
}
