//! A session that is read in real time, through ferrisetw.

use std::sync::Arc;
use std::thread::JoinHandle;

use ferrisetw::native::EvntraceNativeError;
use ferrisetw::provider::{EventFilter, Provider};
use ferrisetw::trace::{
    DumpFileLoggingMode, DumpFileParams, LoggingMode, TraceError, TraceProperties, TraceTrait, UserTrace,
};
use ferrisetw::{EventRecord, SchemaLocator};

use super::super::system::{Consumer, ProviderSetup, Refusal, SessionSetup, SessionStep, Sink};
use super::control;
use super::payload::raw_event;
use super::text::{refusal, words};

/// `ERROR_INVALID_HANDLE`, `ERROR_ALREADY_EXISTS`, `ERROR_INVALID_NAME`.
const INVALID_HANDLE: u32 = 6;
const ALREADY_EXISTS: u32 = 183;
const INVALID_NAME: u32 = 123;

pub(super) fn start(setup: &SessionSetup, sink: Sink) -> Result<Box<dyn Consumer>, Refusal> {
    let mut builder = UserTrace::new().named(setup.name.clone()).set_trace_properties(TraceProperties {
        buffer_size: setup.buffer_kib,
        min_buffer: setup.buffers.0,
        max_buffer: setup.buffers.1,
        flush_timer: setup.flush,
        // Buffers for each processor: a single one for all is a bottleneck on a busy server.
        log_file_mode: LoggingMode::EVENT_TRACE_REAL_TIME_MODE,
    });
    if let Some(recording) = &setup.record {
        builder = builder.set_etl_dump_file(DumpFileParams {
            file_path: recording.path.clone(),
            file_logging_mode: if recording.is_circular {
                DumpFileLoggingMode::EVENT_TRACE_FILE_MODE_CIRCULAR
            } else {
                DumpFileLoggingMode::EVENT_TRACE_FILE_MODE_SEQUENTIAL
            },
            max_size: Some(recording.max_mib),
        });
    }
    for provider in &setup.providers {
        builder = builder.enable(enabled(provider, &sink));
    }
    let (trace, handle) = builder.start().map_err(|error| of_start(error, &setup.name))?;
    let thread = std::thread::spawn(move || UserTrace::process_from_handle(handle));
    Ok(Box::new(Reading { trace, thread }))
}

fn enabled(provider: &ProviderSetup, sink: &Sink) -> Provider {
    let [a, b, c, d, e, f, g, h, rest @ ..] = provider.guid.to_wire();
    let guid = ferrisetw::GUID::from_values(
        u32::from_le_bytes([a, b, c, d]),
        u16::from_le_bytes([e, f]),
        u16::from_le_bytes([g, h]),
        rest,
    );
    let sink = Arc::clone(sink);
    let mut builder = Provider::by_guid(guid).any(provider.keywords).level(provider.level);
    if !provider.ids.is_empty() {
        builder = builder.add_filter(EventFilter::ByEventIds(provider.ids.to_vec()));
    }
    builder.add_callback(move |record: &EventRecord, _: &SchemaLocator| sink(&raw_event(record))).build()
}

/// Which step failed: starting and enabling answer with an HRESULT, opening with a plain code, and a session that is there has
/// been started.
fn of_start(error: TraceError, name: &str) -> Refusal {
    match code_of(error) {
        Code::Hresult(code) => {
            let has_started = code != ALREADY_EXISTS && matches!(control::query(name), Ok(Some(_)));
            refusal(if has_started { SessionStep::Enable } else { SessionStep::Start }, code)
        }
        Code::Plain(code) => refusal(SessionStep::Open, code),
    }
}

enum Code {
    Hresult(u32),
    Plain(u32),
}

fn code_of(error: TraceError) -> Code {
    match error {
        TraceError::InvalidTraceName => Code::Hresult(INVALID_NAME),
        TraceError::EtwNativeError(EvntraceNativeError::InvalidHandle) => Code::Hresult(INVALID_HANDLE),
        TraceError::EtwNativeError(EvntraceNativeError::AlreadyExist) => Code::Hresult(ALREADY_EXISTS),
        TraceError::EtwNativeError(EvntraceNativeError::IoError(error)) => {
            let code = error.raw_os_error().unwrap_or(0).cast_unsigned();
            // 0x8007 is the facility of Win32 codes.
            if code >> 16 == 0x8007 { Code::Hresult(code & 0xFFFF) } else { Code::Plain(code) }
        }
    }
}

/// Reads the session on a thread of its own.
struct Reading {
    /// Its drop closes what was opened; events that are delivered after that are let go, so it comes last.
    trace: UserTrace,
    thread: JoinHandle<Result<(), TraceError>>,
}

impl Consumer for Reading {
    fn is_done(&self) -> bool {
        self.thread.is_finished()
    }

    fn join(self: Box<Self>) -> Result<(), Refusal> {
        let Self { trace, thread } = *self;
        let result = thread.join();
        drop(trace);
        match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                let (Code::Hresult(code) | Code::Plain(code)) = code_of(error);
                Err(Refusal { step: SessionStep::Process, code, text: words(code) })
            }
            Err(_) => {
                Err(Refusal { step: SessionStep::Process, code: 0, text: "the reading thread panicked".to_owned() })
            }
        }
    }
}
