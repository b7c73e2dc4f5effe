//! The session: started, enabled, opened, read and stopped.

use std::ffi::c_void;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use windows_sys::Win32::System::Diagnostics::Etw::{
    CONTROLTRACE_HANDLE, ENABLE_TRACE_PARAMETERS, EVENT_CONTROL_CODE_ENABLE_PROVIDER, EVENT_FILTER_TYPE_EVENT_ID,
    EVENT_RECORD, EVENT_TRACE_CONTROL_STOP, EVENT_TRACE_FILE_MODE_CIRCULAR, EVENT_TRACE_LOGFILEW,
    EVENT_TRACE_PROPERTIES, PROCESSTRACE_HANDLE,
};
use windows_sys::core::{GUID, PCWSTR};

use super::events;
use super::file::{self, Model};

/// The callback that takes events.
pub(crate) type Callback = unsafe extern "system" fn(*mut EVENT_RECORD);

/// What a provider may log.
#[derive(Clone)]
pub(crate) struct Enabled {
    pub(crate) guid: u128,
    pub(crate) level: u8,
    pub(crate) keywords: u64,
    /// These ids alone; empty: all.
    pub(crate) ids: Vec<u16>,
}

struct State {
    name: Option<String>,
    enabled: Vec<Enabled>,
    callback: usize,
    context: usize,
    is_stopped: bool,
    was_left_behind: bool,
}

static STATE: Mutex<State> = Mutex::new(State {
    name: None,
    enabled: Vec::new(),
    callback: 0,
    context: 0,
    is_stopped: false,
    was_left_behind: false,
});
static STOPPED: Condvar = Condvar::new();

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the session has been stopped.
pub(crate) fn is_stopped() -> bool {
    state().is_stopped
}

/// A number of the environment; 0 where it is not set.
pub(crate) fn number(variable: &str) -> u32 {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// Writes a line to the log.
pub(crate) fn log(line: &str) {
    let Some(path) = std::env::var_os("REPLAY_LOG") else { return };
    if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path) {
        let _ = writeln!(file, "{line}");
    }
}

/// A string of Windows.
pub(crate) unsafe fn wide(mut at: PCWSTR) -> String {
    let mut units = Vec::new();
    // SAFETY: the caller gives a string that ends with a NUL.
    while let Some(unit) = unsafe { at.as_ref() }.copied().filter(|unit| *unit != 0) {
        units.push(unit);
        // SAFETY: as above.
        at = unsafe { at.add(1) };
    }
    String::from_utf16_lossy(&units)
}

pub(crate) fn guid_number(guid: &GUID) -> u128 {
    u128::from(guid.data1) << 96
        | u128::from(guid.data2) << 80
        | u128::from(guid.data3) << 64
        | u128::from(u64::from_be_bytes(guid.data4))
}

const SUCCESS: u32 = 0;
const ALREADY_EXISTS: u32 = 183;
const NOT_FOUND: u32 = 4201;

const SESSION_HANDLE: u64 = 0x1111;
const READER_HANDLE: u64 = 0x2222;
const INVALID_READER: u64 = u64::MAX;

#[unsafe(no_mangle)]
pub unsafe extern "system" fn StartTraceW(
    handle: *mut CONTROLTRACE_HANDLE,
    name: PCWSTR,
    properties: *mut EVENT_TRACE_PROPERTIES,
) -> u32 {
    // SAFETY: as the documentation of StartTraceW asks for; so for all functions of this module.
    let (name, properties) = unsafe { (wide(name), &*properties) };
    let mut state = state();
    let status = match number("REPLAY_START") {
        SUCCESS if state.name.is_some() => ALREADY_EXISTS,
        status => status,
    };
    log(&format!(
        "StartTraceW {name} buffers {} to {} x {} KiB, flushed after {} s, mode {:#x}, at most {} MiB, file {} -> {status}",
        properties.MinimumBuffers,
        properties.MaximumBuffers,
        properties.BufferSize,
        properties.FlushTimer,
        properties.LogFileMode,
        properties.MaximumFileSize,
        if properties.LogFileNameOffset == 0 { "no" } else { "yes" }
    ));
    if status == SUCCESS {
        events::begin();
        state.name = Some(name);
        state.is_stopped = false;
        drop(state);
        if properties.LogFileNameOffset != 0 {
            let model = Model {
                // SAFETY: the caller has put a string there that ends with a NUL.
                path: unsafe {
                    wide(std::ptr::from_ref(properties).byte_add(offset(properties.LogFileNameOffset)).cast())
                }
                .into(),
                buffer_bytes: u64::from(properties.BufferSize) << 10,
                flush_seconds: properties.FlushTimer.into(),
                max_bytes: u64::from(properties.MaximumFileSize) << 20,
                is_circular: properties.LogFileMode & EVENT_TRACE_FILE_MODE_CIRCULAR != 0,
            };
            std::thread::spawn(move || model.run());
        }
        // SAFETY: the handle is the caller's to be set.
        unsafe { (*handle).Value = SESSION_HANDLE };
    }
    status
}

#[unsafe(no_mangle)]
pub unsafe extern "system" fn EnableTraceEx2(
    _session: CONTROLTRACE_HANDLE,
    provider: *const GUID,
    code: u32,
    level: u8,
    any: u64,
    _all: u64,
    _timeout: u32,
    parameters: *const ENABLE_TRACE_PARAMETERS,
) -> u32 {
    // SAFETY: as above.
    let guid = guid_number(unsafe { &*provider });
    let is_enable = code == EVENT_CONTROL_CODE_ENABLE_PROVIDER;
    // SAFETY: as above.
    let ids = unsafe { filtered_ids(parameters) };
    let status = match (is_enable, number("REPLAY_FILTER")) {
        (false, _) => SUCCESS,
        (true, status) if status != SUCCESS && !ids.is_empty() => status,
        (true, _) => number("REPLAY_ENABLE"),
    };
    log(&format!(
        "EnableTraceEx2 {:08x} code {code} level {level} keywords {any:#x} ids {ids:?} -> {status}",
        guid >> 96
    ));
    if status == SUCCESS && is_enable {
        state().enabled.push(Enabled { guid, level, keywords: any, ids });
    }
    status
}

/// The ids that a provider is limited to, of an `EVENT_FILTER_EVENT_ID`: two bytes, their number, then the ids.
unsafe fn filtered_ids(parameters: *const ENABLE_TRACE_PARAMETERS) -> Vec<u16> {
    // SAFETY: as the documentation of EnableTraceEx2 asks for.
    let Some(parameters) = (unsafe { parameters.as_ref() }) else { return Vec::new() };
    // SAFETY: as above.
    let Some(filter) = (unsafe { parameters.EnableFilterDesc.as_ref() }).filter(|_| parameters.FilterDescCount > 0)
    else {
        return Vec::new();
    };
    if filter.Type != EVENT_FILTER_TYPE_EVENT_ID {
        return Vec::new();
    }
    let words = std::ptr::with_exposed_provenance::<u16>(filter.Ptr as usize);
    let count = usize::try_from(filter.Size / 2).unwrap_or(0);
    // SAFETY: as above: there are so many bytes.
    (2..count).map(|at| unsafe { words.add(at).read() }).collect()
}

fn offset(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}

#[unsafe(no_mangle)]
pub unsafe extern "system" fn OpenTraceW(file: *mut EVENT_TRACE_LOGFILEW) -> PROCESSTRACE_HANDLE {
    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn SetLastError(code: u32);
    }
    // SAFETY: as above.
    let file = unsafe { &*file };
    let status = number("REPLAY_OPEN");
    log(&format!("OpenTraceW -> {status}"));
    if status != SUCCESS {
        // SAFETY: nothing is passed but a number.
        unsafe { SetLastError(status) };
        return PROCESSTRACE_HANDLE { Value: INVALID_READER };
    }
    let mut state = state();
    // SAFETY: a reader of event records sets this member.
    state.callback = unsafe { file.Anonymous2.EventRecordCallback }.map_or(0, |callback| callback as usize);
    state.context = file.Context.addr();
    PROCESSTRACE_HANDLE { Value: READER_HANDLE }
}

#[unsafe(no_mangle)]
pub unsafe extern "system" fn ProcessTrace(
    _readers: *const PROCESSTRACE_HANDLE,
    _count: u32,
    _start: *const c_void,
    _end: *const c_void,
) -> u32 {
    let status = number("REPLAY_PROCESS");
    let (callback, context, enabled) = {
        let state = state();
        (state.callback, state.context, state.enabled.clone())
    };
    // SAFETY: OpenTraceW has put a callback there.
    let callback: Callback = unsafe { std::mem::transmute(callback) };
    if status == SUCCESS {
        log(&events::deliver(callback, context, &enabled));
        let mut state = state();
        while !state.is_stopped {
            state = STOPPED.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
    log(&format!("ProcessTrace -> {status}"));
    status
}

#[unsafe(no_mangle)]
pub unsafe extern "system" fn CloseTrace(_reader: PROCESSTRACE_HANDLE) -> u32 {
    log("CloseTrace");
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "system" fn ControlTraceW(
    session: CONTROLTRACE_HANDLE,
    name: PCWSTR,
    properties: *mut EVENT_TRACE_PROPERTIES,
    code: u32,
) -> u32 {
    // SAFETY: as above.
    let (name, properties) = unsafe { (wide(name), &mut *properties) };
    let mut state = state();
    if number("REPLAY_LEFT_BEHIND") != 0 && !state.was_left_behind {
        state.was_left_behind = true;
        state.name = Some(name.clone());
    }
    let is_there = state.name.is_some() && (name.is_empty() || state.name.as_deref() == Some(&name));
    let status = if is_there { SUCCESS } else { NOT_FOUND };
    let what = if code == EVENT_TRACE_CONTROL_STOP { "stop" } else { "query" };
    log(&format!("ControlTraceW {what} {} {name} -> {status}", session.Value));
    if status != SUCCESS {
        return status;
    }
    properties.Wnode.Anonymous1.HistoricalContext = SESSION_HANDLE;
    properties.EventsLost = number("REPLAY_EVENTS_LOST");
    properties.RealTimeBuffersLost = number("REPLAY_BUFFERS_LOST");
    properties.LogBuffersLost = file::LOST.load(std::sync::atomic::Ordering::Relaxed);
    properties.BuffersWritten = 500;
    properties.LogFileMode = 0x100;
    if code == EVENT_TRACE_CONTROL_STOP {
        state.name = None;
        state.enabled.clear();
        state.is_stopped = true;
        drop(state);
        STOPPED.notify_all();
    }
    status
}

#[unsafe(no_mangle)]
pub unsafe extern "system" fn TraceQueryInformation() -> u32 {
    const NOT_SUPPORTED: u32 = 50;
    NOT_SUPPORTED
}

#[unsafe(no_mangle)]
pub unsafe extern "system" fn TdhGetEventInformation() -> u32 {
    const NOT_FOUND: u32 = 1168;
    log("TdhGetEventInformation: not expected, events are decoded without it");
    NOT_FOUND
}

#[unsafe(no_mangle)]
pub unsafe extern "system" fn TdhGetPropertySize() -> u32 {
    1168
}

#[unsafe(no_mangle)]
pub unsafe extern "system" fn TdhCloseDecodingHandle() -> u32 {
    SUCCESS
}
