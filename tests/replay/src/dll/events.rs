//! The events of the text file, given to the callback.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::Diagnostics::Etw::EVENT_RECORD;
use windows_sys::Win32::System::SystemInformation::GetSystemTimeAsFileTime;
use windows_sys::core::GUID;

use super::session::{Callback, Enabled, is_stopped, log, number};

const SECOND: i64 = 10_000_000;

/// When the session was started, in 100 ns since 1601.
static STARTED: AtomicI64 = AtomicI64::new(0);

fn now() -> i64 {
    let mut time = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    // SAFETY: the time is ours to be set.
    unsafe { GetSystemTimeAsFileTime(&mut time) };
    i64::from(time.dwHighDateTime) << 32 | i64::from(time.dwLowDateTime)
}

/// The session starts.
pub(crate) fn begin() {
    STARTED.store(now(), Ordering::Relaxed);
}

/// One event of the file.
struct Line {
    guid: u128,
    id: u16,
    version: u8,
    level: u8,
    keywords: u64,
    pid: u32,
    cpu: u16,
    pointer_bytes: u8,
    time: i64,
    /// Where in the payload times stand.
    times_within: Vec<usize>,
    payload: Vec<u8>,
}

fn parse(line: &str) -> Option<Line> {
    let mut fields = line.split(' ');
    let mut next = || fields.next();
    let hex = |text: &str| text.replace('-', "");
    Some(Line {
        guid: u128::from_str_radix(&hex(next()?), 16).ok()?,
        id: next()?.parse().ok()?,
        version: next()?.parse().ok()?,
        level: next()?.parse().ok()?,
        keywords: u64::from_str_radix(next()?, 16).ok()?,
        pid: next()?.parse().ok()?,
        cpu: next()?.parse().ok()?,
        pointer_bytes: next()?.parse().ok()?,
        time: next()?.parse().ok()?,
        times_within: next()?.split(',').filter_map(|at| at.parse().ok()).collect(),
        payload: bytes(next().unwrap_or_default())?,
    })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    hex.as_bytes().chunks(2).map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

/// Delivers all events that the session has enabled; gives a line for the log.
pub(crate) fn deliver(callback: Callback, context: usize, enabled: &[Enabled]) -> String {
    let Some(file) = std::env::var_os("REPLAY_FILE").and_then(|path| File::open(path).ok()) else {
        return "no events".to_owned();
    };
    let is_paced = number("REPLAY_PACED") != 0;
    let mut shift = 0;
    let (mut delivered, mut left_out, mut in_callback) = (0_u64, 0_u64, Duration::ZERO);
    let began = Instant::now();
    for line in BufReader::with_capacity(1 << 20, file).lines().map_while(Result::ok) {
        if is_stopped() {
            break;
        }
        if let Some(started) = line.strip_prefix("# started ") {
            let started: i64 = started.trim().parse().unwrap_or(0);
            // Whole seconds, and none of the events before the session began.
            shift = (STARTED.load(Ordering::Relaxed) / SECOND + 1 - started / SECOND) * SECOND;
            log(&format!("shift {}", shift / SECOND));
            continue;
        }
        let Some(event) = parse(&line) else {
            if !line.starts_with('#') {
                log(&format!("not an event: {line}"));
            }
            continue;
        };
        // As the system does: any keyword, or none at all; up to the level.
        let logs = enabled.iter().any(|provider| {
            let has_keyword = event.keywords == 0 || provider.keywords == 0 || event.keywords & provider.keywords != 0;
            let has_id = provider.ids.is_empty() || provider.ids.contains(&event.id);
            provider.guid == event.guid && has_keyword && has_id && event.level <= provider.level
        });
        if !logs {
            left_out += 1;
            continue;
        }
        let time = event.time + shift;
        while is_paced && now() < time && !is_stopped() {
            std::thread::sleep(Duration::from_millis(1));
        }
        in_callback += give(event, shift, callback, context);
        delivered += 1;
    }
    format!(
        "delivered {delivered} events in {} ms, {} ms of them in the callback; {left_out} left out",
        began.elapsed().as_millis(),
        in_callback.as_millis()
    )
}

fn give(mut event: Line, shift: i64, callback: Callback, context: usize) -> Duration {
    for at in &event.times_within {
        if let Some(place) = event.payload.get_mut(*at..).and_then(<[u8]>::first_chunk_mut::<8>) {
            *place = i64::from_le_bytes(*place).wrapping_add(shift).to_le_bytes();
        }
    }
    let mut record = EVENT_RECORD::default();
    let header = &mut record.EventHeader;
    header.Size = 80;
    header.Flags = if event.pointer_bytes == 4 { 0x20 } else { 0x40 } | 0x200;
    header.ProcessId = event.pid;
    header.TimeStamp = event.time + shift;
    header.ProviderId = GUID::from_u128(event.guid);
    header.EventDescriptor.Id = event.id;
    header.EventDescriptor.Version = event.version;
    header.EventDescriptor.Level = event.level;
    header.EventDescriptor.Keyword = event.keywords;
    record.BufferContext.Anonymous.ProcessorIndex = event.cpu;
    record.UserDataLength = u16::try_from(event.payload.len()).unwrap_or(u16::MAX);
    // An empty payload has no address.
    record.UserData = if event.payload.is_empty() { std::ptr::null_mut() } else { event.payload.as_mut_ptr().cast() };
    record.UserContext = std::ptr::with_exposed_provenance_mut(context);
    let began = Instant::now();
    // SAFETY: the record and its payload live through the call.
    unsafe { callback(&mut record) };
    began.elapsed()
}
