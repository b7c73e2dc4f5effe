//! A model of the file that a session writes: whole buffers, one for each processor that logged since it was last flushed, and no
//! more than the maximum. Its bytes mean nothing; how many there are is what it is for.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::session::{is_stopped, log, number};

/// Bytes of an event of Winsock-AFD with its header.
const EVENT_BYTES: u64 = 128;

/// Of each buffer, its header.
const HEADER_BYTES: u64 = 72;

/// Steps of the model in a second.
const STEPS: u64 = 100;

/// Buffers that could not be written.
pub(crate) static LOST: AtomicU32 = AtomicU32::new(0);

/// What the session was asked for.
pub(crate) struct Model {
    pub(crate) path: PathBuf,
    pub(crate) buffer_bytes: u64,
    pub(crate) flush_seconds: u64,
    pub(crate) max_bytes: u64,
    pub(crate) is_circular: bool,
}

impl Model {
    /// Writes until the session stops. `REPLAY_SPEED`: so many seconds in one.
    pub(crate) fn run(self) {
        let Ok(mut file) = File::create(&self.path) else { return log("the file cannot be made") };
        let processors = u64::from(number("REPLAY_PROCESSORS").max(1));
        let speed = u64::from(number("REPLAY_SPEED").max(1));
        // An idle machine logs now and then on each processor.
        let rate = u64::from(number("REPLAY_RATE")).max(processors);
        let per_buffer = (self.buffer_bytes - HEADER_BYTES) / EVENT_BYTES;
        let buffer = vec![0_u8; usize::try_from(self.buffer_bytes).unwrap_or(0)];
        let mut filled = vec![0_u64; usize::try_from(processors).unwrap_or(1)];
        let (mut step, mut logged, mut wanted, mut written) = (0_u64, 0_u64, 0_u64, 0_u64);
        let began = Instant::now();
        while !is_stopped() {
            let due = began.elapsed().as_millis() as u64 * speed * STEPS / 1000;
            if step >= due {
                std::thread::sleep(Duration::from_millis(2));
                continue;
            }
            step += 1;
            let mut full = 0_u64;
            while logged < rate * step / STEPS {
                let processor = usize::try_from(logged % processors).unwrap_or(0);
                logged += 1;
                for events in filled.iter_mut().skip(processor).take(1) {
                    *events += 1;
                    if *events == per_buffer {
                        *events = 0;
                        full += 1;
                    }
                }
            }
            if step.is_multiple_of(self.flush_seconds.max(1) * STEPS) {
                full += filled.iter_mut().map(|events| u64::from(std::mem::take(events) > 0)).sum::<u64>();
            }
            for _ in 0..full {
                wanted += self.buffer_bytes;
                if written + self.buffer_bytes > self.max_bytes {
                    if !self.is_circular {
                        continue;
                    }
                    written = 0;
                    let _ = file.seek(SeekFrom::Start(0));
                }
                match file.write_all(&buffer) {
                    Ok(()) => written += self.buffer_bytes,
                    Err(_) => drop(LOST.fetch_add(1, Ordering::Relaxed)),
                }
            }
        }
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        log(&format!(
            "recorded {bytes} bytes of {wanted}, at most {}, in {} s of the model; {logged} events, {processors} processors",
            self.max_bytes,
            step / STEPS
        ));
    }
}
